// What the tape costs: a node recorded and swept, at chain lengths from one to ten million, small calls of other kinds, and
// the three-layer tutorial step beside the same step as a hand-written loop. Columns after the time: per_node is seconds per
// recorded operation and its backward; system_calls is calls of the system's allocator per iteration once warm, and must be 0.
#include <benchmark/benchmark.h>

#include "count_allocations.h"
#include "google_rows.h"
#include "hand_written.h"
#include "tapegrad/tapegrad.h"

namespace {

using namespace tapegrad;
using benchmark::Counter;
using benchmark::State;

// Counts, from its making to its report, what the process asked the system for: through malloc, or by the library's own
// allocator.
class SystemCalls {
 public:
  SystemCalls() : start_(now()) {}
  void report(State& state) const {
    state.counters["system_calls"] = Counter(static_cast<double>(now() - start_), Counter::kAvgIterations);
  }

 private:
  static int64_t now() { return bench::system_allocation_calls() + allocator_stats().system_allocations; }
  int64_t start_;
};

void report_nodes(State& state, int64_t nodes) {
  state.counters["per_node"] =
      Counter(static_cast<double>(nodes), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

// y = x c c ... c and its backward. `both`: c wants a gradient too, so that every node passes two on.
void run_chain(const Tensor& x, const Tensor& c, int64_t length) {
  Tensor y = x;
  for (int64_t i = 0; i < length; ++i) y = y * c;
  y.backward();
  x.mutable_grad() = Tensor();
  c.mutable_grad() = Tensor();
}

// First in the file, for the free lists are empty then: every block comes from the system, and every page of it is touched for the first time.
void chain_from_nothing(State& state) {
  const Tensor x = ones({1}, requires_grad()), c = ones({1});
  const int64_t length = state.range(0);
  empty_cache();
  for (auto _ : state) run_chain(x, c, length);
  report_nodes(state, length);
  state.counters["bytes_per_node"] =
      static_cast<double>(allocator_stats().reserved_bytes) / static_cast<double>(length);
}
BENCHMARK(chain_from_nothing)->Arg(1'000'000)->Arg(10'000'000)->Iterations(1);

void chain(State& state, bool both) {
  const Tensor x = ones({1}, requires_grad()), c = ones({1}, requires_grad(both));
  const int64_t length = state.range(0);
  run_chain(x, c, length);  // fills the free lists
  const SystemCalls calls;
  for (auto _ : state) run_chain(x, c, length);
  calls.report(state);
  report_nodes(state, length);
}
BENCHMARK_CAPTURE(chain, one_gradient, false)->Arg(1)->Arg(10)->Arg(1000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(chain, one_gradient, false)->Arg(10'000'000)->Iterations(1);
BENCHMARK_CAPTURE(chain, both_gradients, true)->Arg(1)->Arg(1000)->Arg(1'000'000);

// The same call `kCalls` times per iteration, so that the loop's own cost and the clock's vanish.
constexpr int64_t kCalls = 100;
template <class Call> void repeat(State& state, const Call& call) {
  call();
  const SystemCalls calls;
  for (auto _ : state) {
    for (int64_t i = 0; i < kCalls; ++i) call();
  }
  calls.report(state);
  state.counters["per_call"] = Counter(kCalls, Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void multiply_no_grad(State& state) {
  const Tensor x = ones({1}), c = ones({1});
  repeat(state, [&] { benchmark::DoNotOptimize((x * c).impl()); });
}
BENCHMARK(multiply_no_grad);

void multiply_recorded_and_dropped(State& state) {
  const Tensor x = ones({1}, requires_grad()), c = ones({1});
  repeat(state, [&] { benchmark::DoNotOptimize((x * c).impl()); });
}
BENCHMARK(multiply_recorded_and_dropped);

void add_in_place(State& state) {
  const Tensor x = zeros({1}), c = ones({1});
  repeat(state, [&] { benchmark::DoNotOptimize(x.add_(c).impl()); });
}
BENCHMARK(add_in_place);

void view_no_grad(State& state) {
  const Tensor x = ones({4, 3});
  repeat(state, [&] { benchmark::DoNotOptimize(x.view({12}).impl()); });
}
BENCHMARK(view_no_grad);

void view_recorded(State& state) {
  const Tensor x = ones({4, 3}, requires_grad());
  repeat(state, [&] { benchmark::DoNotOptimize(x.view({12}).impl()); });
}
BENCHMARK(view_recorded);

void linear_no_grad(State& state) {
  const Tensor x = ones({4, 3}), w = ones({4, 3}), b = ones({4});
  repeat(state, [&] { benchmark::DoNotOptimize(linear(x, w, b).impl()); });
}
BENCHMARK(linear_no_grad);

void linear_and_backward(State& state) {
  const Tensor x = ones({4, 3}), w = ones({4, 3}, requires_grad()), b = ones({4}, requires_grad()), dy = ones({4, 4});
  repeat(state, [&] {
    linear(x, w, b).backward(dy);
    w.mutable_grad() = Tensor();
    b.mutable_grad() = Tensor();
  });
}
BENCHMARK(linear_and_backward);

// The network of bench/hand_written.h, with its data and its start.
template <class T> struct Tutorial {
  explicit Tutorial(DType dtype) {
    bench::HandWrittenStep<T> hand;
    X = from_blob(hand.x, {4, 3}, dtype).clone();
    y = from_blob(hand.y, {4, 1}, dtype).clone();
    w0 = from_blob(hand.w0, {3, 4}, dtype).clone().requires_grad_();
    w1 = from_blob(hand.w1, {4, 1}, dtype).clone().requires_grad_();
  }
  Tensor loss() const {
    const Tensor l1 = sigmoid(mm(X, w0)), l2 = sigmoid(mm(l1, w1));
    return 0.5 * sum(square(y - l2));
  }
  Tensor X, y, w0, w1;
};

template <class T> constexpr DType dtype_for() { return sizeof(T) == 8 ? kFloat64 : kFloat32; }

template <class T> void tutorial_step(State& state) {
  Tutorial<T> net(dtype_for<T>());
  optim::SGD descent({net.w0, net.w1}, {.lr = 1.0});
  const auto step = [&] {
    descent.zero_grad();
    net.loss().backward();
    descent.step();
  };
  step();
  const SystemCalls calls;
  for (auto _ : state) step();
  calls.report(state);
}
BENCHMARK(tutorial_step<double>);
BENCHMARK(tutorial_step<float>);

template <class T> void tutorial_step_descent_by_hand(State& state) {
  Tutorial<T> net(dtype_for<T>());
  const auto step = [&] {
    net.loss().backward();
    const NoGradGuard no_grad;
    for (Tensor* w : {&net.w0, &net.w1}) {
      *w -= w->grad();
      w->mutable_grad() = Tensor();
    }
  };
  step();
  const SystemCalls calls;
  for (auto _ : state) step();
  calls.report(state);
}
BENCHMARK(tutorial_step_descent_by_hand<double>);
BENCHMARK(tutorial_step_descent_by_hand<float>);

template <class T> void tutorial_step_hand_written_loop(State& state) {
  bench::HandWrittenStep<T> net;
  for (auto _ : state) benchmark::DoNotOptimize(net.step());
}
BENCHMARK(tutorial_step_hand_written_loop<double>);
BENCHMARK(tutorial_step_hand_written_loop<float>);

// grad() by every one of N leaves, or of N recorded tensors: per_input must not grow with N.
void grad_by_inputs(State& state, bool recorded) {
  const int64_t count = state.range(0);
  std::vector<Tensor> leaves, products;
  for (int64_t i = 0; i < count; ++i) {
    leaves.push_back(zeros({1}, requires_grad()));
    products.push_back(leaves.back() * 2);
  }
  const Tensor y = cat(products).sum();
  const std::vector<Tensor>& inputs = recorded ? products : leaves;
  for (auto _ : state) benchmark::DoNotOptimize(autograd::grad({y}, inputs, {}, true));
  state.counters["per_input"] = benchmark::Counter(
      static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(grad_by_inputs, leaves, false)->Arg(1000)->Arg(10000)->Arg(100000);
BENCHMARK_CAPTURE(grad_by_inputs, recorded, true)->Arg(1000)->Arg(10000)->Arg(100000);

}  // namespace

int main(int argc, char** argv) {
  tapegrad::set_num_threads(1);
  return bench::run_google("tape", argc, argv);
}

// A layer over all steps at once against its cells, every example and every step by itself, at the sizes that take other ways through the kernels.
#include <cstring>
#include <functional>
#include <numeric>

#include "catch.h"
#include "message.h"
#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

using Tensors = std::vector<Tensor>;
using Counts = std::vector<int64_t>;

struct Kind {
  const char* name;
  int64_t blocks;
  size_t states;
  // One example's next states from x, its states, and w_ih, w_hh, b_ih, b_hh.
  std::function<Tensors(const Tensor& x, const Tensors& states, const Tensors& w)> step;
  // {y, last states} of both directions.
  std::function<Tensors(const Tensor& x, const Counts& counts, const Tensors& start, const Tensors& w)> layer;
};

template <class Cell, class Layer> Kind of_one_state(const char* name, int64_t blocks, Cell cell, Layer layer) {
  return {name, blocks, 1,
          [=](const Tensor& x, const Tensors& s, const Tensors& w) {
            return Tensors{cell(x, s[0], w[0], w[1], w[2], w[3])};
          },
          [=](const Tensor& x, const Counts& counts, const Tensors& start, const Tensors& w) {
            const auto [y, h] = layer(x, counts, start[0], w, true, 1, 0, false, true);
            return Tensors{y, h};
          }};
}

std::vector<Kind> kinds() {
  using Packed = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Counts&, const Tensor&, const Tensors&, bool,
                                                int64_t, double, bool, bool);
  return {of_one_state("rnn_tanh", 1, rnn_tanh_cell, Packed(rnn_tanh)),
          of_one_state("rnn_relu", 1, rnn_relu_cell, Packed(rnn_relu)),
          of_one_state("gru", 3, gru_cell, Packed(gru)),
          {"lstm", 4, 2,
           [](const Tensor& x, const Tensors& s, const Tensors& w) {
             const auto [h, c] = lstm_cell(x, s, w[0], w[1], w[2], w[3]);
             return Tensors{h, c};
           },
           [](const Tensor& x, const Counts& counts, const Tensors& start, const Tensors& w) {
             const auto [y, h, c] = lstm(x, counts, start, w, true, 1, 0, false, true);
             return Tensors{y, h, c};
           }}};
}

// As Kind::layer, for x whose rows are counts[0], counts[1], ... of the steps.
Tensors by_steps(const Kind& kind, const Tensor& x, const Counts& counts, const Tensors& start, const Tensors& w) {
  const Tensors rows = split(x, counts, 0);
  const auto steps = static_cast<int64_t>(counts.size());
  Tensors y_of_directions;
  std::vector<Tensors> last(kind.states);
  for (int64_t direction = 0; direction < 2; ++direction) {
    const Tensors own(w.begin() + 4 * direction, w.begin() + 4 * direction + 4);
    std::vector<Tensors> state(static_cast<size_t>(counts[0])), h(counts.size());
    for (size_t n = 0; n < state.size(); ++n)
      for (const Tensor& s : start) state[n].push_back(s[direction][static_cast<int64_t>(n)]);
    for (int64_t i = 0; i < steps; ++i) {
      const auto t = static_cast<size_t>(direction == 0 ? i : steps - 1 - i);
      for (int64_t n = 0; n < counts[t]; ++n) {
        Tensors& s = state[static_cast<size_t>(n)];
        s = kind.step(rows[t][n], s, own);
        h[t].push_back(s[0]);
      }
    }
    Tensors y;
    for (const Tensors& step : h) y.push_back(stack(step));
    y_of_directions.push_back(cat(y, 0));
    for (size_t k = 0; k < kind.states; ++k) {
      Tensors all;
      for (const Tensors& s : state) all.push_back(s[k]);
      last[k].push_back(stack(all));
    }
  }
  Tensors result{cat(y_of_directions, 1)};
  for (const Tensors& both : last) result.push_back(stack(both));
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == y.numel() && std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

// Values and gradients, and the same bits with another number of threads.
void check(const Kind& kind, const Counts& counts, int64_t features, int64_t hidden, DType dtype) {
  CAPTURE(kind.name, hidden);
  const auto leaf = [&](const Shape& sizes, double scale) {
    return (randn(sizes, dtype) * scale).detach().requires_grad_();
  };
  const double scale = 1 / std::sqrt(static_cast<double>(hidden));
  const Tensor x = leaf({std::accumulate(counts.begin(), counts.end(), int64_t{0}), features}, 1);
  Tensors start, w;
  for (size_t k = 0; k < kind.states; ++k) start.push_back(leaf({2, counts[0], hidden}, 1));
  for (int64_t direction = 0; direction < 2; ++direction) {
    const int64_t rows = kind.blocks * hidden;
    for (const Shape& sizes : {Shape{rows, features}, Shape{rows, hidden}, Shape{rows}, Shape{rows}})
      w.push_back(leaf(sizes, scale));
  }
  Tensors leaves{x};
  leaves.insert(leaves.end(), start.begin(), start.end());
  leaves.insert(leaves.end(), w.begin(), w.end());

  const Tensors expected = by_steps(kind, x, counts, start, w), got = kind.layer(x, counts, start, w);
  REQUIRE(got.size() == expected.size());
  Tensors dy;
  for (const Tensor& y : expected) dy.push_back(randn(y.sizes(), dtype));
  const Tensors dx = autograd::grad(got, leaves, dy), by_cells = autograd::grad(expected, leaves, dy);
  const double tolerance = dtype == kFloat32 ? 1e-5 : 1e-13;
  const auto close = [&](const Tensor& a, const Tensor& b) {
    return allclose(a, b, 0, tolerance * std::max(1., b.abs().max().item<double>()));
  };
  for (size_t i = 0; i < got.size(); ++i) CHECK(close(got[i], expected[i]));
  for (size_t i = 0; i < dx.size(); ++i) CHECK(close(dx[i], by_cells[i]));

  const int threads = get_num_threads();
  set_num_threads(threads == 1 ? 3 : 1);
  const Tensors again = kind.layer(x, counts, start, w), dx_again = autograd::grad(again, leaves, dy);
  set_num_threads(threads);
  for (size_t i = 0; i < got.size(); ++i) CHECK(same_bits(again[i], got[i]));
  for (size_t i = 0; i < dx.size(); ++i) CHECK(same_bits(dx_again[i], dx[i]));
}

}  // namespace

TEST_CASE("recurrent layers: all steps at once are the steps one by one") {
  manual_seed(11);
  for (const Kind& kind : kinds()) {
    check(kind, {40, 40, 3, 1, 1, 1}, 5, 70,
          kFloat64);  // several panels of w_hh and strips of examples, and a sum of several depths
    check(kind, {40, 40, 3}, 5, 70, kFloat64);          // too few steps for a copy of w_hh
    check(kind, {1, 1, 1}, 40, 33, kFloat64);           // nor is there one for one example
    check(kind, {40, 5, 1, 1, 1}, 3, 300, kFloat32);    // more than a second-level cache holds, on several threads
    check(kind, {3, 3, 2, 1, 1, 1}, 3, 300, kFloat32);  // by dot products, and where that is not so
    check(kind, {5}, 2, 3, kFloat32);
  }
}

TEST_CASE("recurrent layers: a write to what the gradients need is told, to anything else is allowed") {
  manual_seed(12);
  const Tensor x = randn({2, 5, 3}), w_hh = randn({12, 4}).requires_grad_(), h_0 = zeros({1, 5, 4});
  const auto y = [&](const Tensor& w_ih) {
    return std::get<0>(gru(x, h_0, {w_ih, w_hh}, false, 1, 0, false, false, false));
  };
  const Tensor dy = randn({2, 5, 4}), frozen = y(randn({12, 3})), trained = y(randn({12, 3}).requires_grad_());
  x.fill_(7);
  frozen.backward(dy);
  CHECK(w_hh.grad().defined());
  CHECK_THAT(message_of<AutogradError>([&] { trained.backward(dy); }), Contains("recurrent_layer") && Contains("x"));
}

TEST_CASE("recurrent layers: a step by itself copies no weights, and without gradients no gates are kept") {
  const NoGradGuard no_grad;
  const auto peak_of = [](const auto& run) {
    reset_peak_bytes();
    const int64_t before = allocator_stats().allocated_bytes;
    run();
    return allocator_stats().peak_bytes - before;
  };
  const nn::LSTM wide(8, 300);
  const nn::GRU longer(8, 64);
  const Tensor x = randn({1, 4, 8}), sequence = randn({64, 16, 8});
  const int64_t values = 64 * 16 * 64 * 4;  // bytes of y
  CHECK(peak_of([&] { wide(x); }) < 1200 * 300 * 4);
  CHECK(peak_of([&] { longer(sequence); }) < 6 * values);
}

TEST_CASE("recurrent layers: gradcheck names the layer whose rule is wrong") {
  manual_seed(13);
  const Tensor x = randn({3, 2, 2}, kFloat64).requires_grad_(), w_ih = randn({9, 2}, kFloat64);
  const Tensor w_hh = randn({9, 3}, kFloat64), h_0 = randn({1, 2, 3}, kFloat64);
  const auto f = [&](const Tensor& t) {
    return std::get<0>(gru(t * 1.5, h_0, {w_ih, w_hh}, false, 1, 0, true, false, false)) * 2.0;
  };
  const autograd::RewriteGuard doubled([](autograd::Node& node, Grads& dy) {
    Grads dx = autograd::rewritten(node, dy);
    if (std::string(node.name()) == "recurrent_layer") dx[0] = dx[0] * 2.0;
    return dx;
  });
  const GradcheckReport report = gradcheck_report(f, {x});
  REQUIRE_FALSE(report.ok());
  CHECK(report.findings[0].culprit == "recurrent_layer");
}

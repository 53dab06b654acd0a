// Random programs of many small operations, views and writes in place: every replay has the bits of the function.
#include <cstring>
#include <random>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

using Tensors = std::vector<Tensor>;

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  int operator()(size_t sides) { return static_cast<int>(engine_() % sides); }

 private:
  std::mt19937_64 engine_;
};

int64_t half(const Tensor& x) { return x.size(0) / 2; }

// What a program may do with a tensor, and with another of as many elements.
using Step = Tensor (*)(const Tensor& a, const Tensor& b);
const Step kSteps[] = {
    [](const Tensor& a, const Tensor&) { return a + 1.5; },
    [](const Tensor& a, const Tensor&) { return a.tanh() * 0.5; },
    [](const Tensor& a, const Tensor&) { return a.exp() * 0.01 + a.relu(); },
    [](const Tensor& a, const Tensor& b) { return a + b; },
    [](const Tensor& a, const Tensor& b) { return a * b * 0.3; },
    [](const Tensor& a, const Tensor& b) { return where(b > 0, a, b); },
    [](const Tensor& a, const Tensor&) { return a - a.sum() * 0.001; },
    [](const Tensor& a, const Tensor&) { return a.dim() > 1 ? a.t() : a.flip(0); },
    [](const Tensor& a, const Tensor&) { return a.slice(0, 0, half(a)) * a.slice(0, half(a), 2 * half(a)); },
    [](const Tensor& a, const Tensor&) {
      const Tensors halves = cat({a, a * 2}).chunk(2);
      return halves[0] * halves[1] + 0.1;
    },
    [](const Tensor& a, const Tensor&) {
      Tensor y = empty(a.sizes());
      y.slice(0, 0, half(a)).copy_(a.slice(0, 0, half(a)) * 2);
      y.slice(0, half(a)).copy_(a.slice(0, half(a)) + 1);
      return y;
    },
    [](const Tensor& a, const Tensor&) {
      Tensor y = a * 1;
      y.slice(0, 0, half(a)).add_(1);
      y.slice(0, half(a)).mul_(0.5);
      return y + a;
    },
    [](const Tensor& a, const Tensor&) { return zeros(a.sizes()).add_(a).mul_(0.7); },
    [](const Tensor& a, const Tensor&) {
      return arange(a.numel(), kFloat32).reshape(a.sizes()).mul_(0.1).add_(a).tanh();
    },
    [](const Tensor& a, const Tensor&) { return a.dim() > 1 ? a + a.sum(0, true) * 0.01 : a.cumsum(0) * 0.1; },
    [](const Tensor& a, const Tensor&) {
      return a.dim() > 1 ? mm(a, a.t()) * 0.01 : a.reshape({-1, 1});
    },
    [](const Tensor& a, const Tensor&) { return a.reshape({-1}); },
    [](const Tensor& a, const Tensor&) { return a.to(kFloat64).sin().to(kFloat32); },
    [](const Tensor& a, const Tensor&) { return dropout(a, 0.3, true); },
    [](const Tensor& a, const Tensor&) { return a + randn(a.sizes()); },
    [](const Tensor& a, const Tensor&) { return (a > 0).to(kFloat32) + a.mean(-1, true) + a; },
    [](const Tensor& a, const Tensor&) { return a.index_select(0, tensor({0})).expand(a.sizes()) + a; },
    [](const Tensor& a, const Tensor&) { return a.sum() + (a * a).sum() + a; },
    [](const Tensor& a, const Tensor&) {
      Tensor y = a.clone();
      y.reshape({-1}).slice(0, 0, y.numel(), 2).fill_(0.25);
      return y * 2;
    },
    [](const Tensor& a, const Tensor&) {
      return stack({a, a + 1}).sum(0);
    },
    [](const Tensor& a, const Tensor&) { return softmax(a, 0) + log_softmax(a, -1) * 0.01; },
    [](const Tensor& a, const Tensor&) {
      const Tensor from = a.detach().contiguous(), y = empty_like(from);
      launch("scaled", {&y}, {&from}, [n = a.numel()](float* to, const float* x) {
        for (int64_t i = 0; i < n; ++i) to[i] = 0.9f * x[i] + 0.1f;
      });
      return y;
    },
};

// What the program of this seed gives, made of `in`; the third of them it also writes to.
Tensors run(uint64_t seed, const Tensors& in) {
  Dice dice(seed);
  Tensors pool = in, out;
  if (dice(3) == 0) in[2].mul_(0.9);
  const int steps = 4 + dice(14);
  for (int i = 0; i < steps; ++i) {
    const Tensor a = pool[static_cast<size_t>(dice(pool.size()))];
    Tensor b = pool[static_cast<size_t>(dice(pool.size()))];
    b = b.numel() == a.numel() ? b.reshape(a.sizes()) : full(a.sizes(), 0.5);
    const Tensor y = kSteps[dice(std::size(kSteps))](a, b);
    if (y.numel() == 0 || y.numel() > 20000) continue;
    pool.push_back(y);
    if (dice(4) == 0) out.push_back(y.detach());
  }
  out.push_back(pool.back().detach());
  const Tensor loss = (pool.back() * pool.back()).sum() * 0.01 + pool[pool.size() / 2].sum() * 0.1;
  if (loss.requires_grad()) loss.backward();
  if (dice(3) == 0) in[2].add_(0.1);
  return out;
}

struct Case {
  uint64_t seed;
  Tensors in;
  optim::SGD optimizer;

  explicit Case(uint64_t s) : seed(s), in(inputs(s)), optimizer({in[0], in[1]}, 0.1) { manual_seed(9); }
  static Tensors inputs(uint64_t seed) {
    const Shape shapes[] = {{7}, {6, 6}, {5000}, {70, 33}, {4, 8}, {64, 64}};
    const Shape& sizes = shapes[Dice(seed * 77 + 5)(std::size(shapes))];
    Generator generator(seed);
    Tensors in;
    for (int i = 0; i < 3; ++i) in.push_back(randn(sizes, generator));
    in[0].requires_grad_(), in[1].requires_grad_();
    return in;
  }
  Tensors step() {
    optimizer.zero_grad();
    return run(seed, in);
  }
  // With all that the step leaves behind.
  std::vector<char> bits(Tensors out) const {
    out.push_back(in[2]);
    for (size_t i : {size_t{0}, size_t{1}}) {
      if (in[i].grad().defined()) out.push_back(in[i].grad());
    }
    std::vector<char> bytes;
    for (const Tensor& t : out) {
      const Tensor x = t.contiguous();
      bytes.insert(bytes.end(), static_cast<char*>(x.data_ptr()), static_cast<char*>(x.data_ptr()) + x.nbytes());
    }
    return bytes;
  }
};

}  // namespace

TEST_CASE("random programs replay bit by bit", "[capture]") {
  const CaptureOptions all[] = {
      {.verify = 0}, {.verify = 1}, {.verify = 0, .fuse = false}, {.verify = 0, .plan_memory = false}};
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Case eager(seed);
    eager.step(), eager.step();
    const std::vector<char> third = eager.bits(eager.step()), fourth = eager.bits(eager.step());
    for (const CaptureOptions& options : all) {
      CAPTURE(seed, options.verify, options.fuse, options.plan_memory);
      Case replayed(seed);
      Program p = capture([&] { return replayed.step(); }, options);
      p();
      CHECK(replayed.bits(p.outputs()) == third);
      p();
      CHECK(replayed.bits(p.outputs()) == fourth);
    }
  }
}

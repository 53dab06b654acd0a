// Chains of layers under checkpoints: memory of a 64-layer network, bitwise gradients, and Revolve's count of runs.
#include <limits>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using Tensors = std::vector<Tensor>;

namespace {

constexpr int64_t kLayers = 64;

// 64 layers of Linear and Tanh, and one loss.
nn::Sequential deep(int64_t width) {
  nn::Sequential net;
  for (int64_t i = 0; i < kLayers; ++i) net.push_back(nn::Sequential(nn::Linear(width, width), nn::Tanh()));
  return net;
}

struct Trained {
  Tensors grads;
  Tensor loss, x;  // x: the gradient by the input
  int64_t peak = 0;
};

// The gradients of one step, and the most bytes above what was there before.
template <class Forward> Trained step(const nn::Sequential& net, const Tensor& x, const Forward& forward) {
  for (const Tensor& p : net.parameters()) p.mutable_grad() = Tensor();
  const Tensor in = x.detach().requires_grad_();
  Trained t;
  const int64_t before = allocator_stats().allocated_bytes;
  reset_peak_bytes();
  {
    const Tensor loss = mean(square(forward(in)));
    loss.backward();
    t.loss = loss.detach();
  }
  t.peak = allocator_stats().peak_bytes - before;
  for (const Tensor& p : net.parameters()) t.grads.push_back(p.grad());
  t.x = in.grad();
  return t;
}

void check_same_bits(const Trained& a, const Trained& b) {
  CHECK(equal(a.loss, b.loss));
  CHECK(equal(a.x, b.x));
  REQUIRE(a.grads.size() == b.grads.size());
  for (size_t i = 0; i < a.grads.size(); ++i) CHECK(equal(a.grads[i], b.grads[i]));
}

int64_t choose(int64_t n, int64_t k) {
  int64_t result = k < 0 || k > n ? 0 : 1;
  for (int64_t i = 1; i <= k && result; ++i) result = result * (n - k + i) / i;
  return result;
}

// The fewest runs without recording, by trying every cut.
std::vector<std::vector<int64_t>> fewest(int64_t steps, int64_t snapshots) {
  constexpr int64_t never = std::numeric_limits<int64_t>::max() / 4;
  std::vector<std::vector<int64_t>> t(static_cast<size_t>(snapshots) + 1,
                                      std::vector<int64_t>(static_cast<size_t>(steps) + 1, never));
  for (auto& row : t) row[0] = row[1] = 0;
  for (size_t c = 1; c < t.size(); ++c) {
    for (size_t l = 2; l < t[c].size(); ++l) {
      for (size_t m = 1; m < l; ++m) t[c][l] = std::min(t[c][l], static_cast<int64_t>(m) + t[c][m] + t[c - 1][l - m]);
    }
  }
  return t;
}

}  // namespace

TEST_CASE("a checkpointed 64-layer network: a quarter of the memory, the same bits", "[checkpoint][memory]") {
  manual_seed(41);
  const nn::Sequential net = deep(64);
  const Tensor x = randn({4096, 64});
  const Trained plain = step(net, x, [&](const Tensor& in) { return net(in); });
  const auto check = [&](const char* how, const Trained& t) {
    CAPTURE(how, t.peak, plain.peak, static_cast<double>(t.peak) / static_cast<double>(plain.peak));
    CHECK(t.peak * 4 <= plain.peak);
    check_same_bits(t, plain);
  };
  SECTION("segments within segments") {
    check("nested", step(net, x, [&](const Tensor& in) {
            Tensor y = in;
            for (int64_t s = 0; s < 4; ++s) {
              y = autograd::checkpoint(
                  [=](const Tensor& outer) {
                    Tensor z = outer;
                    for (int64_t k = 0; k < 4; ++k) {
                      z = autograd::checkpoint(
                          [=](const Tensor& inner) {
                            Tensor v = inner;
                            for (int64_t i = 0; i < 4; ++i) v = net.at<nn::Sequential>(16 * s + 4 * k + i)(v);
                            return v;
                          },
                          z);
                    }
                    return z;
                  },
                  y);
            }
            return y;
          }));
  }
  SECTION("Revolve") {
    for (const int64_t snapshots : {4, 6, 8}) {
      CAPTURE(snapshots);
      check("revolve", step(net, x, [&](const Tensor& in) { return nn::checkpoint_revolve(net, snapshots, in); }));
    }
  }
}

TEST_CASE("checkpoint_sequential: a quarter of the memory of layers that keep two tensors", "[checkpoint][memory]") {
  manual_seed(42);
  nn::Sequential net;
  for (int64_t i = 0; i < kLayers; ++i) net.push_back(nn::Sequential(nn::Linear(64, 64), nn::SiLU(), nn::Dropout(0.1)));
  const Tensor x = randn({4096, 64});
  const uint64_t draw = default_generator().draw();
  const Trained plain = step(net, x, [&](const Tensor& in) { return net(in); });
  const uint64_t end = default_generator().draw();
  default_generator().set_draw(draw);
  const Trained t = step(net, x, [&](const Tensor& in) { return nn::checkpoint_sequential(net, 8, in); });
  CHECK(default_generator().draw() == end);
  CAPTURE(t.peak, plain.peak, static_cast<double>(t.peak) / static_cast<double>(plain.peak));
  CHECK(t.peak * 4 <= plain.peak);
  check_same_bits(t, plain);
}

TEST_CASE("checkpoint_sequential for every number of segments", "[checkpoint]") {
  manual_seed(43);
  nn::Sequential net;
  for (int64_t i = 0; i < 7; ++i) net.push_back(nn::Sequential(nn::Linear(3, 3), nn::Tanh()));
  const Tensor x = randn({2, 3});
  const Trained plain = step(net, x, [&](const Tensor& in) { return net(in); });
  for (int64_t segments = 1; segments <= 7; ++segments) {
    int64_t nodes = 0;
    check_same_bits(step(net, x,
                         [&](const Tensor& in) {
                           const int64_t before = autograd::live_nodes();
                           const Tensor y = nn::checkpoint_sequential(net, segments, in);
                           nodes = autograd::live_nodes() - before;
                           return y;
                         }),
                    plain);
    // One for each checkpoint, one for each layer of the last segment: a Linear and its Tanh are joined.
    CHECK(nodes == segments - 1 + (7 - (segments - 1) * 7 / segments));
  }
  const auto refused = [&](int64_t segments) {
    return message_of<ValueError>([&] { nn::checkpoint_sequential(net, segments, x); });
  };
  CHECK_THAT(refused(0), Contains("checkpoint_sequential: segments must lie between 1 and the number of layers, which "
                                  "is 7, got 0"));
  CHECK_THAT(refused(8), Contains("got 8"));
}

TEST_CASE("Revolve runs as few layers as the binomial schedule allows", "[checkpoint][revolve]") {
  const auto optimum = fewest(100, 8);
  for (int64_t steps = 1; steps <= 100; ++steps) {
    for (int64_t snapshots = 1; snapshots <= 8; ++snapshots) {
      int64_t r = 0;
      while (choose(snapshots + r, r) < steps) ++r;
      const int64_t formula = r * steps - choose(snapshots + r, r - 1);
      CAPTURE(steps, snapshots, r);
      CHECK(optimum[static_cast<size_t>(snapshots)][static_cast<size_t>(steps)] == formula);
      CHECK(autograd::revolve_evaluations(steps, snapshots) == steps + formula);
    }
  }
  for (const int64_t steps : {1, 2, 5, 13, 40}) {
    for (const int64_t snapshots : {1, 2, 3, 7, 50}) {
      auto runs = std::make_shared<int64_t>(0);
      const Tensor scale = tensor(1.01, requires_grad());
      nn::Sequential net;
      for (int64_t i = 0; i < steps; ++i)
        net.push_back([runs, scale](const Tensor& t) { return ++*runs, tanh(t * scale); });
      const Tensor x = randn({4}, requires_grad());
      const Tensor w = randn({4});
      const auto plain = autograd::grad({net(x)}, {x, scale}, {w});
      *runs = 0;
      const auto g = autograd::grad({nn::checkpoint_revolve(net, snapshots, x)}, {x, scale}, {w});
      CAPTURE(steps, snapshots);
      CHECK(*runs == autograd::revolve_evaluations(steps, snapshots));
      CHECK(equal(g[0], plain[0]));
      CHECK(allclose(g[1], plain[1]));
    }
  }
  CHECK(autograd::revolve_evaluations(1'000'000'000, 60) < 10'000'000'000);
  CHECK(autograd::revolve_evaluations(5, 1'000'000'000'000) == 9);
  CHECK(autograd::revolve_evaluations(64, INT64_MAX) == 127);
  CHECK(autograd::revolve_cut(64, INT64_MAX) == autograd::revolve_cut(64, 64));
}

TEST_CASE("Revolve keeps as many states as it may", "[checkpoint][revolve][memory]") {
  manual_seed(44);
  const nn::Sequential net = deep(32);
  const Tensor x = randn({4096, 32});
  const int64_t before = allocator_stats().allocated_bytes;
  const Tensor one = x.clone();
  const int64_t state = allocator_stats().allocated_bytes - before;
  int64_t previous = 0;
  for (const int64_t snapshots : {2, 5, 12}) {
    const Trained t = step(net, x, [&](const Tensor& in) { return nn::checkpoint_revolve(net, snapshots, in); });
    CAPTURE(snapshots, t.peak, state);
    CHECK(t.peak > previous);
    // A layer's own tensors come on top: what it gives, the gradients by that and by its input.
    CHECK(t.peak <= (snapshots + 4) * state);
    previous = t.peak;
  }
}

TEST_CASE("what Revolve refuses", "[checkpoint][revolve]") {
  nn::Sequential net{nn::Tanh(), nn::Tanh()};
  const Tensor x = randn({2}, requires_grad());
  CHECK_THAT(message_of<ValueError>([&] { nn::checkpoint_revolve(net, 0, x); }),
             Contains("checkpoint_revolve: there must be at least one snapshot, got 0"));
  CHECK_THAT(message_of<ValueError>([&] { autograd::revolve_cut(1, 1); }),
             Contains("revolve_cut: there must be at least 2 steps, got 1"));
  CHECK_THAT(message_of<ValueError>([&] { autograd::revolve_cut(2, 0); }),
             Contains("revolve_cut: there must be at least one snapshot, got 0"));
  CHECK_THAT(message_of<ValueError>([&] { autograd::revolve_evaluations(0, 1); }),
             Contains("revolve_evaluations: there must be at least 1 step, got 0"));
  CHECK(nn::checkpoint_revolve(nn::Sequential(), 3, x).is_same(x));
}

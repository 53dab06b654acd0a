// The tutorial networks trained eagerly and by replay: the same bits after every step.
#include <cstring>
#include <functional>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// A network with its data, made anew by `make` for every run: a step that trains it, and what the step changes.
struct Training {
  std::function<Tensor()> step;  // gives the loss
  std::vector<Tensor> params;
};

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == y.numel() && std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

void check_replays(const std::string& network, const std::function<Training()>& make, int steps) {
  CAPTURE(network);
  manual_seed(4);
  const Training eager = make();
  manual_seed(4);
  const Training replayed = make();
  eager.step(), eager.step();
  const Program program = capture(replayed.step, {.verify = 0});
  for (int i = 0; i < steps; ++i) {
    CAPTURE(i);
    REQUIRE(same_bits(eager.step(), program()));
    for (size_t k = 0; k < eager.params.size(); ++k) {
      CAPTURE(k);
      REQUIRE(same_bits(eager.params[k], replayed.params[k]));
      REQUIRE(same_bits(eager.params[k].grad(), replayed.params[k].grad()));
    }
  }
}

// Full-batch gradient descent, the loss as a function of the parameters.
Training descent(const std::vector<Tensor>& params, double lr, const std::function<Tensor()>& loss) {
  const auto optimizer = std::make_shared<optim::SGD>(params, lr);
  return {[=] {
            optimizer->zero_grad();
            const Tensor l = loss();
            l.backward();
            optimizer->step();
            return l.detach();
          },
          params};
}

Tensor weight(std::initializer_list<int64_t> sizes, DType dtype = kFloat64) {
  return (2 * rand(sizes, dtype) - 1).requires_grad_();
}

const auto bits_of_three = [] { return tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64); };

}  // namespace

TEST_CASE("the networks of the small tutorials replay bit by bit", "[capture]") {
  check_replays(
      "eleven lines, two layers",
      [] {
        const Tensor x = bits_of_three(), y = tensor({{0}, {0}, {1}, {1}}, kFloat64), w = weight({3, 1});
        return descent({w}, 1, [=] { return 0.5 * sum(square(y - sigmoid(mm(x, w)))); });
      },
      300);
  check_replays(
      "eleven lines, three layers",
      [] {
        const Tensor x = bits_of_three(), y = tensor({{0}, {1}, {1}, {0}}, kFloat64);
        const Tensor w0 = weight({3, 4}), w1 = weight({4, 1});
        return descent({w0, w1}, 1, [=] { return 0.5 * sum(square(y - sigmoid(mm(sigmoid(mm(x, w0)), w1)))); });
      },
      300);
  check_replays(
      "exclusive or by hand",
      [] {
        const Tensor x = tensor({{1, 1}}, kFloat64), y = tensor({{0}}, kFloat64), w1 = weight({2, 3}),
                     w2 = weight({3, 1});
        return descent({w1, w2}, 0.5, [=] { return 0.5 * sum(square(y - sigmoid(mm(sigmoid(mm(x, w1)), w2)))); });
      },
      100);
  check_replays(
      "one neuron, binary softmax and SVM with L2",
      [] {
        const Tensor x = randn({40, 2}), t = sign(x.select(1, 0) + 0.3), w = weight({2, 1}, kFloat32),
                     b = weight({1}, kFloat32);
        return descent({w, b}, 0.1, [=] {
          const Tensor score = (mm(x, w) + b).squeeze(1);
          return mean(relu(1 - t * score)) + mean(softplus(-t * score)) + 0.01 * sum(square(w));
        });
      },
      100);
  check_replays(
      "planar classes, twenty neurons with L2",
      [] {
        const Tensor x = randn({60, 2}), y = (x.select(1, 0) * x.select(1, 1) > 0).to(kInt64);
        const Tensor w1 = weight({2, 20}, kFloat32), b1 = weight({20}, kFloat32), w2 = weight({20, 2}, kFloat32);
        return descent({w1, b1, w2}, 0.3, [=] {
          return cross_entropy(mm(tanh(mm(x, w1) + b1), w2), y) + 0.01 * (sum(square(w1)) + sum(square(w2)));
        });
      },
      100);
  check_replays(
      "universality: steps of one input",
      [] {
        const Tensor x = linspace(0, 1, 200, kFloat64).unsqueeze(1), y = 0.2 + 0.4 * square(x) + 0.3 * x * sin(15 * x);
        const Tensor w = full({1, 50}, 1000., kFloat64).requires_grad_(), s = weight({50}), h = weight({50, 1});
        return descent({w, s, h}, 1e-3, [=] { return mean(square(mm(sigmoid(mm(x, w) - 1000 * s), h) - y)); });
      },
      60);
  check_replays(
      "student: softmax of two marks",
      [] {
        const Tensor x = randn({5, 2}), y = tensor({1, 0, 1, 1, 0}, kInt64), w = weight({2, 4}, kFloat32);
        const Tensor v = weight({4, 2}, kFloat32), b = weight({2}, kFloat32);
        return descent({w, v, b}, 0.2, [=] { return cross_entropy(mm(sigmoid(mm(x, w)), v) + b, y); });
      },
      100);
}

TEST_CASE("the networks of the MNIST tutorials replay bit by bit", "[capture]") {
  check_replays(
      "784-15-10, sigmoid, one-hot targets",
      [] {
        nn::Sequential net(nn::Linear(784, 15), nn::Sigmoid(), nn::Linear(15, 10), nn::Sigmoid());
        const Tensor x = rand({10, 784}), y = one_hot(randint(0, 10, {10}), 10).to(kFloat32);
        return descent(net.parameters(), 3, [=]() mutable { return 0.5 * sum(square(net(x) - y)) / 10; });
      },
      30);
  check_replays(
      "784-300-100-10, Adam with a rate that falls, dropout",
      [] {
        nn::Sequential net(nn::Linear(784, 300), nn::ReLU(), nn::Dropout(0.2), nn::Linear(300, 100), nn::ReLU(),
                           nn::Linear(100, 10));
        const auto adam = std::make_shared<optim::Adam>(net.parameters(), 1e-3);
        const Tensor x = rand({64, 784}), y = randint(0, 10, {64});
        // The replay must draw what the eager run draws: each has a generator of its own.
        const auto generator = std::make_shared<Generator>(9);
        return Training{[=]() mutable {
                          const DefaultGeneratorGuard own(*generator);
                          adam->zero_grad();
                          const Tensor l = cross_entropy(net(x), y);
                          l.backward();
                          adam->step();
                          return l.detach();
                        },
                        net.parameters()};
      },
      12);
}

TEST_CASE("other steps replay bit by bit", "[capture]") {
  check_replays(
      "penalty on a gradient",
      [] {
        const Tensor w = weight({5, 5}, kFloat32), x = randn({7, 5}).requires_grad_();
        return descent({w}, 0.01, [=] {
          const Tensor y = tanh(mm(x, w)).sum(), g = autograd::grad({y}, {x}, {}, true, true)[0];
          x.mutable_grad() = Tensor();
          return (g.square().sum() - 1).square() + y;
        });
      },
      8);
  check_replays(
      "recurrent, twelve steps, clipped",
      [] {
        const Tensor w = weight({6, 6}, kFloat32), u = weight({3, 6}, kFloat32), x = randn({12, 4, 3});
        const auto optimizer = std::make_shared<optim::RMSprop>(std::vector<Tensor>{w, u}, 0.01);
        return Training{[=] {
                          optimizer->zero_grad();
                          Tensor h = zeros({4, 6});
                          std::vector<Tensor> all;
                          for (int64_t t = 0; t < 12; ++t) all.push_back(h = tanh(mm(x[t], u) + mm(h, w)));
                          const Tensor loss = stack(all).square().mean();
                          loss.backward();
                          nn::utils::clip_grad_norm_({w, u}, 0.1);
                          optimizer->step();
                          return loss.detach();
                        },
                        {w, u}};
      },
      8);
  check_replays(
      "embedding, slices, running sums",
      [] {
        nn::Embedding table(11, 4);
        const Tensor at = randint(0, 11, {5, 3});
        return descent(table.parameters(), 0.1, [=]() mutable {
          const Tensor y = cumsum(table(at), 1);
          const Tensor z =
              y.index({indexing::Slice(), indexing::Slice(indexing::None, indexing::None, 2), indexing::None, "..."});
          return log_softmax(z, -1).mean() + y.amax(IntArrayRef{1}).sum() * 0.1;
        });
      },
      8);
  check_replays(
      "writes in place and through views, a buffer that runs along",
      [] {
        const Tensor w = randn({6, 6}).requires_grad_(), buffer = zeros({6, 6});
        return descent({w}, 0.05, [=] {
          Tensor y = w * 2;
          y[0] += 1;
          y.slice(0, 2, 4).mul_(y.slice(0, 0, 2).detach());
          {
            const NoGradGuard no_grad;
            buffer.add_(y).mul_(0.9);
          }
          return (y * buffer).sigmoid().sum();
        });
      },
      8);
  check_replays(
      "order, gathering, products, distances",
      [] {
        const Tensor w = randn({5, 8}).requires_grad_(), x = randn({3, 8});
        return descent({w}, 0.01, [=] {
          const auto [v, i] = topk(w, 3, 1);
          const Tensor g = gather(w, 1, i), s = std::get<0>(sort(w, 0));
          return where(v > 0, v, g * 2).sum() + s.square().mean() + einsum("ij,kj->ik", {w, x}).var() +
                 cdist(w, x).mean() + logsumexp(w, 1).sum() + w.norm();
        });
      },
      8);
  check_replays(
      "three backward passes into one gradient, a hook",
      [] {
        const Tensor w = randn({5, 8}).requires_grad_();
        w.register_hook([](const Tensor& g) { return g * 0.5; });
        const auto optimizer = std::make_shared<optim::SGD>(std::vector<Tensor>{w}, 0.05);
        return Training{[=] {
                          optimizer->zero_grad(false);
                          Tensor total = zeros({});
                          for (int i = 1; i <= 3; ++i) {
                            const Tensor loss = (w * i).sin().sum();
                            loss.backward();
                            total = total + loss.detach();
                          }
                          optimizer->step();
                          return total;
                        },
                        {w}};
      },
      8);
}

// Random operations: how often things happen, that seeds and threads do as promised, and that kept launches draw anew.
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <map>

#include "message.h"

using namespace tapegrad;

namespace {

// A count of n trials of probability p lies within five standard deviations of n p: a right generator with a fixed seed
// passes for good.
void check_count(double count, double n, double p) {
  CAPTURE(count, n, p);
  CHECK(std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1e-9);
}

// Chi-square over all outcomes, within five of its own deviations.
void check_outcomes(const std::map<int64_t, int64_t>& counts, const std::map<int64_t, double>& chances, double n) {
  double chi = 0;
  for (const auto& [outcome, chance] : chances) {
    const auto it = counts.find(outcome);
    const double count = it == counts.end() ? 0 : static_cast<double>(it->second);
    chi += (count - n * chance) * (count - n * chance) / (n * chance);
  }
  for (const auto& outcome : counts) CHECK(chances.count(outcome.first) == 1);
  const double freedom = static_cast<double>(chances.size()) - 1;
  CAPTURE(chi, freedom);
  CHECK(std::abs(chi - freedom) < 5 * std::sqrt(2 * freedom));
}

constexpr int64_t kMany = 200'003;

}  // namespace

TEST_CASE("dropout drops the share asked for and scales the rest", "[sampling]") {
  manual_seed(1);
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const double p : {0.001, 0.1, 0.5, 0.9}) {
      const Tensor y = dropout(ones(kMany, dtype), p);
      check_count((y == 0).sum().item<double>(), kMany, p);
      CHECK(y.max().item<double>() == Approx(1 / (1 - p)).epsilon(1e-6));
      CHECK(equal(y, y.max() * (y != 0).to(dtype)));
      const double deviation = std::sqrt(p / (1 - p) / kMany);
      CHECK(std::abs(y.mean().item<double>() - 1) < 5 * deviation);
      // Neighbours are dropped independently.
      const Tensor gone = (y == 0).to(kFloat64);
      check_count((gone.slice(0, 1) * gone.slice(0, 0, -1)).sum().item<double>(), kMany - 1, p * p);
    }
  }
}

TEST_CASE("dropout is the identity when nothing is to be dropped, and zero when everything is", "[sampling]") {
  const Tensor x = randn({3, 4});
  CHECK(dropout(x, 0).is_same(x));
  CHECK(dropout(x, 0.5, false).is_same(x));
  CHECK(equal(dropout(x, 1), zeros({3, 4})));
  CHECK(dropout(ones({2}, kInt64), 0.5, false).dtype() == kInt64);
  const uint64_t draw = default_generator().draw();
  CHECK(message_of<ValueError>([&] { dropout(x, 2); }) == "dropout: p must lie in [0, 1], got 2.000000");
  dropout(x, 0.5, false);
  CHECK(default_generator().draw() == draw);
}

TEST_CASE("dropout passes the gradient of what it kept", "[sampling]") {
  const Tensor x = randn({100}, requires_grad());
  const Tensor y = dropout(x, 0.25);
  y.sum().backward();
  const Tensor kept = (y != 0).to(kFloat32);
  CHECK(allclose(x.grad(), kept / 0.75));
  CHECK_FALSE(equal(dropout(x, 0.25), y));
}

TEST_CASE("random operations repeat with the seed, at any number of threads", "[sampling]") {
  const int threads = get_num_threads();
  const Tensor x = randn({700, 300}), p = rand({700, 300}), w = rand({700, 30});
  const auto all = [&] {
    manual_seed(5);
    return std::vector<Tensor>{dropout(x, 0.3), bernoulli(p), bernoulli(x, 0.2), multinomial(w, 9), normal(x, p)};
  };
  set_num_threads(1);
  const auto one = all();
  set_num_threads(2);
  const auto two = all();
  set_num_threads(threads);
  for (size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    CHECK(equal(one[i], two[i]));
  }
  CHECK(default_generator().draw() == 5);
}

TEST_CASE("a kept launch of dropout draws a new mask, and its gradient follows", "[sampling]") {
  const Tensor x = randn({1000}), y = empty({1000});
  LaunchList list;
  y.copy_(dropout(x, 0.5));
  list.stop();
  const Tensor first = y.clone();
  list.run();
  CHECK_FALSE(equal(y, first));
  check_count((y == 0).sum().item<double>(), 1000, 0.5);
}

TEST_CASE("bernoulli hits with its probability, down to small ones", "[sampling]") {
  manual_seed(2);
  for (const double p : {0.0, 1e-4, 0.3, 0.5, 1.0}) {
    check_count(bernoulli(full(kMany, p, kFloat64)).sum().item<double>(), kMany, p);
    check_count(bernoulli(empty(kMany), p).sum().item<double>(), kMany, p);
  }
  Tensor x = empty({2, kMany}, kInt32);
  x.bernoulli_(tensor({{0.2}, {0.7}}, kFloat32));
  check_count(x[0].sum().item<double>(), kMany, 0.2);
  check_count(x[1].sum().item<double>(), kMany, 0.7);
  CHECK(x.max().item<int64_t>() == 1);
  CHECK(x.bernoulli_().data_ptr() == x.data_ptr());
  check_count(x.sum().item<double>(), 2 * kMany, 0.5);
  CHECK(zeros({3}).bernoulli(1).sum().item<double>() == 3);
}

TEST_CASE("bernoulli carries no gradient, in place it ends one", "[sampling]") {
  const Tensor p = full({4}, 0.5, requires_grad());
  CHECK_FALSE(bernoulli(p).requires_grad());
  Tensor y = p * 2;
  y.bernoulli_(0.5);
  y.sum().backward();
  CHECK(equal(p.grad(), zeros({4})));
  CHECK_THROWS_AS(p.bernoulli_(0.5), AutogradError);
}

TEST_CASE("multinomial with replacement follows the weights", "[sampling]") {
  manual_seed(3);
  const Tensor w = tensor({1.0, 0.0, 3.0, 0.5, 5.5, 0.0});
  const Tensor y = w.multinomial(kMany, true);
  std::map<int64_t, int64_t> counts;
  for (int64_t i = 0; i < kMany; ++i) ++counts[y.data_ptr<int64_t>()[i]];
  check_outcomes(counts, {{0, 0.1}, {2, 0.3}, {3, 0.05}, {4, 0.55}}, kMany);
}

TEST_CASE("multinomial without replacement draws in order from what is left", "[sampling]") {
  manual_seed(4);
  const double weights[] = {1, 2, 0, 4};
  const Tensor w = expand(tensor({1.0, 2.0, 0.0, 4.0}), {20'000, 4});
  const Tensor y = multinomial(w, 3);
  std::map<int64_t, int64_t> counts;
  for (int64_t r = 0; r < 20'000; ++r) {
    const int64_t* row = y.data_ptr<int64_t>() + 3 * r;
    ++counts[100 * row[0] + 10 * row[1] + row[2]];
  }
  std::map<int64_t, double> chances;
  for (const int64_t a : {0, 1, 3}) {
    for (const int64_t b : {0, 1, 3}) {
      if (a != b) chances[100 * a + 10 * b + 4 - a - b] = weights[a] / 7 * weights[b] / (7 - weights[a]);
    }
  }
  check_outcomes(counts, chances, 20'000);
}

TEST_CASE("normal has the mean and deviation asked for, element by element", "[sampling]") {
  manual_seed(6);
  const Tensor mean = tensor({{-3.0}, {10.0}}, kFloat64), std = full({1, kMany}, 0.5, kFloat64);
  const auto check = [](const Tensor& y, double m, double s) {
    const double n = static_cast<double>(y.numel());
    CHECK(std::abs(y.mean().item<double>() - m) < 5 * s / std::sqrt(n));
    CHECK(std::abs((y - m).square().mean().item<double>() / (s * s) - 1) < 5 * std::sqrt(2 / n));
  };
  const Tensor y = normal(mean, std);
  check(y[0], -3, 0.5);
  check(y[1], 10, 0.5);
  check(normal(zeros(kMany), 2), 0, 2);
  check(normal(1, full(kMany, 3.0)), 1, 3);
  check(normal(-1, 0.25, {kMany}, kFloat64), -1, 0.25);
  CHECK(normal(zeros({2}), ones({2}, kFloat64)).dtype() == kFloat64);
  CHECK_FALSE(normal(ones({2}, requires_grad()), 1).requires_grad());
  CHECK(normal(0, 1, {2}, requires_grad()).requires_grad());
  CHECK_THROWS_AS(normal(0, -1, {2}), ValueError);
  CHECK_THROWS_AS(normal(0, 1, {2}, kInt64), DTypeError);
}

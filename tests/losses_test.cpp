// Losses against independent double loops, at edges, their derivatives against differences, and their error texts.
#include <limits>

#include "difference.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/shape.h"

using namespace tapegrad;
using difference::at;
using difference::check_derivatives;
using difference::error_of;

namespace {

using Inputs = const std::vector<Tensor>&;

void check_close(const Tensor& y, const std::vector<double>& expected, double tolerance) {
  REQUIRE(y.numel() == static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < y.numel(); ++i) {
    const double e = expected[static_cast<size_t>(i)];
    CAPTURE(i, at(y, i), e);
    CHECK((std::isnan(e) ? std::isnan(at(y, i))
                         : at(y, i) == e || std::abs(at(y, i) - e) <= tolerance * std::max(1.0, std::abs(e))));
  }
}

double total(const std::vector<double>& l, Reduction reduction, double count) {
  double s = 0;
  for (double e : l) s += e;
  return reduction == kMean ? s / count : s;
}

void check_reductions(const std::function<Tensor(Reduction)>& loss, const std::vector<double>& each, double count,
                      double tolerance) {
  check_close(loss(kNone), each, tolerance);
  check_close(loss(kSum), {total(each, kSum, count)}, tolerance);
  check_close(loss(kMean), {total(each, kMean, count)}, tolerance);
  CHECK(loss(kMean).dim() == 0);
}

// -log softmax(x[n, :, r])[c] over x [N, C, rest]
double log_loss(const Tensor& x, int64_t n, int64_t c, int64_t r) {
  const int64_t classes = x.size(1);
  const int64_t rest = x.numel() / (x.size(0) * classes);
  double high = -INFINITY, s = 0;
  const auto score = [&](int64_t k) { return at(x, (n * classes + k) * rest + r); };
  for (int64_t k = 0; k < classes; ++k) high = std::max(high, score(k));
  for (int64_t k = 0; k < classes; ++k) s += std::exp(score(k) - high);
  return high + std::log(s) - score(c);
}

struct Reference {
  std::vector<double> each;
  double count = 0;
};

Reference reference(const Tensor& x, const Tensor& target, const CrossEntropyOptions& o) {
  const int64_t classes = x.size(1);
  const int64_t rest = x.numel() / (x.size(0) * classes);
  Reference ref;
  for (int64_t i = 0; i < target.numel(); ++i) {
    const auto t = static_cast<int64_t>(at(target, i));
    const auto w = [&](int64_t c) { return o.weight.defined() ? at(o.weight, c) : 1; };
    double l = 0;
    if (t != o.ignore_index) {
      ref.count += w(t);
      l = (1 - o.label_smoothing) * w(t) * log_loss(x, i / rest, t, i % rest);
      for (int64_t c = 0; c < classes; ++c)
        l += o.label_smoothing / static_cast<double>(classes) * w(c) * log_loss(x, i / rest, c, i % rest);
    }
    ref.each.push_back(l);
  }
  return ref;
}

const Reduction kReductions[] = {kNone, kMean, kSum};

}  // namespace

TEST_CASE("mse_loss, bce and bce with logits against a loop") {
  manual_seed(1);
  for (const DType dtype : {kFloat32, kFloat64}) {
    const double tolerance = dtype == kFloat32 ? 3e-6 : 1e-13;
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{}, {1}, {3, 5}, {1023}, {1025}, {70001}}) {
      CAPTURE(to_string(sizes));
      const Tensor x = randn(sizes, dtype), t = rand(sizes, dtype), p = rand(sizes, dtype);
      std::vector<double> mse, bce, logits;
      for (int64_t i = 0; i < x.numel(); ++i) {
        const double v = at(x, i), y = at(t, i), q = at(p, i);
        mse.push_back((v - y) * (v - y));
        bce.push_back(-y * std::max(std::log(q), -100.) - (1 - y) * std::max(std::log1p(-q), -100.));
        logits.push_back((1 - y) * v + std::log1p(std::exp(-std::abs(v))) + std::max(-v, 0.));
      }
      const auto n = static_cast<double>(x.numel());
      check_reductions([&](Reduction r) { return mse_loss(x, t, r); }, mse, n, tolerance);
      check_reductions([&](Reduction r) { return binary_cross_entropy(p, t, {.reduction = r}); }, bce, n, tolerance);
      check_reductions([&](Reduction r) { return binary_cross_entropy_with_logits(x, t, {.reduction = r}); }, logits, n,
                       tolerance);
    }
  }
}

TEST_CASE("weights of the binary losses") {
  const Tensor x = tensor({{0.2, 0.9, 0.5}, {0.7, 0.1, 0.4}}, kFloat64);
  const Tensor t = tensor({{0., 1., 0.5}, {1., 0., 1.}}, kFloat64);
  const Tensor w = tensor({1., 2., 3.}, kFloat64), p = tensor({{2.}, {0.5}}, kFloat64);
  std::vector<double> bce, logits;
  for (int64_t i = 0; i < 6; ++i) {
    const double v = at(x, i), y = at(t, i), weight = at(w, i % 3), positive = at(p, i / 3);
    bce.push_back(-weight * (y * std::log(v) + (1 - y) * std::log1p(-v)));
    logits.push_back(weight * ((1 - y) * v + (1 + (positive - 1) * y) * std::log1p(std::exp(-v))));
  }
  check_reductions([&](Reduction r) { return binary_cross_entropy(x, t, {.weight = w, .reduction = r}); }, bce, 6,
                   1e-14);
  check_reductions(
      [&](Reduction r) {
        return binary_cross_entropy_with_logits(x, t, {.weight = w, .reduction = r, .pos_weight = p});
      },
      logits, 6, 1e-14);
}

TEST_CASE("binary losses where logarithms and exponentials would overflow") {
  const Tensor p = tensor({0., 0., 1., 1., 1e-20, 1e-320}, kFloat64), t = tensor({0., 1., 0., 1., 0., 1.}, kFloat64);
  check_close(binary_cross_entropy(p, t, {.reduction = kNone}), {0, 100, 100, 0, 1e-20, 100}, 0);
  const Tensor x = tensor({1000., -1000., 40., -40., 1e-9}, kFloat64), u = tensor({1., 0., 1., 1., 0.}, kFloat64);
  const Tensor l = binary_cross_entropy_with_logits(x, u, {.reduction = kNone});
  check_close(l, {0, 0, std::log1p(std::exp(-40)), 40, std::log(2)}, 1e-8);
  CHECK(at(l, 2) == Approx(std::exp(-40)).epsilon(1e-12));
  Tensor leaf = tensor({0., 1., 0.5}, kFloat64).requires_grad_();
  binary_cross_entropy(leaf, tensor({1., 1., 1.}, kFloat64), {.reduction = kSum}).backward();
  check_close(leaf.grad(), {-1e12, 0, -2}, 1e-12);
}

TEST_CASE("cross_entropy and nll_loss with class indices, weights, ignored rows, smoothing, in every shape") {
  manual_seed(2);
  const Tensor weight = tensor({0.5, 2., 1., 0., 3.}, kFloat64);
  for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{6, 5}, {2, 5, 3}, {2, 5, 2, 2}}) {
    const Tensor x = randn(sizes, kFloat64) * 3;
    std::vector<int64_t> rows = sizes;
    rows.erase(rows.begin() + 1);
    const Tensor target = randint(5, rows);
    for (const Tensor& w : {Tensor(), weight}) {
      for (const double smoothing : {0., 0.3, 1.}) {
        for (const int64_t ignored : {int64_t{-100}, target.data_ptr<int64_t>()[1]}) {
          const auto options = [&](Reduction r) { return CrossEntropyOptions{w, ignored, r, smoothing}; };
          const Reference ref = reference(x, target, options(kNone));
          CAPTURE(to_string(sizes), w.defined(), smoothing, ignored);
          check_reductions([&](Reduction r) { return cross_entropy(x, target, options(r)); }, ref.each, ref.count,
                           1e-13);
          CHECK(IntArrayRef(cross_entropy(x, target, options(kNone)).sizes()) == IntArrayRef(rows));
          if (smoothing > 0) continue;
          const Tensor logs = log_softmax(x, 1);
          check_reductions(
              [&](Reduction r) {
                return nll_loss(logs, target, {w, ignored, r});
              },
              ref.each, ref.count, 1e-13);
        }
      }
    }
  }
}

TEST_CASE("cross_entropy of one sample, of float32 batches, and of nothing") {
  const Tensor x = tensor({1., 2., 3.}, kFloat64);
  const Tensor one = cross_entropy(x, tensor(2), {.reduction = kNone});
  CHECK(one.dim() == 0);
  check_close(one, {log_loss(unsqueeze(x, 0), 0, 2, 0)}, 1e-15);
  check_close(nll_loss(log_softmax(x, 0), tensor(2)), {at(one, 0)}, 1e-15);
  check_close(cross_entropy(x, tensor(1), {.label_smoothing = 0.2}),
              {reference(unsqueeze(x, 0), tensor({1}), {.label_smoothing = 0.2}).each[0]}, 1e-14);

  manual_seed(3);
  const int threads = get_num_threads();
  const Tensor scores = randn({257, 301}) * 5;
  const Tensor target = randint(301, {257});
  const Reference ref = reference(scores, target, {});
  check_reductions([&](Reduction r) { return cross_entropy(scores, target, {.reduction = r}); }, ref.each, ref.count,
                   2e-6);
  check_close(cross_entropy(t(scores.t().contiguous()), target, {.reduction = kNone}), ref.each, 2e-6);
  set_num_threads(3);
  const double three = cross_entropy(scores, target).item<double>();
  set_num_threads(1);
  CHECK(three == cross_entropy(scores, target).item<double>());
  set_num_threads(threads);

  CHECK(std::isnan(cross_entropy(zeros({2, 3}), tensor({1, 1}), {.ignore_index = 1}).item<float>()));
  CHECK(std::isnan(nll_loss(zeros({2, 3}), tensor({1, 1}), {.ignore_index = 1}).item<float>()));
  CHECK(cross_entropy(zeros({2, 3}), tensor({-100, -100}), {.reduction = kSum}).item<float>() == 0);
  CHECK(std::isnan(cross_entropy(zeros({0, 3}), zeros({0}, kInt64)).item<float>()));
  CHECK(cross_entropy(zeros({0, 3}), zeros({0}, kInt64), {.reduction = kNone}).numel() == 0);
  Tensor ignored = zeros({2, 3}, requires_grad());
  cross_entropy(ignored, tensor({-100, 0})).backward();
  check_close(ignored.grad(), {0, 0, 0, -2. / 3, 1. / 3, 1. / 3}, 1e-6);
}

TEST_CASE("cross_entropy with probabilities") {
  manual_seed(4);
  const Tensor weight = tensor({0.5, 2., 1., 0.25}, kFloat64);
  for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{3, 4}, {2, 4, 3}}) {
    const Tensor x = randn(sizes, kFloat64);
    const Tensor q = softmax(randn(sizes, kFloat64), 1);
    const int64_t rest = x.numel() / (x.size(0) * 4);
    for (const Tensor& w : {Tensor(), weight}) {
      for (const double smoothing : {0., 0.3}) {
        std::vector<double> each;
        for (int64_t n = 0; n < x.size(0); ++n) {
          for (int64_t r = 0; r < rest; ++r) {
            double l = 0;
            for (int64_t c = 0; c < 4; ++c) {
              const double share = at(q, (n * 4 + c) * rest + r) * (1 - smoothing) + smoothing / 4;
              l += share * (w.defined() ? at(w, c) : 1) * log_loss(x, n, c, r);
            }
            each.push_back(l);
          }
        }
        check_reductions(
            [&](Reduction r) {
              return cross_entropy(x, q, {.weight = w, .reduction = r, .label_smoothing = smoothing});
            },
            each, static_cast<double>(each.size()), 1e-13);
      }
    }
  }
  CHECK(cross_entropy(tensor({1., 2.}, kFloat64), tensor({0.5, 0.5}, kFloat64), {.reduction = kNone}).dim() == 0);
}

TEST_CASE("derivatives of the losses to second order, by everything that can require grad") {
  manual_seed(5);
  const Tensor x = randn({4, 3}, kFloat64), target = rand({4, 3}, kFloat64) * 0.8 + 0.1,
               p = rand({4, 3}, kFloat64) * 0.8 + 0.1;
  const Tensor weight = rand({3}, kFloat64) + 0.5;
  const Tensor classes = tensor({2, 0, 1, 2});
  for (const Reduction r : kReductions) {
    check_derivatives([&](Inputs v) { return mse_loss(v[0], target, r); }, {x});
    check_derivatives([&](Inputs v) { return mse_loss(v[0], v[1], r); }, {x, target});
    check_derivatives([&](Inputs v) { return binary_cross_entropy(v[0], target, {.reduction = r}); }, {p});
    check_derivatives([&](Inputs v) { return binary_cross_entropy(v[0], v[1], {.reduction = r}); }, {p, target});
    check_derivatives([&](Inputs v) { return binary_cross_entropy(v[0], v[1], {.weight = v[2], .reduction = r}); },
                      {p, target, weight});
    check_derivatives([&](Inputs v) { return binary_cross_entropy_with_logits(v[0], target, {.reduction = r}); }, {x});
    check_derivatives([&](Inputs v) { return binary_cross_entropy_with_logits(v[0], v[1], {.reduction = r}); },
                      {x, target});
    check_derivatives(
        [&](Inputs v) {
          return binary_cross_entropy_with_logits(v[0], v[1], {.weight = v[2], .reduction = r, .pos_weight = v[3]});
        },
        {x, target, weight, weight});
    for (const int64_t ignored : {-100, 0}) {
      check_derivatives(
          [&](Inputs v) { return cross_entropy(v[0], classes, {.ignore_index = ignored, .reduction = r}); }, {x});
      check_derivatives([&](Inputs v) { return nll_loss(v[0], classes, {.ignore_index = ignored, .reduction = r}); },
                        {x});
      check_derivatives(
          [&](Inputs v) { return nll_loss(v[0], classes, {.weight = v[1], .ignore_index = ignored, .reduction = r}); },
          {x, weight});
      check_derivatives(
          [&](Inputs v) {
            return cross_entropy(v[0], classes, {.weight = v[1], .ignore_index = ignored, .reduction = r});
          },
          {x, weight});
      check_derivatives(
          [&](Inputs v) {
            return cross_entropy(v[0], classes,
                                 {.weight = v[1], .ignore_index = ignored, .reduction = r, .label_smoothing = 0.2});
          },
          {x, weight});
    }
    check_derivatives([&](Inputs v) { return cross_entropy(v[0], v[1], {.reduction = r}); }, {x, target});
    check_derivatives(
        [&](Inputs v) { return cross_entropy(v[0], v[1], {.weight = v[2], .reduction = r, .label_smoothing = 0.2}); },
        {x, target, weight});
    check_derivatives(
        [&](Inputs v) {
          return cross_entropy(v[0], tensor({{0, 1}, {2, 1}}), {.reduction = r});
        },
        {randn({2, 3, 2}, kFloat64)});
    check_derivatives([&](Inputs v) { return cross_entropy(v[0], tensor(1), {.reduction = r}); },
                      {randn({3}, kFloat64)});
    check_derivatives([&](Inputs v) { return cross_entropy(t(v[0]), classes, {.reduction = r}); },
                      {randn({3, 4}, kFloat64)});
  }
}

TEST_CASE("the losses of the common path are one node each") {
  Tensor x = rand({4, 3}).requires_grad_();
  const auto nodes = [&](const std::function<Tensor()>& f) {
    const int64_t before = autograd::live_nodes();
    const Tensor y = f();
    return autograd::live_nodes() - before;
  };
  const Tensor t = rand({4, 3});
  CHECK(nodes([&] { return mse_loss(x, t); }) == 1);
  CHECK(nodes([&] { return binary_cross_entropy(x, t); }) == 1);
  CHECK(nodes([&] { return binary_cross_entropy_with_logits(x, t); }) == 1);
  CHECK(nodes([&] { return cross_entropy(x, tensor({0, 1, 2, 0})); }) == 1);
  CHECK(nodes([&] { return sum(x); }) == 1);
  CHECK(nodes([&] { return mean(x); }) == 1);
}

TEST_CASE("mixed dtypes promote") {
  const Tensor x = ones({2}, kFloat32), t = zeros({2}, kFloat64);
  CHECK(mse_loss(x, t).dtype() == kFloat64);
  CHECK(mse_loss(x, tensor({0, 3})).item<float>() == 2.5f);
}

TEST_CASE("errors of the losses") {
  const Tensor x = zeros({2, 3});
  CHECK(
      error_of<ShapeError>([&] {
        mse_loss(zeros({4, 1}), zeros({4}));
      }) ==
      "mse_loss: input and target must have one shape, got input [4, 1] and target [4] (did you mean input.squeeze()?)");
  CHECK(
      error_of<DTypeError>([&] { mse_loss(tensor({1}), tensor({2})); }) ==
      "mse_loss: input or target must be float32 or float64, got input int64 and target int64 (did you mean input.to(kFloat32)?)");
  CHECK(
      error_of<ValueError>([&] {
        binary_cross_entropy(tensor({0.5, 1.5}), zeros({2}));
      }) ==
      "binary_cross_entropy: input must lie in [0, 1], got 1.500000 at position 1 (did you mean binary_cross_entropy_with_logits?)");
  CHECK(error_of<ShapeError>([&] {
          binary_cross_entropy(zeros({2}), zeros({2}), {.weight = zeros({3, 2})});
        }) == "binary_cross_entropy: weight must broadcast to input, got weight [3, 2] and input [2]");
  CHECK(error_of<IndexError>([&] {
          cross_entropy(x, tensor({0, 3}));
        }) == "cross_entropy: class indices must lie in [0, 3), got 3 at position 1");
  CHECK(error_of<IndexError>([&] {
          cross_entropy(x, tensor({-1, 0}), {.weight = ones({3})});
        }) == "cross_entropy: class indices must lie in [0, 3), got -1 at position 0");
  CHECK(error_of<IndexError>([&] {
          nll_loss(x, tensor({0, 7}));
        }) == "nll_loss: class indices must lie in [0, 3), got 7 at position 1");
  CHECK(error_of<DTypeError>([&] {
          cross_entropy(x, tensor({0, 1}, kInt32));
        }) == "cross_entropy: class indices must be int64, got target int32 (did you mean target.to(kInt64)?)");
  CHECK(error_of<DTypeError>([&] {
          cross_entropy(tensor({{1, 2}}), tensor({0}));
        }) == "cross_entropy: input must be float32 or float64, got int64 (did you mean input.to(kFloat32)?)");
  CHECK(
      error_of<ShapeError>([&] {
        cross_entropy(x, tensor({0, 1, 2}));
      }) ==
      "cross_entropy: input must be [C], [N, C] or [N, C, d1, ...] and class indices the same without C, got input [2, 3] and target [3]");
  CHECK(
      error_of<ShapeError>([&] { cross_entropy(x, zeros({2})); }) ==
      "cross_entropy: probabilities must have input's shape, got input [2, 3] and target [2] (class indices must be int64)");
  CHECK(error_of<DTypeError>([&] {
          cross_entropy(x, zeros({2, 3}, kFloat64));
        }) == "cross_entropy: probabilities must have input's dtype, got input float32 and target float64");
  CHECK(error_of<ShapeError>([&] {
          cross_entropy(x, tensor({0, 1}), {.weight = ones({2})});
        }) == "cross_entropy: weight must have one element per class, got weight [2] and input [2, 3]");
  CHECK(error_of<ValueError>([&] {
          cross_entropy(x, tensor({0, 1}), {.label_smoothing = 1.5});
        }) == "cross_entropy: label_smoothing must lie in [0, 1], got 1.500000");
  CHECK(
      error_of<ShapeError>([&] { cross_entropy(zeros({}), tensor(0)); }) ==
      "cross_entropy: input must be [C], [N, C] or [N, C, d1, ...] and class indices the same without C, got input [] and target []");
}

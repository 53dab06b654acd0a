// Reductions and softmax against independent double loops, at edges, and their derivatives against differences.
#include <limits>

#include "difference.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/ops/shape.h"

using namespace tapegrad;
using difference::at;
using difference::check_derivatives;
using difference::error_of;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

// The elements of x that meet in element `out` of the reduction over `mask`.
std::vector<double> group(const Tensor& x, uint32_t mask, int64_t out) {
  const Tensor flat = converted(contiguous_of(x.detach()), kFloat64);
  std::vector<double> found;
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, place = 0, scale = 1;
    for (int64_t d = x.dim() - 1; d >= 0; --d) {
      const int64_t index = rest % x.size(d);
      rest /= x.size(d);
      if (mask >> d & 1) continue;
      place += index * scale;
      scale *= x.size(d);
    }
    if (place == out) found.push_back(flat.data_ptr<double>()[i]);
  }
  return found;
}

void check_equal(const Tensor& y, const std::vector<double>& expected, double tolerance = 0) {
  REQUIRE(y.numel() == static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < y.numel(); ++i) {
    const double e = expected[static_cast<size_t>(i)];
    CAPTURE(i, at(y, i), e);
    CHECK((std::isnan(e) ? std::isnan(at(y, i))
                         : at(y, i) == e || std::abs(at(y, i) - e) <= tolerance * std::max(1.0, std::abs(e))));
  }
}

std::vector<int64_t> dims_of(uint32_t mask) {
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < 8; ++d) {
    if (mask >> d & 1) dims.push_back(d);
  }
  return dims;
}

using Reference = double (*)(const std::vector<double>&);

double sum_of(const std::vector<double>& v) {
  double s = 0;
  for (double e : v) s += e;
  return s;
}
double mean_of(const std::vector<double>& v) { return sum_of(v) / static_cast<double>(v.size()); }
double max_of(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
double min_of(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }
double logsumexp_of(const std::vector<double>& v) {
  double s = 0;
  for (double e : v) s += std::exp(e - max_of(v));
  return max_of(v) + std::log(s);
}

struct Named {
  const char* name;
  Tensor (*op)(const Tensor&, IntArrayRef, bool);
  Reference reference;
  double tolerance;  // in float32
};
const Named kNamed[] = {{"sum", sum, sum_of, 1e-5},
                        {"mean", mean, mean_of, 1e-5},
                        {"amax", amax, max_of, 0},
                        {"amin", amin, min_of, 0},
                        {"logsumexp", logsumexp, logsumexp_of, 1e-5}};

void check_all(const Tensor& x) {
  for (const Named& n : kNamed) {
    for (uint32_t mask = 1; mask < 1u << x.dim(); ++mask) {
      for (const bool keepdim : {false, true}) {
        CAPTURE(n.name, mask, keepdim);
        const Tensor y = n.op(x, dims_of(mask), keepdim);
        REQUIRE(y.dim() == (keepdim ? x.dim() : x.dim() - static_cast<int64_t>(dims_of(mask).size())));
        std::vector<double> expected;
        for (int64_t i = 0; i < y.numel(); ++i) expected.push_back(n.reference(group(x, mask, i)));
        check_equal(y, expected, x.dtype() == kFloat32 ? n.tolerance : 1e-13);
      }
    }
  }
}

}  // namespace

TEST_CASE("reductions over every subset of dims, in any layout") {
  manual_seed(1);
  for (const DType dtype : {kFloat32, kFloat64}) {
    const Tensor x = randn({3, 5, 2, 7}, dtype);
    check_all(x);
    check_all(permute(x, {2, 0, 3, 1}));
    check_all(slice(x, 3, 1, 6, 2));
    check_all(expand(randn({3, 1, 5}, dtype), {3, 4, 5}));
  }
}

TEST_CASE("long rows, tall columns and wide middles agree with a plain sum, on any number of threads") {
  manual_seed(2);
  const int threads = get_num_threads();
  const std::vector<std::vector<int64_t>> shapes = {{1 << 20},     {3, 200001},   {200001, 3}, {300, 5000},
                                                    {2, 70000, 2}, {5, 3, 40000}, {17, 33, 65}};
  for (const auto& shape : shapes) {
    const Tensor x = rand(shape, kFloat64);
    for (uint32_t mask = 1; mask < 1u << x.dim(); ++mask) {
      CAPTURE(to_string(x.sizes()), mask);
      set_num_threads(1);
      const Tensor one = sum(x, dims_of(mask));
      const Tensor high = amax(x, dims_of(mask));
      set_num_threads(3);
      const Tensor three = sum(x, dims_of(mask));
      set_num_threads(threads);
      Tensor loop = zeros(one.sizes(), kFloat64);
      Tensor top = zeros(one.sizes(), kFloat64);
      for (int64_t i = 0; i < x.numel(); ++i) {
        int64_t rest = i, place = 0, scale = 1;
        for (int64_t d = x.dim() - 1; d >= 0; --d) {
          if (!(mask >> d & 1)) place += rest % x.size(d) * scale, scale *= x.size(d);
          rest /= x.size(d);
        }
        loop.data_ptr<double>()[place] += x.data_ptr<double>()[i];
        top.data_ptr<double>()[place] = std::max(top.data_ptr<double>()[place], x.data_ptr<double>()[i]);
      }
      bool close = true, same = true, equal_top = true;
      for (int64_t i = 0; i < one.numel(); ++i) {
        const double e = loop.data_ptr<double>()[i];
        close &= std::abs(one.data_ptr<double>()[i] - e) <= 1e-12 * e;
        same &= one.data_ptr<double>()[i] == three.data_ptr<double>()[i];
        equal_top &= high.data_ptr<double>()[i] == top.data_ptr<double>()[i];
      }
      CHECK(close);
      CHECK(same);
      CHECK(equal_top);
    }
  }
}

TEST_CASE("sums of integers and bool are int64; empty and 0-dim inputs") {
  CHECK(sum(tensor({200, 100}, kUInt8)).item<int64_t>() == 300);
  CHECK(sum(tensor({true, true, false})).dtype() == kInt64);
  CHECK(sum(tensor({true, true, false})).item<int64_t>() == 2);
  check_equal(sum(tensor({{1, 2}, {3, 4}}, kInt32), 0), {4, 6});
  CHECK(sum(zeros({0})).item<float>() == 0);
  check_equal(sum(zeros({2, 0}), 1), {0, 0});
  CHECK(sum(zeros({2, 0}), 0).numel() == 0);
  CHECK(std::isnan(mean(zeros({0})).item<float>()));
  check_equal(mean(zeros({2, 0}), 1), {kNan, kNan});
  check_equal(logsumexp(zeros({2, 0}), 1), {-kInf, -kInf});
  CHECK(norm(zeros({0})).item<float>() == 0);
  CHECK(amax(zeros({2, 0}), 0).numel() == 0);
  const Tensor point = tensor(3.0);
  CHECK(sum(point, 0).item<float>() == 3);
  CHECK(sum(point, -1, true).dim() == 0);
  CHECK(std::get<1>(max(point, 0)).item<int64_t>() == 0);
  CHECK(std::get<0>(max(point, 0)).item<float>() == 3);
  CHECK(argmax(point).item<int64_t>() == 0);
  CHECK(softmax(point, 0).item<float>() == 1);
}

TEST_CASE("extremes: NaN, infinities, ties, indices") {
  const Tensor x = tensor({{1., kNan, 3.}, {5., 2., 5.}, {-kInf, kInf, -1.}}, kFloat64);
  check_equal(amax(x, 1), {kNan, 5, kInf});
  check_equal(amin(x, 1), {kNan, 2, -kInf});
  check_equal(amax(x, 0), {5, kNan, 5});
  CHECK(std::isnan(max(x).item<double>()));
  check_equal(argmax(x, 1), {1, 0, 1});
  check_equal(argmin(x, 1), {1, 1, 0});
  check_equal(argmax(x, 0, true), {1, 0, 1});
  check_equal(argmax(t(x), 0), {1, 0, 1});
  CHECK(argmax(x).item<int64_t>() == 1);
  CHECK(argmin(tensor({3, 1, 1})).item<int64_t>() == 1);
  CHECK(argmax(x, {}, true).dim() == 2);
  const auto [value, index] = min(x, 1, true);
  check_equal(value, {kNan, 2, -kInf});
  CHECK(value.dim() == 2);
  CHECK(index.dtype() == kInt64);
  CHECK(max(tensor({true, false})).item<bool>());
  CHECK(max(tensor({3, 9, 4}, kUInt8)).item<int64_t>() == 9);
  check_equal(max(tensor({1, 5}), tensor({2, 3})), {2, 5});

  Tensor ties = tensor({2., 7., 7., 1.}, kFloat64).requires_grad_();
  max(ties).backward();
  check_equal(ties.grad(), {0, 0.5, 0.5, 0});
  ties.mutable_grad() = Tensor();
  std::get<0>(max(ties, 0)).backward();
  check_equal(ties.grad(), {0, 1, 0, 0});
  Tensor broken = tensor({2., kNan, 7.}, kFloat64).requires_grad_();
  max(broken).backward();
  check_equal(broken.grad(), {0, 1, 0});
}

TEST_CASE("indices of extremes in every line of every layout") {
  manual_seed(3);
  for (const Tensor& x : {randn({4, 37, 21}), permute(randn({21, 4, 37}), {1, 2, 0})}) {
    for (int64_t dim = 0; dim < 3; ++dim) {
      const Tensor index = argmin(x, dim);
      const auto value = std::get<0>(min(x, dim));
      for (int64_t i = 0; i < index.numel(); ++i) {
        const auto line = group(x, 1u << dim, i);
        const auto place = std::min_element(line.begin(), line.end()) - line.begin();
        CHECK(at(index, i) == static_cast<double>(place));
        CHECK(at(value, i) == line[static_cast<size_t>(place)]);
      }
    }
  }
}

TEST_CASE("norms of every order") {
  const Tensor x = tensor({{3., 0., -4.}, {0., 0., 0.}}, kFloat64);
  check_equal(norm(x, 2, 1), {5, 0}, 1e-15);
  check_equal(norm(x, 1, 1), {7, 0});
  check_equal(norm(x, 0, 1), {2, 0});
  check_equal(norm(x, kInf, 1), {4, 0});
  check_equal(norm(x, -kInf, 1), {0, 0});
  check_equal(norm(x, 3, 1), {std::cbrt(91), 0}, 1e-14);
  check_equal(norm(x, 0.5, 1), {std::pow(std::sqrt(3) + 2, 2), 0}, 1e-14);
  check_equal(norm(x, -1, 1), {0, 0});
  check_equal(norm(x), {5}, 1e-15);
  CHECK(norm(x, 2, {0, 1}, true).dim() == 2);
}

TEST_CASE("logsumexp and softmax at infinities and far from zero") {
  const Tensor x = tensor({{-kInf, -kInf}, {kInf, 1.}, {1000., 1000.}, {-kInf, 3.}, {kNan, 0.}}, kFloat64);
  check_equal(logsumexp(x, 1), {-kInf, kInf, 1000 + std::log(2), 3, kNan}, 1e-15);
  check_equal(softmax(tensor({1000., 1000., -kInf}), 0), {0.5, 0.5, 0});
  check_equal(log_softmax(tensor({-1000., -1000.}, kFloat64), 0), {-std::log(2), -std::log(2)}, 1e-15);
  CHECK(logsumexp(tensor({1, 2}), 0).dtype() == kFloat32);
  CHECK(softmax(tensor({1, 2}), 0).dtype() == kFloat32);

  Tensor none = tensor({-kInf, -kInf}, kFloat64).requires_grad_();
  logsumexp(none, 0).backward();
  check_equal(none.grad(), {0, 0});
  Tensor origin = zeros({3}, dtype(kFloat64).requires_grad());
  for (const Scalar& p : {Scalar(1), Scalar(2), Scalar(3), Scalar(0.5), Scalar(1.5), Scalar(0), Scalar(-1)}) {
    origin.mutable_grad() = Tensor();
    norm(origin, p).backward();
    check_equal(origin.grad(), {0, 0, 0});
  }
}

TEST_CASE("softmax along any dim of any layout, on every instruction set") {
  manual_seed(4);
  const std::string before = kernels::simd::table().isa;
  for (const char* const* isa = kernels::simd::available(); *isa; ++isa) {
    REQUIRE(kernels::simd::select(*isa));
    for (const DType dtype : {kFloat32, kFloat64}) {
      for (const Tensor& x :
           {randn({3, 19, 5}, dtype), permute(randn({5, 3, 19}, dtype), {1, 2, 0}), randn({2, 3, 1100}, dtype)}) {
        for (int64_t dim = -3; dim < 3; ++dim) {
          const Tensor y = softmax(x, dim);
          const Tensor z = log_softmax(x, dim);
          const int64_t d = dim < 0 ? dim + 3 : dim;
          const Tensor lines = permute(x, {(d + 1) % 3, (d + 2) % 3, d});
          const Tensor values = permute(y, {(d + 1) % 3, (d + 2) % 3, d});
          const Tensor logs = permute(z, {(d + 1) % 3, (d + 2) % 3, d});
          const int64_t n = x.size(d);
          const Tensor a = converted(contiguous_of(lines), kFloat64), b = converted(contiguous_of(values), kFloat64),
                       c = converted(contiguous_of(logs), kFloat64);
          double worst = 0;
          for (int64_t r = 0; r < x.numel() / n; ++r) {
            const double* row = a.data_ptr<double>() + r * n;
            const double lse = logsumexp_of({row, row + n});
            for (int64_t i = 0; i < n; ++i) {
              worst = std::max(worst, std::abs(b.data_ptr<double>()[r * n + i] - std::exp(row[i] - lse)));
              worst = std::max(worst, std::abs(c.data_ptr<double>()[r * n + i] - (row[i] - lse)));
            }
          }
          CAPTURE(*isa, d, worst);
          CHECK(worst <= (dtype == kFloat32 ? 2e-6 : 1e-14));
        }
      }
    }
  }
  kernels::simd::select(before.c_str());
}

TEST_CASE("derivatives of reductions to second order") {
  manual_seed(5);
  const Tensor x = randn({3, 4, 2}, kFloat64);
  const Tensor turned = permute(randn({2, 3, 4}, kFloat64), {1, 2, 0});
  using Inputs = const std::vector<Tensor>&;
  for (const Tensor& input : {x, turned}) {
    for (const std::vector<int64_t>& dims : {std::vector<int64_t>{}, {0}, {-1}, {1}, {0, 2}}) {
      for (const bool keep : {false, true}) {
        for (const Named& n : kNamed) {
          CAPTURE(n.name, to_string(dims), keep);
          check_derivatives([&](Inputs v) { return n.op(square(v[0]), dims, keep); }, {input});
        }
        for (const double p : {0.5, 1., 1.5, 2., 3., -1., kInf, -kInf}) {
          CAPTURE(p, to_string(dims), keep);
          check_derivatives([&](Inputs v) { return norm(v[0], p, dims, keep); }, {input});
        }
      }
    }
    for (int64_t dim = 0; dim < 3; ++dim) {
      check_derivatives([&](Inputs v) { return std::get<0>(max(square(v[0]), dim)); }, {input});
      check_derivatives([&](Inputs v) { return std::get<0>(min(square(v[0]), dim, true)); }, {input});
      check_derivatives([&](Inputs v) { return softmax(v[0], dim); }, {input});
      check_derivatives([&](Inputs v) { return log_softmax(v[0], dim); }, {input});
    }
    check_derivatives([&](Inputs v) { return max(square(v[0])); }, {input});
  }
  Tensor zero = zeros({3}, dtype(kFloat64).requires_grad());
  norm(zero, 0).backward();
  check_equal(zero.grad(), {0, 0, 0});
}

TEST_CASE("sum hands its gradient on without a copy") {
  Tensor x = ones({2, 3}, requires_grad());
  Tensor y = x * 1;
  Tensor seen;
  y.register_hook([&](const Tensor& g) { seen = g; });
  sum(y).backward();
  CHECK(IntArrayRef(seen.strides()) == IntArrayRef({0, 0}));
  check_equal(x.grad(), {1, 1, 1, 1, 1, 1});
}

TEST_CASE("errors of reductions") {
  const Tensor x = zeros({2, 3});
  CHECK(error_of<IndexError>([&] { sum(x, 2); }) == "sum: dim must lie in [-2, 1] for a 2-dim tensor, got 2");
  CHECK(error_of<IndexError>([&] { mean(x, {0, -2}); }) == "mean: each dim may be named once, got -2 twice in [0, -2]");
  CHECK(error_of<IndexError>([&] { argmax(x, -3); }) == "argmax: dim must lie in [-2, 1] for a 2-dim tensor, got -3");
  CHECK(error_of<IndexError>([&] { softmax(x, 2); }) == "softmax: dim must lie in [-2, 1] for a 2-dim tensor, got 2");
  CHECK(error_of<DTypeError>([&] {
          mean(tensor({1, 2}));
        }) == "mean: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)");
  CHECK(error_of<DTypeError>([&] {
          norm(tensor({1, 2}));
        }) == "norm: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)");
  CHECK(error_of<ShapeError>([&] {
          max(zeros({2, 0}));
        }) == "max: there must be an element to choose, got shape [2, 0]");
  CHECK(error_of<ShapeError>([&] {
          amin(zeros({2, 0}), 1);
        }) == "amin: there must be an element to choose, got shape [2, 0]");
  CHECK(error_of<ShapeError>([&] { argmax(zeros({0})); }) ==
        "argmax: there must be an element to choose, got shape [0]");
  CHECK(error_of<ShapeError>([&] { norm(zeros({0}), kInf); }) ==
        "norm: p must be finite and not negative over no elements, got p inf and shape [0]");
  CHECK(error_of<ValueError>([&] { sum(Tensor()); }) == "sum: x must be defined, got an undefined tensor (Tensor())");
}

// Sorting at every length that another method takes over, NaN, zeros of both signs, ties, and where gradients go.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

const double kNan = std::nan("");

template <class T> bool before(T a, T b, bool descending) {
  if (a != a || b != b) return descending ? a != a && b == b : a == a && b != b;
  return descending ? a > b : a < b;
}

// The indices of sort along the last dim of a matrix, and the values they name, against the standard library's.
template <class T> void check_sorted(const Tensor& x, bool descending) {
  const auto [values, indices] = sort(x, -1, descending);
  const int64_t n = x.size(-1);
  bool same = true;
  for (int64_t row = 0; row < x.numel() / n; ++row) {
    const T* v = x.data_ptr<T>() + row * n;
    std::vector<int64_t> expected(static_cast<size_t>(n));
    std::iota(expected.begin(), expected.end(), int64_t{0});
    std::stable_sort(expected.begin(), expected.end(),
                     [&](int64_t a, int64_t b) { return before(v[a], v[b], descending); });
    for (int64_t i = 0; i < n; ++i) {
      const int64_t e = expected[static_cast<size_t>(i)];
      const T got = values.template data_ptr<T>()[row * n + i];
      same &= indices.template data_ptr<int64_t>()[row * n + i] == e && (got == v[e] || (got != got && v[e] != v[e]));
    }
  }
  CHECK(same);
}

std::vector<int64_t> ints(const Tensor& x) {
  const Tensor flat = contiguous_of(x.to(kInt64));
  return {flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel()};
}

using Ints = std::vector<int64_t>;

}  // namespace

TEST_CASE("sort is stable at every length, with ties, NaN and zeros of both signs") {
  manual_seed(5);
  for (const int64_t n : {1, 2, 17, 159, 160, 300, 5999, 6000, 20000}) {
    for (const bool descending : {false, true}) {
      CAPTURE(n, descending);
      Tensor x = randn({2, n}) * 100;
      check_sorted<float>(x, descending);
      x = randint(-40, 40, {2, n}).to(kFloat32) / 8;  // ties
      x[0][n / 2] = kNan;
      x[1][0] = kNan;
      x[1][n / 3] = std::numeric_limits<double>::infinity();
      x[0][n / 3] = -std::numeric_limits<double>::infinity();
      x[0][n - 1] = -0.0;
      check_sorted<float>(x, descending);
      check_sorted<double>(x.to(kFloat64), descending);
      check_sorted<double>(randn({2, n}, kFloat64) * 1e200, descending);
      const Tensor whole = randint(-100000, 100000, {2, n});
      check_sorted<int64_t>(whole * 1000000007, descending);
      check_sorted<int32_t>(whole.to(kInt32), descending);
      check_sorted<uint8_t>(randint(0, 256, {2, n}).to(kUInt8), descending);
      check_sorted<bool>(whole > 0, descending);
    }
  }
}

TEST_CASE("NaN is the largest; of equals the first comes first") {
  const Tensor x = tensor({2., kNan, 1., 3., kNan, 1.});
  CHECK(ints(argsort(x)) == Ints{2, 5, 0, 3, 1, 4});
  CHECK(ints(argsort(x, 0, true)) == Ints{1, 4, 3, 0, 2, 5});
  CHECK(ints(std::get<1>(topk(x, 3))) == Ints{1, 4, 3});
  CHECK(ints(std::get<1>(topk(x, 3, 0, false))) == Ints{2, 5, 0});
  CHECK(std::get<1>(kthvalue(x, 2)).item<int64_t>() == 5);
  CHECK(std::isnan(std::get<0>(kthvalue(x, 5)).item<double>()));
  CHECK(std::isnan(median(x).item<double>()));
  CHECK(std::get<1>(median(x, 0)).item<int64_t>() == 1);
  CHECK(median(tensor({4., 1., 3., 2.})).item<double>() == 2);
  CHECK(std::isnan(median(zeros({0})).item<double>()));
  CHECK(ints(argsort(tensor({0., -0., 0.}))) == Ints{0, 1, 2});
  const Tensor long_one = randn({20000});
  CHECK(equal(std::get<0>(topk(long_one, 100)), std::get<0>(sort(long_one, 0, true)).narrow(0, 0, 100)));
  CHECK(equal(std::get<0>(topk(long_one, 15000, 0, false)), std::get<0>(sort(long_one)).narrow(0, 0, 15000)));
}

TEST_CASE("gradients go where the values came from") {
  const Tensor x = tensor({3., 1., 2., 1.}, dtype(kFloat64).requires_grad(true));
  const Tensor w = tensor({10, 20, 30, 40}, kFloat64);
  const auto grad = [&](const Tensor& y) { return ints(autograd::grad({y}, {x})[0]); };
  CHECK(grad(sum(std::get<0>(x.sort()) * w)) == Ints{40, 10, 30, 20});
  CHECK(grad(sum(std::get<0>(x.topk(2)) * w.narrow(0, 0, 2))) == Ints{10, 0, 20, 0});
  CHECK(grad(std::get<0>(x.kthvalue(2))) == Ints{0, 0, 0, 1});
  CHECK(grad(std::get<0>(x.median(0))) == Ints{0, 0, 0, 1});
  CHECK(grad(x.median() * 2) == Ints{0, 1, 0, 1});  // shared by equals
  CHECK_FALSE(std::get<1>(x.sort()).requires_grad());
  const auto [value, index] = x.sort(true, 0, true);
  CHECK(value.grad_fn()->name() == std::string("sort"));
  index.zero_();
  CHECK_THROWS_AS(sum(value).backward(), AutogradError);
}

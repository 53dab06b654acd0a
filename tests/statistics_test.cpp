// Variances far from 0, products and scans at zeros and infinities, their third derivatives, and the spellings of `unbiased`.
#include <cmath>
#include <limits>

#include "difference.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

void check_equal(const Tensor& y, const std::vector<double>& expected, double tolerance = 1e-12) {
  const Tensor flat = contiguous_of(to(y.detach(), kFloat64));
  REQUIRE(flat.numel() == static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const double got = flat.data_ptr<double>()[i], e = expected[static_cast<size_t>(i)];
    CAPTURE(i, got, e);
    CHECK((std::isnan(e) ? std::isnan(got) : got == e || std::abs(got - e) <= tolerance * std::max(1.0, std::abs(e))));
  }
}

Tensor leaf(const std::vector<double>& v) { return tensor(v, kFloat64).requires_grad_(); }

Tensor grad_of(const Tensor& y, const Tensor& x, bool create_graph = false) {
  return autograd::grad({y}, {x}, {}, true, create_graph)[0];
}

}  // namespace

TEST_CASE("var keeps its accuracy far from 0, over rows, columns and scattered dims") {
  manual_seed(3);
  const Tensor x = randn({6, 50, 40}, kFloat64) + 30000;
  const Tensor f = x.to(kFloat32);
  const Tensor d = f.to(kFloat64);  // what float32 holds of it
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{}, {0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}}) {
    CAPTURE(to_string(dims));
    CHECK(allclose(var(f, dims).to(kFloat64), var(d, dims), 1e-3, 0));
    const Tensor centred = d - mean(d, dims, true);
    const double n = static_cast<double>(d.numel()) / static_cast<double>(var(d, dims).numel());
    CHECK(allclose(var(d, dims), sum(centred * centred, dims) / (n - 1), 1e-10, 0));
  }
  const Tensor wide = randn({300000}) * 0.5 + 7;
  CHECK(std::abs(tapegrad::std(wide).item<double>() - 0.5) < 2e-3);
}

TEST_CASE("var of one element, and every way to say unbiased") {
  check_equal(var(tensor({3.})), {kNan});
  check_equal(var(tensor({3.}), {}, 0), {0});
  check_equal(var(zeros({0})), {kNan});
  const Tensor x = tensor({{1., 2., 6.}, {0., 0., 3.}}, kFloat64);
  check_equal(x.var(1), {7, 3});
  check_equal(x.var(1, false), {14. / 3, 2});
  check_equal(x.var(1, 0), {14. / 3, 2});
  check_equal(x.var(1, true), {7, 3});
  check_equal(x.std(true), {std::sqrt(5.2)});
  check_equal(x.std(false), {std::sqrt(26. / 6)});
  check_equal(x.var({0, 1}, 2), {6.5});
  check_equal(std::get<1>(std_mean(x, 1, false, true)), {3, 1});
  CHECK(x.var({0, 1}, false, true).dim() == 2);
  const Tensor same = leaf({2, 2, 2});
  check_equal(grad_of(tapegrad::std(same), same), {0, 0, 0});
}

TEST_CASE("prod: gradients at zeros, to the third order") {
  for (const auto& [v, expected] : {std::pair<std::vector<double>, std::vector<double>>{{2, 3, 4}, {12, 8, 6}},
                                    {{2, 0, 4}, {0, 8, 0}},
                                    {{0, 3, 0}, {0, 0, 0}},
                                    {{0, 0, 0}, {0, 0, 0}}}) {
    const Tensor x = leaf(v);
    const Tensor first = grad_of(prod(x), x, true);
    check_equal(first, expected);
    const Tensor second = grad_of(first[0], x, true);  // d2 / dx0 dx = (0, x2, x1)
    check_equal(second, {0, v[2], v[1]});
    check_equal(grad_of(second[1], x), {0, 0, 1});
  }
}

TEST_CASE("prod: integers in int64, the empty product, dtypes") {
  const Tensor y = prod(tensor({1 << 20, 1 << 20, 3}, kInt32));
  CHECK(y.dtype() == kInt64);
  CHECK(y.item<int64_t>() == int64_t{3} << 40);
  CHECK(prod(tensor({true, false})).dtype() == kInt64);
  CHECK(prod(tensor({200, 3}, kUInt8), kUInt8).item<int64_t>() == 600 % 256);
  check_equal(prod(zeros({2, 0}), 1), {1, 1});
  check_equal(prod(zeros({0})), {1});
  CHECK(prod(tensor({2, 3}), kFloat64).dtype() == kFloat64);
}

TEST_CASE("cumprod: gradients at zeros, to the third order") {
  const Tensor x = leaf({2, 0, 3, 0, 5});
  const Tensor y = cumprod(x, 0);
  check_equal(y, {2, 0, 0, 0, 0});
  const Tensor first = grad_of(sum(y), x, true);
  // y0 = x0, y1 = x0 x1, y2 = x0 x1 x2, ...
  check_equal(first, {1 + 0, 2 + 2 * 3, 0, 0, 0});
  const Tensor second = grad_of(first[1], x, true);  // x0 + x0 x2 + x0 x2 x3 + x0 x2 x3 x4
  check_equal(second, {1 + 3, 0, 2, 2 * 3 + 2 * 3 * 5, 0});
  check_equal(grad_of(second[3], x), {3 + 15, 0, 2 + 10, 0, 6});
}

TEST_CASE("cumsum and cumprod of integers and in other dtypes") {
  const Tensor y = cumsum(tensor({1 << 30, 1 << 30, 1 << 30}, kInt32), 0);
  CHECK(y.dtype() == kInt64);
  CHECK(y[2].item<int64_t>() == int64_t{3} << 30);
  CHECK(cumsum(tensor({true, true}), 0)[1].item<int64_t>() == 2);
  CHECK(cumprod(tensor({3, -4, 5}), 0)[2].item<int64_t>() == -60);
  CHECK(cumsum(tensor({1, 2}), 0, kFloat64).dtype() == kFloat64);
  CHECK(cumsum(tensor({1.5, 2.5}), 0, kInt32)[1].item<int64_t>() == 3);
  CHECK(cumsum(tensor({1.5, 2.5}), 0, kInt32).dtype() == kInt32);
  Tensor small = tensor({100, 100}, kUInt8);
  cumsum_(small, 0);
  CHECK(small.dtype() == kUInt8);
  CHECK(small[1].item<int64_t>() == 200);
  check_equal(cumsum(tensor(3.), 0), {3});
}

TEST_CASE("a long cumsum of float32 does not drift") {
  const Tensor y = cumsum(full({2000000}, 0.1), 0);
  CHECK(std::abs(y[-1].item<double>() - 200000) < 0.02);
}

TEST_CASE("logcumsumexp at infinities and far from 0") {
  check_equal(logcumsumexp(tensor({-kInf, -kInf, 1., -kInf, 1.}, kFloat64), 0),
              {-kInf, -kInf, 1, 1, 1 + std::log(2.0)});
  check_equal(logcumsumexp(tensor({1., kInf, 2., kInf}, kFloat64), 0), {1, kInf, kInf, kInf});
  check_equal(logcumsumexp(tensor({1., kNan, 2.}, kFloat64), 0), {1, kNan, kNan});
  check_equal(logcumsumexp(tensor({1000., 1000., -1000.}, kFloat64), 0),
              {1000, 1000 + std::log(2.0), 1000 + std::log(2.0)});
  const Tensor x = leaf({-kInf, -kInf, 1, 700, -700});
  const Tensor first = grad_of(sum(logcumsumexp(x, 0)), x, true);
  check_equal(first, {0, 0, 1 + 2 * std::exp(-699.), 2, std::exp(-1400.)});
  check_equal(grad_of(sum(first * first), x), {0, 0, -4 * std::exp(-699.) + 4 * std::exp(-699.), 0, 0});
  difference::check_derivatives([](const std::vector<Tensor>& in) { return logcumsumexp(in[0], 1); },
                                {(randn({3, 6}, kFloat64) * 30)});
}

TEST_CASE("all, any and count_nonzero: NaN counts as true, nothing is all and not any") {
  CHECK(all(tensor({kNan, 1.})).item<bool>());
  CHECK(any(tensor({0., kNan})).item<bool>());
  CHECK_FALSE(any(tensor({0., -0.})).item<bool>());
  CHECK(all(zeros({0})).item<bool>());
  CHECK_FALSE(any(zeros({0})).item<bool>());
  CHECK(all(zeros({2, 0}), 1).count_nonzero().item<int64_t>() == 2);
  CHECK(any(tensor({0, 7}, kUInt8)).dtype() == kUInt8);
  CHECK(any(tensor({0, 7}, kUInt8)).item<int64_t>() == 1);
  CHECK(all(tensor({3, 7}, kInt32)).dtype() == kBool);
  CHECK(count_nonzero(tensor({{0., kNan}, {2., 0.}}), 0).dtype() == kInt64);
}

TEST_CASE("columns and rows of softmax, logsumexp and argmax agree, special values included") {
  manual_seed(4);
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t cols : {4, 7, 8, 9, 33, 600}) {
      for (const int64_t rows : {1, 2, 63, 65, 200}) {
        CAPTURE(rows, cols);
        const Tensor x = randn({rows, cols}, dtype);
        x[rows / 2][0] = kNan;
        x[rows / 2][1] = kInf;
        x[0][2] = -kInf;
        for (int64_t r = 0; r < rows; ++r) x[r][3] = -kInf;
        const Tensor turned = x.t().contiguous();
        const double rtol = dtype == kFloat32 ? 1e-5 : 1e-13;
        CHECK(allclose(softmax(x, 0), softmax(turned, 1).t(), rtol, 1e-12, true));
        CHECK(allclose(log_softmax(x, 0), log_softmax(turned, 1).t(), rtol, rtol, true));
        CHECK(allclose(logsumexp(x, 0), logsumexp(turned, 1), rtol, rtol, true));
        CHECK(equal(argmax(x, 0), argmax(turned, 1)));
        CHECK(equal(argmin(x, 0), argmin(turned, 1)));
      }
    }
  }
  const Tensor whole = randint(-3, 3, {50, 40}, kInt32);
  CHECK(equal(argmax(whole, 0), argmax(whole.t().contiguous(), 1)));
}

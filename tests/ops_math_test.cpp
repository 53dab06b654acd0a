// What the table of operations does not reach: exact values, signed zeros, integers at their limits, promotion, third order.
#include <cmath>
#include <limits>

#include "difference.h"
#include "message.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
namespace simd = tapegrad::kernels::simd;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();

// On every SIMD path of this machine.
template <class F> void on_every_path(F f) {
  const std::string best = simd::table().isa;
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    INFO(*isa);
    f();
  }
  REQUIRE(simd::select(best.c_str()));
}

// Equal as numbers, the sign of zero included; NaN equals NaN.
void check_exactly(const Tensor& y, const std::vector<double>& expected) {
  const Tensor flat = contiguous_of(to(y.detach(), kFloat64));
  REQUIRE(flat.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double got = flat.data_ptr<double>()[i];
    CAPTURE(i, got, expected[i]);
    const bool both_nan = std::isnan(got) && std::isnan(expected[i]);
    CHECK((both_nan || (got == expected[i] && std::signbit(got) == std::signbit(expected[i]))));
  }
}

Tensor reals(const std::vector<double>& v, DType dtype) {
  Tensor x = new_tensor({static_cast<int64_t>(v.size())}, kFloat64);
  for (size_t i = 0; i < v.size(); ++i) x.data_ptr<double>()[i] = v[i];
  return to(x, dtype);
}

// Values as they are in `dtype`.
std::vector<double> values_at(DType dtype, std::vector<double> v) {
  for (double& x : v) x = dtype == kFloat32 ? static_cast<double>(static_cast<float>(x)) : x;
  return v;
}

std::vector<double> exact_fmod(DType dtype, const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> u = values_at(dtype, a), v = values_at(dtype, b);
  std::vector<double> y;
  for (size_t i = 0; i < u.size(); ++i) y.push_back(std::fmod(u[i], v[i]));
  return y;
}

Tensor integers(const std::vector<int64_t>& v) {
  Tensor x = new_tensor({static_cast<int64_t>(v.size())}, kInt64);
  for (size_t i = 0; i < v.size(); ++i) x.data_ptr<int64_t>()[i] = v[i];
  return x;
}

void check_integers(const Tensor& y, const std::vector<int64_t>& expected) {
  REQUIRE(y.dtype() == kInt64);
  REQUIRE(y.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) CHECK(y.data_ptr<int64_t>()[i] == expected[i]);
}

}  // namespace

TEST_CASE("the second derivatives of pow by tensors are finite at a base of 0", "[ops]") {
  const Tensor x = tensor({0, 0, 2}, dtype(kFloat64).requires_grad(true));
  const Tensor p = tensor({3, 2, 2}, dtype(kFloat64).requires_grad(true));
  const auto first = autograd::grad({pow(x, p)}, {x, p}, {tensor({1, -2, 3}, kFloat64)}, true, true);
  const auto by_x = autograd::grad({first[0]}, {x, p}, {ones({3}, kFloat64)}, true);
  check_exactly(by_x[0], {0, -4, 6});
  CHECK(allclose(by_x[1], tensor({0., 0., 3 * (2 + 4 * std::log(2.))}, kFloat64)));
  const auto by_p = autograd::grad({first[1]}, {x, p}, {ones({3}, kFloat64)});
  CHECK(allclose(by_p[0], by_x[1]));
  CHECK(allclose(by_p[1], tensor({0., 0., 12 * std::log(2.) * std::log(2.)}, kFloat64)));
}

TEST_CASE("the gradient of relu passes where x is NaN", "[ops]") {
  on_every_path([] {
    const Tensor x = tensor({kNan, -1.0, 0.0, 2.0}, dtype(kFloat64).requires_grad(true));
    check_exactly(autograd::grad({relu(x)}, {x}, {tensor({5, 6, 7, 8}, kFloat64)})[0], {5, 0, 0, 8});
    check_exactly(autograd::grad({relu(x)}, {x}, {tensor({5, 6, 7, 8}, kFloat64)}, true, true)[0], {5, 0, 0, 8});
  });
}

TEST_CASE("numbers an integer tensor cannot meet are refused in the op's name", "[ops]") {
  const Tensor x = tensor({7}, kUInt8);
  const std::string why = ": a number must lie in the range of uint8, [0, 255], got 300";
  CHECK(message_of<ValueError>([&] { fmod(x, 300); }) == "fmod" + why);
  CHECK(message_of<ValueError>([&] { x.fmod_(300); }) == "fmod_" + why);
  CHECK(message_of<ValueError>([&] { remainder(x, 300); }) == "remainder" + why);
  CHECK(message_of<ValueError>([&] { remainder(300, x); }) == "remainder" + why);
  CHECK(message_of<ValueError>([&] { threshold(x, 1, 300); }) == "threshold" + why);
}

TEST_CASE("powers of two and ten come out exactly", "[math]") {
  on_every_path([] {
    std::vector<double> exponents, powers;
    for (int k = -126; k <= 127; ++k) {
      exponents.push_back(k);
      powers.push_back(std::ldexp(1., k));
    }
    for (DType dtype : {kFloat32, kFloat64}) {
      check_exactly(exp2(reals(exponents, dtype)), powers);
      check_exactly(log2(reals(powers, dtype)), exponents);
    }
    std::vector<double> tens, logs;
    for (int k = 0; k <= 22; ++k) {
      tens.push_back(std::pow(10., k));
      logs.push_back(k);
    }
    check_exactly(log10(reals(tens, kFloat64)), logs);
    check_exactly(log10(reals({1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}, kFloat32)),
                  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  });
}

TEST_CASE("odd functions keep the sign of zero", "[math]") {
  on_every_path([] {
    for (DType dtype : {kFloat32, kFloat64}) {
      const Tensor zeros = reals({0., -0.}, dtype);
      for (auto f : {tapegrad::expm1, tapegrad::log1p, tapegrad::sin, tapegrad::tan, tapegrad::asin, tapegrad::atan,
                     tapegrad::sinh, tapegrad::asinh, tapegrad::atanh, tapegrad::erf, tapegrad::erfinv, tapegrad::floor,
                     tapegrad::ceil, tapegrad::trunc})
        check_exactly(f(zeros), {0., -0.});
      check_exactly(round(zeros), {0., -0.});
      check_exactly(round(zeros, 2), {0., -0.});
      check_exactly(fmod(reals({0., -0., 6, -6}, dtype), 3), {0., -0., 0., -0.});
      check_exactly(reciprocal(zeros), {kInf, -kInf});
      check_exactly(rsqrt(zeros), {kInf, -kInf});
      check_exactly(digamma(zeros), {-kInf, kInf});
    }
  });
}

TEST_CASE("round takes halves to even, and decimals on both sides of the point", "[math]") {
  on_every_path([] {
    for (DType dtype : {kFloat32, kFloat64}) {
      check_exactly(round(reals({0.5, 1.5, 2.5, -0.5, -1.5, kInf, kNan}, dtype)), {0, 2, 2, -0., -2, kInf, kNan});
      check_exactly(round(reals({0.25, 0.75, -2.25, kInf, -kInf, kNan}, dtype) * 0.5, 2),
                    values_at(dtype, {0.12, 0.38, -1.12, kInf, -kInf, kNan}));
      check_exactly(round(reals({149, 150, 250, -1250, kInf, kNan}, dtype), -2), {100, 200, 200, -1200, kInf, kNan});
      // Beyond the digits or the range of the dtype.
      check_exactly(round(reals({1.5, 1e30, -0., kInf}, dtype), 400), values_at(dtype, {1.5, 1e30, -0., kInf}));
      check_exactly(round(reals({1.5, -1e30, kInf}, dtype), -400), {0, -0., kInf});
      check_exactly(round(reals({1e30}, dtype), 20), values_at(dtype, {1e30}));
    }
  });
  Tensor x = reals({1.26, -3.14}, kFloat64);
  CHECK(&round_(x, 1) == &x);
  check_exactly(x, {1.3, -3.1});
}

TEST_CASE("fmod and remainder are exact, on integers too", "[math]") {
  const Tensor a = integers({7, -7, 7, -7, kLowest, kLowest, kLowest + 1, 9007199254740993});
  const Tensor b = integers({3, 3, -3, -3, -1, 3, 2, 2});
  check_integers(fmod(a, b), {1, -1, 1, -1, 0, -2, -1, 1});
  check_integers(remainder(a, b), {1, 2, -2, -1, 0, 1, 1, 1});
  check_integers(fmod(a, -3), {1, -1, 1, -1, -2, -2, -1, 0});
  check_integers(remainder(10, integers({3, -3, 4})), {1, -2, 2});
  CHECK(fmod(a, 2.5).dtype() == kFloat32);
  CHECK(fmod(to(a, kUInt8), to(b, kInt32)).dtype() == kInt32);
  CHECK(fmod(ones({2}, kBool), 2).dtype() == kInt64);
  CHECK(fmod(ones({0}, kInt64), zeros({}, kInt64)).numel() == 0);  // nothing is divided
  Tensor x = integers({7, -7});
  x.remainder_(3);
  check_integers(x, {1, 2});
  const Tensor before = integers({7, -7});
  CHECK_THROWS_AS(before.fmod_(integers({1, 0})), ValueError);
  check_integers(before, {7, -7});
  CHECK_THROWS_AS(fmod(ones({2}, kUInt8), 256), ValueError);  // 0 as uint8
  on_every_path([] {
    for (DType dtype : {kFloat32, kFloat64}) {
      const Tensor u = reals({5.5, -5.5, 5.5, -5.5, 1, 1, kInf, kNan, 3, -3}, dtype);
      const Tensor v = reals({2, 2, -2, -2, 0, kInf, 2, 2, -kInf, kInf}, dtype);
      check_exactly(fmod(u, v), {1.5, -1.5, 1.5, -1.5, kNan, 1, kNan, kNan, 3, -3});
      check_exactly(remainder(u, v), {1.5, 0.5, -0.5, -1.5, kNan, 1, kNan, kNan, -kInf, kInf});
      check_exactly(fmod(reals({1e20, 16777215, 8388607.5}, dtype), reals({3, 3, 0.7}, dtype)),
                    exact_fmod(dtype, {1e20, 16777215, 8388607.5}, {3, 3, 0.7}));
    }
  });
}

TEST_CASE("the slope of fmod and remainder follows the quotient that was taken", "[math]") {
  // 1 / 0.1 rounds to 10, and yet 0.1 fits nine times into 1.
  const Tensor b = reals({0.1}, kFloat64).requires_grad_();
  fmod(reals({1}, kFloat64), b).sum().backward();
  check_exactly(b.grad(), {-9});
  const Tensor c = reals({0.1}, kFloat64).requires_grad_();
  remainder(reals({-1}, kFloat64), c).sum().backward();
  check_exactly(c.grad(), {10});
}

TEST_CASE("nan_to_num takes the ends of the dtype by default", "[math]") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const double largest = dtype == kFloat32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
    const Tensor x = reals({kNan, kInf, -kInf, 1.5, -0.}, dtype).requires_grad_();
    const Tensor y = nan_to_num(x);
    check_exactly(y, {0, largest, -largest, 1.5, -0.});
    check_exactly(x.detach().nan_to_num(1, {}, -3), {1, largest, -3, 1.5, -0.});
    y.sum().backward();
    check_exactly(x.grad(), {0, 0, 0, 1, 1});
  }
  const Tensor n = integers({1, kLowest});
  check_integers(nan_to_num(n, 3.), {1, kLowest});
  CHECK(nan_to_num(n).data_ptr() != n.data_ptr());
}

TEST_CASE("rounding leaves integers as they are, in memory of their own", "[math]") {
  const Tensor n = integers({3, kLowest, 9007199254740993});
  for (auto f : {tapegrad::floor, tapegrad::ceil, tapegrad::trunc}) {
    check_integers(f(n), {3, kLowest, 9007199254740993});
    CHECK(f(n).data_ptr() != n.data_ptr());
  }
  check_integers(round(n), {3, kLowest, 9007199254740993});
  check_integers(n.floor_(), {3, kLowest, 9007199254740993});
}

TEST_CASE("lerp meets both ends exactly; addcmul is exact on integers", "[math]") {
  on_every_path([] {
    for (DType dtype : {kFloat32, kFloat64}) {
      const Tensor start = reals({0.1, -1e30, 3}, dtype);
      const Tensor end = reals({0.7, 2.3, -1e-3}, dtype);
      CHECK(equal(lerp(start, end, 0), start));
      CHECK(equal(lerp(start, end, 1), end));
      CHECK(equal(lerp(start, end, ones({}, dtype)), end));
      check_exactly(lerp(reals({kInf, 1, kNan}, dtype), reals({1, kInf, 1}, dtype), 0.25), {kNan, kInf, kNan});
      check_exactly(addcmul(reals({1, kInf}, dtype), reals({2, 0}, dtype), reals({3, kInf}, dtype), 2), {13, kNan});
      check_exactly(addcdiv(reals({1, 1}, dtype), reals({6, 1}, dtype), reals({3, 0}, dtype), -2), {-3, -kInf});
    }
  });
  const Tensor x = integers({1, 2}), a = integers({9007199254740993, 3}), b = integers({1, -4});
  check_integers(addcmul(x, a, b, 3), {27021597764222980, -34});
  check_integers(addcmul(x, a, b), {9007199254740994, -10});
  CHECK(addcmul(x, ones({2}), b).dtype() == kFloat32);
  CHECK(addcmul(ones({2}), ones({}, kFloat64), b).dtype() == kFloat32);  // without dims it only counts by its kind
  CHECK(addcdiv(x, ones({2}), b).dtype() == kFloat32);
  CHECK(addcmul(ones({2}, kInt32), integers({2, 2}), ones({2}, kUInt8)).dtype() == kInt64);
  x.addcmul_(a, b, -1);
  check_integers(x, {-9007199254740992, 14});
}

TEST_CASE("hypot neither overflows nor underflows on the way", "[math]") {
  const double huge = std::ldexp(1., 700);
  on_every_path([huge] {
    check_exactly(hypot(reals({3 * huge, 3 / huge, kInf, kNan, 0}, kFloat64),
                        reals({4 * huge, 4 / huge, kNan, 1, -0.}, kFloat64)),
                  {5 * huge, 5 / huge, kInf, kNan, 0});
    check_exactly(hypot(reals({3, kInf, kNan, 0}, kFloat32), reals({4, kNan, 1, -0.}, kFloat32)), {5, kInf, kNan, 0});
  });
}

TEST_CASE("sin and cos of huge angles are those of the C library", "[math]") {
  on_every_path([] {
    const std::vector<double> angles{1e5, -3e5, 1.6e6, 1e10, 1e22, -1e300, kInf, kNan, 1};
    std::vector<double> sines, cosines;
    for (double angle : angles) {
      sines.push_back(std::sin(angle));
      cosines.push_back(std::cos(angle));
    }
    CHECK(allclose(sin(reals(angles, kFloat64)), reals(sines, kFloat64), 4e-16, 0, true));
    CHECK(allclose(cos(reals(angles, kFloat64)), reals(cosines, kFloat64), 4e-16, 0, true));
  });
}

TEST_CASE("derivatives of third order of the gamma functions", "[math]") {
  difference::check_derivatives(
      [](const std::vector<Tensor>& in) { return autograd::grad({lgamma(in[0]).sum()}, {in[0]}, {}, true, true)[0]; },
      {(rand({5}, kFloat64) + 1).requires_grad_()});
  difference::check_derivatives([](const std::vector<Tensor>& in) { return polygamma(4, in[0]); },
                                {(rand({5}, kFloat64) + 1).requires_grad_()});
}

TEST_CASE("digamma and polygamma at their poles and far out", "[math]") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const Tensor x = reals({-1, -100, -kInf, kInf, kNan}, dtype);
    check_exactly(digamma(x), {kNan, kNan, kNan, kInf, kNan});
    check_exactly(polygamma(1, x), {kInf, kInf, kInf, 0, kNan});
    check_exactly(polygamma(2, x), {-kInf, -kInf, -kInf, -0., kNan});
  }
  // pi^2 / 6, and derivatives whose factorial or power alone leaves the range.
  const auto at = [](int64_t n, double x) { return polygamma(n, reals({x}, kFloat64)).item<double>(); };
  CHECK(at(1, 1) == Approx(1.6449340668482264).epsilon(1e-15));
  CHECK(at(1, 1e200) == Approx(1e-200).margin(0).epsilon(1e-14));
  CHECK(at(200, 100.5) == Approx(-3.3539327079867269e-28).margin(0).epsilon(1e-12));
  CHECK(at(6, -2.3) == Approx(3283536.8849092815).epsilon(1e-14));
  // Next to the root, from quadruple precision.
  CHECK(digamma(reals({1.4616}, kFloat64)).item<double>() == Approx(-3.1106251230341648e-05).margin(0).epsilon(1e-14));
  CHECK(digamma(reals({1.4617}, kFloat64)).item<double>() == Approx(6.5659392293676496e-05).margin(0).epsilon(1e-14));
  CHECK(at(3, 1e-90) == kInf);
  CHECK(at(1, -1e-30) == Approx(1e60).epsilon(1e-14));
}

TEST_CASE("methods are the functions of their names", "[math]") {
  const Tensor x = reals({0.3, 0.6}, kFloat64), y = reals({0.7, 0.2}, kFloat64);
  const std::pair<Tensor, Tensor> same[] = {{x.log1p(), log1p(x)},
                                            {x.expm1(), expm1(x)},
                                            {x.log2(), log2(x)},
                                            {x.log10(), log10(x)},
                                            {x.exp2(), exp2(x)},
                                            {x.rsqrt(), rsqrt(x)},
                                            {x.reciprocal(), reciprocal(x)},
                                            {x.sin(), sin(x)},
                                            {x.cos(), cos(x)},
                                            {x.tan(), tan(x)},
                                            {x.asin(), asin(x)},
                                            {x.acos(), acos(x)},
                                            {x.atan(), atan(x)},
                                            {x.atan2(y), atan2(x, y)},
                                            {x.sinh(), sinh(x)},
                                            {x.cosh(), cosh(x)},
                                            {x.asinh(), asinh(x)},
                                            {(x + 1).acosh(), acosh(x + 1)},
                                            {x.atanh(), atanh(x)},
                                            {x.erf(), erf(x)},
                                            {x.erfc(), erfc(x)},
                                            {x.erfinv(), erfinv(x)},
                                            {x.lgamma(), lgamma(x)},
                                            {x.digamma(), digamma(x)},
                                            {x.polygamma(2), polygamma(2, x)},
                                            {x.floor(), floor(x)},
                                            {x.ceil(), ceil(x)},
                                            {x.round(1), round(x, 1)},
                                            {x.trunc(), trunc(x)},
                                            {x.frac(), frac(x)},
                                            {x.fmod(y), fmod(x, y)},
                                            {x.fmod(0.25), fmod(x, 0.25)},
                                            {x.remainder(y), remainder(x, y)},
                                            {x.remainder(0.25), remainder(x, 0.25)},
                                            {x.lerp(y, 0.3), lerp(x, y, 0.3)},
                                            {x.lerp(y, x), lerp(x, y, x)},
                                            {x.addcmul(x, y, 2), addcmul(x, x, y, 2)},
                                            {x.addcdiv(x, y), addcdiv(x, x, y)},
                                            {x.hypot(y), hypot(x, y)},
                                            {x.nan_to_num(), nan_to_num(x)}};
  for (const auto& [method, function] : same) CHECK(equal(method, function));
  const std::pair<Tensor, Tensor> in_place[] = {{clone(x).log1p_(), log1p(x)},
                                                {clone(x).atan2_(y), atan2(x, y)},
                                                {clone(x).polygamma_(2), polygamma(2, x)},
                                                {clone(x).round_(1), round(x, 1)},
                                                {clone(x).fmod_(0.25), fmod(x, 0.25)},
                                                {clone(x).lerp_(y, 0.3), lerp(x, y, 0.3)},
                                                {clone(x).addcdiv_(x, y, 3), addcdiv(x, x, y, 3)},
                                                {clone(x).nan_to_num_(), x},
                                                {clone(x).sign_(), sign(x)}};
  for (const auto& [method, function] : in_place) CHECK(equal(method, function));
}

// erfinv, ln gamma, digamma and its derivatives for one number: a few ulp wherever the result is not next to a zero of its own.
#include "tapegrad/ops/kernels/special.h"

#include <math.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tapegrad::kernels {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <int N> double polynomial(double x, const double (&c)[N]) {
  double p = c[N - 1];
  for (int i = N - 2; i >= 0; --i) p = p * x + c[i];
  return p;
}

// M. Giles, "Approximating the erfinv function" (2010): some seven digits, fewer next to +-1.
double rough_erfinv(double x) {
  static constexpr double kCentre[] = {1.50140941,     0.246640727,    -0.00417768164, -0.00125372503, 0.00021858087,
                                       -4.39150654e-6, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08};
  static constexpr double kTail[] = {2.83297682,     1.00167406,    0.00943887047,  -0.0076224613,  0.00573950773,
                                     -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257};
  const double w = -std::log((1 - x) * (1 + x));
  return x * (w < 5 ? polynomial(w - 2.5, kCentre) : polynomial(std::sqrt(w) - 3, kTail));
}

// digamma on [1, 2] is (x - root) times a polynomial in x - 3/2, through the Chebyshev nodes, from quadruple precision:
// it keeps its digits next to the root.
double digamma_near_root(double x) {
  static constexpr double kRoot = 1.4616321449683622, kRootRest = 9.5499954299656974e-17;
  static constexpr double kFactor[] = {
      0.95105587603183295,    -0.42362742128146053,    0.24054248424077421,   -0.14840492305390884,
      0.09498872445494122,    -0.061922133273064534,   0.040760833812420738,  -0.026975796756138249,
      0.0179072524394512,     -0.011908218001568644,   0.0079269446464037968, -0.0052799648732574046,
      0.0035190064015022762,  -0.0023452676325407692,  0.0015566317474486838, -0.0010376374098418604,
      0.00072332662792875537, -0.00048219905305667889, 0.0002272331660987376, -0.00015148586836773363,
      0.00025968482126430747, -0.00017312261802727397};
  return ((x - kRoot) - kRootRest) * polynomial(x - 1.5, kFactor);
}

// Stirling's series, for x >= 10.
double digamma_far(double x) {
  static constexpr double kTerms[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                      1.0 / 132, -691.0 / 32760, 1.0 / 12,  -3617.0 / 8160};
  const double z = 1 / (x * x);
  return std::log(x) - 0.5 / x - z * polynomial(z, kTerms);
}

// Adds positive numbers and keeps what the additions lose (Neumaier).
class Sum {
 public:
  void add(double x) {
    const double sum = sum_ + x;
    lost_ += sum_ >= x ? (sum_ - sum) + x : (x - sum) + sum_;
    sum_ = sum;
  }
  double total() const { return sum_ + lost_; }

 private:
  double sum_ = 0, lost_ = 0;
};

double digamma_of_positive(double x) {
  if (x >= 10) return digamma_far(x);
  double y = 0;
  for (; x > 2; y += 1 / x) x -= 1;
  if (x < 1) {
    y = -1 / x;
    x += 1;
  }
  return y + digamma_near_root(x);
}

}  // namespace

// Two of Halley's steps, each of which triples the digits. 1 - |x| is exact from 1/2 on, and erfc keeps its digits there.
double erfinv(double x) {
  const double a = std::abs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(kInfinity, x) : kNan;
  double y = rough_erfinv(a);
  for (int step = 0; step < 2; ++step) {
    const double error = a < 0.5 ? std::erf(y) - a : (1 - a) - std::erfc(y);
    const double newton = error / (2 / std::sqrt(kPi) * std::exp(-y * y));
    y -= newton / (1 + y * newton);
  }
  return std::copysign(y, x);
}

double log_gamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

double digamma(double x) {
  if (x == 0) return std::copysign(kInfinity, -x);
  if (!(x < 0)) return digamma_of_positive(x);
  // Distances from the integers below and above: the smaller one is exact.
  const double up = x - std::floor(x), down = std::ceil(x) - x;
  if (up == 0 || std::isinf(x)) return kNan;
  // digamma(1 - x) - pi / tan(pi x), which cancel beside a zero, with the tangent's argument taken to [-1/2, 1/2].
  return digamma_of_positive(1 - x) - kPi / std::tan(kPi * (up > 0.5 ? -down : up));
}

Polygamma::Polygamma(double n)
    : n_(n), factorial_(std::tgamma(n + 1)), log_factorial_(log_gamma(n + 1)), sign_(std::fmod(n, 2) == 0 ? -1 : 1) {}

// n! times Hurwitz' zeta function of s = n + 1, that is n! x^-n times sum (x / (x + k))^s / x over k >= 0: the first terms
// one by one, the rest by Euler and Maclaurin's formula at x + k >= s + 10.
double Polygamma::of_positive(double x) const {
  if (std::isinf(x)) return 0;
  static constexpr double kTerms[] = {// B(2j) / (2j)!
                                      1.0 / 12,
                                      -1.0 / 720,
                                      1.0 / 30240,
                                      -1.0 / 1209600,
                                      1.0 / 47900160,
                                      -691.0 / 1307674368000.0,
                                      1.0 / 74724249600.0,
                                      -3617.0 / 10670622842880000.0};
  const double s = n_ + 1;
  const auto power = [s](double r) { return s == 2 ? r * r : s == 3 ? r * r * r : std::pow(r, s); };
  Sum sum;
  double a = x;
  for (double term = 1; a < s + 10 && term > 1e-17 * sum.total(); a += 1) {
    term = power(x / a);
    sum.add(term);
  }
  const double first = power(x / a);
  if (first > 1e-17 * sum.total()) {
    double tail = a / (s - 1) + 0.5, factor = s / a;
    for (int j = 0; j < 8; ++j) {
      tail += kTerms[j] * factor;
      factor *= (s + 2 * j + 1) * (s + 2 * j + 2) / (a * a);
    }
    sum.add(first * tail);
  }
  const double y = sum.total() / x;
  const double scale = n_ == 1 ? 1 / x : std::pow(x, -n_);
  const bool plain = scale > 1e-304 && scale < kInfinity && factorial_ < kInfinity;
  if (plain || y == kInfinity) return scale * y * factorial_;
  return std::exp(log_factorial_ - n_ * std::log(x) + std::log(y));
}

double Polygamma::operator()(double x) const {
  if (std::isnan(x)) return x;
  if (x > 0) return sign_ * of_positive(x);
  const double up = x - std::floor(x), down = std::ceil(x) - x;
  if (up == 0 || std::isinf(x)) return sign_ * kInfinity;
  // Terms 1 / (x + k)^s over all k >= 0: those above 0 start at `up`; those below start at -down and end at x.
  return sign_ * (of_positive(up) + sign_ * (of_positive(down) - of_positive(1 - x)));
}

}  // namespace tapegrad::kernels

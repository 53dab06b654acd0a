// Special functions of one number, in double; the kernels of both floating dtypes call them element by element.
#pragma once

namespace tapegrad::kernels {

// The inverse of erf: +-inf at +-1, NaN beyond.
double erfinv(double x);
// ln |gamma(x)|: inf at 0 and the negative integers. Unlike std::lgamma it writes no global sign.
double log_gamma(double x);
// (ln gamma)'(x): -inf at 0, inf at -0, NaN at the negative integers.
double digamma(double x);

// The n-th derivative of digamma, n >= 1, with what depends on n alone computed once.
class Polygamma {
 public:
  explicit Polygamma(double n);
  // At 0 and the negative integers inf for odd n, -inf for even n.
  double operator()(double x) const;

 private:
  double of_positive(double x) const;
  double n_, factorial_, log_factorial_, sign_;
};

}  // namespace tapegrad::kernels

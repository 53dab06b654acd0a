// The elementwise methods of Tensor, each the free function of its name.
#include "tapegrad/core/tensor_methods.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/blend.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/math.h"
#include "tapegrad/ops/rectifier.h"
#include "tapegrad/ops/rounding.h"
#include "tapegrad/ops/special.h"
#include "tapegrad/ops/trigonometry.h"

namespace tapegrad {
namespace {

const Tensor& self(const TensorMethods& methods) { return static_cast<const Tensor&>(methods); }

}  // namespace

Tensor TensorMethods::add(const Tensor& other, const Scalar& alpha) const {
  return tapegrad::add(self(*this), other, alpha);
}
Tensor TensorMethods::add(const Scalar& other, const Scalar& alpha) const {
  return tapegrad::add(self(*this), other, alpha);
}
Tensor TensorMethods::sub(const Tensor& other, const Scalar& alpha) const {
  return tapegrad::sub(self(*this), other, alpha);
}
Tensor TensorMethods::sub(const Scalar& other, const Scalar& alpha) const {
  return tapegrad::sub(self(*this), other, alpha);
}
Tensor TensorMethods::mul(const Tensor& other) const { return tapegrad::mul(self(*this), other); }
Tensor TensorMethods::mul(const Scalar& other) const { return tapegrad::mul(self(*this), other); }
Tensor TensorMethods::div(const Tensor& other) const { return tapegrad::div(self(*this), other); }
Tensor TensorMethods::div(const Scalar& other) const { return tapegrad::div(self(*this), other); }
Tensor TensorMethods::neg() const { return tapegrad::neg(self(*this)); }
Tensor TensorMethods::operator-() const { return tapegrad::neg(self(*this)); }
Tensor TensorMethods::pow(const Tensor& exponent) const { return tapegrad::pow(self(*this), exponent); }
Tensor TensorMethods::pow(const Scalar& exponent) const { return tapegrad::pow(self(*this), exponent); }
Tensor TensorMethods::square() const { return tapegrad::square(self(*this)); }
Tensor TensorMethods::exp() const { return tapegrad::exp(self(*this)); }
Tensor TensorMethods::log() const { return tapegrad::log(self(*this)); }
Tensor TensorMethods::sqrt() const { return tapegrad::sqrt(self(*this)); }
Tensor TensorMethods::abs() const { return tapegrad::abs(self(*this)); }
Tensor TensorMethods::sign() const { return tapegrad::sign(self(*this)); }
Tensor TensorMethods::clamp(const std::optional<Scalar>& min, const std::optional<Scalar>& max) const {
  return tapegrad::clamp(self(*this), min, max);
}
Tensor TensorMethods::clamp(const Tensor& min) const { return tapegrad::clamp(self(*this), min); }
Tensor TensorMethods::clamp(const std::optional<Tensor>& min, const std::optional<Tensor>& max) const {
  return tapegrad::clamp(self(*this), min, max);
}
Tensor TensorMethods::clamp_min(const Scalar& min) const { return tapegrad::clamp_min(self(*this), min); }
Tensor TensorMethods::clamp_min(const Tensor& min) const { return tapegrad::clamp_min(self(*this), min); }
Tensor TensorMethods::clamp_max(const Scalar& max) const { return tapegrad::clamp_max(self(*this), max); }
Tensor TensorMethods::clamp_max(const Tensor& max) const { return tapegrad::clamp_max(self(*this), max); }
Tensor TensorMethods::maximum(const Tensor& other) const { return tapegrad::maximum(self(*this), other); }
Tensor TensorMethods::minimum(const Tensor& other) const { return tapegrad::minimum(self(*this), other); }
Tensor TensorMethods::where(const Tensor& condition, const Tensor& other) const {
  return tapegrad::where(condition, self(*this), other);
}
Tensor TensorMethods::where(const Tensor& condition, const Scalar& other) const {
  return tapegrad::where(condition, self(*this), other);
}
Tensor TensorMethods::sigmoid() const { return tapegrad::sigmoid(self(*this)); }
Tensor TensorMethods::tanh() const { return tapegrad::tanh(self(*this)); }
Tensor TensorMethods::relu() const { return tapegrad::relu(self(*this)); }
Tensor TensorMethods::leaky_relu(double negative_slope) const {
  return tapegrad::leaky_relu(self(*this), negative_slope);
}
Tensor TensorMethods::eq(const Tensor& other) const { return tapegrad::eq(self(*this), other); }
Tensor TensorMethods::eq(const Scalar& other) const { return tapegrad::eq(self(*this), other); }
Tensor TensorMethods::ne(const Tensor& other) const { return tapegrad::ne(self(*this), other); }
Tensor TensorMethods::ne(const Scalar& other) const { return tapegrad::ne(self(*this), other); }
Tensor TensorMethods::lt(const Tensor& other) const { return tapegrad::lt(self(*this), other); }
Tensor TensorMethods::lt(const Scalar& other) const { return tapegrad::lt(self(*this), other); }
Tensor TensorMethods::le(const Tensor& other) const { return tapegrad::le(self(*this), other); }
Tensor TensorMethods::le(const Scalar& other) const { return tapegrad::le(self(*this), other); }
Tensor TensorMethods::gt(const Tensor& other) const { return tapegrad::gt(self(*this), other); }
Tensor TensorMethods::gt(const Scalar& other) const { return tapegrad::gt(self(*this), other); }
Tensor TensorMethods::ge(const Tensor& other) const { return tapegrad::ge(self(*this), other); }
Tensor TensorMethods::ge(const Scalar& other) const { return tapegrad::ge(self(*this), other); }
Tensor TensorMethods::logical_not() const { return tapegrad::logical_not(self(*this)); }
Tensor TensorMethods::logical_and(const Tensor& other) const { return tapegrad::logical_and(self(*this), other); }
Tensor TensorMethods::logical_or(const Tensor& other) const { return tapegrad::logical_or(self(*this), other); }
Tensor TensorMethods::logical_xor(const Tensor& other) const { return tapegrad::logical_xor(self(*this), other); }
Tensor TensorMethods::isnan() const { return tapegrad::isnan(self(*this)); }
Tensor TensorMethods::isinf() const { return tapegrad::isinf(self(*this)); }
Tensor TensorMethods::isfinite() const { return tapegrad::isfinite(self(*this)); }
Tensor& TensorMethods::add_(const Tensor& other, const Scalar& alpha) const {
  return tapegrad::add_(self(*this), other, alpha);
}
Tensor& TensorMethods::add_(const Scalar& other, const Scalar& alpha) const {
  return tapegrad::add_(self(*this), other, alpha);
}
Tensor& TensorMethods::sub_(const Tensor& other, const Scalar& alpha) const {
  return tapegrad::sub_(self(*this), other, alpha);
}
Tensor& TensorMethods::sub_(const Scalar& other, const Scalar& alpha) const {
  return tapegrad::sub_(self(*this), other, alpha);
}
Tensor& TensorMethods::mul_(const Tensor& other) const { return tapegrad::mul_(self(*this), other); }
Tensor& TensorMethods::mul_(const Scalar& other) const { return tapegrad::mul_(self(*this), other); }
Tensor& TensorMethods::div_(const Tensor& other) const { return tapegrad::div_(self(*this), other); }
Tensor& TensorMethods::div_(const Scalar& other) const { return tapegrad::div_(self(*this), other); }
Tensor& TensorMethods::operator+=(const Tensor& other) const { return tapegrad::add_(self(*this), other); }
Tensor& TensorMethods::operator+=(const Scalar& other) const { return tapegrad::add_(self(*this), other); }
Tensor& TensorMethods::operator-=(const Tensor& other) const { return tapegrad::sub_(self(*this), other); }
Tensor& TensorMethods::operator-=(const Scalar& other) const { return tapegrad::sub_(self(*this), other); }
Tensor& TensorMethods::operator*=(const Tensor& other) const { return tapegrad::mul_(self(*this), other); }
Tensor& TensorMethods::operator*=(const Scalar& other) const { return tapegrad::mul_(self(*this), other); }
Tensor& TensorMethods::operator/=(const Tensor& other) const { return tapegrad::div_(self(*this), other); }
Tensor& TensorMethods::operator/=(const Scalar& other) const { return tapegrad::div_(self(*this), other); }
Tensor& TensorMethods::neg_() const { return tapegrad::neg_(self(*this)); }
Tensor& TensorMethods::pow_(const Scalar& exponent) const { return tapegrad::pow_(self(*this), exponent); }
Tensor& TensorMethods::pow_(const Tensor& exponent) const { return tapegrad::pow_(self(*this), exponent); }
Tensor& TensorMethods::square_() const { return tapegrad::square_(self(*this)); }
Tensor& TensorMethods::exp_() const { return tapegrad::exp_(self(*this)); }
Tensor& TensorMethods::log_() const { return tapegrad::log_(self(*this)); }
Tensor& TensorMethods::sqrt_() const { return tapegrad::sqrt_(self(*this)); }
Tensor& TensorMethods::abs_() const { return tapegrad::abs_(self(*this)); }
Tensor& TensorMethods::sign_() const { return tapegrad::sign_(self(*this)); }
Tensor& TensorMethods::clamp_(const std::optional<Scalar>& min, const std::optional<Scalar>& max) const {
  return tapegrad::clamp_(self(*this), min, max);
}
Tensor& TensorMethods::sigmoid_() const { return tapegrad::sigmoid_(self(*this)); }
Tensor& TensorMethods::tanh_() const { return tapegrad::tanh_(self(*this)); }
Tensor& TensorMethods::relu_() const { return tapegrad::relu_(self(*this)); }
Tensor& TensorMethods::leaky_relu_(double negative_slope) const {
  return tapegrad::leaky_relu_(self(*this), negative_slope);
}
Tensor& TensorMethods::zero_() const { return tapegrad::zero_(self(*this)); }
Tensor& TensorMethods::fill_(const Scalar& value) const { return tapegrad::fill_(self(*this), value); }
Tensor& TensorMethods::fill_(const Tensor& value) const { return tapegrad::fill_(self(*this), value); }
Tensor& TensorMethods::copy_(const Tensor& src) const { return tapegrad::copy_(self(*this), src); }
Tensor TensorMethods::prelu(const Tensor& weight) const { return tapegrad::prelu(self(*this), weight); }
Tensor TensorMethods::hardshrink(double lambda) const { return tapegrad::hardshrink(self(*this), lambda); }
Tensor TensorMethods::expm1() const { return tapegrad::expm1(self(*this)); }
Tensor TensorMethods::exp2() const { return tapegrad::exp2(self(*this)); }
Tensor TensorMethods::log1p() const { return tapegrad::log1p(self(*this)); }
Tensor TensorMethods::log2() const { return tapegrad::log2(self(*this)); }
Tensor TensorMethods::log10() const { return tapegrad::log10(self(*this)); }
Tensor TensorMethods::rsqrt() const { return tapegrad::rsqrt(self(*this)); }
Tensor TensorMethods::reciprocal() const { return tapegrad::reciprocal(self(*this)); }
Tensor TensorMethods::lerp(const Tensor& end, const Scalar& weight) const {
  return tapegrad::lerp(self(*this), end, weight);
}
Tensor TensorMethods::lerp(const Tensor& end, const Tensor& weight) const {
  return tapegrad::lerp(self(*this), end, weight);
}
Tensor TensorMethods::addcmul(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapegrad::addcmul(self(*this), a, b, value);
}
Tensor TensorMethods::addcdiv(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapegrad::addcdiv(self(*this), a, b, value);
}
Tensor TensorMethods::sin() const { return tapegrad::sin(self(*this)); }
Tensor TensorMethods::cos() const { return tapegrad::cos(self(*this)); }
Tensor TensorMethods::tan() const { return tapegrad::tan(self(*this)); }
Tensor TensorMethods::asin() const { return tapegrad::asin(self(*this)); }
Tensor TensorMethods::acos() const { return tapegrad::acos(self(*this)); }
Tensor TensorMethods::atan() const { return tapegrad::atan(self(*this)); }
Tensor TensorMethods::sinh() const { return tapegrad::sinh(self(*this)); }
Tensor TensorMethods::cosh() const { return tapegrad::cosh(self(*this)); }
Tensor TensorMethods::asinh() const { return tapegrad::asinh(self(*this)); }
Tensor TensorMethods::acosh() const { return tapegrad::acosh(self(*this)); }
Tensor TensorMethods::atanh() const { return tapegrad::atanh(self(*this)); }
Tensor TensorMethods::atan2(const Tensor& other) const { return tapegrad::atan2(self(*this), other); }
Tensor TensorMethods::hypot(const Tensor& other) const { return tapegrad::hypot(self(*this), other); }
Tensor TensorMethods::erf() const { return tapegrad::erf(self(*this)); }
Tensor TensorMethods::erfc() const { return tapegrad::erfc(self(*this)); }
Tensor TensorMethods::erfinv() const { return tapegrad::erfinv(self(*this)); }
Tensor TensorMethods::lgamma() const { return tapegrad::lgamma(self(*this)); }
Tensor TensorMethods::digamma() const { return tapegrad::digamma(self(*this)); }
Tensor TensorMethods::polygamma(int64_t n) const { return tapegrad::polygamma(n, self(*this)); }
Tensor TensorMethods::floor() const { return tapegrad::floor(self(*this)); }
Tensor TensorMethods::ceil() const { return tapegrad::ceil(self(*this)); }
Tensor TensorMethods::trunc() const { return tapegrad::trunc(self(*this)); }
Tensor TensorMethods::frac() const { return tapegrad::frac(self(*this)); }
Tensor TensorMethods::round(int64_t decimals) const { return tapegrad::round(self(*this), decimals); }
Tensor TensorMethods::fmod(const Tensor& other) const { return tapegrad::fmod(self(*this), other); }
Tensor TensorMethods::fmod(const Scalar& other) const { return tapegrad::fmod(self(*this), other); }
Tensor TensorMethods::remainder(const Tensor& other) const { return tapegrad::remainder(self(*this), other); }
Tensor TensorMethods::remainder(const Scalar& other) const { return tapegrad::remainder(self(*this), other); }
Tensor TensorMethods::nan_to_num(std::optional<double> nan, std::optional<double> posinf,
                                 std::optional<double> neginf) const {
  return tapegrad::nan_to_num(self(*this), nan, posinf, neginf);
}
Tensor& TensorMethods::expm1_() const { return tapegrad::expm1_(self(*this)); }
Tensor& TensorMethods::exp2_() const { return tapegrad::exp2_(self(*this)); }
Tensor& TensorMethods::log1p_() const { return tapegrad::log1p_(self(*this)); }
Tensor& TensorMethods::log2_() const { return tapegrad::log2_(self(*this)); }
Tensor& TensorMethods::log10_() const { return tapegrad::log10_(self(*this)); }
Tensor& TensorMethods::rsqrt_() const { return tapegrad::rsqrt_(self(*this)); }
Tensor& TensorMethods::reciprocal_() const { return tapegrad::reciprocal_(self(*this)); }
Tensor& TensorMethods::lerp_(const Tensor& end, const Scalar& weight) const {
  return tapegrad::lerp_(self(*this), end, weight);
}
Tensor& TensorMethods::lerp_(const Tensor& end, const Tensor& weight) const {
  return tapegrad::lerp_(self(*this), end, weight);
}
Tensor& TensorMethods::addcmul_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapegrad::addcmul_(self(*this), a, b, value);
}
Tensor& TensorMethods::addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapegrad::addcdiv_(self(*this), a, b, value);
}
Tensor& TensorMethods::sin_() const { return tapegrad::sin_(self(*this)); }
Tensor& TensorMethods::cos_() const { return tapegrad::cos_(self(*this)); }
Tensor& TensorMethods::tan_() const { return tapegrad::tan_(self(*this)); }
Tensor& TensorMethods::asin_() const { return tapegrad::asin_(self(*this)); }
Tensor& TensorMethods::acos_() const { return tapegrad::acos_(self(*this)); }
Tensor& TensorMethods::atan_() const { return tapegrad::atan_(self(*this)); }
Tensor& TensorMethods::sinh_() const { return tapegrad::sinh_(self(*this)); }
Tensor& TensorMethods::cosh_() const { return tapegrad::cosh_(self(*this)); }
Tensor& TensorMethods::asinh_() const { return tapegrad::asinh_(self(*this)); }
Tensor& TensorMethods::acosh_() const { return tapegrad::acosh_(self(*this)); }
Tensor& TensorMethods::atanh_() const { return tapegrad::atanh_(self(*this)); }
Tensor& TensorMethods::atan2_(const Tensor& other) const { return tapegrad::atan2_(self(*this), other); }
Tensor& TensorMethods::hypot_(const Tensor& other) const { return tapegrad::hypot_(self(*this), other); }
Tensor& TensorMethods::erf_() const { return tapegrad::erf_(self(*this)); }
Tensor& TensorMethods::erfc_() const { return tapegrad::erfc_(self(*this)); }
Tensor& TensorMethods::erfinv_() const { return tapegrad::erfinv_(self(*this)); }
Tensor& TensorMethods::lgamma_() const { return tapegrad::lgamma_(self(*this)); }
Tensor& TensorMethods::digamma_() const { return tapegrad::digamma_(self(*this)); }
Tensor& TensorMethods::polygamma_(int64_t n) const { return tapegrad::polygamma_(self(*this), n); }
Tensor& TensorMethods::floor_() const { return tapegrad::floor_(self(*this)); }
Tensor& TensorMethods::ceil_() const { return tapegrad::ceil_(self(*this)); }
Tensor& TensorMethods::trunc_() const { return tapegrad::trunc_(self(*this)); }
Tensor& TensorMethods::frac_() const { return tapegrad::frac_(self(*this)); }
Tensor& TensorMethods::round_(int64_t decimals) const { return tapegrad::round_(self(*this), decimals); }
Tensor& TensorMethods::fmod_(const Tensor& other) const { return tapegrad::fmod_(self(*this), other); }
Tensor& TensorMethods::fmod_(const Scalar& other) const { return tapegrad::fmod_(self(*this), other); }
Tensor& TensorMethods::remainder_(const Tensor& other) const { return tapegrad::remainder_(self(*this), other); }
Tensor& TensorMethods::remainder_(const Scalar& other) const { return tapegrad::remainder_(self(*this), other); }
Tensor& TensorMethods::nan_to_num_(std::optional<double> nan, std::optional<double> posinf,
                                   std::optional<double> neginf) const {
  return tapegrad::nan_to_num_(self(*this), nan, posinf, neginf);
}

}  // namespace tapegrad

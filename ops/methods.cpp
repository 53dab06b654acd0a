// The methods of Tensor, each the free function of its name; and assignment through an expression.
#include "tapegrad/core/tensor_methods.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/rectifier.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/select.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

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
Tensor TensorMethods::softmax(int64_t dim) const { return tapegrad::softmax(self(*this), dim); }
Tensor TensorMethods::log_softmax(int64_t dim) const { return tapegrad::log_softmax(self(*this), dim); }
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
bool TensorMethods::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return tapegrad::allclose(self(*this), other, rtol, atol, equal_nan);
}
bool TensorMethods::equal(const Tensor& other) const { return tapegrad::equal(self(*this), other); }
Tensor TensorMethods::sum(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return tapegrad::sum(self(*this), dim, keepdim, dtype);
}
Tensor TensorMethods::sum(DType dtype) const { return tapegrad::sum(self(*this), dtype); }
Tensor TensorMethods::mean(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return tapegrad::mean(self(*this), dim, keepdim, dtype);
}
Tensor TensorMethods::mean(DType dtype) const { return tapegrad::mean(self(*this), dtype); }
Tensor TensorMethods::max() const { return tapegrad::max(self(*this)); }
std::tuple<Tensor, Tensor> TensorMethods::max(int64_t dim, bool keepdim) const {
  return tapegrad::max(self(*this), dim, keepdim);
}
Tensor TensorMethods::max(const Tensor& other) const { return tapegrad::max(self(*this), other); }
Tensor TensorMethods::min() const { return tapegrad::min(self(*this)); }
std::tuple<Tensor, Tensor> TensorMethods::min(int64_t dim, bool keepdim) const {
  return tapegrad::min(self(*this), dim, keepdim);
}
Tensor TensorMethods::min(const Tensor& other) const { return tapegrad::min(self(*this), other); }
Tensor TensorMethods::argmax(std::optional<int64_t> dim, bool keepdim) const {
  return tapegrad::argmax(self(*this), dim, keepdim);
}
Tensor TensorMethods::argmin(std::optional<int64_t> dim, bool keepdim) const {
  return tapegrad::argmin(self(*this), dim, keepdim);
}
Tensor TensorMethods::amax(IntArrayRef dim, bool keepdim) const { return tapegrad::amax(self(*this), dim, keepdim); }
Tensor TensorMethods::amin(IntArrayRef dim, bool keepdim) const { return tapegrad::amin(self(*this), dim, keepdim); }
Tensor TensorMethods::logsumexp(IntArrayRef dim, bool keepdim) const {
  return tapegrad::logsumexp(self(*this), dim, keepdim);
}
Tensor TensorMethods::norm(const Scalar& p) const { return tapegrad::norm(self(*this), p); }
Tensor TensorMethods::norm(const Scalar& p, IntArrayRef dim, bool keepdim) const {
  return tapegrad::norm(self(*this), p, dim, keepdim);
}
Tensor TensorMethods::mm(const Tensor& other) const { return tapegrad::mm(self(*this), other); }
Tensor TensorMethods::bmm(const Tensor& other) const { return tapegrad::bmm(self(*this), other); }
Tensor TensorMethods::matmul(const Tensor& other) const { return tapegrad::matmul(self(*this), other); }
Tensor TensorMethods::view(IntArrayRef sizes) const { return tapegrad::view(self(*this), sizes); }
Tensor TensorMethods::view_as(const Tensor& other) const { return tapegrad::view_as(self(*this), other); }
Tensor TensorMethods::reshape(IntArrayRef sizes) const { return tapegrad::reshape(self(*this), sizes); }
Tensor TensorMethods::flatten(int64_t start_dim, int64_t end_dim) const {
  return tapegrad::flatten(self(*this), start_dim, end_dim);
}
Tensor TensorMethods::transpose(int64_t dim0, int64_t dim1) const {
  return tapegrad::transpose(self(*this), dim0, dim1);
}
Tensor TensorMethods::permute(IntArrayRef dims) const { return tapegrad::permute(self(*this), dims); }
Tensor TensorMethods::t() const { return tapegrad::t(self(*this)); }
Tensor TensorMethods::squeeze() const { return tapegrad::squeeze(self(*this)); }
Tensor TensorMethods::squeeze(int64_t dim) const { return tapegrad::squeeze(self(*this), dim); }
Tensor TensorMethods::squeeze(IntArrayRef dims) const { return tapegrad::squeeze(self(*this), dims); }
Tensor TensorMethods::unsqueeze(int64_t dim) const { return tapegrad::unsqueeze(self(*this), dim); }
Tensor TensorMethods::expand(IntArrayRef sizes) const { return tapegrad::expand(self(*this), sizes); }
Tensor TensorMethods::expand_as(const Tensor& other) const { return tapegrad::expand_as(self(*this), other); }
Tensor TensorMethods::select(int64_t dim, int64_t index) const { return tapegrad::select(self(*this), dim, index); }
Tensor TensorMethods::slice(int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) const {
  return tapegrad::slice(self(*this), dim, start, end, step);
}
Tensor TensorMethods::narrow(int64_t dim, int64_t start, int64_t length) const {
  return tapegrad::narrow(self(*this), dim, start, length);
}
Tensor TensorMethods::contiguous() const { return tapegrad::contiguous(self(*this)); }
Tensor TensorMethods::clone() const { return tapegrad::clone(self(*this)); }
Tensor TensorMethods::operator[](int64_t index) const { return tapegrad::select(self(*this), 0, index); }
Tensor TensorMethods::operator[](const Tensor& index) const {
  return tapegrad::index(self(*this), {TensorIndex(index)});
}
Tensor TensorMethods::index(std::initializer_list<TensorIndex> indices) const {
  return tapegrad::index(self(*this), indices);
}
Tensor TensorMethods::index(const std::vector<TensorIndex>& indices) const {
  return tapegrad::index(self(*this), indices);
}
Tensor TensorMethods::index_put(std::initializer_list<TensorIndex> indices, const Tensor& values,
                                bool accumulate) const {
  return tapegrad::index_put(self(*this), indices, values, accumulate);
}
Tensor TensorMethods::index_put(std::initializer_list<TensorIndex> indices, const Scalar& value,
                                bool accumulate) const {
  return tapegrad::index_put(self(*this), indices, value, accumulate);
}
Tensor TensorMethods::index_put(const std::vector<TensorIndex>& indices, const Tensor& values, bool accumulate) const {
  return tapegrad::index_put(self(*this), indices, values, accumulate);
}
Tensor TensorMethods::index_put(const std::vector<TensorIndex>& indices, const Scalar& value, bool accumulate) const {
  return tapegrad::index_put(self(*this), indices, value, accumulate);
}
Tensor& TensorMethods::index_put_(std::initializer_list<TensorIndex> indices, const Tensor& values,
                                  bool accumulate) const {
  return tapegrad::index_put_(self(*this), indices, values, accumulate);
}
Tensor& TensorMethods::index_put_(std::initializer_list<TensorIndex> indices, const Scalar& value,
                                  bool accumulate) const {
  return tapegrad::index_put_(self(*this), indices, value, accumulate);
}
Tensor& TensorMethods::index_put_(const std::vector<TensorIndex>& indices, const Tensor& values,
                                  bool accumulate) const {
  return tapegrad::index_put_(self(*this), indices, values, accumulate);
}
Tensor& TensorMethods::index_put_(const std::vector<TensorIndex>& indices, const Scalar& value, bool accumulate) const {
  return tapegrad::index_put_(self(*this), indices, value, accumulate);
}
Tensor TensorMethods::to(DType dtype) const { return tapegrad::to(self(*this), dtype); }
Tensor TensorMethods::to(const TensorOptions& options) const {
  return tapegrad::to(self(*this), options.dtype_or(self(*this).dtype()));
}
Tensor TensorMethods::to(const Tensor& other) const { return tapegrad::to(self(*this), other); }
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
Tensor& TensorMethods::uniform_(double from, double to) const { return tapegrad::uniform_(self(*this), from, to); }
Tensor& TensorMethods::normal_(double mean, double std) const { return tapegrad::normal_(self(*this), mean, std); }
Tensor TensorMethods::prelu(const Tensor& weight) const { return tapegrad::prelu(self(*this), weight); }
Tensor TensorMethods::hardshrink(double lambda) const { return tapegrad::hardshrink(self(*this), lambda); }
Tensor TensorMethods::bernoulli() const { return tapegrad::bernoulli(self(*this)); }
Tensor TensorMethods::bernoulli(double p) const { return tapegrad::bernoulli(self(*this), p); }
Tensor& TensorMethods::bernoulli_(double p) const { return tapegrad::bernoulli_(self(*this), p); }
Tensor& TensorMethods::bernoulli_(const Tensor& p) const { return tapegrad::bernoulli_(self(*this), p); }
Tensor TensorMethods::multinomial(int64_t num_samples, bool replacement) const {
  return tapegrad::multinomial(self(*this), num_samples, replacement);
}
std::vector<Tensor> TensorMethods::split(int64_t split_size, int64_t dim) const {
  return tapegrad::split(self(*this), split_size, dim);
}
std::vector<Tensor> TensorMethods::split(IntArrayRef split_sizes, int64_t dim) const {
  return tapegrad::split(self(*this), split_sizes, dim);
}
std::vector<Tensor> TensorMethods::split_with_sizes(IntArrayRef split_sizes, int64_t dim) const {
  return tapegrad::split_with_sizes(self(*this), split_sizes, dim);
}
std::vector<Tensor> TensorMethods::chunk(int64_t chunks, int64_t dim) const {
  return tapegrad::chunk(self(*this), chunks, dim);
}
std::vector<Tensor> TensorMethods::tensor_split(int64_t sections, int64_t dim) const {
  return tapegrad::tensor_split(self(*this), sections, dim);
}
std::vector<Tensor> TensorMethods::tensor_split(IntArrayRef indices, int64_t dim) const {
  return tapegrad::tensor_split(self(*this), indices, dim);
}
std::vector<Tensor> TensorMethods::unbind(int64_t dim) const { return tapegrad::unbind(self(*this), dim); }
Tensor TensorMethods::movedim(int64_t source, int64_t destination) const {
  return tapegrad::movedim(self(*this), source, destination);
}
Tensor TensorMethods::movedim(IntArrayRef source, IntArrayRef destination) const {
  return tapegrad::movedim(self(*this), source, destination);
}
Tensor TensorMethods::swapaxes(int64_t dim0, int64_t dim1) const { return tapegrad::swapaxes(self(*this), dim0, dim1); }
Tensor TensorMethods::diagonal(int64_t offset, int64_t dim1, int64_t dim2) const {
  return tapegrad::diagonal(self(*this), offset, dim1, dim2);
}
Tensor TensorMethods::diag_embed(int64_t offset, int64_t dim1, int64_t dim2) const {
  return tapegrad::diag_embed(self(*this), offset, dim1, dim2);
}
Tensor TensorMethods::unfold(int64_t dim, int64_t size, int64_t step) const {
  return tapegrad::unfold(self(*this), dim, size, step);
}
Tensor TensorMethods::as_strided(IntArrayRef size, IntArrayRef stride, std::optional<int64_t> storage_offset) const {
  return tapegrad::as_strided(self(*this), size, stride, storage_offset);
}
Tensor TensorMethods::repeat(IntArrayRef repeats) const { return tapegrad::repeat(self(*this), repeats); }
Tensor TensorMethods::tile(IntArrayRef dims) const { return tapegrad::tile(self(*this), dims); }
Tensor TensorMethods::repeat_interleave(int64_t repeats, std::optional<int64_t> dim,
                                        std::optional<int64_t> output_size) const {
  return tapegrad::repeat_interleave(self(*this), repeats, dim, output_size);
}
Tensor TensorMethods::repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim,
                                        std::optional<int64_t> output_size) const {
  return tapegrad::repeat_interleave(self(*this), repeats, dim, output_size);
}
Tensor TensorMethods::flip(IntArrayRef dims) const { return tapegrad::flip(self(*this), dims); }
Tensor TensorMethods::roll(IntArrayRef shifts, IntArrayRef dims) const {
  return tapegrad::roll(self(*this), shifts, dims);
}
Tensor TensorMethods::rot90(int64_t k, IntArrayRef dims) const { return tapegrad::rot90(self(*this), k, dims); }
Tensor TensorMethods::tril(int64_t diagonal) const { return tapegrad::tril(self(*this), diagonal); }
Tensor TensorMethods::triu(int64_t diagonal) const { return tapegrad::triu(self(*this), diagonal); }
Tensor& TensorMethods::tril_(int64_t diagonal) const { return tapegrad::tril_(self(*this), diagonal); }
Tensor& TensorMethods::triu_(int64_t diagonal) const { return tapegrad::triu_(self(*this), diagonal); }
Tensor TensorMethods::diag(int64_t diagonal) const { return tapegrad::diag(self(*this), diagonal); }
Tensor TensorMethods::trace() const { return tapegrad::trace(self(*this)); }
Tensor TensorMethods::gather(int64_t dim, const Tensor& index) const {
  return tapegrad::gather(self(*this), dim, index);
}
Tensor TensorMethods::scatter(int64_t dim, const Tensor& index, const Tensor& src) const {
  return tapegrad::scatter(self(*this), dim, index, src);
}
Tensor TensorMethods::scatter(int64_t dim, const Tensor& index, const Scalar& value) const {
  return tapegrad::scatter(self(*this), dim, index, value);
}
Tensor& TensorMethods::scatter_(int64_t dim, const Tensor& index, const Tensor& src) const {
  return tapegrad::scatter_(self(*this), dim, index, src);
}
Tensor& TensorMethods::scatter_(int64_t dim, const Tensor& index, const Scalar& value) const {
  return tapegrad::scatter_(self(*this), dim, index, value);
}
Tensor TensorMethods::scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const {
  return tapegrad::scatter_add(self(*this), dim, index, src);
}
Tensor& TensorMethods::scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const {
  return tapegrad::scatter_add_(self(*this), dim, index, src);
}
Tensor TensorMethods::index_select(int64_t dim, const Tensor& index) const {
  return tapegrad::index_select(self(*this), dim, index);
}
Tensor TensorMethods::index_add(int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) const {
  return tapegrad::index_add(self(*this), dim, index, source, alpha);
}
Tensor& TensorMethods::index_add_(int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) const {
  return tapegrad::index_add_(self(*this), dim, index, source, alpha);
}
Tensor TensorMethods::index_copy(int64_t dim, const Tensor& index, const Tensor& source) const {
  return tapegrad::index_copy(self(*this), dim, index, source);
}
Tensor& TensorMethods::index_copy_(int64_t dim, const Tensor& index, const Tensor& source) const {
  return tapegrad::index_copy_(self(*this), dim, index, source);
}
Tensor TensorMethods::index_fill(int64_t dim, const Tensor& index, const Scalar& value) const {
  return tapegrad::index_fill(self(*this), dim, index, value);
}
Tensor TensorMethods::index_fill(int64_t dim, const Tensor& index, const Tensor& value) const {
  return tapegrad::index_fill(self(*this), dim, index, value);
}
Tensor& TensorMethods::index_fill_(int64_t dim, const Tensor& index, const Scalar& value) const {
  return tapegrad::index_fill_(self(*this), dim, index, value);
}
Tensor& TensorMethods::index_fill_(int64_t dim, const Tensor& index, const Tensor& value) const {
  return tapegrad::index_fill_(self(*this), dim, index, value);
}
Tensor TensorMethods::take(const Tensor& index) const { return tapegrad::take(self(*this), index); }
Tensor TensorMethods::take_along_dim(const Tensor& indices, std::optional<int64_t> dim) const {
  return tapegrad::take_along_dim(self(*this), indices, dim);
}
Tensor TensorMethods::masked_fill(const Tensor& mask, const Scalar& value) const {
  return tapegrad::masked_fill(self(*this), mask, value);
}
Tensor TensorMethods::masked_fill(const Tensor& mask, const Tensor& value) const {
  return tapegrad::masked_fill(self(*this), mask, value);
}
Tensor& TensorMethods::masked_fill_(const Tensor& mask, const Scalar& value) const {
  return tapegrad::masked_fill_(self(*this), mask, value);
}
Tensor& TensorMethods::masked_fill_(const Tensor& mask, const Tensor& value) const {
  return tapegrad::masked_fill_(self(*this), mask, value);
}
Tensor TensorMethods::masked_scatter(const Tensor& mask, const Tensor& source) const {
  return tapegrad::masked_scatter(self(*this), mask, source);
}
Tensor& TensorMethods::masked_scatter_(const Tensor& mask, const Tensor& source) const {
  return tapegrad::masked_scatter_(self(*this), mask, source);
}
Tensor TensorMethods::masked_select(const Tensor& mask) const { return tapegrad::masked_select(self(*this), mask); }
Tensor TensorMethods::nonzero() const { return tapegrad::nonzero(self(*this)); }
Tensor TensorMethods::argwhere() const { return tapegrad::argwhere(self(*this)); }

Tensor& Tensor::operator=(const Tensor& src) && {
  tapegrad::copy_(*this, src);
  return *this;
}
Tensor& Tensor::operator=(Tensor&& src) && {
  tapegrad::copy_(*this, src);
  return *this;
}
Tensor& Tensor::operator=(const Scalar& value) && {
  tapegrad::fill_(*this, value);
  return *this;
}

}  // namespace tapegrad

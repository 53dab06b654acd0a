// The methods of Tensor that are not elementwise, each the free function of its name; and assignment through an expression.
#include "tapegrad/core/tensor_methods.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/order.h"
#include "tapegrad/ops/products.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/scan.h"
#include "tapegrad/ops/select.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/statistics.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {
namespace {

const Tensor& self(const TensorMethods& methods) { return static_cast<const Tensor&>(methods); }

}  // namespace

Tensor TensorMethods::softmax(int64_t dim) const { return tapegrad::softmax(self(*this), dim); }
Tensor TensorMethods::log_softmax(int64_t dim) const { return tapegrad::log_softmax(self(*this), dim); }
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
Tensor TensorMethods::prod(std::optional<DType> dtype) const { return tapegrad::prod(self(*this), dtype); }
Tensor TensorMethods::prod(int64_t dim, bool keepdim, std::optional<DType> dtype) const {
  return tapegrad::prod(self(*this), dim, keepdim, dtype);
}
Tensor TensorMethods::var(IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) const {
  return tapegrad::var(self(*this), dim, correction, keepdim);
}
Tensor TensorMethods::std(IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) const {
  return tapegrad::std(self(*this), dim, correction, keepdim);
}
Tensor TensorMethods::all(IntArrayRef dim, bool keepdim) const { return tapegrad::all(self(*this), dim, keepdim); }
Tensor TensorMethods::any(IntArrayRef dim, bool keepdim) const { return tapegrad::any(self(*this), dim, keepdim); }
Tensor TensorMethods::count_nonzero(IntArrayRef dim) const { return tapegrad::count_nonzero(self(*this), dim); }
Tensor TensorMethods::cumsum(int64_t dim, std::optional<DType> dtype) const {
  return tapegrad::cumsum(self(*this), dim, dtype);
}
Tensor TensorMethods::cumprod(int64_t dim, std::optional<DType> dtype) const {
  return tapegrad::cumprod(self(*this), dim, dtype);
}
Tensor TensorMethods::logcumsumexp(int64_t dim) const { return tapegrad::logcumsumexp(self(*this), dim); }
Tensor& TensorMethods::cumsum_(int64_t dim) const { return tapegrad::cumsum_(self(*this), dim); }
Tensor& TensorMethods::cumprod_(int64_t dim) const { return tapegrad::cumprod_(self(*this), dim); }
std::tuple<Tensor, Tensor> TensorMethods::sort(int64_t dim, bool descending) const {
  return tapegrad::sort(self(*this), dim, descending);
}
Tensor TensorMethods::argsort(int64_t dim, bool descending) const {
  return tapegrad::argsort(self(*this), dim, descending);
}
std::tuple<Tensor, Tensor> TensorMethods::topk(int64_t k, int64_t dim, bool largest, bool sorted) const {
  return tapegrad::topk(self(*this), k, dim, largest, sorted);
}
std::tuple<Tensor, Tensor> TensorMethods::kthvalue(int64_t k, int64_t dim, bool keepdim) const {
  return tapegrad::kthvalue(self(*this), k, dim, keepdim);
}
Tensor TensorMethods::median() const { return tapegrad::median(self(*this)); }
std::tuple<Tensor, Tensor> TensorMethods::median(int64_t dim, bool keepdim) const {
  return tapegrad::median(self(*this), dim, keepdim);
}
Tensor TensorMethods::addmm(const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) const {
  return tapegrad::addmm(self(*this), a, b, beta, alpha);
}
Tensor TensorMethods::baddbmm(const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) const {
  return tapegrad::baddbmm(self(*this), a, b, beta, alpha);
}
Tensor& TensorMethods::addmm_(const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) const {
  return tapegrad::addmm_(self(*this), a, b, beta, alpha);
}
Tensor& TensorMethods::baddbmm_(const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) const {
  return tapegrad::baddbmm_(self(*this), a, b, beta, alpha);
}
Tensor TensorMethods::mv(const Tensor& v) const { return tapegrad::mv(self(*this), v); }
Tensor TensorMethods::dot(const Tensor& other) const { return tapegrad::dot(self(*this), other); }
Tensor TensorMethods::outer(const Tensor& other) const { return tapegrad::outer(self(*this), other); }
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
Tensor& TensorMethods::uniform_(double from, double to) const { return tapegrad::uniform_(self(*this), from, to); }
Tensor& TensorMethods::normal_(double mean, double std) const { return tapegrad::normal_(self(*this), mean, std); }
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
Tensor TensorMethods::unflatten(int64_t dim, IntArrayRef sizes) const {
  return tapegrad::unflatten(self(*this), dim, sizes);
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

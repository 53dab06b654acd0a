// Tensor state: creation, layout, aliases, and reading one element.
#include "tapegrad/core/tensor.h"

#include <algorithm>
#include <new>

#include "tapegrad/core/launch.h"
#include "tapegrad/core/pool.h"

namespace tapegrad {

inline Ref<Storage> Storage::create(size_t bytes) {
  size_t total;
  if (__builtin_add_overflow(bytes, kStorageHeader, &total))
    throw OutOfMemoryError("allocate: " + std::to_string(bytes) + " bytes cannot be addressed");
  void* block = pool::allocate(total);
  auto* storage = new (block) Storage;
  storage->bytes_ = bytes;
  storage->data_ = static_cast<char*>(block) + kStorageHeader;
  if (detail::is_watched()) [[unlikely]]
    detail::created(storage);
  return Ref<Storage>::adopt(storage);
}

Ref<Storage> Storage::wrap(void* data, size_t bytes, Deleter deleter, void* context) {
  auto* storage = new (pool::allocate(kStorageHeader)) Storage;
  storage->bytes_ = bytes;
  storage->data_ = static_cast<char*>(data);
  storage->deleter_ = deleter;
  storage->context_ = context;
  return Ref<Storage>::adopt(storage);
}

// Not into TensorImpl::destroy, whose common case needs no registers saved.
[[gnu::noinline]] void Storage::destroy() {
  const bool own = data_ == reinterpret_cast<char*>(this) + kStorageHeader;
  const size_t total = kStorageHeader + (own ? bytes_ : 0);
  if (deleter_) deleter_(context_);
  this->~Storage();
  pool::deallocate(this, total);
}

inline TensorImpl* TensorImpl::create_here() { return new (pool::allocate(sizeof(TensorImpl))) TensorImpl; }

TensorImpl* TensorImpl::create() { return create_here(); }

void TensorImpl::destroy() noexcept {
  if (meta || node) autograd::let_go(*this);
  this->~TensorImpl();
  pool::deallocate(this, sizeof(TensorImpl));
}

namespace {

bool is_row_major(const TensorImpl& t) {
  int64_t expected = 1;
  for (int64_t i = t.sizes.size() - 1; i >= 0; --i) {
    if (t.sizes[i] == 1) continue;
    if (t.strides[i] != expected) return false;
    expected *= t.sizes[i];
  }
  return true;
}

[[noreturn, gnu::noinline]] void too_many_bytes(IntArrayRef sizes, const char* op) {
  throw ShapeError(std::string(op) + ": the number of bytes overflows 63 bits, got sizes " + to_string(sizes));
}

[[noreturn, gnu::noinline]] void no_memory(IntArrayRef sizes, DType dtype, const char* op, const char* reason) {
  throw OutOfMemoryError(std::string(op) + ": no memory for shape " + to_string(sizes) + " of " + name_of(dtype) +
                         "; " + reason);
}

// Memory for this many elements, or an error that says for which tensor there was none.
inline Ref<Storage> storage_for(IntArrayRef sizes, int64_t numel, DType dtype, const char* op) {
  int64_t bytes;
  if (__builtin_mul_overflow(numel, item_size(dtype), &bytes)) too_many_bytes(sizes, op);
  try {
    return Storage::create(static_cast<size_t>(bytes));
  } catch (const OutOfMemoryError& e) { no_memory(sizes, dtype, op, e.what()); }
}

}  // namespace

Tensor new_tensor(IntArrayRef sizes, DType dtype, const char* op) {
  const int64_t numel = numel_of(sizes, op);
  const Shape shape(sizes);
  Ref<Storage> storage = storage_for(sizes, numel, dtype, op);
  TensorImpl* t = TensorImpl::create_here();
  t->dtype = dtype;
  t->numel = numel;
  t->data = storage->data();
  t->storage = std::move(storage);
  t->strides = contiguous_strides(sizes);
  t->sizes = shape;
  return Tensor(Ref<TensorImpl>::adopt(t));
}

Tensor new_like(const Tensor& x, DType dtype) {
  const TensorImpl& from = x.state();
  Ref<Storage> storage = storage_for(from.sizes, from.numel, dtype, "empty_like");
  TensorImpl* t = TensorImpl::create_here();
  t->dtype = dtype;
  t->numel = from.numel;
  t->data = storage->data();
  t->storage = std::move(storage);
  t->sizes = from.sizes;
  // Without elements any strides count as contiguous, those of an expanded dim included.
  t->strides = from.contiguous && from.numel > 0 ? from.strides : contiguous_strides(from.sizes);
  return Tensor(Ref<TensorImpl>::adopt(t));
}

Tensor alias(const Tensor& x, const Shape& sizes, const Shape& strides, int64_t offset) {
  const TensorImpl& from = x.state();
  TensorImpl* t = TensorImpl::create_here();
  t->dtype = from.dtype;
  t->storage = from.storage;
  t->sizes = sizes;
  t->strides = strides;
  t->numel = 1;
  for (int64_t size : sizes) t->numel *= size;
  t->data = t->numel == 0 ? from.data : from.data + offset * item_size(from.dtype);
  t->contiguous = t->numel == 0 || is_row_major(*t);
  return Tensor(Ref<TensorImpl>::adopt(t));
}

Tensor alias(const Tensor& x) {
  const TensorImpl& from = x.state();
  TensorImpl* t = TensorImpl::create_here();
  t->dtype = from.dtype;
  t->storage = from.storage;
  t->sizes = from.sizes;
  t->strides = from.strides;
  t->numel = from.numel;
  t->data = from.data;
  t->contiguous = from.contiguous;
  return Tensor(Ref<TensorImpl>::adopt(t));
}

namespace {

// Whether two elements of a layout coincide, by going through them all.
bool coincide(const Tensor& x) {
  std::vector<int64_t> places{0};
  for (int64_t d = 0; d < x.dim(); ++d) {
    const size_t count = places.size();
    for (int64_t i = 1; i < x.sizes()[d]; ++i) {
      for (size_t k = 0; k < count; ++k) places.push_back(places[k] + i * x.strides()[d]);
    }
  }
  std::sort(places.begin(), places.end());
  return std::adjacent_find(places.begin(), places.end()) != places.end();
}

}  // namespace

bool has_overlap(const Tensor& x) {
  if (x.is_contiguous() || x.numel() == 0) return false;
  std::pair<int64_t, int64_t> dims[kMaxRank];  // stride and size
  int64_t rank = 0;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (x.sizes()[d] == 1) continue;
    if (x.strides()[d] == 0) return true;
    int64_t place = rank++;
    for (; place > 0 && dims[place - 1].first > x.strides()[d]; --place) dims[place] = dims[place - 1];
    dims[place] = {x.strides()[d], x.sizes()[d]};
  }
  // Where every stride, smallest first, steps over all that the smaller ones reach, nothing can coincide.
  int64_t reach = 0;
  for (int64_t d = 0; d < rank; ++d) {
    if (dims[d].first <= reach) return coincide(x);
    reach += (dims[d].second - 1) * dims[d].first;
  }
  return false;
}

int64_t Tensor::size(int64_t d) const {
  if (dim() == 0) throw IndexError("size: a 0-dim tensor has no dims, got dim " + std::to_string(d));
  return sizes()[dim_index(d, "size")];
}

int64_t Tensor::stride(int64_t d) const {
  if (dim() == 0) throw IndexError("stride: a 0-dim tensor has no dims, got dim " + std::to_string(d));
  return strides()[dim_index(d, "stride")];
}

int64_t Tensor::storage_offset() const { return (state().data - state().storage->data()) / element_size(); }

void detail::check_host_read(const char* what) {
  if (const LaunchList* list = current()) [[unlikely]]
    list->check_host_read(what);
}

void* Tensor::data_ptr() const {
  char* data = state().data;
  detail::check_host_read(
      "data_ptr() gives raw access to elements, and what is done with it a replay would not do again "
      "(do it in a launch(), which hands its kernel the pointers)");
  return data;
}

void Tensor::undefined() { throw ValueError("tensor: it must be defined, got an undefined tensor (Tensor())"); }

void Tensor::wrong_type(const char* op, DType asked) const {
  throw DTypeError(std::string(op) + ": the element type must be the tensor's, which is " + name_of(dtype()) +
                   ", got " + name_of(asked));
}

}  // namespace tapegrad

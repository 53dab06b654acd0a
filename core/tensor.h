// The tensor handle and the state it points to.
#pragma once

#include <type_traits>

#include "tapegrad/core/error.h"
#include "tapegrad/core/options.h"
#include "tapegrad/core/scalar.h"
#include "tapegrad/core/shape.h"
#include "tapegrad/core/storage.h"
#include "tapegrad/core/tensor_methods.h"

namespace tapegrad {

struct TensorImpl;
namespace autograd {
class Node;
struct GradMeta;
// The tape's part of a tensor is opaque here; a tensor that dies asks the tape to let go of it.
void let_go(TensorImpl& t) noexcept;
}  // namespace autograd

// State behind a handle: where the elements lie, how they are laid out, and the tape's marks. Library internal.
struct TAPEGRAD_API TensorImpl {
  RefCount refs;
  DType dtype = kFloat32;
  bool requires_grad = false;  // a leaf that wants a gradient
  bool contiguous = true;
  bool no_grad_view = false;  // a view taken while recording was off: never derived from its base
  uint32_t output = 0;        // which output of `node` this is
  uint32_t derived_version =
      0;  // views: version of the storage when `node` was derived; others: after a recorded write
  int64_t numel = 1;
  char* data = nullptr;  // first element
  Ref<Storage> storage;
  autograd::Node* node = nullptr;      // what computed it; owned
  autograd::GradMeta* meta = nullptr;  // gradient, hooks; owned
  Ref<TensorImpl> base;                // views: the tensor that owns the history
  Shape sizes;
  Shape strides;  // in elements

  static TensorImpl* create();
  static TensorImpl* create_here();  // the same, for inlining where it is defined
  void retain() { refs.increment(); }
  void release() {
    if (refs.decrement()) destroy();
  }
  void destroy() noexcept;
};

template <class T, int N> class TensorAccessor;

namespace detail {
// AutogradError inside a capture: `what` reads elements on the host, which a replay would not do again.
TAPEGRAD_API void check_host_read(const char* what);
}  // namespace detail

// A handle to a tensor: copies alias the same elements, gradient and place on the tape. Distinct tensors may be used by
// distinct threads; one tensor may be read, but not written, by several.
class TAPEGRAD_API Tensor : public TensorMethods {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & noexcept = default;
  // Assigning to the result of an expression writes elements: x[0] = y, x[0][1] = 3. As copy_ and fill_.
  Tensor& operator=(const Tensor& src) &&;
  Tensor& operator=(Tensor&& src) &&;
  Tensor& operator=(const Scalar& value) &&;

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const = delete;  // ask defined(), or item<bool>()
  bool is_same(const Tensor& other) const { return impl_.get() == other.impl_.get(); }

  int64_t dim() const { return state().sizes.size(); }
  int64_t ndimension() const { return dim(); }
  const Shape& sizes() const { return state().sizes; }
  const Shape& strides() const { return state().strides; }
  int64_t size(int64_t dim) const;    // IndexError
  int64_t stride(int64_t dim) const;  // in elements; IndexError
  int64_t numel() const { return state().numel; }
  DType dtype() const { return state().dtype; }
  DType scalar_type() const { return state().dtype; }
  TensorOptions options() const { return state().dtype; }
  int64_t element_size() const { return item_size(dtype()); }
  int64_t nbytes() const { return numel() * element_size(); }
  int64_t storage_offset() const;  // in elements
  bool is_contiguous() const { return state().contiguous; }
  bool is_floating_point() const { return tapegrad::is_floating_point(dtype()); }
  bool is_view() const { return static_cast<bool>(state().base); }
  // Number of in-place writes to the memory so far; views share it.
  uint32_t version() const { return state().storage->version(); }
  // Dim wrapped into [0, dim()); IndexError.
  int64_t dim_index(int64_t d, const char* op = "dim") const { return wrap_dim(d, dim(), op); }

  // First element. DTypeError when T is not the tensor's element type; AutogradError inside a capture, unless a launch of
  // the caller's own is running.
  template <class T> T* data_ptr() const {
    if (dtype_of<std::remove_const_t<T>>() != dtype()) wrong_type("data_ptr", dtype_of<std::remove_const_t<T>>());
    return static_cast<T*>(data_ptr());
  }
  void* data_ptr() const;
  // The same for the library's own kernels, which are free to ask inside a capture.
  template <class T> T* elements() const {
    if (dtype_of<std::remove_const_t<T>>() != dtype()) wrong_type("elements", dtype_of<std::remove_const_t<T>>());
    return reinterpret_cast<T*>(impl_->data);
  }
  // The same, for reading only.
  template <class T> const T* const_data_ptr() const { return data_ptr<T>(); }
  const void* const_data_ptr() const { return data_ptr(); }
  // The one element, converted. ValueError when there are several or none.
  template <class T> T item() const { return item().to<T>(); }
  Scalar item() const;
  // N-dim element access without checks of the indices: auto a = x.accessor<float, 2>(); a[i][j].
  template <class T, int N> TensorAccessor<T, N> accessor() const;

  // Autograd; see autograd/autograd.h for the functions over several tensors.
  bool requires_grad() const;
  // Makes a leaf start (or stop) collecting a gradient. AutogradError on recorded tensors and on integer dtypes.
  Tensor& requires_grad_(bool value = true);
  const Tensor& set_requires_grad(bool value) const;
  bool is_leaf() const;
  // The gradient collected by backward(); undefined before the first.
  const Tensor& grad() const;
  Tensor& mutable_grad() const;
  // The node that computed this tensor, null for leaves; grad_fn()->name().
  Ref<autograd::Node> grad_fn() const;
  uint32_t output_nr() const { return state().output; }
  // Adds the gradients of this tensor's graph to the leaves' grad(). `gradient` may be left out for one element. The
  // graph is freed unless retain_graph (by default: create_graph); create_graph records the sweep itself.
  void backward(const Tensor& gradient = {}, std::optional<bool> retain_graph = {}, bool create_graph = false) const;
  // The same memory, outside the graph.
  Tensor detach() const;
  Tensor& detach_();
  // Keeps the gradient of a recorded tensor in grad(), as for a leaf.
  void retain_grad() const;
  bool retains_grad() const;
  // fn(grad) sees, and may replace, this tensor's gradient; defined in autograd/autograd.h.
  template <class F> unsigned register_hook(F fn) const;
  void remove_hook(unsigned id) const;

  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl& state() const {
    if (!impl_) undefined();
    return *impl_;
  }
  Ref<TensorImpl> release() && { return std::move(impl_); }
  bool unique() const { return impl_ && impl_->refs.load() == 1 && impl_->storage->references() == 1; }

 private:
  [[noreturn]] static void undefined();
  [[noreturn]] void wrong_type(const char* op, DType asked) const;

  Ref<TensorImpl> impl_;
};

// The forms by a bool that must not be mistaken for a dim.
template <std::same_as<bool> B> Tensor TensorMethods::var(B unbiased) const {
  return var(IntArrayRef(), Scalar(unbiased ? 1 : 0), false);
}
template <std::same_as<bool> B> Tensor TensorMethods::var(IntArrayRef dim, B unbiased, bool keepdim) const {
  return var(dim, Scalar(unbiased ? 1 : 0), keepdim);
}
template <std::same_as<bool> B> Tensor TensorMethods::std(B unbiased) const {
  return this->std(IntArrayRef(), Scalar(unbiased ? 1 : 0), false);
}
template <::std::same_as<bool> B> Tensor TensorMethods::std(IntArrayRef dim, B unbiased, bool keepdim) const {
  return this->std(dim, Scalar(unbiased ? 1 : 0), keepdim);
}
template <Stable B> std::tuple<Tensor, Tensor> TensorMethods::sort(B, int64_t dim, bool descending) const {
  return sort(dim, descending);
}
template <Stable B> Tensor TensorMethods::argsort(B, int64_t dim, bool descending) const {
  return argsort(dim, descending);
}

// Uninitialised, contiguous; nothing of the tape. ShapeError naming `op`, OutOfMemoryError.
TAPEGRAD_API Tensor new_tensor(IntArrayRef sizes, DType dtype, const char* op = "empty");
// Uninitialised and contiguous, with the sizes of x.
TAPEGRAD_API Tensor new_like(const Tensor& x, DType dtype);
inline Tensor new_like(const Tensor& x) { return new_like(x, x.dtype()); }
// Another layout of the same memory, `offset` elements behind x's first; nothing of the tape.
TAPEGRAD_API Tensor alias(const Tensor& x, const Shape& sizes, const Shape& strides, int64_t offset);
// The same layout of the same memory; nothing of the tape.
TAPEGRAD_API Tensor alias(const Tensor& x);
// Whether two elements of x share memory (an expanded dim, overlapping windows), so that writing in place has no meaning.
TAPEGRAD_API bool has_overlap(const Tensor& x);

template <class T, int N> class TensorAccessor {
 public:
  TensorAccessor(T* data, const int64_t* sizes, const int64_t* strides)
      : data_(data), sizes_(sizes), strides_(strides) {}
  decltype(auto) operator[](int64_t i) const {
    if constexpr (N == 1) return static_cast<T&>(data_[i * strides_[0]]);
    else return TensorAccessor<T, N - 1>(data_ + i * strides_[0], sizes_ + 1, strides_ + 1);
  }
  int64_t size(int64_t dim) const { return sizes_[dim]; }

 private:
  T* data_;
  const int64_t* sizes_;
  const int64_t* strides_;
};

template <class T, int N> TensorAccessor<T, N> Tensor::accessor() const {
  if (dim() != N) throw ShapeError("accessor: wants " + std::to_string(N) + " dims, got shape " + to_string(sizes()));
  return {data_ptr<T>(), impl_->sizes.data(), impl_->strides.data()};
}

}  // namespace tapegrad

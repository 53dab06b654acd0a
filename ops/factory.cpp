// Making tensors.
#include "tapegrad/ops/factory.h"

#include <cmath>

#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

Tensor finished(const char* op, Tensor x, const TensorOptions& options) {
  if (options.requires_grad_flag()) {
    if (!x.is_floating_point())
      throw DTypeError(std::string(op) + ": only float32 and float64 tensors can require grad, got " +
                       name_of(x.dtype()));
    x.requires_grad_();
  }
  return x;
}

Tensor filled(const char* op, IntArrayRef sizes, const Scalar& value, const TensorOptions& options, DType fallback) {
  (void)numel_of(sizes, op);
  return finished(op, filled_tensor(sizes, options.dtype_or(fallback), value), options);
}

TensorOptions like(const Tensor& x, const TensorOptions& options) {
  return TensorOptions(options.dtype_or(x.dtype())).requires_grad(options.requires_grad_flag());
}

DType natural(const Scalar& value) { return value.is_floating_point() ? kFloat32 : value.dtype(); }

void check_floating(const char* op, DType dtype) {
  if (!is_floating_point(dtype))
    throw DTypeError(std::string(op) + ": the dtype must be float32 or float64, got " + name_of(dtype));
}

}  // namespace

Tensor zeros(IntArrayRef sizes, const TensorOptions& options) { return filled("zeros", sizes, 0, options, kFloat32); }
Tensor ones(IntArrayRef sizes, const TensorOptions& options) { return filled("ones", sizes, 1, options, kFloat32); }
Tensor full(IntArrayRef sizes, const Scalar& value, const TensorOptions& options) {
  return filled("full", sizes, value, options, natural(value));
}
Tensor empty(IntArrayRef sizes, const TensorOptions& options) {
  return finished("empty", new_tensor(sizes, options.dtype()), options);
}

Tensor zeros_like(const Tensor& x, const TensorOptions& options) {
  check_defined("zeros_like", x, "x");
  return zeros(x.sizes(), like(x, options));
}
Tensor ones_like(const Tensor& x, const TensorOptions& options) {
  check_defined("ones_like", x, "x");
  return ones(x.sizes(), like(x, options));
}
Tensor empty_like(const Tensor& x, const TensorOptions& options) {
  check_defined("empty_like", x, "x");
  return empty(x.sizes(), like(x, options));
}
Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options) {
  check_defined("full_like", x, "x");
  return full(x.sizes(), value, like(x, options));
}
Tensor rand_like(const Tensor& x, const TensorOptions& options) {
  check_defined("rand_like", x, "x");
  return rand(x.sizes(), like(x, options));
}
Tensor randn_like(const Tensor& x, const TensorOptions& options) {
  check_defined("randn_like", x, "x");
  return randn(x.sizes(), like(x, options));
}

Tensor arange(const Scalar& end, const TensorOptions& options) { return arange(0, end, 1, options); }
Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& options) {
  return arange(start, end, 1, options);
}

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options) {
  const double first = start.to<double>(), last = end.to<double>(), by = step.to<double>();
  if (by == 0 || (last - first) / by < 0 || !std::isfinite(first) || !std::isfinite(last))
    throw ValueError("arange: step must lead from start to end, got start " + std::to_string(first) + ", end " +
                     std::to_string(last) + ", step " + std::to_string(by));
  const bool real_values = start.is_floating_point() || end.is_floating_point() || step.is_floating_point();
  const DType dtype = options.dtype_or(real_values ? kFloat32 : kInt64);
  int64_t count;
  if (real_values) {
    count = static_cast<int64_t>(std::ceil((last - first) / by));
  } else {
    const int64_t a = start.to<int64_t>(), b = end.to<int64_t>(), s = step.to<int64_t>();
    count = (b - a) / s + ((b - a) % s != 0);
  }
  Tensor y = new_tensor(count, dtype);
  dispatch(dtype, [&]<class T>() {
    T* v = y.data_ptr<T>();
    for (int64_t i = 0; i < count; ++i)
      v[i] = real_values ? static_cast<T>(first + static_cast<double>(i) * by)
                         : static_cast<T>(start.to<int64_t>() + i * step.to<int64_t>());
  });
  return finished("arange", y, options);
}

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, const TensorOptions& options) {
  if (steps < 0) throw ValueError("linspace: steps must not be negative, got " + std::to_string(steps));
  const double first = start.to<double>(), last = end.to<double>();
  Tensor y = new_tensor(steps, options.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    T* v = y.data_ptr<T>();
    const double by = steps > 1 ? (last - first) / static_cast<double>(steps - 1) : 0;
    // From both ends, so that the last value is exactly `end` and the sequence is symmetric.
    for (int64_t i = 0; i < steps; ++i)
      v[i] = static_cast<T>(i < (steps + 1) / 2 ? first + by * static_cast<double>(i)
                                                : last - by * static_cast<double>(steps - 1 - i));
  });
  return finished("linspace", y, options);
}

Tensor eye(int64_t n, const TensorOptions& options) { return eye(n, n, options); }

Tensor eye(int64_t n, int64_t m, const TensorOptions& options) {
  Tensor y = filled("eye", {n, m}, 0, options.dtype(), kFloat32);
  fill(alias(y, {std::min(n, m)}, {m + 1}, 0), 1);
  return finished("eye", y, options);
}

Tensor rand(IntArrayRef sizes, const TensorOptions& options) { return rand(sizes, default_generator(), options); }

Tensor rand(IntArrayRef sizes, Generator& generator, const TensorOptions& options) {
  check_floating("rand", options.dtype());
  Tensor y = new_tensor(sizes, options.dtype());
  fill_uniform(y, 0, 1, generator);
  return finished("rand", y, options);
}

Tensor randn(IntArrayRef sizes, const TensorOptions& options) { return randn(sizes, default_generator(), options); }

Tensor randn(IntArrayRef sizes, Generator& generator, const TensorOptions& options) {
  check_floating("randn", options.dtype());
  Tensor y = new_tensor(sizes, options.dtype());
  fill_normal(y, 0, 1, generator);
  return finished("randn", y, options);
}

Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  return randint(0, high, sizes, options);
}

Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  if (low >= high)
    throw ValueError("randint: low must be below high, got " + std::to_string(low) + " and " + std::to_string(high));
  Tensor y = new_tensor(sizes, options.dtype_or(kInt64));
  fill_integers(y, low, high);
  return finished("randint", y, options);
}

Tensor randperm(int64_t n, const TensorOptions& options) { return randperm(n, default_generator(), options); }

Tensor randperm(int64_t n, Generator& generator, const TensorOptions& options) {
  if (n < 0) throw ValueError("randperm: n must not be negative, got " + std::to_string(n));
  Tensor y = new_tensor(n, kInt64);
  fill_permutation(y, generator);
  return finished("randperm", converted(y, options.dtype_or(kInt64)), options);
}

namespace {

Tensor wrapped(void* data, IntArrayRef sizes, IntArrayRef strides, void (*deleter)(void*),
               const TensorOptions& options) {
  if (strides.size() != sizes.size())
    throw ShapeError("from_blob: one stride per size is needed, got sizes " + to_string(sizes) + " and strides " +
                     to_string(strides));
  const int64_t count = numel_of(sizes, "from_blob");
  if (count > 0 && !data) throw ValueError("from_blob: data must not be null for sizes " + to_string(sizes));
  int64_t extent = count > 0;
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (strides[d] < 0) throw ShapeError("from_blob: strides must not be negative, got " + to_string(strides));
    int64_t reach;
    if (count > 0 &&
        (__builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) || __builtin_add_overflow(extent, reach, &extent)))
      throw ShapeError("from_blob: the memory spanned overflows 63 bits, got sizes " + to_string(sizes) +
                       " and strides " + to_string(strides));
  }
  const DType dtype = options.dtype();
  TensorImpl* t = TensorImpl::create();
  Tensor whole(Ref<TensorImpl>::adopt(t));
  t->dtype = dtype;
  t->numel = extent;
  t->sizes = Shape{extent};
  t->strides = Shape{1};
  t->data = static_cast<char*>(data);
  t->storage = Storage::wrap(data, static_cast<size_t>(extent * item_size(dtype)), deleter, data);
  return finished("from_blob", alias(whole, sizes, strides, 0), options);
}

}  // namespace

Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options) {
  return wrapped(data, sizes, contiguous_strides(sizes), nullptr, options);
}
Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  return wrapped(data, sizes, strides, nullptr, options);
}
Tensor from_blob(void* data, IntArrayRef sizes, void (*deleter)(void*), const TensorOptions& options) {
  return wrapped(data, sizes, contiguous_strides(sizes), deleter, options);
}

TensorData::TensorData(std::initializer_list<TensorData> list) : dtype_(kBool), scalar_(false) {
  sizes_.push_back(static_cast<int64_t>(list.size()));
  if (list.size() == 0) {
    dtype_ = kFloat32;
    return;
  }
  const Shape& inner = list.begin()->sizes();
  for (const TensorData& part : list) {
    if (!(IntArrayRef(part.sizes()) == IntArrayRef(inner)))
      throw ShapeError("tensor: all rows must have one shape, got " + to_string(inner) + " and " +
                       to_string(part.sizes()));
    dtype_ = promote_types(dtype_, part.dtype());
    const int64_t count = part.is_scalar() ? 1 : static_cast<int64_t>(part.values_.size());
    for (int64_t i = 0; i < count; ++i) values_.push_back(part.value(i));
  }
  for (int64_t size : inner) sizes_.push_back(size);
}

Tensor tensor(const TensorData& data, const TensorOptions& options) {
  const DType natural_dtype = is_floating_point(data.dtype()) ? kFloat32 : data.dtype();
  Tensor y = new_tensor(data.sizes(), options.dtype_or(natural_dtype));
  dispatch(y.dtype(), [&]<class T>() {
    T* v = y.data_ptr<T>();
    for (int64_t i = 0; i < y.numel(); ++i) v[i] = data.value(i).to<T>();
  });
  return finished("tensor", y, options);
}

}  // namespace tapegrad

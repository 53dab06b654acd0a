// Making tensors.
#include "tapegrad/ops/factory.h"

#include <cmath>
#include <limits>

#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

void check_requires_grad(const char* op, DType dtype, const TensorOptions& options) {
  if (options.requires_grad_flag() && !is_floating_point(dtype))
    throw DTypeError(std::string(op) + ": only float32 and float64 tensors can require grad, got " + name_of(dtype));
}

Tensor finished(const char* op, Tensor x, const TensorOptions& options) {
  check_requires_grad(op, x.dtype(), options);
  if (options.requires_grad_flag()) x.requires_grad_();
  return x;
}

Tensor filled(const char* op, IntArrayRef sizes, const Scalar& value, const TensorOptions& options, DType fallback) {
  return finished(op, filled_tensor(sizes, options.dtype_or(fallback), value, op), options);
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
Tensor randint_like(const Tensor& x, int64_t high, const TensorOptions& options) {
  return randint_like(x, 0, high, options);
}
Tensor randint_like(const Tensor& x, int64_t low, int64_t high, const TensorOptions& options) {
  check_defined("randint_like", x, "x");
  return randint(low, high, x.sizes(), like(x, options));
}

Tensor arange(const Scalar& end, const TensorOptions& options) { return arange(0, end, 1, options); }
Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& options) {
  return arange(start, end, 1, options);
}

namespace {

// start + i step for i in [0, count), computed in int64 or double.
struct Range {
  Scalar start, step;
  int64_t count = 0;
  Scalar at(int64_t i) const {
    if (start.is_floating_point()) return start.to<double>() + static_cast<double>(i) * step.to<double>();
    const auto wrapped = static_cast<uint64_t>(i) * static_cast<uint64_t>(step.to<int64_t>());
    return static_cast<int64_t>(static_cast<uint64_t>(start.to<int64_t>()) + wrapped);
  }
};

[[noreturn]] void bad_range(const std::string& rule, const std::string& start, const std::string& end,
                            const std::string& step) {
  throw ValueError("arange: " + rule + ", got start " + start + ", end " + end + ", step " + step);
}

const char* const kWrongWay = "step must lead from start to end";
const char* const kTooMany = "the number of elements must fit 63 bits";

Range real_range(double start, double end, double step) {
  const auto fail = [&](const char* rule) {
    bad_range(rule, std::to_string(start), std::to_string(end), std::to_string(step));
  };
  if (!std::isfinite(start) || !std::isfinite(end) || !std::isfinite(step)) fail("start, end and step must be finite");
  if (step == 0 || (end - start) / step < 0) fail(kWrongWay);
  const double count = std::ceil((end - start) / step);
  if (!(count < 0x1p63)) fail(kTooMany);
  return {start, step, static_cast<int64_t>(count)};
}

Range integer_range(int64_t start, int64_t end, int64_t step) {
  const auto fail = [&](const char* rule) {
    bad_range(rule, std::to_string(start), std::to_string(end), std::to_string(step));
  };
  if (step == 0 || (step > 0 ? start > end : start < end)) fail(kWrongWay);
  // Distances of int64 fit uint64.
  const auto distance = [](int64_t low, int64_t high) {
    return static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  };
  const uint64_t span = step > 0 ? distance(start, end) : distance(end, start);
  const uint64_t by = step > 0 ? distance(0, step) : distance(step, 0);
  const uint64_t count = span / by + (span % by != 0);
  if (count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) fail(kTooMany);
  return {start, step, static_cast<int64_t>(count)};
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options) {
  const bool real_values = start.is_floating_point() || end.is_floating_point() || step.is_floating_point();
  const Range range = real_values ? real_range(start.to<double>(), end.to<double>(), step.to<double>())
                                  : integer_range(start.to<int64_t>(), end.to<int64_t>(), step.to<int64_t>());
  const DType dtype = options.dtype_or(real_values ? kFloat32 : kInt64);
  check_requires_grad("arange", dtype, options);
  if (range.count > 0) {
    check_fits("arange", range.at(0), dtype);
    check_fits("arange", range.at(range.count - 1), dtype);
  }
  Tensor y = new_tensor(range.count, dtype, "arange");
  dispatch(dtype, [&]<class T>() {
    T* v = y.elements<T>();
    for (int64_t i = 0; i < range.count; ++i) v[i] = range.at(i).to<T>();
  });
  written_on_host(y, "arange");
  return finished("arange", y, options);
}

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, const TensorOptions& options) {
  if (steps < 0) throw ValueError("linspace: steps must not be negative, got " + std::to_string(steps));
  if (steps > 0) check_fits("linspace", start, options.dtype());
  if (steps > 1) check_fits("linspace", end, options.dtype());
  const double first = start.to<double>(), last = end.to<double>();
  Tensor y = new_tensor(steps, options.dtype(), "linspace");
  dispatch(y.dtype(), [&]<class T>() {
    T* v = y.elements<T>();
    const double by = steps > 1 ? (last - first) / static_cast<double>(steps - 1) : 0;
    // From both ends, so that the last value is exactly `end` and the sequence is symmetric.
    for (int64_t i = 0; i < steps; ++i)
      v[i] = static_cast<T>(i < (steps + 1) / 2 ? first + by * static_cast<double>(i)
                                                : last - by * static_cast<double>(steps - 1 - i));
  });
  written_on_host(y, "linspace");
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
  Tensor y = new_tensor(sizes, options.dtype(), "rand");
  fill_uniform(y, 0, 1, generator);
  return finished("rand", y, options);
}

Tensor randn(IntArrayRef sizes, const TensorOptions& options) { return randn(sizes, default_generator(), options); }

Tensor randn(IntArrayRef sizes, Generator& generator, const TensorOptions& options) {
  check_floating("randn", options.dtype());
  Tensor y = new_tensor(sizes, options.dtype(), "randn");
  fill_normal(y, 0, 1, generator);
  return finished("randn", y, options);
}

Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  return randint(0, high, sizes, options);
}

Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  if (low >= high)
    throw ValueError("randint: low must be below high, got " + std::to_string(low) + " and " + std::to_string(high));
  Tensor y = new_tensor(sizes, options.dtype_or(kInt64), "randint");
  fill_integers(y, low, high);
  return finished("randint", y, options);
}

Tensor randperm(int64_t n, const TensorOptions& options) { return randperm(n, default_generator(), options); }

Tensor randperm(int64_t n, Generator& generator, const TensorOptions& options) {
  if (n < 0) throw ValueError("randperm: n must not be negative, got " + std::to_string(n));
  if (n > 0) check_fits("randperm", n - 1, options.dtype_or(kInt64));
  Tensor y = new_tensor(n, kInt64, "randperm");
  fill_permutation(y, generator);
  return finished("randperm", converted(y, options.dtype_or(kInt64)), options);
}

namespace {

// All that can be wrong is found before the memory is taken over.
void check_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  check_requires_grad("from_blob", options.dtype(), options);
  if (strides.size() != sizes.size())
    throw ShapeError("from_blob: one stride per size is needed, got sizes " + to_string(sizes) + " and strides " +
                     to_string(strides));
  const int64_t count = numel_of(sizes, "from_blob");
  if (count > 0 && !data) throw ValueError("from_blob: data must not be null for sizes " + to_string(sizes));
  for (int64_t stride : strides) {
    if (stride < 0) throw ValueError("from_blob: strides must not be negative, got " + to_string(strides));
  }
}

// Elements from the first to the last.
int64_t extent_of(IntArrayRef sizes, IntArrayRef strides, DType dtype) {
  if (numel_of(sizes, "from_blob") == 0) return 0;
  int64_t extent = 1, reach, bytes;
  bool overflow = false;
  for (int64_t d = 0; d < sizes.size(); ++d)
    overflow |=
        __builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) || __builtin_add_overflow(extent, reach, &extent);
  if (overflow || __builtin_mul_overflow(extent, item_size(dtype), &bytes))
    throw ShapeError("from_blob: the memory spanned overflows 63 bits, got sizes " + to_string(sizes) +
                     " and strides " + to_string(strides));
  return extent;
}

}  // namespace

Tensor detail::lent_tensor(void* data, IntArrayRef sizes, IntArrayRef strides, void (*give_back)(void* context),
                           void* context, const TensorOptions& options) {
  check_blob(data, sizes, strides, options);
  const DType dtype = options.dtype();
  const int64_t extent = extent_of(sizes, strides, dtype);
  TensorImpl* t = TensorImpl::create();
  const Tensor whole(Ref<TensorImpl>::adopt(t));
  t->dtype = dtype;
  t->data = static_cast<char*>(data);
  Tensor y = alias(whole, sizes, strides, 0);
  // Last, as from here on give_back will run.
  y.impl()->storage = Storage::wrap(data, static_cast<size_t>(extent * item_size(dtype)), give_back, context);
  return finished("from_blob", std::move(y), options);
}

Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options) {
  return from_blob(data, sizes, nullptr, options);
}
Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  return detail::lent_tensor(data, sizes, strides, nullptr, nullptr, options);
}
Tensor from_blob(void* data, IntArrayRef sizes, void (*deleter)(void*), const TensorOptions& options) {
  check_rank(sizes.size(), "from_blob");
  return detail::lent_tensor(data, sizes, contiguous_strides(sizes), deleter, data, options);
}

TensorData::TensorData(std::initializer_list<TensorData> list) : dtype_(kBool), scalar_(false) {
  sizes_.push_back(static_cast<int64_t>(list.size()));
  if (list.size() > 0) check_rank(1 + list.begin()->sizes().size(), "tensor");
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
  Tensor y = new_tensor(data.sizes(), options.dtype_or(natural_dtype), "tensor");
  for (int64_t i = 0; i < y.numel(); ++i) check_fits("tensor", data.value(i), y.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    T* v = y.elements<T>();
    for (int64_t i = 0; i < y.numel(); ++i) v[i] = data.value(i).to<T>();
  });
  written_on_host(y, "tensor");
  return finished("tensor", y, options);
}

}  // namespace tapegrad

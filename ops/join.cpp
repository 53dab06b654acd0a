// Joining, copying and converting tensors.
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad {
namespace {

// y = x in memory of its own;  dx = dy
struct Clone {
  static constexpr const char* name = "clone";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& x) { return clone_of(x); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

// y = the inputs one after the other along dim;  dx_i = its part of dy
struct Cat {
  static constexpr const char* name = "cat";
  static constexpr bool takes_bfloat16 = true;
  int64_t dim;
  std::vector<int64_t> lengths{};
  Tensor forward(const std::vector<Tensor>& x) {
    Shape sizes = x[0].sizes();
    sizes[dim] = 0;
    for (const Tensor& part : x) {
      lengths.push_back(part.sizes()[dim]);
      sizes[dim] += lengths.back();
    }
    const Tensor y = new_tensor(sizes, x[0].dtype());
    int64_t at = 0;
    for (const Tensor& part : x) {
      copy(alias(y, part.sizes(), y.strides(), at * y.strides()[dim]), part, name);
      at += part.sizes()[dim];
    }
    return y;
  }
  Grads backward(const Tensor& dy) const {
    Grads dx(static_cast<int64_t>(lengths.size()));
    int64_t at = 0;
    for (int64_t i = 0; i < dx.size(); ++i) {
      const int64_t length = lengths[static_cast<size_t>(i)];
      if (autograd::needs(i)) dx[i] = narrow(dy, dim, at, length);
      at += length;
    }
    return dx;
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor* known = nullptr;
    for (const Tensor& part : dx) {
      if (part.defined()) known = &part;
    }
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < dx.size(); ++i) {
      Shape sizes = known->sizes();
      sizes[dim] = lengths[static_cast<size_t>(i)];
      parts.push_back(dx[i].defined() ? dx[i] : filled_tensor(sizes, known->dtype(), 0));
    }
    return cat(parts, dim);
  }
};

// x = the elements of src;  dx = zeros, dsrc = dy
struct Copy {
  static constexpr const char* name = "copy_";
  static constexpr bool takes_bfloat16 = true;
  Tensor forward(const Tensor&, const Tensor& src, const Tensor& out) {
    copy(out, src, name);
    return out;
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? filled_tensor(dy.sizes(), dy.dtype(), 0) : Tensor(), Tensor(dy)};
  }
  Tensor tangent(const Grads& dx) const { return dx[1]; }
};

// x = what Source writes there, whatever it held;  dx = zeros
template <class Source> struct Overwrite {
  static constexpr const char* name = Source::name;
  static constexpr bool takes_bfloat16 = true;
  Source source;
  Tensor forward(const Tensor&, const Tensor& out) {
    source.write(out);
    return out;
  }
  Grads backward(const Tensor& dy) const { return {filled_tensor(dy.sizes(), dy.dtype(), 0)}; }
  Tensor tangent(const Tensor&) const { return {}; }
};

struct Number {
  static constexpr const char* name = "fill_";
  Scalar value;
  void write(const Tensor& out) const { fill(out, value, name); }
};

struct Zeros {
  static constexpr const char* name = "zero_";
  void write(const Tensor& out) const { fill(out, 0, name); }
};

struct Uniform {
  static constexpr const char* name = "uniform_";
  double from, to;
  Generator generator;
  void write(const Tensor& out) { fill_uniform(out, from, to, generator); }
};

struct Normal {
  static constexpr const char* name = "normal_";
  double mean, std;
  Generator generator;
  void write(const Tensor& out) { fill_normal(out, mean, std, generator); }
};

template <class Source> Tensor& overwrite(const Tensor& x, Source source) {
  return apply_in_place(Overwrite<Source>{std::move(source)}, x);
}

// x = src, which broadcasts to x and is converted.
Tensor& copied_into(const char* op, const Tensor& x, const Tensor& src) {
  const bool records = GradMode::is_enabled() && src.requires_grad() && x.is_floating_point();
  // An integer x takes the values and leaves src's history behind.
  const Tensor& values = GradMode::is_enabled() ? src.detach() : src;
  return apply_in_place_as(op, Copy{}, x, records ? operand(src, x.dtype(), x.sizes()) : values);
}

bool is_legacy_empty(const Tensor& x) { return x.dim() == 1 && x.numel() == 0; }

void check_cat_sizes(const Tensor& first, const Tensor& part, size_t i, int64_t dim) {
  bool fits = first.dim() == part.dim();
  for (int64_t d = 0; fits && d < first.dim(); ++d) fits = d == dim || first.sizes()[d] == part.sizes()[d];
  if (!fits)
    throw ShapeError("cat: all sizes but that of dim " + std::to_string(dim) + " must agree, tensor 0 is " +
                     to_string(first.sizes()) + " and tensor " + std::to_string(i) + " is " + to_string(part.sizes()));
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty()) throw ValueError("cat: at least one tensor is needed, got none");
  DType dtype = kBool;
  for (const Tensor& x : tensors) {
    check_defined("cat", x, "every tensor");
    if (x.dim() == 0) throw ShapeError("cat: 0-dim tensors have no dim to join along (use stack())");
    dtype = promote_types(dtype, x.dtype());
  }
  // As in PyTorch an empty vector joins anything.
  std::vector<Tensor> parts;
  for (const Tensor& x : tensors) {
    if (!is_legacy_empty(x)) parts.push_back(x.dtype() == dtype ? x : to(x, dtype));
  }
  if (parts.empty()) return clone(to(tensors[0], dtype));
  const int64_t d = parts[0].dim_index(dim, "cat");
  for (size_t i = 1; i < parts.size(); ++i) check_cat_sizes(parts[0], parts[i], i, d);
  return apply_list(Cat{.dim = d}, parts);
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty()) throw ValueError("stack: at least one tensor is needed, got none");
  for (const Tensor& x : tensors) check_defined("stack", x, "every tensor");
  const int64_t d = wrap_new_dim(dim, tensors[0].dim(), "stack");
  std::vector<Tensor> parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!same_sizes(tensors[0], tensors[i]))
      throw ShapeError("stack: all tensors must have one shape, tensor 0 is " + to_string(tensors[0].sizes()) +
                       " and tensor " + std::to_string(i) + " is " + to_string(tensors[i].sizes()));
    parts.push_back(unsqueeze(tensors[i], d));
  }
  return cat(parts, d);
}

Tensor contiguous(const Tensor& x) {
  check_defined("contiguous", x, "x");
  return x.is_contiguous() ? x : apply(Clone{}, x);
}

Tensor clone(const Tensor& x) {
  check_defined("clone", x, "x");
  return apply(Clone{}, x);
}

Tensor to(const Tensor& x, DType dtype) {
  check_defined("to", x, "x");
  return autograd::detail::cast(x, dtype);
}

Tensor to(const Tensor& x, const Tensor& other) {
  check_defined("to", other, "other");
  return to(x, other.dtype());
}

Tensor& copy_(const Tensor& x, const Tensor& src) {
  check_defined("copy_", x, "x");
  check_defined("copy_", src, "src");
  if (!(IntArrayRef(broadcast_shapes(x.sizes(), src.sizes(), "copy_")) == IntArrayRef(x.sizes())))
    throw ShapeError("copy_: the source must broadcast to the destination, got source " + to_string(src.sizes()) +
                     " and destination " + to_string(x.sizes()));
  return copied_into("copy_", x, src);
}

Tensor& fill_(const Tensor& x, const Scalar& value) {
  check_defined("fill_", x, "x");
  check_fits("fill_", value, x.dtype());
  return overwrite(x, Number{value});
}

Tensor& fill_(const Tensor& x, const Tensor& value) {
  check_defined("fill_", x, "x");
  check_defined("fill_", value, "value");
  if (value.dim() != 0)
    throw ShapeError("fill_: the value must be a number or a 0-dim tensor, got shape " + to_string(value.sizes()));
  return copied_into("fill_", x, value);
}

Tensor& zero_(const Tensor& x) {
  check_defined("zero_", x, "x");
  return overwrite(x, Zeros{});
}

Tensor& uniform_(const Tensor& x, double from, double to, Generator& generator) {
  check_defined("uniform_", x, "x");
  check_uniform(x, from, to);
  return overwrite(x, Uniform{from, to, generator});
}

Tensor& normal_(const Tensor& x, double mean, double std, Generator& generator) {
  check_defined("normal_", x, "x");
  check_normal(x, std);
  return overwrite(x, Normal{mean, std, generator});
}

}  // namespace tapegrad

// batch_norm, instance_norm, layer_norm, group_norm, rms_norm.
#include "tapegrad/ops/normalization.h"

#include <limits>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/normalization.h"
#include "tapegrad/ops/math.h"
#include "tapegrad/ops/normalization_parts.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/reduce_parts.h"
#include "tapegrad/ops/statistics.h"

namespace tapegrad {
namespace {

using autograd::needs;
using kernels::Norm;

Tensor as_blocks(const Tensor& t, const Norm& norm) {
  return reshape(t, {norm.n, norm.groups, norm.channels, norm.inner});
}
// Of one element per channel, or where statistics are given per group.
Tensor per_channel(const Tensor& t, const Norm& norm) { return reshape(t, {1, norm.groups, norm.channels, 1}); }

// The rules written with operations, over what an operation has saved.
struct Rule {
  const Norm& norm;
  const Shape &sizes, &affine;
  const SavedInput &x, &weight, &mean, &var;

  Shape dims() const { return norm.across ? Shape{0, 3} : Shape{2, 3}; }
  Tensor averaged(const Tensor& t) const { return tapegrad::mean(t, dims(), true); }
  Tensor weighted(const Tensor& t) const { return weight.defined() ? t * per_channel(*weight, norm) : t; }

  // h = (x - m) r
  struct Standardized {
    Tensor h, r;
  };
  Standardized standardized() const {
    Standardized s;
    if (norm.given) {
      s.r = rsqrt(per_channel(*var, norm) + norm.eps);
      if (x.defined()) s.h = (as_blocks(*x, norm) - per_channel(*mean, norm)) * s.r;
      return s;
    }
    const Tensor v = as_blocks(*x, norm);
    s.r = rsqrt((norm.centred ? tapegrad::var(v, dims(), 0, true) : averaged(square(v))) + norm.eps);
    s.h = (norm.centred ? v - averaged(v) : v) * s.r;
    return s;
  }
  // The derivative of h by x, which is symmetric: h's change along g, and the gradient by x of <g, h>.
  Tensor through(const Standardized& s, const Tensor& g) const {
    if (norm.given) return g * s.r;
    const Tensor rest = g - s.h * averaged(g * s.h);
    return (norm.centred ? rest - averaged(g) : rest) * s.r;
  }

  Grads backward(const Tensor& cotangent) const {
    const Tensor dy = as_blocks(cotangent, norm);
    const Standardized s = needs(0) || needs(1) ? standardized() : Standardized{};
    const auto over_samples = [&](const Tensor& t) { return reshape(sum(t, {0, 3}), affine); };
    return {needs(0) ? reshape(through(s, weighted(dy)), sizes) : Tensor(),
            needs(1) ? over_samples(dy * s.h) : Tensor(), needs(2) ? over_samples(dy) : Tensor()};
  }
  Grads backward_fused(const char* name, const Tensor& dy) const {
    if (!x.defined()) return backward(dy);
    const auto held = [](const SavedInput& s) { return s.defined() ? *s : Tensor(); };
    const kernels::NormGradients d =
        kernels::normalize_backward(name, norm, dy, *x, held(weight), held(mean), *var, needs(1), needs(2));
    const auto shaped = [&](const Tensor& t) { return t.defined() && affine.size() != 1 ? reshape(t, affine) : t; };
    return {needs(0) ? d.x : Tensor(), shaped(d.weight), shaped(d.bias)};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor dy;
    const auto add = [&](const Tensor& term) { dy = dy.defined() ? dy + term : term; };
    const Standardized s = dx[0].defined() || dx[1].defined() ? standardized() : Standardized{};
    if (dx[0].defined()) add(weighted(through(s, as_blocks(dx[0], norm))));
    if (dx[1].defined()) add(s.h * per_channel(dx[1], norm));
    if (dx[2].defined()) add(per_channel(dx[2], norm));
    return reshape(expand(dy, {norm.n, norm.groups, norm.channels, norm.inner}), sizes);
  }
};

enum class Kind { batch, instance, layer, group, rms };
constexpr const char* kNames[] = {"batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"};

// y = h w + b, h = (x - m) / sqrt(v + eps);  with g = dy w: dx = r (g - mean g - h mean(g h)), dw = sum dy h, db = sum dy
template <Kind kKind> struct Normalization {
  static constexpr const char* name = kNames[static_cast<int>(kKind)];
  static constexpr bool optional_inputs = true;
  Norm norm;
  Shape sizes, affine;  // of x; of weight and bias
  RunningStatistics running{};
  SavedInput x{"x"}, weight{"weight"}, mean{"mean"}, var{"var"};
  Tensor forward(const Tensor& v, const Tensor& w, const Tensor& b) {
    x.save(v, needs(1) || (needs(0) && !norm.given));
    weight.save(w, needs(0));
    Tensor m = norm.given ? running.mean : Tensor(), square = norm.given ? running.var : Tensor();
    Tensor y = kernels::normalize(name, norm, v, w, b, m, square);
    mean.save(m, needs(0) || needs(1));
    var.save(square, needs(0) || needs(1));
    if (!norm.given && running.mean.defined() && y.numel() > 0)
      kernels::move_running(name, norm, m, square, running.mean, running.var, running.batches, running.momentum);
    return y;
  }
  Rule rule() const { return {norm, sizes, affine, x, weight, mean, var}; }
  Grads backward(const Tensor& dy) const { return rule().backward(dy); }
  Grads backward_fused(const Tensor& dy) const { return rule().backward_fused(name, dy); }
  Tensor tangent(const Grads& dx) const { return rule().tangent(dx); }
};

// float32 and bfloat16 go together.
void check_dtype(const char* op, const char* argument, const Tensor& t, const Tensor& x) {
  const auto computed = [](const Tensor& v) { return v.dtype() == kBFloat16 ? kFloat32 : v.dtype(); };
  if (computed(t) != computed(x))
    throw DTypeError(std::string(op) + ": " + argument + " must have x's dtype, got " + argument + " " +
                     name_of(t.dtype()) + " and x " + name_of(x.dtype()));
}

void check_per_channel(const char* op, const char* argument, const Tensor& t, const Tensor& x) {
  if (!t.defined()) return;
  check_dtype(op, argument, t, x);
  if (t.dim() != 1 || t.sizes()[0] != x.sizes()[1])
    throw ShapeError(std::string(op) + ": " + argument + " must have one element per channel, got " + argument + " " +
                     to_string(t.sizes()) + " and x " + to_string(x.sizes()));
}

void check_input(const char* op, const Tensor& x, double eps) {
  check_defined(op, x, "x");
  check_floating(op, x);
  if (!(eps >= 0)) throw ValueError(std::string(op) + ": eps must not be negative, got " + std::to_string(eps));
}

// x is [N, C, ...] of at least this many dims, with weight and bias per channel.
void check_channels(const char* op, const Tensor& x, int64_t least, const Tensor& weight, const Tensor& bias,
                    double eps) {
  check_input(op, x, eps);
  if (x.dim() < least)
    throw ShapeError(std::string(op) + ": x must be " + (least == 2 ? "[N, C] or " : "") + "[N, C, ...], got shape " +
                     to_string(x.sizes()));
  check_per_channel(op, "weight", weight, x);
  check_per_channel(op, "bias", bias, x);
}

// Whether two vectors have an element in common; those that lie between each other's have none.
bool share_elements(const Tensor& a, const Tensor& b) {
  if (a.impl()->storage.get() != b.impl()->storage.get()) return false;
  const auto *p = static_cast<const char*>(a.impl()->data), *q = static_cast<const char*>(b.impl()->data);
  for (int64_t i = 0, j = 0; i < a.numel() && j < b.numel();) {
    if (p == q) return true;
    if (p < q) ++i, p += a.strides()[0] * a.element_size();
    else ++j, q += b.strides()[0] * b.element_size();
  }
  return false;
}

void check_running(const char* op, const Tensor& x, const RunningStatistics& running, bool own_statistics) {
  const bool mean = running.mean.defined(), var = running.var.defined();
  if (mean != var)
    throw ValueError(std::string(op) + ": running_mean and running_var must both be defined or neither, got only " +
                     (mean ? "running_mean" : "running_var"));
  if (!own_statistics && !mean)
    throw ValueError(
        std::string(op) +
        ": running_mean and running_var must be defined where the input's own statistics are not used, got "
        "undefined tensors (Tensor())");
  check_per_channel(op, "running_mean", running.mean, x);
  check_per_channel(op, "running_var", running.var, x);
  if (!own_statistics || !mean) return;
  autograd::detail::check_in_place(op, running.mean);
  autograd::detail::check_in_place(op, running.var);
  if (share_elements(running.mean, running.var))
    throw ValueError(std::string(op) + ": running_mean and running_var must not share elements, got two of one memory");
}

void check_several(const char* op, const Tensor& x, int64_t values) {
  if (values == 1)
    throw ValueError(std::string(op) + ": its own statistics need more than 1 value per channel, got x of shape " +
                     to_string(x.sizes()));
}

// The running statistics as kernels take them.
Tensor as_computed(const Tensor& t, const Tensor& x) {
  if (!t.defined()) return t;
  return converted(contiguous_of(t.detach()), x.dtype() == kBFloat16 ? kFloat32 : x.dtype());
}
void write_back(const char* op, const Tensor& t, const Tensor& computed) {
  if (!t.defined() || t.impl()->data == computed.impl()->data) return;
  copy(t, computed, op);
  t.impl()->storage->bump_version();
}

template <Kind kKind>
Tensor with_running(const Norm& norm, const Tensor& x, const RunningStatistics& running, const Tensor& weight,
                    const Tensor& bias) {
  RunningStatistics computed = running;
  computed.mean = as_computed(running.mean, x);
  computed.var = as_computed(running.var, x);
  const Tensor y =
      apply(Normalization<kKind>{.norm = norm, .sizes = x.sizes(), .affine = {x.sizes()[1]}, .running = computed}, x,
            weight, bias);
  if (norm.given) return y;
  write_back(kNames[static_cast<int>(kKind)], running.mean, computed.mean);
  write_back(kNames[static_cast<int>(kKind)], running.var, computed.var);
  return y;
}

int64_t elements_from(const Shape& sizes, int64_t dim) {
  int64_t n = 1;
  for (int64_t d = dim; d < sizes.size(); ++d) n *= sizes[d];
  return n;
}

// Over the last dims.
Norm last_dims(const char* op, const Tensor& x, IntArrayRef shape, const Tensor& weight, const Tensor& bias,
               double eps) {
  check_input(op, x, eps);
  const int64_t lead = x.dim() - shape.size();
  bool fits = lead >= 0 && shape.size() > 0;
  for (int64_t d = 0; fits && d < shape.size(); ++d) fits = shape[d] == x.sizes()[lead + d];
  if (!fits)
    throw ShapeError(std::string(op) + ": normalized_shape must be the last sizes of x, at least one, got " +
                     to_string(shape) + " and x " + to_string(x.sizes()));
  const auto check = [&](const char* argument, const Tensor& t) {
    if (!t.defined()) return;
    check_dtype(op, argument, t, x);
    if (!(IntArrayRef(t.sizes()) == shape))
      throw ShapeError(std::string(op) + ": " + argument + " must have the shape normalized_shape, got " + argument +
                       " " + to_string(t.sizes()) + " and " + to_string(shape));
  };
  check("weight", weight);
  check("bias", bias);
  const int64_t length = elements_from(x.sizes(), lead);
  Norm norm{.n = 1, .groups = 1, .channels = length, .inner = 1, .eps = eps};
  for (int64_t d = 0; d < lead; ++d) norm.n *= x.sizes()[d];
  if (!weight.defined() && !bias.defined()) std::swap(norm.channels, norm.inner);
  return norm;
}

}  // namespace

Tensor normalized_channels(const Tensor& x, const RunningStatistics& running, const Tensor& weight, const Tensor& bias,
                           bool training, double eps) {
  constexpr const char* name = kNames[static_cast<int>(Kind::batch)];
  check_channels(name, x, 2, weight, bias, eps);
  check_running(name, x, running, training);
  const Norm norm{.n = x.sizes()[0],
                  .groups = x.sizes()[1],
                  .channels = 1,
                  .inner = elements_from(x.sizes(), 2),
                  .eps = eps,
                  .across = true,
                  .given = !training};
  if (training) check_several(name, x, norm.terms());
  return with_running<Kind::batch>(norm, x, running, weight, bias);
}

Tensor normalized_instances(const Tensor& x, const RunningStatistics& running, const Tensor& weight, const Tensor& bias,
                            bool use_input_stats, double eps) {
  constexpr const char* name = kNames[static_cast<int>(Kind::instance)];
  check_channels(name, x, 3, weight, bias, eps);
  check_running(name, x, running, use_input_stats);
  const Norm norm{.n = x.sizes()[0],
                  .groups = x.sizes()[1],
                  .channels = 1,
                  .inner = elements_from(x.sizes(), 2),
                  .eps = eps,
                  .across = !use_input_stats,
                  .given = !use_input_stats};
  if (use_input_stats) check_several(name, x, norm.inner);
  return with_running<Kind::instance>(norm, x, running, weight, bias);
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps) {
  return normalized_channels(x, {running_mean, running_var, {}, momentum}, weight, bias, training, eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, bool use_input_stats, double momentum, double eps) {
  return normalized_instances(x, {running_mean, running_var, {}, momentum}, weight, bias, use_input_stats, eps);
}

Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  const Norm norm = last_dims("layer_norm", x, normalized_shape, weight, bias, eps);
  return apply(Normalization<Kind::layer>{.norm = norm, .sizes = x.sizes(), .affine = normalized_shape}, x, weight,
               bias);
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps) {
  constexpr const char* name = kNames[static_cast<int>(Kind::group)];
  check_channels(name, x, 2, weight, bias, eps);
  const int64_t channels = x.sizes()[1];
  if (num_groups < 1 || channels % num_groups != 0)
    throw ShapeError(std::string(name) + ": num_groups must be positive and divide the channels, got " +
                     std::to_string(num_groups) + " and " + std::to_string(channels) + " channels of x " +
                     to_string(x.sizes()));
  Norm norm{.n = x.sizes()[0],
            .groups = num_groups,
            .channels = channels / num_groups,
            .inner = elements_from(x.sizes(), 2),
            .eps = eps};
  // Without weights a group is one run of memory.
  if (!weight.defined() && !bias.defined()) norm.inner *= std::exchange(norm.channels, 1);
  return apply(Normalization<Kind::group>{.norm = norm, .sizes = x.sizes(), .affine = {channels}}, x, weight, bias);
}

Tensor rms_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight, std::optional<double> eps) {
  const bool wide = x.defined() && x.dtype() == kFloat64;
  const double least = wide ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  Norm norm = last_dims("rms_norm", x, normalized_shape, weight, {}, eps.value_or(least));
  norm.centred = false;
  return apply(Normalization<Kind::rms>{.norm = norm, .sizes = x.sizes(), .affine = normalized_shape}, x, weight,
               Tensor());
}

}  // namespace tapegrad

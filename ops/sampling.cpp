// dropout and its kin, bernoulli, multinomial, normal.
#include "tapegrad/ops/sampling.h"

#include <cmath>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/sampling.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Map;

namespace {

enum class Drop { elements, features, alpha, feature_alpha };
constexpr const char* kDropNames[] = {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"};
constexpr double kSeluLimit = -1.7580993408473766;

// [N, C, 1, ...] for x [N, C, ...]
Shape feature_sizes(Shape sizes) {
  for (int64_t d = 2; d < sizes.size(); ++d) sizes[d] = 1;
  return sizes;
}

// y = x m, or (x - k) m + c for alpha, m = 0 or what is kept is multiplied by;  dx = dy m
template <Drop kDrop> struct Dropout {
  static constexpr const char* name = kDropNames[static_cast<int>(kDrop)];
  static constexpr bool elementwise = true;
  static constexpr bool takes_bfloat16 = false;  // the mask is drawn in float32
  static constexpr bool alpha = kDrop == Drop::alpha || kDrop == Drop::feature_alpha;
  static constexpr bool features = kDrop == Drop::features || kDrop == Drop::feature_alpha;
  double p;
  Generator generator;
  uint64_t seed = 0, draw = 0;  // of the mask
  SavedInput mask{"mask"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) {
    seed = generator.seed(), draw = generator.draw();
    const double kept = alpha ? 1 / std::sqrt((1 - p) * (1 + p * kSeluLimit * kSeluLimit)) : 1 / (1 - p);
    const Tensor m = new_tensor(features ? feature_sizes(x.sizes()) : x.sizes(), x.dtype());
    kernels::keep_mask(name, m, p, kept, generator);
    mask.save(m);
    if (!alpha || p == 1) return kernels::binary(name, Map::mul, x, m, out);
    const Tensor moved = kernels::binary_scalar(name, Map::sub, x, kSeluLimit, out);
    const Tensor low = filled_tensor(IntArrayRef(), x.dtype(), kSeluLimit * kept * (1 - p), name);
    return kernels::ternary(name, Map::mul_add, moved, m, low, moved);
  }
  Grads backward(const Tensor& dy) const { return {dy * *mask}; }
  // From now on forward draws the same mask.
  void repeat() {
    generator = Generator(seed);
    generator.set_draw(draw);
  }
};

void check_floating(const char* op, const char* argument, const Tensor& x) {
  check_defined(op, x, argument);
  if (!x.is_floating_point())
    throw DTypeError(std::string(op) + ": " + argument + " must be float32 or float64, got " + name_of(x.dtype()) +
                     " (did you mean " + argument + ".to(kFloat32)?)");
}

// Whether anything is to be dropped.
bool drops(const char* op, const Tensor& x, double p, bool training, bool features) {
  check_defined(op, x, "x");
  if (!(p >= 0 && p <= 1)) throw ValueError(std::string(op) + ": p must lie in [0, 1], got " + std::to_string(p));
  if (features && x.dim() < 2)
    throw ShapeError(std::string(op) + ": x must be [N, C, ...], got shape " + to_string(x.sizes()));
  if (!training || p == 0) return false;
  check_floating(op, "x", x);
  return true;
}

template <Drop kDrop> Tensor dropped(const Tensor& x, double p, bool training, Generator& generator) {
  using Op = Dropout<kDrop>;
  if (!drops(Op::name, x, p, training, Op::features)) return x;
  return apply(Op{.p = p, .generator = generator}, x);
}

template <Drop kDrop> Tensor& dropped_in_place(const Tensor& x, double p, bool training, Generator& generator) {
  using Op = Dropout<kDrop>;
  if (!drops(in_place_name<Op>, x, p, training, Op::features)) return const_cast<Tensor&>(x);
  return apply_in_place(Op{.p = p, .generator = generator}, x);
}

void check_samples(const Tensor& weights, int64_t num_samples, bool replacement) {
  check_floating("multinomial", "weights", weights);
  if (weights.dim() != 1 && weights.dim() != 2)
    throw ShapeError("multinomial: weights must be [C] or [N, C], got shape " + to_string(weights.sizes()));
  if (num_samples < 1)
    throw ValueError("multinomial: num_samples must be at least 1, got " + std::to_string(num_samples));
  const int64_t classes = weights.sizes()[weights.dim() - 1];
  if (classes == 0)
    throw ShapeError("multinomial: there must be a category to draw, got weights " + to_string(weights.sizes()));
  if (!replacement && num_samples > classes)
    throw ValueError("multinomial: without replacement num_samples must not exceed the number of categories, got " +
                     std::to_string(num_samples) + " and " + std::to_string(classes) +
                     " (did you mean replacement = true?)");
}

void check_std(double std) {
  if (!(std >= 0)) throw ValueError("normal: std must not be negative, got " + std::to_string(std));
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped<Drop::elements>(x, p, training, generator);
}
Tensor& dropout_(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped_in_place<Drop::elements>(x, p, training, generator);
}
Tensor feature_dropout(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped<Drop::features>(x, p, training, generator);
}
Tensor& feature_dropout_(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped_in_place<Drop::features>(x, p, training, generator);
}
Tensor alpha_dropout(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped<Drop::alpha>(x, p, training, generator);
}
Tensor& alpha_dropout_(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped_in_place<Drop::alpha>(x, p, training, generator);
}
Tensor feature_alpha_dropout(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped<Drop::feature_alpha>(x, p, training, generator);
}
Tensor& feature_alpha_dropout_(const Tensor& x, double p, bool training, Generator& generator) {
  return dropped_in_place<Drop::feature_alpha>(x, p, training, generator);
}

Tensor bernoulli(const Tensor& p, Generator& generator) {
  check_floating("bernoulli", "p", p);
  const Tensor y = new_tensor(p.sizes(), kBool);
  kernels::bernoulli("bernoulli", y, contiguous_of(p), generator);
  return converted(y, p.dtype());
}

Tensor bernoulli(const Tensor& x, double p, Generator& generator) {
  check_defined("bernoulli", x, "x");
  const Tensor y = new_tensor(x.sizes(), kBool);
  kernels::bernoulli("bernoulli", y, p, generator);
  return converted(y, x.dtype());
}

Tensor& bernoulli_(const Tensor& x, double p, Generator& generator) {
  check_defined("bernoulli_", x, "x");
  autograd::detail::check_in_place("bernoulli_", x);
  const Tensor y = new_tensor(x.sizes(), kBool);
  kernels::bernoulli("bernoulli_", y, p, generator);
  return copy_(x, y);
}

Tensor& bernoulli_(const Tensor& x, const Tensor& p, Generator& generator) {
  check_defined("bernoulli_", x, "x");
  check_floating("bernoulli_", "p", p);
  if (!(IntArrayRef(broadcast_shapes(x.sizes(), p.sizes(), "bernoulli_")) == IntArrayRef(x.sizes())))
    throw ShapeError("bernoulli_: p must broadcast to x, got p " + to_string(p.sizes()) + " and x " +
                     to_string(x.sizes()));
  autograd::detail::check_in_place("bernoulli_", x);
  const Tensor y = new_tensor(x.sizes(), kBool);
  kernels::bernoulli("bernoulli_", y, contiguous_of(expand(p.detach(), x.sizes())), generator);
  return copy_(x, y);
}

Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement, Generator& generator) {
  check_samples(weights, num_samples, replacement);
  const bool batch = weights.dim() == 2;
  const Tensor w = contiguous_of(converted(weights.detach(), kFloat64));
  const int64_t rows = batch ? w.sizes()[0] : 1;
  const Tensor y = new_tensor({rows, num_samples}, kInt64);
  kernels::multinomial("multinomial", batch ? w : view(w, {1, w.numel()}), y, replacement, generator);
  return batch ? y : view(y, num_samples);
}

Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator) {
  check_floating("normal", "mean", mean);
  check_floating("normal", "std", std);
  const Shape shape = broadcast_shapes(mean.sizes(), std.sizes(), "normal");
  kernels::check_not_negative("normal", "std", std);
  const DType dtype = result_type(mean, std);
  const Tensor y = new_tensor(shape, dtype);
  fill_normal(y, 0, 1, generator);
  return kernels::ternary("normal", Map::mul_add, y, converted(std, dtype), converted(mean, dtype), y);
}

Tensor normal(const Tensor& mean, double std, Generator& generator) {
  check_floating("normal", "mean", mean);
  check_std(std);
  const Tensor y = new_tensor(mean.sizes(), mean.dtype());
  fill_normal(y, 0, std, generator);
  return kernels::binary("normal", Map::add, y, mean, y);
}

Tensor normal(double mean, const Tensor& std, Generator& generator) {
  check_floating("normal", "std", std);
  return normal(filled_tensor(IntArrayRef(), std.dtype(), mean), std, generator);
}

Tensor normal(double mean, double std, IntArrayRef sizes, const TensorOptions& options) {
  return normal(mean, std, sizes, default_generator(), options);
}

Tensor normal(double mean, double std, IntArrayRef sizes, Generator& generator, const TensorOptions& options) {
  check_std(std);
  const DType dtype = options.dtype_or(kFloat32);
  if (!is_floating_point(dtype))
    throw DTypeError(std::string("normal: a floating dtype is needed, got ") + name_of(dtype));
  Tensor y = new_tensor(sizes, dtype);
  fill_normal(y, mean, std, generator);
  if (options.requires_grad_flag()) y.requires_grad_();
  return y;
}

}  // namespace tapegrad

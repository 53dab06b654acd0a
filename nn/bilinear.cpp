// Layers of two inputs or several pieces.
#include "tapegrad/nn/bilinear.h"

#include <cmath>

#include "tapegrad/nn/init.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/products.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {
namespace {

void check_not_negative(const char* layer, std::initializer_list<int64_t> sizes) {
  for (const int64_t size : sizes) {
    if (size < 0) throw ValueError(std::string(layer) + ": sizes must not be negative, got " + std::to_string(size));
  }
}

// U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for both.
void draw(const Tensor& weight, const Tensor& bias, int64_t fan_in) {
  const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
  if (weight.numel() > 0) init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}

}  // namespace

Bilinear::Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features, const BilinearOptions& options) {
  check_not_negative("Bilinear", {in1_features, in2_features, out_features});
  weight = register_parameter("weight", new_tensor({out_features, in1_features, in2_features}, kFloat32));
  if (options.bias) bias = register_parameter("bias", new_tensor({out_features}, kFloat32));
  reset_parameters();
}

void Bilinear::reset_parameters() { draw(weight, bias, weight.size(1)); }

Tensor Bilinear::forward(const Tensor& a, const Tensor& b) const { return bilinear(a, b, weight, bias); }

std::string Bilinear::extra_repr() const {
  return "in1_features=" + std::to_string(weight.size(1)) + ", in2_features=" + std::to_string(weight.size(2)) +
         ", out_features=" + std::to_string(weight.size(0)) + ", bias=" + (bias.defined() ? "true" : "false");
}

Maxout::Maxout(int64_t in_features, int64_t out_features, const MaxoutOptions& options) : pieces_(options.pieces) {
  check_not_negative("Maxout", {in_features, out_features});
  if (pieces_ < 1) throw ValueError("Maxout: at least one piece is needed, got " + std::to_string(pieces_));
  weight = register_parameter("weight", new_tensor({pieces_ * out_features, in_features}, kFloat32));
  if (options.bias) bias = register_parameter("bias", new_tensor({pieces_ * out_features}, kFloat32));
  reset_parameters();
}

void Maxout::reset_parameters() { draw(weight, bias, weight.size(1)); }

Tensor Maxout::forward(const Tensor& x) const {
  const Tensor y = linear(x, weight, bias);
  Shape sizes = y.sizes();
  sizes[sizes.size() - 1] = pieces_;
  sizes.push_back(weight.size(0) / pieces_);
  return amax(reshape(y, sizes), -2);
}

std::string Maxout::extra_repr() const {
  return "in_features=" + std::to_string(weight.size(1)) +
         ", out_features=" + std::to_string(weight.size(0) / pieces_) + ", pieces=" + std::to_string(pieces_) +
         ", bias=" + (bias.defined() ? "true" : "false");
}

}  // namespace tapegrad::nn

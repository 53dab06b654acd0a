// Start values of parameters.
#include "tapegrad/nn/init.h"

#include <cmath>

#include "tapegrad/autograd/state.h"

namespace tapegrad::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const char* op, const Tensor& t) {
  if (!t.defined()) throw ValueError(std::string(op) + ": t must be defined, got an undefined tensor (Tensor())");
  if (t.dim() < 2)
    throw ValueError(std::string(op) + ": fan in and fan out need two or more dims, got shape " + to_string(t.sizes()));
  double kernel = 1;
  for (int64_t d = 2; d < t.dim(); ++d) kernel *= static_cast<double>(t.size(d));
  return {static_cast<double>(t.size(1)) * kernel, static_cast<double>(t.size(0)) * kernel};
}

double kaiming_std(const char* op, const Tensor& t, double a, FanMode mode, Nonlinearity nonlinearity) {
  const Fans fans = fans_of(op, t);
  return calculate_gain(nonlinearity, a) / std::sqrt(mode == kFanIn ? fans.in : fans.out);
}

double xavier_std(const char* op, const Tensor& t, double gain) {
  const Fans fans = fans_of(op, t);
  return gain * std::sqrt(2 / (fans.in + fans.out));
}

}  // namespace

double calculate_gain(Nonlinearity nonlinearity, double param) {
  switch (nonlinearity) {
    case Nonlinearity::Tanh: return 5.0 / 3;
    case Nonlinearity::ReLU: return std::sqrt(2.0);
    case Nonlinearity::LeakyReLU: return std::sqrt(2 / (1 + param * param));
    case Nonlinearity::SELU: return 0.75;
    default: return 1;
  }
}

Tensor uniform_(Tensor t, double low, double high) {
  NoGradGuard no_grad;
  return t.uniform_(low, high);
}

Tensor normal_(Tensor t, double mean, double std) {
  NoGradGuard no_grad;
  return t.normal_(mean, std);
}

Tensor constant_(Tensor t, const Scalar& value) {
  NoGradGuard no_grad;
  return t.fill_(value);
}

Tensor zeros_(Tensor t) { return constant_(std::move(t), 0); }
Tensor ones_(Tensor t) { return constant_(std::move(t), 1); }

// A uniform variable on (-b, b) has the standard deviation b / sqrt(3). Without elements there is nothing to draw, and
// the fans may be 0.
Tensor xavier_uniform_(Tensor t, double gain) {
  const double bound = std::sqrt(3.0) * xavier_std("xavier_uniform_", t, gain);
  return t.numel() == 0 ? t : uniform_(t, -bound, bound);
}

Tensor xavier_normal_(Tensor t, double gain) {
  const double std = xavier_std("xavier_normal_", t, gain);
  return t.numel() == 0 ? t : normal_(t, 0, std);
}

Tensor kaiming_uniform_(Tensor t, double a, FanMode mode, Nonlinearity nonlinearity) {
  const double bound = std::sqrt(3.0) * kaiming_std("kaiming_uniform_", t, a, mode, nonlinearity);
  return t.numel() == 0 ? t : uniform_(t, -bound, bound);
}

Tensor kaiming_normal_(Tensor t, double a, FanMode mode, Nonlinearity nonlinearity) {
  const double std = kaiming_std("kaiming_normal_", t, a, mode, nonlinearity);
  return t.numel() == 0 ? t : normal_(t, 0, std);
}

}  // namespace tapegrad::nn::init

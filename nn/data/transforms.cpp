// The arithmetic of normalisation.
#include "tapegrad/nn/data/transforms.h"

#include <cmath>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::data::transforms::detail {

Normalization::Normalization(std::vector<double> mean, std::vector<double> std)
    : mean_(std::move(mean)), std_(std::move(std)) {
  if (mean_.empty() || mean_.size() != std_.size())
    throw ValueError("Normalize: mean and std must have as many values, at least one, got " +
                     std::to_string(mean_.size()) + " and " + std::to_string(std_.size()));
  for (size_t i = 0; i < mean_.size(); ++i) {
    if (!std::isfinite(mean_[i]) || !std::isfinite(std_[i]) || !(std_[i] > 0))
      throw ValueError("Normalize: mean must be finite, std finite and positive, got " + std::to_string(mean_[i]) +
                       " and " + std::to_string(std_[i]) + " for channel " + std::to_string(i));
  }
}

Tensor Normalization::operator()(const Tensor& x, int64_t channel_dim) const {
  if (mean_.size() == 1) return x.sub(Scalar(mean_[0])).div_(Scalar(std_[0]));
  const auto channels = static_cast<int64_t>(mean_.size());
  if (x.dim() <= channel_dim || x.size(channel_dim) != channels)
    throw ShapeError("Normalize: dim " + std::to_string(channel_dim) + " must be the " + std::to_string(channels) +
                     " channels that mean and std are for, got shape " + to_string(x.sizes()));
  const DType dtype = x.is_floating_point() ? x.dtype() : kFloat32;
  Shape sizes = Shape::filled(x.dim() - channel_dim, 1);
  sizes[0] = channels;
  const Tensor mean = tensor(mean_, dtype).view(sizes), std = tensor(std_, dtype).view(sizes);
  return x.sub(mean).div_(std);
}

}  // namespace tapegrad::data::transforms::detail

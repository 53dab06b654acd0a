// Pooling as modules; what they compute is said in ops/pool.h. No parameters. The options' errors come from forward.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::nn {

template <size_t N> struct MaxPoolOptions {
  ExpandingArray<N> kernel_size;
  OptionalArray<N> stride = {};  // kernel_size where it is not given
  ExpandingArray<N> padding = 0;
  ExpandingArray<N> dilation = 1;
  bool ceil_mode = false;
};
using MaxPool1dOptions = MaxPoolOptions<1>;
using MaxPool2dOptions = MaxPoolOptions<2>;
using MaxPool3dOptions = MaxPoolOptions<3>;

// y = the largest element of each window. forward_with_indices also gives where each was.
class TAPEGRAD_API MaxPool1d final : public Cloneable<MaxPool1d> {
 public:
  explicit MaxPool1d(const MaxPool1dOptions& options) : options_(options) {}
  explicit MaxPool1d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  MaxPool1dOptions options_;
};
class TAPEGRAD_API MaxPool2d final : public Cloneable<MaxPool2d> {
 public:
  explicit MaxPool2d(const MaxPool2dOptions& options) : options_(options) {}
  explicit MaxPool2d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  MaxPool2dOptions options_;
};
class TAPEGRAD_API MaxPool3d final : public Cloneable<MaxPool3d> {
 public:
  explicit MaxPool3d(const MaxPool3dOptions& options) : options_(options) {}
  explicit MaxPool3d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  MaxPool3dOptions options_;
};

struct MaxUnpool2dOptions {
  ExpandingArray<2> kernel_size;
  OptionalArray<2> stride = {};
  ExpandingArray<2> padding = 0;
};
// y = 0 with x put where indices say, those of MaxPool2d::forward_with_indices.
class TAPEGRAD_API MaxUnpool2d final : public Cloneable<MaxUnpool2d> {
 public:
  explicit MaxUnpool2d(const MaxUnpool2dOptions& options) : options_(options) {}
  explicit MaxUnpool2d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x, const Tensor& indices, IntArrayRef output_size = {}) const;
  std::string extra_repr() const override;

 private:
  MaxUnpool2dOptions options_;
};

template <size_t N> struct AvgPoolOptions {
  ExpandingArray<N> kernel_size;
  OptionalArray<N> stride = {};
  ExpandingArray<N> padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<int64_t> divisor_override = {};
};
using AvgPool2dOptions = AvgPoolOptions<2>;
using AvgPool3dOptions = AvgPoolOptions<3>;
struct AvgPool1dOptions {
  ExpandingArray<1> kernel_size;
  OptionalArray<1> stride = {};
  ExpandingArray<1> padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

// y = the mean of each window
class TAPEGRAD_API AvgPool1d final : public Cloneable<AvgPool1d> {
 public:
  explicit AvgPool1d(const AvgPool1dOptions& options) : options_(options) {}
  explicit AvgPool1d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  AvgPool1dOptions options_;
};
class TAPEGRAD_API AvgPool2d final : public Cloneable<AvgPool2d> {
 public:
  explicit AvgPool2d(const AvgPool2dOptions& options) : options_(options) {}
  explicit AvgPool2d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  AvgPool2dOptions options_;
};
class TAPEGRAD_API AvgPool3d final : public Cloneable<AvgPool3d> {
 public:
  explicit AvgPool3d(const AvgPool3dOptions& options) : options_(options) {}
  explicit AvgPool3d(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  AvgPool3dOptions options_;
};

}  // namespace tapegrad::nn

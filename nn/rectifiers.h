// ReLU and its kin, bounds and thresholds as modules; what they compute is said in ops/activation.h and ops/rectifier.h.
// `inplace` writes the result over the input.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct ReLUOptions {
  bool inplace = false;
};
// y = max(x, 0)
class TAPEGRAD_API ReLU final : public Cloneable<ReLU> {
 public:
  explicit ReLU(const ReLUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ReLUOptions options_;
};

struct LeakyReLUOptions {
  double negative_slope = 0.01;
  bool inplace = false;
};
// y = x where x > 0, else negative_slope x
class TAPEGRAD_API LeakyReLU final : public Cloneable<LeakyReLU> {
 public:
  explicit LeakyReLU(const LeakyReLUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  LeakyReLUOptions options_;
};

struct ELUOptions {
  double alpha = 1;
  bool inplace = false;
};
// y = x where x > 0, else alpha (e^x - 1)
class TAPEGRAD_API ELU final : public Cloneable<ELU> {
 public:
  explicit ELU(const ELUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ELUOptions options_;
};

struct SELUOptions {
  bool inplace = false;
};
// y = s x where x > 0, else s a (e^x - 1), with the constants that keep mean and variance
class TAPEGRAD_API SELU final : public Cloneable<SELU> {
 public:
  explicit SELU(const SELUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  SELUOptions options_;
};

struct CELUOptions {
  double alpha = 1;
  bool inplace = false;
};
// y = x where x > 0, else alpha (e^(x / alpha) - 1)
class TAPEGRAD_API CELU final : public Cloneable<CELU> {
 public:
  explicit CELU(const CELUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  CELUOptions options_;
};

struct HardtanhOptions {
  double min_val = -1;
  double max_val = 1;
  bool inplace = false;
};
// y = min(max(x, min_val), max_val). ValueError unless min_val < max_val.
class TAPEGRAD_API Hardtanh final : public Cloneable<Hardtanh> {
 public:
  explicit Hardtanh(const HardtanhOptions& options = {});
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  HardtanhOptions options_;
};

struct ReLU6Options {
  bool inplace = false;
};
// y = min(max(x, 0), 6)
class TAPEGRAD_API ReLU6 final : public Cloneable<ReLU6> {
 public:
  explicit ReLU6(const ReLU6Options& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ReLU6Options options_;
};

struct ThresholdOptions {
  bool inplace = false;
};
// y = x where x > threshold, else value
class TAPEGRAD_API Threshold final : public Cloneable<Threshold> {
 public:
  Threshold(double threshold, double value, const ThresholdOptions& options = {})
      : threshold_(threshold), value_(value), options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  double threshold_, value_;
  ThresholdOptions options_;
};

struct PReLUOptions {
  int64_t num_parameters = 1;  // 1, or one per index along dim 1 of the input
  double init = 0.25;
};
// y = x where x > 0, else weight x. ValueError for num_parameters below 1.
class TAPEGRAD_API PReLU final : public Cloneable<PReLU> {
 public:
  explicit PReLU(const PReLUOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;

 private:
  double init_;
};

}  // namespace tapegrad::nn

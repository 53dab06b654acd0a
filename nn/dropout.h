// Dropout as a module.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct DropoutOptions {
  double p = 0.5;
  bool inplace = false;
};
// Drops elements while the module is training, from the default generator. ValueError for p outside [0, 1].
class TAPEGRAD_API Dropout : public Cloneable<Dropout> {
 public:
  explicit Dropout(const DropoutOptions& options = {});
  explicit Dropout(double p) : Dropout(DropoutOptions{.p = p}) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  DropoutOptions options_;
};

}  // namespace tapegrad::nn

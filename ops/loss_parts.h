// What the losses share: the total over elements, and the wording of shapes that do not fit. Internal.
#pragma once

#include "tapegrad/ops/kernels/loss.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {

inline kernels::Total total_of(Reduction reduction) {
  if (reduction == kNone) return kernels::Total::each;
  return reduction == kMean ? kernels::Total::mean : kernels::Total::sum;
}

inline Tensor totalled(const Tensor& losses, kernels::Total total) {
  if (total == kernels::Total::each) return losses;
  return total == kernels::Total::mean ? mean(losses) : sum(losses);
}

// Whether it does, without making the other one larger.
inline bool broadcasts_to(const Shape& from, const Shape& sizes) {
  const int64_t added = sizes.size() - from.size();
  bool fits = added >= 0;
  for (int64_t d = 0; fits && d < from.size(); ++d) fits = from[d] == 1 || from[d] == sizes[d + added];
  return fits;
}

// [N, 1] against [N] is the mistake that is likely.
inline const char* hint_for_shapes(const Tensor& input, const Tensor& target) {
  if (input.numel() != target.numel()) return "";
  return input.dim() > target.dim() ? " (did you mean input.squeeze()?)"
                                    : " (did you mean target.view(input.sizes())?)";
}

}  // namespace tapegrad

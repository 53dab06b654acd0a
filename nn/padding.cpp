// Padding as modules.
#include "tapegrad/nn/padding.h"

#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/pad.h"

namespace tapegrad::nn::detail {

Tensor framed(const Tensor& x, IntArrayRef padding, const char* mode, double value) {
  return value == 0 ? pad(x, padding, mode) : pad(x, padding, mode, value);  // 0 fits every dtype
}

std::string frame_text(IntArrayRef padding, const double* value) {
  std::string text;
  for (int64_t n : padding) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "padding=(" + text + ")" + (value ? ", value=" + shown(*value) : "");
}

}  // namespace tapegrad::nn::detail

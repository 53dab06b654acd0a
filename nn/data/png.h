// PNG images.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::data {

struct PNGOptions {
  int64_t channels = 0;  // 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha; 0: as the file has it
  bool scale = true;     // float32 in [0, 1], else uint8
};

// The image in a PNG file, [channels, height, width]; through libpng. Palettes are looked up, few bits become eight; float32 keeps
// what sixteen have. RGB becomes gray as 0.299 red + 0.587 green + 0.114 blue; alpha is left out as it is, not blended, or 1 where
// the file has none. What a file says about gamma and colour profiles is ignored, as most readers do.
// IOError, naming the file: not readable, no PNG, truncated, damaged, sizes the file cannot hold.
TAPEGRAD_API Tensor read_png(const std::string& path, const PNGOptions& options = {});

}  // namespace tapegrad::data

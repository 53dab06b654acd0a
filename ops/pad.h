// Padding: a frame around the last dims.
#pragma once

#include <optional>
#include <string_view>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// x with pad[0] elements before and pad[1] behind along the last dim, pad[2] and pad[3] along the one before it, and so on;
// dx = dy without the frame, plus what of the frame was copied from x. A negative number crops as many. mode "constant" fills with
// value (0 by default), "reflect" mirrors at the outermost element, "replicate" repeats it, "circular" goes on from the other end.
// ValueError: an odd count, another mode, a value beside a mode that has none, a frame the mode cannot take from x, a crop beyond
// the dim. ShapeError: more pairs than dims.
TAPEGRAD_API Tensor pad(const Tensor& x, IntArrayRef pad, std::string_view mode = "constant",
                        const std::optional<Scalar>& value = {});

}  // namespace tapegrad

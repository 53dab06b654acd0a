// im2col and col2im, each the other's rule.
#include "tapegrad/ops/unfold.h"

#include <algorithm>

#include "tapegrad/ops/kernels/columns.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/spatial_parts.h"

namespace tapegrad {
namespace {

struct Problem : kernels::Patches {
  Shape image{}, columns{};
};

Tensor added(const Problem& s, const Tensor& y);

// y = the patches of x as columns;  dx = dy added up where it was taken
struct Im2col {
  static constexpr const char* name = "im2col";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& x) { return kernels::im2col(name, s, x, s.columns); }
  Grads backward(const Tensor& dy) const { return {added(s, dy)}; }
};

// y = columns added up where their patches lie;  dx = dy taken there
struct Col2im {
  static constexpr const char* name = "col2im";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& x) { return kernels::col2im(name, s, x, s.image); }
  Grads backward(const Tensor& dy) const { return {apply(Im2col{s}, dy)}; }
};

Tensor added(const Problem& s, const Tensor& y) { return apply(Col2im{s}, y); }

// The patches of images of these sizes (of which depth is 1) with so many channels. ShapeError where the columns of one have more elements
// than can be counted.
Problem patches_of(const char* op, const std::array<int64_t, 3>& image, int64_t channels, IntArrayRef kernel_size,
                   IntArrayRef dilation, IntArrayRef padding, IntArrayRef stride) {
  const auto kernel = spatial(op, "kernel_size", kernel_size, 2, 1, 1), step = spatial(op, "stride", stride, 2, 1, 1),
             frame = spatial(op, "padding", padding, 2, 0, 0), apart = spatial(op, "dilation", dilation, 2, 1, 1);
  Problem s{};
  kernels::Windows* const dims[] = {&s.height, &s.width};
  for (size_t i = 1; i < 3; ++i) {
    const int64_t window = apart[i] * (kernel[i] - 1) + 1, padded = image[i] + 2 * frame[i];
    if (window > padded)
      throw ShapeError(std::string(op) + ": a patch, " + std::to_string(window) +
                       " with dilation, must not be larger than the padded image, " + std::to_string(padded) +
                       ", the image is " + to_string(IntArrayRef(image.data() + 1, 2)));
    *dims[i - 1] = {.x = image[i],
                    .y = (padded - window) / step[i] + 1,
                    .kernel = kernel[i],
                    .stride = step[i],
                    .padding = frame[i],
                    .dilation = apart[i]};
  }
  (void)numel_of({std::max<int64_t>(channels, 1), kernel[1], kernel[2], s.height.y, s.width.y}, op);
  return s;
}

}  // namespace

Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation, IntArrayRef padding, IntArrayRef stride) {
  check_spatial("im2col", x, 2);
  const int64_t channels = x.sizes()[x.dim() - 3];
  Problem s = patches_of("im2col", spatial_sizes(x, 2), channels, kernel_size, dilation, padding, stride);
  s.channels = x.dim() == 4 ? x.sizes()[0] * channels : channels;
  s.image = x.sizes();
  s.columns = {channels * s.places(), s.positions()};
  if (x.dim() == 4) s.columns.insert(0, x.sizes()[0]);
  return apply(Im2col{s}, x);
}

Tensor col2im(const Tensor& x, IntArrayRef output_size, IntArrayRef kernel_size, IntArrayRef dilation,
              IntArrayRef padding, IntArrayRef stride) {
  check_spatial("col2im", x, 1);
  const auto image = spatial("col2im", "output_size", output_size, 2, 1, 1);
  Problem s = patches_of("col2im", image, 1, kernel_size, dilation, padding, stride);
  const int64_t rows = x.sizes()[x.dim() - 2], positions = x.sizes()[x.dim() - 1];
  if (rows % s.places() != 0)
    throw ShapeError("col2im: the columns must be whole channels of " + std::to_string(s.places()) + ", x is " +
                     to_string(x.sizes()) + " and kernel_size is " + to_string(kernel_size));
  if (positions != s.positions())
    throw ShapeError("col2im: there must be " + std::to_string(s.positions()) +
                     " columns, one for each position in output_size " + to_string(output_size) + ", x is " +
                     to_string(x.sizes()));
  const int64_t channels = rows / s.places();
  s.channels = x.dim() == 3 ? x.sizes()[0] * channels : channels;
  s.columns = x.sizes();
  s.image = {channels, image[1], image[2]};
  if (x.dim() == 3) s.image.insert(0, x.sizes()[0]);
  return apply(Col2im{s}, x);
}

}  // namespace tapegrad

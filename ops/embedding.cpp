// embedding, one_hot and take_along_dim.
#include <limits>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/gather_parts.h"
#include "tapegrad/ops/kernels/gather.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

// y[j, :] = weight[index[j], :];  dweight = dy, times its scale where there is one, added up by row
struct Embedding {
  static constexpr const char* name = "embedding";
  static constexpr bool optional_inputs = true;  // no scale
  static constexpr bool takes_bfloat16 = true;
  Shape sizes{};
  SavedInput index{"index"}, scale{"scale"};
  Tensor forward(const Tensor& weight, const Tensor& at, const Tensor& by) {
    sizes = weight.sizes();
    index.save(at);
    scale.save(by);
    return kernels::index_select(name, weight, 0, at);
  }
  Grads backward(const Tensor& dy) const {
    const Tensor zeros = filled_tensor(sizes, dy.dtype(), 0);
    const Tensor terms = scale.defined() ? dy * *scale : dy;
    if (dy.dtype() == kBFloat16) return {index_add(zeros, 0, *index, terms)};  // added up in float32
    return {index_add_(zeros, 0, *index, terms)};
  }
  Tensor tangent(const Grads& dx) const { return index_select(dx[0], 0, *index); }
};

// [n, 1]: what the gradient of each row is multiplied with.
Tensor gradient_scale(const Tensor& index, int64_t rows, int64_t padding_idx, bool by_frequency, DType dtype) {
  Tensor scale = filled_tensor({index.numel(), 1}, dtype, 1);
  if (by_frequency) {
    const Tensor ones = filled_tensor(index.numel(), dtype, 1);
    const Tensor counts = index_add(filled_tensor(rows, dtype, 0), 0, index, ones);
    scale = unsqueeze(1 / index_select(counts, 0, index), 1);
  }
  return padding_idx < 0 ? scale : where(unsqueeze(index == padding_idx, 1), 0, scale);
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq) {
  check_defined("embedding", weight, "weight");
  const Tensor at = index_of("embedding", indices);
  if (weight.dim() != 2)
    throw ShapeError("embedding: weight must be a matrix of rows, got shape " + to_string(weight.sizes()));
  const int64_t rows = weight.sizes()[0];
  if (padding_idx >= rows)
    throw ValueError("embedding: padding_idx must be below the number of rows, which is " + std::to_string(rows) +
                     ", got " + std::to_string(padding_idx));
  kernels::check_index("embedding", at, rows, 0);
  const Tensor flat = reshape(at, -1);
  Tensor scale;
  if ((padding_idx >= 0 || scale_grad_by_freq) && GradMode::is_enabled() && weight.requires_grad())
    scale = gradient_scale(flat, rows, padding_idx, scale_grad_by_freq, weight.dtype());
  check_rank(indices.dim() + 1, "embedding");
  Shape sizes = indices.sizes();
  sizes.push_back(weight.sizes()[1]);
  return view(apply(Embedding{}, weight, flat, scale), sizes);
}

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  check_defined("one_hot", x, "x");
  const Tensor at = index_of("one_hot", x);
  if (num_classes < -1 || (num_classes < 1 && x.numel() == 0))
    throw ValueError("one_hot: num_classes must be at least 1, or -1 to take it from the elements, got " +
                     std::to_string(num_classes) + " for shape " + to_string(x.sizes()));
  const int64_t smallest = x.numel() == 0 ? 0 : min(at).item<int64_t>();
  const int64_t largest = x.numel() == 0 ? -1 : max(at).item<int64_t>();
  if (smallest < 0) throw ValueError("one_hot: classes must not be negative, got " + std::to_string(smallest));
  if (num_classes >= 0 && largest >= num_classes)
    throw ValueError("one_hot: classes must be below num_classes, which is " + std::to_string(num_classes) + ", got " +
                     std::to_string(largest));
  if (largest == std::numeric_limits<int64_t>::max())
    throw ValueError("one_hot: classes must leave room for their count, got " + std::to_string(largest));
  check_rank(x.dim() + 1, "one_hot");
  Shape sizes = x.sizes();
  sizes.push_back(num_classes == -1 ? largest + 1 : num_classes);
  const Tensor y = filled_tensor(sizes, kInt64, 0, "one_hot");
  return scatter_(y, -1, unsqueeze(at, -1), 1);
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  check_defined("take_along_dim", x, "x");
  const Tensor at = index_of("take_along_dim", indices);
  if (!dim) {
    kernels::check_index("take_along_dim", at, x.numel(), 0);
    return gather(reshape(x, -1), 0, reshape(at, -1));
  }
  if (x.dim() != at.dim())
    throw ShapeError("take_along_dim: indices must have as many dims as x, got indices " + to_string(at.sizes()) +
                     " and x " + to_string(x.sizes()));
  const int64_t d = x.dim_index(*dim, "take_along_dim");
  if (x.dim() == 0) return gather(x, 0, at);
  kernels::check_index("take_along_dim", at, x.sizes()[d], d);
  Shape of_x = x.sizes(), of_index = at.sizes();
  of_x[d] = of_index[d] = 1;
  Shape both = broadcast_shapes(of_x, of_index, "take_along_dim");
  both[d] = x.sizes()[d];
  const Tensor wide = expand(x, both);
  both[d] = at.sizes()[d];
  return gather(wide, d, expand(at, both));
}

}  // namespace tapegrad

// Whole Jacobians and Hessians, row by row or column by column.
#pragma once

#include "tapegrad/autograd/transform/products.h"

namespace tapegrad::autograd {

// reverse: a sweep per element of the outputs, which are the rows. forward: a pass per element of the inputs, the columns.
// automatic: forward where the floating inputs have fewer elements than the outputs and every operation on the way has a
// tangent rule, else reverse.
enum class JacobianStrategy : uint8_t { automatic, reverse, forward };

struct JacobianOptions {
  bool create_graph = false;
  bool strict = false;
  JacobianStrategy strategy = JacobianStrategy::automatic;
};

using TensorTable = std::vector<std::vector<Tensor>>;

// J[i][j][a..., b...] = d output_i[a...] / d input_j[b...], of shape output_i.sizes + input_j.sizes and the dtype of the
// input (of the output where the input is of integers). f is run once. What is said of f, inputs, create_graph and
// strict in products.h holds here. ShapeError when a block would have more than 8 dims.
TAPEGRAD_API TensorTable jacobian(TensorFunction f, const std::vector<Tensor>& inputs,
                                  const JacobianOptions& options = {});
// For f of one element: H[i][j][a..., b...] = d2 f / d input_i[a...] d input_j[b...]. The Jacobian of the gradient, whose
// strategy is the one to choose.
TAPEGRAD_API TensorTable hessian(TensorFunction f, const std::vector<Tensor>& inputs,
                                 const JacobianOptions& options = {});

// The one block, for f of one tensor that returns one.
template <detail::OneTensor T> Tensor jacobian(TensorFunction f, const T& x, const JacobianOptions& options = {}) {
  const TensorTable table = jacobian(f, std::vector<Tensor>{x}, options);
  if (table.size() != 1) detail::only_output("jacobian", std::vector<Tensor>(table.size()));
  return table[0][0];
}
template <detail::OneTensor T> Tensor hessian(TensorFunction f, const T& x, const JacobianOptions& options = {}) {
  return hessian(f, std::vector<Tensor>{x}, options)[0][0];
}

struct PerSampleOptions {
  bool strict = false;
};

// The gradients of every sample's loss, stacked: result[k][n, ...] = d loss(sample n) / d parameter_k, of shape
// [N] + parameter_k.sizes. The tensors of `batch` have N samples along dim 0; loss is called with each sample as a batch of
// one, sizes [1, ...], uses the parameters (such as module.parameters()) itself, and returns one element.
//   auto g = per_sample_grads([&](const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); },
//                             net.parameters(), {x, y});
// Runs N forwards and N sweeps, one after the other: about N times a step at batch size one, and the memory of the result.
// Nothing is added to grad(). A parameter the loss does not depend on gets zeros; with strict an AutogradError.
// ValueError: no parameters or batch, samples of different number, a loss of more than one element. AutogradError: a
// parameter that does not require grad.
TAPEGRAD_API std::vector<Tensor> per_sample_grads(TensorFunction loss, const std::vector<Tensor>& parameters,
                                                  const std::vector<Tensor>& batch,
                                                  const PerSampleOptions& options = {});

}  // namespace tapegrad::autograd

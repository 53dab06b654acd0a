// Gates and shrinkage as modules.
#include "tapegrad/nn/activations.h"

#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/gated.h"
#include "tapegrad/ops/rectifier.h"

namespace tapegrad::nn {

Tensor SiLU::forward(const Tensor& x) const { return silu(x); }
Tensor Mish::forward(const Tensor& x) const { return mish(x); }
Tensor Hardsigmoid::forward(const Tensor& x) const { return hardsigmoid(x); }
Tensor Hardswish::forward(const Tensor& x) const { return hardswish(x); }
Tensor LogSigmoid::forward(const Tensor& x) const { return logsigmoid(x); }
Tensor Tanhshrink::forward(const Tensor& x) const { return tanhshrink(x); }
Tensor Softsign::forward(const Tensor& x) const { return softsign(x); }

GELU::GELU(const GELUOptions& options) : options_(options) {
  if (options.approximate != "none" && options.approximate != "tanh")
    throw ValueError("GELU: approximate must be \"none\" or \"tanh\", got \"" + options.approximate + "\"");
}
Tensor GELU::forward(const Tensor& x) const { return gelu(x, options_.approximate); }

Tensor GLU::forward(const Tensor& x) const { return glu(x, options_.dim); }
std::string GLU::extra_repr() const { return "dim=" + std::to_string(options_.dim); }

Tensor Softshrink::forward(const Tensor& x) const { return softshrink(x, options_.lambda); }
std::string Softshrink::extra_repr() const { return shown(options_.lambda); }

Tensor Hardshrink::forward(const Tensor& x) const { return hardshrink(x, options_.lambda); }
std::string Hardshrink::extra_repr() const { return shown(options_.lambda); }

}  // namespace tapegrad::nn

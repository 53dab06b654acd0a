// The operations networks are made of, under the names torch::nn::functional gives them.
#pragma once

#include "tapegrad/nn/dropout.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/gated.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/margin_losses.h"
#include "tapegrad/ops/normalization.h"
#include "tapegrad/ops/pad.h"
#include "tapegrad/ops/products.h"
#include "tapegrad/ops/rectifier.h"
#include "tapegrad/ops/sampling.h"

namespace tapegrad::nn::functional {

using tapegrad::bilinear;
using tapegrad::leaky_relu;
using tapegrad::linear;
using tapegrad::log_softmax;
using tapegrad::relu;
using tapegrad::sigmoid;
using tapegrad::softmax;
using tapegrad::softplus;
using tapegrad::tanh;

using tapegrad::binary_cross_entropy;
using tapegrad::binary_cross_entropy_with_logits;
using tapegrad::cross_entropy;
using tapegrad::mse_loss;
using tapegrad::nll_loss;

using tapegrad::alpha_dropout;
using tapegrad::celu;
using tapegrad::dropout;
using tapegrad::elu;
using tapegrad::feature_alpha_dropout;
using tapegrad::gelu;
using tapegrad::glu;
using tapegrad::hardshrink;
using tapegrad::hardsigmoid;
using tapegrad::hardswish;
using tapegrad::hardtanh;
using tapegrad::log_sigmoid;
using tapegrad::logsigmoid;
using tapegrad::mish;
using tapegrad::prelu;
using tapegrad::relu6;
using tapegrad::selu;
using tapegrad::silu;
using tapegrad::softshrink;
using tapegrad::softsign;
using tapegrad::tanhshrink;
using tapegrad::threshold;

using tapegrad::batch_norm;
using tapegrad::group_norm;
using tapegrad::instance_norm;
using tapegrad::layer_norm;
using tapegrad::rms_norm;

using tapegrad::hinge_embedding_loss;
using tapegrad::huber_loss;
using tapegrad::kl_div;
using tapegrad::l1_loss;
using tapegrad::margin_ranking_loss;
using tapegrad::multi_margin_loss;
using tapegrad::smooth_l1_loss;
using tapegrad::soft_margin_loss;

using tapegrad::one_hot;
using tapegrad::pad;
// embedding() with its operands in the order they have here.
inline Tensor embedding(const Tensor& input, const Tensor& weight, int64_t padding_idx = -1,
                        bool scale_grad_by_freq = false) {
  return tapegrad::embedding(weight, input, padding_idx, scale_grad_by_freq);
}

}  // namespace tapegrad::nn::functional

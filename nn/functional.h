// The operations networks are made of, under the names torch::nn::functional gives them.
#pragma once

#include "tapegrad/nn/dropout.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/attention.h"
#include "tapegrad/ops/distance.h"
#include "tapegrad/ops/gated.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/interpolate.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/margin_losses.h"
#include "tapegrad/ops/normalization.h"
#include "tapegrad/ops/pad.h"
#include "tapegrad/ops/pool.h"
#include "tapegrad/ops/products.h"
#include "tapegrad/ops/rectifier.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/unfold.h"

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

using tapegrad::cosine_embedding_loss;
using tapegrad::ctc_loss;
using tapegrad::gaussian_nll_loss;
using tapegrad::hinge_embedding_loss;
using tapegrad::huber_loss;
using tapegrad::kl_div;
using tapegrad::l1_loss;
using tapegrad::margin_ranking_loss;
using tapegrad::multi_margin_loss;
using tapegrad::multilabel_margin_loss;
using tapegrad::multilabel_soft_margin_loss;
using tapegrad::poisson_nll_loss;
using tapegrad::smooth_l1_loss;
using tapegrad::soft_margin_loss;
using tapegrad::triplet_margin_loss;
using tapegrad::triplet_margin_with_distance_loss;

using tapegrad::scaled_dot_product_attention;

using tapegrad::cosine_similarity;
using tapegrad::pairwise_distance;

using tapegrad::one_hot;
using tapegrad::pad;
// embedding() with its operands in the order they have here.
inline Tensor embedding(const Tensor& input, const Tensor& weight, int64_t padding_idx = -1,
                        bool scale_grad_by_freq = false) {
  return tapegrad::embedding(weight, input, padding_idx, scale_grad_by_freq);
}

using tapegrad::adaptive_avg_pool1d;
using tapegrad::adaptive_avg_pool2d;
using tapegrad::adaptive_avg_pool3d;
using tapegrad::avg_pool1d;
using tapegrad::avg_pool2d;
using tapegrad::avg_pool3d;
using tapegrad::lp_pool1d;
using tapegrad::lp_pool2d;
using tapegrad::max_pool1d;
using tapegrad::max_pool1d_with_indices;
using tapegrad::max_pool2d;
using tapegrad::max_pool2d_with_indices;
using tapegrad::max_pool3d;
using tapegrad::max_pool3d_with_indices;
using tapegrad::max_unpool1d;
using tapegrad::max_unpool2d;
using tapegrad::max_unpool3d;
// Without the indices, which tapegrad::adaptive_max_pool1d and so on give, here under names of their own.
TAPEGRAD_API Tensor adaptive_max_pool1d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API Tensor adaptive_max_pool2d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API Tensor adaptive_max_pool3d(const Tensor& x, IntArrayRef output_size);
inline std::tuple<Tensor, Tensor> adaptive_max_pool1d_with_indices(const Tensor& x, IntArrayRef output_size) {
  return tapegrad::adaptive_max_pool1d(x, output_size);
}
inline std::tuple<Tensor, Tensor> adaptive_max_pool2d_with_indices(const Tensor& x, IntArrayRef output_size) {
  return tapegrad::adaptive_max_pool2d(x, output_size);
}
inline std::tuple<Tensor, Tensor> adaptive_max_pool3d_with_indices(const Tensor& x, IntArrayRef output_size) {
  return tapegrad::adaptive_max_pool3d(x, output_size);
}

using tapegrad::channel_shuffle;
using tapegrad::interpolate;
using tapegrad::pixel_shuffle;
using tapegrad::pixel_unshuffle;
// im2col and col2im with defaults, under the names they have here.
inline Tensor unfold(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation = 1, IntArrayRef padding = 0,
                     IntArrayRef stride = 1) {
  return im2col(x, kernel_size, dilation, padding, stride);
}
inline Tensor fold(const Tensor& x, IntArrayRef output_size, IntArrayRef kernel_size, IntArrayRef dilation = 1,
                   IntArrayRef padding = 0, IntArrayRef stride = 1) {
  return col2im(x, output_size, kernel_size, dilation, padding, stride);
}

}  // namespace tapegrad::nn::functional

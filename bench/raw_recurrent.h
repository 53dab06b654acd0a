// oneDNN's recurrent layers beside the rows of ours: weights come in PyTorch's layout and their gradients leave in it, reorders counted.
#pragma once

#include <dnnl_version.h>
#include <algorithm>
#include <dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bench {

// One layer in one direction: T steps of N examples, C features to H units.
struct RecurrentSize {
  int64_t steps, batch, features, hidden;
};

// An LSTM (Forward = dnnl::lstm_forward, Backward = dnnl::lstm_backward) or a GRU (dnnl::lbr_gru_forward, dnnl::lbr_gru_backward). States begin as 0.
template <class Forward, class Backward> class RawRecurrent {
 public:
  static constexpr bool kLstm = std::is_same_v<Forward, dnnl::lstm_forward>;
  static constexpr int64_t kGates = kLstm ? 4 : 3, kBiases = 4;  // of H each; the gru has two for n

  // x [T, N, C]; w_ih and w_hh as blocks of H rows, those of the gru as z, r, n; the biases as the layer adds them; dy [T, N, H].
  RawRecurrent(const RecurrentSize& s, const float* x, const float* w_ih, const float* w_hh, const float* b,
               const float* dy)
      : s_(s), forward_desc_(make_forward()), backward_desc_(make_backward()) {
    const auto& f = forward_desc_;
    w_ih_ = plain(s.features, w_ih), w_hh_ = plain(s.hidden, w_hh);
    dw_ih_ = plain(s.features, nullptr), dw_hh_ = plain(s.hidden, nullptr);
    forward_ = {{DNNL_ARG_SRC_LAYER, filled(f.src_layer_desc(), x)},
                {DNNL_ARG_SRC_ITER, filled(f.src_iter_desc())},
                {DNNL_ARG_WEIGHTS_LAYER, filled(f.weights_layer_desc())},
                {DNNL_ARG_WEIGHTS_ITER, filled(f.weights_iter_desc())},
                {DNNL_ARG_BIAS, filled(f.bias_desc(), b)},
                {DNNL_ARG_DST_LAYER, filled(f.dst_layer_desc())},
                {DNNL_ARG_DST_ITER, filled(f.dst_iter_desc())},
                {DNNL_ARG_WORKSPACE, {f.workspace_desc(), engine_}}};
    const auto& d = backward_desc_;
    backward_ = forward_;
    backward_.insert_or_assign(DNNL_ARG_WEIGHTS_LAYER, filled(d.weights_layer_desc()));
    backward_.insert_or_assign(DNNL_ARG_WEIGHTS_ITER, filled(d.weights_iter_desc()));
    const std::pair<int, Memory> gradients[] = {{DNNL_ARG_DIFF_SRC_LAYER, filled(d.diff_src_layer_desc())},
                                                {DNNL_ARG_DIFF_SRC_ITER, filled(d.diff_src_iter_desc())},
                                                {DNNL_ARG_DIFF_WEIGHTS_LAYER, filled(d.diff_weights_layer_desc())},
                                                {DNNL_ARG_DIFF_WEIGHTS_ITER, filled(d.diff_weights_iter_desc())},
                                                {DNNL_ARG_DIFF_BIAS, filled(d.diff_bias_desc())},
                                                {DNNL_ARG_DIFF_DST_LAYER, filled(d.diff_dst_layer_desc(), dy)},
                                                {DNNL_ARG_DIFF_DST_ITER, filled(d.diff_dst_iter_desc())}};
    for (const auto& [arg, memory] : gradients) backward_.insert_or_assign(arg, memory);
    if constexpr (kLstm) {
      forward_.insert_or_assign(DNNL_ARG_SRC_ITER_C, filled(f.src_iter_c_desc()));
      forward_.insert_or_assign(DNNL_ARG_DST_ITER_C, filled(f.dst_iter_c_desc()));
      for (const int arg : {DNNL_ARG_SRC_ITER_C, DNNL_ARG_DST_ITER_C})
        backward_.insert_or_assign(arg, forward_.at(arg));
      backward_.insert_or_assign(DNNL_ARG_DIFF_SRC_ITER_C, filled(d.diff_src_iter_c_desc()));
      backward_.insert_or_assign(DNNL_ARG_DIFF_DST_ITER_C, filled(d.diff_dst_iter_c_desc()));
    }
  }

  void step() {
    reorder(w_ih_, forward_.at(DNNL_ARG_WEIGHTS_LAYER));
    reorder(w_hh_, forward_.at(DNNL_ARG_WEIGHTS_ITER));
    run(forward_layer_, forward_);
    reorder(w_ih_, backward_.at(DNNL_ARG_WEIGHTS_LAYER));
    reorder(w_hh_, backward_.at(DNNL_ARG_WEIGHTS_ITER));
    for (const int arg : {DNNL_ARG_DIFF_WEIGHTS_LAYER, DNNL_ARG_DIFF_WEIGHTS_ITER, DNNL_ARG_DIFF_BIAS})
      clear(backward_.at(arg));  // they are added to
    run(backward_layer_, backward_);
    reorder(backward_.at(DNNL_ARG_DIFF_WEIGHTS_LAYER), dw_ih_);
    reorder(backward_.at(DNNL_ARG_DIFF_WEIGHTS_ITER), dw_hh_);
  }
  // Of the latest step, in the layouts of the constructor.
  const float* dx() const { return data(backward_.at(DNNL_ARG_DIFF_SRC_LAYER)); }
  const float* dw_ih() const { return data(dw_ih_); }
  const float* dw_hh() const { return data(dw_hh_); }
  const float* db() const { return data(backward_.at(DNNL_ARG_DIFF_BIAS)); }

 private:
  using Memory = dnnl::memory;
  using Desc = dnnl::memory::desc;
  using Dims = dnnl::memory::dims;
  using Tag = dnnl::memory::format_tag;
  static constexpr auto kF32 = dnnl::memory::data_type::f32;
  static constexpr auto kDirection = dnnl::rnn_direction::unidirectional_left2right;

  Desc sequence(int64_t width) const { return {{s_.steps, s_.batch, width}, kF32, Tag::tnc}; }
  Desc state() const { return {{1, 1, s_.batch, s_.hidden}, kF32, Tag::ldnc}; }
  Desc weights(int64_t width, Tag tag) const { return {{1, 1, width, kGates, s_.hidden}, kF32, tag}; }
  Desc bias() const { return {{1, 1, kBiases, s_.hidden}, kF32, Tag::ldgo}; }

  // make(descriptions...) for what the layer takes and gives.
  template <class Make> auto with_descs(const Make& make) const {
    const Desc x = sequence(s_.features), y = sequence(s_.hidden), h = state(), b = bias();
    const Desc w_ih = weights(s_.features, Tag::any), w_hh = weights(s_.hidden, Tag::any);
    if constexpr (kLstm) return make(x, h, h, w_ih, w_hh, b, y, h, h);
    else return make(x, h, w_ih, w_hh, b, y, h);
  }
  typename Forward::primitive_desc make_forward() const {
    return with_descs([&](const auto&... d) {
#if DNNL_VERSION_MAJOR >= 3
      return typename Forward::primitive_desc(engine_, dnnl::prop_kind::forward_training, kDirection, d...);
#else
      return typename Forward::primitive_desc({dnnl::prop_kind::forward_training, kDirection, d...}, engine_);
#endif
    });
  }
  typename Backward::primitive_desc make_backward() const {
    return with_descs([&](const auto&... d) {
#if DNNL_VERSION_MAJOR >= 3
      return
          typename Backward::primitive_desc(engine_, dnnl::prop_kind::backward, kDirection, d..., d..., forward_desc_);
#else
      return typename Backward::primitive_desc({dnnl::prop_kind::backward, kDirection, d..., d...}, engine_,
                                               forward_desc_);
#endif
    });
  }

  static float* data(const Memory& m) { return static_cast<float*>(m.get_data_handle()); }
  static void clear(const Memory& m) { std::fill_n(data(m), m.get_desc().get_size() / sizeof(float), 0.0f); }
  // Memory in that layout: a copy of what lies at `from` in the same, or zeros.
  Memory filled(const Desc& desc, const float* from = nullptr) const {
    Memory m(desc, engine_);
    if (from) std::copy_n(from, desc.get_size() / sizeof(float), data(m));
    else clear(m);
    return m;
  }
  Memory plain(int64_t width, const float* from) const { return filled(weights(width, Tag::ldgoi), from); }
  void reorder(const Memory& from, const Memory& to) {
    Memory source = from, target = to;
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
  }
  void run(const dnnl::primitive& primitive, const std::unordered_map<int, Memory>& args) {
    primitive.execute(stream_, args);
    stream_.wait();
  }

  RecurrentSize s_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  typename Forward::primitive_desc forward_desc_;
  typename Backward::primitive_desc backward_desc_;
  Forward forward_layer_{forward_desc_};  // made once: they keep their workspace
  Backward backward_layer_{backward_desc_};
  Memory w_ih_, w_hh_, dw_ih_, dw_hh_;
  std::unordered_map<int, Memory> forward_, backward_;
};

using RawLstm = RawRecurrent<dnnl::lstm_forward, dnnl::lstm_backward>;
using RawGru = RawRecurrent<dnnl::lbr_gru_forward, dnnl::lbr_gru_backward>;

}  // namespace bench

// oneDNN's convolution in the layout it likes best, data and weights put there beforehand: the limit beside the rows of convolutions.
#pragma once

#include <dnnl_version.h>
#include <dnnl.hpp>
#include <memory>
#include <unordered_map>

namespace bench {

// N images of C channels, height and width S, by as many filters of 3 x 3 with padding 1.
class RawConvolution {
 public:
  RawConvolution(int64_t n, int64_t c, int64_t s, const float* x, const float* w, const float* dy)
      : forward_desc_(make_forward(n, c, s)), data_desc_(make_data(n, c, s)), weights_desc_(make_weights(n, c, s)) {
    const Memory from_x = plain(image(n, c, s), x), from_w = plain(filters(c), w), from_dy = plain(image(n, c, s), dy);
    forward_ = {{DNNL_ARG_SRC, in(from_x, forward_desc_.src_desc())},
                {DNNL_ARG_WEIGHTS, in(from_w, forward_desc_.weights_desc())},
                {DNNL_ARG_DST, {forward_desc_.dst_desc(), engine_}}};
    data_ = {{DNNL_ARG_DIFF_DST, in(from_dy, data_desc_.diff_dst_desc())},
             {DNNL_ARG_WEIGHTS, in(from_w, data_desc_.weights_desc())},
             {DNNL_ARG_DIFF_SRC, {data_desc_.diff_src_desc(), engine_}}};
    weights_ = {{DNNL_ARG_DIFF_DST, in(from_dy, weights_desc_.diff_dst_desc())},
                {DNNL_ARG_SRC, in(from_x, weights_desc_.src_desc())},
                {DNNL_ARG_DIFF_WEIGHTS, {weights_desc_.diff_weights_desc(), engine_}}};
    y_shape_ = image(n, c, s);
  }

  void forward() { run(dnnl::convolution_forward(forward_desc_), forward_); }
  void backward() {
    run(dnnl::convolution_backward_data(data_desc_), data_);
    run(dnnl::convolution_backward_weights(weights_desc_), weights_);
  }
  // y and dx, [N, C, S, S], as everybody else has them.
  void copy_y(float* to) { out(forward_.at(DNNL_ARG_DST), to); }
  void copy_dx(float* to) { out(data_.at(DNNL_ARG_DIFF_SRC), to); }

 private:
  using Memory = dnnl::memory;
  using Desc = dnnl::memory::desc;
  using Dims = dnnl::memory::dims;
  static constexpr auto kF32 = dnnl::memory::data_type::f32;
  static constexpr auto kDirect = dnnl::algorithm::convolution_direct;

  static Dims image(int64_t n, int64_t c, int64_t s) { return {n, c, s, s}; }
  static Dims filters(int64_t c) { return {c, c, 3, 3}; }
  static Desc any(const Dims& dims) { return {dims, kF32, dnnl::memory::format_tag::any}; }

#if DNNL_VERSION_MAJOR >= 3
  dnnl::convolution_forward::primitive_desc make_forward(int64_t n, int64_t c, int64_t s) {
    return {engine_,         dnnl::prop_kind::forward_training,
            kDirect,         any(image(n, c, s)),
            any(filters(c)), any(image(n, c, s)),
            {1, 1},          {1, 1},
            {1, 1}};
  }
  dnnl::convolution_backward_data::primitive_desc make_data(int64_t n, int64_t c, int64_t s) {
    return {engine_, kDirect, any(image(n, c, s)), any(filters(c)), any(image(n, c, s)), {1, 1},
            {1, 1},  {1, 1},  forward_desc_};
  }
  dnnl::convolution_backward_weights::primitive_desc make_weights(int64_t n, int64_t c, int64_t s) {
    return {engine_, kDirect, any(image(n, c, s)), any(filters(c)), any(image(n, c, s)), {1, 1},
            {1, 1},  {1, 1},  forward_desc_};
  }
#else
  dnnl::convolution_forward::primitive_desc make_forward(int64_t n, int64_t c, int64_t s) {
    return {{dnnl::prop_kind::forward_training,
             kDirect,
             any(image(n, c, s)),
             any(filters(c)),
             any(image(n, c, s)),
             {1, 1},
             {1, 1},
             {1, 1}},
            engine_};
  }
  dnnl::convolution_backward_data::primitive_desc make_data(int64_t n, int64_t c, int64_t s) {
    return {{kDirect, any(image(n, c, s)), any(filters(c)), any(image(n, c, s)), {1, 1}, {1, 1}, {1, 1}},
            engine_,
            forward_desc_};
  }
  dnnl::convolution_backward_weights::primitive_desc make_weights(int64_t n, int64_t c, int64_t s) {
    return {{kDirect, any(image(n, c, s)), any(filters(c)), any(image(n, c, s)), {1, 1}, {1, 1}, {1, 1}},
            engine_,
            forward_desc_};
  }
#endif

  Memory plain(const Dims& dims, const float* from) const {
    return {Desc(dims, kF32, dnnl::memory::format_tag::abcd), engine_, const_cast<float*>(from)};
  }
  Memory in(const Memory& from, const Desc& layout) {
    Memory to(layout, engine_);
    Memory source = from;
    dnnl::reorder(source, to).execute(stream_, source, to);
    stream_.wait();
    return to;
  }
  void out(Memory from, float* to) {
    Memory target = plain(y_shape_, to);
    dnnl::reorder(from, target).execute(stream_, from, target);
    stream_.wait();
  }
  void run(const dnnl::primitive& primitive, const std::unordered_map<int, Memory>& args) {
    primitive.execute(stream_, args);
    stream_.wait();
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::convolution_forward::primitive_desc forward_desc_;
  dnnl::convolution_backward_data::primitive_desc data_desc_;
  dnnl::convolution_backward_weights::primitive_desc weights_desc_;
  std::unordered_map<int, Memory> forward_, data_, weights_;
  Dims y_shape_;
};

}  // namespace bench

// The rows of bench_peers, written once: the includer has made `lib` a name of tapegrad or of torch, and has defined Mlp,
// make_sgd, make_adam, drop_gradients and Bfloat16Products (a guard), where the two spell things differently. So both sides run the same calls on the same numbers.
#pragma once

#include <algorithm>
#include <memory>

#include "hand_written.h"
#include "peer_worker.h"

namespace bench {
namespace {

// The same numbers on both sides.
class Xorshift {
 public:
  double in(double low, double high) { return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53; }
  uint64_t below(uint64_t n) { return (next() >> 11) % n; }

 private:
  uint64_t next() {
    bits_ ^= bits_ << 13, bits_ ^= bits_ >> 7, bits_ ^= bits_ << 17;
    return bits_;
  }
  uint64_t bits_ = 88172645463325252ull;
};

lib::Tensor numbers(std::initializer_list<int64_t> sizes, double low, double high, bool wide = false) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  std::vector<double> values(static_cast<size_t>(count));
  Xorshift random;
  for (double& value : values) value = random.in(low, high);
  return lib::from_blob(values.data(), sizes, lib::kFloat64).clone().to(wide ? lib::kFloat64 : lib::kFloat32);
}

lib::Tensor classes(int64_t count, int64_t classes_) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i * 7 + i / 3) % classes_;
  return lib::from_blob(values.data(), {count}, lib::kInt64).clone();
}

double number(const lib::Tensor& x) { return x.detach().to(lib::kFloat64).item<double>(); }
// The root of the mean square, in double.
double size_of(const lib::Tensor& x) { return std::sqrt(number(x.detach().to(lib::kFloat64).square().mean())); }

void drop_gradient(const lib::Tensor& x) { x.mutable_grad() = lib::Tensor(); }

// y = x c c ... c over one element, and its backward.
Work multiply(int64_t length, bool both) {
  const lib::Tensor x = numbers({1}, 0.5, 1.5).requires_grad_();
  const lib::Tensor c = numbers({1}, 1.0, 1.0).requires_grad_(both);
  const auto gradient = std::make_shared<lib::Tensor>();
  return {[=] {
            lib::Tensor y = x;
            for (int64_t i = 0; i < length; ++i) y = y * c;
            y.backward();
            *gradient = both ? c.grad() : x.grad();
            drop_gradient(x);
            drop_gradient(c);
          },
          [=] { return number(*gradient); }};
}

// The network of hand_written.h; the loss after the last step is what must agree.
template <class T> Work tutorial() {
  HandWrittenStep<T> start;
  const auto dtype = sizeof(T) == 8 ? lib::kFloat64 : lib::kFloat32;
  const lib::Tensor x = lib::from_blob(start.x, {4, 3}, dtype).clone();
  const lib::Tensor y = lib::from_blob(start.y, {4, 1}, dtype).clone();
  const lib::Tensor w0 = lib::from_blob(start.w0, {3, 4}, dtype).clone().requires_grad_();
  const lib::Tensor w1 = lib::from_blob(start.w1, {4, 1}, dtype).clone().requires_grad_();
  const auto descent = make_sgd({w0, w1}, 1.0);
  const auto loss = [=] {
    const lib::Tensor l1 = lib::sigmoid(lib::mm(x, w0)), l2 = lib::sigmoid(lib::mm(l1, w1));
    return 0.5 * lib::sum(lib::square(y - l2));
  };
  return {[=] {
            drop_gradients(*descent);
            loss().backward();
            descent->step();
          },
          [=] { return number(loss()); }};
}

// The same start on both sides.
void fill(Mlp& net) {
  const lib::NoGradGuard no_grad;
  for (lib::Tensor& p : net.parameters())
    p.copy_(p.dim() == 2 ? numbers({p.size(0), p.size(1)}, -0.05, 0.05) : numbers({p.size(0)}, -0.05, 0.05));
}

template <class Optimizer> Work mlp(int64_t batch, Optimizer make_optimizer, double lr) {
  const auto net = std::make_shared<Mlp>();
  fill(*net);
  const lib::Tensor x = numbers({batch, 784}, 0, 1), target = classes(batch, 10);
  const auto optimizer = make_optimizer(net->parameters(), lr);
  const auto loss = [=] { return lib::nn::functional::cross_entropy(net->forward(x), target); };
  return {[=] {
            drop_gradients(*optimizer);
            loss().backward();
            optimizer->step();
          },
          [=] { return number(loss()); }};
}

// The same with products in bfloat16; the parameters, and the loss that is compared, stay float32.
Work mlp_in_bfloat16(int64_t batch) {
  const auto net = std::make_shared<Mlp>();
  fill(*net);
  const lib::Tensor x = numbers({batch, 784}, 0, 1), target = classes(batch, 10);
  const auto optimizer = make_sgd(net->parameters(), 0.01);
  const auto loss = [=] { return lib::nn::functional::cross_entropy(net->forward(x), target); };
  return {[=] {
            drop_gradients(*optimizer);
            lib::Tensor y;
            {
              const Bfloat16Products guard;
              y = loss();
            }
            y.backward();
            optimizer->step();
          },
          [=] { return number(loss()); }};
}

// A tenth of an epoch of T10's program over as many random digits: shuffled batches of 64, picked out and trained on. It stands apart
// from reading the files, which both would do once.
Work mnist_epoch() {
  constexpr int64_t kExamples = 6000, kBatch = 64;
  const lib::Tensor images = numbers({kExamples, 784}, 0, 1), labels = classes(kExamples, 10);
  std::vector<int64_t> order(kExamples);  // 3677 and 6000 have no common factor
  for (int64_t i = 0; i < kExamples; ++i) order[static_cast<size_t>(i)] = i * 3677 % kExamples;
  const lib::Tensor indices = lib::from_blob(order.data(), {kExamples}, lib::kInt64).clone();
  const auto net = std::make_shared<Mlp>();
  fill(*net);
  const auto optimizer = make_sgd(net->parameters(), 0.01);
  const auto loss_on = [=](int64_t from, int64_t to) {
    const lib::Tensor chosen = indices.slice(0, from, to);
    return lib::nn::functional::cross_entropy(net->forward(images.index_select(0, chosen)),
                                              labels.index_select(0, chosen));
  };
  return {[=] {
            for (int64_t from = 0; from < kExamples; from += kBatch) {
              drop_gradients(*optimizer);
              loss_on(from, std::min(from + kBatch, kExamples)).backward();
              optimizer->step();
            }
          },
          [=] { return number(loss_on(0, kBatch)); }};
}

// f(x...), not recorded; its result is dropped with the next.
template <class F> Work plain(F f) {
  const auto y = std::make_shared<lib::Tensor>();
  return {[=] {
            const lib::NoGradGuard no_grad;
            *y = lib::Tensor();
            *y = f();
          },
          [=] { return size_of(*y); }};
}

// f(x) recorded, and backward with `dy` (undefined: of one element).
template <class F> Work recorded(lib::Tensor x, F f, lib::Tensor dy = {}) {
  x.requires_grad_();
  const auto dx = std::make_shared<lib::Tensor>();
  return {[=] {
            *dx = lib::Tensor();
            f(x).backward(dy);
            *dx = x.grad();
            drop_gradient(x);
          },
          [=] { return size_of(*dx); }};
}

Work matmul(int64_t n, bool wide) {
  const lib::Tensor a = numbers({n, n}, -1, 1, wide), b = numbers({n, n}, -0.5, 1, wide);
  return plain([=] { return lib::mm(a, b); });
}

Work add(int64_t n) {
  const lib::Tensor a = numbers({n}, -1, 1), b = numbers({n}, 0, 1);
  return plain([=] { return a + b; });
}

template <class F> Work activation(int64_t n, F f) {
  const lib::Tensor x = numbers({n}, -4, 4);
  return plain([=] { return f(x); });
}

// Two convolutions of 5 x 5 to 10 and 20 channels with pools of 2 x 2 behind them, then 320-50-10: an SGD step on a batch of digits.
Work convnet(int64_t batch) {
  const std::vector<lib::Tensor> w{numbers({10, 1, 5, 5}, -0.2, 0.2),    numbers({10}, -0.2, 0.2),
                                   numbers({20, 10, 5, 5}, -0.06, 0.06), numbers({20}, -0.06, 0.06),
                                   numbers({50, 320}, -0.05, 0.05),      numbers({50}, -0.05, 0.05),
                                   numbers({10, 50}, -0.1, 0.1),         numbers({10}, -0.1, 0.1)};
  for (lib::Tensor p : w) p.requires_grad_();
  const lib::Tensor x = numbers({batch, 1, 28, 28}, 0, 1), target = classes(batch, 10);
  const auto optimizer = make_sgd(w, 0.01);
  const auto loss = [=] {
    namespace F = lib::nn::functional;
    lib::Tensor h = lib::relu(lib::max_pool2d(lib::conv2d(x, w[0], w[1]), 2));
    h = lib::relu(lib::max_pool2d(lib::conv2d(h, w[2], w[3]), 2)).flatten(1);
    return F::cross_entropy(F::linear(lib::relu(F::linear(h, w[4], w[5])), w[6], w[7]), target);
  };
  return {[=] {
            drop_gradients(*optimizer);
            loss().backward();
            optimizer->step();
          },
          [=] { return number(loss()); }};
}

// Images and filters of the rows of convolutions: 16 x 64 x 56 x 56 by 64 x 64 x 3 x 3 with padding 1.
struct Convolution {
  lib::Tensor x = numbers({16, 64, 56, 56}, -1, 1), w = numbers({64, 64, 3, 3}, -0.1, 0.1),
              dy = numbers({16, 64, 56, 56}, -1, 1.5);
};

Work convolution() {
  const Convolution c;
  return plain([=] { return lib::conv2d(c.x, c.w, lib::Tensor(), 1, 1); });
}

// The gradients of images and filters; that of the images is compared.
Work convolution_with_backward() {
  const Convolution c;
  lib::Tensor w = c.w;
  w.requires_grad_();
  return recorded(
      c.x,
      [=](const lib::Tensor& x) {
        drop_gradient(c.w);
        return lib::conv2d(x, c.w, lib::Tensor(), 1, 1);
      },
      c.dy);
}

// One recurrent layer, `gates` blocks of hidden rows in its weights, over sequences of `steps`: the gradients of x and of all weights.
struct Recurrent {
  int64_t steps, batch, features, hidden, gates;
  lib::Tensor x = numbers({steps, batch, features}, -1, 1), dy = numbers({steps, batch, hidden}, -1, 2);
  lib::Tensor w_ih = weights({gates * hidden, features}), w_hh = weights({gates * hidden, hidden});
  lib::Tensor b_ih = weights({gates * hidden}), b_hh = weights({gates * hidden});

  static lib::Tensor weights(std::initializer_list<int64_t> sizes) { return numbers(sizes, -0.06, 0.06); }
};

Work recurrent(const Recurrent& r) {
  const std::vector<lib::Tensor> leaves{r.w_ih, r.w_hh, r.b_ih, r.b_hh, r.x};
  for (lib::Tensor leaf : leaves) leaf.requires_grad_();
  const lib::Tensor h = numbers({1, r.batch, r.hidden}, 0, 0);
  const auto gradients = std::make_shared<std::vector<lib::Tensor>>();
  return {[=] {
            gradients->clear();
            const std::vector<lib::Tensor> params(leaves.begin(), leaves.begin() + 4);
            const lib::Tensor y = r.gates == 4
                                      ? std::get<0>(lib::lstm(r.x, {h, h}, params, true, 1, 0.0, true, false, false))
                                      : std::get<0>(lib::gru(r.x, h, params, true, 1, 0.0, true, false, false));
            y.backward(r.dy);
            for (const lib::Tensor& leaf : leaves) {
              gradients->push_back(leaf.grad());
              drop_gradient(leaf);
            }
          },
          [=] {
            double size = 0;
            for (const lib::Tensor& g : *gradients) size += size_of(g);
            return size;
          }};
}

[[maybe_unused]] std::vector<PeerRow> peer_rows() {
  constexpr int64_t kMillion = 1 << 20;
  using lib::Tensor;
  return {
      {"multiply", [] { return multiply(1000, false); }},
      {"multiply_both", [] { return multiply(1000, true); }},
      {"multiply_alone", [] { return multiply(1, false); }},
      {"tutorial_f64", [] { return tutorial<double>(); }},
      {"tutorial_f32", [] { return tutorial<float>(); }},
      {"t2_in_full", [] { return tutorial<double>(); }},
      {"mlp_64_sgd", [] { return mlp(64, make_sgd, 0.01); }},
      {"mlp_64_sgd_bf16", [] { return mlp_in_bfloat16(64); }},
      {"mlp_64_adam", [] { return mlp(64, make_adam, 0.001); }},
      {"mlp_1_sgd", [] { return mlp(1, make_sgd, 0.01); }},
      {"mlp_1_adam", [] { return mlp(1, make_adam, 0.001); }},
      {"mnist_epoch", [] { return mnist_epoch(); }},
      {"matmul_256", [] { return matmul(256, false); }},
      {"matmul_512", [] { return matmul(512, false); }},
      {"matmul_1024", [] { return matmul(1024, false); }},
      {"matmul_2048", [] { return matmul(2048, false); }},
      {"matmul_f64_512", [] { return matmul(512, true); }},
      {"add_4096", [] { return add(4096); }},
      {"add_1m", [] { return add(kMillion); }},
      {"add_8m", [] { return add(8 * kMillion); }},
      {"tanh_1m", [] { return activation(kMillion, [](const Tensor& x) { return lib::tanh(x); }); }},
      {"sigmoid_1m", [] { return activation(kMillion, [](const Tensor& x) { return lib::sigmoid(x); }); }},
      {"expression_1m",
       [] {
         return recorded(numbers({kMillion}, -1, 1),
                         [](const Tensor& b) { return lib::sum(lib::tanh(b * b + b) * lib::sigmoid(b)); });
       }},
      {"softmax_1024x1000",
       [] {
         return recorded(
             numbers({1024, 1000}, -2, 2), [](const Tensor& x) { return lib::softmax(x, 1); },
             numbers({1024, 1000}, -1, 2));
       }},
      {"cross_entropy_1024x1000",
       [] {
         const Tensor target = classes(1024, 1000);
         return recorded(numbers({1024, 1000}, -2, 2),
                         [=](const Tensor& x) { return lib::nn::functional::cross_entropy(x, target); });
       }},
      {"convnet_64_sgd", [] { return convnet(64); }},
      {"conv_64x64x3x3", [] { return convolution(); }},
      {"conv_64x64x3x3_backward", [] { return convolution_with_backward(); }},
      {"lstm_50x32x128_256",
       [] {
         return recurrent({50, 32, 128, 256, 4});
       }},
      {"lstm_30x16x64_64",
       [] {
         return recurrent({30, 16, 64, 64, 4});
       }},
      {"lstm_50x1x64_128",
       [] {
         return recurrent({50, 1, 64, 128, 4});
       }},
      {"gru_50x32x128_256",
       [] {
         return recurrent({50, 32, 128, 256, 3});
       }},
  };
}

}  // namespace
}  // namespace bench

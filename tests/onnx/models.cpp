// Writes models as ONNX into a folder, each with inputs and what this library computes from them, for another runtime to compare.
#include <cstdio>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

using Tensors = std::vector<Tensor>;
std::string folder;

void write_runs(const std::string& name, const std::function<Tensors(const Tensors&)>& f,
                const std::vector<Tensors>& runs) {
  const NoGradGuard no_grad;
  for (size_t r = 0; r < runs.size(); ++r) {
    NamedTensors all;
    const auto add = [&](const char* what, const Tensors& list) {
      for (size_t i = 0; i < list.size(); ++i)
        all.append(list.size() == 1 ? std::string(what) : what + std::to_string(i), list[i].contiguous());
    };
    add("input", runs[r]);
    add("output", f(runs[r]));
    save_safetensors(folder + "/" + name + "." + std::to_string(r) + ".safetensors", all);
  }
}

// The first run is the example. A module is written while it is training, and compared in evaluation.
template <class M> void write(const std::string& name, M model, const std::vector<Tensors>& runs, OnnxOptions o = {}) {
  save_onnx(model, runs[0], folder + "/" + name + ".onnx", o);
  if constexpr (std::is_base_of_v<nn::Module, M>) model.eval();
  write_runs(
      name, [&](const Tensors& in) { return detail::call_model<1>(model, in); }, runs);
}
void write_function(const std::string& name, const std::function<Tensors(const Tensors&)>& f,
                    const std::vector<Tensors>& runs, OnnxOptions o = {}) {
  save_onnx(f, runs[0], folder + "/" + name + ".onnx", o);
  write_runs(name, f, runs);
}

// An example of two rows, and more and fewer rows.
std::vector<Tensors> rows(const Shape& one) {
  std::vector<Tensors> runs;
  for (const int64_t n : {2, 5, 1}) {
    Shape sizes = one;
    sizes.insert(0, n);
    runs.push_back({randn(sizes)});
  }
  return runs;
}

void networks() {
  write("mnist_mlp",
        nn::Sequential(nn::Linear(784, 300), nn::ReLU(), nn::Linear(300, 100), nn::ReLU(), nn::Linear(100, 10)),
        rows({784}));
  write("mnist_conv",
        nn::Sequential(nn::Conv2d(1, 10, {.kernel_size = 5}), nn::MaxPool2d({.kernel_size = 2}), nn::ReLU(),
                       nn::Conv2d(10, 20, {.kernel_size = 5}), nn::Dropout2d(), nn::MaxPool2d({.kernel_size = 2}),
                       nn::ReLU(), nn::Flatten(), nn::Linear(320, 50), nn::ReLU(), nn::Dropout(), nn::Linear(50, 10)),
        rows({1, 28, 28}));
  const nn::Sequential net(nn::Linear(4, 3), nn::Tanh(), nn::Linear(3, 2));
  const Tensor x = randn({2, 4});
  const Program program = capture([&](const Tensor& in) { return softmax(net(in), -1); }, {x});
  save_onnx(program, folder + "/program.onnx");
  write_runs("program", [&](const Tensors& in) { return Tensors{softmax(net(in[0]), -1)}; }, {{x}, {randn({7, 4})}});
}

void elementwise() {
  write_function(
      "activations",
      [](const Tensors& in) {
        const Tensor& x = in[0];
        return Tensors{relu(x),
                       sigmoid(x),
                       tanh(x),
                       softplus(x),
                       softplus(x, 2),
                       silu(x),
                       mish(x),
                       gelu(x),
                       gelu(x, "tanh"),
                       elu(x, 0.5),
                       celu(x, 0.5),
                       selu(x),
                       relu6(x),
                       hardsigmoid(x),
                       hardswish(x),
                       hardtanh(x),
                       leaky_relu(x, .2),
                       softshrink(x),
                       hardshrink(x),
                       tanhshrink(x),
                       softsign(x),
                       logsigmoid(x),
                       glu(x),
                       softmax(x, 1),
                       log_softmax(x, -1),
                       clamp_min(x, 0),
                       clamp(x, -1, 0.5),
                       threshold(x, 0.5, -1)};
      },
      rows({3, 6}));
  write("prelu", nn::Sequential(nn::PReLU({.num_parameters = 3})), rows({3, 4}));
  write_function("arithmetic",
                 [](const Tensors& in) {
                   const Tensor &x = in[0], p = square(x) + 0.5;
                   const Tensor row = tensor({1.f, -2.f, 3.f, 0.5f});
                   return Tensors{x + row,
                                  1 - x,
                                  row - x,
                                  x * 2 / 3,
                                  row / p,
                                  pow(p, 1.5),
                                  pow(p, row),
                                  exp(x),
                                  log(p),
                                  sqrt(p),
                                  rsqrt(p),
                                  reciprocal(p),
                                  abs(x),
                                  neg(x),
                                  sign(x),
                                  erf(x),
                                  expm1(x),
                                  log1p(p),
                                  sin(x),
                                  cos(x),
                                  atan(x),
                                  floor(x),
                                  ceil(x),
                                  maximum(x, p),
                                  x + x[0][0] * 0,
                                  where(row > 0, x, p),
                                  masked_fill(x, row > 0, 7)};
                 },
                 {{randn({3, 4})}, {randn({1, 4})}, {randn({6, 4})}});
}

void shapes() {
  write_function("shapes",
                 [](const Tensors& in) {
                   const Tensor& x = in[0];  // [N, 4, 6]
                   const Tensors parts = split(x, {1, 3}, 1), pieces = unbind(x, 1);
                   return Tensors{flatten(x, 1),
                                  reshape(x, {-1, 6}),
                                  x.reshape({x.size(0), 2, 12}).transpose(1, 2),
                                  permute(x, {2, 0, 1}),
                                  transpose(x, 0, 1),
                                  cat({x, x * 2}, 2),
                                  cat({x, x}, 0),
                                  parts[0],
                                  parts[1],
                                  pieces[2],
                                  narrow(x, 1, 1, 2),
                                  slice(x, 2, 1, 6, 2),
                                  slice(x, 0, 1),
                                  select(x, 2, -1),
                                  select(x, 0, -1),
                                  x[0],
                                  unsqueeze(x, 1).expand({-1, 3, -1, -1}),
                                  stack({x, neg(x)}, 1),
                                  flip(x, {1, 2}),
                                  pad(x, {1, 2, 0, 1}, "constant", 0.5),
                                  x.to(kFloat64),
                                  zeros({x.size(0), 2}) + x.sum(IntArrayRef({1, 2})).unsqueeze(1)};
                 },
                 {{randn({2, 4, 6})}, {randn({3, 4, 6})}});
  write_function(
      "reductions",
      [](const Tensors& in) {
        const Tensor& x = in[0];
        return Tensors{sum(x),
                       sum(x, 1),
                       sum(x, IntArrayRef({0, 2}), true),
                       mean(x, -1),
                       mean(x, 0),
                       amax(x, 1),
                       amin(x, IntArrayRef({1, 2})),
                       logsumexp(x, 2),
                       norm(x, 2, 1),
                       norm(x, 1, -1),
                       mean(x)};
      },
      rows({3, 5}));
  write_function(
      "products",
      [](const Tensors& in) {
        const Tensor w = ones({5, 4}).triu(), b = ones({1, 5, 2}).tril();
        return Tensors{matmul(in[0], w),
                       matmul(in[0], b),
                       matmul(in[0], in[0].transpose(1, 2)),
                       linear(in[0], w.t(), w[0]),
                       baddbmm(in[0], in[0], (in[0] * 0.5).transpose(1, 2).matmul(in[0]), 0.5, -2),
                       addmm(w[0], in[0].sum(1), w, 2)};
      },
      rows({3, 5}));
}

void layers() {
  write("convolutions",
        nn::Sequential(
            nn::Conv2d(2, 4, {.kernel_size = {4, 3}, .padding = "same", .groups = 2}),
            nn::Conv2d(4, 3, {.kernel_size = 3, .stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}}),
            nn::ConvTranspose2d(3, 4, {.kernel_size = 3, .stride = 2, .padding = 1, .output_padding = 1, .groups = 1}),
            nn::ConvTranspose2d(4, 2, {.kernel_size = 2, .groups = 2, .bias = false, .dilation = 2})),
        rows({2, 9, 8}));
  write("lines",
        nn::Sequential(nn::Conv1d(2, 3, {.kernel_size = 3, .padding = 1, .padding_mode = "zeros"}),
                       nn::AvgPool1d({.kernel_size = 2}), nn::ConvTranspose1d(3, 1, {.kernel_size = 3})),
        rows({2, 9}));
  write("volumes", nn::Sequential(nn::Conv3d(1, 2, {.kernel_size = 2}), nn::MaxPool3d({.kernel_size = 2, .stride = 1})),
        rows({1, 4, 5, 4}));
  const auto pools = [](const Tensors& in) {
    const Tensor& x = in[0];
    return Tensors{max_pool2d(x, 3, 2, 1),
                   max_pool2d(x, 3, 2, 0, 1, true),
                   max_pool2d(x, 2, 1, 0, 2),
                   avg_pool2d(x, 3, 2, 1),
                   avg_pool2d(x, 3, 2, 1, false, false),
                   avg_pool2d(x, 3, 2, 0, true, false),
                   adaptive_avg_pool2d(x, {2, 3}),
                   adaptive_avg_pool2d(x, 1)};
  };
  write_function("pools", pools, {{randn({2, 3, 8, 9})}, {randn({4, 3, 8, 9})}});
  write_function("pools_of_a_sample", pools, {{randn({3, 8, 9})}}, {.dynamic_batch = false});

  nn::Sequential norms(nn::Conv2d(3, 4, {.kernel_size = 1}), nn::BatchNorm2d(4), nn::InstanceNorm2d(4),
                       nn::GroupNorm(2, 4), nn::LayerNorm({4, 3}), nn::RMSNorm({3}),
                       nn::BatchNorm2d(4, {.affine = false}),
                       nn::InstanceNorm2d(4, {.affine = true, .track_running_stats = true}));
  for (int i = 0; i < 3; ++i) norms(randn({5, 3, 4, 3}) * 2 + 1);
  {
    const NoGradGuard no_grad;
    for (const Tensor& p : norms.parameters()) p.add_(randn(p.sizes()) * 0.3);
  }
  write("norms", norms, rows({3, 4, 3}));
  write("lines_norms", nn::Sequential(nn::BatchNorm1d(5), nn::LayerNorm({5}, {.elementwise_affine = false})),
        rows({5}));
  write_function(
      "interpolate",
      [](const Tensors& in) {
        return Tensors{interpolate(in[0], {.size = {7, 5}}),
                       interpolate(in[0], {.size = {2, 3}}),
                       interpolate(in[0], {.size = {2, 3}, .mode = "nearest-exact"}),
                       interpolate(in[0], {.size = {4, 9}, .mode = "nearest-exact"}),
                       interpolate(in[0], {.size = {7, 5}, .mode = "bilinear"}),
                       interpolate(in[0], {.scale_factor = {2}, .mode = "bilinear", .align_corners = true})};
      },
      rows({2, 5, 4}));
}

// A step of an LSTM as its parts.
struct Cell : nn::Cloneable<Cell> {
  nn::Linear gates = register_module("gates", nn::Linear(3 + 4, 16));
  Tensor forward(const Tensor& x) {  // [N, L, 3]
    Tensor h = zeros({x.size(0), 4}), c = zeros({x.size(0), 4});
    for (int64_t t = 0; t < x.size(1); ++t) {
      const Tensors g = chunk(gates(cat({x.select(1, t), h}, 1)), 4, 1);
      c = sigmoid(g[1]) * c + sigmoid(g[0]) * tanh(g[2]);
      h = sigmoid(g[3]) * tanh(c);
    }
    return h;
  }
};

// Tokens to the numbers of the next one, causal.
struct Language : nn::Cloneable<Language> {
  nn::Embedding embedding = register_module("embedding", nn::Embedding(11, 8, {.padding_idx = 0}));
  nn::Parameter positions = register_parameter("positions", randn({5, 8}));
  nn::TransformerEncoder encoder = register_module(
      "encoder", nn::TransformerEncoder(
                     nn::TransformerEncoderLayer(
                         8, 2, {.dim_feedforward = 16, .activation = "gelu", .batch_first = true, .norm_first = true}),
                     2, nn::LayerNorm({8})));
  nn::Linear head = register_module("head", nn::Linear(8, 11));
  Tensor forward(const Tensor& tokens) {
    return head(encoder(embedding(tokens) + positions, Tensor(), Tensor(), true));
  }
};

void sequences() {
  write("lstm_layers", nn::LSTM(3, 4, {.num_layers = 2, .batch_first = true, .bidirectional = true}), rows({4, 3}));
  write("gru_layers", nn::GRU(3, 4, {.num_layers = 2, .bias = false, .batch_first = true}), rows({9, 3}));
  write("rnn_layers", nn::RNN(3, 4, {.nonlinearity = "relu", .batch_first = true}), rows({4, 3}));
  write("cell", Cell(), rows({6, 3}));
  write("language", Language(), {{randint(11, {2, 5})}, {randint(11, {4, 5})}});
  write(
      "attention", nn::MultiheadAttention(4, 2, {.add_bias_kv = true, .batch_first = true}),
      {{randn({2, 3, 4}), randn({2, 5, 4}), randn({2, 5, 4})}, {randn({3, 3, 4}), randn({3, 5, 4}), randn({3, 5, 4})}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: onnx_models FOLDER\n", stderr);
    return 2;
  }
  folder = argv[1];
  manual_seed(4);
  networks();
  elementwise();
  shapes();
  layers();
  sequences();
  return 0;
}

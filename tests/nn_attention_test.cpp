// Attention of several heads and transformer encoders: against loops in double, masks, modes, names, order 2, errors.
#include <cmath>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()));
  return (a.detach().to(kFloat64) - b.detach().to(kFloat64)).abs().max().item<double>();
}

using Matrix = std::vector<std::vector<double>>;

// x w^T + b, for rows of x and of w.
Matrix mapped(const Matrix& x, const Matrix& w, const std::vector<double>& b) {
  Matrix y(x.size(), std::vector<double>(w.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t o = 0; o < w.size(); ++o) {
      y[i][o] = b.empty() ? 0 : b[o];
      for (size_t k = 0; k < x[i].size(); ++k) y[i][o] += x[i][k] * w[o][k];
    }
  }
  return y;
}

Matrix rows_of(const Tensor& t) {
  const Tensor x = t.detach().to(kFloat64).contiguous();
  Matrix y(static_cast<size_t>(x.size(0)), std::vector<double>(static_cast<size_t>(x.size(1))));
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t k = 0; k < y[i].size(); ++k) y[i][k] = x.data_ptr<double>()[i * y[i].size() + k];
  }
  return y;
}
std::vector<double> numbers_of(const Tensor& t) {
  return t.defined() ? rows_of(t.reshape({1, -1}))[0] : std::vector<double>();
}

struct ByHand {
  Matrix y, weights;  // of the heads' mean
};

// One sample: query [L, E], key [S, kdim], value [S, vdim]; bias(i, j) is added to the scores, -infinity leaves key j out.
ByHand attended(const nn::MultiheadAttention& m, int64_t heads, const Matrix& query, const Matrix& key,
                const Matrix& value, const std::function<double(size_t head, size_t i, size_t j)>& bias) {
  const size_t size = query[0].size(), width = size / static_cast<size_t>(heads);
  Matrix w[3];
  std::vector<double> b[3];
  for (int p = 0; p < 3; ++p) {
    const Tensor part = m.in_proj_weight.defined()
                            ? m.in_proj_weight.narrow(0, p * static_cast<int64_t>(size), static_cast<int64_t>(size))
                        : p == 0 ? Tensor(m.q_proj_weight)
                        : p == 1 ? Tensor(m.k_proj_weight)
                                 : Tensor(m.v_proj_weight);
    w[p] = rows_of(part);
    if (m.in_proj_bias.defined())
      b[p] = numbers_of(m.in_proj_bias.narrow(0, p * static_cast<int64_t>(size), static_cast<int64_t>(size)));
  }
  const Matrix q = mapped(query, w[0], b[0]);
  Matrix k = mapped(key, w[1], b[1]), v = mapped(value, w[2], b[2]);
  if (m.bias_k.defined()) k.push_back(numbers_of(m.bias_k)), v.push_back(numbers_of(m.bias_v));
  Matrix joined(q.size(), std::vector<double>(size)), weights(q.size(), std::vector<double>(k.size()));
  for (size_t h = 0; h < static_cast<size_t>(heads); ++h) {
    for (size_t i = 0; i < q.size(); ++i) {
      std::vector<double> e(k.size());
      double total = 0;
      for (size_t j = 0; j < k.size(); ++j) {
        double score = j < key.size() ? bias(h, i, j) : 0;
        for (size_t c = h * width; c < (h + 1) * width; ++c) score += q[i][c] * k[j][c] / std::sqrt(double(width));
        total += e[j] = std::exp(score);
      }
      for (size_t j = 0; j < k.size(); ++j) {
        weights[i][j] += e[j] / total / static_cast<double>(heads);
        for (size_t c = h * width; c < (h + 1) * width; ++c) joined[i][c] += e[j] / total * v[j][c];
      }
    }
  }
  return {mapped(joined, rows_of(m.out_proj.weight), numbers_of(m.out_proj.bias)), weights};
}

double distance(const Tensor& a, const Matrix& b) {
  const Matrix x = rows_of(a);
  REQUIRE(x.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    REQUIRE(x[i].size() == b[i].size());
    for (size_t k = 0; k < x[i].size(); ++k) worst = std::max(worst, std::abs(x[i][k] - b[i][k]));
  }
  return worst;
}

// Biases other than where they start.
void scatter_biases(nn::Module& m) {
  const NoGradGuard no_grad;
  for (const auto& [name, t] : m.named_parameters()) {
    if (t.dim() == 1) t.add_(randn(t.sizes(), t.dtype()) * 0.3);
  }
}

constexpr double kOut = -std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("attention of several heads is what loops give", "[nn]") {
  manual_seed(1);
  nn::MultiheadAttention m(6, 3, {.batch_first = true});
  m.to(kFloat64);
  scatter_biases(m);
  const Tensor q = randn({2, 4, 6}, kFloat64), k = randn({2, 5, 6}, kFloat64), v = randn({2, 5, 6}, kFloat64);
  const Tensor out = tensor({{false, true, false, false, true}, {true, false, false, false, false}});
  const Tensor added = randn({6, 4, 5}, kFloat64);
  const auto value_at = [](const Tensor& t, IntArrayRef at) {
    Tensor x = t;
    for (const int64_t i : at) x = x[i];
    return x;
  };
  const auto [y, w] = m(q, k, v, out, true, added);
  const auto [each_y, each] = m(q, k, v, out, true, added, false);
  CHECK(each.sizes() == Shape{2, 3, 4, 5});
  CHECK(distance(each.mean(1), w) < 1e-15);
  CHECK(equal(y, each_y));
  for (int64_t n = 0; n < 2; ++n) {
    const ByHand hand = attended(m, 3, rows_of(q[n]), rows_of(k[n]), rows_of(v[n]), [&](size_t h, size_t i, size_t j) {
      const bool left_out = value_at(out, {n, static_cast<int64_t>(j)}).item<bool>();
      return left_out
                 ? kOut
                 : value_at(added, {n * 3 + static_cast<int64_t>(h), static_cast<int64_t>(i), static_cast<int64_t>(j)})
                       .item<double>();
    });
    CHECK(distance(y[n], hand.y) < 1e-13);
    CHECK(distance(w[n], hand.weights) < 1e-14);
  }
  const auto [again, none] = m(q, k, v, out, false, added);
  CHECK_FALSE(none.defined());
  CHECK(equal(again, y));
}

TEST_CASE("lengths come first without batch_first, and a sample needs no batch", "[nn]") {
  manual_seed(2);
  nn::MultiheadAttention first(4, 2, {.batch_first = true}), m(4, 2);
  m.load_state_dict(first.state_dict());
  const Tensor x = randn({3, 5, 4});
  const auto [y, w] = first(x, x, x);
  const Tensor turned = x.transpose(0, 1);
  const auto [y2, w2] = m(turned, turned, turned);
  CHECK(distance(y, y2.transpose(0, 1)) < 1e-6);
  CHECK(distance(w, w2) < 1e-6);
  const auto [y3, w3] = m(x[1], x[1], x[1]);
  CHECK(distance(y3, y[1]) < 1e-6);
  CHECK(distance(w3, w[1]) < 1e-6);
  const auto [y4, w4] = m(x[1], x[1], x[1], Tensor(), true, Tensor(), false);
  CHECK(w4.sizes() == Shape{2, 5, 5});
  // One product of all three, or one of each.
  const auto [y5, w5] = first(x, x.clone(), x.clone());
  CHECK(distance(y, y5) < 1e-6);
}

TEST_CASE("causal attention is that of the mask of later keys", "[nn]") {
  manual_seed(3);
  nn::MultiheadAttention m(4, 2, {.batch_first = true});
  const Tensor x = randn({2, 5, 4}), longer = randn({2, 7, 4});
  const Tensor mask = triu(ones({5, 7}, kBool), 1);
  const auto [y, w] = m(x, longer, longer, Tensor(), true, mask);
  const auto [y2, w2] = m(x, longer, longer, Tensor(), true, Tensor(), true, true);
  CHECK(equal(y, y2));
  CHECK(w[0][1][2].item<float>() == 0);
  CHECK(w[0][1][1].item<float>() > 0);
  const auto [y3, w3] = m(x, longer, longer, Tensor(), true, zeros({5, 7}).masked_fill(mask, kOut), true, true);
  CHECK(distance(y, y3) < 1e-6);
}

TEST_CASE("added keys take part whatever is masked, and sizes may differ", "[nn]") {
  manual_seed(4);
  nn::MultiheadAttention m(6, 2, {.add_bias_kv = true, .kdim = 3, .vdim = 5, .batch_first = true});
  m.to(kFloat64);
  scatter_biases(m);
  CHECK(m.state_dict().keys() == std::vector<std::string>{"q_proj_weight", "k_proj_weight", "v_proj_weight",
                                                          "in_proj_bias", "bias_k", "bias_v", "out_proj.weight",
                                                          "out_proj.bias"});
  const Tensor q = randn({1, 3, 6}, kFloat64), k = randn({1, 4, 3}, kFloat64), v = randn({1, 4, 5}, kFloat64);
  const Tensor mask = triu(ones({3, 4}, kBool), 1);
  const auto [y, w] = m(q, k, v, Tensor(), true, mask);
  const ByHand hand = attended(m, 2, rows_of(q[0]), rows_of(k[0]), rows_of(v[0]),
                               [](size_t, size_t i, size_t j) { return j > i ? kOut : 0; });
  CHECK(w.sizes() == Shape{1, 3, 5});
  CHECK(distance(y[0], hand.y) < 1e-13);
  CHECK(distance(w[0], hand.weights) < 1e-14);

  // With only the added zeros left, the values are zeros.
  nn::MultiheadAttention zero(4, 2, {.bias = false, .add_zero_attn = true, .batch_first = true});
  CHECK(zero.state_dict().keys() == std::vector<std::string>{"in_proj_weight", "out_proj.weight"});
  const Tensor x = randn({1, 2, 4});
  const auto [z, wz] = zero(x, x, x, ones({1, 2}, kBool));
  CHECK(equal(z, zeros({1, 2, 4})));
  CHECK(wz.sizes() == Shape{1, 2, 3});
}

TEST_CASE("a query whose keys are all masked gets NaN, the others what they had", "[nn]") {
  const Tensor q = randn({2, 3}), mask = tensor({{true, false}, {false, false}});
  const Tensor y = scaled_dot_product_attention(q, q, q, mask);
  CHECK(distance(y[0], q[0]) < 1e-6);
  for (int64_t i = 0; i < 3; ++i) CHECK(std::isnan(y[1][i].item<float>()));
}

TEST_CASE("attention drops weights while training only", "[nn]") {
  manual_seed(5);
  nn::MultiheadAttention m(4, 1, {.dropout = 0.5, .batch_first = true});
  const Tensor x = randn({1, 40, 4});
  const auto [y, w] = m(x, x, x);
  const int64_t dropped = (w == 0).sum().item<int64_t>();
  CHECK(dropped > 650);
  CHECK(dropped < 950);
  m.eval();
  const auto [y2, w2] = m(x, x, x);
  CHECK((w2 == 0).sum().item<int64_t>() == 0);
  CHECK(equal(y2, std::get<0>(m(x, x, x))));
  // What is left of a weight is twice what it is in evaluation.
  CHECK(distance(w, where(w == 0, w, w2 * 2)) < 1e-6);
}

TEST_CASE("attention's errors say what they want", "[nn]") {
  CHECK(message_of<ValueError>([] { nn::MultiheadAttention(6, 4); }) ==
        "MultiheadAttention: num_heads must divide embed_dim, got num_heads 4 and embed_dim 6");
  CHECK(message_of<ValueError>([] { nn::MultiheadAttention(0, 1); }) ==
        "MultiheadAttention: embed_dim, num_heads, kdim and vdim must be at least 1, got embed_dim 0, num_heads 1, "
        "kdim 0 and vdim 0");
  CHECK(message_of<ValueError>([] { nn::MultiheadAttention(2, 1, {.dropout = 2}); }) ==
        "MultiheadAttention: dropout must lie in [0, 1], got 2.000000");
  const nn::MultiheadAttention m(4, 2, {.batch_first = true});
  const Tensor x = ones({2, 3, 4});
  CHECK(message_of<ShapeError>([&] {
          m(x, ones({2, 5, 4}), x);
        }) ==
        "MultiheadAttention: query, key and value must be [N, L, 4], [N, S, 4] and [N, S, 4], or all without N, got "
        "query [2, 3, 4], key [2, 5, 4] and value [2, 3, 4]");
  CHECK(message_of<ShapeError>([&] {
          m(x, x, x, ones({2, 4}, kBool));
        }) == "MultiheadAttention: key_padding_mask must be [2, 3], got shape [2, 4]");
  CHECK(message_of<ShapeError>([&] {
          m(x, x, x, Tensor(), true, ones({2, 3, 3}, kBool));
        }) == "MultiheadAttention: attn_mask must be [3, 3] or [4, 3, 3], got shape [2, 3, 3]");
  CHECK(message_of<DTypeError>([&] {
          m(x, x, x, Tensor(), true, ones({3, 3}, kInt64));
        }) == "MultiheadAttention: attn_mask must be bool or of query's dtype, got attn_mask int64 and query float32");
  CHECK(message_of<ValueError>([&] { m(x, Tensor(), x); }) ==
        "MultiheadAttention: key must be defined, got an undefined tensor (Tensor())");
  CHECK(message_of<ValueError>([] { nn::TransformerEncoderLayer(4, 2, {.activation = "tanh"}); }) ==
        "TransformerEncoderLayer: activation must be \"relu\" or \"gelu\", got \"tanh\"");
  CHECK(message_of<ValueError>([] { nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 0}); }) ==
        "TransformerEncoderLayer: dim_feedforward must be at least 1, got 0");
}

TEST_CASE("an encoder layer is its parts in PyTorch's order", "[nn]") {
  manual_seed(6);
  for (const bool norm_first : {false, true}) {
    nn::TransformerEncoderLayer layer(
        4, 2, {.dim_feedforward = 6, .activation = "gelu", .batch_first = true, .norm_first = norm_first});
    CHECK(layer.state_dict().keys() ==
          std::vector<std::string>{"self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                                   "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
                                   "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"});
    scatter_biases(layer);
    layer.eval();
    const Tensor src = randn({2, 3, 4});
    const Tensor padding = tensor({{false, false, true}, {false, true, true}});
    const auto a = [&](const Tensor& x) { return std::get<0>(layer.self_attn(x, x, x, padding)); };
    const auto f = [&](const Tensor& x) { return layer.linear2(gelu(layer.linear1(x))); };
    Tensor expected;
    if (norm_first) {
      const Tensor x = src + a(layer.norm1(src));
      expected = x + f(layer.norm2(x));
    } else {
      const Tensor x = layer.norm1(src + a(src));
      expected = layer.norm2(x + f(x));
    }
    CHECK(distance(layer(src, Tensor(), padding), expected) < 1e-6);
    layer.train();
    CHECK(distance(layer(src, Tensor(), padding), expected) > 1e-3);
  }
}

TEST_CASE("an encoder clones its layer", "[nn]") {
  manual_seed(7);
  const nn::TransformerEncoderLayer layer(4, 2, {.dim_feedforward = 5, .dropout = 0, .bias = false});
  nn::TransformerEncoder encoder(layer, 2, nn::LayerNorm({4}));
  CHECK(encoder.state_dict().keys() ==
        std::vector<std::string>{
            "layers.0.self_attn.in_proj_weight", "layers.0.self_attn.out_proj.weight", "layers.0.linear1.weight",
            "layers.0.linear2.weight", "layers.0.norm1.weight", "layers.0.norm2.weight",
            "layers.1.self_attn.in_proj_weight", "layers.1.self_attn.out_proj.weight", "layers.1.linear1.weight",
            "layers.1.linear2.weight", "layers.1.norm1.weight", "layers.1.norm2.weight", "norm.weight", "norm.bias"});
  const Tensor x = randn({3, 2, 4});
  const Tensor y = encoder(x, Tensor(), Tensor(), true);
  CHECK(distance(y, (*encoder.norm)(layer(layer(x, Tensor(), Tensor(), true), Tensor(), Tensor(), true))) < 1e-6);
  nn::TransformerEncoder copy = encoder.clone();
  {
    const NoGradGuard no_grad;
    for (const Tensor& p : encoder.parameters()) p.mul_(2);
  }
  CHECK(equal(copy(x, Tensor(), Tensor(), true), y));
  // Later positions say nothing about earlier ones.
  Tensor changed = x.clone();
  changed[2].fill_(9);
  CHECK(distance(copy(changed, Tensor(), Tensor(), true).narrow(0, 0, 2), y.narrow(0, 0, 2)) < 1e-6);
  CHECK(distance(copy(changed, Tensor(), Tensor(), true)[2], y[2]) > 1e-2);
}

TEST_CASE("gradients of gradients go through an encoder layer", "[nn]") {
  manual_seed(8);
  nn::TransformerEncoderLayer layer(2, 1, {.dim_feedforward = 2, .dropout = 0, .activation = "gelu"});
  layer.to(kFloat64);
  layer.requires_grad_(false);
  const Tensor x = randn({2, 1, 2}, kFloat64).requires_grad_();
  CHECK(gradcheck([&](const Tensor& in) { return layer(in, Tensor(), Tensor(), true); }, {x}));
  CHECK(gradgradcheck([&](const Tensor& in) { return layer(in, Tensor(), Tensor(), true); }, {x}));
}

TEST_CASE("a captured encoder step replays its bits", "[nn]") {
  manual_seed(9);
  nn::TransformerEncoder encoder(nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 8}), 1);
  optim::SGD sgd(encoder.parameters(), {.lr = 0.01});
  const Tensor x = randn({3, 2, 4});
  const auto step = [&] {
    sgd.zero_grad();
    const Tensor loss = square(encoder(x, Tensor(), Tensor(), true)).mean();
    loss.backward();
    sgd.step();
    return loss;
  };
  CHECK_NOTHROW(capture(step, {.verify = 2}));
}

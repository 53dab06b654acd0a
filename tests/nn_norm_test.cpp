// Layers of normalisation and the kin of dropout: running statistics against sums in double, capture, state, printing, errors.
#include <cmath>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && equal(a.detach(), b.detach()); }

// Of each channel of [N, C, ...].
struct Moments {
  std::vector<double> mean, variance;
};
Moments moments_of(const Tensor& x) {
  const Tensor v = x.detach().to(kFloat64).contiguous();
  const int64_t n = v.size(0), channels = v.size(1), inner = v.numel() / (n * channels);
  const auto count = static_cast<double>(n * inner);
  Moments m{std::vector<double>(static_cast<size_t>(channels)), std::vector<double>(static_cast<size_t>(channels))};
  const auto each = [&](const auto& f) {
    for (int64_t i = 0; i < v.numel(); ++i) f(static_cast<size_t>(i / inner % channels), v.data_ptr<double>()[i]);
  };
  each([&](size_t c, double e) { m.mean[c] += e / count; });
  each([&](size_t c, double e) { m.variance[c] += (e - m.mean[c]) * (e - m.mean[c]) / count; });
  return m;
}

// (x - mean) / sqrt(variance + 1e-5) w + b
Tensor by_hand(const Tensor& x, const Moments& m, double w, double b) {
  const Tensor y = x.detach().to(kFloat64).contiguous().clone();
  const int64_t inner = y.numel() / (y.size(0) * y.size(1));
  for (int64_t i = 0; i < y.numel(); ++i) {
    const auto c = static_cast<size_t>(i / inner % y.size(1));
    double& e = y.data_ptr<double>()[i];
    e = (e - m.mean[c]) / std::sqrt(m.variance[c] + 1e-5) * w + b;
  }
  return y;
}

double distance(const Tensor& a, const Tensor& b) {
  return (a.detach().to(kFloat64) - b.detach().to(kFloat64)).abs().max().item<double>();
}

template <class Layer> void check_running(Layer layer, const Shape& sizes, std::optional<double> momentum) {
  std::vector<double> mean(3, 0.0), variance(3, 1.0);
  const double terms = static_cast<double>(zeros(sizes).numel() / 3);
  {
    const NoGradGuard no_grad;
    layer.weight.fill_(1.5);
    layer.bias.fill_(-0.25);
  }
  for (int step = 1; step <= 4; ++step) {
    const Tensor x = randn(sizes) * step + 2;
    const Moments m = moments_of(x);
    CHECK(distance(layer(x), by_hand(x, m, 1.5, -0.25)) < 2e-5);
    const double share = momentum.value_or(1.0 / step);
    for (size_t c = 0; c < 3; ++c) {
      mean[c] += share * (m.mean[c] - mean[c]);
      variance[c] += share * (m.variance[c] * terms / (terms - 1) - variance[c]);
      CHECK(layer.running_mean[static_cast<int64_t>(c)].template item<double>() == Approx(mean[c]).epsilon(1e-6));
      CHECK(layer.running_var[static_cast<int64_t>(c)].template item<double>() == Approx(variance[c]).epsilon(1e-6));
    }
    CHECK(layer.num_batches_tracked.template item<int64_t>() == step);
  }
  layer.eval();
  const Tensor x = randn(sizes), before = layer.running_mean.clone();
  CHECK(distance(layer(x), by_hand(x, {mean, variance}, 1.5, -0.25)) < 2e-5);
  CHECK(same(layer.running_mean, before));
  CHECK(layer.num_batches_tracked.template item<int64_t>() == 4);
  layer.reset_running_stats();
  CHECK(same(layer.running_var, ones({3})));
  CHECK(layer.num_batches_tracked.template item<int64_t>() == 0);
}

}  // namespace

TEST_CASE("batch norm's running statistics are those of the batches it saw", "[nn]") {
  manual_seed(31);
  check_running(nn::BatchNorm1d(3), {8, 3}, 0.1);
  check_running(nn::BatchNorm1d(3, {.momentum = 0.5}), {4, 3, 5}, 0.5);
  check_running(nn::BatchNorm2d(3, {.momentum = {}}), {4, 3, 9, 8}, {});
  check_running(nn::BatchNorm3d(3, {.momentum = {}}), {2, 3, 2, 3, 2}, {});
}

TEST_CASE("instance norm's running statistics are the means over the samples", "[nn]") {
  manual_seed(32);
  nn::InstanceNorm1d layer(2, {.momentum = {}, .track_running_stats = true});
  const Tensor x = randn({3, 2, 5});
  layer(x);
  for (int64_t c = 0; c < 2; ++c) {
    double mean = 0, variance = 0;
    for (int64_t n = 0; n < 3; ++n) {
      mean += x[n][c].mean().item<double>() / 3;
      variance += var(x[n][c]).item<double>() / 3;
    }
    CHECK(layer.running_mean[c].item<double>() == Approx(mean).epsilon(1e-5));
    CHECK(layer.running_var[c].item<double>() == Approx(variance).epsilon(1e-5));
  }
  layer.eval();
  CHECK(distance(layer(x), batch_norm(x, layer.running_mean, layer.running_var)) == 0);
  // One sample, without its dim; without running statistics evaluation changes nothing.
  nn::InstanceNorm2d plain(2);
  const Tensor image = randn({2, 3, 4});
  const Tensor y = plain(image);
  CHECK(y.sizes() == Shape{2, 3, 4});
  plain.eval();
  CHECK(same(plain(image), y));
  CHECK(plain.state_dict().size() == 0);
}

TEST_CASE("batch norm without running statistics takes the batch's in evaluation too", "[nn]") {
  manual_seed(33);
  nn::BatchNorm1d layer(3, {.affine = false, .track_running_stats = false});
  layer.eval();
  const Tensor x = randn({6, 3});
  CHECK(distance(layer(x), by_hand(x, moments_of(x), 1, 0)) < 1e-5);
  CHECK(layer.parameters().empty());
  CHECK(layer.buffers().empty());
}

TEST_CASE("statistics are exact far from 0, and where they are taken in pieces", "[ops]") {
  manual_seed(34);
  for (const Shape& sizes : {Shape{2, 3, 250, 200}, Shape{64, 3, 7, 7}, Shape{300, 40}}) {
    CAPTURE(sizes);
    const Tensor x = randn(sizes) + 10000;  // what float32 makes of it is what the reference reads
    const Moments m = moments_of(x);
    const Tensor y = batch_norm(x, {}, {}, {}, {}, true);
    CHECK(distance(y, by_hand(x, m, 1, 0)) < 1e-5);
    CHECK(distance(group_norm(x.transpose(0, 1), 1), by_hand(x, m, 1, 0).transpose(0, 1)) < 1e-5);
  }
  const Tensor x = randn({3, 140000}) + 300;
  CHECK(distance(layer_norm(x, {140000}), by_hand(x.t().contiguous(), moments_of(x.t()), 1, 0).t()) < 1e-5);
  const Tensor rows = randn({50, 700}) + 3000;
  CHECK(distance(layer_norm(rows, {700}, ones({700}), zeros({700})),
                 by_hand(rows.t().contiguous(), moments_of(rows.t()), 1, 0).t()) < 1e-5);
}

TEST_CASE("a captured training step with batch norm replays bit by bit, running statistics too", "[capture]") {
  manual_seed(35);
  nn::Sequential net(nn::Linear(6, 12), nn::BatchNorm1d(12), nn::ReLU(), nn::Unflatten(1, {3, 4}),
                     nn::BatchNorm1d(3, {.momentum = {}}), nn::Dropout1d(0.25), nn::Flatten(), nn::LayerNorm(12),
                     nn::AlphaDropout(0.1), nn::Linear(12, 2));
  nn::Sequential other = net.clone();
  const Tensor x = randn({10, 6}), y = randn({10, 2}), z = x.clone();
  const auto step_of = [&](nn::Sequential& n, optim::SGD& sgd, const Tensor& in) {
    sgd.zero_grad();
    const Tensor loss = mse_loss(n(in), y);
    loss.backward();
    sgd.step();
    return loss;
  };
  optim::SGD sgd(net.parameters(), {.lr = 0.05}), other_sgd(other.parameters(), {.lr = 0.05});
  manual_seed(5);
  const Program step = capture([&] { return step_of(net, sgd, x); }, {.verify = 2});
  std::vector<Tensor> inputs;
  for (int i = 0; i < 4; ++i) inputs.push_back(randn({10, 6}));
  manual_seed(6);
  const Tensor loss = [&] {
    for (int i = 0; i < 3; ++i) x.copy_(inputs[static_cast<size_t>(i)]), step();
    x.copy_(inputs[3]);
    return step();
  }();
  manual_seed(5);
  for (int i = 0; i < 2; ++i) step_of(other, other_sgd, z);
  manual_seed(6);
  Tensor expected;
  for (const Tensor& in : inputs) expected = step_of(other, other_sgd, in);
  CHECK(same(loss, expected));
  const nn::StateDict a = net.state_dict(), b = other.state_dict();
  for (const auto& [name, t] : a) {
    CAPTURE(name);
    CHECK(same(t, b[name]));
  }
  CHECK(a["1.num_batches_tracked"].item<int64_t>() == 6);
  CHECK_FALSE(same(a["4.running_mean"], zeros({3})));
}

TEST_CASE("layers of normalisation have PyTorch's keys, and clones of their own", "[nn]") {
  nn::BatchNorm2d layer(4);
  std::string keys;
  for (const auto& [name, t] : layer.state_dict()) keys += name + " " + to_string(t.sizes()) + ";";
  CHECK(keys == "weight [4];bias [4];running_mean [4];running_var [4];num_batches_tracked [];");
  CHECK(layer.state_dict()["num_batches_tracked"].dtype() == kInt64);
  nn::BatchNorm2d copy = layer.clone();
  copy(randn({2, 4, 3, 3}));
  CHECK(layer.num_batches_tracked.item<int64_t>() == 0);
  CHECK(same(layer.running_mean, zeros({4})));
  layer.load_state_dict(copy.state_dict());
  CHECK(same(layer.running_mean, copy.running_mean));
  CHECK(layer.num_batches_tracked.item<int64_t>() == 1);
  layer.to(kFloat64);
  CHECK(layer.running_var.dtype() == kFloat64);
  CHECK(layer.num_batches_tracked.dtype() == kInt64);
  CHECK(layer(randn({2, 4, 3, 3}, kFloat64)).dtype() == kFloat64);
  CHECK(nn::LayerNorm({2, 3}).weight.sizes() == Shape{2, 3});
  CHECK_FALSE(nn::LayerNorm(5, {.bias = false}).bias.defined());
  CHECK(nn::RMSNorm({5}).state_dict().size() == 1);
  CHECK(nn::GroupNorm(2, 6, {.affine = false}).parameters().empty());
}

TEST_CASE("layers of normalisation and the kin of dropout print like PyTorch's", "[nn]") {
  CHECK(to_string(nn::BatchNorm2d(64)) ==
        "BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)");
  CHECK(to_string(nn::BatchNorm1d(3, {.momentum = {}, .affine = false})) ==
        "BatchNorm1d(3, eps=1e-05, momentum=None, affine=false, track_running_stats=true)");
  CHECK(to_string(nn::InstanceNorm3d(3)) ==
        "InstanceNorm3d(3, eps=1e-05, momentum=0.1, affine=false, track_running_stats=false)");
  CHECK(to_string(nn::LayerNorm({5, 3})) == "LayerNorm([5, 3], eps=1e-05, elementwise_affine=true)");
  CHECK(to_string(nn::GroupNorm(2, 6)) == "GroupNorm(2, 6, eps=1e-05, affine=true)");
  CHECK(to_string(nn::RMSNorm(4)) == "RMSNorm([4], eps=None, elementwise_affine=true)");
  CHECK(to_string(nn::Dropout2d(0.2)) == "Dropout2d(p=0.2, inplace=false)");
  CHECK(to_string(nn::AlphaDropout({.inplace = true})) == "AlphaDropout(p=0.5, inplace=true)");
  CHECK(to_string(nn::FeatureAlphaDropout()) == "FeatureAlphaDropout(p=0.5, inplace=false)");
}

TEST_CASE("gradients of layers of normalisation hold, with running statistics that move", "[nn]") {
  manual_seed(36);
  nn::BatchNorm1d layer(3);
  const Tensor x = randn({5, 3}).requires_grad_();
  const GradcheckReport report = nn::check_module(layer, {x}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok());
  CHECK(same(layer.running_mean, zeros({3})));
  nn::BatchNorm2d frozen(2);
  frozen(randn({3, 2, 2, 2}));
  frozen.eval();
  CHECK(nn::check_module(frozen, {randn({2, 2, 2, 2}).requires_grad_()}).ok());
}

TEST_CASE("normalisation of tiny numbers without eps", "[nn]") {
  manual_seed(37);
  const Tensor x = randn({4, 6}), tiny = x * 1e-19;
  CHECK(allclose(layer_norm(tiny, {6}, {}, {}, 0), layer_norm(x, {6}, {}, {}, 0), 1e-6, 1e-6));
  CHECK(allclose(group_norm(tiny, 2, {}, {}, 0), group_norm(x, 2, {}, {}, 0), 1e-6, 1e-6));
}

TEST_CASE("running statistics in one memory are refused, those that x or each other lie between are not", "[nn]") {
  manual_seed(38);
  const Tensor x = randn({4, 3});
  const auto refused = [&](const Tensor& mean, const Tensor& var) {
    const Tensor before = mean.clone();
    const std::string text = message_of<ValueError>([&] { batch_norm(x, mean, var, {}, {}, true); });
    CHECK(same(mean, before));
    return text;
  };
  const Tensor memory = ones({6});
  const char* const text = "batch_norm: running_mean and running_var must not share elements, got two of one memory";
  CHECK(refused(memory.narrow(0, 0, 3), memory.narrow(0, 0, 3)) == text);
  CHECK(refused(memory.narrow(0, 0, 3), memory.narrow(0, 2, 3)) == text);
  CHECK(refused(memory.view({3, 2}).select(1, 0), memory.narrow(0, 1, 3)) == text);
  CHECK(batch_norm(x, memory.narrow(0, 0, 3), memory.narrow(0, 0, 3)).sizes() == x.sizes());  // nothing is written

  const Tensor mean = ones({3}), var = ones({3}), pairs = ones({3, 2});
  batch_norm(x, mean, var, {}, {}, true);
  batch_norm(x, pairs.select(1, 0), pairs.select(1, 1), {}, {}, true);
  CHECK(same(pairs.select(1, 0), mean));
  CHECK(same(pairs.select(1, 1), var));
  // In a row of x: what was there is normalised, then written over, which the gradient would need.
  const Tensor own = x.clone(), weight = ones({3}).requires_grad_();
  const Tensor y = batch_norm(own, own[0], ones({3}), weight, {}, true, 1.0);
  CHECK(same(y.detach(), batch_norm(x, {}, {}, {}, {}, true)));
  CHECK(allclose(own[0], x.mean(0)));
  CHECK_THAT(message_of<AutogradError>([&] { sum(y * x).backward(); }), Contains("batch_norm"));
}

TEST_CASE("batch norm refuses what has no statistics, and leaves them alone", "[nn]") {
  nn::BatchNorm2d layer(3);
  CHECK(message_of<ValueError>([&] {
          layer(zeros({1, 3, 1, 1}));
        }) == "batch_norm: its own statistics need more than 1 value per channel, got x of shape [1, 3, 1, 1]");
  CHECK(message_of<ShapeError>([&] {
          layer(zeros({2, 3, 4}));
        }) == "BatchNorm2d: x must be [N, C, H, W], got shape [2, 3, 4]");
  CHECK(message_of<ShapeError>([&] {
          layer(zeros({2, 4, 2, 2}));
        }) == "BatchNorm2d: x must have 3 channels, got 4 in shape [2, 4, 2, 2]");
  CHECK(message_of<DTypeError>([&] {
          layer(zeros({2, 3, 2, 2}, kFloat64));
        }) == "batch_norm: weight must have x's dtype, got weight float32 and x float64");
  CHECK(message_of<ShapeError>([] { nn::BatchNorm1d(3)(zeros({3})); }) ==
        "BatchNorm1d: x must be [N, C] or [N, C, L], got shape [3]");
  CHECK(message_of<ShapeError>([] {
          nn::InstanceNorm1d(3)(zeros({2, 2}));
        }) == "InstanceNorm1d: x must have 3 channels, got 2 in shape [2, 2]");
  CHECK(message_of<ValueError>([] { nn::GroupNorm(4, 6); }) ==
        "GroupNorm: num_groups must be positive and divide num_channels, got 4 and 6");
  CHECK(message_of<ValueError>([] { nn::BatchNorm1d(-1); }) ==
        "BatchNorm1d: num_features must not be negative, got -1");
  CHECK(message_of<ValueError>([] { nn::Dropout3d(2.0); }) == "Dropout3d: p must lie in [0, 1], got 2.000000");
  // An empty batch has no statistics either, and is fine.
  CHECK(layer(zeros({0, 3, 2, 2})).sizes() == Shape{0, 3, 2, 2});
  CHECK(layer.num_batches_tracked.item<int64_t>() == 0);
  CHECK(same(layer.running_var, ones({3})));
}

TEST_CASE("running statistics written after a forward that needs them are noticed", "[nn]") {
  nn::BatchNorm1d layer(3);
  layer.eval();
  const Tensor x = randn({4, 3});
  const Tensor y = layer(x);
  layer.train();
  layer(x);
  CHECK_THAT(message_of<AutogradError>([&] { y.sum().backward(); }),
             Contains("was written in place after it was saved"));
}

TEST_CASE("bfloat16 goes through batch norm in float32, whatever keeps the running statistics", "[nn]") {
  manual_seed(37);
  nn::BatchNorm1d layer(3, {.affine = false}), low(3, {.affine = false});
  low.to(kBFloat16);
  const Tensor x = randn({40, 3}).to(kBFloat16);
  const Tensor y = layer(x);
  CHECK(y.dtype() == kBFloat16);
  CHECK(same(low(x), y));
  CHECK(layer.running_mean.dtype() == kFloat32);
  CHECK(same(low.running_var, layer.running_var.to(kBFloat16)));
  CHECK(layer.running_mean[0].item<double>() == Approx(0.1 * moments_of(x).mean[0]).epsilon(1e-5));
}

TEST_CASE("channel dropout drops channels whole", "[nn]") {
  manual_seed(38);
  const auto count = [](const Tensor& y, int64_t from) {  // of channels dropped; each is all 0 or all 1 / (1 - p)
    const Tensor flat = y.flatten(from);
    CHECK(same(flat.amax({-1}), flat.amin({-1})));
    return (flat.amax({-1}) == 0).sum().item<int64_t>();
  };
  const int64_t dropped = count(nn::Dropout2d(0.25)(ones({40, 50, 2, 3})), 2);
  CHECK(std::abs(static_cast<double>(dropped) - 500) < 5 * std::sqrt(2000 * 0.25 * 0.75));
  CHECK(count(nn::Dropout3d({.p = 0.5})(ones({400, 2, 1, 2})), 1) > 100);
  CHECK(count(nn::functional::dropout1d(ones({400, 3}), 0.5), 1) > 100);
  const Tensor x = ones({8, 50, 4});
  nn::Dropout1d in_place({.p = 0.5, .inplace = true});
  CHECK(in_place(x).is_same(x));
  CHECK(count(x, 2) > 100);
  in_place.eval();
  CHECK(same(in_place(ones({2, 3})), ones({2, 3})));
  CHECK(message_of<ShapeError>([] {
          nn::functional::dropout3d(ones({2, 3}));
        }) == "dropout3d: x must be [N, C, D, H, W] or [C, D, H, W], got shape [2, 3]");
}

TEST_CASE("alpha dropout keeps mean and variance", "[nn]") {
  manual_seed(39);
  const Tensor x = randn({400000}, kFloat64), y = nn::AlphaDropout(0.3)(x);
  CHECK(std::abs(y.mean().item<double>()) < 0.01);
  CHECK(std::abs(var(y).item<double>() - 1) < 0.02);
  const Tensor z = nn::FeatureAlphaDropout(0.3)(randn({2000, 100, 2}, kFloat64));
  CHECK(std::abs(z.mean().item<double>()) < 0.02);
  CHECK(std::abs(var(z).item<double>() - 1) < 0.03);
}

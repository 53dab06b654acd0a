// Convolution layers: the network of the MNIST tutorials learns, printing, keys, modes of padding, refusals.
#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST_CASE("convolution layers: sizes, keys and printing") {
  const nn::Conv2d conv(
      3, 8, {.kernel_size = {3, 5}, .stride = 2, .padding = {1, 2}, .dilation = 1, .groups = 1, .bias = true});
  CHECK(conv.weight.sizes() == IntArrayRef({8, 3, 3, 5}));
  CHECK(conv.bias.sizes() == IntArrayRef({8}));
  std::vector<std::string> keys;
  for (const auto& item : conv.named_parameters()) keys.push_back(item.key());
  CHECK(keys == std::vector<std::string>{"weight", "bias"});
  CHECK(conv(ones({2, 3, 9, 10})).sizes() == IntArrayRef({2, 8, 5, 5}));
  CHECK(conv(ones({3, 9, 10})).sizes() == IntArrayRef({8, 5, 5}));
  CHECK(conv.extra_repr() == "3, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2)");
  CHECK(nn::Conv1d(4, 6, {.kernel_size = 3, .padding = "same", .groups = 2, .bias = false}).extra_repr() ==
        "4, 6, kernel_size=(3,), stride=(1,), padding='same', groups=2, bias=False");
  CHECK(nn::ConvTranspose2d(4, 6, {.kernel_size = 3, .stride = 2, .output_padding = 1}).extra_repr() ==
        "4, 6, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 1)");
  CHECK(nn::Conv3d(1, 2, {.kernel_size = 2})(ones({1, 1, 3, 3, 3})).sizes() == IntArrayRef({1, 2, 2, 2, 2}));
  const nn::Conv2d copy = conv.clone();
  CHECK(!copy.weight.is_same(conv.weight));
  CHECK(equal(copy(ones({1, 3, 5, 5})), conv(ones({1, 3, 5, 5}))));
}

TEST_CASE("convolution layers: start values are PyTorch's bound") {
  manual_seed(3);
  const nn::Conv2d conv(4, 50, {.kernel_size = 5});
  const double bound = 1 / std::sqrt(100.0);
  CHECK(conv.weight.abs().max().item<double>() <= bound);
  CHECK(conv.weight.abs().max().item<double>() > 0.99 * bound);
  CHECK(std::abs(conv.weight.var().item<double>() - bound * bound / 3) < 0.1 * bound * bound / 3);
  CHECK(conv.bias.abs().max().item<double>() <= bound);
}

TEST_CASE("convolution layers: what stands around x") {
  manual_seed(4);
  const Tensor x = randn({1, 2, 5, 6});
  for (const std::string mode : {"reflect", "replicate", "circular"}) {
    const nn::Conv2d conv(2, 3, {.kernel_size = 3, .padding = {1, 2}, .padding_mode = mode});
    CHECK(equal(conv(x), conv2d(pad(x, {2, 2, 1, 1}, mode), conv.weight, conv.bias)));
  }
  const nn::Conv2d same(2, 3, {.kernel_size = {2, 3}, .padding = "same", .padding_mode = "replicate"});
  CHECK(equal(same(x), conv2d(pad(x, {1, 1, 0, 1}, "replicate"), same.weight, same.bias)));
  const nn::Conv2d zeros(2, 3, {.kernel_size = {2, 3}, .padding = "same"});
  CHECK(equal(zeros(x), conv2d(pad(x, {1, 1, 0, 1}), zeros.weight, zeros.bias)));
}

TEST_CASE("convolution layers: a transposed one gives the size asked for") {
  const nn::Conv2d down(2, 4, {.kernel_size = 3, .stride = 2, .padding = 1});
  const nn::ConvTranspose2d up(4, 2, {.kernel_size = 3, .stride = 2, .padding = 1});
  for (const int64_t size : {7, 8}) {
    const Tensor x = ones({1, 2, size, size});
    CHECK(up.forward(down(x), x.sizes()).sizes() == x.sizes());
  }
  CHECK(message_of<ValueError>([&] {
          up.forward(ones({1, 4, 4, 4}), {9, 9});
        }) == "ConvTranspose2d: output_size must be from 7 to 8 at dim 0 of the spatial ones, got [9, 9]");
  const auto refused = [&](IntArrayRef x, IntArrayRef output_size) {
    return message_of<ValueError>([&] { up.forward(ones(x), output_size); });
  };
  CHECK(refused({1, 4, 4, 4}, {7}) ==
        "ConvTranspose2d: output_size must have 2 or 4 numbers for x [1, 4, 4, 4], got [7]");
  CHECK(refused({1, 4, 4, 4}, {2, 7, 7}) ==
        "ConvTranspose2d: output_size must have 2 or 4 numbers for x [1, 4, 4, 4], got [2, 7, 7]");
  CHECK(refused({1, 4, 4, 4}, {1, 1, 2, 7, 7}) ==
        "ConvTranspose2d: output_size must have 2 or 4 numbers for x [1, 4, 4, 4], got [1, 1, 2, 7, 7]");
  CHECK(refused({4, 4, 4}, {1, 2, 7, 7}) ==
        "ConvTranspose2d: output_size must have 2 or 3 numbers for x [4, 4, 4], got [1, 2, 7, 7]");
  CHECK(up.forward(ones({4, 4, 4}), {2, 7, 8}).sizes().vec() == std::vector<int64_t>{2, 7, 8});
  CHECK_THROWS_AS(up.forward(ones({4}), {7, 7}), ShapeError);
  CHECK(message_of<ValueError>([] {
          nn::ConvTranspose1d(1, 1, {.kernel_size = 3}).forward(ones({1, 1, 4}), {1, 6});
        }) == "ConvTranspose1d: output_size must have 1 or 3 numbers for x [1, 1, 4], got [1, 6]");
}

TEST_CASE("convolutions: a stride that is never taken does not cost, or this would not end") {
  const Tensor w = tensor({{{{2.F, 3.F}}}}), dy = full({1, 1, 1, 1}, 5.F);
  const auto gradient = [&](IntArrayRef stride) {
    const Tensor x = ones({1, 1, 3, 4}).requires_grad_();
    conv2d(x, w, {}, stride, {0, 1}).backward(dy);
    return x.grad();
  };
  CHECK(equal(gradient(INT32_MAX), gradient({3, 5})));
  CHECK(gradient(INT32_MAX).sum().item<float>() == 15);
  CHECK(equal(conv_transpose2d(dy, w, {}, INT32_MAX), w * 5));
  // Steps that are taken over places which no tap reaches, 10^9 remainders of them: dx[0] of the middle of three places each.
  const Tensor dy3 = randn({1, 1, 3, 3, 3}), w3 = full({1, 1, 1, 1, 1}, 2.F);
  const Tensor x3 = ones({1, 1, 1, 1, 1}).requires_grad_();
  conv3d(x3, w3, {}, 1000, 1000).backward(dy3);
  CHECK(x3.grad().item<float>() == 2 * dy3[0][0][1][1][1].item<float>());
}

TEST_CASE("convolutions: places that no tap reaches get the bias") {
  manual_seed(2);
  for (const int64_t channels : {1, 40}) {  // the positions of an image in a vector, or its channels
    CAPTURE(channels);
    const Tensor x = randn({2, channels, 2, 3}), w = randn({channels, channels, 2, 1}), b = randn({channels});
    const Tensor y = conv_transpose2d(x, w, b, {5, 3}, {1, 0}, {1, 0});
    REQUIRE(y.sizes().vec() == std::vector<int64_t>{2, channels, 6, 7});
    Tensor spread = zeros({2, channels, 6, 7});  // x, a stride apart
    for (const int64_t i : {0, 1})
      for (const int64_t j : {0, 1, 2})
        for (const int64_t t : {0, 1}) {
          if (const int64_t place = 5 * i + t - 1; place >= 0)
            spread.select(2, place).select(2, 3 * j).copy_(
                matmul(x.select(2, i).select(2, j), w.select(2, t).squeeze(2)));
        }
    CHECK(allclose(y, spread + b.view({-1, 1, 1}), 1e-4, 1e-4));
    CHECK(equal(y.select(3, 1), b.view({1, -1, 1}).expand({2, channels, 6})));
  }
}

TEST_CASE("convolution layers: refusals") {
  const auto of = [](const nn::Conv2dOptions& o, int64_t in = 4, int64_t out = 6) {
    return message_of<ValueError>([&] { nn::Conv2d(in, out, o); });
  };
  CHECK(of({.kernel_size = 0}) == "Conv2d: kernel_size must be positive, got [0, 0]");
  CHECK(of({.kernel_size = 3, .stride = {1, 0}}) == "Conv2d: stride must be positive, got [1, 0]");
  CHECK(of({.kernel_size = 3, .padding = -1}) == "Conv2d: padding must not be negative, got [-1, -1]");
  CHECK(of({.kernel_size = 3, .groups = 3}) ==
        "Conv2d: groups must divide in_channels and out_channels, got 3 for 4 and 6");
  CHECK(of({.kernel_size = 3, .groups = 0}) == "Conv2d: groups must be positive, got 0");
  CHECK(of({.kernel_size = 3}, -1) == "Conv2d: in_channels and out_channels must not be negative, got -1 and 6");
  CHECK(of({.kernel_size = 3, .padding = "full"}) ==
        "Conv2d: padding must be numbers, \"same\" or \"valid\", got \"full\"");
  CHECK(of({.kernel_size = 3, .stride = 2, .padding = "same"}) ==
        "Conv2d: padding \"same\" needs stride 1, got [2, 2]");
  CHECK(of({.kernel_size = 3, .padding_mode = "mirror"}) ==
        "Conv2d: padding_mode must be \"zeros\", \"reflect\", \"replicate\" or \"circular\", got \"mirror\"");
  CHECK(message_of<ValueError>([] {
          nn::Conv2dOptions{.kernel_size = {1, 2, 3}};
        }) == "ExpandingArray: one number is needed, or 2, got [1, 2, 3]");
}

namespace {

// Stripes across or along an 8 x 8 image, and noise.
std::pair<Tensor, Tensor> stripes(int64_t n) {
  Tensor x = randn({n, 1, 8, 8}) * 0.3, y = arange(0, n, kInt64).remainder(2);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t r = i / 2 % 2; r < 8; r += 2) x[i][0].select(i % 2, r).add_(1);
  return {x, y};
}

struct Net : nn::Module {
  nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(1, 4, {.kernel_size = 3, .padding = 1}));
  nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(4, 6, {.kernel_size = 3, .stride = 2}));
  nn::Linear fc = register_module("fc", nn::Linear(54, 2));
  Tensor forward(const Tensor& x) { return fc(flatten(relu(conv2(relu(conv1(x)))), 1)); }
};

}  // namespace

TEST_CASE("convolution layers: a network of them learns, and its captured step has the bits of the eager one") {
  manual_seed(5);
  const auto [x, y] = stripes(64);
  Net net, twin;
  twin.load_state_dict(net.state_dict());
  optim::SGD sgd(net.parameters(), {.lr = 0.1, .momentum = 0.9}),
      twin_sgd(twin.parameters(), {.lr = 0.1, .momentum = 0.9});
  const auto step = [&, x = x, y = y](Net& n, optim::SGD& o) {
    o.zero_grad();
    const Tensor loss = cross_entropy(n.forward(x), y);
    loss.backward();
    o.step();
    return loss;
  };
  Tensor replayed;
  Program program = capture([&] { replayed = step(twin, twin_sgd); }, {.verify = 0});
  double loss = 0;
  for (int i = 0; i < 60; ++i) loss = step(net, sgd).item<double>();
  CHECK(loss < 0.05);
  CHECK(net.forward(x).argmax(1).eq(y).sum().item<int64_t>() == 64);
  for (int i = 2; i < 60; ++i) program();  // making it ran the step twice
  CHECK(replayed.item<double>() == loss);
  CHECK(equal(net.conv1.weight, twin.conv1.weight));
  CHECK(equal(net.fc.weight, twin.fc.weight));
}

TEST_CASE("convolution layers: numbers with which sizes would overflow", "[nn]") {
  const int64_t huge = int64_t{1} << 62;
  CHECK_THAT(message_of<ValueError>([&] { nn::ConvTranspose2d(3, 3, {.kernel_size = 3, .stride = huge}); }),
             Contains("ConvTranspose2d: stride must be below 2^31, got [4611686018427387904, 4611686018427387904]"));
  CHECK_THAT(message_of<ValueError>([&] { nn::Conv1d(3, 3, {.kernel_size = 3, .dilation = huge}); }),
             Contains("Conv1d: dilation must be below 2^31, got [4611686018427387904]"));
}

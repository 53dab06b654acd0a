// Pooling, padding, resizing and unfolding as modules, and the functional names they have.
#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
namespace F = tapegrad::nn::functional;

TEST_CASE("pooling modules are their functions", "[nn]") {
  manual_seed(8);
  const Tensor x1 = randn({2, 3, 12}), x2 = randn({2, 3, 9, 8}), x3 = randn({1, 2, 5, 6, 7});
  CHECK(equal(nn::MaxPool1d(3)(x1), max_pool1d(x1, 3)));
  CHECK(equal(nn::MaxPool2d({.kernel_size = 3, .stride = 2, .padding = 1})(x2), max_pool2d(x2, 3, 2, 1)));
  CHECK(equal(nn::MaxPool2d({.kernel_size = {3, 2}, .stride = {1, 2}, .dilation = {2, 1}, .ceil_mode = true})(x2),
              max_pool2d(x2, {3, 2}, {1, 2}, 0, {2, 1}, true)));
  CHECK(equal(nn::MaxPool3d({.kernel_size = {2, 3, 2}})(x3), max_pool3d(x3, {2, 3, 2})));
  CHECK(equal(nn::AvgPool1d({.kernel_size = 4, .padding = 2, .count_include_pad = false})(x1),
              avg_pool1d(x1, 4, {}, 2, false, false)));
  CHECK(equal(nn::AvgPool2d({.kernel_size = 2, .divisor_override = 3})(x2), avg_pool2d(x2, 2, {}, 0, false, true, 3)));
  CHECK(equal(nn::AvgPool3d(2)(x3), avg_pool3d(x3, 2)));
  CHECK(equal(nn::AdaptiveAvgPool1d(5)(x1), adaptive_avg_pool1d(x1, 5)));
  CHECK(equal(nn::AdaptiveAvgPool2d({4, 3})(x2), adaptive_avg_pool2d(x2, {4, 3})));
  CHECK(equal(nn::AdaptiveAvgPool3d(2)(x3), adaptive_avg_pool3d(x3, 2)));
  CHECK(equal(nn::AdaptiveMaxPool1d(5)(x1), std::get<0>(adaptive_max_pool1d(x1, 5))));
  CHECK(equal(nn::AdaptiveMaxPool2d({4, 3})(x2), std::get<0>(adaptive_max_pool2d(x2, {4, 3}))));
  CHECK(equal(nn::AdaptiveMaxPool3d(2)(x3), std::get<0>(F::adaptive_max_pool3d_with_indices(x3, 2))));
  CHECK(message_of<ValueError>([] {
          nn::MaxPool3d({.kernel_size = {2, 3}});
        }) == "ExpandingArray: one number is needed, or 3, got [2, 3]");
}

TEST_CASE("MaxUnpool2d puts back what MaxPool2d took", "[nn]") {
  manual_seed(9);
  const Tensor x = randn({2, 3, 6, 8}).requires_grad_();
  nn::MaxPool2d pool(2);
  const auto [y, where] = pool.forward_with_indices(x);
  const Tensor back = nn::MaxUnpool2d(2)(y, where);
  CHECK(equal(pool(x), y));
  CHECK(equal(view(gather(flatten(x, 2), 2, flatten(where, 2)), y.sizes()), y));
  CHECK(equal(pool(relu(back)), relu(y)));
  back.backward(ones_like(back));
  CHECK(equal(x.grad(), (back != 0).to(kFloat32)));
  CHECK(nn::MaxUnpool2d(2).forward(y, where, {7, 9}).sizes() == Shape{2, 3, 7, 9});
}

TEST_CASE("the largest element: NaN wins, and the first of equal ones has the gradient", "[nn]") {
  const double nan = std::nan("");
  const Tensor x = tensor({{{1., 2., 2., 1.}, {2., 0., nan, 2.}}}, requires_grad());
  const Tensor y = max_pool2d(x, 2);
  CHECK(y[0][0][0].item<double>() == 2);
  CHECK(std::isnan(y[0][0][1].item<double>()));
  y.backward(tensor({{{3., 5.}}}));
  CHECK(equal(x.grad(), tensor({{{0., 3., 0., 0.}, {0., 0., 5., 0.}}})));
}

TEST_CASE("padding modules are pad", "[nn]") {
  manual_seed(10);
  const Tensor x1 = randn({2, 3, 5}), x2 = randn({2, 3, 5, 4}), x3 = randn({1, 2, 3, 4, 3});
  CHECK(equal(nn::ZeroPad1d(2)(x1), pad(x1, {2, 2})));
  CHECK(equal(nn::ZeroPad2d({1, 2, 3, 0})(x2), pad(x2, {1, 2, 3, 0})));
  CHECK(equal(nn::ZeroPad3d(1)(x3), pad(x3, {1, 1, 1, 1, 1, 1})));
  CHECK(equal(nn::ConstantPad1d({1, 0}, 3.5)(x1), pad(x1, {1, 0}, "constant", 3.5)));
  CHECK(equal(nn::ConstantPad2d(1, -1)(x2), pad(x2, {1, 1, 1, 1}, "constant", -1)));
  CHECK(equal(nn::ConstantPad3d(1, 2)(x3), pad(x3, {1, 1, 1, 1, 1, 1}, "constant", 2)));
  CHECK(equal(nn::ReflectionPad1d(2)(x1), pad(x1, {2, 2}, "reflect")));
  CHECK(equal(nn::ReflectionPad2d({1, 2, 0, 3})(x2), pad(x2, {1, 2, 0, 3}, "reflect")));
  CHECK(equal(nn::ReflectionPad3d(1)(x3), pad(x3, {1, 1, 1, 1, 1, 1}, "reflect")));
  CHECK(equal(nn::ReplicationPad1d(2)(x1), pad(x1, {2, 2}, "replicate")));
  CHECK(equal(nn::ReplicationPad2d(7)(x2), pad(x2, {7, 7, 7, 7}, "replicate")));
  CHECK(equal(nn::ReplicationPad3d(1)(x3), pad(x3, {1, 1, 1, 1, 1, 1}, "replicate")));
  CHECK(equal(nn::CircularPad1d(5)(x1), pad(x1, {5, 5}, "circular")));
  CHECK(equal(nn::CircularPad2d({1, 2, 0, 3})(x2), pad(x2, {1, 2, 0, 3}, "circular")));
  CHECK(equal(nn::CircularPad3d(1)(x3), pad(x3, {1, 1, 1, 1, 1, 1}, "circular")));
}

TEST_CASE("Unfold and Fold: columns and images", "[nn]") {
  manual_seed(11);
  const Tensor x = randn({2, 3, 6, 7});
  const Tensor columns = nn::Unfold({.kernel_size = {3, 2}, .padding = {1, 0}})(x);
  CHECK(equal(columns, F::unfold(x, {3, 2}, 1, {1, 0})));
  CHECK(columns.sizes() == Shape{2, 18, 36});
  const nn::Fold fold({.output_size = {6, 7}, .kernel_size = {3, 2}, .padding = {1, 0}});
  // Every element comes back as often as there were patches that had it.
  CHECK(allclose(fold(columns), x * fold(F::unfold(ones_like(x), {3, 2}, 1, {1, 0}))));
  CHECK(equal(F::fold(F::unfold(x, {2, 7}, 1, 0, {2, 7}), {6, 7}, {2, 7}, 1, 0, {2, 7}), x));
}

TEST_CASE("Upsample and shuffles", "[nn]") {
  manual_seed(12);
  const Tensor x = randn({2, 8, 3, 4});
  CHECK(equal(nn::Upsample({.scale_factor = {2}})(x), repeat_interleave(repeat_interleave(x, 2, 2), 2, 3)));
  CHECK(equal(nn::Upsample({.size = {5, 7}, .mode = "bilinear", .align_corners = true})(x),
              F::interpolate(x, {.size = {5, 7}, .mode = "bilinear", .align_corners = true})));
  CHECK(equal(nn::PixelUnshuffle(2)(nn::PixelShuffle(2)(x)), x));
  CHECK(equal(nn::ChannelShuffle(4)(nn::ChannelShuffle(2)(x)), x));
}

TEST_CASE("pooling and its kin print like PyTorch's", "[nn]") {
  CHECK(to_string(nn::MaxPool1d(2)) == "MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=false)");
  CHECK(to_string(nn::MaxPool2d({.kernel_size = 3, .stride = 2, .padding = {1, 0}})) ==
        "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 0), dilation=(1, 1), ceil_mode=false)");
  CHECK(to_string(nn::MaxUnpool2d(2)) == "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))");
  CHECK(to_string(nn::AvgPool1d(2)) ==
        "AvgPool1d(kernel_size=2, stride=2, padding=0, ceil_mode=false, count_include_pad=true)");
  CHECK(to_string(nn::AvgPool2d({.kernel_size = 2, .divisor_override = 3})) ==
        "AvgPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=false, count_include_pad=true, "
        "divisor_override=3)");
  CHECK(to_string(nn::AdaptiveAvgPool2d({3, 4})) == "AdaptiveAvgPool2d(output_size=(3, 4))");
  CHECK(to_string(nn::AdaptiveMaxPool1d(3)) == "AdaptiveMaxPool1d(output_size=3)");
  CHECK(to_string(nn::ZeroPad2d(1)) == "ZeroPad2d(padding=(1, 1, 1, 1))");
  CHECK(to_string(nn::ConstantPad1d(2, 3.5)) == "ConstantPad1d(padding=(2, 2), value=3.5)");
  CHECK(to_string(nn::Upsample({.scale_factor = {2, 1.5}, .mode = "bilinear"})) ==
        "Upsample(scale_factor=[2, 1.5], mode=bilinear)");
  CHECK(to_string(nn::Upsample({.size = {4}})) == "Upsample(size=[4], mode=nearest)");
  CHECK(to_string(nn::PixelShuffle(3)) == "PixelShuffle(upscale_factor=3)");
  CHECK(to_string(nn::Unfold(3)) == "Unfold(kernel_size=(3, 3), dilation=(1, 1), padding=(0, 0), stride=(1, 1))");
  CHECK(to_string(nn::Fold({.output_size = 4, .kernel_size = 2, .stride = {2, 1}})) ==
        "Fold(output_size=(4, 4), kernel_size=(2, 2), dilation=(1, 1), padding=(0, 0), stride=(2, 1))");
}

// Layers of two inputs or several pieces against formulas written out, and their printing.
#include <algorithm>
#include <cmath>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST_CASE("Bilinear is the sum over both inputs", "[nn]") {
  manual_seed(3);
  nn::Bilinear layer(2, 3, 4);
  layer.to(kFloat64);
  const Tensor a = randn({5, 2}, kFloat64), b = randn({5, 3}, kFloat64);
  const Tensor y = layer(a, b).detach();
  REQUIRE(y.sizes() == Shape{5, 4});
  const auto w = layer.weight.accessor<double, 3>();
  const auto bias = layer.bias.accessor<double, 1>();
  const auto x1 = a.accessor<double, 2>(), x2 = b.accessor<double, 2>();
  for (int64_t n = 0; n < 5; ++n) {
    for (int64_t k = 0; k < 4; ++k) {
      double sum = bias[k];
      for (int64_t i = 0; i < 2; ++i) {
        for (int64_t j = 0; j < 3; ++j) sum += x1[n][i] * w[k][i][j] * x2[n][j];
      }
      CHECK(y[n][k].item<double>() == Approx(sum));
    }
  }
  CHECK(to_string(layer) == "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=true)");
  CHECK_FALSE(nn::Bilinear(2, 3, 4, {.bias = false}).bias.defined());
  CHECK(layer.weight.detach().abs().max().item<double>() <= 1 / std::sqrt(2.0));
  CHECK_THROWS_AS(nn::Bilinear(2, -3, 4), ValueError);
}

TEST_CASE("Maxout is the largest of its pieces, and only that one learns", "[nn]") {
  manual_seed(4);
  nn::Maxout layer(3, 2, {.pieces = 4});
  const Tensor x = randn({6, 3});
  const Tensor all = linear(x, layer.weight, layer.bias).detach();
  const Tensor y = layer(x);
  REQUIRE(y.sizes() == Shape{6, 2});
  for (int64_t n = 0; n < 6; ++n) {
    for (int64_t k = 0; k < 2; ++k) {
      double largest = -INFINITY;
      for (int64_t p = 0; p < 4; ++p) largest = std::max(largest, all[n][p * 2 + k].item<double>());
      CHECK(y[n][k].item<double>() == largest);
    }
  }
  layer(x[0]).sum().backward();
  CHECK(layer.bias.grad().sum().item<double>() == 2);
  CHECK(to_string(layer) == "Maxout(in_features=3, out_features=2, pieces=4, bias=true)");
  CHECK_THAT(message_of<ValueError>([] { nn::Maxout(3, 2, {.pieces = 0}); }), Contains("at least one piece"));
}

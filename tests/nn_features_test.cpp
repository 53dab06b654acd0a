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

TEST_CASE("Embedding looks rows up, and its padding row does not learn", "[nn]") {
  manual_seed(5);
  nn::Embedding layer(6, 3, {.padding_idx = -5});
  CHECK(equal(layer.weight[1].detach(), zeros({3})));
  const Tensor x = tensor({{0, 1}, {5, 5}}, kInt64);
  const Tensor y = layer(x);
  REQUIRE(y.sizes() == Shape{2, 2, 3});
  CHECK(equal(y[1][0].detach(), layer.weight[5].detach()));
  y.sum().backward();
  CHECK(equal(layer.weight.grad().sum(1), tensor({3., 0., 0., 0., 0., 6.}, kFloat32)));
  CHECK(to_string(layer) == "Embedding(num_embeddings=6, embedding_dim=3, padding_idx=1)");
  CHECK_THROWS_AS(nn::Embedding(6, 3, {.padding_idx = 6}), IndexError);
  CHECK_THROWS_AS(layer(tensor({6}, kInt64)), IndexError);
  const nn::Embedding frozen = nn::Embedding::from_pretrained(ones({2, 2}, kFloat64));
  CHECK_FALSE(frozen.weight.requires_grad());
  CHECK(frozen(tensor({1}, kInt64)).sum().item<double>() == 2);
  CHECK(message_of<DTypeError>([] {
          nn::Embedding::from_pretrained(ones({2, 2}, kInt64));
        }) == "from_pretrained: the table must be float32 or float64, got int64");

  nn::Embedding shared(3, 2, {.scale_grad_by_freq = true});
  shared(tensor({0, 2, 2}, kInt64)).sum().backward();
  CHECK(equal(shared.weight.grad(), tensor({{1., 1.}, {0., 0.}, {1., 1.}}, kFloat32)));
  CHECK(to_string(shared) == "Embedding(num_embeddings=3, embedding_dim=2, scale_grad_by_freq=true)");
  // A table that is given draws nothing.
  manual_seed(3);
  const Tensor drawn = randn({4});
  manual_seed(3);
  nn::Embedding::from_pretrained(ones({5, 5}), false);
  CHECK(equal(randn({4}), drawn));
}

TEST_CASE("Identity, Flatten and Unflatten only give another shape", "[nn]") {
  const Tensor x = arange(24.0).reshape({2, 3, 4});
  CHECK(nn::Identity()(x).is_same(x));
  CHECK(nn::Flatten()(x).sizes() == Shape{2, 12});
  CHECK(nn::Flatten({.start_dim = 0, .end_dim = 1})(x).sizes() == Shape{6, 4});
  const Tensor y = nn::Unflatten(1, {3, -1})(nn::Flatten()(x));
  CHECK(equal(y, x));
  CHECK(nn::Unflatten(-1, {2, 2})(x).sizes() == Shape{2, 3, 2, 2});
  CHECK_THAT(
      message_of<ShapeError>([&] {
        nn::Unflatten(1, {2, 2})(x);
      }),
      Contains(
          "unflatten: the product of the sizes must be 3, the size of dim 1, got sizes [2, 2] for shape [2, 3, 4]"));
  CHECK_THROWS_AS(nn::Unflatten(3, {1})(x), IndexError);
  CHECK(to_string(nn::Flatten()) == "Flatten(start_dim=1, end_dim=-1)");
  CHECK(to_string(nn::Unflatten(1, {2, 3})) == "Unflatten(dim=1, unflattened_size=[2, 3])");
}

TEST_CASE("matrices with a structure to start from", "[nn]") {
  manual_seed(6);
  for (const Shape& sizes : {Shape{4, 7}, Shape{7, 4}, Shape{5, 5}, Shape{3, 2, 2}, Shape{70, 71}}) {
    const Tensor t = nn::init::orthogonal_(empty(sizes, kFloat64), 2);
    const Tensor m = t.reshape({sizes[0], -1});
    const Tensor product = m.size(0) <= m.size(1) ? m.mm(m.t()) : m.t().mm(m);
    CHECK(allclose(product, 4 * eye(product.size(0), kFloat64), 1e-12, 1e-12));
  }
  const Tensor sparse = nn::init::sparse_(empty({10, 20}), 0.35);
  CHECK(equal((sparse == 0).to(kInt64).sum(0), full({20}, 4, kInt64)));
  CHECK(equal(nn::init::eye_(empty({2, 3})), tensor({{1., 0., 0.}, {0., 1., 0.}}, kFloat32)));
  const Tensor dirac = nn::init::dirac_(empty({4, 2, 3}), 2);
  CHECK(dirac.sum().item<double>() == 4);
  CHECK(dirac[3][1][1].item<double>() == 1);
  CHECK(nn::init::dirac_(empty({4, 2, 0})).numel() == 0);
  const Tensor normal = nn::init::trunc_normal_(empty({20000}, kFloat64), 1, 2, 0, 3);
  CHECK(normal.min().item<double>() >= 0);
  CHECK(normal.max().item<double>() <= 3);
  CHECK(normal.mean().item<double>() == Approx(1.4133).margin(0.02));
  CHECK(nn::init::calculate_gain(kSELU) == 0.75);
  CHECK_THROWS_AS(nn::init::sparse_(empty({2, 2}), 1.5), ValueError);
  CHECK_THROWS_AS(nn::init::orthogonal_(empty({2})), ValueError);
  CHECK_THROWS_AS(nn::init::dirac_(empty({3, 2, 1}), 2), ValueError);
  CHECK_THROWS_AS(nn::init::trunc_normal_(empty({2}), 0, 0), ValueError);
  CHECK_THAT(message_of<ValueError>([] { nn::init::trunc_normal_(empty({2}), 100); }), Contains("got mean 100.0"));
}

// AutocastGuard: what runs in what, gradients of float32 master weights, and the company it keeps.
#include <cmath>
#include <thread>

#include "catch.h"
#include "message.h"
#include "tapegrad/autograd/autocast.h"
#include "tapegrad/ops/kernels/gemm_bfloat16.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// On a machine without the instructions the guard does nothing: what is checked is that.
bool works() { return kernels::has_bfloat16(); }
DType low() { return works() ? kBFloat16 : kFloat32; }

Tensor random(IntArrayRef sizes, uint64_t seed) {
  Generator generator(seed);
  return randn(sizes, generator);
}
Tensor rounded(const Tensor& x) { return x.to(low()).to(kFloat64); }

// |got - exact| within `allowed`, elementwise; the latter from |terms| of the sums and the number of roundings of 2^-9 of each.
void expect_near(const Tensor& got, const Tensor& exact, const Tensor& allowed) {
  const Tensor error = (got.to(kFloat64) - exact).abs();
  CAPTURE(error.max().item<double>(), allowed.max().item<double>());
  REQUIRE((error <= allowed).all().item<bool>());
}

struct Net : nn::Module {
  nn::Linear a = register_module("a", nn::Linear(48, 96));
  nn::Linear b = register_module("b", nn::Linear(96, 64));
  nn::Linear c = register_module("c", nn::Linear(64, 10));
  Tensor forward(const Tensor& x) { return c(relu(b(relu(a(x))))); }
};

Tensor loss_of(Net& net, const Tensor& x, const Tensor& y) {
  const AutocastGuard guard;
  return cross_entropy(net.forward(x), y);
}

std::vector<Tensor> grads_of(const nn::Module& net) {
  std::vector<Tensor> g;
  for (const Tensor& p : net.parameters()) g.push_back(p.grad().clone());
  return g;
}

}  // namespace

TEST_CASE("autocast: the guard nests, ends with its scope, and belongs to its thread") {
  CHECK_FALSE(is_autocast_enabled());
  {
    const AutocastGuard on;
    CHECK(is_autocast_enabled() == works());
    {
      const AutocastGuard off(false);
      CHECK_FALSE(is_autocast_enabled());
      {
        const AutocastGuard again(true);
        CHECK(is_autocast_enabled() == works());
      }
      CHECK_FALSE(is_autocast_enabled());
      CHECK(mm(ones({2, 2}), ones({2, 2})).dtype() == kFloat32);
    }
    CHECK(is_autocast_enabled() == works());
    bool elsewhere = true;
    std::thread([&] { elsewhere = is_autocast_enabled(); }).join();
    CHECK_FALSE(elsewhere);
    CHECK_THROWS_AS(mm(ones({2, 2}), ones({3, 2})), ShapeError);
    CHECK(is_autocast_enabled() == works());
  }
  CHECK_FALSE(is_autocast_enabled());
}

TEST_CASE("autocast: products give bfloat16, of every size and of mixed operands") {
  const AutocastGuard guard;
  for (const int64_t n : {1, 2, 20, 200}) {
    CAPTURE(n);
    const Tensor x = random({n, 64}, 1), w = random({32, 64}, 2), b = random({32}, 3);
    CHECK(mm(x, w.t()).dtype() == low());
    CHECK(matmul(x, w.t()).dtype() == low());
    CHECK(linear(x, w, b).dtype() == low());
    CHECK(linear(x.to(low()), w, b).dtype() == low());
    CHECK(linear(x, w.to(low()), b.to(low())).dtype() == low());
    CHECK(linear(x.to(low()), w.to(low()), b).dtype() == low());
    CHECK(linear(x.view({n, 1, 64}), w).dtype() == low());
    const Tensor low_bias = b.to(low()).requires_grad_(), master = w.clone().requires_grad_();
    linear(x, master, low_bias).sum().backward();
    CHECK(low_bias.grad().dtype() == low());
    CHECK(master.grad().dtype() == kFloat32);
    CHECK(bmm(x.view({1, n, 64}), w.t().expand({1, 64, 32})).dtype() == low());
    CHECK(mm(x.to(low()), w.t()).dtype() == low());
    CHECK(addmm(b, x, w.t()).dtype() == low());
    CHECK(addmm(b.to(low()), x, w.t().to(low()), 0.5, 2).dtype() == low());
    CHECK(mv(w, random({64}, 4)).dtype() == low());
    CHECK(mv(w.to(low()), random({64}, 4)).dtype() == low());
    CHECK(einsum("ik,jk->ij", {x.to(low()), w}).dtype() == low());
    CHECK(tensordot(x.to(low()), w, {1}, {1}).dtype() == low());
    CHECK(bilinear(x.to(low()), x, random({3, 64, 64}, 5), random({3}, 6)).dtype() == low());
    const Tensor exact = matmul(rounded(x), rounded(w).t()) + b.to(kFloat64);
    const Tensor terms = matmul(rounded(x).abs(), rounded(w).t().abs()) + b.to(kFloat64).abs();
    // Small products leave their operands as they are: 2 roundings of the operands, or none; one of the result.
    expect_near(linear(x, w, b), exact, terms * (2 * 0x1p-8 + 0x1p-16) + exact.abs() * 0x1p-8);
  }
  CHECK(mm(ones({2, 2}, kFloat64), ones({2, 2}, kFloat64)).dtype() == kFloat64);
  CHECK_THROWS_AS(mm(ones({2, 2}, kFloat64), ones({2, 2})), DTypeError);
  CHECK_THROWS_AS(linear(ones({2, 2}), ones({2, 2}), ones({2}, kFloat64)), DTypeError);
}

TEST_CASE("autocast: what needs the precision gets float32") {
  const Tensor x = random({6, 8}, 7).to(kBFloat16), t = rand({6, 8}).to(kBFloat16), classes = zeros({6}, kInt64);
  const Tensor positive = x.abs() + 1, one = ones({6}, kBFloat16), sign = ones({6, 8}, kBFloat16);
  const DType high = works() ? kFloat32 : kBFloat16;
  const AutocastGuard guard;
  const std::vector<std::pair<const char*, Tensor>> lifted{
      {"acos", acos(t)},
      {"asin", asin(t)},
      {"cosh", cosh(x)},
      {"erfinv", erfinv(t * 0.5)},
      {"exp", exp(x)},
      {"expm1", expm1(x)},
      {"exp2", exp2(x)},
      {"log", log(positive)},
      {"log10", log10(positive)},
      {"log1p", log1p(positive)},
      {"log2", log2(positive)},
      {"log_cosh", log_cosh(x)},
      {"pow", pow(positive, 1.5)},
      {"reciprocal", reciprocal(positive)},
      {"rsqrt", rsqrt(positive)},
      {"sinh", sinh(x)},
      {"softplus", softplus(x)},
      {"tan", tan(x)},
      {"sum", x.sum()},
      {"prod", x.prod(1)},
      {"cumsum", cumsum(x, 1)},
      {"cumprod", cumprod(x, 1)},
      {"logcumsumexp", logcumsumexp(x, 1)},
      {"logsumexp", logsumexp(x, {1})},
      {"softmax", softmax(x, 1)},
      {"log_softmax", log_softmax(x, 1)},
      {"norm", x.norm()},
      {"cdist", cdist(x, t)},
      {"layer_norm", layer_norm(x, {8})},
      {"group_norm", group_norm(x, 2)},
      {"rms_norm", rms_norm(x, {8})},
      {"binary_cross_entropy", binary_cross_entropy(t, t)},
      {"binary_cross_entropy_with_logits", binary_cross_entropy_with_logits(x, t)},
      {"cross_entropy", cross_entropy(x, classes)},
      {"ctc_loss", ctc_loss(x.view({6, 1, 8}), ones({1, 2}, kInt64), {6}, {2})},
      {"huber_loss", huber_loss(x, t)},
      {"l1_loss", l1_loss(x, t)},
      {"mse_loss", mse_loss(x, t)},
      {"multilabel_margin_loss", multilabel_margin_loss(x, full({6, 8}, -1, kInt64))},
      {"smooth_l1_loss", smooth_l1_loss(x, t)}};
  for (const auto& [name, y] : lifted) {
    CAPTURE(name);
    CHECK(y.dtype() == high);
  }
  for (const std::string_view name : autograd::kFloat32Ops) {
    CAPTURE(std::string(name));
    CHECK(std::any_of(lifted.begin(), lifted.end(), [&](const auto& l) { return name == l.first; }));
  }
  CHECK(nll_loss(x, classes).dtype() == high);
  CHECK(kl_div(x, t).dtype() == high);
  CHECK(hinge_embedding_loss(x, sign).dtype() == high);
  CHECK(margin_ranking_loss(x, t, sign).dtype() == high);
  CHECK(multi_margin_loss(x, classes).dtype() == high);
  CHECK(soft_margin_loss(x, sign).dtype() == high);
  CHECK(multilabel_soft_margin_loss(x, t).dtype() == high);
  CHECK(cosine_similarity(x, t).dtype() == high);
  CHECK(pairwise_distance(x, t).dtype() == high);
  CHECK(triplet_margin_loss(x, t, sign).dtype() == high);
  CHECK(cosine_embedding_loss(x, t, one).dtype() == high);
  CHECK(poisson_nll_loss(x, t).dtype() == high);
  CHECK(gaussian_nll_loss(x, t, positive).dtype() == high);
  CHECK(cross_entropy(x, classes, {.weight = works() ? ones({8}) : ones({8}, kBFloat16)}).dtype() == high);
  CHECK(cross_entropy(x, classes, {.label_smoothing = 0.1}).dtype() == high);
  CHECK(cross_entropy(x, softmax(x.detach(), 1)).dtype() == high);
}

TEST_CASE("autocast: the rest runs in what it is given, mixed operands in the wider") {
  const Tensor x = random({6, 8}, 8).to(kBFloat16), f = random({6, 8}, 9);
  const AutocastGuard guard;
  CHECK(relu(x).dtype() == kBFloat16);
  CHECK(relu(f).dtype() == kFloat32);
  CHECK((x + x).dtype() == kBFloat16);
  CHECK((x * f).dtype() == kFloat32);
  CHECK((x * 2).dtype() == kBFloat16);
  CHECK(gelu(x).dtype() == kBFloat16);
  CHECK(x.mean().dtype() == kBFloat16);
  CHECK(cat({x, f}, 0).dtype() == kFloat32);
  CHECK(x.view(-1).dtype() == kBFloat16);
  CHECK(dropout(x, 0.5, true).dtype() == kBFloat16);
  CHECK(batch_norm(x, {}, {}, {}, {}, true).dtype() == kBFloat16);
  if (!works()) return;
  CHECK(prelu(x, full({1}, 0.25)).dtype() == kBFloat16);
  const Tensor image = x.view({1, 2, 3, 8}), w = random({4, 2, 2, 3}, 12), bias = random({4}, 13);
  CHECK(equal(conv2d(image, w, bias), conv2d(image.to(kFloat32), w, bias)));
  CHECK(equal(conv2d(image.to(kFloat32), w, bias.to(kBFloat16)),
              conv2d(image.to(kFloat32), w, bias.to(kBFloat16).to(kFloat32))));
  CHECK(conv2d(image, w.to(kBFloat16)).dtype() == kBFloat16);
}

TEST_CASE("autocast: parameters stay float32, and so do their gradients, never rounded") {
  const Tensor x = random({64, 48}, 10), w = random({96, 48}, 11).requires_grad_(),
               b = random({96}, 12).requires_grad_();
  const Tensor v = random({64, 96}, 13).to(low());
  {
    const AutocastGuard guard;
    linear(x, w, b).backward(v);
  }
  REQUIRE(w.grad().dtype() == kFloat32);
  REQUIRE(b.grad().dtype() == kFloat32);
  // Of rounded operands, added up in float32: 64 terms of 2^-24 each, no rounding of the result.
  const Tensor exact = matmul(v.to(kFloat64).t(), rounded(x));
  const Tensor terms = matmul(v.to(kFloat64).abs().t(), rounded(x).abs());
  expect_near(w.grad(), exact, terms * (65 * 0x1p-24));
  expect_near(b.grad(), v.to(kFloat64).sum(0), v.to(kFloat64).abs().sum(0) * (65 * 0x1p-24));
  if (works()) CHECK_FALSE(equal(w.grad(), w.grad().to(kBFloat16).to(kFloat32)));
}

TEST_CASE("autocast: gradients of everything, against float64 on rounded numbers") {
  for (const int64_t rows : {1, 3, 64}) {
    CAPTURE(rows);
    const Tensor a = random({rows, 80}, 14).requires_grad_(), w = random({80, 72}, 15).requires_grad_();
    const Tensor v = random({rows, 72}, 16).to(low());
    {
      const AutocastGuard guard;
      mm(a, w).backward(v);
    }
    REQUIRE(a.grad().dtype() == kFloat32);
    const Tensor va = v.to(kFloat64), da = matmul(va, w.detach().to(kFloat64).t());
    const Tensor terms = matmul(va.abs(), w.detach().to(kFloat64).abs().t());
    expect_near(a.grad(), da, terms * (0x1p-8 + 0x1p-16));
    const Tensor dw = matmul(a.detach().to(kFloat64).t(), va);
    expect_near(w.grad(), dw, matmul(a.detach().to(kFloat64).abs().t(), va.abs()) * (0x1p-8 + 0x1p-16));
  }
}

TEST_CASE("autocast: the weight is rounded once a forward, and backward takes that") {
  if (!works()) return;
  const Tensor x = random({64, 300}, 17).to(kBFloat16).requires_grad_(), w = random({200, 300}, 18).requires_grad_();
  int64_t conversions = 0;
  const Profile seen = profile([&] {
    Tensor y;
    {
      const AutocastGuard guard;
      y = linear(x, w);
    }
    y.backward(ones({64, 200}, kBFloat16));
  });
  for (const ProfileRow& row : seen.key_averages()) conversions += row.name == "copy" ? row.calls : 0;
  CHECK(conversions == 1);
}

TEST_CASE("autocast: a weight used twice gathers its gradient in float32") {
  const Tensor x = random({32, 64}, 19), w = random({64, 64}, 20).requires_grad_();
  Tensor y;
  {
    const AutocastGuard guard;
    y = linear(linear(x, w), w);
  }
  const Tensor v = random({32, 64}, 21).to(low());
  y.backward(v);
  REQUIRE(w.grad().dtype() == kFloat32);
  const Tensor x64 = x.to(kFloat64), w64 = w.detach().to(kFloat64).requires_grad_();
  linear(linear(x64, w64), w64).backward(v.to(kFloat64));
  const double scale = w64.grad().abs().max().item<double>();
  CHECK((w.grad().to(kFloat64) - w64.grad()).abs().max().item<double>() <= 4 * 0x1p-8 * scale);
  y = {};
  w.mutable_grad() = {};
}

TEST_CASE("autocast: backward inside the guard is the one outside, and what was recorded before stays what it was") {
  Net net;
  const Tensor x = random({32, 48}, 22), y = zeros({32}, kInt64);
  loss_of(net, x, y).backward();
  const std::vector<Tensor> outside = grads_of(net);
  net.zero_grad();
  {
    const AutocastGuard guard;
    cross_entropy(net.forward(x), y).backward();
  }
  const std::vector<Tensor> inside = grads_of(net);
  for (size_t i = 0; i < inside.size(); ++i) {
    CHECK(inside[i].dtype() == kFloat32);
    CHECK(equal(inside[i], outside[i]));
  }
  const Tensor w = random({40, 48}, 23).requires_grad_();
  const Tensor plain = mm(x, w.t()).square().mean();  // in float32
  const AutocastGuard guard;
  plain.backward();
  CHECK(w.grad().dtype() == kFloat32);
}

TEST_CASE("autocast: second derivatives") {
  const Tensor x = random({24, 40}, 24), w = random({32, 40}, 25).requires_grad_(), u = random({32, 40}, 26);
  const auto second = [&](const Tensor& input, const Tensor& weight, const Tensor& along, bool guarded) {
    Tensor loss;
    {
      const AutocastGuard guard(guarded);
      loss = linear(input, weight).to(along.dtype()).tanh().square().sum();
    }
    const Tensor g = autograd::grad({loss}, {weight}, {}, {}, true)[0];
    CHECK(g.dtype() == weight.dtype());
    return autograd::grad({(g * along).sum()}, {weight})[0];
  };
  const Tensor got = second(x * 0.1, w, u, true);
  REQUIRE(got.dtype() == kFloat32);
  const Tensor w64 = w.detach().to(kFloat64).requires_grad_();
  const Tensor exact = second((x * 0.1).to(kFloat64), w64, u.to(kFloat64), false);
  // Half a dozen roundings of 2^-9 on terms that hardly cancel.
  CHECK((got.to(kFloat64) - exact).norm().item<double>() <= 6 * 0x1p-8 * exact.norm().item<double>());
}

TEST_CASE("autocast: forward mode") {
  const Tensor x = random({24, 40}, 27), w = random({32, 40}, 28).requires_grad_(), u = random({32, 40}, 29);
  const AutocastGuard guard;
  const Tensor y = linear(x, w);
  const Tensor dy = autograd::jvp({y}, {w}, {u})[0];
  REQUIRE(dy.dtype() == low());
  const Tensor exact = matmul(x.to(kFloat64), u.to(kFloat64).t());
  const Tensor terms = matmul(x.to(kFloat64).abs(), u.to(kFloat64).abs().t());
  expect_near(dy, exact, terms * (3 * 0x1p-8));
}

TEST_CASE("autocast: without recording") {
  Net net;
  const Tensor x = random({32, 48}, 30);
  const AutocastGuard guard;
  const Tensor recorded = net.forward(x);
  const NoGradGuard none;
  const Tensor y = net.forward(x);
  CHECK_FALSE(y.requires_grad());
  CHECK(y.dtype() == low());
  CHECK((y.to(kFloat64) - recorded.detach().to(kFloat64)).abs().max().item<double>() <=
        8 * 0x1p-8 * recorded.detach().abs().max().item<double>());
}

TEST_CASE("autocast: layers of a Sequential are what they are one by one") {
  nn::Linear first(48, 96), second(96, 10);
  nn::Sequential net(first, nn::Tanh(), second, nn::ReLU());
  const Tensor x = random({32, 48}, 36), v = random({32, 10}, 37).to(low());
  const AutocastGuard guard;
  const Tensor y = net(x);
  REQUIRE(y.dtype() == low());
  y.backward(v);
  const std::vector<Tensor> joined = grads_of(net);
  net.zero_grad();
  const Tensor one_by_one = relu(second(tanh(first(x))));
  CHECK(equal(y.detach(), one_by_one.detach()));
  one_by_one.backward(v);
  const std::vector<Tensor> apart = grads_of(net);
  for (size_t i = 0; i < apart.size(); ++i) {
    CHECK(joined[i].dtype() == kFloat32);
    CHECK(equal(joined[i], apart[i]));
  }
}

TEST_CASE("autocast: captured and replayed, the same bits") {
  const auto train = [](bool replayed) {
    manual_seed(3);
    Net net;
    optim::SGD sgd(net.parameters(), {.lr = 0.05, .momentum = 0.9});
    const Tensor x = random({32, 48}, 31), y = remainder(arange(32), 10);
    const auto step = [&] {
      sgd.zero_grad();
      const Tensor loss = loss_of(net, x, y);
      loss.backward();
      sgd.step();
      return loss;
    };
    if (replayed) {
      Program p = capture(step);  // two steps
      for (int i = 0; i < 8; ++i) p();
    } else {
      for (int i = 0; i < 10; ++i) step();
    }
    return net.parameters();
  };
  const std::vector<Tensor> eager = train(false), replay = train(true);
  for (size_t i = 0; i < eager.size(); ++i) {
    CHECK(eager[i].dtype() == kFloat32);
    CHECK(equal(eager[i], replay[i]));
  }
}

TEST_CASE("autocast: a checkpoint recomputes as forward computed") {
  Net net;
  const Tensor x = random({32, 48}, 32).requires_grad_(), y = zeros({32}, kInt64);
  loss_of(net, x, y).backward();
  const std::vector<Tensor> plain = grads_of(net);
  net.zero_grad();
  Tensor loss;
  {
    const AutocastGuard guard;
    const Tensor scores = autograd::checkpoint([&](const std::vector<Tensor>& in) { return net.forward(in[0]); }, {x});
    CHECK(scores.dtype() == low());
    loss = cross_entropy(scores, y);
  }
  loss.backward();  // outside
  const std::vector<Tensor> again = grads_of(net);
  for (size_t i = 0; i < plain.size(); ++i) CHECK(equal(plain[i], again[i]));
}

TEST_CASE("autocast: several threads, each with its own guard") {
  const Tensor w = random({64, 64}, 33), x = random({64, 64}, 34);
  std::vector<DType> dtypes(4, kBool);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < dtypes.size(); ++i)
    threads.emplace_back([&, i] {
      const SingleThreadGuard alone;
      const AutocastGuard guard(i % 2 == 0);
      for (int k = 0; k < 50; ++k) dtypes[i] = linear(x, w).dtype();
    });
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < dtypes.size(); ++i) CHECK(dtypes[i] == (i % 2 == 0 ? low() : kFloat32));
}

TEST_CASE("autocast: it learns what float32 learns") {
  const auto train = [](bool guarded) {
    manual_seed(5);
    Net net;
    optim::Adam adam(net.parameters(), {.lr = 0.003});
    const Tensor x = random({64, 48}, 35), y = remainder(arange(64), 10);
    double loss = 0;
    for (int i = 0; i < 60; ++i) {
      adam.zero_grad();
      Tensor l;
      {
        const AutocastGuard guard(guarded);
        l = cross_entropy(net.forward(x), y);
      }
      l.backward();
      adam.step();
      loss = l.item<double>();
    }
    return loss;
  };
  const double float32 = train(false), mixed = train(true);
  CHECK(float32 < 0.5);
  CHECK(mixed < 0.5);
}

TEST_CASE("autocast: what is written in place stays what it is") {
  const AutocastGuard guard;
  Tensor y = zeros({2, 2});
  CHECK_THROWS_AS(addmm_(y, ones({2, 2}, kBFloat16), ones({2, 2})), DTypeError);
  CHECK(addmm_(y, ones({2, 2}), ones({2, 2})).dtype() == kFloat32);
  CHECK(y[0][0].item<float>() == 2);
}

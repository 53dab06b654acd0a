// Activations, dropout and the distance and margin losses as modules.
#include <tapegrad/tapegrad.h>

#include <sstream>

#include "message.h"

using namespace tapegrad;

TEST_CASE("every activation module is its operation", "[nn]") {
  const Tensor x = randn({4, 6}) * 3;
  CHECK(equal(nn::SiLU()(x), silu(x)));
  CHECK(equal(nn::Mish()(x), mish(x)));
  CHECK(equal(nn::Hardsigmoid()(x), hardsigmoid(x)));
  CHECK(equal(nn::Hardswish()(x), hardswish(x)));
  CHECK(equal(nn::LogSigmoid()(x), log_sigmoid(x)));
  CHECK(equal(nn::Tanhshrink()(x), tanhshrink(x)));
  CHECK(equal(nn::Softsign()(x), softsign(x)));
  CHECK(equal(nn::GELU()(x), gelu(x)));
  CHECK(equal(nn::GELU({.approximate = "tanh"})(x), gelu(x, "tanh")));
  CHECK(equal(nn::GLU()(x), glu(x)));
  CHECK(equal(nn::GLU({.dim = 0})(x), glu(x, 0)));
  CHECK(equal(nn::ELU({.alpha = 0.3})(x), elu(x, 0.3)));
  CHECK(equal(nn::SELU()(x), selu(x)));
  CHECK(equal(nn::CELU({.alpha = 0.3})(x), celu(x, 0.3)));
  CHECK(equal(nn::Hardtanh({.min_val = -2, .max_val = 0.5})(x), hardtanh(x, -2, 0.5)));
  CHECK(equal(nn::ReLU6()(x), relu6(x)));
  CHECK(equal(nn::Softshrink({.lambda = 1})(x), softshrink(x, 1)));
  CHECK(equal(nn::Hardshrink()(x), hardshrink(x)));
  CHECK(equal(nn::Threshold(0.1, 20)(x), threshold(x, 0.1, 20)));
  CHECK(equal(nn::functional::gelu(x), gelu(x)));
  CHECK(message_of<ValueError>([] { nn::GELU({.approximate = "fast"}); }) ==
        "GELU: approximate must be \"none\" or \"tanh\", got \"fast\"");
  CHECK(message_of<ValueError>([] { nn::Hardtanh({.min_val = 2, .max_val = 2}); }) ==
        "Hardtanh: min_val must be below max_val, got 2 and 2");
}

TEST_CASE("inplace activations write over their input", "[nn]") {
  const Tensor x = randn({4, 6}) * 3;
  const auto check = [&](auto module, const Tensor& expected) {
    CAPTURE(to_string(module));
    const Tensor at = x.clone();
    const Tensor y = module(at);
    CHECK(y.is_same(at));
    CHECK(equal(at, expected));
  };
  check(nn::ReLU({.inplace = true}), relu(x));
  check(nn::LeakyReLU({.negative_slope = 0.2, .inplace = true}), leaky_relu(x, 0.2));
  check(nn::ELU({.alpha = 2, .inplace = true}), elu(x, 2));
  check(nn::SELU({.inplace = true}), selu(x));
  check(nn::CELU({.inplace = true}), celu(x));
  check(nn::Hardtanh({.inplace = true}), hardtanh(x));
  check(nn::ReLU6({.inplace = true}), relu6(x));
  check(nn::Threshold(1, -1, {.inplace = true}), threshold(x, 1, -1));
  manual_seed(3);
  const Tensor expected = dropout(x, 0.5);
  manual_seed(3);
  check(nn::Dropout({.inplace = true}), expected);
}

TEST_CASE("PReLU learns its slopes", "[nn]") {
  nn::PReLU one, many({.num_parameters = 3, .init = 0.5});
  const Tensor x = randn({2, 3, 4});
  CHECK(equal(one(x), leaky_relu(x, 0.25)));
  CHECK(equal(many(x), leaky_relu(x, 0.5)));
  CHECK(many.named_parameters().keys() == std::vector<std::string>{"weight"});
  many(x).sum().backward();
  CHECK(allclose(many.weight.grad(), minimum(x, zeros_like(x)).sum({0, 2})));
  nn::PReLU copy = many.clone();
  {
    NoGradGuard no_grad;
    many.weight.zero_();
  }
  CHECK(equal(many(x), relu(x)));
  CHECK(equal(copy(x), leaky_relu(x, 0.5)));
  many.reset_parameters();
  CHECK(equal(many(x), copy(x)));
  CHECK(message_of<ValueError>([] { nn::PReLU({.num_parameters = 0}); }) ==
        "PReLU: num_parameters must be at least 1, got 0");
}

TEST_CASE("Dropout drops in training and rests in evaluation", "[nn]") {
  manual_seed(7);
  nn::Sequential net(nn::Dropout({.p = 0.25}), nn::ReLU());
  const Tensor x = ones({1000});
  const double zeros_seen = (net(x) == 0).sum().item<double>();
  CHECK(std::abs(zeros_seen - 250) < 5 * std::sqrt(1000 * 0.25 * 0.75));
  net.eval();
  CHECK(equal(net(x), x));
  net.train();
  CHECK_FALSE(equal(net(x), x));
  CHECK(equal(nn::Dropout(1.0)(x), zeros({1000})));
  CHECK(message_of<ValueError>([] { nn::Dropout(1.5); }) == "Dropout: p must lie in [0, 1], got 1.500000");
}

TEST_CASE("activations and losses print like PyTorch's", "[nn]") {
  std::ostringstream out;
  out << nn::Sequential(nn::ELU(), nn::SELU(), nn::CELU({.alpha = 2, .inplace = true}), nn::GELU(), nn::SiLU(),
                        nn::Mish(), nn::Hardtanh(), nn::Hardsigmoid(), nn::Hardswish(), nn::ReLU6({.inplace = true}),
                        nn::Softsign(), nn::LogSigmoid(), nn::Softshrink(), nn::Hardshrink({.lambda = 0.25}),
                        nn::Tanhshrink(), nn::Threshold(0.1, 20), nn::GLU(), nn::PReLU({.num_parameters = 8}),
                        nn::Dropout());
  CHECK(out.str() ==
        "Sequential(\n"
        "  (0): ELU(alpha=1)\n"
        "  (1): SELU()\n"
        "  (2): CELU(alpha=2, inplace=true)\n"
        "  (3): GELU()\n"
        "  (4): SiLU()\n"
        "  (5): Mish()\n"
        "  (6): Hardtanh(min_val=-1, max_val=1)\n"
        "  (7): Hardsigmoid()\n"
        "  (8): Hardswish()\n"
        "  (9): ReLU6(inplace=true)\n"
        "  (10): Softsign()\n"
        "  (11): LogSigmoid()\n"
        "  (12): Softshrink(0.5)\n"
        "  (13): Hardshrink(0.25)\n"
        "  (14): Tanhshrink()\n"
        "  (15): Threshold(threshold=0.1, value=20)\n"
        "  (16): GLU(dim=-1)\n"
        "  (17): PReLU(num_parameters=8)\n"
        "  (18): Dropout(p=0.5, inplace=false)\n"
        ")");
  CHECK(to_string(nn::L1Loss()) == "L1Loss()");
  CHECK(to_string(nn::SmoothL1Loss()) == "SmoothL1Loss()");
  CHECK(to_string(nn::HuberLoss()) == "HuberLoss()");
  CHECK(to_string(nn::KLDivLoss()) == "KLDivLoss()");
  CHECK(to_string(nn::SoftMarginLoss()) == "SoftMarginLoss()");
  CHECK(to_string(nn::MarginRankingLoss()) == "MarginRankingLoss()");
  CHECK(to_string(nn::HingeEmbeddingLoss({.margin = 0.5})) == "HingeEmbeddingLoss(margin=0.5)");
  CHECK(to_string(nn::CosineSimilarity({.dim = 0})) == "CosineSimilarity(dim=0, eps=1e-08)");
  CHECK(to_string(nn::PairwiseDistance()) == "PairwiseDistance(p=2, eps=1e-06, keepdim=false)");
  CHECK(to_string(nn::TripletMarginLoss()) == "TripletMarginLoss(margin=1, p=2, eps=1e-06, swap=false)");
  CHECK(to_string(nn::CosineEmbeddingLoss()) == "CosineEmbeddingLoss(margin=0)");
  CHECK(to_string(nn::CTCLoss()) == "CTCLoss()");
  CHECK(to_string(nn::MultiMarginLoss({.p = 2, .reduction = kSum})) ==
        "MultiMarginLoss(p=2, margin=1, weight=" + to_string(Tensor()) + ", reduction=kSum)");
}

TEST_CASE("the distance and margin losses as modules are the operations", "[nn]") {
  const Tensor x = randn({4, 3}), t = randn({4, 3}), sides = tensor({1.0, -1.0, 1.0}), classes = tensor({0, 2, 1, 1});
  CHECK(equal(nn::L1Loss({.reduction = kSum})(x, t), l1_loss(x, t, kSum)));
  CHECK(equal(nn::SmoothL1Loss({.beta = 0.5})(x, t), smooth_l1_loss(x, t, {.beta = 0.5})));
  CHECK(equal(nn::HuberLoss({.delta = 0.5})(x, t), huber_loss(x, t, {.delta = 0.5})));
  const Tensor logs = log_softmax(x, 1), p = softmax(t, 1);
  CHECK(equal(nn::KLDivLoss({.reduction = kBatchMean})(logs, p), kl_div(logs, p, {.reduction = kBatchMean})));
  CHECK(allclose(kl_div(logs, p, {.reduction = kBatchMean}), kl_div(logs, p, {.reduction = kSum}) / 4));
  CHECK(allclose(kl_div(logs, log(p), {.log_target = true}), kl_div(logs, p)));
  CHECK(equal(nn::SoftMarginLoss()(x[0], sides), soft_margin_loss(x[0], sides)));
  CHECK(equal(nn::HingeEmbeddingLoss()(x[0], sides), hinge_embedding_loss(x[0], sides)));
  CHECK(equal(nn::MarginRankingLoss({.margin = 0.1})(x[0], x[1], sides),
              margin_ranking_loss(x[0], x[1], sides, {.margin = 0.1})));
  const Tensor weight = tensor({1.0, 2.0, 3.0});
  nn::MultiMarginLoss loss({.p = 2, .weight = weight});
  CHECK(equal(loss(x, classes), multi_margin_loss(x, classes, {.p = 2, .weight = weight})));
  CHECK(loss.named_buffers().keys() == std::vector<std::string>{"weight"});
  CHECK_THROWS_AS(nn::MultiMarginLoss({.p = 3}), ValueError);
}

TEST_CASE("distances, likelihoods and losses of several labels as modules are the operations", "[nn]") {
  const Tensor a = randn({4, 3}), b = randn({4, 3}), c = randn({4, 3}), counts = tensor({{0.0, 2.0, 5.0}});
  CHECK(equal(nn::CosineSimilarity({.dim = 0})(a, b), cosine_similarity(a, b, 0)));
  CHECK(equal(nn::PairwiseDistance({.p = 1, .keepdim = true})(a, b), pairwise_distance(a, b, 1, 1e-6, true)));
  CHECK(equal(nn::TripletMarginLoss({.margin = 2, .swap = true})(a, b, c),
              triplet_margin_loss(a, b, c, {.margin = 2, .swap = true})));
  const auto taxi = [](const Tensor& x, const Tensor& y) { return (x - y).abs().sum(-1); };
  CHECK(allclose(nn::TripletMarginWithDistanceLoss({.distance_function = taxi})(a, b, c),
                 triplet_margin_loss(a, b, c, {.p = 1, .eps = 0})));
  const Tensor sides = tensor({1.0, -1.0, -1.0, 1.0});
  CHECK(equal(nn::CosineEmbeddingLoss({.margin = 0.2})(a, b, sides),
              cosine_embedding_loss(a, b, sides, {.margin = 0.2})));
  CHECK(equal(nn::PoissonNLLLoss({.full = true})(a.slice(0, 0, 1), counts),
              poisson_nll_loss(a.slice(0, 0, 1), counts, {.full = true})));
  CHECK(equal(nn::GaussianNLLLoss({.reduction = kSum})(a, b, c.square()),
              gaussian_nll_loss(a, b, c.square(), {.reduction = kSum})));
  const Tensor labels = tensor({{0, 2, -1}, {1, -1, 0}, {-1, 0, 1}, {2, 1, 0}});
  CHECK(equal(nn::MultiLabelMarginLoss({.reduction = kSum})(a, labels), multilabel_margin_loss(a, labels, kSum)));
  const Tensor weight = tensor({1.0, 2.0, 3.0}), chances = sigmoid(b);
  nn::MultiLabelSoftMarginLoss loss({.weight = weight});
  CHECK(equal(loss(a, chances), multilabel_soft_margin_loss(a, chances, {.weight = weight})));
  CHECK(loss.named_buffers().keys() == std::vector<std::string>{"weight"});
  const Tensor logs = log_softmax(randn({5, 2, 4}), 2), targets = tensor({{1, 2}, {3, 3}}), times = tensor({5, 4}),
               lengths = tensor({2, 1});
  CHECK(equal(nn::CTCLoss({.blank = 0, .reduction = kSum})(logs, targets, times, lengths),
              ctc_loss(logs, targets, times, lengths, {.reduction = kSum})));
}

TEST_CASE("ctc_loss without a path is infinite, and has no gradient unless it counts as 0", "[losses]") {
  const Tensor logits = randn({3, 2, 4}, kFloat64).requires_grad_();
  const Tensor logs = log_softmax(logits, 2), targets = tensor({{1, 1, 2}, {3, 0, 0}});
  const auto losses = [&](bool zero) {
    return ctc_loss(logs, targets, {3, 3}, {3, 1}, {.reduction = kNone, .zero_infinity = zero});
  };
  CHECK(std::isinf(losses(false)[0].item<double>()));
  CHECK(losses(true)[0].item<double>() == 0);
  const Tensor w = tensor({0.7, -1.3}, kFloat64);
  const Tensor zeroed = autograd::grad({losses(true)}, {logits}, {w}, true)[0];
  CHECK(zeroed.select(1, 0).abs().max().item<double>() == 0);
  CHECK(zeroed.select(1, 1).abs().min().item<double>() > 0);
  const Tensor undefined = autograd::grad({losses(false)}, {logits}, {w}, true)[0];
  CHECK(isnan(undefined.select(1, 0)).sum().item<int64_t>() == 12);
  CHECK(equal(undefined.select(1, 1), zeroed.select(1, 1)));
  // Of logits: the probabilities without the shares of the paths, which add up to nothing.
  CHECK(allclose(zeroed.select(1, 1).sum(1), zeros({3}, kFloat64)));
}

TEST_CASE("gaussian_nll_loss holds small variances at eps, with the gradient they have there", "[losses]") {
  const Tensor x = tensor({1.0, 2.0}, kFloat64), t = tensor({0.5, 2.5}, kFloat64);
  const Tensor var = tensor({0.0, 0.01}, kFloat64).requires_grad_(), at = full({2}, 0.1, kFloat64).requires_grad_();
  const GaussianNllLossOptions options{.eps = 0.1, .reduction = kNone};
  const Tensor held = gaussian_nll_loss(x, t, var, options), there = gaussian_nll_loss(x, t, at, options);
  const Tensor w = tensor({0.7, -1.3}, kFloat64);
  CHECK(allclose(held.detach(), there.detach(), 1e-14, 1e-14));
  CHECK(allclose(autograd::grad({held}, {var}, {w})[0], autograd::grad({there}, {at}, {w})[0], 1e-14, 1e-14));
}

TEST_CASE("kl_div takes a probability of zero, and has a gradient there", "[losses]") {
  const Tensor logs = log(tensor({{0.5, 0.25, 0.25}})), p = tensor({{0.0, 0.5, 0.5}}).requires_grad_();
  const Tensor loss = kl_div(logs, p, {.reduction = kSum});
  CHECK(loss.item<double>() == Approx(std::log(2.0)).epsilon(1e-6));
  loss.backward();
  CHECK(isfinite(p.grad()).sum().item<int64_t>() == 3);
}

TEST_CASE("distance losses at equality, and smooth_l1_loss with beta 0", "[losses]") {
  const Tensor x = tensor({1.0, 2.0, 4.0}).requires_grad_(), t = tensor({1.0, 3.0, 1.0});
  CHECK(equal(smooth_l1_loss(x, t, {.beta = 0}), l1_loss(x, t)));
  l1_loss(x, t, kSum).backward();
  CHECK(equal(x.grad(), tensor({0.0, -1.0, 1.0})));
  CHECK(smooth_l1_loss(x, t, {.reduction = kSum, .beta = 2}).item<double>() == Approx(0.25 + 2));
  CHECK(huber_loss(x, t, {.reduction = kSum, .delta = 2}).item<double>() == Approx(0.5 + 4));
}

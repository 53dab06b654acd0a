// Layers, losses, Sequential, initialisation and the progress bar.
#include <fcntl.h>
#include <tapegrad/tapegrad.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "message.h"

using namespace tapegrad;

namespace {

// What goes to stderr goes to this file descriptor for the scope.
class StderrTo {
 public:
  explicit StderrTo(int descriptor) : saved_(dup(STDERR_FILENO)) { dup2(descriptor, STDERR_FILENO); }
  ~StderrTo() {
    std::fflush(stderr);
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  StderrTo(const StderrTo&) = delete;
  StderrTo& operator=(const StderrTo&) = delete;

 private:
  int saved_;
};

}  // namespace

TEST_CASE("Sequential chains modules and functions, and is a handle too", "[nn]") {
  int calls = 0;
  nn::Linear fc(2, 3);
  nn::Sequential net(
      fc, [&calls](const Tensor& x) { return ++calls, x * 2; }, tapegrad::relu);
  net.push_back("last", nn::Sequential(nn::Linear(3, 1), nn::Tanh()));
  const Tensor x = randn({4, 2});
  const nn::Linear& last = net[3].as<nn::Sequential>()->at<nn::Linear>(0);
  CHECK(equal(net(x), tanh(last(relu(fc(x) * 2)))));
  CHECK(calls == 1);
  CHECK(net.named_parameters().keys() ==
        std::vector<std::string>{"0.weight", "0.bias", "last.0.weight", "last.0.bias"});
  CHECK(net.size() == 4);
  CHECK(net[-1].name() == "Sequential");
  int64_t count = 0;
  for (nn::Module& module : net) count += !module.children().empty() || module.as<nn::Linear>() != nullptr;
  CHECK(count == 2);
  CHECK_THROWS_AS(net[4], IndexError);
  CHECK_THROWS_AS(net.at<nn::Tanh>(0), ValueError);
  CHECK(equal(nn::Sequential()(x), x));

  nn::Sequential alias = net;
  nn::Sequential copy = net.clone();
  {
    NoGradGuard no_grad;
    fc.weight.zero_(), fc.bias.zero_();
  }
  CHECK(equal(alias(x), net(x)));
  CHECK_FALSE(equal(copy(x), net(x)));
  alias.push_back(nn::Sigmoid());
  CHECK(net.size() == 5);
  CHECK(copy.size() == 4);
}

TEST_CASE("a module that a function of a Sequential captures is cloned with it", "[nn]") {
  nn::Linear fc(2, 2);
  nn::Sequential net([fc](const Tensor& x) { return fc(x); });
  nn::Sequential copy = net.clone();
  const Tensor x = randn({3, 2});
  const Tensor y = net(x);
  nn::init::zeros_(fc.weight);
  CHECK(equal(copy(x), y));
  CHECK_FALSE(equal(net(x), y));
}

TEST_CASE("Linear starts as PyTorch's and checks its sizes", "[nn]") {
  manual_seed(1);
  nn::Linear fc(100, 200);
  const double bound = 0.1;
  for (const Tensor& p : fc.parameters()) {
    CHECK(p.abs().max().item<double>() <= bound);
    CHECK(p.max().item<double>() > 0.9 * bound);
    CHECK(p.min().item<double>() < -0.9 * bound);
  }
  // The standard deviation of U(-b, b) is b / sqrt(3); 20,000 draws give it to 1 percent.
  CHECK(std::sqrt(fc.weight.square().mean().item<double>()) == Approx(bound / std::sqrt(3.0)).epsilon(0.02));
  manual_seed(1);
  CHECK(equal(nn::Linear(100, 200).weight.detach(), fc.weight.detach()));
  CHECK_THROWS_AS(nn::Linear(-1, 2), ValueError);
  CHECK(nn::Linear(0, 2)(zeros({3, 0})).sizes().vec() == std::vector<int64_t>{3, 2});
  CHECK_THROWS_AS(fc(zeros({2, 99})), ShapeError);
}

TEST_CASE("activations and losses as modules are the operations", "[nn]") {
  const Tensor x = randn({4, 3});
  CHECK(equal(nn::Sigmoid()(x), sigmoid(x)));
  CHECK(equal(nn::Tanh()(x), tanh(x)));
  CHECK(equal(nn::ReLU()(x), relu(x)));
  CHECK(equal(nn::LeakyReLU({.negative_slope = 0.3})(x), leaky_relu(x, 0.3)));
  CHECK(equal(nn::Softplus({.beta = 2})(x), softplus(x, 2)));
  CHECK(equal(nn::Softmax(1)(x), softmax(x, 1)));
  CHECK(equal(nn::LogSoftmax(-1)(x), log_softmax(x, 1)));
  CHECK(equal(nn::functional::sigmoid(x), sigmoid(x)));

  const Tensor target = tensor({0, 2, 1, 1}), p = sigmoid(x), t = rand({4, 3});
  const Tensor weight = tensor({1.0, 2.0, 3.0});
  CHECK(equal(nn::CrossEntropyLoss({.weight = weight, .reduction = kSum})(x, target),
              cross_entropy(x, target, {.weight = weight, .reduction = kSum})));
  CHECK(equal(nn::NLLLoss({.ignore_index = 1})(log_softmax(x, 1), target),
              nll_loss(log_softmax(x, 1), target, {.ignore_index = 1})));
  CHECK(equal(nn::MSELoss({.reduction = kSum})(x, t), mse_loss(x, t, kSum)));
  CHECK(equal(nn::BCELoss()(p, t), binary_cross_entropy(p, t)));
  CHECK(equal(nn::BCEWithLogitsLoss({.reduction = kNone, .pos_weight = weight})(x, t),
              binary_cross_entropy_with_logits(x, t, {.reduction = kNone, .pos_weight = weight})));

  nn::CrossEntropyLoss loss({.weight = weight.clone()});
  nn::CrossEntropyLoss copy = loss.clone();
  CHECK(loss.named_buffers().keys() == std::vector<std::string>{"weight"});
  const Tensor before = copy(x, target);
  {
    NoGradGuard no_grad;
    loss.weight.zero_();
  }
  CHECK(equal(copy(x, target), before));
  loss.to(kFloat64);
  CHECK(loss.weight.dtype() == kFloat64);
}

TEST_CASE("initialisation follows its formulas", "[nn]") {
  namespace init = nn::init;
  CHECK(init::calculate_gain(kLinear) == 1);
  CHECK(init::calculate_gain(kTanh) == Approx(5.0 / 3).epsilon(1e-15));
  CHECK(init::calculate_gain(kReLU) == Approx(std::sqrt(2.0)).epsilon(1e-15));
  CHECK(init::calculate_gain(kLeakyReLU, 2) == Approx(std::sqrt(0.4)).epsilon(1e-15));

  manual_seed(3);
  const auto largest = [](const Tensor& t) { return t.abs().max().item<double>(); };
  const auto spread = [](const Tensor& t) { return std::sqrt(t.square().mean().item<double>()); };
  Tensor w = empty({40, 50, 5, 2}, dtype(kFloat64).requires_grad());  // fan_in 500, fan_out 400
  const auto near = [](double value) { return Approx(value).epsilon(0.02); };
  double bound = 2 * std::sqrt(6.0 / 900);
  CHECK((largest(init::xavier_uniform_(w, 2)) <= bound && largest(w) > 0.99 * bound));
  CHECK(spread(init::xavier_normal_(w, 2)) == near(2 * std::sqrt(2.0 / 900)));
  bound = std::sqrt(3.0) / std::sqrt(500.0) * std::sqrt(2.0);
  CHECK((largest(init::kaiming_uniform_(w)) <= bound && largest(w) > 0.99 * bound));
  CHECK(spread(init::kaiming_normal_(w, 0, kFanOut, kTanh)) == near(5.0 / 3 / std::sqrt(400.0)));
  CHECK(spread(init::normal_(w, 3, 1e-9)) == near(3));
  CHECK(init::uniform_(w, 2, 3).min().item<double>() >= 2);
  CHECK(equal(init::constant_(w, 7).detach(), full({40, 50, 5, 2}, 7, kFloat64)));
  CHECK((w.is_leaf() && w.requires_grad()));
  CHECK_THAT(message_of<ValueError>([] { init::xavier_uniform_(ones({3})); }),
             Contains("xavier_uniform_") && Contains("[3]"));
  CHECK(init::kaiming_uniform_(empty({3, 0})).numel() == 0);
}

TEST_CASE("progress is drawn on a terminal and silent elsewhere", "[nn]") {
  const auto run = [] {
    nn::Progress progress(2, "training");
    progress.step("loss 0.5");
    progress.update(7);  // more than all is all
    return progress.visible();
  };
  std::FILE* file = std::tmpfile();
  {
    const StderrTo redirected(fileno(file));
    CHECK_FALSE(run());
  }
  CHECK(lseek(fileno(file), 0, SEEK_END) == 0);
  std::fclose(file);

  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
    WARN("this machine has no pseudo-terminals (/dev/pts): only the silence elsewhere was checked");
    return;
  }
  const int inside = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(inside >= 0);
  {
    const StderrTo redirected(inside);
    CHECK(run());
  }
  std::string text;  // a terminal hands it over in pieces
  for (char piece[4096]; text.find("2/2") == std::string::npos;) {
    const ssize_t count = read(terminal, piece, sizeof(piece));
    REQUIRE(count > 0);
    text.append(piece, static_cast<size_t>(count));
  }
  CHECK_THAT(text, Contains("training [") && Contains("1/2") && Contains("loss 0.5") && Contains("100%  2/2"));
  close(inside);
  close(terminal);
}

// GradientMonitor: readings against the formulas, and each illness in a network that has it and in one that has not.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "folder.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

std::vector<std::string> kinds_of(const nn::GradientMonitor& monitor) {
  std::vector<std::string> kinds;
  for (const auto& w : monitor.warnings()) {
    if (std::find(kinds.begin(), kinds.end(), w.kind) == kinds.end()) kinds.push_back(w.kind);
  }
  return kinds;
}

nn::GradientWarning warning(const nn::GradientMonitor& monitor, const std::string& kind, const std::string& name = "") {
  for (const auto& w : monitor.warnings()) {
    if (w.kind == kind && (name.empty() || w.name == name)) return w;
  }
  return {"", "", 0, 0, "no warning of this kind"};
}

nn::Sequential deep(int layers, const nn::Sequential& activation, double scale) {
  nn::Sequential net;
  for (int i = 0; i < layers; ++i) {
    nn::Linear fc(8, 8);
    {
      const NoGradGuard no_grad;
      fc.weight.mul_(scale);
    }
    net.push_back(fc).push_back(activation);
  }
  return net;
}

// One step of gradient descent towards random targets.
void train(nn::Sequential& net, optim::Optimizer& optimizer, nn::GradientMonitor& monitor, int steps, int64_t in = 8) {
  const Tensor x = randn({16, in});
  for (int i = 0; i < steps; ++i) {
    const Tensor y = net(x);
    const Tensor loss = mse_loss(y, ones_like(y));
    monitor.watch(loss);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    monitor.step();
  }
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("GradientMonitor reads norms and updates", "[monitor]") {
  manual_seed(1);
  nn::Linear fc(3, 2);
  optim::SGD sgd(fc.parameters(), {.lr = 0.25});
  nn::GradientMonitor monitor(fc, sgd);
  const Tensor x = randn({5, 3}), w = randn({5, 2});
  const double before = fc.weight.detach().norm().item<double>();
  (fc(x) * w).sum().backward();
  const double gradient = mm(w.t(), x).norm().item<double>();
  sgd.step();
  monitor.step();
  const auto readings = monitor.parameters();
  REQUIRE(readings.size() == 2);
  CHECK(readings[0].name == "weight");
  CHECK(readings[0].sizes == Shape{2, 3});
  CHECK(readings[0].gradient == Approx(gradient));
  CHECK(readings[0].rms == Approx(gradient / std::sqrt(6.0)));
  CHECK(readings[0].update == Approx(0.25 * gradient / before));
  CHECK(readings[0].lr == 0.25);
  CHECK(readings[1].gradient == Approx(sum(w, 0).norm().item<double>()));
  CHECK(monitor.steps() == 1);
  // The next update is measured from here on.
  fc.zero_grad();
  (fc(x) * 0).sum().backward();
  sgd.step();
  monitor.step();
  CHECK(monitor.parameters()[0].update == 0);
}

TEST_CASE("GradientMonitor is quiet about a healthy network and leaves it alone", "[monitor]") {
  const auto run = [](bool watched) {
    manual_seed(2);
    nn::Sequential net(nn::Linear(8, 16), nn::ReLU(), nn::Linear(16, 16), nn::ReLU(), nn::Linear(16, 2));
    optim::Adam adam(net.parameters(), {.lr = 1e-3});
    nn::GradientMonitor monitor(net, adam, {.window = 5, .find_op = watched});
    if (watched) {
      train(net, adam, monitor, 30);
      CHECK(kinds_of(monitor).empty());
      CAPTURE(monitor.table());
      REQUIRE(monitor.activations().size() == 2);
      CHECK(monitor.activations()[0].name == "0 > relu");
      CHECK(monitor.activations()[1].name == "2 > relu");
      CHECK(monitor.activations()[0].units == 16);
    } else {
      const Tensor x = randn({16, 8});
      for (int i = 0; i < 30; ++i) {
        const Tensor y = net(x);
        adam.zero_grad();
        mse_loss(y, ones_like(y)).backward();
        adam.step();
      }
    }
    return net[4].as<nn::Linear>()->weight.detach().clone();
  };
  CHECK(equal(run(true), run(false)));
}

TEST_CASE("GradientMonitor counts dead units", "[monitor]") {
  manual_seed(3);
  nn::Sequential net(nn::Linear(8, 10), nn::ReLU(), nn::Linear(10, 2));
  nn::Linear& fc = *net[0].as<nn::Linear>();
  {
    const NoGradGuard no_grad;
    fc.bias.slice(0, 0, 7).fill_(-100);
  }
  optim::SGD sgd(net.parameters(), {.lr = 1e-3});
  nn::GradientMonitor monitor(net, sgd, {.window = 5});
  train(net, sgd, monitor, 4);
  CHECK(monitor.activations()[0].dead == Approx(0.7));
  CHECK(warning(monitor, "dead").text == "no warning of this kind");  // not before a whole window
  train(net, sgd, monitor, 1);
  CHECK(warning(monitor, "dead").text == "0 > relu: 70% of 10 units gave no positive value in the last 5 steps");
  CHECK_THAT(monitor.table(), Contains("0 > relu") && Contains("70%"));

  SECTION("they come back to life") {
    {
      const NoGradGuard no_grad;
      fc.bias.fill_(1);
    }
    train(net, sgd, monitor, 1);
    CHECK(monitor.activations()[0].dead == 0);
  }
  SECTION("and die after they have fired") {
    {
      const NoGradGuard no_grad;
      fc.bias.fill_(1);
    }
    train(net, sgd, monitor, 1);
    {
      const NoGradGuard no_grad;
      fc.bias.fill_(-100);
    }
    train(net, sgd, monitor, 4);
    CHECK(monitor.activations()[0].dead == 0);
    train(net, sgd, monitor, 1);
    CHECK(monitor.activations()[0].dead == 1);
  }
}

TEST_CASE("GradientMonitor takes activations by name, along any dim", "[monitor]") {
  nn::Linear fc(2, 2);
  nn::GradientMonitor monitor(fc);
  Tensor y = zeros({2, 3, 4});
  y[1][2][3] = 5;
  monitor.watch("channels", y);
  monitor.watch("last", y, -1);
  monitor.watch("one sample", tensor({0.0, 2.0}));
  const auto a = monitor.activations();
  REQUIRE(a.size() == 3);
  CHECK(a[0].units == 3);
  CHECK(a[0].dead == Approx(2.0 / 3));
  CHECK(a[1].units == 4);
  CHECK(a[1].dead == Approx(0.75));
  CHECK(a[2].dead == Approx(0.5));
  monitor.watch("channels", transpose(y, 0, 2).flip({0}).transpose(0, 2));
  CHECK(monitor.activations()[0].dead == Approx(2.0 / 3));
  CHECK_THAT(message_of<ShapeError>([&] {
               monitor.watch("channels", zeros({2, 5}));
             }),
             Contains("activation \"channels\" must have 3 units as before along dim 1, got [2, 5]"));
  CHECK_THAT(message_of<ValueError>([&] {
               monitor.watch("i", zeros({2, 5}, kInt64));
             }),
             Contains("must be a floating tensor of one dim or more, got int64 [2, 5]"));
  CHECK_THAT(message_of<ValueError>([&] { monitor.watch("u", Tensor()); }), Contains("undefined tensor"));
  CHECK_THROWS_AS(monitor.watch("d", zeros({2, 5}), 2), IndexError);
}

TEST_CASE("GradientMonitor tells vanishing and exploding layers", "[monitor]") {
  manual_seed(4);
  SECTION("deep sigmoids") {
    nn::Sequential net = deep(10, nn::Sequential(nn::Sigmoid()), 1);
    optim::SGD sgd(net.parameters(), {.lr = 0.1});
    nn::GradientMonitor monitor(net, sgd);
    train(net, sgd, monitor, 3);
    CAPTURE(monitor.table());
    const auto w = warning(monitor, "vanishing", "0.weight");
    CHECK(w.steps == 3);
    CHECK(w.first_step == 1);
    CHECK_THAT(w.text, Contains("of that of 18.weight"));
    CHECK(warning(monitor, "vanishing", "18.weight").kind.empty());
    CHECK(warning(monitor, "exploding").kind.empty());
    CHECK(warning(monitor, "update", "0.weight").steps == 3);  // nothing is learned there
  }
  SECTION("the same depth with tanh and weights of a fitting size") {
    nn::Sequential net = deep(10, nn::Sequential(nn::Tanh()), 1.7);
    optim::SGD sgd(net.parameters(), {.lr = 0.1});
    nn::GradientMonitor monitor(net, sgd);
    train(net, sgd, monitor, 3);
    CHECK(kinds_of(monitor).empty());
  }
  SECTION("weights too large") {
    nn::Sequential net = deep(10, nn::Sequential(nn::Identity()), 10);
    optim::SGD sgd(net.parameters(), {.lr = 0});
    nn::GradientMonitor monitor(net, sgd);
    train(net, sgd, monitor, 2);
    CHECK(warning(monitor, "exploding", "0.weight").steps == 2);
    CHECK_THAT(warning(monitor, "exploding", "0.weight").text, Contains("above 1000"));
  }
  SECTION("a step too large") {
    nn::Sequential net(nn::Linear(8, 4));
    optim::SGD sgd(net.parameters(), {.lr = 10});
    nn::GradientMonitor monitor(net, sgd);
    train(net, sgd, monitor, 1);
    CHECK_THAT(warning(monitor, "update", "0.weight").text, Contains("of itself in a step, above 0.1"));
  }
}

TEST_CASE("GradientMonitor names the op where NaN or infinity begins", "[monitor]") {
  nn::Linear fc(2, 3);
  {
    const NoGradGuard no_grad;
    fc.weight.fill_(1);
    fc.bias.fill_(0);
  }
  const Tensor x = tensor({{1.0f, -1.0f}, {2.0f, 1.0f}});
  optim::SGD sgd(fc.parameters(), {.lr = 0.1});
  const auto step = [&](nn::GradientMonitor& monitor, Tensor (*f)(const Tensor&)) {
    sgd.zero_grad();
    sum(f(fc(x)) * 2).backward();
    monitor.step();
  };
  SECTION("infinity in a rule") {
    nn::GradientMonitor monitor(fc, {.find_op = true});
    step(monitor, [](const Tensor& y) { return sqrt(y); });  // slope at 0
    const auto w = warning(monitor, "not finite", "weight");
    CHECK_THAT(w.text, Contains("weight: its gradient has ") && Contains("made by the backward of sqrt") &&
                           Contains("recorded at ") && Contains("for input 0, shape [2, 3]"));
  }
  SECTION("NaN of the forward") {
    nn::GradientMonitor monitor(fc, {.find_op = true});
    step(monitor, [](const Tensor& y) {
      const Tensor l = log(y - 2);
      return l * l;
    });
    CHECK_THAT(warning(monitor, "not finite", "bias").text,
               Contains("NaN") && Contains("its forward was not finite already") && Contains("saved by mul, ") &&
                   Contains("computed from log, recorded at "));
  }
  SECTION("only the first step tells") {
    nn::GradientMonitor monitor(fc, {.find_op = true});
    step(monitor, [](const Tensor& y) { return sqrt(y); });
    sgd.step();
    step(monitor, [](const Tensor& y) { return y * 2; });
    step(monitor, [](const Tensor& y) { return y * y; });
    const auto w = warning(monitor, "not finite", "weight");
    CHECK(w.first_step == 1);
    CHECK(w.steps == 2);  // y * 2 has a finite gradient
    CHECK_THAT(w.text, Contains("sqrt"));
  }
  SECTION("off by default") {
    nn::GradientMonitor monitor(fc);
    step(monitor, [](const Tensor& y) { return sqrt(y); });
    CHECK_THAT(warning(monitor, "not finite", "weight").text, Contains("find_op = true tells by which op"));
    CHECK_THAT(monitor.table(), Contains("not finite: weight"));
  }
}

TEST_CASE("GradientMonitor tells what does not learn at all", "[monitor]") {
  struct Net : nn::Module {
    nn::Linear used = register_module("used", nn::Linear(8, 2));
    nn::Linear forgotten = register_module("forgotten", nn::Linear(8, 2));
    nn::Linear frozen = register_module("frozen", nn::Linear(2, 2));
    Tensor forward(const Tensor& x) { return frozen(used(x)); }
  };
  manual_seed(5);
  Net net;
  optim::SGD sgd(net.used.parameters(), {.lr = 0.01});
  nn::GradientMonitor monitor(net, sgd);
  net.forward(randn({4, 8})).square().sum().backward();
  sgd.step();
  monitor.step();
  CHECK(warning(monitor, "no gradient", "forgotten.weight").steps == 1);
  CHECK(warning(monitor, "not optimized", "frozen.weight").steps == 1);
  CHECK(warning(monitor, "not optimized", "used.weight").kind.empty());
}

TEST_CASE("GradientMonitor draws its curves", "[monitor]") {
  manual_seed(6);
  const Folder folder;
  nn::Sequential net(nn::Linear(8, 4), nn::ReLU(), nn::Linear(4, 2));
  optim::SGD sgd(net.parameters(), {.lr = 0.01});
  nn::GradientMonitor monitor(net, sgd, {.history = 4});
  const std::string path = folder.path() + "/new folder/it's.png";
  CHECK_THAT(message_of<ValueError>([&] { monitor.picture(path); }), Contains("after 0 steps"));
  train(net, sgd, monitor, 9);
  CHECK_THROWS_AS(monitor.picture(folder.path() + "/picture.svg"), ValueError);
  const bool drawn = monitor.picture(path);
  CHECK(drawn == (std::system("command -v gnuplot >/dev/null 2>&1") == 0));
  CHECK(drawn == std::filesystem::exists(path));
  if (drawn) CHECK(text_of(path).substr(1, 3) == "PNG");
  const std::string data = text_of(folder.path() + "/new folder/it's.dat");
  CHECK_THAT(data, Contains("# 0.weight\n1 ") && Contains("# 0 > relu\n1 "));
  // Nine steps on at most four points: every fourth.
  CHECK_THAT(data, Contains("\n5 ") && Contains("\n9 "));
  CHECK(data.find("\n3 ") == std::string::npos);
  CHECK_THAT(text_of(folder.path() + "/new folder/it's.gp"), Contains("set logscale y"));
  CHECK_THAT(message_of<IOError>([&] { monitor.picture(folder.path() + "/new folder/it's.dat/x.png"); }),
             Contains("files must be writable"));
}

TEST_CASE("GradientMonitor refuses what it cannot watch", "[monitor]") {
  nn::Linear fc(2, 2);
  CHECK_THAT(message_of<ValueError>([&] { nn::GradientMonitor(nn::ReLU()); }),
             Contains("a parameter of the module must require grad, got ReLU in which none does"));
  CHECK_THAT(message_of<ValueError>([&] { nn::GradientMonitor(fc, {.window = 0}); }),
             Contains("window must be positive, got 0"));
  CHECK_THAT(message_of<ValueError>([&] { nn::GradientMonitor(fc, {.vanishing = NAN}); }),
             Contains("vanishing must be positive, got nan"));
  CHECK_THAT(message_of<ValueError>([&] { nn::GradientMonitor(fc, {.dead = 50}); }),
             Contains("dead is a share, at most 1, got 50"));
  CHECK_THAT(message_of<ValueError>([&] { nn::GradientMonitor(fc, {.fast = 1e-9}); }),
             Contains("slow must be less than fast, got 1e-07 and 1e-09"));
  nn::GradientMonitor monitor(fc);
  CHECK_THAT(message_of<ValueError>([&] { monitor.step(); }),
             Contains("step() must find a gradient, got 2 parameters of which none has one"));
  CHECK_THAT(message_of<ValueError>([&] { monitor.watch(ones({1})); }), Contains("does not require grad"));
  const Tensor loss = relu(fc(ones({1, 2}))).sum();
  loss.backward();
  CHECK_THAT(message_of<AutogradError>([&] { monitor.watch(loss); }), Contains("must come before backward()"));
}

TEST_CASE("two monitors that look for NaN both find it", "[monitor]") {
  nn::Linear fc(3, 2);
  const nn::GradientMonitorOptions options{.find_op = true};
  nn::GradientMonitor first(fc, options), second(fc, options);
  sum(sqrt(fc(ones({4, 3})) * 0)).backward();
  for (nn::GradientMonitor* monitor : {&first, &second}) {
    monitor->step();
    REQUIRE(monitor->warnings().size() == 2);
    CHECK_THAT(monitor->warnings()[0].text, Contains("made by the backward of sqrt"));
  }
}

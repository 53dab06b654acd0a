// The moving average of weights, and early stopping.
#include <cmath>

#include "message.h"
#include "optim_reference.h"

using namespace tapegrad;
using optim_reference::leaf;

namespace {

using Dict = OrderedDict<std::string, Tensor>;
Dict copy_of(const Dict& dict) {
  Dict out;
  for (const auto& [key, value] : dict) out.append(key, value.clone());
  return out;
}

struct Counting : nn::Module {
  nn::Linear fc = register_module("fc", nn::Linear(3, 2));
  nn::Buffer seen = register_buffer("seen", zeros({}, kInt64));
};

void set(const Tensor& weight, double value) {
  const NoGradGuard no_grad;
  weight.fill_(value);
}

}  // namespace

TEST_CASE("an average follows its weights at its pace", "[optim][average]") {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const bool warm_up : {false, true}) {
      manual_seed(5);
      const Tensor w = leaf(randn({7, 5}, dtype)), across = leaf(randn({4, 3}, dtype).t());
      optim::ExponentialMovingAverage average({w, across}, {.decay = 0.6, .warm_up = warm_up});
      const auto values = [](const Tensor& x) { return x.detach().to(kFloat64).clone().reshape({-1}); };
      Tensor expected = values(w), other = values(across);
      for (int n = 1; n <= 12; ++n) {
        {
          const NoGradGuard no_grad;
          w.copy_(randn({7, 5}, dtype));
          across.copy_(randn({3, 4}, dtype));
        }
        average.update();
        const double decay = warm_up ? std::min(0.6, (1. + n) / (10. + n)) : 0.6;
        expected = expected * decay + values(w) * (1 - decay);
        other = other * decay + values(across) * (1 - decay);
        const double tolerance = dtype == kFloat32 ? 1e-6 : 1e-14;
        CHECK(allclose(values(average.averages()["0"]), expected, tolerance, tolerance));
        CHECK(allclose(values(average.averages()["1"]), other, tolerance, tolerance));
      }
      CHECK(average.num_updates() == 12);
    }
  }
}

TEST_CASE("averages stand in for weights and go away again", "[optim][average]") {
  Counting net;
  set(net.fc->weight, 1);
  optim::ExponentialMovingAverage average(net, {.decay = 0.5});
  set(net.fc->weight, 3);
  set(net.seen, 4);
  average.update();
  set(net.seen, 9);
  {
    const auto averaged = average.scope();
    CHECK(equal(net.fc->weight.detach(), full({2, 3}, 2.)));
    CHECK(net.seen.item<int64_t>() == 4);
    CHECK_THAT(message_of<ValueError>([&] { average.update(); }), Contains("update needs the weights in place"));
    CHECK_THAT(message_of<ValueError>([&] { average.apply(); }), Contains("apply needs the weights in place"));
  }
  CHECK(equal(net.fc->weight.detach(), full({2, 3}, 3.)));
  CHECK(net.seen.item<int64_t>() == 9);
  CHECK_THAT(message_of<ValueError>([&] { average.restore(); }), Contains("restore comes after apply()"));

  const Dict saved = copy_of(average.state_dict());
  CHECK(saved["n_averaged"].item<int64_t>() == 1);
  Counting copy;
  optim::ExponentialMovingAverage again(copy, {.decay = 0.5});
  again.load_state_dict(saved);
  CHECK(equal(again.averages()["fc.weight"], full({2, 3}, 2.)));
  CHECK(again.num_updates() == 1);
  Dict wrong = copy_of(saved);
  wrong["module.fc.weight"] = zeros({3, 2});
  CHECK_THAT(message_of<ValueError>([&] { again.load_state_dict(wrong); }),
             Contains("module.fc.weight is float32 [2, 3] here and float32 [3, 2] there"));

  {
    const auto averaged = average.scope();
    average.restore();
  }
  CHECK(equal(net.fc->weight.detach(), full({2, 3}, 3.)));
  CHECK_THAT(message_of<ValueError>([] { optim::ExponentialMovingAverage(std::vector<Tensor>()); }),
             Contains("ExponentialMovingAverage: there must be weights, got none"));
  CHECK_THAT(message_of<ValueError>([&] { optim::ExponentialMovingAverage(net, {.decay = 1.5}); }),
             Contains("ExponentialMovingAverage: decay must lie in [0, 1], got 1.5"));
  CHECK_THAT(message_of<DTypeError>([&] { optim::ExponentialMovingAverage({ones({2}, kInt64)}); }),
             Contains("ExponentialMovingAverage: weights must be float32 or float64, got 0, which is int64"));
}

TEST_CASE("averages and early stopping see that a module was converted", "[optim][average][early]") {
  Counting net;
  optim::ExponentialMovingAverage average(net);
  optim::EarlyStopping stopping(net, {.patience = 1});
  net.to(kFloat64);
  CHECK_THAT(message_of<DTypeError>([&] { average.update(); }),
             Contains("weights must keep their dtype, got fc.weight, which was float32 and is float64"));
  CHECK(average.num_updates() == 0);
  set(net.fc->weight, 0.1);
  CHECK_FALSE(stopping.step(1));
  set(net.fc->weight, 5);
  CHECK(stopping.step(2));
  CHECK(equal(net.fc->weight.detach(), full({2, 3}, 0.1, kFloat64)));
}

TEST_CASE("a captured step averages as the step does", "[optim][average][capture]") {
  const auto train = [](bool captured) {
    const Tensor w = leaf(arange(11, kFloat32));
    optim::SGD optimizer({w}, 0.1);
    optim::ExponentialMovingAverage average({w}, {.decay = 0.9, .warm_up = true});
    const auto step = [&] {
      optimizer.zero_grad();
      w.square().sum().backward();
      optimizer.step();
      average.update();
    };
    std::optional<Program> program;
    if (captured) program = capture(step, {.verify = 1});
    else step(), step();
    for (int i = 0; i < 5; ++i) {
      if (captured) (*program)();
      else step();
    }
    CHECK(average.num_updates() == 7);
    return average.averages()["0"].clone();
  };
  CHECK(equal(train(true), train(false)));
}

TEST_CASE("early stopping waits, stops, and puts the best weights back", "[optim][early]") {
  Counting net;
  optim::EarlyStopping stopping(net, {.patience = 3, .min_delta = 0.1});
  const double losses[] = {2, 1.5, 1.45, std::nan(""), 1.3, 1.25, 1.21, 1.5, 1.1};
  // Better by more than 0.1: steps 0, 1 and 4; the third that is not after that is step 7.
  for (int i = 0; i < 7; ++i) {
    INFO("step " << i);
    set(net.fc->weight, i);
    optim::EarlyStopping other(net, {.patience = 3, .min_delta = 0.1});
    other.load_state_dict(copy_of(stopping.state_dict()));
    CHECK_FALSE(stopping.step(losses[i]));
    CHECK_FALSE(other.step(losses[i]));
    CHECK(other.best() == stopping.best());
    CHECK(other.num_bad_steps() == stopping.num_bad_steps());
  }
  CHECK(stopping.best() == 1.3);
  CHECK(stopping.best_step() == 4);
  set(net.fc->weight, 7);
  CHECK(stopping.step(tensor(losses[7])));
  CHECK(stopping.should_stop());
  CHECK(equal(net.fc->weight.detach(), full({2, 3}, 4.)));

  optim::EarlyStopping upwards({.patience = 1, .mode = "max"});
  CHECK_FALSE(upwards.step(0.5));
  CHECK_FALSE(upwards.step(0.6));
  CHECK(upwards.step(0.6));
  CHECK_THAT(message_of<ValueError>([&] { upwards.restore_best(); }),
             Contains("EarlyStopping: restore_best needs a module and a step that was better"));
  CHECK_THAT(message_of<ValueError>([] { optim::EarlyStopping({.patience = 0}); }),
             Contains("EarlyStopping: patience must be positive, got 0"));
  CHECK_THAT(message_of<ValueError>([] { optim::EarlyStopping({.mode = "best"}); }),
             Contains("EarlyStopping: mode must be \"min\" or \"max\", got \"best\""));
  CHECK_THAT(message_of<ValueError>([] { optim::EarlyStopping({.min_delta = -1}); }),
             Contains("EarlyStopping: min_delta must not be negative, got -1"));
}

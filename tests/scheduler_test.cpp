// Schedules of learning rates against their formulas in every epoch, put together, resumed, and between the runs of a program.
#include <cmath>
#include <numbers>

#include "message.h"
#include "optim_reference.h"

using namespace tapegrad;
using optim_reference::leaf;

namespace {

constexpr int kEpochs = 40;
const double kBases[] = {0.4, 0.03};

// An optimizer with a group for each base.
struct Trained {
  Tensor a = leaf(ones({3})), b = leaf(ones({2}));
  optim::SGD optimizer{{a}, {.lr = kBases[0], .momentum = 0.5}};
  Trained() { optimizer.add_param_group({b}, {.lr = kBases[1], .momentum = 0.5}); }
};

using Dict = OrderedDict<std::string, Tensor>;
Dict copy_of(const Dict& dict) {
  Dict out;
  for (const auto& [key, value] : dict) out.append(key, value.clone());
  return out;
}

// make(optimizer) gives a schedule whose lr in epoch t is expected(base, t); and the same when it is resumed at any of three epochs.
template <class Make, class Expected> void check_schedule(const Make& make, const Expected& expected) {
  Trained straight;
  auto schedule = make(straight.optimizer);
  std::vector<std::vector<double>> seen;
  std::vector<Dict> states, optimizers;
  for (int t = 0; t < kEpochs; ++t) {
    INFO("epoch " << t);
    for (size_t g = 0; g < 2; ++g) {
      const double lr = straight.optimizer.param_groups()[g].lr();
      CHECK(lr == Approx(expected(kBases[g], t)).epsilon(1e-10).margin(1e-15));
      CHECK(schedule.get_last_lr()[g] == lr);
    }
    CHECK(schedule.last_epoch() == t);
    seen.push_back(schedule.get_last_lr());
    states.push_back(copy_of(schedule.state_dict()));
    optimizers.push_back(copy_of(straight.optimizer.state_dict()));
    schedule.step();
  }
  for (const size_t from : {size_t{0}, size_t{4}, size_t{13}}) {
    Trained again;
    auto resumed = make(again.optimizer);
    again.optimizer.load_state_dict(optimizers[from]);
    resumed.load_state_dict(states[from]);
    for (size_t t = from; t < kEpochs; ++t) {
      CHECK(resumed.get_last_lr() == seen[t]);
      for (size_t g = 0; g < 2; ++g) CHECK(again.optimizer.param_groups()[g].lr() == seen[t][g]);
      resumed.step();
    }
  }
}

double cosine(double high, double low, double share) {
  return low + (high - low) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

}  // namespace

TEST_CASE("LambdaLR, StepLR, MultiStepLR and ExponentialLR follow their formulas", "[optim][scheduler]") {
  check_schedule(
      [](auto& o) { return optim::LambdaLR(o, [](int64_t t) { return 1. / (1 + static_cast<double>(t)); }); },
      [](double base, int t) { return base / (1 + t); });
  check_schedule([](auto& o) { return optim::StepLR(o, 7, 0.3); },
                 [](double base, int t) { return base * std::pow(0.3, t / 7); });
  check_schedule(
      [](auto& o) {
        return optim::MultiStepLR(o, {30, 3, 9, 9}, 0.5);
      },
      [](double base, int t) { return base * std::pow(0.5, (t >= 3) + 2 * (t >= 9) + (t >= 30)); });
  check_schedule([](auto& o) { return optim::ExponentialLR(o, 0.9); },
                 [](double base, int t) { return base * std::pow(0.9, t); });
  check_schedule(
      [](auto& o) {
        return optim::LambdaLR(o, {[](int64_t) { return 2.; }, [](int64_t t) { return static_cast<double>(t); }});
      },
      [](double base, int t) { return base == kBases[0] ? 2 * base : t * base; });
}

TEST_CASE("ConstantLR, LinearLR and the cosines follow their formulas", "[optim][scheduler]") {
  check_schedule([](auto& o) { return optim::ConstantLR(o); },
                 [](double base, int t) { return t < 5 ? base / 3 : base; });
  check_schedule([](auto& o) { return optim::ConstantLR(o, 0.25, 8); },
                 [](double base, int t) { return t < 8 ? base / 4 : base; });
  check_schedule([](auto& o) { return optim::LinearLR(o); },
                 [](double base, int t) { return base * (1. / 3 + 2. / 3 * std::min(t, 5) / 5); });
  check_schedule([](auto& o) { return optim::LinearLR(o, 1, 0.1, 12); },
                 [](double base, int t) { return base * (1 - 0.9 * std::min(t, 12) / 12); });
  check_schedule([](auto& o) { return optim::CosineAnnealingLR(o, 9, 0.01); },
                 [](double base, int t) { return cosine(base, 0.01, t / 9.); });
  check_schedule([](auto& o) { return optim::CosineAnnealingLR(o, 16); },
                 [](double base, int t) { return cosine(base, 0, t / 16.); });
  check_schedule([](auto& o) { return optim::CosineAnnealingWarmRestarts(o, 6, 1, 0.001); },
                 [](double base, int t) { return cosine(base, 0.001, t % 6 / 6.); });
  check_schedule([](auto& o) { return optim::CosineAnnealingWarmRestarts(o, 5, 2); },
                 [](double base, int t) {
                   int length = 5;
                   for (; t >= length; length *= 2) t -= length;
                   return cosine(base, 0, static_cast<double>(t) / length);
                 });
}

TEST_CASE("warm restarts can be set to any epoch, a fraction too", "[optim][scheduler]") {
  Trained t;
  optim::CosineAnnealingWarmRestarts schedule(t.optimizer, 5, 2);
  schedule.step(17.5);  // 5 + 10, then 2.5 of 20
  CHECK(t.optimizer.param_groups()[0].lr() == Approx(cosine(0.4, 0, 2.5 / 20)));
  CHECK(schedule.last_epoch() == 17);
  schedule.step();
  CHECK(t.optimizer.param_groups()[0].lr() == Approx(cosine(0.4, 0, 3.5 / 20)));
  schedule.step(3.25);
  CHECK(t.optimizer.param_groups()[1].lr() == Approx(cosine(0.03, 0, 3.25 / 5)));
  for (const double epoch : {-1., HUGE_VAL, std::nan("")})
    CHECK_THAT(message_of<ValueError>([&] { schedule.step(epoch); }),
               Contains("CosineAnnealingWarmRestarts: the epoch must lie in [0, 2^53), got " + std::to_string(epoch)));
  CHECK(schedule.last_epoch() == 3);
}

TEST_CASE("OneCycleLR moves lr up and down once, and momentum the other way", "[optim][scheduler]") {
  const auto run = [](const optim::OneCycleLROptions& options, auto&& lr, auto&& momentum) {
    Trained trained;
    optim::OneCycleLR schedule(trained.optimizer, {1., 0.2}, options);
    for (int t = 0; t < kEpochs; ++t) {
      INFO("step " << t);
      CHECK(trained.optimizer.param_groups()[0].lr() == Approx(lr(1., t)));
      CHECK(trained.optimizer.param_groups()[1].lr() == Approx(lr(0.2, t)));
      CHECK(trained.optimizer.param_groups()[1].options().momentum == Approx(momentum(t)));
      if (t == 20) {
        const Dict state = copy_of(schedule.state_dict()), own = copy_of(trained.optimizer.state_dict());
        schedule.step();
        schedule.load_state_dict(state);
        trained.optimizer.load_state_dict(own);
      }
      if (t + 1 < kEpochs) schedule.step();
    }
    schedule.step();
    CHECK_THAT(message_of<ValueError>([&] { schedule.step(); }),
               Contains("OneCycleLR: step must be called at most 40 times, got step 41"));
    CHECK(schedule.last_epoch() == 40);
  };
  // Up to step 0.3 * 40 - 1 = 11, down to step 39.
  run(
      {.total_steps = kEpochs},
      [](double high, int t) {
        return t <= 11 ? cosine(high / 25, high, t / 11.) : cosine(high, high / 25 / 1e4, (t - 11) / 28.);
      },
      [](int t) { return t <= 11 ? cosine(0.95, 0.85, t / 11.) : cosine(0.85, 0.95, (t - 11) / 28.); });
  // 0.25 * 40 - 1 = 9, 18, 39, by straight lines.
  const auto line = [](double from, double to, double share) { return from + (to - from) * share; };
  run(
      {.epochs = 8,
       .steps_per_epoch = 5,
       .pct_start = 0.25,
       .anneal_strategy = "linear",
       .base_momentum = 0.7,
       .max_momentum = 0.9,
       .div_factor = 10,
       .final_div_factor = 100,
       .three_phase = true},
      [=](double high, int t) {
        if (t <= 9) return line(high / 10, high, t / 9.);
        if (t <= 18) return line(high, high / 10, (t - 9) / 9.);
        return line(high / 10, high / 1000, (t - 18) / 21.);
      },
      [=](int t) {
        if (t <= 9) return line(0.9, 0.7, t / 9.);
        return t <= 18 ? line(0.7, 0.9, (t - 9) / 9.) : 0.9;
      });
  const Tensor p = leaf(ones({2}));
  optim::Adam adam({p}, 0.1);
  optim::OneCycleLR schedule(adam, 1, {.total_steps = 10});
  CHECK(adam.param_groups()[0].options().betas.first == 0.95);
}

TEST_CASE("schedules follow one another and multiply", "[optim][scheduler]") {
  // Five epochs of warm-up, then a cosine from base, then a constant tenth.
  check_schedule(
      [](auto& o) {
        return optim::SequentialLR(
            o, {optim::LinearLR(o, 0.2), optim::CosineAnnealingLR(o, 20, 0.001), optim::ConstantLR(o, 0.1, 100)},
            {5, 25});
      },
      [](double base, int t) {
        if (t < 5) return base * (0.2 + 0.8 * t / 5);
        return t < 25 ? cosine(base, 0.001, (t - 5) / 20.) : base / 10;
      });
  check_schedule(
      [](auto& o) {
        return optim::ChainedScheduler({optim::ConstantLR(o, 0.5, 4), optim::ExponentialLR(o, 0.9)});
      },
      [](double base, int t) { return base * (t < 4 ? 0.5 : 1) * std::pow(0.9, t); });
  check_schedule(
      [](auto& o) {
        return optim::SequentialLR(
            o,
            {optim::ConstantLR(o, 0.1, 3),
             optim::ChainedScheduler({optim::LinearLR(o, 0.5, 1, 4), optim::StepLR(o, 10, 0.5)})},
            {3});
      },
      [](double base, int t) {
        if (t < 3) return base / 10;
        return base * (0.5 + 0.5 * std::min(t - 3, 4) / 4) * std::pow(0.5, (t - 3) / 10);
      });
}

TEST_CASE("a resumed optimizer knows the base of schedules made later", "[optim][scheduler]") {
  const auto optimizer = [](double lr) { return optim::SGD({ones({2}).requires_grad_()}, lr); };
  optim::SGD here = optimizer(0.5), resumed = optimizer(0.25);
  const OrderedDict<std::string, Tensor> before = here.state_dict();
  optim::ExponentialLR first(here, 0.5);
  first.step();
  resumed.load_state_dict(here.state_dict());
  CHECK(resumed.param_groups()[0].initial_lr() == 0.5);
  optim::LinearLR second(here, 0.5, 1, 4), again(resumed, 0.5, 1, 4);
  CHECK(again.get_last_lr() == second.get_last_lr());
  second.restart();
  again.restart();
  CHECK(again.get_last_lr() == std::vector<double>{0.25});
  CHECK(again.get_last_lr() == second.get_last_lr());
  // A state from before the first schedule, as those of PyTorch.
  resumed.load_state_dict(before);
  CHECK(resumed.param_groups()[0].initial_lr() == 0.5);
  resumed.param_groups()[0].set_lr(0.125);
  CHECK(resumed.param_groups()[0].initial_lr() == 0.125);
}

TEST_CASE("ReduceLROnPlateau reduces when nothing has become better", "[optim][scheduler]") {
  Trained t;
  optim::ReduceLROnPlateau schedule(
      t.optimizer, {.factor = 0.5, .patience = 2, .threshold = 0.1, .cooldown = 1, .min_lr = {0.09, 0.0}});
  const double metrics[] = {1, 0.95, 0.89, 0.88, 0.87, 0.86, 0.85, 0.85, 0.85, 0.85, 0.7, std::nan(""), 0.69, 0.68};
  // Better than 0.9 of the best: 1, 0.89, 0.7. Three that are not: a reduction, and one epoch that is not counted.
  const double expected[] = {0.4, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.09};
  optim::ReduceLROnPlateau other = schedule;
  for (size_t i = 0; i < std::size(metrics); ++i) {
    INFO("step " << i);
    other.load_state_dict(copy_of(schedule.state_dict()));
    std::swap(schedule, other);  // goes on from the state alone
    schedule.step(metrics[i]);
    CHECK(t.optimizer.param_groups()[0].lr() == Approx(expected[i]));
    CHECK(schedule.get_last_lr()[0] == t.optimizer.param_groups()[0].lr());
  }
  CHECK(schedule.best() == 0.7);
  CHECK(t.optimizer.param_groups()[1].lr() == Approx(0.03 / 8));

  Trained u;
  optim::ReduceLROnPlateau upwards(u.optimizer,
                                   {.mode = "max", .patience = 0, .threshold = 0.5, .threshold_mode = "abs"});
  for (const double metric : {-3., -2.6, -2.4, -1.95, -1.92}) upwards.step(tensor(metric, kFloat64));
  CHECK(upwards.best() == -2.4);  // 0.6 above -3; the others are no more than 0.5 above the best
  CHECK(u.optimizer.param_groups()[0].lr() == Approx(0.4e-3));
}

TEST_CASE("a schedule between the runs of a program moves its lr", "[optim][scheduler][capture]") {
  const auto train = [](bool captured) {
    Trained t;
    const auto step = [&] {
      t.optimizer.zero_grad();
      ((t.a * 2).square().sum() + t.b.square().sum()).backward();
      t.optimizer.step();
    };
    optim::SequentialLR schedule(t.optimizer, {optim::LinearLR(t.optimizer, 0.1, 1, 3), optim::StepLR(t.optimizer, 2)},
                                 {4});
    std::optional<Program> program;
    if (captured) program = capture(step);
    else step(), step();
    for (int i = 0; i < 8; ++i) {
      if (captured) (*program)();
      else step();
      schedule.step();
    }
    return cat({t.a.detach(), t.b.detach()});
  };
  CHECK(equal(train(true), train(false)));

  Trained t;
  optim::StepLR schedule(t.optimizer, 2);
  CHECK_THAT(message_of<AutogradError>([&] {
               capture([&] {
                 schedule.step();
                 return t.a * 2;
               });
             }),
             Contains("a schedule sets lr on the host"));
  CHECK(schedule.last_epoch() <= 1);
}

TEST_CASE("schedules refuse options outside their range, and states of others", "[optim][scheduler]") {
  Trained t, other;
  auto& o = t.optimizer;
  const auto text = [](auto&& f) { return message_of<ValueError>(f); };
  CHECK_THAT(text([&] { optim::StepLR(o, 0); }), Contains("StepLR: step_size must be positive, got 0"));
  CHECK_THAT(text([&] { optim::ConstantLR(o, 1.5); }), Contains("ConstantLR: factor must lie in (0, 1], got 1.5"));
  CHECK_THAT(text([&] { optim::LinearLR(o, 0); }), Contains("LinearLR: start_factor must lie in (0, 1], got 0"));
  CHECK_THAT(text([&] { optim::LinearLR(o, 1, 2); }), Contains("LinearLR: end_factor must lie in [0, 1], got 2"));
  CHECK_THAT(text([&] { optim::CosineAnnealingLR(o, 0); }), Contains("CosineAnnealingLR: T_max must be positive"));
  CHECK_THAT(text([&] { optim::CosineAnnealingWarmRestarts(o, 3, 0); }), Contains("T_mult must be positive, got 0"));
  CHECK_THAT(text([&] { optim::LambdaLR(o, std::vector<optim::LambdaLR::Factor>(3)); }),
             Contains("LambdaLR: lr_lambda must be one function or one for each group, got 3 for 2 groups"));
  CHECK_THAT(text([&] { optim::OneCycleLR(o, 1, {}); }),
             Contains("OneCycleLR: total_steps must be given, or epochs and steps_per_epoch, got neither"));
  CHECK_THAT(text([&] {
               optim::OneCycleLR(o, {1., 2., 3.}, {.total_steps = 5});
             }),
             Contains("OneCycleLR: max_lr must be one number or one for each group, got 3 for 2 groups"));
  CHECK_THAT(text([&] { optim::OneCycleLR(o, 1, {.total_steps = 5, .anneal_strategy = "sine"}); }),
             Contains("OneCycleLR: anneal_strategy must be \"cos\" or \"linear\", got \"sine\""));
  optim::Adagrad adagrad({leaf(ones({2}))}, 0.1);
  CHECK_THAT(text([&] { optim::OneCycleLR(adagrad, 1, {.total_steps = 5}); }),
             Contains("OneCycleLR: cycle_momentum needs an optimizer with momentum or betas"));
  CHECK_THAT(text([&] { optim::ReduceLROnPlateau(o, {.factor = 1}); }),
             Contains("ReduceLROnPlateau: factor must be below 1, got 1"));
  CHECK_THAT(text([&] { optim::ReduceLROnPlateau(o, {.mode = "least"}); }),
             Contains("ReduceLROnPlateau: mode must be \"min\" or \"max\", got \"least\""));
  CHECK_THAT(text([&] {
               optim::SequentialLR(o, {optim::StepLR(o, 2), optim::StepLR(o, 3)}, {4, 5});
             }),
             Contains("SequentialLR: there must be one milestone less than schedules, got 2 and 2"));
  CHECK_THAT(text([&] {
               optim::SequentialLR(o, {optim::StepLR(o, 2), optim::StepLR(other.optimizer, 3)}, {4});
             }),
             Contains("SequentialLR: all schedules must be of the given optimizer, got schedule 1 of another"));
  CHECK_THAT(text([&] { optim::ChainedScheduler(optim::SchedulerList()); }),
             Contains("ChainedScheduler: there must be a schedule, got none"));

  CHECK_THAT(text([&] {
               optim::SequentialLR(o, {optim::StepLR(o, 2), optim::StepLR(o, 3)}, {0});
             }),
             Contains("SequentialLR: milestones must rise, from above 0, got 0 after 0"));
  CHECK_THAT(
      text([&] { optim::OneCycleLR(o, 1, {.epochs = -2, .steps_per_epoch = -5}); }),
      Contains("OneCycleLR: epochs and steps_per_epoch must be positive, their product below 2^63, got -2 and -5"));

  // Numbers that a step would divide by, or find a schedule with.
  optim::SequentialLR sequence(o, {optim::StepLR(o, 2), optim::CosineAnnealingLR(o, 3)}, {4});
  auto damaged = copy_of(sequence.state_dict());
  damaged["last_epoch"] = full({}, 1.5, kFloat64);
  damaged["_milestones"] = tensor({1, 2, 3});
  damaged["_schedulers.0.step_size"] = zeros({}, kInt64);
  damaged["_schedulers.1.T_max"] = full({}, -3, kInt64);
  CHECK_THAT(
      text([&] { sequence.load_state_dict(damaged); }),
      Contains("what differs: last_epoch is one whole number here and float64 [] there, _milestones is 1 numbers "
               "here and int64 [3] there, _schedulers.0.step_size must be from 1 to 2^53 and is 0 there, "
               "_schedulers.1.T_max must be from 1 to 2^53 and is -3 there"));
  CHECK(sequence.last_epoch() == 0);

  optim::StepLR step(o, 2);
  step.step();
  auto dict = copy_of(step.state_dict());
  dict.erase("gamma");
  dict.append("T_max", zeros({}, kInt64));
  dict["base_lrs"] = zeros({3}, kFloat64);
  dict["last_epoch"] = full({}, 7, kInt64);
  CHECK_THAT(
      text([&] { step.load_state_dict(dict); }),
      Contains("load_state_dict: the dict must fit this StepLR, got missing keys: gamma; unexpected keys: T_max; "
               "what differs: base_lrs is 2 numbers here and float64 [3] there"));
  CHECK(step.last_epoch() == 1);
}

// The rows of bench_peers for tapegrad: what it spells otherwise than libtorch, then the rows.
#pragma once

#include <memory>

#include "tapegrad/tapegrad.h"

namespace lib = tapegrad;

namespace bench {
namespace {

struct Mlp : tapegrad::nn::Module {
  tapegrad::nn::Linear fc1 = register_module("fc1", tapegrad::nn::Linear(784, 300));
  tapegrad::nn::Linear fc2 = register_module("fc2", tapegrad::nn::Linear(300, 100));
  tapegrad::nn::Linear fc3 = register_module("fc3", tapegrad::nn::Linear(100, 10));
  tapegrad::Tensor forward(const tapegrad::Tensor& x) { return fc3(tapegrad::relu(fc2(tapegrad::relu(fc1(x))))); }
};

std::shared_ptr<tapegrad::optim::SGD> make_sgd(std::vector<tapegrad::Tensor> params, double lr) {
  return std::make_shared<tapegrad::optim::SGD>(std::move(params), tapegrad::optim::SGDOptions{.lr = lr});
}

std::shared_ptr<tapegrad::optim::Adam> make_adam(std::vector<tapegrad::Tensor> params, double lr) {
  return std::make_shared<tapegrad::optim::Adam>(std::move(params), tapegrad::optim::AdamOptions{.lr = lr});
}

using Bfloat16Products = tapegrad::AutocastGuard;

void drop_gradients(tapegrad::optim::Optimizer& optimizer) { optimizer.zero_grad(); }

[[maybe_unused]] void set_lr(tapegrad::optim::Adam& adam, double lr) {
  for (auto& group : adam.param_groups()) group.set_lr(lr);
}

}  // namespace
}  // namespace bench

#include "peer_rows.h"

namespace bench {
namespace {

// The work as the column `replay` does it. A capture runs the step twice, so the first call waits for the second; from the third
// on the program runs.
[[maybe_unused]] Work replayed(const Work& work) {
  struct Replay {
    int calls = 0;
    tapegrad::Program program{nullptr};
  };
  const auto replay = std::make_shared<Replay>();
  return {[=] {
            if (++replay->calls > 2) replay->program();
            else if (replay->calls == 2) replay->program = tapegrad::capture(work.step);
          },
          work.value};
}

}  // namespace
}  // namespace bench

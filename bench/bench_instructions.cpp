// Small calls whose instructions scripts/instructions counts under callgrind: noise cannot spoil that figure. Each row is warmed up,
// then run kCalls times inside measured(), which is the function that callgrind collects in, one dump per call of it:
//   bench_instructions        runs every row, in the order that `bench_instructions --rows` prints
#include <cstdio>
#include <cstring>

#include "peer_tapegrad.h"

namespace {

using namespace bench;
using lib::Tensor;

constexpr int kCalls = 100;

struct Call {
  const char* name;
  std::function<void()> step;
};

}  // namespace

// With C linkage, so that callgrind finds it by one name under every compiler.
extern "C" [[gnu::noinline]] void measured(const std::function<void()>* step) {
  for (int i = 0; i < kCalls; ++i) (*step)();
  asm volatile("");  // keeps the call a call
}

namespace {

// A step with the clip inside, over as many parameters as a deep network has.
std::function<void()> adam_of_100() {
  std::vector<Tensor> params;
  for (int i = 0; i < 100; ++i) {
    params.push_back(lib::ones({20}, lib::requires_grad()));
    params.back().mutable_grad() = lib::ones({20});
  }
  const auto adam = std::make_shared<lib::optim::Adam>(params);
  adam->set_max_grad_norm(1);
  return [adam] { adam->step(); };
}

std::vector<Call> calls() {
  const Tensor x = lib::ones({1}, lib::requires_grad()), c = lib::ones({1}), sum = lib::zeros({1});
  const Tensor matrix = lib::ones({4, 3}), w = lib::ones({4, 3}, lib::requires_grad());
  const Tensor b = lib::ones({4}, lib::requires_grad()), dy = lib::ones({4, 4});
  const auto step = tutorial<double>().step;
  lib::nn::Sequential layers(lib::nn::Linear(3, 4), lib::nn::Tanh());
  const lib::Program replay = lib::capture(tutorial<double>().step);
  return {
      {"multiply",
       [=] {
         (x * c).backward();
         drop_gradient(x);
       }},
      {"chain_of_100", multiply(100, false).step},
      {"view", [=] { matrix.view({12}); }},
      {"add_in_place", [=] { sum.add_(c); }},
      {"linear",
       [=] {
         lib::linear(matrix, w, b).backward(dy);
         drop_gradient(w);
         drop_gradient(b);
       }},
      {"linear_tanh",
       [=]() mutable {
         layers(matrix).backward(dy);
         layers.zero_grad();
       }},
      {"adam_of_100", adam_of_100()},
      {"tutorial_step", step},
      {"tutorial_replay", [=] { replay(); }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  const bool list = argc == 2 && std::strcmp(argv[1], "--rows") == 0;
  tapegrad::set_num_threads(1);
  for (const Call& call : calls()) {
    if (list) {
      std::printf("%s %d\n", call.name, kCalls);
      continue;
    }
    for (int i = 0; i < 5; ++i) call.step();
    measured(&call.step);
  }
  return 0;
}

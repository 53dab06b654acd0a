// A training loop whose shapes repeat asks the system for no memory: neither our allocator nor operator new.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "tapegrad/tapegrad.h"

namespace {
std::atomic<long> news{0};
}

// Not inlined: g++ would see free() beside the new of a class and warn of a mismatch.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++news;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

using namespace tapegrad;

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(20, 30));
  nn::Linear fc2 = register_module("fc2", nn::Linear(30, 10));
  Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
};

int main() {
  manual_seed(1);
  Net net;
  optim::SGD optimizer(net.parameters(), {.lr = 0.01, .momentum = 0.9});
  const Tensor x = randn({16, 20}), target = randint(10, {16});
  long news_before = 0, system_before = 0;
  constexpr int kWarmUp = 5, kSteps = 100;
  for (int step = 0; step < kWarmUp + kSteps; ++step) {
    if (step == kWarmUp) {
      news_before = news;
      system_before = static_cast<long>(allocator_stats().system_allocations);
    }
    optimizer.zero_grad();
    cross_entropy(net.forward(x), target).backward();
    optimizer.step();
  }
  const long asked = news - news_before;
  const long system = static_cast<long>(allocator_stats().system_allocations) - system_before;
  std::printf("%d steps: %ld calls of operator new, %ld blocks from the system\n", kSteps, asked, system);
  return asked == 0 && system == 0 ? 0 : 1;
}

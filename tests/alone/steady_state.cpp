// A training loop whose shapes repeat asks the system for no memory: neither our allocator nor malloc, oneDNN's calls of it included.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "tapegrad/tapegrad.h"

namespace {
std::atomic<long> calls{0};
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
// Not inlined: g++ would see free() beside the new of a class and warn of a mismatch.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++calls;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
#else
// glibc's own entry points, exported for exactly this; operator new comes here too.
extern "C" {
void* libc_malloc(size_t bytes) __asm__("__libc_malloc");
void* libc_memalign(size_t alignment, size_t bytes) __asm__("__libc_memalign");
void* malloc(size_t bytes) noexcept {
  ++calls;
  return libc_malloc(bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  ++calls;
  return libc_memalign(alignment, bytes);
}
int posix_memalign(void** block, size_t alignment, size_t bytes) noexcept {
  ++calls;
  *block = libc_memalign(alignment, bytes);
  return *block ? 0 : 12;  // ENOMEM
}
}
#endif

using namespace tapegrad;

namespace {

struct Net : nn::Module {
  nn::Linear fc1, fc2;
  Net(int64_t in, int64_t hidden)
      : fc1(register_module("fc1", nn::Linear(in, hidden))), fc2(register_module("fc2", nn::Linear(hidden, 10))) {}
  Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
};

bool asks_nothing(const char* what, int64_t batch, int64_t in, int64_t hidden, bool low, int steps) {
  manual_seed(1);
  Net net(in, hidden);
  optim::SGD optimizer(net.parameters(), {.lr = 0.01, .momentum = 0.9});
  const Tensor x = randn({batch, in}), target = randint(10, {batch});
  long calls_before = 0, system_before = 0;
  constexpr int kWarmUp = 5;
  for (int step = 0; step < kWarmUp + steps; ++step) {
    if (step == kWarmUp) {
      calls_before = calls;
      system_before = static_cast<long>(allocator_stats().system_allocations);
    }
    optimizer.zero_grad();
    Tensor loss;
    {
      const AutocastGuard guard(low);
      loss = cross_entropy(net.forward(x), target);
    }
    loss.backward();
    optimizer.step();
  }
  const long asked = calls - calls_before;
  const long system = static_cast<long>(allocator_stats().system_allocations) - system_before;
  std::printf("%s, %d steps: %ld calls of malloc, %ld blocks from the system\n", what, steps, asked, system);
  return asked == 0 && system == 0;
}

}  // namespace

int main() {
  // Where there is AMX, products of bfloat16 are oneDNN's, which calls malloc.
  setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", 1);
  set_num_threads(1);  // a helper's first piece may come late, and with it memory of its own
  const bool small = asks_nothing("small", 16, 20, 30, false, 100);
  const bool low = asks_nothing("bfloat16", 64, 784, 300, true, 20);
  const bool vast = asks_nothing("vast", 32, 2048, 2048, false, 5);
  return small && low && vast ? 0 : 1;
}

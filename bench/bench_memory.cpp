// What memory costs: a result in memory fresh from the system and in memory kept, blocks whose sizes vary, and threads that allocate, some
// of it freed by others. `reserved_mib` and `most_used_mib` are what the library holds afterwards and what was in use at most;
// system_calls is how often an iteration asked the system for memory.
#include <benchmark/benchmark.h>

#include <atomic>
#include <random>
#include <thread>

#include "google_rows.h"
#include "tapegrad/tapegrad.h"

namespace {

using namespace tapegrad;
using benchmark::Counter;
using benchmark::State;

// From its making to its report.
class Memory {
 public:
  Memory() {
    empty_cache();
    reset_peak_bytes();
    before_ = allocator_stats();
  }
  void warm() { before_.system_allocations = allocator_stats().system_allocations; }
  void report(State& state) const {
    const AllocatorStats now = allocator_stats();
    state.counters["system_calls"] =
        Counter(static_cast<double>(now.system_allocations - before_.system_allocations), Counter::kAvgIterations);
    state.counters["reserved_mib"] = static_cast<double>(now.reserved_bytes) / (1 << 20);
    state.counters["most_used_mib"] = static_cast<double>(now.peak_bytes) / (1 << 20);
  }

 private:
  AllocatorStats before_;
};

void add_8m(State& state, bool fresh) {
  const Tensor a = ones({8 << 20}), b = ones({8 << 20});
  a + b;
  Memory memory;
  if (!fresh) a + b, memory.warm();
  for (auto _ : state) {
    a + b;
    if (!fresh) continue;
    state.PauseTiming();
    empty_cache();
    state.ResumeTiming();
  }
  memory.report(state);
}
BENCHMARK_CAPTURE(add_8m, fresh, true)->UseRealTime();
BENCHMARK_CAPTURE(add_8m, kept, false)->UseRealTime();

struct Piece {
  void* data;
  size_t bytes;
};

// Thirty blocks of 40 KiB to 40 MiB at a time, as a step on data of varying length has them; their first bytes are written.
void varying_sizes(State& state) {
  std::mt19937 random(1);
  Memory memory;
  std::vector<Piece> pieces(30);
  for (auto _ : state) {
    const double length = std::exp2(static_cast<double>(random() % 1000) / 100);  // 1 to 1024
    for (size_t i = 0; i < pieces.size(); ++i) {
      const auto bytes = static_cast<size_t>(40960 * length * (1 + static_cast<double>(i % 7) / 7));
      pieces[i] = {allocate(bytes), bytes};
      *static_cast<volatile char*>(pieces[i].data) = 1;
    }
    for (const Piece& piece : pieces) deallocate(piece.data, piece.bytes);
  }
  memory.report(state);
}
BENCHMARK(varying_sizes)->Iterations(3000);

// A block of 64 KiB allocated and freed, by every thread.
void large_blocks_by_threads(State& state) {
  for (auto _ : state) {
    for (int i = 0; i < 100; ++i) deallocate(allocate(65536), 65536);
  }
}
BENCHMARK(large_blocks_by_threads)->ThreadRange(1, 2)->UseRealTime();

// 8000 blocks of 500 bytes by this thread, freed by another, and so on.
void freed_elsewhere(State& state) {
  std::vector<void*> blocks(8000);
  std::atomic<int> turn{0};
  std::thread other([&] {
    deallocate(allocate(500), 500);  // a thread that has lists of its own
    for (;;) {
      int now;
      while ((now = turn.load()) == 0) std::this_thread::yield();
      if (now < 0) return;
      for (void* block : blocks) deallocate(block, 500);
      turn.store(0);
    }
  });
  Memory memory;
  for (auto _ : state) {
    for (void*& block : blocks) block = allocate(500);
    turn.store(1);
    while (turn.load() != 0) std::this_thread::yield();
  }
  memory.report(state);
  turn.store(-1);
  other.join();
}
BENCHMARK(freed_elsewhere)->UseRealTime()->Iterations(300);

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(1);
  return bench::run_google("memory", argc, argv);
}

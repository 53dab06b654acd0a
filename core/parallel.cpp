// How many threads there are, whose they are, and parallel_for's pieces.
#include "tapegrad/core/parallel.h"

#include <omp.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "tapegrad/core/error.h"
#include "tapegrad/core/workers.h"

namespace tapegrad {
namespace {

std::atomic<int> chosen_threads{0};  // 0: not chosen yet
std::atomic<bool> deterministic{false};
constinit thread_local bool alone = false;

// The threads of the program that share work out, and when each did last. A thread that finds no place works alone.
constexpr int kPlaces = 64;
constexpr int64_t kLately = 20'000'000;  // ns
struct alignas(64) Place {
  std::atomic<bool> taken{false};
  std::atomic<int64_t> last{0};
};
Place places[kPlaces];
std::atomic<int> places_used{0};  // no place beyond was ever taken

struct Seat {
  Place* place = nullptr;
  Seat() {
    for (int i = 0; i < kPlaces; ++i) {
      if (places[i].taken.exchange(true)) continue;
      place = &places[i];
      int used = places_used.load();
      while (used <= i && !places_used.compare_exchange_weak(used, i + 1)) {}
      return;
    }
  }
  ~Seat() {
    if (!place) return;
    place->last.store(0);
    place->taken.store(false);
  }
};

// To within a few milliseconds, for a few nanoseconds.
int64_t coarse_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return int64_t{1'000'000'000} * t.tv_sec + t.tv_nsec;
}

}  // namespace

void set_num_threads(int threads) {
  if (threads < 1) throw ValueError("set_num_threads: at least 1 thread is needed, got " + std::to_string(threads));
  chosen_threads.store(threads, std::memory_order_relaxed);
}

int get_num_threads() {
  if (alone) return 1;
  const int threads = chosen_threads.load(std::memory_order_relaxed);
  return threads ? threads : omp_get_max_threads();
}

SingleThreadGuard::SingleThreadGuard() : previous_(std::exchange(alone, true)) {}
SingleThreadGuard::~SingleThreadGuard() { alone = previous_; }

void use_deterministic_algorithms(bool mode) { deterministic.store(mode, std::memory_order_relaxed); }
bool are_deterministic_algorithms_enabled() { return deterministic.load(std::memory_order_relaxed); }

namespace detail {

int share_of_threads() {
  const int threads = get_num_threads();
  if (threads == 1) return 1;
  thread_local const Seat seat;
  if (!seat.place) return 1;
  const int64_t now = coarse_now();
  seat.place->last.store(now, std::memory_order_relaxed);
  int callers = 0;
  for (int i = 0, used = places_used.load(std::memory_order_acquire); i < used; ++i)
    callers += now - places[i].last.load(std::memory_order_relaxed) < kLately;
  return std::max(1, threads / std::max(callers, 1));
}

bool worth_threads(int64_t count, int64_t grain) { return count > grain && get_num_threads() > 1 && !on_a_piece(); }

void parallel_ranges(int64_t begin, int64_t end, int64_t grain, RangeFn fn, void* context) {
  // One for each thread, the same each time, so that what a thread has written it finds in its cache later.
  const int threads = share_of_threads();
  struct Pieces {
    int64_t begin, count, pieces;
    RangeFn fn;
    void* context;
  } all{begin, end - begin, 0, fn, context};
  all.pieces = std::min<int64_t>(threads, (all.count + grain - 1) / std::max<int64_t>(grain, 1));
  if (threads == 1 || all.pieces <= 1) return fn(context, begin, end);
  const auto run = [](void* of, int64_t i) {
    const Pieces& p = *static_cast<Pieces*>(of);
    const int64_t first = p.begin + p.count * i / p.pieces, last = p.begin + p.count * (i + 1) / p.pieces;
    if (first < last) p.fn(p.context, first, last);
  };
  share_out(all.pieces, static_cast<int>(all.pieces) - 1, run, &all);
}

}  // namespace detail
}  // namespace tapegrad

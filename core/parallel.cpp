// parallel_for on OpenMP's pool, the one oneDNN uses too.
#include "tapegrad/core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <utility>

#include "tapegrad/core/error.h"

namespace tapegrad {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kOneThread = true;  // libgomp is not instrumented: its barriers look like races
#else
constexpr bool kOneThread = false;
#endif

std::atomic<int> chosen_threads{0};  // 0: not chosen yet
constinit thread_local bool alone = false;

}  // namespace

void set_num_threads(int threads) {
  if (threads < 1) throw ValueError("set_num_threads: at least 1 thread is needed, got " + std::to_string(threads));
  chosen_threads.store(threads, std::memory_order_relaxed);
}

int get_num_threads() {
  if (kOneThread || alone) return 1;
  const int threads = chosen_threads.load(std::memory_order_relaxed);
  return threads ? threads : omp_get_max_threads();
}

SingleThreadGuard::SingleThreadGuard() : previous_(std::exchange(alone, true)) {}
SingleThreadGuard::~SingleThreadGuard() { alone = previous_; }

namespace detail {

bool worth_threads(int64_t count, int64_t grain) {
  return count > grain && get_num_threads() > 1 && !omp_in_parallel();
}

void parallel_ranges(int64_t begin, int64_t end, int64_t grain, RangeFn fn, void* context) {
  const int64_t count = end - begin;
  const int64_t pieces = std::min<int64_t>(get_num_threads(), (count + grain - 1) / std::max<int64_t>(grain, 1));
  std::exception_ptr error;
  std::mutex error_mutex;
#pragma omp parallel for num_threads(static_cast <int>(pieces)) schedule(static, 1)
  for (int64_t i = 0; i < pieces; ++i) {
    try {
      const int64_t first = begin + count * i / pieces;
      const int64_t last = begin + count * (i + 1) / pieces;
      if (first < last) fn(context, first, last);
    } catch (...) {
      std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace tapegrad

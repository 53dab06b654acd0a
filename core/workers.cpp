// A job stands in a slot while it has pieces left; callers take pieces from the front, helpers from the back.
#include "tapegrad/core/workers.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace tapegrad::detail {
namespace {

constexpr int kSlots = 16;                        // callers at once; one more works alone
constexpr std::chrono::microseconds kAwake{100};  // a helper looks for the next job so long before it sleeps

thread_local bool working = false;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

struct Job {
  PieceFn run;
  void* context;
  int helpers;
  std::atomic<uint64_t> left;  // first piece not taken, and in the upper half the end of those
  std::atomic<int> joined{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;

  // The next piece from the front or from the back; -1: none is left.
  int64_t take(bool front) {
    uint64_t now = left.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t first = now & 0xffffffff, end = now >> 32;
      if (first >= end) return -1;
      const uint64_t then = front ? now + 1 : now - (uint64_t{1} << 32);
      if (left.compare_exchange_weak(now, then)) return static_cast<int64_t>(front ? first : end - 1);
    }
  }

  void work(bool front) {
    working = true;
    for (int64_t i = take(front); i >= 0; i = take(front)) {
      try {
        run(context, i);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
        left.store(0);  // the rest is not begun
      }
    }
    working = false;
  }
};

struct alignas(64) Slot {
  std::atomic<bool> taken{false};  // by a caller, from before its job stands here until nobody looks at it any more
  std::atomic<Job*> job{nullptr};
  std::atomic<int> inside{0};  // helpers that may be looking at the job
};

struct Pool {
  Slot slots[kSlots];
  std::atomic<int> posted{0};  // counts jobs, so that a helper sees there is a new one
  std::atomic<int> asleep{0};
  std::mutex starting;
  std::atomic<int> started{0};
  Pool* before = nullptr;  // the parent's
};

// Never destroyed: helpers sleep in it until the process ends. A forked child has no helpers, so it starts over.
std::atomic<Pool*> current{nullptr};

Pool& pool() {
  static const bool ready = [] {
    current.store(new Pool);
    pthread_atfork(nullptr, nullptr, [] {
      auto* fresh = new Pool;
      fresh->before = current.exchange(fresh);
    });
    return true;
  }();
  (void)ready;
  return *current.load(std::memory_order_relaxed);
}
const bool at_load = (pool(), true);  // see core/forks.h

// The count of a slot goes up before its job is read, and the caller takes the job away before it reads the count: one of them
// sees the other.
bool help(Pool& p) {
  bool worked = false;
  for (Slot& slot : p.slots) {
    if (!slot.job.load(std::memory_order_relaxed)) continue;
    slot.inside.fetch_add(1);
    Job* job = slot.job.load();
    if (job && job->joined.load(std::memory_order_relaxed) < job->helpers && job->joined.fetch_add(1) < job->helpers) {
      job->work(false);
      worked = true;
    }
    slot.inside.fetch_sub(1);
  }
  return worked;
}

// False when nothing was posted for a while.
bool wait_awake(const Pool& p, int seen) {
  const auto end = std::chrono::steady_clock::now() + kAwake;
  do {
    for (int i = 0; i < 64; ++i) {
      if (p.posted.load(std::memory_order_relaxed) != seen) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

[[noreturn]] void live(Pool& p) {
  omp_set_num_threads(1);  // what oneDNN goes by
  for (;;) {
    const int seen = p.posted.load();
    if (help(p) || wait_awake(p, seen)) continue;
    p.asleep.fetch_add(1);
    p.posted.wait(seen);
    p.asleep.fetch_sub(1);
  }
}

// Starts what is missing; fewer than asked for where the system refuses.
void start(Pool& p, int helpers) {
  if (p.started.load(std::memory_order_relaxed) >= helpers) return;
  const std::lock_guard lock(p.starting);
  while (p.started.load() < helpers) {
    try {
      std::thread([&p] { live(p); }).detach();
    } catch (const std::system_error&) { return; }
    p.started.fetch_add(1);
  }
}

Slot* free_slot(Pool& p) {
  for (Slot& slot : p.slots) {
    if (!slot.taken.load(std::memory_order_relaxed) && !slot.taken.exchange(true)) return &slot;
  }
  return nullptr;
}

// Until no helper is on a piece any more. Soon over, unless one has lost its core: then it may have this one.
void wait_for_helpers(const Slot& slot) {
  for (int i = 0; slot.inside.load() != 0; ++i) {
    if (i < 2000) pause();
    else std::this_thread::yield();
  }
}

}  // namespace

bool on_a_piece() { return working; }

void share_out(int64_t pieces, int helpers, PieceFn run, void* context) {
  Pool& p = pool();
  start(p, helpers);
  Job job{run, context, helpers, static_cast<uint64_t>(pieces) << 32, {}, {}, {}};
  Slot* slot = free_slot(p);
  if (slot) {
    slot->job.store(&job);
    p.posted.fetch_add(1);
    for (int i = std::min(p.asleep.load(), helpers); i > 0; --i) p.posted.notify_one();
  }
  job.work(true);
  if (slot) {
    slot->job.store(nullptr);
    wait_for_helpers(*slot);
    slot->taken.store(false);
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace tapegrad::detail

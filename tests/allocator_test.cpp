// The caching allocator: its classes, its bounds, what it gives back, and that a steady loop asks the system for nothing.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "catch.h"
#include "message.h"
#include "tapegrad/core/large_blocks.h"
#include "tapegrad/core/pool.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

int64_t reserved() { return allocator_stats().reserved_bytes; }
int64_t cached() { return allocator_stats().cached_bytes; }
int64_t asked() { return allocator_stats().system_allocations; }

// Blocks as a step has them: all at once, then none.
void hold(const std::vector<int64_t>& sizes) {
  std::vector<void*> blocks;
  for (const int64_t bytes : sizes) blocks.push_back(allocate(static_cast<size_t>(bytes)));
  for (size_t i = 0; i < sizes.size(); ++i) deallocate(blocks[i], static_cast<size_t>(sizes[i]));
}

struct CacheLimit {
  explicit CacheLimit(int64_t bytes) : before(set_cache_limit(bytes)) {}
  ~CacheLimit() { set_cache_limit(before); }
  std::optional<int64_t> before;
};

[[maybe_unused]] int64_t resident() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("allocator: classes grow by an eighth above 32 KiB, by a quarter below, and every size fits its own") {
  using namespace pool;
  for (int c = 0; c < kSmallClasses; ++c) {
    const size_t bytes = class_bytes(c), before = c ? class_bytes(c - 1) : 0;
    CHECK(bytes % 64 == 0);
    CHECK(class_of(bytes) == c);
    CHECK(class_of(before + 1) == c);
    CHECK(bytes - before <= std::max<size_t>(64, before / 4));
  }
  CHECK(class_bytes(kSmallClasses - 1) == kSmallLimit);
  for (int c = 0; c < kLargeClasses; ++c) {
    const size_t bytes = large_class_bytes(c) - kLargeHeader;
    CHECK(large_class_bytes(c) % 4096 == 0);
    CHECK(large_class_of(bytes) == c);
    CHECK(large_class_of(bytes + 1) == c + 1);
    const size_t before = c ? large_class_bytes(c - 1) - kLargeHeader : kSmallLimit;
    CHECK(bytes - before <= before / 8);
  }
  // A power of two of elements, with what stands before them, does not fall into the next class.
  for (size_t bytes = size_t{1} << 16; bytes < size_t{1} << 40; bytes *= 2)
    CHECK(large_class_bytes(large_class_of(bytes + kStorageHeader)) == bytes + 4096);
}

TEST_CASE("allocator: blocks of all sizes are aligned, apart from each other, and keep what is written") {
  std::mt19937 random(3);
  struct Piece {
    unsigned char* data;
    size_t bytes;
    unsigned char mark;
  };
  std::vector<Piece> pieces;
  const auto intact = [](const Piece& p) {
    return std::all_of(p.data, p.data + p.bytes, [&](unsigned char byte) { return byte == p.mark; });
  };
  for (int i = 0; i < 3000; ++i) {
    if (pieces.size() > 40 || (!pieces.empty() && random() % 3 == 0)) {
      std::swap(pieces[random() % pieces.size()], pieces.back());
      REQUIRE(intact(pieces.back()));
      deallocate(pieces.back().data, pieces.back().bytes);
      pieces.pop_back();
      if (i % 50 == 0) trim_cache(static_cast<int64_t>(random() % 4) * kMiB);
      continue;
    }
    const size_t bytes = 1 + random() % (size_t{1} << (random() % 23));
    auto* const data = static_cast<unsigned char*>(allocate(bytes));
    REQUIRE(reinterpret_cast<uintptr_t>(data) % 64 == 0);
    pieces.push_back({data, bytes, static_cast<unsigned char>(i)});
    std::memset(data, pieces.back().mark, bytes);
  }
  for (const Piece& p : pieces) {
    REQUIRE(intact(p));
    deallocate(p.data, p.bytes);
  }
}

#ifndef TAPEGRAD_ASAN  // under which all blocks are malloc's
TEST_CASE("allocator: a large block starts where a huge page can") {
  empty_cache();
  for (const size_t mib : {2, 3, 33}) {
    const size_t bytes = mib << 20;
    void* const block = allocate(bytes);
    CHECK((reinterpret_cast<uintptr_t>(block) - pool::kLargeHeader) % pool::kHugePage == 0);
    deallocate(block, bytes);
  }
}
#endif

TEST_CASE("allocator: two batch sizes in turns ask the system for nothing, even with no size in common") {
  empty_cache();
  // Together far above the 256 MiB that are kept in any case.
  const std::vector<int64_t> large(40, 20 * kMiB), small(40, 8 * kMiB);
  hold(small);
  hold(large);
  const int64_t before = asked();
  for (int i = 0; i < 20; ++i) hold(i % 2 ? large : small);
  CHECK(asked() == before);
  empty_cache();
}

TEST_CASE("allocator: a training loop over two batch sizes asks the system for nothing") {
  const SingleThreadGuard alone;  // a helper asks when it first joins in, which may be in any step
  manual_seed(1);
  nn::Sequential net(nn::Linear(256, 512), nn::ReLU(), nn::Linear(512, 10));
  optim::Adam adam(net.parameters());
  const Tensor x = randn({300, 256}), labels = randint(10, {300});
  const auto step = [&](int64_t batch) {
    adam.zero_grad();
    cross_entropy(net(x.slice(0, 0, batch)), labels.slice(0, 0, batch)).backward();
    adam.step();
  };
  for (int i = 0; i < 3; ++i) step(300), step(100);
  const int64_t before = asked();
  for (int i = 0; i < 10; ++i) step(i % 2 ? 300 : 100);
  CHECK(asked() == before);
}

TEST_CASE("allocator: growing sizes are not kept without bound") {
  empty_cache();
  const int64_t others = reserved();
  int64_t sum = 0, largest = 0;
  for (int64_t bytes = 16 * kMiB; bytes < 1024 * kMiB; bytes += bytes / 7) {
    hold({bytes});
    sum += bytes;
    largest = bytes;
    CHECK(reserved() - others <= std::max(256 * kMiB, 2 * largest + largest / 4) + largest / 8);
  }
  CHECK(sum > 4 * largest);  // else nothing was shown
  empty_cache();
  CHECK(reserved() - others < kMiB);
}

TEST_CASE("allocator: one that is freed serves a request for as little as half of it") {
  empty_cache();
  hold({20 * kMiB});
  int64_t before = asked();
  void* const half = allocate(11 * kMiB);
  CHECK(asked() == before);
  void* const next = allocate(11 * kMiB);  // it is in use now
  CHECK(asked() == before + 1);
  deallocate(half, 11 * kMiB);
  deallocate(next, 11 * kMiB);
  // Its class is its own still: both sizes are there.
  before = asked();
  hold({11 * kMiB, 20 * kMiB});
  CHECK(asked() == before);
  hold({9 * kMiB});
  CHECK(asked() == before);
  hold({4 * kMiB});
  CHECK(asked() == before + 1);
  empty_cache();
}

TEST_CASE("allocator: the cache limit holds, and the least recently freed go first") {
  empty_cache();
  const CacheLimit limit(39 * kMiB);
  const int64_t others = cached();
  const auto now = [&] { return cached() - others; };
  // Sizes more than twice apart, so that none serves another.
  for (const int64_t mib : {3, 9, 26}) hold({mib * kMiB});
  CHECK(now() > 38 * kMiB);
  int64_t before = asked();
  hold({3 * kMiB});  // so that the 9 MiB are the oldest
  CHECK(asked() == before);
  hold({kMiB + 100'000});
  CHECK(asked() == before + 1);
  CHECK(now() <= 39 * kMiB);
  CHECK(now() >= 30 * kMiB);
  before = asked();
  hold({3 * kMiB});
  hold({26 * kMiB});
  CHECK(asked() == before);
  hold({9 * kMiB});
  CHECK(asked() == before + 1);
  hold({60 * kMiB});  // too large to be kept, and nothing else goes for it
  CHECK(asked() == before + 2);
  hold({9 * kMiB});
  hold({26 * kMiB});
  CHECK(asked() == before + 2);
  set_cache_limit(0);
  CHECK(now() < kMiB);
  hold({3 * kMiB});
  CHECK(now() < kMiB);
  CHECK(set_cache_limit(5) == 0);
  CHECK(message_of<ValueError>([] { set_cache_limit(-1); }) == "set_cache_limit: at least 0 bytes are needed, got -1");
}

TEST_CASE("allocator: trim gives back, and leaves what it is told to leave") {
  empty_cache();
  std::vector<int64_t> sizes(16, 8 * kMiB);
  for (int i = 0; i < 100; ++i) sizes.push_back(200'000);
  std::vector<void*> blocks;
  for (const int64_t bytes : sizes) {
    blocks.push_back(allocate(static_cast<size_t>(bytes)));
    std::memset(blocks.back(), 1, static_cast<size_t>(bytes));
  }
  const int64_t others = cached(), held = reserved(), full_use = held - others;
  [[maybe_unused]] const int64_t full = resident();
  for (size_t i = 0; i < sizes.size(); ++i) deallocate(blocks[i], static_cast<size_t>(sizes[i]));
  CHECK(reserved() == held);
  CHECK(cached() - others >= (16 * 8 + 19) * kMiB);
  trim_cache(50 * kMiB);
  CHECK(cached() <= 50 * kMiB);
  CHECK(cached() >= 40 * kMiB);
  CHECK(held - reserved() >= 90 * kMiB);
  CHECK(reserved() - cached() < full_use - (16 * 8 + 19) * kMiB);
  trim_cache(0);
  CHECK(cached() <= others);
#ifndef TAPEGRAD_ASAN  // which keeps what is freed in a quarantine
  CHECK(full - resident() > 140 * kMiB);
#endif
  CHECK(message_of<ValueError>([] { trim_cache(-1); }) == "trim_cache: at least 0 bytes are needed, got -1");
}

namespace {

// Two threads that each allocate in turn what the other frees.
class Pair {
 public:
  void allocate_here_free_there(int64_t rounds) {
    for (int64_t i = 0; i < rounds; ++i) {
      make();
      there(&Pair::drop);
    }
  }
  void allocate_there_free_here(int64_t rounds) {
    for (int64_t i = 0; i < rounds; ++i) {
      there(&Pair::make);
      drop();
    }
  }
  ~Pair() { there(nullptr); }

 private:
  using Step = void (Pair::*)();
  static constexpr size_t kBytes = 500;

  void make() {
    for (void*& block : blocks_) block = allocate(kBytes);
  }
  void drop() {
    for (void*& block : blocks_) deallocate(block, kBytes);
  }
  // Runs the step in the other thread; none ends it.
  void there(Step step) {
    step_ = step;
    turn_.store(1);
    if (!step) return thread_.join();
    while (turn_.load() != 0) std::this_thread::yield();
  }
  void serve() {
    for (;;) {
      while (turn_.load() != 1) std::this_thread::yield();
      if (!step_) return;
      (this->*step_)();
      turn_.store(0);
    }
  }

  std::vector<void*> blocks_ = std::vector<void*>(8000);
  Step step_ = nullptr;
  std::atomic<int> turn_{0};
  std::thread thread_{[this] { serve(); }};
};

}  // namespace

TEST_CASE("allocator: a thread that frees what another allocates does not keep it all") {
  empty_cache();
  Pair pair;
  const int64_t before = reserved();
  pair.allocate_here_free_there(50);  // 4 MB each
  CHECK(reserved() - before < 24 * kMiB);
  pair.allocate_there_free_here(50);
  CHECK(reserved() - before < 24 * kMiB);
  pair.allocate_here_free_there(50);
  CHECK(reserved() - before < 24 * kMiB);
}

TEST_CASE("allocator: a thread's last destructors may allocate") {
  struct Late {
    bool touched = false;
    void* kept = nullptr;
    ~Late() {
      deallocate(kept, 100);
      void* const block = allocate(100);
      std::memset(block, 1, 100);
      deallocate(block, 100);
    }
  };
  const AllocatorStats before = allocator_stats();
  std::thread([] {
    thread_local Late late;  // before the thread's lists, so it ends after them
    late.touched = true;
    late.kept = allocate(100);
  }).join();
  // Another thread may lie where the dead one's lists were.
  std::thread([] { deallocate(allocate(100), 100); }).join();
  const AllocatorStats after = allocator_stats();
  CHECK(after.allocated_bytes == before.allocated_bytes);
  CHECK(after.allocations == before.allocations + 3);
}

TEST_CASE("allocator: a thread that frees all its small blocks gets them back in the order of its list") {
  trim_cache(0);
  constexpr size_t kBlocks = 200'000, kBytes = 64;  // more than a list may always hold
  std::vector<void*> first(kBlocks), second(kBlocks);
  for (void*& block : first) block = allocate(kBytes);
  for (void* block : first) deallocate(block, kBytes);
  for (void*& block : second) block = allocate(kBytes);
  CHECK(std::equal(second.begin(), second.end(), first.rbegin()));
  for (void* block : second) deallocate(block, kBytes);
}

// The shared cache of primitives: a list in order of use and a map into it, behind one mutex.
#include "tapegrad/ops/kernels/onednn/cache.h"

#include <pthread.h>

#include <atomic>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tapegrad::kernels::onednn {
namespace {

using Entry = std::pair<Key, std::shared_ptr<const Held>>;
struct Hash {
  size_t operator()(const Key& key) const { return hash_of(key); }
};

struct Cache {
  std::mutex mutex;
  std::list<Entry> entries;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> index;
  int64_t capacity = 1024;
  int64_t misses = 0;
  std::atomic<int64_t> hits{0};
  std::atomic<uint64_t> generation{1};
  Cache* before = nullptr;  // the parent's
};

// Never destroyed, so that calls from static destructors find it alive. A forked child starts over: another thread of the parent
// may have held the lock.
std::atomic<Cache*> current{nullptr};

Cache& cache() {
  static const bool ready = [] {
    current.store(new Cache);
    pthread_atfork(nullptr, nullptr, [] {
      auto* fresh = new Cache;
      fresh->before = current.exchange(fresh);
    });
    return true;
  }();
  (void)ready;
  return *current.load(std::memory_order_relaxed);
}

void trim(Cache& c) {
  while (static_cast<int64_t>(c.entries.size()) > c.capacity) {
    c.index.erase(c.entries.back().first);
    c.entries.pop_back();
  }
}

using Type = dnnl::memory::data_type;

// A stored [rows, cols] view of one operand; a batch stride of 0 means one matrix for the whole batch.
dnnl::memory::desc describe(Type type, int64_t batch, int64_t stride, int64_t rows, int64_t cols, int64_t ld,
                            bool transposed) {
  const int64_t row = transposed ? 1 : ld, col = transposed ? ld : 1;
  if (batch == 1) return {{rows, cols}, type, {row, col}};
  const int64_t count = stride == 0 ? 1 : batch;
  return {{count, rows, cols}, type, {stride == 0 ? ld * (transposed ? cols : rows) : stride, row, col}};
}

Held::Kind kind_of(std::string_view name) {
  if (name.find("ref") != name.npos) return Held::Kind::reference;
  return name.starts_with("brg") ? Held::Kind::brgemm : Held::Kind::gemm;
}

std::shared_ptr<const Held> create(const Key& key) {
  const auto& f = key.field;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // the library's own scratchpad is not safe across threads
  if (f[kFlags] & kAccumulate) {
    dnnl::post_ops post;
    post.append_sum(1.f);
    attr.set_post_ops(post);
  }
  const Type factor = f[kFlags] & kLow ? Type::bf16 : Type::f32;
  const Type result = f[kFlags] & kFloatC ? Type::f32 : factor;
  const auto a = describe(factor, f[kBatch], f[kStrideA], f[kM], f[kK], f[kLda], f[kFlags] & kTransA);
  const auto b = describe(factor, f[kBatch], f[kStrideB], f[kK], f[kN], f[kLdb], f[kFlags] & kTransB);
  const auto c = describe(result, f[kBatch], f[kStrideC], f[kM], f[kN], f[kLdc], false);
  const bool biased = f[kFlags] & kBias;
  const auto bias =
      biased ? describe(Type::f32, f[kBatch] > 1 ? 2 : 1, 0, 1, f[kN], f[kN], false) : dnnl::memory::desc();
  const auto desc = biased ? compat::matmul_desc(cpu_engine(), a, b, bias, c, attr)
                           : compat::matmul_desc(cpu_engine(), a, b, c, attr);
  const char* name = desc.impl_info_str();  // a literal inside the library
  return std::make_shared<const Held>(
      Held{dnnl::matmul(desc), a, b, c, bias, desc.scratchpad_desc(), name, kind_of(name)});
}

}  // namespace

std::shared_ptr<const Held> find_or_create(const Key& key) {
  Cache& c = cache();
  {
    const std::lock_guard lock(c.mutex);
    if (const auto found = c.index.find(key); found != c.index.end()) {
      c.entries.splice(c.entries.begin(), c.entries, found->second);
      c.hits.fetch_add(1, std::memory_order_relaxed);
      return found->second->second;
    }
    ++c.misses;
  }
  auto held = create(key);  // milliseconds at worst: others must not wait for it
  const std::lock_guard lock(c.mutex);
  if (const auto found = c.index.find(key); found != c.index.end()) return found->second->second;
  c.entries.emplace_front(key, held);
  c.index.emplace(key, c.entries.begin());
  trim(c);
  return held;
}

uint64_t cache_generation() { return cache().generation.load(std::memory_order_acquire); }

void add_hits(int64_t hits) { cache().hits.fetch_add(hits, std::memory_order_relaxed); }

const dnnl::engine& cpu_engine() {
  static const dnnl::engine* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

CacheStats cache_stats() {
  flush_thread_hits();
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  return {static_cast<int64_t>(c.entries.size()), c.hits.load(std::memory_order_relaxed), c.misses};
}

void clear_cache() {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.index.clear();
  c.entries.clear();
  c.generation.fetch_add(1, std::memory_order_release);
}

void set_cache_capacity(int64_t primitives) {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.capacity = primitives < 0 ? 0 : primitives;
  trim(c);
}

}  // namespace tapegrad::kernels::onednn

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

constexpr size_t kCapacity = 1024;

struct Cache {
  std::mutex mutex;
  std::list<Entry> entries;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> index;
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
const bool at_load = (cache(), true);  // see core/forks.h

void trim(Cache& c) {
  while (c.entries.size() > kCapacity) {
    c.index.erase(c.entries.back().first);
    c.entries.pop_back();
  }
}

using Type = dnnl::memory::data_type;

// A stored [rows, cols] view of one operand.
dnnl::memory::desc describe(Type type, int64_t rows, int64_t cols, int64_t ld, bool transposed) {
  return {{rows, cols}, type, {transposed ? 1 : ld, transposed ? ld : 1}};
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
  const auto a = describe(Type::bf16, f[kM], f[kK], f[kLda], f[kFlags] & kTransA);
  const auto b = describe(Type::bf16, f[kK], f[kN], f[kLdb], f[kFlags] & kTransB);
  const auto c = describe(f[kFlags] & kFloatC ? Type::f32 : Type::bf16, f[kM], f[kN], f[kLdc], false);
  const bool biased = f[kFlags] & kBias;
  const auto bias = biased ? describe(Type::f32, 1, f[kN], f[kN], false) : dnnl::memory::desc();
  const auto desc = biased ? compat::matmul_desc(cpu_engine(), a, b, bias, c, attr)
                           : compat::matmul_desc(cpu_engine(), a, b, c, attr);
  const char* name = desc.impl_info_str();  // a literal inside the library
  const bool reference = std::string_view(name).find("ref") != std::string_view::npos;
  return std::make_shared<const Held>(Held{dnnl::matmul(desc), a, b, c, bias, desc.scratchpad_desc(), name, reference});
}

}  // namespace

std::shared_ptr<const Held> find_or_create(const Key& key) {
  Cache& c = cache();
  {
    const std::lock_guard lock(c.mutex);
    if (const auto found = c.index.find(key); found != c.index.end()) {
      c.entries.splice(c.entries.begin(), c.entries, found->second);
      return found->second->second;
    }
  }
  auto held = create(key);  // milliseconds at worst: others must not wait for it
  const std::lock_guard lock(c.mutex);
  if (const auto found = c.index.find(key); found != c.index.end()) return found->second->second;
  c.entries.emplace_front(key, held);
  c.index.emplace(key, c.entries.begin());
  trim(c);
  return held;
}

const dnnl::engine& cpu_engine() {
  static const dnnl::engine* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

}  // namespace tapegrad::kernels::onednn

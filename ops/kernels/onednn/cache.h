// Internal: primitives shared by all threads, bounded, the least recently used one out first.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "tapegrad/ops/kernels/onednn/compat.h"
#include "tapegrad/ops/kernels/onednn/onednn.h"

namespace tapegrad::kernels::onednn {

// What tells one primitive from another. Primitives always run on one thread, so the thread count is no part of it.
struct Key {
  std::array<int64_t, 11> field;
  bool operator==(const Key& o) const { return std::memcmp(field.data(), o.field.data(), sizeof field) == 0; }
};
enum Field { kM, kN, kK, kLda, kLdb, kLdc, kFlags, kBatch, kStrideA, kStrideB, kStrideC };
enum Flag { kTransA = 1, kTransB = 2, kAccumulate = 4, kLow = 8, kFloatC = 16, kBias = 32 };

inline Key key_of(const Matmul& p) {
  const int64_t flags = (p.trans_a ? kTransA : 0) | (p.trans_b ? kTransB : 0) | (p.accumulate ? kAccumulate : 0);
  const bool many = p.batch > 1;
  return {{p.m, p.n, p.k, p.lda, p.ldb, p.ldc, flags, p.batch, many ? p.stride_a : 0, many ? p.stride_b : 0,
           many ? p.stride_c : 0}};
}
inline Key key_of(const LowMatmul& p) {
  const int64_t flags = (p.trans_a ? kTransA : 0) | (p.trans_b ? kTransB : 0) | (p.accumulate ? kAccumulate : 0) |
                        kLow | (p.float_c ? kFloatC : 0) | (p.bias ? kBias : 0);
  return {{p.m, p.n, p.k, p.lda, p.ldb, p.ldc, flags, 1, 0, 0, 0}};
}

// What nets vary between layers, mixed by independent products so that they overlap; the rest is left to the comparison.
inline uint64_t hash_of(const Key& key) {
  const auto at = [&](Field f) { return static_cast<uint64_t>(key.field[f]); };
  const uint64_t h = at(kM) * 0x9E3779B97F4A7C15u + at(kN) * 0xBF58476D1CE4E5B9u + at(kK) * 0x94D049BB133111EBu +
                     (at(kFlags) + 64 * at(kBatch)) * 0xD6E8FEB86659FD93u +
                     (at(kLda) + 3 * at(kLdb)) * 0xA0761D6478BD642Fu;
  return h ^ (h >> 32) ^ (h >> 59);
}

// A primitive and what running it takes; immutable once made.
struct Held {
  dnnl::primitive primitive;
  dnnl::memory::desc a, b, c, bias, scratchpad;
  const char* name;
  enum class Kind : uint8_t { brgemm, gemm, reference } kind;
};

// From the cache, or made and put there. The creation runs outside the lock.
std::shared_ptr<const Held> find_or_create(const Key&);
// Grows with every clear_cache(): what a thread keeps from an older generation is dropped before use.
uint64_t cache_generation();
// Hits that threads had in their own front caches; they report them in batches.
void add_hits(int64_t hits);
// Adds the calling thread's front hits.
void flush_thread_hits();

const dnnl::engine& cpu_engine();

}  // namespace tapegrad::kernels::onednn

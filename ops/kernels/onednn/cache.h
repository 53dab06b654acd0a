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
  std::array<int64_t, 7> field;
  bool operator==(const Key& o) const { return std::memcmp(field.data(), o.field.data(), sizeof field) == 0; }
};
enum Field { kM, kN, kK, kLda, kLdb, kLdc, kFlags };
enum Flag { kTransA = 1, kTransB = 2, kAccumulate = 4, kFloatC = 8, kBias = 16 };

template <class Product> Key key_of(const Product& p) {
  int64_t flags =
      (p.trans_a ? kTransA : 0) | (p.trans_b ? kTransB : 0) | (p.accumulate ? kAccumulate : 0) | (p.bias ? kBias : 0);
  if constexpr (requires { p.float_c; }) flags |= p.float_c ? kFloatC : 0;
  return {{p.m, p.n, p.k, p.lda, p.ldb, p.ldc, flags}};
}

// What nets vary between layers, mixed by independent products so that they overlap; the rest is left to the comparison.
inline uint64_t hash_of(const Key& key) {
  const auto at = [&](Field f) { return static_cast<uint64_t>(key.field[f]); };
  const uint64_t h = at(kM) * 0x9E3779B97F4A7C15u + at(kN) * 0xBF58476D1CE4E5B9u + at(kK) * 0x94D049BB133111EBu +
                     at(kFlags) * 0xD6E8FEB86659FD93u + (at(kLda) + 3 * at(kLdb)) * 0xA0761D6478BD642Fu;
  return h ^ (h >> 32) ^ (h >> 59);
}

// A primitive for bfloat16 and what running it takes; immutable once made.
struct Held {
  dnnl::primitive primitive;
  dnnl::memory::desc a, b, c, bias, scratchpad;
  const char* name;
  bool reference;
};

// From the cache, or made and put there. The creation runs outside the lock.
std::shared_ptr<const Held> find_or_create(const Key&);

const dnnl::engine& cpu_engine();

}  // namespace tapegrad::kernels::onednn

// Many Philox blocks at a time: eight side by side, so that the ten rounds of one do not wait for each other.
#include "tapegrad/core/philox.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tapegrad {
namespace {

constexpr int kLanes = 8;
constexpr int kRounds = 10;
constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

#if defined(__x86_64__)
// Four blocks in the 64-bit lanes of each register. The high halves of the lanes hold what the multiplication ignores.
struct Quad {
  __m256i c0, c1, c2, c3;
};

[[gnu::target("avx2"), gnu::always_inline]] inline void round_of(Quad& q, __m256i k0, __m256i k1) {
  const __m256i p0 = _mm256_mul_epu32(q.c0, _mm256_set1_epi64x(kMultiplier0));
  const __m256i p1 = _mm256_mul_epu32(q.c2, _mm256_set1_epi64x(kMultiplier1));
  q.c0 = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(q.c1, k0));
  q.c2 = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(q.c3, k1));
  q.c1 = p1;
  q.c3 = p0;
}

[[gnu::target("avx2"), gnu::always_inline]] inline void store(const Quad& q, uint32_t* words) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  const __m256i c01 = _mm256_or_si256(_mm256_and_si256(q.c0, low), _mm256_slli_epi64(q.c1, 32));
  const __m256i c23 = _mm256_or_si256(_mm256_and_si256(q.c2, low), _mm256_slli_epi64(q.c3, 32));
  const __m256i even = _mm256_unpacklo_epi64(c01, c23), odd = _mm256_unpackhi_epi64(c01, c23);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

[[gnu::target("avx2")]] void words_avx2(uint64_t seed, uint64_t draw, uint64_t block, int64_t blocks, uint32_t* words) {
  const __m256i c2 = _mm256_set1_epi64x(static_cast<int64_t>(draw)), c3 = _mm256_srli_epi64(c2, 32);
  for (int64_t b = 0; b < blocks; b += kLanes) {
    Quad q[2];
    for (int h = 0; h < 2; ++h) {
      const __m256i number =
          _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(block) + b + 4 * h), _mm256_set_epi64x(3, 2, 1, 0));
      q[h] = {number, _mm256_srli_epi64(number, 32), c2, c3};
    }
    auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int r = 0; r < kRounds; ++r, k0 += kWeyl0, k1 += kWeyl1) {
      for (Quad& half : q) round_of(half, _mm256_set1_epi64x(k0), _mm256_set1_epi64x(k1));
    }
    for (int h = 0; h < 2; ++h) store(q[h], words + 4 * (b + 4 * h));
  }
}

bool has_avx2() { return __builtin_cpu_supports("avx2"); }
#endif

}  // namespace

void philox_words_portable(uint64_t seed, uint64_t draw, uint64_t block, int64_t blocks, uint32_t* words) {
  for (int64_t b = 0; b < blocks; b += kLanes) {
    uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      const uint64_t number = block + static_cast<uint64_t>(b + i);
      c0[i] = static_cast<uint32_t>(number), c1[i] = static_cast<uint32_t>(number >> 32);
      c2[i] = static_cast<uint32_t>(draw), c3[i] = static_cast<uint32_t>(draw >> 32);
    }
    auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int r = 0; r < kRounds; ++r, k0 += kWeyl0, k1 += kWeyl1) {
      for (int i = 0; i < kLanes; ++i) {
        const uint64_t p0 = uint64_t{kMultiplier0} * c0[i], p1 = uint64_t{kMultiplier1} * c2[i];
        c0[i] = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
        c1[i] = static_cast<uint32_t>(p1);
        c2[i] = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
        c3[i] = static_cast<uint32_t>(p0);
      }
    }
    for (int i = 0; i < kLanes; ++i) {
      uint32_t* out = words + 4 * (b + i);
      out[0] = c0[i], out[1] = c1[i], out[2] = c2[i], out[3] = c3[i];
    }
  }
}

void philox_words(uint64_t seed, uint64_t draw, uint64_t block, int64_t blocks, uint32_t* words) {
#if defined(__x86_64__)
  if (has_avx2()) return words_avx2(seed, draw, block, blocks, words);
#endif
  philox_words_portable(seed, draw, block, blocks, words);
}

}  // namespace tapegrad

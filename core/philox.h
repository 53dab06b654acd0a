// Philox4x32-10: four random words from a counter and a key (Salmon et al., "Parallel random numbers", SC 2011). Internal.
#pragma once

#include <cstdint>

#include "tapegrad/core/export.h"

namespace tapegrad {

struct PhiloxBlock {
  uint32_t word[4];
};

// Ten rounds; the low half of `key` is the first key word.
constexpr PhiloxBlock philox(const PhiloxBlock& counter, uint64_t key) {
  uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0;
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

// Block number `block` of the stream (seed, draw).
constexpr PhiloxBlock philox(uint64_t seed, uint64_t draw, uint64_t block) {
  return philox({{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(draw),
                  static_cast<uint32_t>(draw >> 32)}},
                seed);
}

// Blocks `block`, `block` + 1, ... of the stream, `blocks` of them, a multiple of 8; many at a time.
TAPEGRAD_API void philox_words(uint64_t seed, uint64_t draw, uint64_t block, int64_t blocks, uint32_t* words);
// The same numbers on any processor.
TAPEGRAD_API void philox_words_portable(uint64_t seed, uint64_t draw, uint64_t block, int64_t blocks, uint32_t* words);

}  // namespace tapegrad

// The caching allocator: every tensor, node and buffer of the library comes from here and goes back here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tapegrad/core/export.h"

namespace tapegrad {

// Memory in use and kept, in bytes, over all threads.
struct AllocatorStats {
  int64_t allocated_bytes;  // handed out now, in whole size classes
  int64_t peak_bytes;  // the most handed out at once, sampled at every block above 32 KiB and at every call of stats
  int64_t reserved_bytes;      // obtained from the system and not given back, cached blocks included
  int64_t allocations;         // blocks handed out since the start
  int64_t system_allocations;  // times the system was asked for memory since the start
  int64_t cached_bytes;        // of the reserved those in blocks that nobody uses
};
TAPEGRAD_API AllocatorStats allocator_stats();
// peak_bytes starts over from what is handed out now.
TAPEGRAD_API void reset_peak_bytes();

// How many bytes of freed blocks above 32 KiB are kept for later requests; beyond them the least recently freed go back to the
// system. 0 keeps none. Without a number, as at the start: 256 MiB, or more as long as no more is reserved than twice the
// most that was in use at once. Gives what held before; ValueError below 0.
TAPEGRAD_API std::optional<int64_t> set_cache_limit(std::optional<int64_t> bytes);

// Gives cached blocks back to the system, the least recently freed first, until `bytes` of them are left, and forgets
// the most that was in use. Blocks in use stay, and so do small ones kept by other threads. ValueError below 0.
TAPEGRAD_API void trim_cache(int64_t bytes);
// trim_cache(0).
TAPEGRAD_API void empty_cache();

// 64-byte aligned memory for `bytes` (0 gives null); OutOfMemoryError when the system has none left even after
// all that is cached went back. Sizes are rounded up to a class; a block may be freed on another thread than it came from.
TAPEGRAD_API void* allocate(size_t bytes);
// `bytes` as it was asked for.
TAPEGRAD_API void deallocate(void* block, size_t bytes) noexcept;

// Memory for short-lived scratch, released at the end of the scope.
template <class T> class Scratch {
 public:
  explicit Scratch(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {}
  ~Scratch() { deallocate(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }
  T& operator[](int64_t i) const { return data_[i]; }

 private:
  size_t bytes_;
  T* data_;
};

}  // namespace tapegrad

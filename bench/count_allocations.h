// Counts the calls to the system allocator of the whole process: include it in one source file of an executable, whose
// definitions then stand in front of the C library's. operator new comes here too.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace bench {

inline std::atomic<int64_t> system_calls{0};
inline int64_t system_allocation_calls() { return system_calls.load(std::memory_order_relaxed); }
inline void count_call() { system_calls.fetch_add(1, std::memory_order_relaxed); }

}  // namespace bench

// glibc's own entry points, exported for exactly this.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* block, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) noexcept {
  bench::count_call();
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
  bench::count_call();
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, size_t bytes) noexcept {
  bench::count_call();
  return __libc_realloc(block, bytes);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  bench::count_call();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  bench::count_call();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** block, size_t alignment, size_t bytes) noexcept {
  bench::count_call();
  *block = __libc_memalign(alignment, bytes);
  return *block ? 0 : ENOMEM;
}
}

// Gathers and scatters strided operands around the contiguous elementwise kernels; decides on streaming stores.
#include "tapegrad/ops/kernels/simd/tile.h"

#include <algorithm>
#include <cstring>

#include "hwy/cache_control.h"

namespace tapegrad::kernels::simd {
namespace {

constexpr int64_t kChunk = 512;

template <int kSize> void copy_strided(char* dst, int64_t dst_stride, const char* src, int64_t src_stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i) std::memcpy(dst + i * dst_stride, src + i * src_stride, kSize);
}

void copy_elements(int size, char* dst, int64_t dst_stride, const char* src, int64_t src_stride, int64_t n) {
  if (size == 1) return copy_strided<1>(dst, dst_stride, src, src_stride, n);
  if (size == 2) return copy_strided<2>(dst, dst_stride, src, src_stride, n);
  if (size == 4) return copy_strided<4>(dst, dst_stride, src, src_stride, n);
  copy_strided<8>(dst, dst_stride, src, src_stride, n);
}

bool should_stream(const uint8_t* sizes, int operands, char* const* ptr, const int64_t* stride, int64_t n) {
  if (stride[0] != sizes[0] || n * sizes[0] < kStreamBytes || reinterpret_cast<uintptr_t>(ptr[0]) % 64 != 0)
    return false;
  return std::find(ptr + 1, ptr + operands, ptr[0]) == ptr + operands;
}

}  // namespace

void run_strided(Contiguous kernel, const uint8_t* sizes, int operands, char* const* ptr, const int64_t* stride,
                 int64_t n, const double* attr) {
  if (n <= 0) return;
  const bool stream = should_stream(sizes, operands, ptr, stride, n);
  alignas(64) char buffer[kMaxOperands][kChunk * 8];
  bool direct[kMaxOperands];
  bool all_direct = true;
  for (int k = 0; k < operands; ++k) {
    direct[k] = stride[k] == sizes[k];
    all_direct = all_direct && direct[k];
    // A repeated scalar is spread once; every chunk reads the same buffer.
    if (k > 0 && stride[k] == 0) copy_elements(sizes[k], buffer[k], sizes[k], ptr[k], 0, std::min(n, kChunk));
  }
  const int64_t chunk = all_direct ? n : kChunk;
  for (int64_t start = 0; start < n; start += chunk) {
    const int64_t count = std::min(chunk, n - start);
    char* at[kMaxOperands];
    for (int k = 0; k < operands; ++k) {
      at[k] = direct[k] ? ptr[k] + start * stride[k] : buffer[k];
      if (k > 0 && !direct[k] && stride[k] != 0)
        copy_elements(sizes[k], buffer[k], sizes[k], ptr[k] + start * stride[k], stride[k], count);
    }
    kernel(at, count, attr, stream);
    if (!direct[0]) copy_elements(sizes[0], ptr[0] + start * stride[0], stride[0], buffer[0], sizes[0], count);
  }
  if (stream) hwy::FlushStream();
}

}  // namespace tapegrad::kernels::simd

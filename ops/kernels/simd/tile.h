// The elementwise driver: a kernel works on contiguous operands; any other layout passes through small buffers first.
#pragma once

#include <cstdint>

namespace tapegrad::kernels::simd {

// Operand 0 is the output. `stream`: write past the cache.
using Contiguous = void (*)(char* const* ptr, int64_t n, const double* attr, bool stream);

constexpr int kMaxOperands = 4;
constexpr int64_t kStreamBytes = int64_t{16} << 20;

// Any strides and sizes: gathers what is not contiguous in chunks and runs `kernel` on them, so the bits do not depend on layout.
void run_strided(Contiguous kernel, const uint8_t* sizes, int operands, char* const* ptr, const int64_t* stride,
                 int64_t n, const double* attr);

}  // namespace tapegrad::kernels::simd

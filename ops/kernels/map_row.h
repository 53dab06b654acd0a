// An elementwise kernel of the table over contiguous elements. Internal.
#pragma once

#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

// y = f(a, b) over n elements; b where f takes two.
template <class T> void map_row(simd::Map f, int64_t n, T* y, const T* a, const T* b = nullptr) {
  static constexpr double attr[3] = {};
  static constexpr int64_t stride[] = {sizeof(T), sizeof(T), sizeof(T)};
  const auto bytes = [](const T* p) { return const_cast<char*>(reinterpret_cast<const char*>(p)); };
  char* const ptr[] = {bytes(y), bytes(a), bytes(b)};
  simd::table().map[static_cast<int>(f)][static_cast<int>(dtype_of<T>())](ptr, stride, n, attr);
}

}  // namespace tapegrad::kernels

// The arithmetic of one example's step: the elementwise kernels of the table, one after the other over a row that stays in the cache. Internal.
#pragma once

#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

// Runs the table's kernels over `units` times H elements.
template <class T> struct RowMaps {
  int64_t hidden;
  void operator()(simd::Map f, T* y, const T* a, const T* b = nullptr, const T* c = nullptr, int64_t units = 1) const {
    static constexpr double attr[3] = {};
    static constexpr int64_t stride[] = {sizeof(T), sizeof(T), sizeof(T), sizeof(T)};
    const auto bytes = [](const T* p) { return const_cast<char*>(reinterpret_cast<const char*>(p)); };
    char* const ptr[] = {bytes(y), bytes(a), bytes(b), bytes(c)};
    simd::table().map[static_cast<int>(f)][static_cast<int>(dtype_of<T>())](ptr, stride, units * hidden, attr);
  }
};

// gates r, z, n and h' from gx, gh, [3H], and h.
template <class T> void gru_row(int64_t hidden, const T* gx, const T* gh, const T* h, T* gates, T* h_new) {
  using simd::Map;
  const RowMaps<T> map{hidden};
  T *const r = gates, *const z = r + hidden, *const n = z + hidden;
  map(Map::add, r, gx, gh, nullptr, 2);
  map(Map::sigmoid, r, r, nullptr, nullptr, 2);
  map(Map::mul_add, n, r, gh + 2 * hidden, gx + 2 * hidden);
  map(Map::tanh, n, n);
  map(Map::sub, h_new, h, n);
  map(Map::mul_add, h_new, z, h_new, n);
}

// dgx, dgh and dh, which is not dh', from gh_n, the last third of gh.
template <class T>
void gru_row_backward(int64_t hidden, const T* dh_new, const T* gates, const T* gh_n, const T* h, T* dgx, T* dgh,
                      T* dh) {
  using simd::Map;
  const RowMaps<T> map{hidden};
  const T *const r = gates, *const z = r + hidden, *const n = z + hidden;
  T *const dr = dgx, *const dz = dr + hidden, *const dn = dz + hidden;
  map(Map::mul, dh, dh_new, z);
  map(Map::sub, dz, h, n);
  map(Map::mul, dz, dz, dh_new);
  map(Map::sigmoid_backward, dz, dz, z);
  map(Map::sub, dn, dh_new, dh);
  map(Map::tanh_backward, dn, dn, n);
  map(Map::mul, dr, dn, gh_n);
  map(Map::sigmoid_backward, dr, dr, r);
  std::copy_n(dr, 2 * hidden, dgh);
  map(Map::mul, dgh + 2 * hidden, dn, r);
}

}  // namespace tapegrad::kernels

// Vocabulary of kernels that go down columns: a vector of columns at a time, and sums that stay accurate over many rows.
#if defined(TAPEGRAD_SIMD_COLUMNS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_COLUMNS_INL
#undef TAPEGRAD_SIMD_COLUMNS_INL
#else
#define TAPEGRAD_SIMD_COLUMNS_INL
#endif

#include <algorithm>

#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

constexpr int64_t kColumnBlock =
    512;  // columns whose accumulators stay in the first-level cache; a multiple of the lanes

// f(c, vector of columns c ...); behind the last column there are zeros.
template <class T, class F> HWY_INLINE void each_vector(const T* row, int64_t cols, const F& f) {
  const Full<T> d;
  int64_t c = 0;
  for (; c + kLanes<T> <= cols; c += kLanes<T>) f(c, hn::LoadU(d, row + c));
  if (c < cols) f(c, load_few(row + c, cols - c));
}

template <class T, class F> HWY_INLINE void each_vectors(const T* a, const T* b, int64_t cols, const F& f) {
  const Full<T> d;
  int64_t c = 0;
  for (; c + kLanes<T> <= cols; c += kLanes<T>) f(c, hn::LoadU(d, a + c), hn::LoadU(d, b + c));
  if (c < cols) f(c, load_few(a + c, cols - c), load_few(b + c, cols - c));
}

// Writes the vector of columns c ... of a row of `cols`.
template <class T> HWY_INLINE void put(Vec<T> v, T* row, int64_t c, int64_t cols) {
  const Full<T> d;
  if (c + kLanes<T> <= cols) hn::StoreU(v, d, row + c);
  else store_few(v, row + c, cols - c);
}

// Sums down columns: 64 rows meet first, then these sums.
template <class T> class BlockedSums {
 public:
  explicit BlockedSums(T* total) : total_(total) {
    std::fill_n(total_, kColumnBlock, T{0});
    std::fill_n(part_, kColumnBlock, T{0});
  }
  HWY_INLINE void add(int64_t c, Vec<T> v) {
    const Full<T> d;
    hn::Store(hn::Add(hn::Load(d, part_ + c), v), d, part_ + c);
  }
  HWY_INLINE void next_row(int64_t cols) {
    if (++rows_ % 64 == 0) finish(cols);
  }
  HWY_INLINE void finish(int64_t cols) {
    const Full<T> d;
    for (int64_t c = 0; c < cols; c += kLanes<T>) {
      hn::Store(hn::Add(hn::Load(d, total_ + c), hn::Load(d, part_ + c)), d, total_ + c);
      hn::Store(hn::Zero(d), d, part_ + c);
    }
  }

 private:
  HWY_ALIGN T part_[kColumnBlock];
  T* total_;
  int64_t rows_ = 0;
};

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

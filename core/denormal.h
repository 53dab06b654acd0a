// Numbers too small for a normalised form: the processor handles them in microcode, a hundred times slower than others. Internal.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace tapegrad {

// While alive, this thread's float arithmetic takes such numbers as zero and gives zero for them. For sums that decay towards
// zero and would stay there for good, as an optimizer's averages do once a gradient has stopped coming.
class FlushDenormals {
#if defined(__SSE2__)
 public:
  FlushDenormals() { _mm_setcsr(before_ | kFlushResults | kZeroOperands); }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned kFlushResults = 0x8000, kZeroOperands = 0x0040;
  unsigned before_ = _mm_getcsr();
#else
 public:
  FlushDenormals() {}
#endif
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace tapegrad

// Internal: the two ways to run one product on the calling thread, and the held primitives behind the second.
#pragma once

#include "tapegrad/ops/kernels/onednn/cache.h"

namespace tapegrad::kernels::onednn {

// oneDNN reads the thread count from the calling thread's OpenMP setting, when it creates and when it runs. This sets it to
// one and puts it back: no parallel region, and nothing is written when it is one already.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Both compute C (+)= op(A) op(B) alone: bias and activation are the caller's. Sizes are positive; the caller holds OneThread.
void run_sgemm(const Matmul&);
// The held primitive; false, with nothing done, where oneDNN would fall back to its reference, or to the sgemm that costs less
// when called directly (`any` takes that one too: for tests on machines without AVX-512).
bool run_primitive(const Matmul&, bool any = false);
// The same by what tells one primitive from another; data: A, B, C and the bias, if it has one.
bool run_held(const Key& key, const void* const* data, bool any);
// What oneDNN picked for the held primitive. Lives as long as the process.
const char* primitive_name(const Key&);

// 64-byte aligned memory of the calling thread, at least `bytes` long, valid until the next call; freed when the thread ends.
float* thread_buffer(int64_t bytes);

[[noreturn]] void fail(const Key&, const char* reason);

}  // namespace tapegrad::kernels::onednn

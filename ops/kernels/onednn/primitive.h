// Internal: held primitives, run on the calling thread, and what else products by oneDNN have in common.
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

// What is held for the key, run over data: A, B, C and the bias, if it has one. False, with nothing done, where oneDNN would fall back to
// its reference. The caller holds OneThread.
bool run_held(const Key& key, const void* const* data);
// What oneDNN picked for it. Lives as long as the process.
const char* primitive_name(const Key&);

inline bool has_isa(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }
const char* reason_of(dnnl_status_t);
[[noreturn]] void fail(const Key&, const char* reason);

}  // namespace tapegrad::kernels::onednn

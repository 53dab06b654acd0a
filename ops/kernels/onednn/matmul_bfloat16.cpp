// Products of bfloat16 on the calling thread: always a held primitive.
#include <dnnl.h>

#include "tapegrad/ops/kernels/onednn/primitive.h"

namespace tapegrad::kernels::onednn {

bool has_bfloat16() {
  static const bool yes = has_isa(dnnl_cpu_isa_avx512_core_bf16);
  return yes;
}
bool has_tiles() {
  static const bool yes = has_isa(dnnl_cpu_isa_avx512_core_amx);
  return yes;
}

void matmul(const LowMatmul& p) {
  const OneThread one;
  const void* const data[] = {p.a, p.b, p.c, p.bias};
  if (!run_held(key_of(p), data)) fail(key_of(p), "only its reference implementation multiplies bfloat16 here");
}

const char* implementation(const LowMatmul& p) {
  const OneThread one;
  return primitive_name(key_of(p));
}

}  // namespace tapegrad::kernels::onednn

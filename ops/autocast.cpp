// Whether there is anything to gain from bfloat16 here, said once.
#include "tapegrad/ops/autocast.h"

#include <cstdio>

#include "tapegrad/ops/kernels/gemm_bfloat16.h"

namespace tapegrad {
namespace {

bool told_off() {
  std::fputs(
      "tapegrad: AutocastGuard does nothing: there are no bfloat16 instructions here (or TAPEGRAD_CPU_ISA forbids them), "
      "so float32 is faster\n",
      stderr);
  return false;
}

bool pays() {
  static const bool yes = kernels::has_bfloat16() || told_off();
  return yes;
}

}  // namespace

AutocastGuard::AutocastGuard(bool enabled) : AutocastMode(enabled && pays()) {}

}  // namespace tapegrad

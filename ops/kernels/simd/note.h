// What kernels that are made of the table's functions tell of themselves.
#pragma once

#include "tapegrad/core/watch.h"

namespace tapegrad::kernels {

KernelNote simd_note();
KernelNote strided_simd_note();

// fn, whose arithmetic is the table's.
template <class Fn> struct BySimd : Fn {
  static KernelNote note() { return simd_note(); }
};
template <class Fn> BySimd(Fn) -> BySimd<Fn>;

}  // namespace tapegrad::kernels

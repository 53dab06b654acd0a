// Which instruction sets the kernels are compiled for; comes before hwy/foreach_target.h in every source of this folder.
#pragma once

#if defined(__x86_64__) || defined(__i386__)
#define HWY_WANT_SSE4 1
// Features no kernel uses, so no CPU has to have them.
#define HWY_DISABLE_PCLMUL_AES
#define HWY_DISABLE_F16C
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_SCALAR | HWY_EMU128)
#elif !defined(HWY_COMPILE_ONLY_EMU128) && !defined(HWY_COMPILE_ONLY_SCALAR)
// Elsewhere one table, for the instruction set of the compiler's flags; vectors of unknown length are not supported.
#define HWY_COMPILE_ONLY_STATIC
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif

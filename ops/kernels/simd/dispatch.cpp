// Builds the table of every instruction set compiled in and picks the best one this CPU runs.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/dispatch.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/simd.h"

#if HWY_TARGET == HWY_AVX3
namespace tapegrad::kernels::simd::N_AVX2 {
void fill_map_scalar(Table& t);
void fill_map_special(Table& t);
}  // namespace tapegrad::kernels::simd::N_AVX2
#endif

namespace tapegrad::kernels::simd::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3
using N_AVX2::fill_map_scalar;  // see map_scalar.cpp
using N_AVX2::fill_map_special;
#else
void fill_map_scalar(Table& t);
void fill_map_special(Table& t);
#endif
void fill_map_float(Table& t);
void fill_map_compare(Table& t);
void fill_reduce(Table& t);
void fill_gemv(Table& t);
void fill_conv(Table& t);
void fill_conv_channels(Table& t);
void fill_gemm(Table& t);
void fill_pool(Table& t);
void fill_softmax(Table& t);
void fill_columns(Table& t);
void fill_deviations(Table& t);
void fill_normalization(Table& t);
void fill_recurrent(Table& t);
void fill_optim(Table& t);
void fill_map_activation(Table& t);
void fill_map_math(Table& t);
void fill_map_rounding(Table& t);
void fill_probe(Table& t);
void fill_bfloat16(Table& t);

static void fill_all(Table& t) {
  fill_map_float(t);
  fill_map_compare(t);
  fill_map_scalar(t);
  fill_reduce(t);
  fill_gemv(t);
  fill_conv(t);
  fill_conv_channels(t);
  fill_gemm(t);
  fill_pool(t);
  fill_softmax(t);
  fill_columns(t);
  fill_deviations(t);
  fill_normalization(t);
  fill_recurrent(t);
  fill_optim(t);
  fill_map_activation(t);
  fill_map_math(t);
  fill_map_rounding(t);
  fill_map_special(t);
  fill_probe(t);
  fill_bfloat16(t);  // last: it uses the others
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE

#if HWY_ONCE
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tapegrad::kernels::simd {
namespace {

struct Isa {
  const char* name;
  bool (*supported)();
  void (*fill)(Table&);
};

#if HWY_TARGETS & (HWY_AVX3 | HWY_AVX2 | HWY_SSE4)
// What Highway lets the compiler use for each target (HWY_TARGET_STR), the operating system's part included.
bool has_sse4() {
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2");
}
bool has_avx2() {
  return has_sse4() && __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
#else
bool always() { return true; }
#endif

// Best first.
constexpr Isa kIsas[] = {
#if HWY_TARGETS & HWY_AVX3
    {"avx512", &has_avx512, &N_AVX3::fill_all},
#endif
#if HWY_TARGETS & HWY_AVX2
    {"avx2", &has_avx2, &N_AVX2::fill_all},
#endif
#if HWY_TARGETS & HWY_SSE4
    {"sse4", &has_sse4, &N_SSE4::fill_all},
#endif
#if !(HWY_TARGETS & (HWY_AVX3 | HWY_AVX2 | HWY_SSE4))
    {"native", &always, &HWY_NAMESPACE::fill_all},
#endif
};
constexpr int kCount = static_cast<int>(sizeof(kIsas) / sizeof(kIsas[0]));

struct Tables {
  Table table[kCount] = {};
  const char* names[kCount + 1] = {};
  int count = 0;

  Tables() {
#if HWY_ARCH_X86
    __builtin_cpu_init();
#endif
    for (const Isa& isa : kIsas) {
      if (!isa.supported()) continue;
      table[count].isa = names[count] = isa.name;
      isa.fill(table[count++]);
    }
    if (count > 0) return;
    std::fprintf(stderr,
                 "tapegrad: this CPU has none of the instruction sets the library was built for (the least is %s)\n",
                 kIsas[kCount - 1].name);
    std::abort();
  }

  const Table* find(const char* name) const {
    for (int i = 0; i < count; ++i) {
      if (std::strcmp(names[i], name) == 0) return &table[i];
    }
    return nullptr;
  }

  const Table* initial() const {
    const char* wanted = std::getenv("TAPEGRAD_CPU_ISA");
    if (!wanted || !*wanted) return &table[0];
    if (const Table* t = find(wanted)) return t;
    std::fprintf(stderr, "tapegrad: TAPEGRAD_CPU_ISA=%s is not one this CPU runs; using %s\n", wanted, names[0]);
    return &table[0];
  }
};

const Tables& tables() {
  static const Tables all;
  return all;
}
const bool at_load = (tables(), true);  // see core/forks.h

std::atomic<const Table*> current{nullptr};

const Table& first_use() {
  const Table* const initial = tables().initial();
  const Table* none = nullptr;
  return current.compare_exchange_strong(none, initial) ? *initial : *none;
}

}  // namespace

const Table& table() {
  const Table* t = current.load(std::memory_order_acquire);
  return t ? *t : first_use();
}

const char* const* available() { return tables().names; }

bool select(const char* isa) {
  const Table* t = isa ? tables().find(isa) : nullptr;
  if (t) current.store(t, std::memory_order_release);
  return t != nullptr;
}

}  // namespace tapegrad::kernels::simd
#endif  // HWY_ONCE

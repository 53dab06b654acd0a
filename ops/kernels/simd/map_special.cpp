// Elementwise kernels of the rarer functions: the C library, or ops/kernels/special.h, in double for every element.
#include "tapegrad/ops/kernels/simd/targets.h"
#if defined(HWY_WANT_SSE4)  // as in map_scalar.cpp
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_AVX3 | HWY_SCALAR | HWY_EMU128)
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_special.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"
#include "tapegrad/ops/kernels/special.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// T is not looked at: a float is computed in double, and so rounded only once.
template <double (*kFunction)(double)> struct Of {
  HWY_INLINE double operator()(double x) const { return kFunction(x); }
};
template <double (*kFunction)(double, double)> struct Of2 {
  HWY_INLINE double operator()(double a, double b) const { return kFunction(a, b); }
};
struct PolygammaOf {
  Polygamma polygamma;
  explicit PolygammaOf(const double* attr) : polygamma(attr[0]) {}
  HWY_INLINE double operator()(double x) const { return polygamma(x); }
};

template <class Op> void unary(Table& t, Map op) {
  t.map[static_cast<int>(op)][static_cast<int>(kFloat32)] = &tile<ScalarKernel<float, Op, float>>;
  t.map[static_cast<int>(op)][static_cast<int>(kFloat64)] = &tile<ScalarKernel<double, Op, double>>;
}
template <class Op> void binary(Table& t, Map op) {
  t.map[static_cast<int>(op)][static_cast<int>(kFloat32)] = &tile<ScalarKernel<float, Op, float, float>>;
  t.map[static_cast<int>(op)][static_cast<int>(kFloat64)] = &tile<ScalarKernel<double, Op, double, double>>;
}

}  // namespace

void fill_map_special(Table& t) {
  unary<Of<std::asin>>(t, Map::asin);
  unary<Of<std::acos>>(t, Map::acos);
  unary<Of<std::atan>>(t, Map::atan);
  unary<Of<std::sinh>>(t, Map::sinh);
  unary<Of<std::cosh>>(t, Map::cosh);
  unary<Of<std::asinh>>(t, Map::asinh);
  unary<Of<std::acosh>>(t, Map::acosh);
  unary<Of<std::atanh>>(t, Map::atanh);
  unary<Of<erfinv>>(t, Map::erfinv);
  unary<Of<log_gamma>>(t, Map::lgamma);
  unary<Of<digamma>>(t, Map::digamma);
  unary<PolygammaOf>(t, Map::polygamma);
  binary<Of2<std::atan2>>(t, Map::atan2);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

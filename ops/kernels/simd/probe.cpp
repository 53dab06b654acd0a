// Multiply-adds in registers and nothing else: what the machine can do at most.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/probe.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// Ten chains hide the latency of five cycles behind two units. They start apart, or the compiler would see that two are one.
template <class T> int64_t multiply_adds(T* x, int64_t rounds) {
  const Full<T> d;
  const Vec<T> a = hn::Set(d, x[0]), b = hn::Set(d, x[1]);
  const auto start = [&](int k) { return hn::Set(d, x[0] + static_cast<T>(k)); };
  Vec<T> s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4);
  Vec<T> s5 = start(5), s6 = start(6), s7 = start(7), s8 = start(8), s9 = start(9);
  for (int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, a, b), s1 = hn::MulAdd(s1, a, b), s2 = hn::MulAdd(s2, a, b), s3 = hn::MulAdd(s3, a, b);
    s4 = hn::MulAdd(s4, a, b), s5 = hn::MulAdd(s5, a, b), s6 = hn::MulAdd(s6, a, b), s7 = hn::MulAdd(s7, a, b);
    s8 = hn::MulAdd(s8, a, b), s9 = hn::MulAdd(s9, a, b);
  }
  const Vec<T> sum = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)),
                             hn::Add(hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)), hn::Add(s8, s9)));
  x[2] = hn::GetLane(sum);
  return rounds * 10 * 2 * kLanes<T>;
}

}  // namespace

void fill_probe(Table& t) {
  t.f32.multiply_adds = &multiply_adds<float>;
  t.f64.multiply_adds = &multiply_adds<double>;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

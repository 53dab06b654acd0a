// The gates of the LSTM and the GRU, a row at a time: everything between two products in one pass.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/recurrent.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// step(i, load, store) for every vector of n elements; the last may be a part of one. One body for both: with up to five exponentials,
// a second would be most of this file's code.
template <class T, class Step> HWY_INLINE void each_vector(int64_t n, const Step& step) {
  constexpr int64_t N = kLanes<T>;
  const Full<T> d;
  for (int64_t i = 0; i < n; i += N) {
    const int64_t count = std::min(N, n - i);
    const auto load = [&](const T* p) HWY_ATTR { return count == N ? hn::LoadU(d, p) : load_few(p, count); };
    const auto store = [&](Vec<T> v, T* p) HWY_ATTR {
      if (count == N) hn::StoreU(v, d, p);
      else store_few(v, p, count);
    };
    step(i, load, store);
  }
}

template <class T> void lstm(T* gates, const T* c, T* c_new, T* h, int64_t n) {
  const Full<T> d;
  each_vector<T>(n, [&](int64_t at, const auto& load, const auto& store) HWY_ATTR {
    T* const a = gates + at;
    const Vec<T> i = sigmoid(d, load(a)), f = sigmoid(d, load(a + n)), g = tanh(d, load(a + 2 * n));
    const Vec<T> o = sigmoid(d, load(a + 3 * n));
    const Vec<T> next = hn::MulAdd(f, load(c + at), hn::Mul(i, g));
    store(i, a);
    store(f, a + n);
    store(g, a + 2 * n);
    store(o, a + 3 * n);
    store(next, c_new + at);
    store(hn::Mul(o, tanh(d, next)), h + at);
  });
}

// dy times the slope of an activation whose value is v.
template <class T> HWY_INLINE Vec<T> through_sigmoid(Vec<T> dy, Vec<T> v) {
  return hn::Mul(dy, hn::Mul(v, hn::Sub(hn::Set(Full<T>(), T{1}), v)));
}
template <class T> HWY_INLINE Vec<T> through_tanh(Vec<T> dy, Vec<T> v) {
  return hn::Mul(dy, hn::NegMulAdd(v, v, hn::Set(Full<T>(), T{1})));
}

template <class T>
void lstm_backward(const T* dh, const T* dc_new, const T* gates, const T* c, const T* c_new, T* da, T* dc, int64_t n) {
  const Full<T> d;
  each_vector<T>(n, [&](int64_t at, const auto& load, const auto& store) HWY_ATTR {
    const T* const a = gates + at;
    T* const to = da + at;
    const Vec<T> i = load(a), f = load(a + n), g = load(a + 2 * n), o = load(a + 3 * n);
    const Vec<T> t = tanh(d, load(c_new + at)), dy = load(dh + at);
    Vec<T> next = through_tanh<T>(hn::Mul(dy, o), t);  // what reaches c_new
    if (dc_new) next = hn::Add(next, load(dc_new + at));
    store(through_sigmoid<T>(hn::Mul(next, g), i), to);
    store(through_sigmoid<T>(hn::Mul(next, load(c + at)), f), to + n);
    store(through_tanh<T>(hn::Mul(next, i), g), to + 2 * n);
    store(through_sigmoid<T>(hn::Mul(dy, t), o), to + 3 * n);
    store(hn::Mul(next, f), dc + at);
  });
}

template <class T> void gru(const T* gx, const T* gh, const T* h, T* gates, T* h_new, int64_t n) {
  const Full<T> d;
  each_vector<T>(n, [&](int64_t at, const auto& load, const auto& store) HWY_ATTR {
    const T *const x = gx + at, *const s = gh + at;
    const Vec<T> r = sigmoid(d, hn::Add(load(x), load(s))), z = sigmoid(d, hn::Add(load(x + n), load(s + n)));
    const Vec<T> v = tanh(d, hn::MulAdd(r, load(s + 2 * n), load(x + 2 * n)));
    store(r, gates + at);
    store(z, gates + at + n);
    store(v, gates + at + 2 * n);
    store(hn::MulAdd(z, hn::Sub(load(h + at), v), v), h_new + at);
  });
}

template <class T>
void gru_backward(const T* dh_new, const T* gates, const T* gh_n, const T* h, T* dgx, T* dgh, T* dh, int64_t n) {
  each_vector<T>(n, [&](int64_t at, const auto& load, const auto& store) HWY_ATTR {
    const T* const a = gates + at;
    T *const x = dgx + at, *const s = dgh + at;
    const Vec<T> r = load(a), z = load(a + n), v = load(a + 2 * n), dy = load(dh_new + at), kept = hn::Mul(dy, z);
    const Vec<T> dv = through_tanh<T>(hn::Sub(dy, kept), v);
    const Vec<T> dz = through_sigmoid<T>(hn::Mul(dy, hn::Sub(load(h + at), v)), z);
    const Vec<T> dr = through_sigmoid<T>(hn::Mul(dv, load(gh_n + at)), r);
    store(dr, x);
    store(dr, s);
    store(dz, x + n);
    store(dz, s + n);
    store(dv, x + 2 * n);
    store(hn::Mul(dv, r), s + 2 * n);
    store(kept, dh + at);
  });
}

template <class T> void fill(Floating<T>& t) {
  t.gru = &gru<T>;
  t.gru_backward = &gru_backward<T>;
  t.lstm = &lstm<T>;
  t.lstm_backward = &lstm_backward<T>;
}

}  // namespace

void fill_recurrent(Table& t) {
  fill(t.f32);
  fill(t.f64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Normalisation in three ways: by runs of one channel, by rows whose elements have weights of their own, and down columns where
// channels are narrow. Pieces of work are fixed by the shape alone, and what they sum is joined in their order.
#include "tapegrad/ops/kernels/normalization.h"

#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/normalization_parts.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

Tensor plain(const Tensor& t) { return t.defined() ? contiguous_of(t) : t; }
template <class T> T* elements_or_null(const Tensor& t) { return t.defined() ? t.elements<T>() : nullptr; }

template <class T> struct Forward {
  Norm norm;
  const T *x, *weight, *bias;
  T *y, *mean, *var;

  void operator()() const {
    switch (way_of(norm)) {
      case Way::runs: return runs();
      case Way::rows: return rows();
      case Way::columns: return columns();
    }
  }

 private:
  Standard standard(int64_t k, const Moments* part, int64_t count) const {
    if (norm.given) return {1 / std::sqrt(static_cast<double>(var[k]) + norm.eps), 0};
    return joined(part, count, norm.eps, norm.centred ? mean + k : nullptr, var + k);
  }
  T mean_of(int64_t k) const { return norm.centred ? mean[k] : T{0}; }

  void runs() const {
    const Stretches r(norm);
    const Scratch<Moments> part(norm.given ? 0 : r.total());
    const Scratch<Standard> at(r.statistics);
    const auto fn = simd::floating<T>(simd::table()).normalize;
    in_stages(
        r, norm.given ? Stages::last : Stages::both,
        [&](int64_t k, int64_t u) {
          const Stretch s = r.stretch(k, u);
          part[k * r.per_statistic + u] = moments_of(x + s.at, s.length, norm.centred);
        },
        [&](int64_t k) { at[k] = standard(k, part.data() + k * r.per_statistic, r.per_statistic); },
        [&](int64_t k, int64_t u) {
          const Stretch s = r.stretch(k, u);
          const double scale = weight ? weight[s.channel] * at[k].scale : at[k].scale;
          fn(x + s.at, y + s.at, s.length, mean_of(k), static_cast<T>(scale),
             shifted(bias ? bias[s.channel] : T{0}, at[k].low, scale));
        });
  }

  void rows() const {
    const int64_t length = norm.channels * norm.inner, affine = norm.groups * length;
    const Scratch<T> wide(2 * affine);
    const T* w = spread_out(weight, T{1}, norm, wide.data());
    const T* v = spread_out(bias, T{0}, norm, wide.data() + affine);
    const auto fn = simd::floating<T>(simd::table()).normalize_row;
    parallel_for(0, norm.statistics(), std::max<int64_t>(1, kParallelGrain / length), [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        const Moments m = moments_of(x + k * length, length, norm.centred);
        const Standard s = standard(k, &m, 1);
        const int64_t g = k % norm.groups * length;
        fn(x + k * length, y + k * length, w + g, v + g, length, mean_of(k), static_cast<T>(s.scale),
           shifted(T{0}, s.low, s.scale));
      }
    });
  }

  void columns() const {
    const auto fn = simd::floating<T>(simd::table()).normalize_cols;
    const int64_t row = norm.groups * norm.inner;
    for_channels<T>(norm, [&](int64_t first, int64_t channels) {
      const int64_t width = channels * norm.inner, at = first * norm.inner;
      const Scratch<T> room(3 * width);
      const Scratch<Moments> part(norm.given ? 0 : width);
      T *const m = room.data(), *const a = m + width, *const b = a + width;
      if (!norm.given) column_moments(x + at, norm.n, width, row, m, a, b, part.data());
      for (int64_t c = 0; c < channels; ++c) {
        const Standard s = standard(first + c, part.data() + c * norm.inner, norm.inner);
        const double scale = weight ? weight[first + c] * s.scale : s.scale;
        std::fill_n(m + c * norm.inner, norm.inner, mean[first + c]);
        std::fill_n(a + c * norm.inner, norm.inner, static_cast<T>(scale));
        std::fill_n(b + c * norm.inner, norm.inner, shifted(bias ? bias[first + c] : T{0}, s.low, scale));
      }
      fn(x + at, y + at, m, a, b, norm.n, width, row);
    });
  }
};

// From the sums of g and of g (x - mean) over a statistic, g = dy w: dx = r (g + (x - mean) by_x + shift).
struct Slope {
  double by_x, shift;
};

template <class T> struct Backward {
  Norm norm;
  const T *dy, *x, *weight, *mean, *var;
  T *dx, *dw, *dv;

  void operator()() const {
    switch (way_of(norm)) {
      case Way::runs: return runs();
      case Way::rows: return rows();
      case Way::columns: return columns();
    }
  }

 private:
  T mean_of(int64_t k) const { return norm.centred ? mean[k] : T{0}; }
  double scale_of(int64_t k) const { return 1 / std::sqrt(static_cast<double>(var[k]) + norm.eps); }
  Slope slope(int64_t k, double sum, double product) const {
    const double r = scale_of(k), terms = static_cast<double>(norm.terms());
    return {-r * r * product / terms, norm.centred ? -sum / terms : 0};
  }
  double weight_of(int64_t c) const { return weight ? static_cast<double>(weight[c]) : 1; }

  void runs() const {
    const Stretches r(norm);
    const bool sums = !norm.given || dw || dv;
    const Scratch<T> part(sums ? 2 * r.total() : 0);
    const Scratch<Slope> at(r.statistics);
    const auto& fn = simd::floating<T>(simd::table());
    in_stages(
        r, sums ? Stages::both : Stages::last,
        [&](int64_t k, int64_t u) {
          const Stretch s = r.stretch(k, u);
          fn.normalize_sums(dy + s.at, x + s.at, nullptr, s.length, mean_of(k),
                            part.data() + 2 * (k * r.per_statistic + u));
        },
        [&](int64_t k) {
          double sum = 0, product = 0;
          for (int64_t u = 0; sums && u < r.per_statistic; ++u) {
            const T* p = part.data() + 2 * (k * r.per_statistic + u);
            const double w = weight_of(r.channel(k, u));
            sum += w * p[0], product += w * p[1];
          }
          at[k] = slope(k, sum, product);
        },
        [&](int64_t k, int64_t u) {
          const Stretch s = r.stretch(k, u);
          const double w = weight_of(s.channel), scale = scale_of(k);
          if (norm.given) return fn.normalize(dy + s.at, dx + s.at, s.length, T{0}, static_cast<T>(w * scale), T{0});
          fn.normalize_slope(dy + s.at, x + s.at, dx + s.at, s.length, mean_of(k), static_cast<T>(w),
                             static_cast<T>(scale), static_cast<T>(at[k].by_x), static_cast<T>(at[k].shift));
        });
    if (dw || dv) affine_of_runs(r, part.data());
  }

  void affine_of_runs(const Stretches& r, const T* part) const {
    const int64_t channels = norm.groups * norm.channels;
    const Scratch<double> sum(2 * channels);
    std::fill_n(sum.data(), 2 * channels, 0.0);
    for (int64_t k = 0; k < r.statistics; ++k) {
      const double scale = scale_of(k);
      for (int64_t u = 0; u < r.per_statistic; ++u) {
        const T* p = part + 2 * (k * r.per_statistic + u);
        const int64_t c = r.channel(k, u);
        sum[c] += p[1] * scale;
        sum[channels + c] += p[0];
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      if (dw) dw[c] = static_cast<T>(sum[c]);
      if (dv) dv[c] = static_cast<T>(sum[channels + c]);
    }
  }

  void rows() const {
    const int64_t length = norm.channels * norm.inner, affine = norm.groups * length;
    const Scratch<T> wide(affine);
    const T* w = spread_out(weight, T{1}, norm, wide.data());
    const int64_t blocks = (norm.n + kRowBlock - 1) / kRowBlock;
    const bool adds = dw || dv;
    const Scratch<T> part(adds ? 2 * affine * (blocks + 1) : 0);
    const auto& fn = simd::floating<T>(simd::table());
    parallel_for(
        0, blocks, std::max<int64_t>(1, kParallelGrain / (kRowBlock * affine)), [&](int64_t begin, int64_t end) {
          for (int64_t block = begin; block < end; ++block) {
            T* const by_w = adds ? part.data() + 2 * affine * block : nullptr;
            if (adds) std::fill_n(by_w, 2 * affine, T{0});
            const int64_t last = std::min((block + 1) * kRowBlock, norm.n) * norm.groups;
            for (int64_t k = block * kRowBlock * norm.groups; k < last; ++k) {
              const int64_t at = k * length, g = k % norm.groups * length;
              T sums[2];
              fn.normalize_sums(dy + at, x + at, w + g, length, mean_of(k), sums);
              const Slope s = slope(k, sums[0], sums[1]);
              fn.normalize_slope_row(dy + at, x + at, w + g, dx + at, adds ? by_w + g : nullptr,
                                     adds ? by_w + affine + g : nullptr, length, mean_of(k),
                                     static_cast<T>(scale_of(k)), static_cast<T>(s.by_x), static_cast<T>(s.shift));
            }
          }
        });
    if (!adds) return;
    T* const total = part.data() + 2 * affine * blocks;
    sum_columns(part.data(), total, blocks, 2 * affine, 2 * affine);
    const int64_t channels = norm.groups * norm.channels;
    if (dw) gathered(total, dw, channels, norm.inner);
    if (dv) gathered(total + affine, dv, channels, norm.inner);
  }

  void columns() const {
    const auto& fn = simd::floating<T>(simd::table());
    const int64_t row = norm.groups * norm.inner;
    const bool sums = !norm.given || dw || dv;
    for_channels<T>(norm, [&](int64_t first, int64_t channels) {
      const int64_t width = channels * norm.inner, at = first * norm.inner;
      const Scratch<T> room(5 * width);
      T *const m = room.data(), *const a = m + width, *const b = a + width, *const s = b + width, *const p = s + width;
      for (int64_t c = 0; c < channels; ++c) std::fill_n(m + c * norm.inner, norm.inner, mean[first + c]);
      if (sums) fn.normalize_sums_cols(dy + at, x + at, m, s, p, norm.n, width, row);
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0, product = 0;
        for (int64_t i = c * norm.inner; sums && i < (c + 1) * norm.inner; ++i) sum += s[i], product += p[i];
        const double w = weight_of(first + c), scale = scale_of(first + c);
        if (dw) dw[first + c] = static_cast<T>(product * scale);
        if (dv) dv[first + c] = static_cast<T>(sum);
        const Slope slope_of = slope(first + c, sum, product);
        std::fill_n(a + c * norm.inner, norm.inner, static_cast<T>(w * scale));
        std::fill_n(b + c * norm.inner, norm.inner, static_cast<T>(slope_of.by_x));
        std::fill_n(s + c * norm.inner, norm.inner, static_cast<T>(slope_of.shift));
      }
      if (!norm.given) return fn.normalize_slope_cols(dy + at, x + at, dx + at, m, a, b, s, norm.n, width, row);
      std::fill_n(b, 2 * width, T{0});
      fn.normalize_cols(dy + at, dx + at, b, a, s, norm.n, width, row);
    });
  }
};

template <class T> struct Move {
  Norm norm;
  bool averages;  // over all batches
  double momentum;
  const T *mean, *var;
  T *running_mean, *running_var;
  int64_t* batches;

  void operator()() const {
    if (batches) ++*batches;
    const double share = averages ? 1 / static_cast<double>(*batches) : momentum;
    const auto terms = static_cast<double>(norm.terms());
    const int64_t samples = norm.across ? 1 : norm.n;
    for (int64_t g = 0; g < norm.groups; ++g) {
      double m = 0, v = 0;
      for (int64_t i = 0; i < samples; ++i) m += mean[i * norm.groups + g], v += var[i * norm.groups + g];
      m /= static_cast<double>(samples);
      v *= terms / (terms - 1) / static_cast<double>(samples);
      running_mean[g] = static_cast<T>((1 - share) * running_mean[g] + share * m);
      running_var[g] = static_cast<T>((1 - share) * running_var[g] + share * v);
    }
  }
};

}  // namespace

Tensor normalize(const char* name, const Norm& norm, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 Tensor& mean, Tensor& var) {
  const Tensor from = contiguous_of(x), w = plain(weight), v = plain(bias), none;
  Tensor y = new_like(from);
  if (!norm.given) {
    if (norm.centred) mean = new_tensor(norm.statistics(), x.dtype());
    var = new_tensor(norm.statistics(), x.dtype());
  }
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y, norm.given ? &none : &mean, norm.given ? &none : &var},
           {&from, &w, &v, norm.given ? &mean : &none, norm.given ? &var : &none},
           BySimd{Forward<T>{norm, from.elements<T>(), elements_or_null<T>(w), elements_or_null<T>(v), y.elements<T>(),
                             elements_or_null<T>(mean), var.elements<T>()}});
  });
  return y;
}

NormGradients normalize_backward(const char* name, const Norm& norm, const Tensor& dy, const Tensor& x,
                                 const Tensor& weight, const Tensor& mean, const Tensor& var, bool wants_weight,
                                 bool wants_bias) {
  const Tensor cotangent = contiguous_of(dy), from = contiguous_of(x), w = plain(weight);
  const int64_t channels = norm.groups * norm.channels;
  NormGradients d{new_like(from), {}, {}};
  const bool empty = from.numel() == 0;
  const auto affine = [&] { return empty ? filled_tensor(channels, x.dtype(), 0) : new_tensor(channels, x.dtype()); };
  if (wants_weight) d.weight = affine();
  if (wants_bias) d.bias = affine();
  if (empty) return d;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&d.x, &d.weight, &d.bias}, {&cotangent, &from, &w, &mean, &var},
           BySimd{Backward<T>{norm, cotangent.elements<T>(), from.elements<T>(), elements_or_null<T>(w),
                              elements_or_null<T>(mean), var.elements<T>(), d.x.elements<T>(),
                              elements_or_null<T>(d.weight), elements_or_null<T>(d.bias)}});
  });
  return d;
}

void move_running(const char* name, const Norm& norm, const Tensor& mean, const Tensor& var, const Tensor& running_mean,
                  const Tensor& running_var, const Tensor& batches, std::optional<double> momentum) {
  dispatch_floating(name, mean.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&running_mean, &running_var, &batches},
           {&mean, &var, &running_mean, &running_var, &batches},
           Move<T>{norm, !momentum, momentum.value_or(0), mean.elements<T>(), var.elements<T>(),
                   running_mean.elements<T>(), running_var.elements<T>(), elements_or_null<int64_t>(batches)});
  });
  for (const Tensor* t : {&running_mean, &running_var, &batches}) {
    if (t->defined()) t->impl()->storage->bump_version();
  }
}

}  // namespace tapegrad::kernels

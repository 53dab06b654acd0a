// What the kernels of normalisation share: how a tensor is cut into work, and statistics that are joined exactly. Internal.
#pragma once

#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/kernels/normalization.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

inline constexpr int64_t kShort = 64;  // elements of a channel in a sample from which it is worth calls of its own
inline constexpr int64_t kRunPiece = 1 << 16;  // elements of a run taken at a stretch
inline constexpr int64_t kFirstLevel =
    4096;                                 // elements that are still in the first-level cache when they are read again
inline constexpr int64_t kRowBlock = 64;  // samples whose gradients of weight and bias meet first

enum class Way { runs, rows, columns };
inline Way way_of(const Norm& norm) {
  if (norm.across) return norm.inner < kShort ? Way::columns : Way::runs;
  return norm.inner < kShort && norm.channels > 1 ? Way::rows : Way::runs;
}

// A stretch of memory that belongs to one statistic and one channel.
struct Stretch {
  int64_t at, length, channel;
};

struct Stretches {
  int64_t statistics, segments, parts, per_statistic;

  explicit Stretches(const Norm& norm)
      : statistics(norm.statistics()),
        segments(norm.across ? norm.n : norm.channels),
        parts((norm.inner + kRunPiece - 1) / kRunPiece),
        per_statistic(segments * parts),
        norm_(norm) {}
  int64_t total() const { return statistics * per_statistic; }
  int64_t length() const { return norm_.inner; }
  bool across() const { return norm_.across; }
  int64_t channel(int64_t k, int64_t u) const {
    return norm_.across ? k : k % norm_.groups * norm_.channels + u / parts;
  }
  Stretch stretch(int64_t k, int64_t u) const {
    const int64_t segment = u / parts, start = u % parts * kRunPiece;
    const int64_t line = norm_.across ? segment * norm_.groups + k : k * norm_.channels + segment;
    return {line * norm_.inner + start, std::min(kRunPiece, norm_.inner - start), channel(k, u)};
  }

 private:
  Norm norm_;
};

enum class Stages { both, last };

// first(k, u) for all runs u of statistic k, then join(k), then last(k, u) for all of them: one statistic after the other where it is one
// stretch of memory that stays in the cache, else stage after stage, each in the order of memory.
template <class First, class Join, class Last>
void in_stages(const Stretches& r, Stages stages, const First& first, const Join& join, const Last& last) {
  const bool both = stages == Stages::both;
  const int64_t work = r.segments * r.length();
  if (!r.across() && work <= kRunPiece) {
    parallel_for(0, r.statistics, std::max<int64_t>(1, kParallelGrain / work), [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        for (int64_t u = 0; both && u < r.per_statistic; ++u) first(k, u);
        join(k);
        for (int64_t u = 0; u < r.per_statistic; ++u) last(k, u);
      }
    });
    return;
  }
  const auto each = [&](const auto& f) {
    const int64_t grain = std::max<int64_t>(1, kParallelGrain / std::min(r.length(), kRunPiece));
    parallel_for(0, r.total(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t line = i / r.parts, part = i % r.parts;
        if (r.across()) f(line % r.statistics, line / r.statistics * r.parts + part);
        else f(line / r.segments, line % r.segments * r.parts + part);
      }
    });
  };
  if (both) each(first);
  for (int64_t k = 0; k < r.statistics; ++k) join(k);
  each(last);
}

// Count, mean and sum of squared deviations of some elements, joined as Chan et al. do.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  void join(const Moments& o) {
    const double all = count + o.count, apart = o.mean - mean;
    squares += o.squares + apart * apart * (count * o.count / all);
    mean += apart * (o.count / all);
    count = all;
  }
};

// The mean of a block is rounded to T first; the deviations' own sum, 0 if it were exact, corrects both results.
template <class T> Moments corrected(T mean, T first, T second, int64_t n) {
  const auto count = static_cast<double>(n), d = static_cast<double>(first);
  const double squares = static_cast<double>(second) - d * d / count;
  return {count, static_cast<double>(mean) + d / count, squares < 0 ? 0 : squares};
}

// Not centred: the mean counts as 0.
template <class T> Moments moments_of(const T* x, int64_t n, bool centred) {
  const simd::Table& table = simd::table();
  const auto sum_of = table.reduce_rows[static_cast<int>(simd::Reduce::sum)][static_cast<int>(dtype_of<T>())];
  const auto& floating = simd::floating<T>(table);
  Moments all;
  for (int64_t i = 0; i < n; i += kFirstLevel) {
    const int64_t length = std::min(kFirstLevel, n - i);
    if (!centred) {
      all.squares += static_cast<double>(floating.dot(x + i, x + i, length));
      continue;
    }
    T sum, first, second;
    sum_of(x + i, &sum, 1, length, length);
    const T mean = sum / static_cast<T>(length);
    floating.deviations(x + i, mean, length, &first, &second);
    const Moments block = corrected(mean, first, second, length);
    if (i == 0) all = block;
    else all.join(block);
  }
  all.count = static_cast<double>(n);
  return all;
}

template <class T> void sum_columns(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld) {
  simd::table().reduce_cols[static_cast<int>(simd::Reduce::sum)][static_cast<int>(dtype_of<T>())](x, y, rows, cols, ld);
}

// The same for each of `width` columns of `rows` elements; mean, first and second are room for as many.
template <class T>
void column_moments(const T* x, int64_t rows, int64_t width, int64_t ld, T* mean, T* first, T* second,
                    Moments* moments) {
  sum_columns(x, mean, rows, width, ld);
  for (int64_t c = 0; c < width; ++c) mean[c] /= static_cast<T>(rows);
  simd::floating<T>(simd::table()).deviations_cols(x, mean, first, second, rows, width, ld);
  for (int64_t c = 0; c < width; ++c) moments[c] = corrected(mean[c], first[c], second[c], rows);
}

// 1 / sqrt(variance + eps), and what the mean loses when it is rounded to T.
struct Standard {
  double scale, low;
};

template <class T> Standard joined(const Moments* part, int64_t count, double eps, T* mean, T* var) {
  Moments all = part[0];
  for (int64_t i = 1; i < count; ++i) {
    if (mean) all.join(part[i]);
    else all.squares += part[i].squares, all.count += part[i].count;
  }
  const double variance = all.squares / all.count;
  *var = static_cast<T>(variance);
  const double scale = 1 / std::sqrt(variance + eps);
  if (!mean) return {scale, 0};
  *mean = static_cast<T>(all.mean);
  return {scale, all.mean - static_cast<double>(*mean)};
}

// bias - low scale; what is low need not be known where the rest is infinite.
template <class T> T shifted(T bias, double low, double scale) {
  return std::isfinite(scale) ? static_cast<T>(static_cast<double>(bias) - low * scale) : bias;
}

// Weights, one per channel, for every element of a row; where they are already, or where there are none, those.
template <class T> const T* spread_out(const T* v, T otherwise, const Norm& norm, T* room) {
  if (v && norm.inner == 1) return v;
  const int64_t channels = norm.groups * norm.channels;
  for (int64_t c = 0; c < channels; ++c) std::fill_n(room + c * norm.inner, norm.inner, v ? v[c] : otherwise);
  return room;
}

// y[c] = sum of x[c, i] for i < inner
template <class T> void gathered(const T* x, T* y, int64_t channels, int64_t inner) {
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < inner; ++i) sum += static_cast<double>(x[c * inner + i]);
    y[c] = static_cast<T>(sum);
  }
}

// f(first channel, channels) for all of them, some columns' width at a time: what fits the second-level cache.
template <class T, class F> void for_channels(const Norm& norm, const F& f) {
  const int64_t fitting = (int64_t{1} << 19) / static_cast<int64_t>(sizeof(T)) / norm.n;
  const int64_t width = std::max<int64_t>(1, std::clamp<int64_t>(fitting, 64, 512) / norm.inner);
  const int64_t strips = (norm.groups + width - 1) / width;
  const int64_t work = std::max<int64_t>(1, norm.n * norm.inner * width);
  parallel_for(0, strips, std::max<int64_t>(1, kParallelGrain / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i * width, std::min(width, norm.groups - i * width));
  });
}

}  // namespace tapegrad::kernels

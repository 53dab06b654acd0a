// The probe: multiply-adds in registers, and sums, copies and readings of memory of four sizes.
#include "tapegrad/autograd/profile/peak.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/watch.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad {
namespace {

using kernels::simd::floating;
using kernels::simd::table;

// The most that run() returned per nanosecond, which is 10^9 a second. Others may want the machine too, so it runs until the
// best had a chance.
template <class Run> double best_rate(const Run& run) {
  constexpr int64_t kLong = 8'000'000;  // ns
  double best = 0;
  const int64_t begin = detail::now();
  for (int64_t i = 0, end = begin; i < 5 || end - begin < kLong; ++i) {
    const int64_t start = detail::now();
    const auto amount = static_cast<double>(run());
    end = detail::now();
    best = std::max(best, amount / static_cast<double>(std::max<int64_t>(1, end - start)));
  }
  return best;
}

// Units are no thread's to share, so that one thread is measured and counted as often as there are threads.
template <class T> double flops() {
  return get_num_threads() * best_rate([] {
           T x[3] = {T(0.5), T(0.25), T(0)};
           return floating<T>(table()).multiply_adds(x, 10'000);
         });
}

// pass(first, last) over n floats, as often as makes some ten microseconds at least; it touches `operands` floats each.
template <class Pass> double bandwidth(int64_t n, int operands, const Pass& pass) {
  const int64_t times = std::max<int64_t>(1, 500'000 / n), bytes = times * n * operands * 4;
  const double alone = best_rate([&] {
    for (int64_t i = 0; i < times; ++i) pass(int64_t{0}, n);
    return bytes;
  });
  if (n <= kParallelGrain || get_num_threads() == 1) return alone;
  return std::max(alone, best_rate([&] {
                    for (int64_t i = 0; i < times; ++i) parallel_for(0, n, kParallelGrain, pass);
                    return bytes;
                  }));
}

double bandwidth(int64_t bytes) {
  using kernels::simd::Map;
  using kernels::simd::Reduce;
  constexpr auto f32 = static_cast<size_t>(DType::Float32);
  const int64_t n = bytes / (3 * static_cast<int64_t>(sizeof(float)));
  const Scratch<float> a(n), b(n), y(n);
  for (const Scratch<float>* x : {&a, &b, &y}) std::fill_n(x->data(), n, 1.f);
  const auto tile = table().map[static_cast<size_t>(Map::add)][f32];
  const auto sum = table().reduce_rows[static_cast<size_t>(Reduce::sum)][f32];
  const double added = bandwidth(n, 3, [&](int64_t first, int64_t last) {
    constexpr int64_t stride[] = {sizeof(float), sizeof(float), sizeof(float)};
    char* const at[] = {reinterpret_cast<char*>(y.data() + first), reinterpret_cast<char*>(a.data() + first),
                        reinterpret_cast<char*>(b.data() + first)};
    tile(at, stride, last - first, nullptr);
  });
  const double copied = bandwidth(n, 2, [&](int64_t first, int64_t last) {
    std::memcpy(y.data() + first, a.data() + first, static_cast<size_t>(last - first) * sizeof(float));
  });
  const double read = bandwidth(n, 1, [&](int64_t first, int64_t last) {
    float result;
    sum(a.data() + first, &result, 1, last - first, last - first);
  });
  return std::max({added, copied, read});
}

MachinePeak measured() {
  MachinePeak peak{flops<float>(), flops<double>(), {}};
  for (const int64_t kib : {24, 384, 6 << 10, 96 << 10}) peak.levels.push_back({kib << 10, bandwidth(kib << 10)});
  // A larger memory is not faster; where it was, the smaller one was disturbed.
  for (size_t i = peak.levels.size() - 1; i-- > 0;)
    peak.levels[i].gbytes = std::max(peak.levels[i].gbytes, peak.levels[i + 1].gbytes);
  return peak;
}

}  // namespace

double MachinePeak::seconds(int64_t flops, int64_t bytes, DType dtype) const {
  const double computing = static_cast<double>(flops) / (dtype == kFloat64 ? gflops_float64 : gflops_float32);
  const auto level = std::find_if(levels.begin(), levels.end() - 1, [&](const Level& l) { return bytes <= l.bytes; });
  return std::max(computing, static_cast<double>(bytes) / level->gbytes) / 1e9;
}

const MachinePeak& machine_peak() {
  static std::mutex mutex;
  static std::map<int, MachinePeak> by_threads;
  const std::lock_guard lock(mutex);
  const auto [at, added] = by_threads.try_emplace(get_num_threads());
  if (added) at->second = measured();
  return at->second;
}

}  // namespace tapegrad

// Medians and the Mann-Whitney U test.
#include "report/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace bench {
namespace {

// Twice the rank of every sample of a, then of b, in all together: equal ones share the mean of their ranks, twice which is whole.
struct Ranks {
  std::vector<int64_t> twice;
  double ties = 0;  // sum of t^3 - t over groups of t equal samples
};

Ranks ranks_of(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> sorted = a;
  sorted.insert(sorted.end(), b.begin(), b.end());
  const std::vector<double> all = sorted;
  std::sort(sorted.begin(), sorted.end());
  Ranks ranks;
  for (const double x : all) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), x);
    ranks.twice.push_back((first - sorted.begin()) + (last - sorted.begin()) + 1);
    const double t = static_cast<double>(last - first);
    ranks.ties += t * t - 1;  // t members together: t^3 - t
  }
  return ranks;
}

// The share of all ways to choose `chosen` of the ranks whose sum is at least as far from its mean as `sum`. All sums are doubled.
double exact(const std::vector<int64_t>& ranks, size_t chosen, int64_t sum) {
  const auto total = static_cast<int64_t>(ranks.size());
  const int64_t most = 2 * total * static_cast<int64_t>(chosen), mean = static_cast<int64_t>(chosen) * (total + 1);
  // ways[k][s]: k ranks with sum s. Whole numbers below 2^53, so exact.
  std::vector<std::vector<double>> ways(chosen + 1, std::vector<double>(static_cast<size_t>(most) + 1));
  ways[0][0] = 1;
  for (const int64_t rank : ranks) {
    for (size_t k = chosen; k > 0; --k) {
      for (int64_t s = most; s >= rank; --s)
        ways[k][static_cast<size_t>(s)] += ways[k - 1][static_cast<size_t>(s - rank)];
    }
  }
  double far = 0, all = 0;
  for (int64_t s = 0; s <= most; ++s) {
    const double n = ways[chosen][static_cast<size_t>(s)];
    all += n;
    if (std::abs(s - mean) >= std::abs(sum - mean)) far += n;
  }
  return far / all;
}

double normal(double n, double m, double u, double ties) {
  const double total = n + m;
  const double variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
  if (variance <= 0) return 1;  // all samples are equal
  const double z = std::max(0.0, std::abs(u - n * m / 2) - 0.5) / std::sqrt(variance);
  return std::erfc(z / std::sqrt(2.0));
}

}  // namespace

double median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  return n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
}

MannWhitney mann_whitney(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.empty() || b.empty()) throw std::invalid_argument("mann_whitney: both sides need samples");
  const Ranks ranks = ranks_of(a, b);
  int64_t sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += ranks.twice[i];
  const double n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double u = static_cast<double>(sum) / 2 - n * (n + 1) / 2;
  // 2 of the C(n + m, n) ways are the most extreme ones.
  const double least = std::min(1.0, 2 * std::exp(std::lgamma(n + 1) + std::lgamma(m + 1) - std::lgamma(n + m + 1)));
  if (a.size() + b.size() > 50) return {u, normal(n, m, u, ranks.ties), least};
  return {u, exact(ranks.twice, a.size(), sum), least};
}

}  // namespace bench

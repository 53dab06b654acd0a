// Finds the thresholds between kernels: measures every way a product can take, and from what size a second thread pays.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/kernels/onednn/primitive.h"
#include "tapegrad/ops/kernels/way.h"
#include "tapegrad/tapegrad.h"
#include "turns.h"

namespace bench {
namespace {

using tapegrad::kernels::ProductTiers;
using tapegrad::kernels::Way;
using Product = tapegrad::kernels::simd::Gemm<float>;

constexpr std::array kWays = {Way::row, Way::few, Way::small, Way::turned, Way::blocked, Way::library};
constexpr std::array kNames = {"row", "few", "small", "turned", "blocked", "library"};

struct Shape {
  int64_t m, n, k;
  bool trans_a, trans_b;
  int64_t work() const { return m * n * k; }
};

// What layers of networks ask for: x W^T, dy W and dy^T x at batches and widths, and squares.
std::vector<Shape> shapes(bool quick) {
  std::vector<Shape> all;
  for (const int64_t batch : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}) {
    for (const int64_t width : {8, 16, 32, 64, 100, 128, 300, 512, 784, 1024, 2048}) {
      if (quick && (batch > 64 || width > 300)) continue;
      for (const int64_t out : {width, int64_t{10}}) {
        all.push_back({batch, out, width, false, true});
        all.push_back({batch, width, out, false, false});
        all.push_back({out, width, batch, true, false});
      }
    }
  }
  for (int64_t n = 4; n <= (quick ? 128 : 1024); n += n < 16 ? 4 : n / 4) all.push_back({n, n, n, false, false});
  return all;
}

// The least time of a few turns of each way, in ns; infinite where the way does not serve the shape.
std::vector<double> times(const Shape& s, int rounds) {
  const std::vector<float> a(static_cast<size_t>(s.m * s.k), 0.5f), b(static_cast<size_t>(s.k * s.n), 0.25f);
  std::vector<float> c(static_cast<size_t>(s.m * s.n));
  const Product g{
      s.m,      s.n, s.k,     a.data(), s.trans_a ? s.m : s.k, s.trans_a, b.data(), s.trans_b ? s.k : s.n, s.trans_b,
      c.data(), s.n, nullptr, false};
  const int64_t repeats = std::max<int64_t>(1, 4'000'000 / std::max<int64_t>(s.work(), 1000));
  std::vector<double> best(kWays.size(), INFINITY);
  for (int round = 0; round < rounds; ++round) {
    for (size_t w = 0; w < kWays.size(); ++w) {
      if (kWays[w] == Way::row && s.m != 1) continue;
      if (kWays[w] == Way::turned && !s.trans_b) continue;
      if (kWays[w] == Way::few && (!s.trans_b || s.trans_a || s.m > 64)) continue;
      if (kWays[w] == Way::small && s.work() > (1 << 21)) continue;
      tapegrad::kernels::run_way(g, kWays[w]);
      const double from = detail::counts_now().ns;
      for (int64_t i = 0; i < repeats; ++i) tapegrad::kernels::run_way(g, kWays[w]);
      best[w] = std::min(best[w], (detail::counts_now().ns - from) / static_cast<double>(repeats));
    }
  }
  return best;
}

struct Measured {
  Shape shape;
  std::vector<double> ns;
  double best() const { return *std::min_element(ns.begin(), ns.end()); }
  size_t chosen(const ProductTiers& tiers) const {
    Product g{};
    g.m = shape.m, g.n = shape.n, g.k = shape.k, g.trans_a = shape.trans_a, g.trans_b = shape.trans_b;
    return static_cast<size_t>(tapegrad::kernels::way_of(tiers, g));
  }
  // How many times slower than the best way.
  double regret(const ProductTiers& tiers) const { return ns[chosen(tiers)] / best(); }
};

// The geometric mean over all shapes.
double regret(const std::vector<Measured>& all, const ProductTiers& tiers) {
  double sum = 0;
  for (const Measured& one : all) sum += std::log(std::min(one.regret(tiers), 100.0));
  return std::exp(sum / static_cast<double>(all.size()));
}

void print(const Measured& one) {
  const Shape& s = one.shape;
  std::printf("%5lld %5lld %5lld %s ", static_cast<long long>(s.m), static_cast<long long>(s.n),
              static_cast<long long>(s.k),
              s.trans_a   ? "a^T"
              : s.trans_b ? "b^T"
                          : "   ");
  for (size_t w = 0; w < kWays.size(); ++w) {
    const double gflops = 2.0 * static_cast<double>(s.work()) / one.ns[w];
    std::printf(" %7.1f%s", std::isinf(one.ns[w]) ? 0.0 : gflops, w == one.chosen({}) ? "*" : " ");
  }
  std::printf(" %5.2f\n", one.regret({}));
}

// Moves one threshold at a time to where the mean regret is least, until none moves.
ProductTiers fit(const std::vector<Measured>& all) {
  ProductTiers best;
  const auto fields = {&ProductTiers::small_work,      &ProductTiers::few_rows, &ProductTiers::few_depth,
                       &ProductTiers::turned_rows,     &ProductTiers::narrow,   &ProductTiers::library_side,
                       &ProductTiers::library_elements};
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto field : fields) {
      for (double candidate = 2; candidate < 1e8; candidate *= 1.1892071150027210667) {  // quarter octaves
        ProductTiers other = best;
        other.*field = static_cast<int64_t>(candidate);
        if (regret(all, other) >= regret(all, best) * 0.9995) continue;  // less is noise
        best = other;
        moved = true;
      }
    }
  }
  return best;
}

void print_fit(const std::vector<Measured>& all) {
  const ProductTiers now, found = fit(all);
  const auto line = [](const char* name, int64_t a, int64_t b) {
    std::printf("%-18s %12lld %12lld\n", name, static_cast<long long>(a), static_cast<long long>(b));
  };
  std::printf("\n%-18s %12s %12s\n", "threshold", "in the source", "best here");
  line("small_work", now.small_work, found.small_work);
  line("few_rows", now.few_rows, found.few_rows);
  line("few_depth", now.few_depth, found.few_depth);
  line("narrow", now.narrow, found.narrow);
  line("turned_rows", now.turned_rows, found.turned_rows);
  line("library_side", now.library_side, found.library_side);
  line("library_elements", now.library_elements, found.library_elements);
  std::printf("slower than the best way, mean of %zu shapes: %.2f %% and %.2f %%\n", all.size(),
              100 * (regret(all, now) - 1), 100 * (regret(all, found) - 1));
}

// ---- threads ----

// The least time of a call on one thread and on two, in turns.
std::pair<double, double> on_one_and_two(const std::function<void()>& call, int rounds) {
  const int64_t repeats = 200;
  double best[2] = {INFINITY, INFINITY};
  for (int round = 0; round < rounds; ++round) {
    for (const int threads : {1, 2}) {
      tapegrad::set_num_threads(threads);
      for (int i = 0; i < 3; ++i) call();
      const double from = detail::counts_now().ns;
      for (int64_t i = 0; i < repeats; ++i) call();
      best[threads - 1] = std::min(best[threads - 1], (detail::counts_now().ns - from) / static_cast<double>(repeats));
    }
  }
  tapegrad::set_num_threads(1);
  return {best[0], best[1]};
}

// What it costs to hand half of the work to a second thread: with T the time on one, two take T / 2 + that.
void print_threads(int rounds) {
  const auto half = [](int64_t from, int64_t) { asm volatile("" ::"r"(from) : "memory"); };
  const auto fork = on_one_and_two([&] { tapegrad::parallel_for(0, 2, 1, half); }, rounds);
  const double cost = fork.second - fork.first;
  std::printf(
      "\nhanding work to a second thread costs %.2f us: it gains from %.1f us of work on, a quarter from %.1f us on\n",
      cost / 1e3, 2 * cost / 1e3, 4 * cost / 1e3);
  const auto line = [&](const char* name, int64_t size, double ns, const char* unit, int64_t now) {
    std::printf("%-22s %8.3f ns a unit: a quarter faster from %9.0f %s on; the source gives a thread %lld at least\n",
                name, ns / static_cast<double>(size), 4 * cost / ns * static_cast<double>(size), unit,
                static_cast<long long>(now));
  };
  const tapegrad::NoGradGuard no_grad;
  constexpr int64_t kCount = 1 << 15;
  const tapegrad::Tensor x = tapegrad::rand({kCount}), m = tapegrad::rand({64, 64});
  const auto timed = [&](const std::function<void()>& call) { return on_one_and_two(call, rounds).first; };
  line("product", 64 * 64 * 64, timed([&] { tapegrad::mm(m, m); }), "multiply-adds", ProductTiers{}.thread_work);
  line("add", kCount, timed([&] { x + x; }), "elements", tapegrad::kParallelGrain);
  line("exp", kCount, timed([&] { tapegrad::exp(x); }), "elements", tapegrad::kParallelGrain);
  line("tanh", kCount, timed([&] { tapegrad::tanh(x); }), "elements", tapegrad::kParallelGrain);
}

int run(bool quick) {
  tapegrad::set_num_threads(1);
  const tapegrad::kernels::onednn::OneThread one;
  std::printf("GFLOP/s of each way, float32, one thread, %s; * is what the source chooses\n",
              tapegrad::kernels::simd::table().isa);
  std::printf("%5s %5s %5s     ", "m", "n", "k");
  for (const char* name : kNames) std::printf(" %7s ", name);
  std::printf(" times slower than the best\n");
  std::vector<Measured> all;
  for (const Shape& shape : shapes(quick)) {
    all.push_back({shape, times(shape, quick ? 2 : 7)});
    print(all.back());
  }
  print_fit(all);
  print_threads(quick ? 2 : 15);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 2 || (argc == 2 && !quick)) {
    std::fprintf(stderr, "usage: bench_tiers [--quick]\n");
    return 2;
  }
  return bench::run(quick);
}

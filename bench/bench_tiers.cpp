// Finds the thresholds between kernels: measures every way a product can take, and from what size a second thread pays.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/kernels/gemm_bfloat16.h"
#include "tapegrad/ops/kernels/onednn/primitive.h"
#include "tapegrad/ops/kernels/way_bfloat16.h"
#include "tapegrad/tapegrad.h"
#include "turns.h"

namespace bench {
namespace {

using tapegrad::kernels::LowProductTiers;
using tapegrad::kernels::ProductTiers;
using tapegrad::kernels::Way;

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

template <class Tiers> struct Field {
  const char* name;
  int64_t Tiers::*value;
};

// Products of float32.
struct Wide {
  using Tiers = ProductTiers;
  using Element = float;
  using Product = tapegrad::kernels::simd::Gemm<float>;
  static constexpr const char* kName = "float32";
  static constexpr bool kHasRow = true;
  static constexpr Field<Tiers> kFields[] = {
      {"small_work", &Tiers::small_work},   {"few_rows", &Tiers::few_rows}, {"few_depth", &Tiers::few_depth},
      {"turned_rows", &Tiers::turned_rows}, {"narrow", &Tiers::narrow},     {"library_side", &Tiers::library_side}};
  static void set_result(Product& g, float* c) { g.c = c; }
};

// Products of bfloat16: gradients of weights come as float32, everything else as bfloat16.
struct Low {
  using Tiers = LowProductTiers;
  using Element = tapegrad::BFloat16;
  using Product = tapegrad::kernels::onednn::LowMatmul;
  static constexpr const char* kName = "bfloat16";
  static constexpr bool kHasRow = false;
  static constexpr Field<Tiers> kFields[] = {
      {"small_work", &Tiers::small_work},   {"few_rows", &Tiers::few_rows},         {"few_depth", &Tiers::few_depth},
      {"turned_rows", &Tiers::turned_rows}, {"library_side", &Tiers::library_side}, {"tiny_work", &Tiers::tiny_work}};
  static void set_result(Product& p, float* c) {
    p.c = c;
    p.float_c = p.trans_a;
  }
};

template <class Kind> typename Kind::Product problem(const Shape& s) {
  typename Kind::Product g{};
  g.m = s.m, g.n = s.n, g.k = s.k;
  g.lda = s.trans_a ? s.m : s.k, g.trans_a = s.trans_a;
  g.ldb = s.trans_b ? s.k : s.n, g.trans_b = s.trans_b;
  g.ldc = s.n;
  return g;
}

// The least time of a few turns of each way, in ns; infinite where the way does not serve the shape.
template <class Kind> std::vector<double> times(const Shape& s, int rounds) {
  const std::vector<typename Kind::Element> a(static_cast<size_t>(s.m * s.k), 0.5f),
      b(static_cast<size_t>(s.k * s.n), 0.25f);
  std::vector<float> c(static_cast<size_t>(s.m * s.n));
  auto g = problem<Kind>(s);
  g.a = a.data(), g.b = b.data();
  Kind::set_result(g, c.data());
  const int64_t repeats = std::max<int64_t>(1, 4'000'000 / std::max<int64_t>(s.work(), 1000));
  std::vector<double> best(kWays.size(), INFINITY);
  for (int round = 0; round < rounds; ++round) {
    for (size_t w = 0; w < kWays.size(); ++w) {
      if (kWays[w] == Way::row && (s.m != 1 || !Kind::kHasRow)) continue;
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

template <class Kind> struct Measured {
  using Tiers = typename Kind::Tiers;
  Shape shape;
  std::vector<double> ns;
  double best() const { return *std::min_element(ns.begin(), ns.end()); }
  size_t chosen(const Tiers& tiers) const {
    return static_cast<size_t>(tapegrad::kernels::way_of(tiers, problem<Kind>(shape)));
  }
  // How many times slower than the best way.
  double regret(const Tiers& tiers) const { return ns[chosen(tiers)] / best(); }
};

// The geometric mean over all shapes.
template <class Kind> double regret(const std::vector<Measured<Kind>>& all, const typename Kind::Tiers& tiers) {
  double sum = 0;
  for (const auto& one : all) sum += std::log(std::min(one.regret(tiers), 100.0));
  return std::exp(sum / static_cast<double>(all.size()));
}

template <class Kind> void print(const Measured<Kind>& one) {
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
template <class Kind> typename Kind::Tiers fit(const std::vector<Measured<Kind>>& all) {
  typename Kind::Tiers best;
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& field : Kind::kFields) {
      for (double candidate = 2; candidate < 1e8; candidate *= 1.1892071150027210667) {  // quarter octaves
        typename Kind::Tiers other = best;
        other.*field.value = static_cast<int64_t>(candidate);
        if (regret(all, other) >= regret(all, best) * 0.9995) continue;  // less is noise
        best = other;
        moved = true;
      }
    }
  }
  return best;
}

template <class Kind> void print_fit(const std::vector<Measured<Kind>>& all) {
  const typename Kind::Tiers now, found = fit(all);
  std::printf("\n%-18s %12s %12s\n", "threshold", "in the source", "best here");
  for (const auto& field : Kind::kFields)
    std::printf("%-18s %12lld %12lld\n", field.name, static_cast<long long>(now.*field.value),
                static_cast<long long>(found.*field.value));
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

template <class Kind> void print_ways(bool quick) {
  std::printf("GFLOP/s of each way, %s, one thread, %s; * is what the source chooses\n", Kind::kName,
              tapegrad::kernels::simd::table().isa);
  std::printf("%5s %5s %5s     ", "m", "n", "k");
  for (const char* name : kNames) std::printf(" %7s ", name);
  std::printf(" times slower than the best\n");
  std::vector<Measured<Kind>> all;
  for (const Shape& shape : shapes(quick)) {
    all.push_back({shape, times<Kind>(shape, quick ? 2 : 7)});
    print(all.back());
  }
  print_fit(all);
}

int run(bool quick) {
  tapegrad::set_num_threads(1);
  const tapegrad::kernels::onednn::OneThread one;
  print_ways<Wide>(quick);
  std::printf("\n");
  if (tapegrad::kernels::has_bfloat16() && tapegrad::kernels::onednn::has_bfloat16()) print_ways<Low>(quick);
  else std::printf("bfloat16: this CPU has no instructions for it, or may not use them\n");
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

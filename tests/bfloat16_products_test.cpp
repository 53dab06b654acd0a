// Products of bfloat16: values against double for every way they go, bits at any thread count, what they may read, what runs them.
#include <sys/mman.h>

#include <cmath>

#include "catch.h"
#include "tapegrad/ops/kernels/gemm_bfloat16.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

Tensor random_low(IntArrayRef sizes, uint64_t seed) {
  Generator generator(seed);
  return randn(sizes, generator).to(kBFloat16);
}

// Operands are exact; products and sums are float32's, so that at most k + 1 roundings of 2^-24 touch a term, and the result is
// rounded once more, by 2^-8 at most relative to itself. Denormal numbers count as 0.
void expect_product(const Tensor& y, const Tensor& a, const Tensor& b) {
  const Tensor exact = matmul(a.to(kFloat64), b.to(kFloat64));
  const Tensor terms = matmul(a.to(kFloat64).abs(), b.to(kFloat64).abs());
  const double k = static_cast<double>(a.sizes().back());
  const Tensor allowed = terms * ((k + 1) * 0x1p-24) + exact.abs() * 0x1p-8 + k * 0x1p-126;
  const Tensor error = (y.to(kFloat64) - exact).abs();
  CAPTURE(error.max().item<double>(), allowed.max().item<double>());
  REQUIRE((error <= allowed * (1 + 0x1p-8)).all().item<bool>());
}

// Memory that ends where nothing may be read.
struct Fenced {
  static constexpr size_t kBytes = 1 << 18;
  char* const memory =
      static_cast<char*>(mmap(nullptr, kBytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Fenced() {
    REQUIRE(memory != MAP_FAILED);
    REQUIRE(mprotect(memory + kBytes, 4096, PROT_NONE) == 0);
  }
  ~Fenced() { munmap(memory, kBytes + 4096); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  // Random numbers in the last elements.
  Tensor last(IntArrayRef sizes, uint64_t seed) const {
    const Tensor values = random_low(sizes, seed);
    const Tensor x = from_blob(memory + kBytes - 2 * values.numel(), sizes, kBFloat16);
    x.copy_(values);
    return x;
  }
};

}  // namespace

TEST_CASE("bfloat16: products against double, of every size, layout and kind") {
  const auto sizes = std::vector<std::array<int64_t, 3>>{
      {1, 1, 1},     {1, 300, 784},  {3, 5, 7},    {16, 16, 16},  {17, 33, 65},   {64, 10, 100},
      {300, 64, 1},  {64, 300, 784}, {0, 4, 3},    {4, 0, 3},     {600, 130, 70}, {7, 45, 301},
      {40, 90, 700}, {90, 80, 1101}, {500, 40, 9}, {70, 75, 513}, {450, 460, 455}};
  for (const auto& [m, n, k] : sizes) {
    CAPTURE(m, n, k);
    const Tensor a = random_low({m, k}, 6), b = random_low({k, n}, 7);
    const Tensor at = a.t().clone().t(), bt = b.t().clone().t();
    for (const Tensor& x : {a, at})
      for (const Tensor& w : {b, bt}) {
        const Tensor y = mm(x, w);
        REQUIRE(y.dtype() == kBFloat16);
        if (y.numel() > 0) expect_product(y, x, w);
      }
    if (m * n == 0) continue;
    const Tensor bias = random_low({n}, 8);
    const Tensor y = linear(a, bt.t(), bias);
    REQUIRE(y.dtype() == kBFloat16);
    const Tensor exact = matmul(a.to(kFloat64), b.to(kFloat64)) + bias.to(kFloat64);
    const Tensor terms = matmul(a.to(kFloat64).abs(), b.to(kFloat64).abs()) + bias.to(kFloat64).abs();
    const Tensor allowed = terms * (static_cast<double>(k + 2) * 0x1p-24) + exact.abs() * (0x1p-8 + 0x1p-16) + 0x1p-100;
    REQUIRE(((y.to(kFloat64) - exact).abs() <= allowed).all().item<bool>());
  }
}

TEST_CASE("bfloat16: products of views that begin anywhere, with rows an odd number of elements apart") {
  for (const int64_t m : {1, 6, 40, 300}) {
    const Tensor wide = random_low({m + 3, 205}, 20), other = random_low({123, 205}, 21);
    for (const int64_t from : {0, 1, 2})
      for (const int64_t k : {2, 99, 100, 202}) {
        CAPTURE(m, from, k);
        const Tensor a = wide.slice(0, 1, 1 + m).slice(1, from, from + k), b = other.slice(1, from, from + k);
        expect_product(mm(a, b.t()), a, b.t());
        CHECK(equal(mm(a, b.t()), mm(a.clone(), b.clone().t())));
        const Tensor c = other.slice(0, 0, std::min<int64_t>(k, 123)).slice(1, from, from + 31);
        const Tensor left = a.slice(1, 0, c.size(0));
        expect_product(mm(left, c), left, c);
        expect_product(mm(c.t(), c.slice(1, 0, 17)), c.t(), c.slice(1, 0, 17));
      }
  }
}

TEST_CASE("bfloat16: products of what is not finite") {
  const float inf = std::numeric_limits<float>::infinity();
  const auto value = [&](float x, float y, int64_t m, int64_t k) {
    const Tensor a = zeros({m, k}, kBFloat16), b = zeros({24, k}, kBFloat16);
    a.select(0, m - 1).select(0, k - 1).fill_(x);
    b.select(0, 23).select(0, k - 1).fill_(y);
    const Tensor product = mm(a, b.t());
    const int64_t expected = (std::isfinite(y) ? 0 : m - 1) + (std::isfinite(x) ? 0 : 23) + std::isnan(x * y);
    CHECK(product.isnan().sum().item<int64_t>() == expected);
    return product[m - 1][23].item<float>();
  };
  for (const int64_t m : {2, 13, 40, 200})
    for (const int64_t k : {7, 8, 90, 91, 600}) {
      CAPTURE(m, k);
      CHECK(value(inf, 2, m, k) == inf);
      CHECK(value(-3, inf, m, k) == -inf);
      CHECK(std::isnan(value(1, NAN, m, k)));
      CHECK(std::isnan(value(inf, -0.f, m, k)));
      CHECK(value(0x1p127f, 2, m, k) == inf);
    }
}

TEST_CASE("bfloat16: no product of k zero") {
  CHECK(equal(mm(zeros({2, 0}, kBFloat16), zeros({0, 3}, kBFloat16)), zeros({2, 3}, kBFloat16)));
}

TEST_CASE("bfloat16: batched products, and the ranks of matmul") {
  const Tensor a = random_low({5, 20, 30}, 9), b = random_low({5, 30, 40}, 10);
  const Tensor y = bmm(a, b);
  for (int64_t i = 0; i < 5; ++i) expect_product(y[i], a[i], b[i]);
  expect_product(matmul(a, b[0])[3], a[3], b[0]);
  expect_product(matmul(a, b[0].expand({5, 30, 40}))[4], a[4], b[0]);
  CHECK(matmul(a[0][0], b[0].select(1, 0)).dtype() == kBFloat16);
  CHECK(matmul(a[0], b[0].select(1, 0)).dtype() == kBFloat16);
}

TEST_CASE("bfloat16: products have the same bits at any thread count") {
  const int before = get_num_threads();
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
           {1100, 200, 300}, {6, 3000, 700}, {48, 900, 400}, {300, 200, 701}, {500, 470, 460}}) {
    const Tensor a = random_low({m, k}, 11), b = random_low({k, n}, 12);
    const Tensor at = a.t().clone().t(), bt = b.t().clone().t();
    for (const Tensor& x : {a, at})
      for (const Tensor& w : {b, bt}) {
        set_num_threads(1);
        const Tensor one = mm(x, w);
        for (const int threads : {2, 3, 5}) {
          CAPTURE(m, n, k, threads);
          set_num_threads(threads);
          CHECK(equal(one, mm(x, w)));
        }
      }
  }
  set_num_threads(before);
}

TEST_CASE("bfloat16: products read nothing behind their operands") {
  const Fenced a, b, c;
  for (const int64_t m : {1, 7, 26, 100})
    for (const int64_t n : {1, 33, 100})
      for (const int64_t k : {1, 2, 89, 90, 530})
        for (const int layout : {0, 1, 2, 3}) {
          CAPTURE(m, n, k, layout);
          const bool trans_a = layout & 1, trans_b = layout & 2;
          const Tensor x = trans_a ? a.last({k, m}, 22).t() : a.last({m, k}, 22);
          const Tensor w = trans_b ? b.last({n, k}, 23).t() : b.last({k, n}, 23);
          CHECK(equal(mm(x, w), mm(trans_a ? x.t().clone().t() : x.clone(), trans_b ? w.t().clone().t() : w.clone())));
          const Tensor bias = c.last({n}, 24);
          CHECK(equal(linear(x, w.t(), bias), linear(x, w.t(), bias.clone())));
        }
}

TEST_CASE("bfloat16: products never run a reference implementation") {
  if (!kernels::has_bfloat16()) return;
  const Tensor a = random_low({1100, 300}, 11), b = random_low({300, 200}, 12), c = random_low({500, 500}, 14);
  Profile seen = profile([&] {
    mm(a, b);
    mm(a.t(), a);
    mm(c, c);
    mm(a.slice(0, 0, 64), b);
    bmm(a.view({11, 100, 300}), b.expand({11, 300, 200}));
    linear(a.slice(0, 0, 64), b.t(), random_low({200}, 13));
  });
  int64_t products = 0;
  for (const ProfileRow& row : seen.key_averages()) {
    if (row.name != "mm" && row.name != "bmm" && row.name != "linear") continue;
    CAPTURE(row.name, row.implementation);
    products += row.calls;
    CHECK(row.implementation.find("ref") == std::string::npos);
    CHECK(row.implementation.find("bf16") != std::string::npos);
  }
  CHECK(products == 6);
}

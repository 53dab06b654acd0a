// Matrix products at the borders of their kernels: every remainder of a block, every storage, every number of threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct KeepThreads {
  int threads = get_num_threads();
  ~KeepThreads() { set_num_threads(threads); }
};

// In double, one sum after another; and the sum of magnitudes, of which rounding errors are a share.
struct Reference {
  std::vector<double> y, size;
};
Reference product(const Tensor& a, const Tensor& b) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const Tensor wide_a = a.to(kFloat64).contiguous(), wide_b = b.to(kFloat64).contiguous();
  const double* x = wide_a.data_ptr<double>();
  const double* w = wide_b.data_ptr<double>();
  Reference r{std::vector<double>(static_cast<size_t>(m * n)), std::vector<double>(static_cast<size_t>(m * n))};
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) {
        const double term = x[i * k + p] * w[p * n + j];
        r.y[static_cast<size_t>(i * n + j)] += term;
        r.size[static_cast<size_t>(i * n + j)] += std::abs(term);
      }
    }
  }
  return r;
}

// A sum of k terms in any order is off by less than k half-units of its terms' magnitudes.
bool close_to(const Tensor& y, const Reference& r, int64_t k) {
  const double unit = y.dtype() == kFloat32 ? 0x1p-24 : 0x1p-53;
  const Tensor wide = y.to(kFloat64).contiguous();
  for (size_t i = 0; i < r.y.size(); ++i) {
    const double error = std::abs(wide.data_ptr<double>()[i] - r.y[i]);
    if (!(error <= static_cast<double>(k + 2) * unit * r.size[i])) return false;
  }
  return true;
}

// a[m, k] stored as it is, or as its transpose.
Tensor matrix(int64_t m, int64_t k, bool transposed, DType dtype) {
  const Tensor x = randn(transposed ? IntArrayRef{k, m} : IntArrayRef{m, k}, dtype);
  return transposed ? x.t() : x;
}

}  // namespace

TEST_CASE("products hold for every remainder of the blocks", "[gemm]") {
  const NoGradGuard no_grad;
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        int64_t k = 1;
        for (int64_t m = 1; m <= 26; ++m) {
          for (const int64_t n : {1, 3, 8, 15, 16, 17, 31, 32, 33, 49, 64, 67}) {
            k = k % 41 + 1;
            const Tensor a = matrix(m, k, trans_a, dtype), b = matrix(k, n, trans_b, dtype);
            INFO("[" << m << ", " << k << "] [" << k << ", " << n << "] " << trans_a << trans_b << " " << dtype);
            REQUIRE(close_to(mm(a, b), product(a, b), k));
          }
        }
      }
    }
  }
}

TEST_CASE("products of nothing are zeros, or nothing", "[gemm]") {
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const int64_t m : {0, 1, 2, 70}) {
        for (const int64_t n : {0, 1, 70}) {
          const Tensor y = mm(matrix(m, 0, trans_a, kFloat32), matrix(0, n, trans_b, kFloat32));
          CHECK(equal(y, zeros({m, n})));
          if (m * n == 0) CHECK(mm(matrix(m, 90, trans_a, kFloat64), matrix(90, n, trans_b, kFloat64)).numel() == 0);
        }
      }
      const Tensor x = zeros({0, 30}, requires_grad()), w = randn({20, 30}, requires_grad());
      linear(x, w).backward(zeros({0, 20}));
      CHECK(equal(w.grad(), zeros({20, 30})));
    }
  }
}

TEST_CASE("products hold at the borders between kernels", "[gemm]") {
  const NoGradGuard no_grad;
  struct Sizes {
    int64_t m, n, k;
  };
  // In turn: dot products; about the smallest that is no small one; long sums; turned up to 256 rows and past; rows a page
  // apart; packed by rows; oneDNN's.
  for (const Sizes s : {Sizes{8, 37, 133}, Sizes{7, 5, 300}, Sizes{40, 40, 41}, Sizes{33, 70, 257}, Sizes{64, 300, 784},
                        Sizes{65, 70, 2049}, Sizes{512, 513, 40}, Sizes{513, 520, 40}, Sizes{30, 1024, 60},
                        Sizes{401, 90, 70}, Sizes{450, 460, 470}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        const Tensor a = matrix(s.m, s.k, trans_a, kFloat32), b = matrix(s.k, s.n, trans_b, kFloat32);
        INFO("[" << s.m << ", " << s.k << "] [" << s.k << ", " << s.n << "] " << trans_a << trans_b);
        REQUIRE(close_to(mm(a, b), product(a, b), s.k));
      }
    }
  }
}

TEST_CASE("products of more than the caches hold are those of their halves", "[gemm]") {
  const NoGradGuard no_grad;
  const auto halves = [](const Tensor& a, const Tensor& b) {
    const int64_t m = a.size(0);
    return cat({mm(a.slice(0, 0, m / 2), b), mm(a.slice(0, m / 2, m), b)});
  };
  const Tensor a = randn({1200, 1024}).t(), b = randn({1200, 256});
  CHECK(equal(mm(a, b), halves(a, b)));
  const Tensor wide = a.reshape({300, 4096}), narrow = b.reshape({4096, 75});  // B is read where it lies
  CHECK(equal(mm(cat({wide, wide}, 1), cat({narrow, narrow})), halves(cat({wide, wide}, 1), cat({narrow, narrow}))));
}

TEST_CASE("tall products of columns that share sets of the cache", "[gemm]") {
  const NoGradGuard no_grad;
  const KeepThreads keep;
  const Tensor a = randn({448, 1024}).t(), b = randn({448, 450});
  set_num_threads(1);
  const Tensor one = mm(a, b);
  set_num_threads(2);
  CHECK(equal(mm(a, b), one));
  CHECK(allclose(one, mm(a.contiguous(), b), 1e-4, 1e-3));
}

TEST_CASE("linear adds its bias and gradients add up in every kernel", "[gemm]") {
  for (const int64_t batch : {1, 5, 40, 300}) {
    CAPTURE(batch);
    const Tensor x = randn({batch, 70}), dy = randn({batch, 90});
    const Tensor w = randn({90, 70}, requires_grad()), bias = randn({90}, requires_grad());
    {
      const NoGradGuard no_grad;
      CHECK(allclose(linear(x, w, bias), mm(x, w.t()) + bias, 1e-4, 1e-4));
    }
    linear(x, w, bias).backward(dy);
    const Tensor once = w.grad().clone();
    linear(x, w, bias).backward(dy);
    CHECK(allclose(w.grad(), once * 2, 1e-4, 1e-3));
    CHECK(close_to(once, product(dy.t(), x), batch));
  }
}

TEST_CASE("NaN and infinity go through products, and stay in their rows and columns", "[gemm]") {
  const NoGradGuard no_grad;
  for (const int64_t m : {2, 30, 64}) {
    for (const bool trans_b : {false, true}) {
      const Tensor a = matrix(m, 70, false, kFloat32), b = matrix(70, 45, trans_b, kFloat32);
      a[1][69].fill_(std::numeric_limits<double>::quiet_NaN());
      b[3][44].fill_(std::numeric_limits<double>::infinity());
      const Tensor y = mm(a, b);
      CHECK(isnan(y[1]).all().item<bool>());
      CHECK(isfinite(y[0].slice(0, 0, 44)).all().item<bool>());
      CHECK(isinf(y[0][44]).item<bool>());
    }
  }
}

TEST_CASE("products have the same bits at any number of threads", "[gemm]") {
  const NoGradGuard no_grad;
  const KeepThreads keep;
  struct Sizes {
    int64_t m, n, k;
  };
  for (const Sizes s : {Sizes{256, 300, 784}, Sizes{300, 784, 256}, Sizes{64, 2048, 300}, Sizes{1024, 300, 100},
                        Sizes{2000, 33, 64}, Sizes{460, 460, 1000}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        for (const DType dtype : {kFloat32, kFloat64}) {
          INFO("[" << s.m << ", " << s.k << "] [" << s.k << ", " << s.n << "] " << trans_a << trans_b << " " << dtype);
          const Tensor a = matrix(s.m, s.k, trans_a, dtype), b = matrix(s.k, s.n, trans_b, dtype);
          set_num_threads(1);
          const Tensor one = mm(a, b);
          for (const int threads : {2, 3, 5}) {
            set_num_threads(threads);
            CHECK(equal(mm(a, b), one));
          }
        }
      }
    }
  }
}

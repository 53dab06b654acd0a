// Start values that are matrices with a structure.
#include <cmath>

#include "tapegrad/autograd/state.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/special.h"

namespace tapegrad::nn::init {
namespace {

void check_dims(const char* op, const Tensor& t, int64_t least, int64_t most) {
  if (!t.defined()) throw ValueError(std::string(op) + ": the tensor must be defined, got an undefined one (Tensor())");
  if (t.dim() < least || t.dim() > most)
    throw ValueError(std::string(op) + ": the tensor must have " +
                     (least == most
                          ? std::to_string(least)
                          : std::to_string(least) + (most == kMaxRank ? " or more" : " to " + std::to_string(most))) +
                     " dims, got shape " + to_string(t.sizes()));
}

// Makes a few rows of n elements orthonormal: modified Gram-Schmidt.
void orthonormalise_few(double* v, int64_t rows, int64_t n) {
  const auto dot = [n](const double* a, const double* b) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  };
  for (int64_t i = 0; i < rows; ++i) {
    double* row = v + i * n;
    for (int64_t k = 0; k < i; ++k) {
      const double* other = v + k * n;
      const double share = dot(row, other);
      for (int64_t j = 0; j < n; ++j) row[j] -= share * other[j];
    }
    const double length = std::sqrt(dot(row, row));
    for (int64_t j = 0; j < n; ++j) row[j] /= length;
  }
}

// Makes the rows of v[rows, n] orthonormal, rows <= n: a few at a time against those before, by matrix products, and all of it
// twice, which is enough for full precision (Giraud et al., 2005).
void orthonormalise(const Tensor& v) {
  constexpr int64_t kFew = 32;
  const int64_t rows = v.size(0), n = v.size(1);
  for (int64_t first = 0; first < rows; first += kFew) {
    const Tensor before = v.slice(0, 0, first), few = v.slice(0, first, std::min(first + kFew, rows));
    for (int pass = 0; pass < 2; ++pass) {
      if (first > 0) few.sub_(mm(mm(few, before.t()), before));
      orthonormalise_few(few.elements<double>(), few.size(0), n);
    }
  }
}

}  // namespace

Tensor trunc_normal_(Tensor t, double mean, double std, double a, double b) {
  check_dims("trunc_normal_", t, 0, kMaxRank);
  if (!(std > 0) || !(a < b))
    throw ValueError("trunc_normal_: std must be positive and a below b, got std " + std::to_string(std) + ", a " +
                     std::to_string(a) + " and b " + std::to_string(b));
  const NoGradGuard no_grad;
  // erf over sqrt(2) is the distribution function, stretched to (-1, 1): computed in double, where its ends are well apart.
  const double root = std::sqrt(2.0) * std;
  const double low = std::erf((a - mean) / root), high = std::erf((b - mean) / root);
  if (!(low < high))  // there is nothing to draw from, and the inverse would give one bound for all
    throw ValueError("trunc_normal_: [a, b] must hold a share of N(mean, std^2) above 1e-16, got mean " +
                     std::to_string(mean) + ", std " + std::to_string(std) + ", a " + std::to_string(a) + " and b " +
                     std::to_string(b));
  const Tensor u = empty(t.sizes(), kFloat64).uniform_(low, high);
  return t.copy_((erfinv(u) * root + mean).clamp(a, b));
}

Tensor orthogonal_(Tensor t, double gain) {
  check_dims("orthogonal_", t, 2, kMaxRank);
  tapegrad::detail::check_host_read("orthogonal_() computes on the host, which a replay would not do again");
  const NoGradGuard no_grad;
  if (t.numel() == 0) return t;
  const int64_t rows = t.size(0), cols = t.numel() / rows;
  const int64_t few = std::min(rows, cols), many = std::max(rows, cols);
  const Tensor q = randn({few, many}, kFloat64);
  orthonormalise(q);
  return t.copy_(((rows <= cols ? q : q.t()) * gain).reshape(t.sizes()));
}

Tensor sparse_(Tensor t, double sparsity, double std) {
  check_dims("sparse_", t, 2, 2);
  if (!(sparsity >= 0 && sparsity <= 1))
    throw ValueError("sparse_: sparsity must be in [0, 1], got " + std::to_string(sparsity));
  const NoGradGuard no_grad;
  init::normal_(t, 0, std);
  const int64_t zeros = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(t.size(0))));
  for (int64_t j = 0; j < t.size(1) && zeros > 0; ++j) t.index_put_({randperm(t.size(0)).slice(0, 0, zeros), j}, 0);
  return t;
}

Tensor eye_(Tensor t) {
  check_dims("eye_", t, 2, 2);
  const NoGradGuard no_grad;
  return t.copy_(eye(t.size(0), t.size(1)));
}

Tensor dirac_(Tensor t, int64_t groups) {
  check_dims("dirac_", t, 3, 5);
  if (groups < 1 || t.size(0) % groups != 0)
    throw ValueError("dirac_: the out channels must be a multiple of groups, got " + std::to_string(t.size(0)) +
                     " and " + std::to_string(groups));
  const NoGradGuard no_grad;
  t.zero_();
  if (t.numel() == 0) return t;
  const int64_t out = t.size(0) / groups;
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < std::min(out, t.size(1)); ++i) {
      Tensor kernel = t[g * out + i][i];
      for (int64_t d = 2; d < t.dim(); ++d) kernel = kernel[t.size(d) / 2];
      kernel.fill_(1);
    }
  }
  return t;
}

}  // namespace tapegrad::nn::init

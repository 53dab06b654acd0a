// The own SIMD kernels, as tables of functions over raw memory: one table per instruction set, chosen once.
#pragma once

#include <cstdint>
#include <type_traits>

#include "tapegrad/core/dtype.h"
#include "tapegrad/ops/kernels/simd/conv.h"
#include "tapegrad/ops/kernels/simd/pool.h"

// The notes below stand in columns.
// clang-format off
namespace tapegrad::kernels::simd {

// One run of an elementwise kernel. Element i of operand k lies at ptr[k] + i * stride[k] (bytes); operand 0 is the
// output, the inputs follow. An output may be the very same memory as an input (in place), never a shifted overlap.
// `attr` holds the op's constants (a slope, bounds), in the order given beside the op below.
using Tile = void (*)(char* const* ptr, const int64_t* stride, int64_t n, const double* attr);

// A pass over contiguous elements.
using Flat = void (*)(void* dst, const void* src, int64_t n);

// Elementwise kernels. "all" = every dtype, "num" = all but bool, "float" = float32 and float64; bfloat16 wherever float32, by way
// of it. Operands have the output's dtype unless said otherwise. NaN propagates through everything arithmetic, maximum and minimum
// included.
enum class Map : uint8_t {
  // y = f(x)
  neg, abs, square,                     // num
  sqrt, exp, log, sigmoid, tanh, relu,  // float (relu: num)
  leaky_relu,                           // float; attr slope
  softplus,                             // float; attr beta, threshold: log(1 + exp(beta x)) / beta, x where beta x > threshold
  clamp,                                // num; attr lo, hi
  sign,                                 // all; sign(0) = 0, sign(NaN) = NaN
  logical_not, isnan, isinf, isfinite,  // bool from all
  // y = f(a, b)
  add, sub, mul, maximum, minimum,      // num (add and maximum, mul and minimum of bool: or, and)
  div,                                  // float
  pow,                                  // num; integers by repeated multiplication, negative exponents give 0 (1 for base 1, +-1 for -1)
  eq, ne, lt, le, gt, ge,               // bool from all
  logical_and,                          // bool from bool
  // y = f(c, a, b)
  where,                                // all; c is bool
  mul_add,                              // float; a * b + c with operands (a, b, c), two roundings
  // fused first-order rules: dx from (dy, v), v the saved output or input
  sigmoid_backward,                     // float; (dy, y): dy y (1 - y)
  tanh_backward,                        // float; (dy, y): dy (1 - y^2)
  relu_backward,                        // float; (dy, y): 0 where y <= 0, else dy
  leaky_relu_backward,                  // float; (dy, x); attr slope
  softplus_backward,                    // float; (dy, x); attr beta, threshold
  clamp_backward,                       // float; (dy, x); attr lo, hi: dy where lo <= x <= hi, else 0
  sqrt_backward,                        // float; (dy, y): dy / (2 y)
  abs_backward,                         // float; (dy, x): dy sign(x)
  square_backward,                      // float; (dy, x): 2 dy x
  // activations, y = f(x), all float
  elu, celu,                            // attr a, s: s x where x > 0, else a (e^x - 1); attr alpha: x, else alpha (e^(x / alpha) - 1)
  silu, mish, gelu, gelu_tanh,          // x times sigmoid, tanh(softplus), normal_cdf, and its approximation by tanh
  normal_cdf,                           // (1 + erf(x / sqrt 2)) / 2
  hardsigmoid, hardswish,               // g = min(max(x + 3, 0), 6) / 6; x g
  softsign, log_sigmoid, tanhshrink,    // x / (1 + |x|); ln sigmoid(x); x - tanh x
  softshrink, hardshrink,               // attr lambda: x moved by lambda towards 0, 0 where |x| <= lambda; x, 0 there
  threshold,                            // attr threshold, value: value where x <= threshold, else x
  prelu,                                // (x, w): x where x > 0, else w x
  glu,                                  // (a, b): a sigmoid(b)
  // their fused first-order rules, all float: from (dy, x) with the attr of the op unless said otherwise
  elu_backward, celu_backward, silu_backward, mish_backward, gelu_backward, gelu_tanh_backward,
  hardsigmoid_backward, hardswish_backward, softsign_backward, log_sigmoid_backward, tanhshrink_backward,
  shrink_backward,                      // attr lambda: 0 where |x| <= lambda, else dy
  threshold_backward,
  hardtanh_backward,                    // (dy, y); attr lo, hi: dy where lo < y < hi, else 0 (NaN gives dy)
  prelu_backward,                       // (dy, x, w): dy where x > 0, else w dy
  prelu_backward_weight,                // (dy, x): 0 where x > 0, else x dy
  glu_backward_gate,                    // (dy, a, b): dy a s (1 - s) with s = sigmoid(b)
  // y = f(x): exponentials, logarithms, roots; trigonometric, hyperbolic, error and gamma functions; rounding
  exp2, expm1, log1p, log2, log10, rsqrt, reciprocal,  // float
  sin, cos, tan, asin, acos, atan,                     // float
  sinh, cosh, asinh, acosh, atanh,                     // float
  erf, erfc, erfinv, lgamma, digamma,                  // float
  polygamma,                            // float; attr n: the n-th derivative of digamma
  floor, ceil, trunc, round, frac,      // float; round: halves to even
  round_decimals,                       // float; attr p, s: round(x p) / p, or where s < 0, round(x / p) p
  nan_to_num,                           // float; attr for NaN, inf, -inf
  // y = f(a, b)
  fmod, remainder,                      // num; the sign of a, of b; integers by 0 give 0
  atan2, hypot,                         // float
  // y = f(x, a, b)
  lerp,                                 // float; x + b (a - x)
  addcmul, addcdiv,                     // float; attr v: x + v a b, x + v a / b
  // fused first-order rules
  sin_backward, cos_backward,           // float; (dy, x): dy cos x, -dy sin x
  count_
};

// Reductions over `cols` contiguous elements per row, or over `rows` for each of `cols` contiguous columns.
// sum has a fixed tree (blocks of a fixed size, several accumulators), so its bits never depend on the caller's threads.
constexpr int64_t kSumBlock = 1024;  // terms of a floating sum added at a stretch; the sums of blocks are joined pairwise
enum class Reduce : uint8_t { sum, amax, amin, prod, count_ };

// The two matrices of a product: C[m,n] (+)= op(A)[m,k] op(B)[k,n] (+ bias[n]); all row-major, op transposes when asked.
template <class T, class C = T> struct Gemm {
  int64_t m, n, k;
  const T* a; int64_t lda; bool trans_a;  // trans_a: A is stored [k, m]
  const T* b; int64_t ldb; bool trans_b;  // trans_b: B is stored [n, k]
  C* c; int64_t ldc;
  const T* bias;                          // length n, or null
  bool accumulate;                        // add to C instead of overwriting it
};

// What a step reads and writes of one parameter, contiguous elements of one floating dtype; steps does not concern the kernels.
struct StepPiece {
  void* p; const void* g; void* state[3];
  int64_t n;
  int64_t* steps;
};
// Elements of pieces that lie one behind the other as if they were one array: `count` of them, from element `first` of piece[0] on.
struct StepRange {
  const StepPiece* piece;
  int64_t first, count;
};

struct StepOptions {                      // of all steps; they multiply the gradient by `scale` (of its dtype) first
  double lr, weight_decay, scale;
  bool maximize;
};

struct SgdStep : StepOptions {            // state: the momentum buffer
  double momentum, dampening;
  bool nesterov, buffered, first;         // first: the buffer starts as the gradient
};

struct AdamStep : StepOptions {           // state: first and second moment, and with amsgrad the largest second moment so far
  double beta1, beta2, eps;
  double correction1, correction2;        // 1 - beta1^t, 1 - beta2^t
  double shrink;                          // p is multiplied by it first: 1, or 1 - lr weight_decay where that is decoupled
  bool amsgrad;
  double gradient_rate = 0;               // times g is taken off beside lr / correction1 times m, over the same denominator
  bool adaptive = true;                   // else the denominator is 1
};

struct RmspropStep : StepOptions {        // state: mean square; momentum buffer, where buffered; mean gradient, where centered
  double alpha, eps, momentum;
  bool buffered, centered;
};

struct AdagradStep : StepOptions {        // state: sum of squares; lr: this step's, already decayed
  double eps;
};

// Kernels for one floating type. Rows are contiguous, `ld` elements apart; sizes may be zero.
template <class T> struct Floating {
  // One thread each. An element of C is the same sum in the same order however rows and columns are split between calls of one kind.
  void (*gemm_small)(const Gemm<T>&);                 // no workspace; meant for up to about 32x32x32
  void (*gemm)(const Gemm<T>&, T* workspace);         // blocked; workspace of gemm_workspace() elements
  int64_t (*gemm_workspace)(const Gemm<T>&);         // 0 where B is read where it lies
  void (*gemm_turned)(const Gemm<T>&, T* workspace);  // C^T = B A^T for trans_b and few rows: B, read once, is not copied
  int64_t (*gemm_turned_workspace)(int64_t m, int64_t n, int64_t k);
  // B is what pack() wrote, packed_size() elements: op(B)[k,n], where trans stored [n, k]; its ldb and trans_b do not matter. A is not transposed.
  void (*gemm_packed)(const Gemm<T>&);
  void (*pack)(const T* b, int64_t ldb, bool trans, int64_t k, int64_t n, T* packed);
  int64_t (*packed_size)(int64_t k, int64_t n);
  void (*gemm_few)(const Gemm<T>&);                   // trans_b and not trans_a, a few rows: by dot products
  void (*gemv)(const Gemm<T>&);                       // m == 1: C = A op(B) (+ bias)
  void (*softmax)(const T* x, T* y, int64_t rows, int64_t cols, bool log);
  void (*softmax_backward)(const T* dy, const T* y, T* dx, int64_t rows, int64_t cols, bool log);
  void (*logsumexp)(const T* x, T* y, int64_t rows, int64_t cols);
  // loss[r] = -log softmax(x[r])[target[r]], 0 for a target outside [0, cols); lse[r] keeps logsumexp(x[r]) for the gradient.
  void (*cross_entropy)(const T* x, const int64_t* target, T* loss, T* lse, int64_t rows, int64_t cols);
  // dx[r] = scale[r] (softmax(x[r]) - onehot(target[r])); a row with scale 0 is written as 0.
  void (*cross_entropy_backward)(const T* x, const T* lse, const int64_t* target, const T* scale, T* dx, int64_t rows, int64_t cols);
  // The same for each of `cols` contiguous columns of `rows` elements that lie `ld` apart.
  void (*softmax_cols)(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld, bool log);
  void (*softmax_backward_cols)(const T* dy, const T* y, T* dx, int64_t rows, int64_t cols, int64_t ld, bool log);
  void (*logsumexp_cols)(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld);
  // first[0] = sum of (x - mean), second[0] = sum of (x - mean)^2 over n elements; and the same for each column, which has its own mean
  void (*deviations)(const T* x, T mean, int64_t n, T* first, T* second);
  void (*deviations_cols)(const T* x, const T* mean, T* first, T* second, int64_t rows, int64_t cols, int64_t ld);
  // dst[i, j] = (sum over k of |x[i, k] - y[k, j]|^p)^(1/p) for p = 0, 1, 2 and infinity, as norm(); x is [rows, n], y is [n, cols]
  void (*distances)(const T* x, const T* y, T* dst, int64_t rows, int64_t n, int64_t cols, double p);
  // ptr[0][r, c] = f(ptr[1][r, c], ptr[2][r, c]) by a tile of f, and its sum over the rows, as reduce_cols takes it.
  void (*map_sum_cols)(Tile tile, char* const* ptr, void* sums, int64_t rows, int64_t cols, int64_t ld);
  // Normalisation of n contiguous elements with one mean m, or (cols) of columns that lie side by side, each with its own constants.
  void (*normalize)(const T* x, T* y, int64_t n, T m, T a, T b);  // y = (x - m) a + b
  void (*normalize_row)(const T* x, T* y, const T* w, const T* v, int64_t n, T m, T a, T b);  // y = ((x - m) a + b) w + v
  void (*normalize_cols)(const T* x, T* y, const T* m, const T* a, const T* b, int64_t rows, int64_t cols, int64_t ld);
  // sums[0] = sum of g, sums[1] = sum of g (x - m), with g = dy or, unless w is null, dy w; and the same for each column.
  void (*normalize_sums)(const T* dy, const T* x, const T* w, int64_t n, T m, T* sums);
  void (*normalize_sums_cols)(const T* dy, const T* x, const T* m, T* first, T* second, int64_t rows, int64_t cols, int64_t ld);
  // dx = (dy w + ((x - m) b + c)) a; without w for columns
  void (*normalize_slope)(const T* dy, const T* x, T* dx, int64_t n, T m, T w, T a, T b, T c);
  void (*normalize_slope_cols)(const T* dy, const T* x, T* dx, const T* m, const T* a, const T* b, const T* c, int64_t rows, int64_t cols,
                               int64_t ld);
  // The same with a w of every element's own, and unless dw is null, dw += dy a (x - m), dv += dy
  void (*normalize_slope_row)(const T* dy, const T* x, const T* w, T* dx, T* dw, T* dv, int64_t n, T m, T a, T b, T c);
  // One row of a recurrent cell with n units. lstm: gates hold a, n elements for each of i, f, g, o, and become sigmoid, sigmoid, tanh, sigmoid of
  // them; c_new = f c + i g, h = o tanh c_new. Backward: da and dc from dh and dc_new (or null); dc may be dc_new.
  void (*lstm)(T* gates, const T* c, T* c_new, T* h, int64_t n);
  void (*lstm_backward)(const T* dh, const T* dc_new, const T* gates, const T* c, const T* c_new, T* da, T* dc, int64_t n);
  // gates r, z = sigmoid(gx + gh), v = tanh(gx + r gh), n elements each; h_new = v + z (h - v); gates may be gx.
  // Backward: from gh's last n elements, dgx and dgh, and dh without what comes by dgh; it may be dh_new.
  void (*gru)(const T* gx, const T* gh, const T* h, T* gates, T* h_new, int64_t n);
  void (*gru_backward)(const T* dh_new, const T* gates, const T* gh_n, const T* h, T* dgx, T* dgh, T* dh, int64_t n);
  T (*dot)(const T* a, const T* b, int64_t n);
  ConvKernels<T> conv;
  PoolKernels<T> pool;
  // Keeps the multiply-add units busy with x[0] and x[1], for x[2]; returns how many operations that were.
  int64_t (*multiply_adds)(T* x, int64_t rounds);
  void (*sgd)(const SgdStep&, const StepRange&);
  void (*adam)(const AdamStep&, const StepRange&);
  void (*rmsprop)(const RmspropStep&, const StepRange&);
  void (*adagrad)(const AdagradStep&, const StepRange&);
  // The sum of |x|^p over n elements for p = 1 and 2, in double; for p infinite the largest |x|, NaN if there is one.
  double (*norm_term)(const T* x, int64_t n, double p);
  void (*scale)(T* x, int64_t n, T by);               // x[i] = x[i] by
};

// Products of bfloat16, added up in float32; all null where the CPU has no instruction for them. Every element of A and B stands for
// two terms, and k counts such pairs. Workspaces as float32's. Denormal numbers count as 0.
constexpr int64_t kPairDepth = 256;
struct PairProducts {
  void (*gemm_few)(const Gemm<float>&);
  void (*gemm_small)(const Gemm<float>&);
  void (*gemm)(const Gemm<float>&, float* workspace);
  void (*gemm_turned)(const Gemm<float>&, float* workspace);
  // Rounded to nearest, ties to even, as they are written: for k up to kPairDepth, not added to C.
  void (*gemm_small_rounded)(const Gemm<float, BFloat16>&);
  void (*gemm_rounded)(const Gemm<float, BFloat16>&, float* workspace);
  int64_t (*gemm_rounded_workspace)(const Gemm<float, BFloat16>&);
  void (*round)(const float* x, int64_t n, BFloat16* y);
};

struct Table {
  const char* isa;                                              // "sse4", "avx2", "avx512"; "native" where the CPU is not an x86
  Tile map[static_cast<int>(Map::count_)][kDTypes];                   // by Map and DType (of the inputs a, b, x); null where not offered
  // y = f(x, s) for bfloat16 x and a float32 s; null for what is no function of two operands.
  Tile map_number[static_cast<int>(Map::count_)];
  // rows: dst[r] = reduce(src[r * ld + 0 .. cols)); cols: dst[c] = reduce over r of src[r * ld + c]. src and dst have dtype
  // of the table row; sum of bool and integers goes through a cast to int64 before it comes here (int64 is offered).
  void (*reduce_rows[static_cast<int>(Reduce::count_)][kDTypes])(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld);
  // The sums of bfloat16 are float32, with the bits of the sum of converted elements.
  // The sum of n sums of blocks, as reduce_rows takes it for more than one block; float32 and float64.
  void (*join_sums[kDTypes])(const void* sums, void* dst, int64_t n);
  void (*reduce_cols[static_cast<int>(Reduce::count_)][kDTypes])(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld);
  // index of the largest (smallest) element of each row, the first of equals, the first NaN if there is one
  void (*argmax_rows[kDTypes])(const void* src, int64_t* dst, int64_t rows, int64_t cols, int64_t ld, bool smallest);
  // the same for each of `cols` contiguous columns; rows is at least 1
  void (*argmax_cols[kDTypes])(const void* src, int64_t* dst, int64_t rows, int64_t cols, int64_t ld, bool smallest);
  Flat fill[kDTypes];                                                 // dst[i] = *src
  Flat add_into[kDTypes];                                             // dst[i] += src[i]; null for bool
  // bfloat16 from float32, to nearest, ties to even; and back.
  Tile narrow_tile, widen_tile;
  // dst[p * cols + c] = the pair x[2p * ld + c], x[(2p + 1) * ld + c]; the term after the last row is 0.
  void (*interleave)(const BFloat16* x, int64_t ld, int64_t rows, int64_t cols, float* dst);
  PairProducts pairs;
  // Philox4x32-10: words first .. first + n of the stream (seed, op). Word i is lane i % 4 of counter (i / 4, op) under key
  // seed, so a stream cut anywhere gives the same words.
  void (*philox)(uint64_t seed, uint64_t op, uint64_t first, uint32_t* dst, int64_t n);
  Floating<float> f32;
  Floating<double> f64;
};

template <class T> const Floating<T>& floating(const Table& t) {
  static_assert(std::is_floating_point_v<T>);
  if constexpr (sizeof(T) == 4) return t.f32; else return t.f64;
}

// The table in use: the best this CPU runs, or the one named by TAPEGRAD_CPU_ISA (sse4, avx2, avx512).
TAPEGRAD_API const Table& table();

// For tests: names the tables this CPU can run (null-terminated), and switches; false if the CPU cannot.
TAPEGRAD_API const char* const* available();
TAPEGRAD_API bool select(const char* isa);

}  // namespace tapegrad::kernels::simd

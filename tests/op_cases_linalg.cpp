// Rows of the matrix products.
#include "op_cases.h"

namespace op_cases {
namespace {

// y[i,j] += a[i,k] b[k,j] for matrices that begin at these offsets.
void product(const Array& a, int64_t at_a, const Array& b, int64_t at_b, Array& y, int64_t at_y, int64_t m, int64_t k,
             int64_t n) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t l = 0; l < k; ++l) {
        const double term = a[at_a + i * k + l] * b[at_b + l * n + j];
        y[at_y + i * n + j] += term;
        y.magnitude[static_cast<size_t>(at_y + i * n + j)] += std::abs(term);
      }
    }
  }
}

Array zeros_of(const Shape& sizes) {
  Array y(sizes);
  y.magnitude.resize(y.v.size());
  return y;
}

Case mm_case(int64_t m, int64_t k, int64_t n) {
  return {std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n),
          {{.sizes = {m, k}}, {.sizes = {k, n}}},
          [](const Tensors& in) { return mm(in[0], in[1]); },
          [=](const std::vector<Array>& in) {
            Array y = zeros_of({m, n});
            product(in[0], 0, in[1], 0, y, 0, m, k, n);
            return y;
          },
          k};
}

Case bmm_case(int64_t batch, int64_t m, int64_t k, int64_t n) {
  return {std::to_string(batch) + " of " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n),
          {{.sizes = {batch, m, k}}, {.sizes = {batch, k, n}}},
          [](const Tensors& in) { return bmm(in[0], in[1]); },
          [=](const std::vector<Array>& in) {
            Array y = zeros_of({batch, m, n});
            for (int64_t b = 0; b < batch; ++b) product(in[0], b * m * k, in[1], b * k * n, y, b * m * n, m, k, n);
            return y;
          },
          k};
}

// By rank, with broadcast batches: NumPy's rules, written over indices.
Array matmul_reference(const std::vector<Array>& in) {
  Shape a = in[0].sizes, b = in[1].sizes;
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(0, 1);
  if (column) b.push_back(1);
  const int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  const auto batch_of = [](const Shape& s) { return Shape(IntArrayRef(s.data(), s.size() - 2)); };
  const Shape batch = broadcast_shapes(batch_of(a), batch_of(b), "reference");
  const Array places_a = [&] {
    Array p(batch_of(a));
    for (int64_t i = 0; i < p.numel(); ++i) p[i] = static_cast<double>(i);
    return p;
  }();
  const Array places_b = [&] {
    Array p(batch_of(b));
    for (int64_t i = 0; i < p.numel(); ++i) p[i] = static_cast<double>(i);
    return p;
  }();
  Shape result = batch;
  if (!row) result.push_back(m);
  if (!column) result.push_back(n);
  Array y = zeros_of(result);
  for (int64_t i = 0; i < numel_of(batch, "reference"); ++i)
    product(in[0], static_cast<int64_t>(places_a.at(i, batch)) * m * k, in[1],
            static_cast<int64_t>(places_b.at(i, batch)) * k * n, y, i * m * n, m, k, n);
  return y;
}

Case linear_case(const Shape& x, int64_t out, bool bias) {
  const int64_t in_size = x.back();
  std::vector<Arg> args{{.sizes = x}, {.sizes = {out, in_size}}};
  if (bias) args.push_back({.sizes = {out}});
  return {to_string(x) + " to " + std::to_string(out) + (bias ? " with bias" : ""), args,
          [](const Tensors& in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor()); },
          [=](const std::vector<Array>& in) {
            Shape result = x;
            result[result.size() - 1] = out;
            Array y = zeros_of(result);
            for (int64_t i = 0; i < y.numel(); ++i) {
              const auto add = [&](double term) {
                y[i] += term, y.magnitude[static_cast<size_t>(i)] += std::abs(term);
              };
              if (bias) add(in[2][i % out]);
              for (int64_t l = 0; l < in_size; ++l) add(in[0][i / out * in_size + l] * in[1][i % out * in_size + l]);
            }
            return y;
          },
          in_size + 1};
}

double product_flops(const Tensors& in, const Tensor& y) {
  return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(in[0].size(-1));
}

double activated(LinearActivation f, double z) {
  return f == LinearActivation::relu      ? std::max(z, 0.0)
         : f == LinearActivation::sigmoid ? 1 / (1 + std::exp(-z))
                                          : std::tanh(z);
}

// As linear_case, with an activation on top; its slope is at most 1, so the magnitudes of linear's terms do.
Case linear_activation_case(const Shape& x, int64_t out, bool bias, LinearActivation f) {
  Case c = linear_case(x, out, bias);
  c.label += f == LinearActivation::relu ? ", relu" : f == LinearActivation::sigmoid ? ", sigmoid" : ", tanh";
  c.f = [f](const Tensors& in) { return linear_activation(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), f); };
  c.reference = [f, product = c.reference](const std::vector<Array>& in) {
    Array y = product(in);
    for (double& z : y.v) z = activated(f, z);
    return y;
  };
  return c;
}

Row linear_activation_row() {
  Row row{.name = "linear_activation", .cases = {}};
  for (const LinearActivation f : {LinearActivation::relu, LinearActivation::sigmoid, LinearActivation::tanh}) {
    for (const Shape& x : std::vector<Shape>{{5, 3}, {1, 40}, {3}, {2, 4, 3}, {0, 3}, {33, 35}}) {
      for (const bool bias : {true, false}) row.cases.push_back(linear_activation_case(x, 4, bias, f));
    }
    row.bench.push_back(linear_activation_case({64, 784}, 300, true, f));
    row.bench.push_back(linear_activation_case({300, 64}, 300, true, f));  // its gradient is summed strip by strip
    for (size_t i = row.bench.size() - 2; i < row.bench.size(); ++i) row.bench[i].reference = {};
  }
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            linear_activation(ones({2, 3}), ones({3, 4}), {}, LinearActivation::relu);
          },
          "linear_activation: the last size of x must be weight's in, x is [2, 3] and weight is [3, 4] (did you mean "
          "weight.t()?)"),
      bad<ShapeError>(
          [] {
            linear_activation(ones({2, 3}), ones({4, 3}), ones({3}), LinearActivation::tanh);
          },
          "linear_activation: bias must be [out], bias is [3] and weight is [4, 3]"),
      bad<DTypeError>(
          [] {
            linear_activation(ones({2, 3}), ones({4, 3}), ones({4}, kFloat64), LinearActivation::sigmoid);
          },
          "linear_activation: bias must have the dtype of x and weight, got bias float64 and x float32 (did you mean "
          "to()?)")};
  row.flops = product_flops;
  return row;
}

}  // namespace

std::vector<Row> linalg_rows() {
  Row mm_row{.name = "mm", .cases = {}};
  for (const auto& [m, k, n] : {std::array<int64_t, 3>{3, 5, 2},
                                {1, 7, 3},
                                {4, 1, 6},
                                {5, 3, 1},
                                {0, 3, 2},
                                {3, 0, 2},
                                {2, 3, 0},
                                {17, 13, 19},
                                {33, 31, 35},
                                {65, 129, 67},
                                {1, 300, 100},
                                {130, 70, 140}})
    mm_row.cases.push_back(mm_case(m, k, n));
  mm_row.bad_inputs = {bad<ShapeError>(
                           [] {
                             mm(ones({2, 3}), ones({4, 3}));
                           },
                           "mm: inner sizes differ, a is [2, 3] and b is [4, 3] (did you mean b.t()?)"),
                       bad<ShapeError>(
                           [] {
                             mm(ones({2}), ones({2, 3}));
                           },
                           "mm: a and b must have 2 dims, a is [2] and b is [2, 3] (did you mean matmul()?)"),
                       bad<DTypeError>(
                           [] {
                             mm(ones({2, 2}), ones({2, 2}, kFloat64));
                           },
                           "mm: a and b must have one dtype, got float32 and float64 (did you mean to()?)"),
                       bad<DTypeError>(
                           [] {
                             mm(ones({2, 2}, kInt64), ones({2, 2}, kInt64));
                           },
                           "mm: a and b must be float32 or float64, got int64 (did you mean to(kFloat32)?)")};
  for (int64_t n : {4, 64, 256, 512, 1024, 2048}) mm_row.bench.push_back(mm_case(n, n, n));
  for (Case& c : mm_row.bench) c.reference = {};
  mm_row.flops = product_flops;

  Row bmm_row{.name = "bmm",
              .cases = {bmm_case(2, 3, 5, 4), bmm_case(1, 2, 3, 2), bmm_case(0, 2, 3, 2), bmm_case(3, 2, 0, 2),
                        bmm_case(4, 17, 9, 33)}};
  bmm_row.bad_inputs = {bad<ShapeError>(
      [] {
        bmm(ones({2, 3, 4}), ones({3, 4, 5}));
      },
      "bmm: batch sizes differ, a is [2, 3, 4] and b is [3, 4, 5]")};
  bmm_row.bench = {bmm_case(16, 128, 64, 128)};
  bmm_row.bench[0].reference = {};
  bmm_row.flops = product_flops;

  Row matmul_row{.name = "matmul", .cases = {}};
  const std::pair<Shape, Shape> pairs[] = {{{5}, {5}},
                                           {{3, 5}, {5}},
                                           {{5}, {5, 2}},
                                           {{3, 5}, {5, 2}},
                                           {{2, 3, 5}, {5, 4}},
                                           {{3, 5}, {2, 5, 4}},
                                           {{2, 1, 3, 5}, {3, 5, 2}},
                                           {{2, 3, 5}, {5}},
                                           {{5}, {2, 5, 3}},
                                           {{0}, {0}},
                                           {{2, 0, 3}, {3, 2}}};
  for (const auto& [a, b] : pairs)
    matmul_row.cases.push_back({to_string(a) + " " + to_string(b),
                                {{.sizes = a}, {.sizes = b}},
                                [](const Tensors& in) { return matmul(in[0], in[1]); },
                                matmul_reference,
                                a.back()});
  matmul_row.bad_inputs = {
      bad<ShapeError>(
          [] {
            matmul(ones({32, 784}), ones({300, 784}));
          },
          "matmul: inner sizes differ, a is [32, 784] and b is [300, 784] (did you mean b.t()?)"),
      bad<ShapeError>([] { matmul(ones({}), ones({2})); },
                      "matmul: a and b must have at least 1 dim, a is [] and b is [2] (did you mean mul()?)")};

  Row linear_row{.name = "linear", .cases = {}};
  for (const bool bias : {false, true}) {
    for (const Shape& x : {Shape{3, 5}, Shape{5}, Shape{2, 3, 5}, Shape{1, 7}, Shape{0, 3}, Shape{33, 65}})
      linear_row.cases.push_back(linear_case(x, 4, bias));
    linear_row.bench.push_back(linear_case({64, 784}, 300, bias));
    linear_row.bench.back().reference = {};
  }
  linear_row.bad_inputs = {
      bad<ShapeError>(
          [] {
            linear(ones({2, 3}), ones({3, 4}));
          },
          "linear: the last size of x must be weight's in, x is [2, 3] and weight is [3, 4] (did you mean weight.t()?)"),
      bad<ShapeError>(
          [] {
            linear(ones({2, 3}), ones({3}));
          },
          "linear: weight must be [out, in], got shape [3]"),
      bad<ShapeError>(
          [] {
            linear(ones({2, 3}), ones({4, 3}), ones({3}));
          },
          "linear: bias must be [out], bias is [3] and weight is [4, 3]"),
      bad<DTypeError>(
          [] {
            linear(ones({2, 3}), ones({4, 3}), ones({4}, kFloat64));
          },
          "linear: bias must have the dtype of x and weight, got bias float64 and x float32 (did you mean to()?)"),
      bad<DTypeError>(
          [] {
            linear(ones({2, 3}), ones({4, 3}, kFloat64));
          },
          "linear: x and weight must have one dtype, got float32 and float64 (did you mean to()?)"),
      bad<ValueError>(
          [] {
            linear(ones({2, 3}), Tensor());
          },
          "linear: weight must be defined, got an undefined tensor (Tensor())")};
  linear_row.flops = product_flops;
  return {mm_row, bmm_row, matmul_row, linear_row, linear_activation_row()};
}

}  // namespace op_cases

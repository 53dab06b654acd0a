// THE table of operations: one row per public op. It drives the property tests, the benchmarks and the op table of the docs.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tapegrad/tapegrad.h"

namespace op_cases {

using namespace tapegrad;
using Tensors = std::vector<Tensor>;

// Numbers in double, row-major: what references read and return.
struct Array {
  Shape sizes;
  std::vector<double> v = {};
  std::vector<double> magnitude = {};  // per element, sum of the absolute terms it is made of; empty: |v|

  explicit Array(const Shape& s) : sizes(s), v(static_cast<size_t>(numel_of(s, "array"))) {}
  Array(const Shape& s, std::vector<double> values) : sizes(s), v(std::move(values)) {}
  double& operator[](int64_t i) { return v[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return v[static_cast<size_t>(i)]; }
  int64_t numel() const { return static_cast<int64_t>(v.size()); }
  int64_t size(int64_t dim) const { return sizes[dim < 0 ? dim + sizes.size() : dim]; }
  // Element i (row-major in `as`, to which this broadcasts).
  double at(int64_t i, const Shape& as) const;
};

// Where elements are drawn from: uniform in [low, high), and not within `away` of 0. Integers are rounded down.
struct Domain {
  double low = -2, high = 2;
  double away = 0;
};

// One operand of a case. kFloat32 stands for the floating dtype under test; any other dtype is taken as it is.
struct Arg {
  Shape sizes;
  Domain domain = {};
  DType dtype = kFloat32;
  bool constant = false;            // never differentiated (a target, a mask, a class weight)
  std::vector<double> values = {};  // these instead of random ones

  bool differentiable() const { return is_floating_point(dtype) && !constant; }
};

using Function = std::function<Tensor(const Tensors&)>;
using Reference = std::function<Array(const std::vector<Array>&)>;

// One call of the op: operands, the call itself (attributes live in the closure), and what must come out.
struct Case {
  std::string label;
  std::vector<Arg> args;
  Function f;
  Reference reference;
  int64_t terms = 1;            // length of the longest sum behind one element of the result
  int order = 3;                // how often the result can be differentiated: 0 for integer results, 3 for any order
  bool own_attributes = false;  // not what the row's in-place form computes
};

// A call that must fail, and the exact text of its error.
struct BadInput {
  std::function<void()> call;
  std::string text;
};
// The call must throw an E with this text; another type is reported as such.
template <class E> BadInput bad(std::function<void()> call, std::string text);

struct Row {
  std::string name;  // as exported
  std::vector<Case> cases;
  std::vector<BadInput> bad_inputs = {};
  Function in_place = {};            // the in-place form, written into operand 0; for the cases whose result fits it
  std::vector<DType> integers = {};  // further dtypes in which the reference must come out exactly
  bool elementwise = false;          // also tested at 0, +-inf, NaN, 1e+-38, and over vector tails
  bool view = false;                 // the result shares memory with operand 0
  bool needs_contiguous = false;     // refuses other layouts, by contract
  bool reads_values = false;         // on the host, for the shape of its result or for an error: no part of a capture
  std::vector<Case> bench = {};      // calls to be timed (no reference)
  // Work of a benchmarked call; bytes are those of the operands and the result.
  std::function<double(const Tensors& in, const Tensor& out)> flops = {};
};

// The whole table, made once.
const std::vector<Row>& table();
// Its families, one file each.
std::vector<Row> elementwise_rows();
std::vector<Row> compare_rows();
std::vector<Row> shape_rows();
std::vector<Row> indexing_rows();
std::vector<Row> linalg_rows();
std::vector<Row> reduce_rows();
std::vector<Row> loss_rows();
std::vector<Row> activation_rows();
std::vector<Row> margin_rows();
std::vector<Row> distance_rows();
std::vector<Row> likelihood_rows();
std::vector<Row> sampling_rows();
std::vector<Row> statistics_rows();
std::vector<Row> order_rows();
std::vector<Row> products_rows();
std::vector<Row> einsum_rows();
std::vector<Row> math_rows();
std::vector<Row> trigonometry_rows();
std::vector<Row> special_rows();
std::vector<Row> rounding_rows();
std::vector<Row> blend_rows();

// What cases that draw from the default generator seed it with.
constexpr uint64_t kDrawSeed = 20;

// Operands of a case with elements from their domains, the same for the same seed, contiguous, float args in `floating`.
Tensors sample(const Case& c, DType floating, uint64_t seed);
// The elements of any tensor, in double.
Array values_of(const Tensor& x);
Tensor tensor_of(const Array& a, DType dtype);

// Rows of functions of one element (of two, broadcast): shapes, benchmark sizes and in-place cases come by themselves.
struct Elementwise {
  Domain a = {}, b = {};
  Function in_place = {};
  std::vector<DType> integers = {};
  std::vector<BadInput> bad_inputs = {};
  int order = 3;
  double flops = 1;  // per element
};
Row unary(const std::string& name, std::function<Tensor(const Tensor&)> f, std::function<double(double)> reference,
          Elementwise options = {});
Row binary(const std::string& name, std::function<Tensor(const Tensor&, const Tensor&)> f,
           std::function<double(double, double)> reference, Elementwise options = {});
// The reference of a function of one element, of two.
Reference map(std::function<double(double)> f);
Reference map(std::function<double(double, double)> f);

// How far a result in `dtype` may be from the exact one: the only tolerance there is.
double tolerance(DType dtype, double magnitude, int64_t terms);

template <class E> BadInput bad(std::function<void()> call, std::string text) {
  return {[call] {
            try {
              call();
            } catch (const E&) { throw; } catch (const std::exception& e) {
              throw std::logic_error(std::string("another type of error: ") + e.what());
            }
          },
          std::move(text)};
}

// Rows of operations that move elements; their families.
using At = std::vector<int64_t>;  // one index per dim
using Call = std::function<Tensor(const Tensor&)>;
// Element `at` of the result is element from(at) of operand 0, counted row-major, or 0 where that is negative.
Reference picked(Shape result, std::function<int64_t(const At&)> from);
// The rows of a matrix in this order; the columns.
Reference rows_in(At order, int64_t width);
Reference columns_in(At order, int64_t height, int64_t width);
// A case of one operand; one to be timed; a row that is exact in every dtype.
Case moving(const std::string& label, const Shape& sizes, Call f, Reference reference, int64_t terms = 1);
Case timed(const Shape& sizes, Call f);
Row row_of(const std::string& name, std::vector<Case> cases, std::vector<BadInput> bad_inputs, bool view = false);
std::vector<Row> view_rows();
std::vector<Row> rearrange_rows();
std::vector<Row> pad_rows();
std::vector<Row> max_pool_rows();
std::vector<Row> pool_rows();
std::vector<Row> interpolate_rows();
std::vector<Row> gather_rows();
std::vector<Row> embedding_rows();
std::vector<Row> select_rows();
std::vector<Row> conv_rows();
std::vector<Row> recurrent_rows();
std::vector<Row> normalization_rows();
std::vector<Row> attention_rows();

}  // namespace op_cases

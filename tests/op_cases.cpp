// The table of operations put together from its families, and what their rows are written with.
#include "op_cases.h"

#include <limits>

#include "tapegrad/core/philox.h"

namespace op_cases {

const std::vector<Row>& table() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all;
    for (auto* family : {elementwise_rows, compare_rows, shape_rows, indexing_rows, linalg_rows, reduce_rows, loss_rows,
                         // exponentials to rounding
                         math_rows, trigonometry_rows, special_rows, rounding_rows, blend_rows}) {
      for (Row& row : family()) all.push_back(std::move(row));
    }
    for (auto* family : {activation_rows, margin_rows, distance_rows, likelihood_rows, sampling_rows, statistics_rows,
                         order_rows, products_rows, einsum_rows}) {
      for (Row& row : family()) all.push_back(std::move(row));
    }
    for (auto* family : {view_rows, rearrange_rows, pad_rows, max_pool_rows, pool_rows, interpolate_rows, gather_rows,
                         embedding_rows, select_rows, conv_rows, normalization_rows, recurrent_rows, attention_rows}) {
      for (Row& row : family()) all.push_back(std::move(row));
    }
    return all;
  }();
  return rows;
}

double Array::at(int64_t i, const Shape& as) const {
  int64_t offset = 0;
  int64_t stride = 1;
  const int64_t lead = as.size() - sizes.size();
  for (int64_t d = as.size() - 1; d >= 0; --d) {
    const int64_t index = i % as[d];
    i /= as[d];
    if (d < lead) continue;
    if (sizes[d - lead] != 1) offset += index * stride;
    stride *= sizes[d - lead];
  }
  return v[static_cast<size_t>(offset)];
}

Array values_of(const Tensor& x) {
  const Tensor flat = contiguous_of(to(x.detach(), kFloat64));
  Array a(flat.sizes());
  for (int64_t i = 0; i < a.numel(); ++i) a[i] = flat.data_ptr<double>()[i];
  return a;
}

Tensor tensor_of(const Array& a, DType dtype) {
  const Tensor x = tensor(a.v, kFloat64).view(a.sizes).clone();  // not a view
  return dtype == kFloat64 ? x : contiguous_of(to(x, dtype));
}

Tensors sample(const Case& c, DType floating, uint64_t seed) {
  Generator generator(seed);
  Tensors inputs;
  for (const Arg& arg : c.args) {
    const bool real = is_floating_point(arg.dtype);
    Array a(arg.sizes);
    if (!arg.values.empty()) {
      a.v = arg.values;
    } else {
      const Tensor u = rand(arg.sizes, generator, kFloat64);
      for (int64_t i = 0; i < a.numel(); ++i) {
        double x = arg.domain.low + (arg.domain.high - arg.domain.low) * u.data_ptr<double>()[i];
        if (std::abs(x) < arg.domain.away) x += x < 0 ? -arg.domain.away : arg.domain.away;
        a[i] = real ? x : std::floor(x);
      }
    }
    inputs.push_back(tensor_of(a, arg.dtype == kFloat32 ? floating : arg.dtype));
  }
  return inputs;
}

Reference map(std::function<double(double)> f) {
  return [f](const std::vector<Array>& in) {
    Array y(in[0].sizes);
    for (int64_t i = 0; i < y.numel(); ++i) y[i] = f(in[0][i]);
    return y;
  };
}

Reference map(std::function<double(double, double)> f) {
  return [f](const std::vector<Array>& in) {
    Array y(broadcast_shapes(in[0].sizes, in[1].sizes, "reference"));
    y.magnitude.resize(y.v.size());
    for (int64_t i = 0; i < y.numel(); ++i) {
      const double a = in[0].at(i, y.sizes);
      const double b = in[1].at(i, y.sizes);
      y[i] = f(a, b);
      y.magnitude[static_cast<size_t>(i)] = std::abs(y[i]);
    }
    return y;
  };
}

double tolerance(DType dtype, double magnitude, int64_t terms) {
  if (!is_floating_point(dtype)) return 0;
  const double eps = dtype == kBFloat16  ? static_cast<double>(std::numeric_limits<BFloat16>::epsilon())
                     : dtype == kFloat32 ? std::numeric_limits<float>::epsilon()
                                         : std::numeric_limits<double>::epsilon();
  const double tiny = dtype == kFloat64 ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  return eps * static_cast<double>(8 + terms) * magnitude + tiny;
}

namespace {

std::string label_of(const std::vector<Arg>& args) {
  std::string text;
  for (const Arg& arg : args) text += (text.empty() ? "" : " ") + to_string(arg.sizes);
  return text;
}

}  // namespace

Row unary(const std::string& name, std::function<Tensor(const Tensor&)> f, std::function<double(double)> reference,
          Elementwise options) {
  Row row{.name = name,
          .cases = {},
          .bad_inputs = options.bad_inputs,
          .in_place = options.in_place,
          .integers = options.integers,
          .elementwise = true};
  const Function call = [f](const Tensors& in) { return f(in[0]); };
  for (const Shape& sizes : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 5}, Shape{0}, Shape{3, 0}}) {
    const std::vector<Arg> args{{.sizes = sizes, .domain = options.a}};
    row.cases.push_back({label_of(args), args, call, map(reference), 1, options.order});
  }
  for (int64_t n : {4096, 1000000}) {
    const std::vector<Arg> args{{.sizes = {n}, .domain = options.a}};
    row.bench.push_back({label_of(args), args, call, {}});
  }
  row.flops = [each = options.flops](const Tensors&, const Tensor& y) { return each * static_cast<double>(y.numel()); };
  return row;
}

Row binary(const std::string& name, std::function<Tensor(const Tensor&, const Tensor&)> f,
           std::function<double(double, double)> reference, Elementwise options) {
  Row row{.name = name,
          .cases = {},
          .bad_inputs = options.bad_inputs,
          .in_place = options.in_place,
          .integers = options.integers,
          .elementwise = true};
  const Function call = [f](const Tensors& in) { return f(in[0], in[1]); };
  const auto add = [&](std::vector<Case>& cases, const Shape& a, const Shape& b, bool tested) {
    const std::vector<Arg> args{{.sizes = a, .domain = options.a}, {.sizes = b, .domain = options.b}};
    cases.push_back({label_of(args), args, call, tested ? map(reference) : Reference{}, 1, options.order});
  };
  for (const Shape& s : {Shape{}, Shape{1}, Shape{2}, Shape{1, 2}, Shape{3, 1}, Shape{1, 3, 2}, Shape{3, 1, 2}}) {
    add(row.cases, s, {3, 2}, true);
    add(row.cases, {3, 2}, s, true);
  }
  add(row.cases, {3, 2}, {3, 2}, true);
  add(row.cases, {2, 1}, {1, 2}, true);
  add(row.cases, {}, {}, true);
  add(row.cases, {7}, {7}, true);
  add(row.cases, {0}, {1}, true);
  add(row.cases, {3, 0}, {3, 1}, true);
  for (int64_t n : {4096, 1000000, 8000000}) add(row.bench, {n}, {n}, false);
  row.flops = [each = options.flops](const Tensors&, const Tensor& y) { return each * static_cast<double>(y.numel()); };
  return row;
}

Reference picked(Shape result, std::function<int64_t(const At&)> from) {
  return [=](const std::vector<Array>& in) {
    Array y(result);
    At at(static_cast<size_t>(result.size()));
    for (int64_t i = 0; i < y.numel(); ++i) {
      for (int64_t d = result.size() - 1, rest = i; d >= 0; --d) {
        at[static_cast<size_t>(d)] = rest % result[d];
        rest /= result[d];
      }
      const int64_t place = from(at);
      y[i] = place < 0 ? 0 : in[0][place];
    }
    return y;
  };
}

Reference rows_in(At order, int64_t width) {
  return picked({static_cast<int64_t>(order.size()), width},
                [=](const At& i) { return order[static_cast<size_t>(i[0])] * width + i[1]; });
}

Reference columns_in(At order, int64_t height, int64_t width) {
  return picked({height, static_cast<int64_t>(order.size())},
                [=](const At& i) { return i[0] * width + order[static_cast<size_t>(i[1])]; });
}

Case moving(const std::string& label, const Shape& sizes, Call f, Reference reference, int64_t terms) {
  return {label, {{.sizes = sizes}}, [f](const Tensors& in) { return f(in[0]); }, reference, terms};
}

Case timed(const Shape& sizes, Call f) {
  return {to_string(sizes), {{.sizes = sizes}}, [f](const Tensors& in) { return f(in[0]); }, {}};
}

Row row_of(const std::string& name, std::vector<Case> cases, std::vector<BadInput> bad_inputs, bool view) {
  Row row{.name = name, .cases = std::move(cases), .bad_inputs = std::move(bad_inputs)};
  row.view = view;
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  return row;
}

}  // namespace op_cases

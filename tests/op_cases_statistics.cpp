// Rows of products, variances, truth, counts and scans.
#include <algorithm>
#include <limits>
#include <numeric>

#include "op_cases_over.h"

namespace op_cases {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double prod_of(const Line& v, double) { return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>()); }
double mean_of(const Line& v) { return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size()); }
double var_of(const Line& v, double correction) {
  const double mean = mean_of(v);
  double squares = 0;
  for (double e : v) squares += (e - mean) * (e - mean);
  return squares / std::max(0.0, static_cast<double>(v.size()) - correction);
}
double std_of(const Line& v, double correction) { return std::sqrt(var_of(v, correction)); }
double var_and_mean_of(const Line& v, double correction) { return var_of(v, correction) + mean_of(v); }
double std_and_mean_of(const Line& v, double correction) { return std_of(v, correction) + mean_of(v); }
double all_of(const Line& v, double) {
  return std::all_of(v.begin(), v.end(), [](double e) { return e != 0; });
}
double any_of(const Line& v, double) {
  return std::any_of(v.begin(), v.end(), [](double e) { return e != 0; });
}
double count_of(const Line& v, double) {
  return static_cast<double>(std::count_if(v.begin(), v.end(), [](double e) { return e != 0; }));
}

std::vector<BadInput> bad_dims(const std::string& name, const std::function<void(const Tensor&, int64_t)>& call) {
  return {bad<IndexError>(
      [call] {
        call(zeros({2, 3}), 2);
      },
      name + ": dim must lie in [-2, 1] for a 2-dim tensor, got 2")};
}

BadInput bad_dtype(const std::string& name, const std::function<void(const Tensor&)>& call) {
  return bad<DTypeError>(
      [call] {
        call(tensor({1, 2}));
      },
      name + ": x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)");
}

// Lines with no, one, two and only zeros.
const Arg kZeros{.sizes = {4, 3}, .values = {2, 0, 0, -1.5, 3, 0, 1.25, -2, 0, 0.5, 1.5, 0}};

Row prod_row() {
  const auto call = [](const Tensor& x, const Dims& d, bool keep) { return d.empty() ? prod(x) : prod(x, d[0], keep); };
  Row row = over_dims("prod", call, prod_of, {.low = 0.5, .high = 1.5});
  std::erase_if(row.cases, [](const Case& c) { return c.label.find(", 2]") != std::string::npos; });  // one dim, or all
  for (const int64_t dim : {0, 1}) {
    row.cases.push_back({"zeros over [" + std::to_string(dim) + "]",
                         {kZeros},
                         [dim](const Tensors& in) { return prod(in[0], dim, true); },
                         folded(prod_of, {dim}, true),
                         4});
  }
  for (const Line& v : {Line{2, 3, 4}, Line{2, 0, 4}, Line{0, 3, 0}, Line{0, 0, 0}}) {
    row.cases.push_back({"all of three",
                         {{.sizes = {3}, .values = v}},
                         [](const Tensors& in) { return prod(in[0]); },
                         folded(prod_of, {}, false),
                         3});
  }
  row.cases.push_back({"in float64",
                       {{.sizes = {2, 3}}},
                       [](const Tensors& in) { return prod(in[0], -1, false, kFloat64); },
                       folded(prod_of, {-1}, false),
                       3});
  row.bad_inputs = bad_dims("prod", [](const Tensor& x, int64_t d) { prod(x, d); });
  for (Case& c : row.bench) c.args[0].domain = {.low = 0.999, .high = 1.001};
  return row;
}

// Spread out so that the sums of squares stay away from 0.
constexpr Domain kSpread{.low = -3, .high = 3};

using Moment = Tensor (*)(const Tensor&, IntArrayRef, const std::optional<Scalar>&, bool);

Row moment_row(const std::string& name, Moment f, Fold fold) {
  Row row{.name = name, .cases = {}};
  for (const double correction : {1., 0., 0.5}) {
    const auto call = [f, correction](const Tensor& x, const Dims& d, bool keep) { return f(x, d, correction, keep); };
    Row one = over_dims(name, call, fold, kSpread, correction);
    for (Case& c : one.cases) {
      // One element less 1 is a quotient by 0.
      if (numel_of(c.args[0].sizes, "case") <= 1 && correction > 0) continue;
      c.label += " correction " + std::to_string(correction);
      c.terms *= 4;
      const int64_t n = numel_of(c.args[0].sizes, "case");
      if (n == 1) c.order = 0;  // a kink
      // Of two elements std is |a - b| and a factor: straight, and third derivatives are what rounding leaves.
      if (name.rfind("std", 0) == 0 && n == 2 * c.reference({Array(c.args[0].sizes)}).numel()) c.order = 2;
      // Of nothing std is NaN, which its third derivative by the cotangent meets.
      if (name.rfind("std", 0) == 0 && n == 0) c.order = 2;
      row.cases.push_back(std::move(c));
    }
    if (correction == 1) row.bench = std::move(one.bench), row.flops = std::move(one.flops);
  }
  row.bad_inputs = {bad<IndexError>(
                        [f] {
                          f(zeros({2, 3}), {0, -2}, 1, false);
                        },
                        name + ": each dim may be named once, got -2 twice in [0, -2]"),
                    bad_dtype(name, [f](const Tensor& x) { f(x, {}, 1, false); })};
  return row;
}

Tensor var_and_mean(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) {
  const auto [v, m] = var_mean(x, dim, correction, keepdim);
  return v + m;
}
Tensor std_and_mean(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) {
  const auto [s, m] = std_mean(x, dim, correction, keepdim);
  return s + m;
}

Row truth_row(const std::string& name, const DimsCall& call, Fold fold) {
  Row row = over_dims(name, call, fold);
  for (Case& c : row.cases) {
    const Function f = c.f;
    c.f = [f](const Tensors& in) { return f({where(abs(in[0]) < 1, 0, in[0])}); };
    const Reference reference = c.reference;
    c.reference = [reference](std::vector<Array> in) {
      for (double& v : in[0].v) v = std::abs(v) < 1 ? 0 : v;
      return reference(in);
    };
    c.order = 0;
  }
  for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}}) {
    row.cases.push_back({"zeros over " + to_string(dims),
                         {kZeros},
                         [call, dims](const Tensors& in) { return call(in[0], dims, false); },
                         folded(fold, dims, false),
                         1,
                         0});
    for (const DType dtype : {kBool, kUInt8, kInt32, kInt64}) {
      row.cases.push_back({std::string(name_of(dtype)) + " over " + to_string(dims),
                           {{.sizes = {3, 4}, .domain = {0, 2}, .dtype = dtype}},
                           [call, dims](const Tensors& in) { return call(in[0], dims, false); },
                           folded(fold, dims, false),
                           1,
                           0});
    }
  }
  row.bad_inputs = bad_dims(name, [call](const Tensor& x, int64_t d) { call(x, {d}, false); });
  return row;
}

Line cumsum_of(const Line& v) {
  Line y(v.size());
  std::partial_sum(v.begin(), v.end(), y.begin());
  return y;
}
Line cumprod_of(const Line& v) {
  Line y(v.size());
  std::partial_sum(v.begin(), v.end(), y.begin(), std::multiplies<>());
  return y;
}
Line logcumsumexp_of(const Line& v) {
  Line y(v.size());
  for (size_t i = 0; i < v.size(); ++i) {
    const double max = *std::max_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    double sum = 0;
    for (size_t j = 0; j <= i && max > -kInf; ++j) sum += std::exp(v[j] - max);
    y[i] = max + std::log(sum);
  }
  return y;
}

Row scan_row(const std::string& name, const std::function<Tensor(const Tensor&, int64_t)>& f,
             Line (*reference)(const Line&), const std::function<double(const Line&)>& size, Domain domain) {
  Row row{.name = name, .cases = {}};
  const auto add = [&](const Arg& arg, int64_t dim, const std::string& label) {
    row.cases.push_back(
        {label + to_string(arg.sizes) + " dim " + std::to_string(dim),
         {arg},
         [f, dim](const Tensors& in) { return f(in[0], dim); },
         per_line(dim, reference, size),
         std::max<int64_t>(1, arg.sizes.empty() ? 1 : arg.sizes[dim < 0 ? dim + arg.sizes.size() : dim])});
  };
  for (const Over& o : kOver) {
    if (o.dims.size() <= 1 && !o.keepdim)
      add({.sizes = o.sizes, .domain = domain}, o.dims.empty() ? -1 : o.dims[0], "");
  }
  add({.sizes = {5, 3}, .domain = domain}, 1, "");
  add({.sizes = {3, 300}, .domain = domain}, 0, "");
  for (const int64_t dim : {0, 1}) {
    add({.sizes = {3, 0}}, dim, "");
    add(kZeros, dim, "zeros ");
  }
  row.bad_inputs = bad_dims(name, [f](const Tensor& x, int64_t d) { f(x, d); });
  for (const auto& [sizes, dim] : {std::pair<Shape, int64_t>{{1000000}, 0}, {{1000, 1000}, 1}, {{1000, 1000}, 0}}) {
    row.bench.push_back({to_string(sizes) + " dim " + std::to_string(dim),
                         {{.sizes = sizes, .domain = domain}},
                         [f, dim = dim](const Tensors& in) { return f(in[0], dim); },
                         {}});
  }
  row.flops = [](const Tensors& in, const Tensor&) { return static_cast<double>(in[0].numel()); };
  return row;
}

}  // namespace

Reference per_line(int64_t dim, std::function<Line(const Line&)> f, std::function<double(const Line&)> size) {
  return [dim, f, size](const std::vector<Array>& in) {
    const Array& x = in[0];
    const int64_t rank = x.sizes.size();
    const int64_t d = dim < 0 ? dim + std::max<int64_t>(rank, 1) : dim;
    int64_t inner = 1, outer = 1;
    const int64_t n = rank == 0 ? 1 : x.sizes[d];
    for (int64_t e = 0; e < rank; ++e) {
      if (e != d) (e < d ? outer : inner) *= x.sizes[e];
    }
    Shape sizes = x.sizes;
    const auto length = static_cast<int64_t>(f(Line(static_cast<size_t>(n))).size());
    if (rank > 0) sizes[d] = length;
    Array y(sizes);
    y.magnitude.resize(y.v.size());
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t c = 0; c < inner; ++c) {
        Line line;
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) {
          line.push_back(x[(o * n + i) * inner + c]);
          sum += std::abs(line.back());
        }
        const Line result = f(line);
        const double least = size ? size(line) : sum;
        for (int64_t i = 0; i < length; ++i) {
          const int64_t at = (o * length + i) * inner + c;
          y[at] = result[static_cast<size_t>(i)];
          y.magnitude[static_cast<size_t>(at)] = std::max(std::abs(y[at]), least);
        }
      }
    }
    return y;
  };
}

std::vector<Row> statistics_rows() {
  std::vector<Row> rows;
  rows.push_back(prod_row());
  rows.push_back(moment_row("var", tapegrad::var, var_of));
  rows.push_back(moment_row("std", tapegrad::std, std_of));
  rows.push_back(moment_row("var_mean", var_and_mean, var_and_mean_of));
  rows.push_back(moment_row("std_mean", std_and_mean, std_and_mean_of));
  for (Row* row : {&rows[3], &rows[4]}) {
    row->bad_inputs = {
        bad<ValueError>([name = row->name] { name == "var_mean" ? var_mean(Tensor()) : std_mean(Tensor()); },
                        row->name + ": x must be defined, got an undefined tensor (Tensor())")};
  }
  rows.push_back(truth_row(
      "all", [](const Tensor& x, const Dims& d, bool k) { return all(x, d, k); }, all_of));
  rows.push_back(truth_row(
      "any", [](const Tensor& x, const Dims& d, bool k) { return any(x, d, k); }, any_of));
  rows.push_back(truth_row(
      "count_nonzero",
      [](const Tensor& x, const Dims& d, bool k) {
        const Tensor y = count_nonzero(x, d);
        return k && !d.empty() ? reshape(y, sum(x, d, true).sizes()) : y;
      },
      count_of));
  rows.push_back(scan_row("cumsum", [](const Tensor& x, int64_t d) { return cumsum(x, d); }, cumsum_of, {}, {}));
  rows.back().integers = {kInt64, kInt32, kUInt8, kBool};
  rows.back().in_place = [](const Tensors& in) { return cumsum_(in[0], -1); };
  rows.push_back(scan_row(
      "cumprod", [](const Tensor& x, int64_t d) { return cumprod(x, d); }, cumprod_of, [](const Line&) { return 0; },
      {.low = 0.5, .high = 1.5}));
  rows.back().in_place = [](const Tensors& in) { return cumprod_(in[0], -1); };
  for (Row* row : {&rows[rows.size() - 2], &rows.back()}) {
    for (Case& c : row->cases) c.own_attributes = c.label.find("dim -1") == std::string::npos;
  }
  rows.push_back(
      scan_row("logcumsumexp", [](const Tensor& x, int64_t d) { return logcumsumexp(x, d); }, logcumsumexp_of, {}, {}));
  rows.back().bad_inputs.push_back(bad_dtype("logcumsumexp", [](const Tensor& x) { logcumsumexp(x, 0); }));
  return rows;
}

}  // namespace op_cases

// Rows of the reductions, and of softmax, whose denominators are one.
#include <algorithm>
#include <limits>

#include "op_cases_over.h"

namespace op_cases {

// The elements of x that meet in each element of its reduction over dims (none named: all).
std::vector<std::vector<double>> groups(const Array& x, const Dims& dims, Shape& reduced) {
  std::vector<bool> gone(static_cast<size_t>(x.sizes.size()), dims.empty());
  for (int64_t d : dims) {
    if (x.sizes.size() > 0) gone[static_cast<size_t>(d < 0 ? d + x.sizes.size() : d)] = true;
  }
  reduced = x.sizes;
  for (int64_t d = 0; d < x.sizes.size(); ++d) {
    if (gone[static_cast<size_t>(d)]) reduced[d] = 1;
  }
  std::vector<std::vector<double>> found(static_cast<size_t>(numel_of(reduced, "groups")));
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, place = 0, stride = 1;
    for (int64_t d = x.sizes.size() - 1; d >= 0; --d) {
      if (!gone[static_cast<size_t>(d)]) place += rest % x.sizes[d] * stride;
      stride *= reduced[d];
      rest /= x.sizes[d];
    }
    found[static_cast<size_t>(place)].push_back(x[i]);
  }
  return found;
}

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Shape without(const Shape& kept, const Shape& full, const Dims& dims) {
  Shape sizes;
  for (int64_t d = 0; d < kept.size(); ++d) {
    const bool named =
        std::any_of(dims.begin(), dims.end(), [&](int64_t e) { return (e < 0 ? e + full.size() : e) == d; });
    if (!dims.empty() && !named) sizes.push_back(full[d]);
  }
  return sizes;
}

}  // namespace

Reference folded(Fold fold, const Dims& dims, bool keepdim, double attribute) {
  return [=](const std::vector<Array>& in) {
    Shape sizes;
    const auto all = groups(in[0], dims, sizes);
    Array y(keepdim ? sizes : without(sizes, in[0].sizes, dims));
    y.magnitude.resize(y.v.size());
    for (size_t i = 0; i < all.size(); ++i) {
      y.v[i] = fold(all[i], attribute);
      double terms = 0;
      for (double v : all[i]) terms += std::abs(v);
      y.magnitude[i] = std::max(std::abs(y.v[i]), terms);
    }
    return y;
  };
}

namespace {

double sum_of(const std::vector<double>& v, double) {
  double s = 0;
  for (double e : v) s += e;
  return s;
}
double mean_of(const std::vector<double>& v, double) { return sum_of(v, 0) / static_cast<double>(v.size()); }
double max_of(const std::vector<double>& v, double) { return *std::max_element(v.begin(), v.end()); }
double min_of(const std::vector<double>& v, double) { return *std::min_element(v.begin(), v.end()); }
double argmax_of(const std::vector<double>& v, double) {
  return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin());
}
double argmin_of(const std::vector<double>& v, double) {
  return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin());
}
double logsumexp_of(const std::vector<double>& v, double) {
  if (v.empty()) return -kInf;
  double s = 0;
  for (double e : v) s += std::exp(e - max_of(v, 0));
  return max_of(v, 0) + std::log(s);
}
double norm_of(const std::vector<double>& v, double p) {
  double s = 0, high = 0;
  for (double e : v) {
    high = std::max(high, std::abs(e));
    s += std::pow(std::abs(e), p);
  }
  return p == kInf ? high : std::pow(s, 1 / p);
}

std::string label_of(const Shape& sizes, const Dims& dims, bool keepdim) {
  return to_string(sizes) + " over " + (dims.empty() ? "all" : to_string(dims)) + (keepdim ? ", kept" : "");
}

}  // namespace

const std::vector<Over> kOver = {
    {{}, {}},         {{1}, {}},           {{7}, {0}},        {{33}, {}},          {{2, 3, 5}, {}},
    {{2, 3, 5}, {0}}, {{2, 3, 5}, {1}},    {{2, 3, 5}, {-1}}, {{2, 3, 5}, {0, 2}}, {{2, 3, 5}, {1, 2}, true},
    {{3, 65}, {1}},   {{65, 3}, {0}, true}};

Row over_dims(const std::string& name, const DimsCall& call, Fold fold, Domain domain, double attribute, bool empty) {
  Row row{.name = name, .cases = {}};
  const auto add = [&](const Over& o) {
    const int64_t terms = std::max<int64_t>(1, numel_of(o.sizes, "case"));
    row.cases.push_back({label_of(o.sizes, o.dims, o.keepdim),
                         {{.sizes = o.sizes, .domain = domain}},
                         [call, o](const Tensors& in) { return call(in[0], o.dims, o.keepdim); },
                         folded(fold, o.dims, o.keepdim, attribute),
                         terms});
  };
  for (const Over& o : kOver) add(o);
  if (empty) add({{3, 0}, {1}});
  add({{3, 0}, {0}});
  for (const Over& o : {Over{{1000000}, {}}, Over{{1000, 1000}, {1}}, Over{{1000, 1000}, {0}}}) {
    row.bench.push_back({label_of(o.sizes, o.dims, false),
                         {{.sizes = o.sizes, .domain = domain}},
                         [call, o](const Tensors& in) { return call(in[0], o.dims, false); },
                         {}});
  }
  row.flops = [](const Tensors& in, const Tensor&) { return static_cast<double>(in[0].numel()); };
  return row;
}

namespace {

// Along one dim: values, and for the index functions int64.
Row along(const std::string& name, const std::function<Tensor(const Tensor&, int64_t, bool)>& call, Fold fold,
          int order) {
  Row row{.name = name, .cases = {}};
  for (const Over& o : kOver) {
    if (o.dims.size() != 1) continue;
    row.cases.push_back({label_of(o.sizes, o.dims, o.keepdim),
                         {{.sizes = o.sizes}},
                         [call, o](const Tensors& in) { return call(in[0], o.dims[0], o.keepdim); },
                         folded(fold, o.dims, o.keepdim),
                         1,
                         order});
  }
  for (int64_t dim : {1, 0}) {
    row.bench.push_back({"[1000, 1000] over [" + std::to_string(dim) + "]",
                         {{.sizes = {1000, 1000}}},
                         [call, dim](const Tensors& in) { return call(in[0], dim, false); },
                         {}});
  }
  return row;
}

Row extreme(const std::string& name, Tensor (*all)(const Tensor&),
            std::tuple<Tensor, Tensor> (*one)(const Tensor&, int64_t, bool), Fold fold) {
  Row row = along(
      name, [one](const Tensor& x, int64_t d, bool keep) { return std::get<0>(one(x, d, keep)); }, fold, 2);
  for (const Shape& sizes : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 5}})
    row.cases.push_back({label_of(sizes, {}, false),
                         {{.sizes = sizes}},
                         [all](const Tensors& in) { return all(in[0]); },
                         folded(fold, {}, false)});
  row.integers = {kInt64, kInt32};
  row.bad_inputs = {bad<ShapeError>(
                        [all] {
                          all(zeros({2, 0}));
                        },
                        name + ": there must be an element to choose, got shape [2, 0]"),
                    bad<IndexError>(
                        [one] {
                          one(zeros({2, 3}), 2, false);
                        },
                        name + ": dim must lie in [-2, 1] for a 2-dim tensor, got 2")};
  return row;
}

Row softmax_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t), bool log) {
  Row row{.name = name, .cases = {}};
  for (const Over& o : kOver) {
    if (o.dims.size() != 1 || o.keepdim) continue;
    const int64_t dim = o.dims[0];
    row.cases.push_back({to_string(o.sizes) + " dim " + std::to_string(dim),
                         {{.sizes = o.sizes}},
                         [f, dim](const Tensors& in) { return f(in[0], dim); },
                         [o, log](const std::vector<Array>& in) {
                           const Array lse = folded(logsumexp_of, o.dims, true)(in);
                           Array y(in[0].sizes);
                           y.magnitude.resize(y.v.size());
                           for (int64_t i = 0; i < y.numel(); ++i) {
                             const double l = in[0][i] - lse.at(i, y.sizes);
                             y[i] = log ? l : std::exp(l);
                             y.magnitude[static_cast<size_t>(i)] =
                                 (log ? 1 : y[i]) * (1 + std::abs(in[0][i]) + std::abs(lse.at(i, y.sizes)));
                           }
                           return y;
                         },
                         65});
  }
  row.bad_inputs = {bad<IndexError>(
      [f] {
        f(zeros({2, 3}), 2);
      },
      name + ": dim must lie in [-2, 1] for a 2-dim tensor, got 2")};
  for (int64_t dim : {1, 0}) {
    row.bench.push_back({"[1024, 1000] dim " + std::to_string(dim),
                         {{.sizes = {1024, 1000}}},
                         [f, dim](const Tensors& in) { return f(in[0], dim); },
                         {}});
  }
  return row;
}

Row norm_row() {
  Row row{.name = "norm", .cases = {}};
  const auto call = [](double p) {
    return [p](const Tensor& x, const Dims& dims, bool keep) { return norm(x, p, dims, keep); };
  };
  for (const double p : {2., 1., 3., 0.5, kInf}) {
    Row one = over_dims("norm", call(p), norm_of, {.away = 0.1}, p, p != kInf);
    for (Case& c : one.cases) {
      c.label += " p " + std::to_string(p);
      if (p == 0.5) c.terms *= 4;  // a square of sums of roots
      row.cases.push_back(std::move(c));
    }
    if (p == 2) row.bench = std::move(one.bench), row.flops = std::move(one.flops);
  }
  row.bad_inputs = {bad<DTypeError>(
      [] {
        norm(tensor({1, 2}));
      },
      "norm: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)")};
  return row;
}

}  // namespace

std::vector<Row> reduce_rows() {
  std::vector<Row> rows;
  rows.push_back(over_dims(
      "sum", [](const Tensor& x, const Dims& d, bool k) { return sum(x, d, k); }, sum_of));
  rows.back().integers = {kInt64, kInt32};
  rows.back().bad_inputs = {bad<IndexError>(
                                [] {
                                  sum(zeros({2, 3}), 2);
                                },
                                "sum: dim must lie in [-2, 1] for a 2-dim tensor, got 2"),
                            bad<IndexError>(
                                [] {
                                  sum(zeros({2, 3}), {0, -2});
                                },
                                "sum: each dim may be named once, got -2 twice in [0, -2]")};
  rows.push_back(over_dims(
      "mean", [](const Tensor& x, const Dims& d, bool k) { return mean(x, d, k); }, mean_of));
  rows.back().bad_inputs = {bad<DTypeError>(
      [] {
        mean(tensor({1, 2}));
      },
      "mean: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)")};
  rows.push_back(over_dims(
      "amax", [](const Tensor& x, const Dims& d, bool k) { return amax(x, d, k); }, max_of, {}, 0, false));
  rows.push_back(over_dims(
      "amin", [](const Tensor& x, const Dims& d, bool k) { return amin(x, d, k); }, min_of, {}, 0, false));
  rows.push_back(over_dims(
      "logsumexp", [](const Tensor& x, const Dims& d, bool k) { return logsumexp(x, d, k); }, logsumexp_of));
  rows.push_back(norm_row());
  rows.push_back(extreme("max", tapegrad::max, tapegrad::max, max_of));
  rows.push_back(extreme("min", tapegrad::min, tapegrad::min, min_of));
  rows.push_back(along(
      "argmax", [](const Tensor& x, int64_t d, bool k) { return argmax(x, d, k); }, argmax_of, 0));
  rows.push_back(along(
      "argmin", [](const Tensor& x, int64_t d, bool k) { return argmin(x, d, k); }, argmin_of, 0));
  rows.push_back(softmax_row("softmax", tapegrad::softmax, false));
  rows.push_back(softmax_row("log_softmax", tapegrad::log_softmax, true));
  return rows;
}

}  // namespace op_cases

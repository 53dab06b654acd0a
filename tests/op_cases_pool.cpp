// Rows of pooling by means and norms.
#include <numeric>

#include "op_cases_windows.h"

namespace op_cases {
namespace {

Row avg_row(int64_t rank, const std::function<Tensor(const Tensor&, const Fixed&, std::optional<int64_t>)>& pool) {
  const std::string name = "avg_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  for (const Windowed& c : windowed(rank)) {
    for (bool counts : {true, false}) {
      Fixed w = c.w;
      w.counts_padding = counts;
      if (!counts && w.padding[0] == 0) continue;
      row.cases.push_back({std::string(c.label) + (counts ? "" : ", padding not counted"),
                           {{.sizes = c.sizes}},
                           [=](const Tensors& in) { return pool(in[0], w, {}); },
                           pooled(rank, by(rank, w), mean),
                           places(w, rank)});
    }
  }
  row.bad_inputs = bad_windows(name, rank, [=](const Tensor& x, IntArrayRef k, IntArrayRef s, IntArrayRef p) {
    pool(x, {.kernel = k.vec(), .stride = s.vec(), .padding = p.vec()}, {});
  });
  return row;
}

void add_divisor(Row& row, int64_t rank,
                 const std::function<Tensor(const Tensor&, const Fixed&, std::optional<int64_t>)>& pool) {
  const Windowed c = windowed(rank)[1];
  row.cases.push_back(
      {"divisor",
       {{.sizes = c.sizes}},
       [=](const Tensors& in) { return pool(in[0], c.w, -3); },
       pooled(rank, by(rank, c.w),
              [](const Patch& p) { return std::accumulate(p.values.begin(), p.values.end(), 0.) / -3; }),
       27});
  row.bad_inputs.push_back(
      bad<ValueError>([=] { pool(ones(c.sizes), c.w, 0); }, row.name + ": divisor_override must not be 0, got 0"));
}

Row lp_row(int64_t rank, const std::function<Tensor(const Tensor&, double, const Fixed&)>& pool) {
  const std::string name = "lp_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  for (const double p : {1., 2., 3.}) {
    const Windowed c{
        "", rank == 1 ? Shape{2, 2, 7} : Shape{2, 5, 6}, {.kernel = {3}, .stride = {2}, .ceil_mode = p == 3}};
    row.cases.push_back({"p " + std::to_string(p),
                         {{.sizes = c.sizes, .domain = {0.5, 2}}},
                         [=](const Tensors& in) { return pool(in[0], p, c.w); },
                         pooled(rank, by(rank, c.w),
                                [=](const Patch& patch) {
                                  double sum = 0;
                                  for (double v : patch.values) sum += std::pow(v, p);
                                  return std::pow(
                                      sum / static_cast<double>(patch.counted) * static_cast<double>(places(c.w, rank)),
                                      1 / p);
                                }),
                         30});
  }
  row.bad_inputs = {bad<ValueError>([=] { pool(Tensor(), 2, {.kernel = {2}, .stride = {}}); },
                                    name + ": x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

}  // namespace

std::vector<Row> pool_rows() {
  std::vector<Row> rows;
  const auto avg1 = [](const Tensor& x, const Fixed& w, std::optional<int64_t>) {
    return avg_pool1d(x, w.kernel, w.stride, of_rank(w.padding, 1), w.ceil_mode, w.counts_padding);
  };
  const auto avg2 = [](const Tensor& x, const Fixed& w, std::optional<int64_t> n) {
    return avg_pool2d(x, w.kernel, w.stride, of_rank(w.padding, 2), w.ceil_mode, w.counts_padding, n);
  };
  const auto avg3 = [](const Tensor& x, const Fixed& w, std::optional<int64_t> n) {
    return avg_pool3d(x, w.kernel, w.stride, of_rank(w.padding, 3), w.ceil_mode, w.counts_padding, n);
  };
  rows.push_back(avg_row(1, avg1));
  rows.push_back(avg_row(2, avg2));
  add_divisor(rows.back(), 2, avg2);
  rows.back().bench = {timed({64, 10, 24, 24}, [](const Tensor& x) { return avg_pool2d(x, 2); }),
                       timed({4, 64, 56, 56}, [](const Tensor& x) { return avg_pool2d(x, 3, 2, 1); })};
  rows.push_back(avg_row(3, avg3));
  add_divisor(rows.back(), 3, avg3);
  rows.push_back(adaptive_row(1, "avg", {{adaptive_avg_pool1d, mean}}));
  rows.push_back(adaptive_row(2, "avg", {{adaptive_avg_pool2d, mean}}));
  rows.back().bench = {timed({64, 512, 7, 7}, [](const Tensor& x) { return adaptive_avg_pool2d(x, 1); })};
  rows.push_back(adaptive_row(3, "avg", {{adaptive_avg_pool3d, mean}}));
  rows.push_back(lp_row(
      1, [](const Tensor& x, double p, const Fixed& w) { return lp_pool1d(x, p, w.kernel, w.stride, w.ceil_mode); }));
  rows.push_back(lp_row(
      2, [](const Tensor& x, double p, const Fixed& w) { return lp_pool2d(x, p, w.kernel, w.stride, w.ceil_mode); }));
  return rows;
}

}  // namespace op_cases

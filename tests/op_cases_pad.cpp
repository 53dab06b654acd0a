// Rows of padding.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

// Where in a dim of size n the frame's element i comes from; -1: from nowhere.
int64_t bounced(const std::string& mode, int64_t i, int64_t n) {
  if (mode == "constant") return i < 0 || i >= n ? -1 : i;
  if (mode == "replicate") return std::clamp<int64_t>(i, 0, n - 1);
  if (mode == "circular") return (i % n + n) % n;
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
  return i;
}

}  // namespace

std::vector<Row> pad_rows() {
  Row row = row_of("pad", {},
                   {bad<ValueError>(
                        [] {
                          pad(ones({2, 3}), {1});
                        },
                        "pad: one number before and one behind every dim are needed, got [1]"),
                    bad<ShapeError>(
                        [] {
                          pad(ones({2}), {1, 1, 1, 1});
                        },
                        "pad: at most one pair per dim can be given, got [1, 1, 1, 1] for shape [2]"),
                    bad<ValueError>(
                        [] {
                          pad(ones({2}), {1, 1}, "mirror");
                        },
                        "pad: mode must be \"constant\", \"reflect\", \"replicate\" or \"circular\", got \"mirror\""),
                    bad<ValueError>(
                        [] {
                          pad(ones({2}), {1, 1}, "reflect", 1);
                        },
                        "pad: only mode \"constant\" takes a value, got one for \"reflect\""),
                    bad<ValueError>(
                        [] {
                          pad(ones({2, 3}), {3, 0}, "reflect");
                        },
                        "pad: reflect takes at most 2 at dim 1 of size 3, got pad [3, 0]"),
                    bad<ValueError>(
                        [] {
                          pad(ones({2, 3}), {0, 0, 0, 3}, "circular");
                        },
                        "pad: circular takes at most 2 at dim 0 of size 2, got pad [0, 0, 0, 3]"),
                    bad<ValueError>(
                        [] {
                          pad(ones({2, 0}), {1, 0}, "replicate");
                        },
                        "pad: there must be an edge to replicate at dim 1 of size 0, got pad [1, 0]"),
                    bad<ValueError>(
                        [] {
                          pad(ones({2, 3}), {-2, -2});
                        },
                        "pad: at most the 3 elements of dim 1 can be cropped, got pad [-2, -2] for shape [2, 3]")});
  for (const std::string mode : {"constant", "reflect", "replicate", "circular"}) {
    const auto padded = [&](const Shape& sizes, std::vector<int64_t> pairs) {
      Shape result = sizes;
      At before(static_cast<size_t>(sizes.size()), 0), cut = before, length(sizes.begin(), sizes.end());
      for (size_t k = 0; k < pairs.size() / 2; ++k) {
        const size_t d = before.size() - 1 - k;
        before[d] = std::max<int64_t>(0, pairs[2 * k]);
        cut[d] = std::max<int64_t>(0, -pairs[2 * k]);
        length[d] -= cut[d] + std::max<int64_t>(0, -pairs[2 * k + 1]);
        result[static_cast<int64_t>(d)] += pairs[2 * k] + pairs[2 * k + 1];
      }
      const auto from = [=](const At& at) {
        int64_t place = 0;
        for (size_t d = 0; d < at.size(); ++d) {
          const int64_t i = bounced(mode, at[d] - before[d], length[d]);
          if (i < 0) return int64_t{-1};
          place = place * sizes[static_cast<int64_t>(d)] + cut[d] + i;
        }
        return place;
      };
      row.cases.push_back(moving(
          mode + " " + to_string(pairs), sizes, [=](const Tensor& x) { return pad(x, pairs, mode); },
          picked(result, from), 9));
    };
    padded({3, 4}, {1, 2});
    padded({2, 3, 4}, {3, 0, 1, 2});
    padded({2, 3, 4}, {0, 1, 2, 2, 1, 0});
    padded({4, 5}, {-1, 2, 1, -2});
    padded({3, 4}, {0, 0});
    padded({3, 4}, {-1, -3});
  }
  row.cases.push_back({"constant of 1",
                       {{.sizes = {2}}},
                       [](const Tensors& in) {
                         return pad(in[0], {1, 1}, "constant", 1);
                       },
                       [](const std::vector<Array>& in) {
                         return Array({4}, {1, in[0][0], in[0][1], 1});
                       }});
  row.bench = {timed({64, 32, 32},
                     [](const Tensor& x) {
                       return pad(x, {1, 1, 1, 1});
                     }),
               timed({64, 32, 32}, [](const Tensor& x) {
                 return pad(x, {1, 1, 1, 1}, "reflect");
               })};
  return {row};
}

}  // namespace op_cases

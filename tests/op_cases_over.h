// What rows of functions over dims are written with: reductions as folds of groups, scans and orders as maps of lines.
#pragma once

#include "op_cases.h"

namespace op_cases {

using Dims = std::vector<int64_t>;
using Line = std::vector<double>;
using Fold = double (*)(const Line&, double attribute);
using DimsCall = std::function<Tensor(const Tensor&, const Dims&, bool)>;

// The elements of x that meet in each element of its reduction over dims (none named: all).
std::vector<Line> groups(const Array& x, const Dims& dims, Shape& reduced);
Reference folded(Fold fold, const Dims& dims, bool keepdim, double attribute = 0);

// Shapes and dims that every reduction is tried with.
struct Over {
  Shape sizes;
  Dims dims;
  bool keepdim = false;
};
extern const std::vector<Over> kOver;
Row over_dims(const std::string& name, const DimsCall& call, Fold fold, Domain domain = {}, double attribute = 0,
              bool empty = true);

// f of every line along dim, which may change its length; the magnitude of an element is the largest `size(line)`, by
// default the sum of the line's absolute values.
Reference per_line(int64_t dim, std::function<Line(const Line&)> f, std::function<double(const Line&)> size = {});

}  // namespace op_cases

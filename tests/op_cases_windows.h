// What rows of pooling share: windows written down one by one, and what is folded over each.
#pragma once

#include <array>

#include "op_cases.h"

namespace op_cases {

// Elements begin, begin + step, ... below end of a dim, and how many a mean counts.
struct Span {
  int64_t begin, end, step, counted;
};
using Spans = std::vector<Span>;

// Windows of one size, as pools are called.
struct Fixed {
  At kernel, stride, padding = {0, 0, 0}, dilation = {1, 1, 1};
  bool ceil_mode = false, counts_padding = true;
};

// What a window has: values, places in the plane, and how many a mean counts.
struct Patch {
  std::vector<double> values;
  At places;
  int64_t counted;
};
using Fold = std::function<double(const Patch&)>;

double mean(const Patch& p);
// The fold of every window that `windows` finds in the last `rank` dims.
Reference pooled(int64_t rank, std::function<std::array<Spans, 3>(const Shape&)> windows, Fold fold);
std::function<std::array<Spans, 3>(const Shape&)> by(int64_t rank, const Fixed& w);

// An operand whose elements all differ, by more than any step of a difference, and are bfloat16's.
Arg distinct(const Shape& sizes);

// What a pool is tried with.
struct Windowed {
  const char* label;
  Shape sizes;
  Fixed w;
};
std::vector<Windowed> windowed(int64_t rank);
// Elements that a window has.
int64_t places(const Fixed& w, int64_t rank);
// The numbers of w that there are for this rank.
At of_rank(const At& given, int64_t rank);

// Operands that every function of pooling refuses.
std::vector<BadInput> bad_windows(const std::string& op, int64_t rank,
                                  const std::function<void(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef)>& f);

using Adaptive = std::function<Tensor(const Tensor&, IntArrayRef)>;
Row adaptive_row(int64_t rank, const std::string& kind, const std::vector<std::pair<Adaptive, Fold>>& results);

}  // namespace op_cases

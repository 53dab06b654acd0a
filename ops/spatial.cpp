// Arguments that come as one number for all spatial dims or one for each.
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/spatial_parts.h"

namespace tapegrad {

std::array<int64_t, 3> spatial(const char* op, const char* argument, IntArrayRef given, int64_t rank, int64_t least,
                               int64_t rest) {
  const auto refuse = [&](const std::string& rule) {
    throw ValueError(std::string(op) + ": " + argument + " must " + rule + ", got " + to_string(given));
  };
  if (given.size() != 1 && given.size() != rank)
    refuse(rank == 1 ? "be one number" : "be one number or " + std::to_string(rank));
  std::array<int64_t, 3> all = {rest, rest, rest};
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t value = given[given.size() == 1 ? 0 : i];
    if (value < least) refuse(least > 0 ? "be positive" : "not be negative");
    if (value > INT32_MAX) refuse("be below 2^31");
    all[static_cast<size_t>(3 - rank + i)] = value;
  }
  return all;
}

std::array<int64_t, 3> spatial_sizes(const Tensor& x, int64_t rank) {
  std::array<int64_t, 3> all = {1, 1, 1};
  for (int64_t i = 0; i < rank; ++i) all[static_cast<size_t>(3 - rank + i)] = x.sizes()[x.dim() - rank + i];
  return all;
}

Shape with_spatial(const Tensor& x, const std::array<int64_t, 3>& sizes, int64_t rank) {
  Shape all = x.sizes();
  for (int64_t i = 0; i < rank; ++i) all[x.dim() - rank + i] = sizes[static_cast<size_t>(3 - rank + i)];
  return all;
}

void check_spatial(const char* op, const Tensor& x, int64_t rank) {
  check_defined(op, x, "x");
  const std::string start = std::string(op) + ": x must ";
  if (!x.is_floating_point()) throw DTypeError(start + "be float32 or float64, got " + name_of(x.dtype()));
  if (x.dim() != rank + 2 && x.dim() != rank + 1)
    throw ShapeError(start + "have " + std::to_string(rank + 2) + " dims, or " + std::to_string(rank + 1) +
                     " without a batch, x is " + to_string(x.sizes()));
}

}  // namespace tapegrad

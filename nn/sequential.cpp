// A chain of anything callable with a tensor.
#include "tapegrad/nn/sequential.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {

Tensor Sequential::forward(const Tensor& x) const {
  const auto& children = state().children;
  if (children.empty()) return x;
  Tensor y = children[0].held->call(x);
  for (size_t i = 1; i < children.size(); ++i) y = children[i].held->call(y);
  return y;
}

int64_t Sequential::size() const { return static_cast<int64_t>(state().children.size()); }

Module& Sequential::operator[](int64_t i) const {
  const int64_t n = size();
  if (i < -n || i >= n)
    throw IndexError("Sequential: the index must be in [-" + std::to_string(n) + ", " + std::to_string(n) + "), got " +
                     std::to_string(i));
  return state().children[static_cast<size_t>(i < 0 ? i + n : i)].held->module();
}

void Sequential::wrong_type(int64_t i) const {
  throw ValueError("Sequential: at<M>(i) asks for the type the entry has, got entry " + std::to_string(i) +
                   " which is " + (*this)[i].name());
}

}  // namespace tapegrad::nn

// Many tensors walked by one launch as if they were one array: norms, and scaling by one. Internal.
#pragma once

#include <memory>
#include <vector>

#include "tapegrad/core/launch.h"

namespace tapegrad {

// Runs kernel(), which walks *kernel.table; the kernel is trivially copyable, and kept it has a table of its own, which stays
// as it is. operands(outputs, inputs) names the tensors when somebody looks.
template <class Kernel, class Operands>
void launch_flat(const char* name, LaunchKind kind, Kernel kernel, const Operands& operands) {
  if (!detail::is_watched()) return kernel();
  std::vector<const Tensor*> outputs, inputs;
  operands(outputs, inputs);
  if (LaunchList* list = keeping()) {
    const auto own = std::make_shared<std::remove_pointer_t<decltype(kernel.table)>>(*kernel.table);
    kernel.table = own.get();
    list->hold(own);
  }
  detail::launch_watched(name, kind, outputs, inputs, &kernel, detail::kernel_type<Kernel>);
}

struct FlatTable {
  struct Piece {
    void* x;
    int64_t n;
    DType dtype;
  };
  std::vector<Piece> pieces;
  int64_t elements = 0, blocks = 0;
};

// Contiguous tensors of float32 and float64, which the caller keeps.
class FlatList {
 public:
  bool empty() const { return tensors_.empty(); }
  void clear();
  void add(const Tensor& x);
  const FlatTable& table() const { return table_; }
  const std::vector<const Tensor*>& tensors() const { return tensors_; }
  // Whether an element of one may be an element of another.
  bool may_overlap() const;

 private:
  FlatTable table_;
  std::vector<const Tensor*> tensors_;
};

// *norm = (sum |x|^p)^(1/p) for p = 1 and 2, max |x| for p infinite, all elements taken as one vector; `norm` is one number.
// In blocks that depend on the list alone, joined in a fixed tree.
void flat_norm(const FlatList& list, double p, const Tensor& norm);

// What brings a norm down to max_norm: min(1, max_norm / (norm + 1e-6)), in norm's dtype; NaN stays. Read when a launch runs.
struct ClipFactor {
  const void* norm = nullptr;  // null: 1
  DType dtype = kFloat32;
  double max_norm = 0;
  const double* kept_max_norm = nullptr;  // where max_norm may change from run to run

  ClipFactor() = default;
  ClipFactor(const Tensor& measured, double max, const double* kept = nullptr)
      : norm(measured.impl()->data), dtype(measured.dtype()), max_norm(max), kept_max_norm(kept) {}
  double operator()() const;
};
// x = x factor for all elements, in each one's dtype; nothing is written where the factor is 1. The list must not overlap.
void flat_scale(const char* name, const FlatList& list, const Tensor& norm, const ClipFactor& factor);

}  // namespace tapegrad

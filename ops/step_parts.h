// An optimizer's step over many parameters as one launch. Internal.
#pragma once

#include <array>
#include <forward_list>

#include "tapegrad/ops/flat_parts.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad {

struct StepTable {
  std::vector<kernels::simd::StepPiece> pieces;
  int64_t elements = 0;
};

// The parameters of one dtype that a step updates, in order, as if they were one array.
class StepList {
 public:
  explicit StepList(DType dtype) : dtype_(dtype) {}
  DType dtype() const { return dtype_; }
  bool empty() const { return rows_.empty(); }
  bool has_state(size_t k) const { return has_state_[k]; }
  const StepTable& table() const { return table_; }
  // Starts over with parameters that have these of three states.
  void clear(std::array<bool, 3> has_state = {});
  // p and g have this list's dtype and one shape; the states are contiguous and have as many elements. They stay where they
  // are until the step is done. What is not contiguous is copied, and p written back by finish().
  void add(const Tensor& p, const Tensor& g, const Tensor* states, int64_t* steps);
  // After the launches: copies of parameters go back, and graphs that saved a parameter learn of the write.
  void finish();
  // The gradients, contiguous.
  template <class F> void for_each_gradient(const F& fn) const {
    for (const Row& row : rows_) fn(*row.g);
  }
  // What the launch writes, and what it reads.
  void operands(std::vector<const Tensor*>& outputs, std::vector<const Tensor*>& inputs) const;

 private:
  struct Row {
    const Tensor* p;
    const Tensor* g;
    const Tensor* states;
  };
  void add_copies(const Tensor& p, const Tensor& g, const Tensor* states, int64_t* steps);

  DType dtype_;
  std::array<bool, 3> has_state_{};
  StepTable table_;
  std::vector<Row> rows_;
  std::forward_list<Tensor> copies_;
  std::vector<std::pair<const Tensor*, const Tensor*>> to_write_;  // a parameter, and the copy that is updated
};

// The factor that clips the gradients of a step, and the norm it comes from; undefined for none.
struct StepClip {
  Tensor norm;
  ClipFactor factor;
};

// One step of all parameters of a list, as said in optim_step.h. Options, step counts and corrections are read and written when the
// launch runs, also when it runs again: their owner keeps them, and the states, for as long as that may happen.
// State: momentum buffer. A step without momentum is not counted.
void sgd_step(const StepList& list, const SgdStepOptions& options, const StepClip& clip);
// States: m, v, v_max.
template <bool kDecoupled>
void adam_step(const StepList& list, const AdamOptionsOf<kDecoupled>& options, AdamCorrections* corrections,
               const StepClip& clip);
// States: m, v. products: of the slot whose count of steps is first_steps[i], the product of mu so far, which the step goes on.
void nadam_step(const StepList& list, const NadamStepOptions& options, const int64_t* first_steps, double* products,
                const StepClip& clip);
void radam_step(const StepList& list, const RadamStepOptions& options, const StepClip& clip);
// States: v, b, mean.
void rmsprop_step(const StepList& list, const RmspropStepOptions& options, const StepClip& clip);
// State: v.
void adagrad_step(const StepList& list, const AdagradStepOptions& options, const StepClip& clip);

// DTypeError or ShapeError naming `op` unless g has p's dtype and shape, and the states in use its dtype and number of elements.
void check_step(const char* op, const Tensor& p, const Tensor& g, const Tensor* states, std::array<bool, 3> has_state);

}  // namespace tapegrad

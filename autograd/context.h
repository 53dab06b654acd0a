// What a user-defined operation's forward leaves for its backward.
#pragma once

#include <string>

#include "tapegrad/autograd/apply.h"

namespace tapegrad::autograd {

using variable_list = std::vector<Tensor>;
using tensor_list = variable_list;

// A value kept by name in AutogradContext::saved_data.
class TAPEGRAD_API Value {
 public:
  Value() = default;
  template <class T>
    requires(std::is_arithmetic_v<T>)
  Value(T number) : scalar_(number) {}
  Value(std::string text) : text_(std::move(text)) {}
  Value(const char* text) : text_(text) {}
  Value(std::vector<int64_t> integers) : integers_(std::move(integers)) {}
  Value(Tensor tensor) : tensor_(std::move(tensor)) {}
  double toDouble() const { return scalar_.to<double>(); }
  int64_t toInt() const { return scalar_.to<int64_t>(); }
  bool toBool() const { return scalar_.to<bool>(); }
  const std::string& toStringRef() const { return text_; }
  const std::vector<int64_t>& toIntVector() const { return integers_; }
  const Tensor& toTensor() const { return tensor_; }

 private:
  Scalar scalar_;
  std::string text_;
  std::vector<int64_t> integers_;
  Tensor tensor_;
};

// Values by name.
class TAPEGRAD_API ValueMap {
 public:
  // The value of that name, made when it is not there.
  Value& operator[](const std::string& name);

 private:
  std::vector<std::pair<std::string, Value>> values_;
};

// What forward leaves for backward.
class TAPEGRAD_API AutogradContext {
 public:
  // Inputs, outputs or other tensors backward needs; written tensors are caught as for every operation.
  void save_for_backward(variable_list tensors);
  // The same tensors. AutogradError when one was written in place since, or the graph was freed.
  variable_list get_saved_variables() const;
  ValueMap saved_data;

  // Inputs that forward writes in place and returns. To be called before the write: AutogradError when one may not be
  // written, such as a leaf that requires grad.
  void mark_dirty(const variable_list& inputs);
  // Outputs that carry no gradient.
  void mark_non_differentiable(const variable_list& outputs) { constant_ = outputs; }
  // Whether backward receives zeros (the default) or undefined tensors for outputs without a gradient.
  void set_materialize_grads(bool value) { materialize_ = value; }
  // Whether the gradient by argument i is wanted, counted as backward's gradients are.
  bool needs_input_grad(size_t i) const { return needs(static_cast<int64_t>(i)); }

 private:
  friend class FunctionNode;
  struct Kept {
    Tensor tensor;
    uint32_t version;
    int64_t output;  // which output it is, or -1
  };
  // An argument, and its version when forward began.
  struct Given {
    const Tensor* tensor;
    uint32_t version;
  };
  variable_list to_save_, dirty_, constant_;
  std::vector<Given> given_;  // while forward runs
  std::vector<Kept> kept_;
  bool grad_enabled_ = false;  // outside forward, which runs with recording off
  bool recorded_ = false;
  bool materialize_ = true;
  bool released_ = false;
  const char* name_ = "";
};

}  // namespace tapegrad::autograd

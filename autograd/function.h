// User-defined operations in PyTorch's way: a struct with a static forward and a static backward.
#pragma once

#include <string>
#include <tuple>
#include <typeinfo>

#include "tapegrad/autograd/apply.h"

namespace tapegrad::autograd {

using variable_list = std::vector<Tensor>;
using tensor_list = variable_list;

// A value kept by name in AutogradContext::saved_data.
class TAPEGRAD_API Value {
 public:
  Value() = default;
  template <class T>
    requires std::is_arithmetic_v<T> Value(T number) : scalar_(number) {}
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

  // Inputs that forward wrote in place and returns.
  void mark_dirty(const variable_list& inputs) { dirty_ = inputs; }
  // Outputs that carry no gradient.
  void mark_non_differentiable(const variable_list& outputs) { constant_ = outputs; }
  // Whether backward receives zeros (the default) or undefined tensors for outputs without a gradient.
  void set_materialize_grads(bool value) { materialize_ = value; }
  // Whether the gradient by argument i is wanted.
  bool needs_input_grad(size_t i) const { return needs(static_cast<int64_t>(i)); }

 private:
  friend class FunctionNode;
  struct Kept {
    Tensor tensor;
    uint32_t version;
    int64_t output;  // which output it is, or -1
  };
  variable_list to_save_, dirty_, constant_;
  std::vector<Kept> kept_;
  bool materialize_ = true;
  bool released_ = false;
  const char* name_ = "";
};

// The node of a user-defined function; the typed part below only calls forward and backward.
class TAPEGRAD_API FunctionNode : public Node {
 public:
  explicit FunctionNode(int64_t arguments, std::string name);
  const char* name() const override { return name_.c_str(); }
  Grads backward(Grads& dy) override;
  void visit_saved(void (*visit)(void*, const SavedView&), void* context) const override;
  void release_saved() noexcept override;
  AutogradContext& context() { return context_; }
  // Runs after forward: hooks the outputs up. inputs has one entry per argument, null where it is no tensor.
  void finish(variable_list& outputs, const std::vector<const Tensor*>& inputs, bool recorded);

 protected:
  virtual variable_list call_backward(AutogradContext* context, variable_list grads) = 0;

 private:
  AutogradContext context_;
  std::string name_;
  std::vector<Edge> edges_here_;
  struct Like {
    bool defined;
    DType dtype;
    Shape sizes;
  };
  std::vector<Like> like_;  // the outputs' sizes, for zeros
};

TAPEGRAD_API std::string readable_type_name(const std::type_info& type);

// struct Square : autograd::Function<Square> {
//   static Tensor forward(AutogradContext* ctx, const Tensor& x) { ctx->save_for_backward({x}); return x * x; }
//   static variable_list backward(AutogradContext* ctx, variable_list dy) { return {dy[0] * 2 * ctx->get_saved_variables()[0]}; }
// };
// Tensor y = Square::apply(x);
// backward returns one gradient per argument of forward after ctx, undefined for what is no tensor.
template <class F> struct Function {
  template <class... Args> static auto apply(const Args&... args) {
    struct Typed final : FunctionNode {
      Typed() : FunctionNode(sizeof...(Args), readable_type_name(typeid(F))) {}
      variable_list call_backward(AutogradContext* context, variable_list grads) override {
        return F::backward(context, std::move(grads));
      }
      size_t allocated_bytes() const override { return sizeof(*this); }
    };
    const std::vector<const Tensor*> inputs{tensor_or_null(args)...};
    std::vector<const Tensor*> given;
    given.reserve(inputs.size());
    static const Tensor absent;
    for (const Tensor* t : inputs) given.push_back(t ? t : &absent);
    const detail::Recording recording("function", given.data(), static_cast<int64_t>(given.size()), true);
    auto node = Ref<Typed>::adopt(new (allocate(sizeof(Typed))) Typed);
    using Result = decltype(F::forward(&node->context(), args...));
    Result result = [&] {
      NoGradGuard no_grad;
      return F::forward(&node->context(), args...);
    }();
    if constexpr (std::is_same_v<Result, Tensor>) {
      variable_list outputs{std::move(result)};
      node->finish(outputs, inputs, recording.needed());
      return std::move(outputs[0]);
    } else {
      node->finish(result, inputs, recording.needed());
      return result;
    }
  }

 private:
  static const Tensor* tensor_or_null(const Tensor& t) { return &t; }
  template <class T> static const Tensor* tensor_or_null(const T&) { return nullptr; }
};

}  // namespace tapegrad::autograd

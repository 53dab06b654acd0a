// User-defined operations in PyTorch's way: a struct with a static forward and a static backward.
#pragma once

#include <optional>
#include <tuple>
#include <typeinfo>

#include "tapegrad/autograd/context.h"

namespace tapegrad::autograd {

// The node of a user-defined function; the typed part below only calls forward and backward.
class TAPEGRAD_API FunctionNode : public Node {
 public:
  FunctionNode(size_t arguments, const char* name);  // name is kept as it is
  const char* name() const override { return context_.name_; }
  Grads backward(Grads& dy) override;
  void visit_saved(void (*visit)(void*, const SavedView&), void* context) const override;
  void release_saved() noexcept override;
  AutogradContext& context() { return context_; }
  // Runs before forward. inputs has one entry per argument, an undefined tensor where it is none.
  void begin(const std::vector<const Tensor*>& inputs, bool recorded);
  // Runs after forward: hooks the outputs up.
  void finish(variable_list& outputs, const std::vector<const Tensor*>& inputs);

 protected:
  virtual variable_list call_backward(AutogradContext* context, variable_list grads) = 0;

 private:
  AutogradContext context_;
  std::vector<Edge> edges_here_;
  struct Like {
    bool defined;
    DType dtype;
    Shape sizes;
  };
  std::vector<Like> like_;  // the outputs' sizes, for zeros
};

// The type's name without the namespaces it lies in.
TAPEGRAD_API std::string readable_type_name(const std::type_info& type);

namespace detail {

template <class T>
concept TensorRange = requires(const T& t) {
  requires std::is_base_of_v<Tensor, std::remove_cvref_t<decltype(*t.begin())>>;
  requires std::is_lvalue_reference_v<decltype(*t.begin())>;
  t.end();
};
TAPEGRAD_API extern const Tensor no_tensor;

inline void append_tensors(std::vector<const Tensor*>& list, const Tensor& t) { list.push_back(&t); }
inline void append_tensors(std::vector<const Tensor*>& list, const std::optional<Tensor>& t) {
  list.push_back(t ? &*t : &no_tensor);
}
template <class T> void append_tensors(std::vector<const Tensor*>& list, const T& argument) {
  if constexpr (TensorRange<T>) {
    for (const Tensor& t : argument) list.push_back(&t);
  } else if constexpr (std::is_base_of_v<Tensor, T>) {
    list.push_back(&argument);
  } else {
    list.push_back(&no_tensor);
  }
}

// The argument again with the tensors of `in` from `next` on in place of its own.
template <class T> auto with_tensors(const T& argument, const std::vector<Tensor>& in, size_t& next) {
  if constexpr (std::is_base_of_v<Tensor, T>) {
    return in[next++];
  } else if constexpr (std::is_same_v<T, std::optional<Tensor>>) {
    const Tensor& t = in[next++];
    return argument ? T(t) : T();
  } else if constexpr (TensorRange<T> && requires(T & t) { *t.begin() = in[0]; }) {
    T list = argument;
    for (auto& t : list) t = in[next++];
    return list;
  } else {
    std::vector<const Tensor*> own;
    append_tensors(own, argument);
    next += own.size();
    return argument;
  }
}

}  // namespace detail

// struct Square : autograd::Function<Square> {
//   static Tensor forward(AutogradContext* ctx, const Tensor& x) { ctx->save_for_backward({x}); return x * x; }
//   static variable_list backward(AutogradContext* ctx, variable_list dy) { return {dy[0] * 2 * ctx->get_saved_variables()[0]}; }
// };
// Tensor y = Square::apply(x);
// backward returns one gradient per argument of forward after ctx, undefined for what is no tensor; a vector or array of
// tensors counts as that many arguments.
template <class F> struct Function {
  template <class... Args> static auto apply(const Args&... args) {
    struct Typed final : FunctionNode {
      using FunctionNode::FunctionNode;
      variable_list call_backward(AutogradContext* context, variable_list grads) override {
        return F::backward(context, std::move(grads));
      }
      size_t allocated_bytes() const override { return sizeof(*this); }
      std::vector<Tensor> replay(const std::vector<Tensor>& in) const override {
        if (!arguments) return {};
        size_t next = 0;
        const auto again =
            std::apply([&](const auto&... a) { return std::tuple{detail::with_tensors(a, in, next)...}; }, *arguments);
        return std::apply([](const auto&... a) { return Function::listed(a...); }, again);
      }
      std::optional<std::tuple<std::decay_t<Args>...>> arguments;  // kept for replay, while a check watches
    };
    static const std::string name = readable_type_name(typeid(F));
    std::vector<const Tensor*> inputs;
    inputs.reserve(sizeof...(Args));
    (detail::append_tensors(inputs, args), ...);
    const detail::Recording recording(name.c_str(), inputs.data(), static_cast<int64_t>(inputs.size()), true);
    auto node = Ref<Typed>::adopt(new (allocate(sizeof(Typed))) Typed(inputs.size(), name.c_str()));
    node->begin(inputs, recording.needed());
    if (recording.needed() && keeps_inputs()) [[unlikely]]
      node->arguments.emplace(args...);
    using Result = decltype(F::forward(&node->context(), args...));
    Result result = [&] {
      NoGradGuard no_grad;
      return F::forward(&node->context(), args...);
    }();
    if constexpr (std::is_same_v<Result, Tensor>) {
      variable_list outputs{std::move(result)};
      node->finish(outputs, inputs);
      return std::move(outputs[0]);
    } else {
      node->finish(result, inputs);
      return result;
    }
  }

 private:
  // Of a stated type, so that apply() can name it before its own is deduced.
  template <class... Args> static std::vector<Tensor> listed(const Args&... args) {
    return detail::listed(apply(args...));
  }
};

}  // namespace tapegrad::autograd

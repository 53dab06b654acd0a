// The node of an operation that is given as a struct: what the struct may offer, and how the sweep calls it.
#pragma once

#include <array>

#include "tapegrad/autograd/fields.h"
#include "tapegrad/autograd/saved.h"

namespace tapegrad::autograd {

// What an operation's struct may offer. Only `name` and `forward` are needed to run, `backward` to be differentiated.
template <class Op>
concept HasBackward = requires {
  &Op::backward;
};
template <class Op>
concept HasFusedBackward = requires {
  &Op::backward_fused;
};
template <class Op>
concept HasTangent = requires {
  &Op::tangent;
};
template <class Op>
concept Elementwise = requires {
  requires Op::elementwise;
};  // dy[i] depends on dx[i] alone
template <class Op>
concept Linear = requires {
  requires Op::linear;
};  // f(x) is its own tangent
template <class Op>
concept OptionalInputs = requires {
  requires Op::optional_inputs;
};  // inputs may be undefined
template <class Op>
concept ViewOp = requires {
  requires Op::is_view;
};  // the output aliases input 0
template <class Op>
concept Repeatable = requires(Op& op) {
  op.repeat();
};  // draws random numbers, and after repeat() the same ones

namespace detail {

[[noreturn]] TAPEGRAD_API void no_tangent(const char* op);
TAPEGRAD_API Grads sum_tangents(const char* op, Grads (*rule)(const void* op, Grads& dy), const void* self,
                                const Grads& dx);

template <class T> struct IsSavedList : std::false_type {};
template <class T> struct IsSavedList<std::vector<T>> : std::is_base_of<Saved, T> {};

template <class Op, class F> void for_each_saved(Op& op, F&& f) {
  for_each_field(op, [&](auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_base_of_v<Saved, Field>) f(field);
    else if constexpr (IsSavedList<Field>::value) {
      for (auto& one : field) f(one);
    }
  });
}

TAPEGRAD_API void show(const Saved& saved, void (*visit)(void*, const SavedView&), void* context);
// What an attribute of type T is to visitors; tensor_kept: nothing.
template <class T> constexpr SavedView::Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>) return SavedView::flag;
  else if constexpr (std::is_same_v<T, int64_t>) return SavedView::integer;
  else if constexpr (std::is_same_v<T, uint32_t>) return SavedView::mask;
  else if constexpr (std::is_same_v<T, double>) return SavedView::real;
  else if constexpr (std::is_same_v<T, Scalar>) return SavedView::number;
  else if constexpr (std::is_same_v<T, Shape>) return SavedView::sizes;
  else if constexpr (std::is_same_v<T, std::vector<int64_t>>) return SavedView::lengths;
  else if constexpr (requires { typename T::Attribute; }) return SavedView::structure;
  else return SavedView::tensor_kept;
}

inline std::vector<Tensor> listed(Tensor y) { return {std::move(y)}; }
inline std::vector<Tensor> listed(std::vector<Tensor> y) { return y; }
template <size_t K> std::vector<Tensor> listed(const std::array<Tensor, K>& y) { return {y.begin(), y.end()}; }
TAPEGRAD_API Tensor copy_of(const Tensor& x);

// The one copy of an op's forward in the library.
template <class Op, class... In> [[gnu::noinline]] auto run_forward(Op& op, const In&... in) {
  return op.forward(in...);
}

// The same for the gradient checker, with the inputs in a list.
template <size_t N, class Op> [[gnu::cold]] std::vector<Tensor> forward_again(Op& op, const std::vector<Tensor>& in) {
  return [&]<size_t... I>(std::index_sequence<I...>)->std::vector<Tensor> {
    if constexpr (N == 0) {
      return listed(run_forward(op, in));
    } else if constexpr (requires { op.forward(in[I]...); }) {
      return listed(run_forward(op, in[I]...));
    } else {  // it only writes in place
      Tensor self = copy_of(in[0]);
      op.forward(in[I]..., self);
      return {std::move(self)};
    }
  }
  (std::make_index_sequence<N>{});
}

template <class Op> Grads call_rule(const Op& op, Grads& dy) {
  if constexpr (!HasBackward<Op>) {
    return {};
  } else {
    if constexpr (HasFusedBackward<Op>) {
      if (!GradMode::is_enabled()) {
        if constexpr (requires { op.backward_fused(dy); }) return op.backward_fused(dy);
        else return op.backward_fused(dy[0]);
      }
    }
    // A Tensor becomes a Grads by itself, so whether the rule takes them all is what to ask.
    if constexpr (requires { op.backward(dy); }) return op.backward(dy);
    else return op.backward(dy[0]);
  }
}

}  // namespace detail

template <class Op> Tensor apply_again(const Op& op, const Grads& dx);
template <class Op, size_t N> class OpNode;
namespace detail {
template <class Op, size_t N> Ref<OpNode<Op, N>> new_node(Op&& op, int64_t inputs);
}

// The node of an operation given as a struct; N inputs, or any number when N is 0.
template <class Op, size_t N> class OpNode final : public Node {
 public:
  OpNode(Op&& op, int64_t inputs) : Node(nullptr, inputs), op_(std::move(op)) {
    if constexpr (N == 0) edges_here_.resize(static_cast<size_t>(inputs));
    set_edges(edges_here_.data());
  }
  const char* name() const override { return Op::name; }
  Grads backward(Grads& dy) override {
    static_assert(HasBackward<Op>,
                  "an operation that is applied to the tape needs a rule: Grads backward(const Tensor& dy) const");
    return detail::call_rule(op_, dy);
  }
  Grads tangent(const Grads& dx) override {
    if constexpr (HasTangent<Op>) {
      if constexpr (requires { op_.tangent(dx); }) return Grads(op_.tangent(dx));
      else return Grads(op_.tangent(dx[0]));
    } else if constexpr (Linear<Op>) {
      return Grads(apply_again(op_, dx));
    } else if constexpr (Elementwise<Op>) {
      return detail::sum_tangents(
          Op::name,
          [](const void* op, Grads& dy) {
            const Op& rule = *static_cast<const Op*>(op);
            if constexpr (requires { rule.backward(dy); }) return rule.backward(dy);
            else return rule.backward(dy[0]);
          },
          &op_, dx);
    } else {
      detail::no_tangent(Op::name);
    }
  }
  void visit_saved(void (*visit)(void*, const SavedView&), void* context) const override {
    for_each_field(op_, [&](const auto& field) {
      using Field = std::remove_cvref_t<decltype(field)>;
      if constexpr (std::is_base_of_v<Saved, Field>) {
        detail::show(field, visit, context);
      } else if constexpr (detail::IsSavedList<Field>::value) {
        for (const auto& one : field) detail::show(one, visit, context);
      } else if constexpr (constexpr auto kind = detail::kind_of<Field>(); kind == SavedView::structure) {
        visit(context, {nullptr, nullptr, kind, static_cast<const typename Field::Attribute*>(&field)});
      } else if constexpr (kind != SavedView::tensor_kept) {
        visit(context, {nullptr, nullptr, kind, &field});
      }
    });
  }
  void release_saved() noexcept override {
    detail::for_each_saved(op_, [](Saved& saved) { saved.reset(); });
  }
  size_t allocated_bytes() const override { return sizeof(*this); }
  Op& op() { return op_; }

 protected:
  [[gnu::cold]] Ref<Node> fresh() const override {
    Op op = op_;
    detail::for_each_saved(op, [](Saved& saved) { saved.reset(); });
    if constexpr (Repeatable<Op>) op.repeat();
    return Ref<Node>::adopt(detail::new_node<Op, N>(std::move(op), inputs()).detach());
  }
  [[gnu::cold]] std::vector<Tensor> forward_again(const std::vector<Tensor>& in) override {
    return detail::forward_again<N>(op_, in);
  }

 private:
  Op op_;
  std::conditional_t<N == 0, std::vector<Edge>, std::array<Edge, N ? N : 1>> edges_here_;
};

}  // namespace tapegrad::autograd

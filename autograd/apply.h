// The one place that writes the tape: apply() runs an operation and, where a gradient is wanted, records it.
#pragma once

#include <new>
#include <string_view>

#include "tapegrad/autograd/autocast.h"
#include "tapegrad/core/allocator.h"

namespace tapegrad {
namespace autograd {
namespace detail {

// Checks the inputs, brings stale views up to date, and says which of them require grad.
class TAPEGRAD_API Recording {
 public:
  Recording(const char* op, const Tensor* const* inputs, int64_t count, bool optional = false);
  ~Recording() { state_.needs = outer_; }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  bool needed() const { return needed_; }

 private:
  State& state_;
  uint64_t outer_;
  bool needed_;
};

TAPEGRAD_API void record(Node* node, const Tensor* const* inputs, int64_t count);
// `y` becomes output `index` of node; an input handed through, or a tensor with a history, is aliased first.
TAPEGRAD_API void attach(Tensor& y, Node* node, uint32_t index, const Tensor* const* inputs, int64_t count);
TAPEGRAD_API void finish(Tensor& y, Node* node, const Tensor* const* inputs, int64_t count);  // both, for one output
TAPEGRAD_API void attach(Tensor* y, int64_t outputs, Node* node, const Tensor* const* inputs, int64_t count);
TAPEGRAD_API void mark_view(Tensor& y, const Tensor& base);
inline void mark_view(std::vector<Tensor>& y, const Tensor& base) {
  for (Tensor& part : y) mark_view(part, base);
}
// An output that shares memory with an input, or with what forward made it from, is never derived from that again.
TAPEGRAD_API void keep_own_history(Tensor& y, const Tensor* const* inputs, int64_t count);
// In place: checks self, returns what stands for it as an input (a snapshot if the rule needs the old value).
TAPEGRAD_API Tensor begin_in_place(const char* op, const Tensor& self, bool recorded, bool old_value);
TAPEGRAD_API void check_in_place(const char* op, const Tensor& self);
TAPEGRAD_API void check_recorded_write(const char* op, const Tensor& self);
TAPEGRAD_API void rebase(const Tensor& self, Node* node, uint32_t output = 0);
// `other`, or a copy of it with the same history when it shares memory with the tensor about to be written.
TAPEGRAD_API Tensor apart_from(const Tensor& other, const Tensor& self);

template <class Op, size_t N> Ref<OpNode<Op, N>> new_node(Op&& op, int64_t inputs) {
  void* memory = allocate(sizeof(OpNode<Op, N>));
  return Ref<OpNode<Op, N>>::adopt(new (memory) OpNode<Op, N>(std::forward<Op>(op), inputs));
}

template <size_t N, class Op, class... In>
auto apply_to(Op&& op, const Tensor* const* inputs, int64_t count, const In&... in) {
  Recording recording(Op::name, inputs, count, OptionalInputs<Op>);
  if (!recording.needed()) {
    auto y = run_forward(op, in...);
    if constexpr (ViewOp<Op>) mark_view(y, *inputs[0]);
    return y;
  }
  auto node = new_node<Op, N>(std::forward<Op>(op), count);
  auto y = run_forward(node->op(), in...);
  if constexpr (std::is_same_v<decltype(y), Tensor>) {
    finish(y, node.get(), inputs, count);
  } else {  // std::vector<Tensor> or std::array<Tensor, K>
    record(node.get(), inputs, count);
    attach(y.data(), static_cast<int64_t>(y.size()), node.get(), inputs, count);
  }
  if constexpr (ViewOp<Op>) mark_view(y, *inputs[0]);
  return y;
}

// "add_" for the struct of "add"; a name that ends so stays.
template <class Op> struct InPlaceName {
  static constexpr std::string_view name = Op::name;
  static constexpr auto text = [] {
    std::array<char, name.size() + 2> text{};
    name.copy(text.data(), name.size());
    if (name.back() != '_') text[name.size()] = '_';
    return text;
  }();
};
template <class Op> inline constexpr const char* in_place_name = InPlaceName<Op>::text.data();

// `name` is what the errors call the operation.
template <size_t N, class Op, class... In>
Tensor& write_in_place(const char* name, Op&& op, const Tensor& self, const In&... in) {
  const Tensor* inputs[] = {&self, &in...};
  Recording recording(name, inputs, N);
  constexpr bool old_value = requires { requires Op::saves_input; };
  const Tensor before = begin_in_place(name, self, recording.needed(), old_value);
  if (!recording.needed()) {
    op.forward(before, in..., self);
    return const_cast<Tensor&>(self);
  }
  auto node = new_node<Op, N>(std::forward<Op>(op), N);
  node->op().forward(before, in..., self);
  inputs[0] = &before;
  record(node.get(), inputs, N);
  rebase(self, node.get());
  return const_cast<Tensor&>(self);
}

template <class Op, class Y> void narrow_results(Y& y, const Tensor* const* inputs, int64_t count) {
  if (lifts<Op> && state().autocast) return;
  if constexpr (std::is_same_v<Y, Tensor>) narrow_results(&y, 1, inputs, count);
  else narrow_results(y.data(), static_cast<int64_t>(y.size()), inputs, count);
}

// Op on float32 forms of its inputs, and its results back in bfloat16; under AutocastGuard those on its list stay float32.
template <class Op, class... In> [[gnu::cold, gnu::noinline]] auto through_float32(Op&& op, const In&... in) {
  const std::array<Tensor, sizeof...(In)> wide{widened(in)...};
  const Tensor* const given[] = {&in...};
  return [&]<size_t... I>(std::index_sequence<I...>) {
    const Tensor* const inputs[] = {&wide[I]...};
    auto y = apply_to<sizeof...(In)>(std::forward<Op>(op), inputs, sizeof...(In), wide[I]...);
    narrow_results<Op>(y, given, sizeof...(In));
    return y;
  }
  (std::index_sequence_for<In...>{});
}
template <class Op> [[gnu::cold, gnu::noinline]] auto list_through_float32(Op&& op, const std::vector<Tensor>& in) {
  const std::vector<Tensor> wide = widened(in);
  std::vector<const Tensor*> inputs, given;
  for (const Tensor& t : wide) inputs.push_back(&t);
  for (const Tensor& t : in) given.push_back(&t);
  const auto count = static_cast<int64_t>(in.size());
  auto y = apply_to<0>(std::forward<Op>(op), inputs.data(), count, wide);
  narrow_results<Op>(y, given.data(), count);
  return y;
}

}  // namespace detail

// Runs op.forward(inputs...) and records it when one of the inputs requires grad. An undefined input is an absent one.
template <class Op, class... In>
  requires(std::is_same_v<In, Tensor>&&...)
auto apply(Op op, const In&... in) {
  if (detail::wants_float32<Op>(in...)) [[unlikely]]
    return detail::through_float32(std::move(op), in...);
  const Tensor* const inputs[] = {&in...};
  return detail::apply_to<sizeof...(In)>(std::move(op), inputs, sizeof...(In), in...);
}

// The same for any number of inputs, which forward receives as a vector.
template <class Op> auto apply_list(Op op, const std::vector<Tensor>& in) {
  if (detail::wants_float32<Op>(in)) [[unlikely]]
    return detail::list_through_float32(std::move(op), in);
  std::vector<const Tensor*> inputs;
  inputs.reserve(in.size());
  for (const Tensor& t : in) inputs.push_back(&t);
  return detail::apply_to<0>(std::move(op), inputs.data(), static_cast<int64_t>(inputs.size()), in);
}

// Runs op.forward(self, others..., self), which writes its result into self, and gives self the new history. `self` has
// the shape and dtype of the result; the caller has seen to it. Errors name the op with a "_", or `name`.
template <class Op, class... In>
  requires(std::is_same_v<In, Tensor>&&...)
Tensor& apply_in_place_as(const char* name, Op op, const Tensor& self, const In&... in) {
  constexpr int64_t count = 1 + sizeof...(In);
  detail::check_in_place(name, self);
  if constexpr (!detail::takes_bfloat16<Op>()) {
    if (detail::is_bfloat16(self) || (detail::is_bfloat16(in) || ...)) [[unlikely]]
      detail::no_bfloat16_in_place(name);
  }
  return detail::write_in_place<count>(name, std::move(op), self, detail::apart_from(in, self)...);
}

template <class Op, class... In>
  requires(std::is_same_v<In, Tensor>&&...)
Tensor& apply_in_place(Op op, const Tensor& self, const In&... in) {
  return apply_in_place_as(detail::in_place_name<Op>, std::move(op), self, in...);
}

// The operation again, on tangents: what a linear operation's forward mode is.
template <class Op> Tensor apply_again(const Op& op, const Grads& dx) {
  Op again = op;
  detail::for_each_saved(again, [](Saved& saved) { saved.reset(); });
  return apply(std::move(again), dx[0]);
}

}  // namespace autograd

using autograd::apply;
using autograd::apply_in_place;
using autograd::apply_in_place_as;
using autograd::apply_list;

}  // namespace tapegrad

// The autograd methods of Tensor: leaves, gradients, hooks, leaving the graph.
#include <algorithm>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
#include "tapegrad/autograd/replay/recorder.h"

namespace tapegrad {

using namespace autograd;

bool Tensor::requires_grad() const {
  refresh(state());
  return impl_->requires_grad || impl_->node;
}

bool Tensor::is_leaf() const {
  refresh(state());
  return !impl_->node;
}

const Tensor& Tensor::set_requires_grad(bool value) const {
  refresh(state());
  if (value && !is_floating_point())
    throw DTypeError(std::string("requires_grad_: only float32 and float64 tensors can require grad, got ") +
                     name_of(dtype()));
  if (!value && impl_->node)
    throw AutogradError("requires_grad_: only leaves can stop requiring grad, got the result of " +
                        std::string(impl_->node->name()) + " (did you mean detach()?)");
  if (impl_->node) return *this;
  if (thread_state.recorder) [[unlikely]]
    thread_state.recorder->note_requires_grad(*impl_, value);
  impl_->requires_grad = value;
  return *this;
}

Tensor& Tensor::requires_grad_(bool value) {
  set_requires_grad(value);
  return *this;
}

namespace {
constinit const Tensor absent;
}

const Tensor& Tensor::grad() const { return state().meta ? impl_->meta->grad : absent; }

Tensor& Tensor::mutable_grad() const { return meta_of(state()).grad; }

Ref<Node> Tensor::grad_fn() const {
  refresh(state());
  return Ref<Node>::share(impl_->node);
}

void Tensor::backward(const Tensor& gradient, std::optional<bool> retain_graph, bool create_graph) const {
  autograd::backward(*this, gradient, retain_graph.value_or(create_graph), create_graph);
}

Scalar Tensor::item() const {
  if (!defined()) throw ValueError("item: the tensor must be defined, got an undefined tensor (Tensor())");
  if (numel() != 1)
    throw ValueError("item: the tensor must have one element, got " + std::to_string(numel()) + " in shape " +
                     to_string(sizes()));
  if (keeps_inputs()) [[unlikely]]
    note_severed("item", *impl_);
  tapegrad::detail::check_host_read(
      "item() reads a value on the host, which a replay would not do again (return the tensor, and "
      "read it after the run)");
  return dispatch(dtype(), [&]<class T>() { return Scalar(*reinterpret_cast<const T*>(impl_->data)); });
}

Tensor Tensor::detach() const {
  if (keeps_inputs() && impl_) [[unlikely]]
    note_severed("detach", *impl_);
  return alias(*this);
}

Tensor& Tensor::detach_() {
  TensorImpl& t = state();
  if (keeps_inputs()) [[unlikely]]
    note_severed("detach_", t);
  if (t.base)
    throw AutogradError("detach_: a view cannot leave the graph in place, shape " + to_string(t.sizes) +
                        " (use detach())");
  if (t.meta && t.meta->retains && t.node) remove_retained(*t.node, &t);
  if (t.node) std::exchange(t.node, nullptr)->release();
  t.requires_grad = false;
  return *this;
}

void Tensor::retain_grad() const {
  refresh(state());
  if (!requires_grad()) throw AutogradError("retain_grad: the tensor must require grad, shape " + to_string(sizes()));
  if (!impl_->node || retains_grad()) return;
  meta_of(*impl_).retains = true;
  extras_of(*impl_->node).retained.push_back({impl_->output, impl_.get()});
}

bool Tensor::retains_grad() const { return state().meta && impl_->meta->retains; }

void Tensor::remove_hook(unsigned id) const { tapegrad::remove_hook(*this, id); }

namespace autograd::detail {

unsigned add_hook(const Tensor& t, Hook* hook) {
  static std::atomic<unsigned> next_id{0};
  std::shared_ptr<Hook> owned(hook);
  if (!t.requires_grad())
    throw AutogradError("register_hook: the tensor must require grad, shape " + to_string(t.sizes()));
  owned->id = ++next_id;
  if (Node* node = t.impl()->node) extras_of(*node).hooks.push_back({t.impl()->output, owned});
  else meta_of(*t.impl()).hooks.push_back(owned);
  return owned->id;
}

}  // namespace autograd::detail

void remove_hook(const Tensor& t, unsigned id) {
  size_t removed = 0;
  if (t.state().node && Access::extras(*t.impl()->node))
    removed += std::erase_if(extras_of(*t.impl()->node).hooks, [&](const OutputHook& h) { return h.hook->id == id; });
  if (t.impl()->meta) removed += std::erase_if(t.impl()->meta->hooks, [&](const auto& h) { return h->id == id; });
  if (removed == 0) throw ValueError("remove_hook: the tensor has no hook with the id " + std::to_string(id));
}

}  // namespace tapegrad

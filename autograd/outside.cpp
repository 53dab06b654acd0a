// What a stretch of operations takes from outside: leaves that require grad, and tensors recorded before it began.
#include <algorithm>

#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {

Outside::Outside() : outer_(thread_state.outside), first_(thread_state.next_sequence) { thread_state.outside = this; }

uint64_t Outside::note(const Tensor* const* inputs, int64_t count, const char* op) {
  for (int64_t i = 0; i < count; ++i) {
    TensorImpl* t = inputs[i]->impl();
    if (!t) continue;
    // A view whose memory was written gets a new node here, which is as old as what it is derived from.
    const bool stale = t->base && t->derived_version != t->storage->version();
    refresh(*t, op);
    const Node* node = stale && t->node ? t->base->node : t->node;
    if (node ? node->sequence() >= first_ : !t->node && !t->requires_grad) continue;
    if (known_.insert(key_of(*t)).second) met_.emplace_back(Ref<TensorImpl>::share(t));
  }
  return 0;
}

void Outside::drop(const Tensor& t) {
  if (!t.defined() || known_.erase(key_of(*t.impl())) == 0) return;
  std::erase_if(met_, [&](const Tensor& other) { return key_of(*other.impl()) == key_of(*t.impl()); });
}

}  // namespace tapegrad::autograd

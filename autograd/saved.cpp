// Saved tensors: the error when one was written or freed, and an output's way back to its node.
#include "tapegrad/autograd/internal.h"

namespace tapegrad {

namespace autograd {

void Saved::fail() const {
  const Node* node = thread_state.current;
  const std::string where = node ? node->name() : "rule";
  if (!value_.defined())
    throw AutogradError(
        where + ": the saved tensor \"" + field_ + "\" is not there: " +
        (node && node->freed() ? "the graph was freed by an earlier backward" : "forward did not save it"));
  throw AutogradError(where + ": the saved tensor \"" + field_ + "\", shape " + to_string(value_.sizes()) +
                      ", was written in place after it was saved: it is at version " +
                      std::to_string(value_.version()) + ", saved at version " + std::to_string(version_) +
                      " (write to a clone(), or not in place)");
}

namespace detail {

void show(const Saved& saved, void (*visit)(void*, const SavedView&), void* context) {
  if (!saved.defined()) return;
  const SavedView view{saved.field(), &saved.held()};
  visit(context, view);
}

Tensor rejoined(const Tensor& held, uint32_t output) {
  Tensor y = alias(held);
  Node* node = thread_state.current;
  node->retain();
  y.impl()->node = node;
  y.impl()->output = output;
  return y;
}

}  // namespace detail
}  // namespace autograd

Tensor SavedOutput::rejoined() const { return autograd::detail::rejoined(value_, output_); }

}  // namespace tapegrad

// A hook of the engine for the gradient checker and its tests: gradients seen or rewritten on their way out of a rule. Internal.
#pragma once

#include <functional>

#include "tapegrad/autograd/node.h"

namespace tapegrad::autograd {

// Stands in for node.backward(dy), which it may call; rewritten(node, dy) leaves that to the guard around.
using Rewriter = std::function<Grads(Node& node, Grads& dy)>;

// While alive, every rule this thread runs goes through `rewriter`.
class TAPEGRAD_API RewriteGuard {
 public:
  explicit RewriteGuard(Rewriter rewriter);
  ~RewriteGuard();
  RewriteGuard(const RewriteGuard&) = delete;
  RewriteGuard& operator=(const RewriteGuard&) = delete;

 private:
  friend Grads rewritten(Node& node, Grads& dy);
  Rewriter rewriter_;
  RewriteGuard* outer_;
};

TAPEGRAD_API Grads rewritten(Node& node, Grads& dy);

}  // namespace tapegrad::autograd

// What a watched recording keeps, where values leave the tape, and gradients rewritten for tests.
#include "tapegrad/autograd/watch.h"

#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/autograd/trace.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::autograd {
namespace {

constexpr size_t kSeveredKept = 16;
thread_local WatchGuard* watching = nullptr;
thread_local RewriteGuard* rewriting = nullptr;

}  // namespace

void watch_recording(Node& node, const Tensor* const* inputs, int64_t count) {
  if (thread_state.watch & kTrace) Tracer::current()->keep(node, inputs, count);
  if (thread_state.watch == kTrace) return;
  NodeExtras& extras = extras_of(node);
  extras.stack = capture_stack();
  if (!keeps_inputs()) return;
  for (int64_t i = 0; i < count; ++i)
    extras.inputs.push_back(inputs[i]->defined() ? clone_of(alias(*inputs[i])) : Tensor());
}

WatchGuard::WatchGuard() : outer_(std::exchange(watching, this)), watch_(thread_state.watch) {
  thread_state.watch |= kKeepInputs;
}

WatchGuard::~WatchGuard() {
  thread_state.watch = watch_;
  watching = outer_;
}

void note_severed(const char* what, const TensorImpl& t) {
  // Inside an op or a sweep that is how rules are written.
  if (!watching || thread_state.needs != 0 || thread_state.current) return;
  if (!t.node && !t.requires_grad) return;
  if (watching->severed_.size() == kSeveredKept) watching->severed_.erase(watching->severed_.begin());
  watching->severed_.push_back({what, capture_stack()});
}

RewriteGuard::RewriteGuard(Rewriter rewriter) : rewriter_(std::move(rewriter)), outer_(std::exchange(rewriting, this)) {
  thread_state.watch |= kRewrite;
}

RewriteGuard::~RewriteGuard() {
  rewriting = outer_;
  if (!outer_) thread_state.watch = static_cast<uint8_t>(thread_state.watch & ~kRewrite);
}

Grads rewritten(Node& node, Grads& dy) {
  RewriteGuard* const inner = rewriting;
  if (!inner) return node.backward(dy);
  const struct Outer {
    RewriteGuard* inner;
    ~Outer() { rewriting = inner; }
  } restore{std::exchange(rewriting, inner->outer_)};
  return inner->rewriter_(node, dy);
}

}  // namespace tapegrad::autograd

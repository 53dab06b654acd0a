// Notes of a capture.
#include "tapegrad/autograd/replay/recorder.h"

#include <algorithm>

#include "tapegrad/core/copy.h"

namespace tapegrad::autograd::replay {
namespace {

std::string place() { return describe_stack(capture_stack()); }

}  // namespace

Recorder::Recorder() : outer_(std::exchange(thread_state.recorder, this)) { list.refuse_host_reads(&place); }

void Recorder::stop() {
  if (!std::exchange(active_, false)) return;
  list.stop();
  thread_state.recorder = outer_;
}

LeafNote& Recorder::note_of(TensorImpl& leaf) {
  const auto [at, added] = index_.try_emplace(&leaf, leaves.size());
  if (added) leaves.push_back({Ref<TensorImpl>::share(&leaf), leaf.requires_grad});
  return leaves[at->second];
}

void Recorder::note_gradient(TensorImpl& leaf) {
  LeafNote& note = note_of(leaf);
  if (std::exchange(note.swept, true)) return;
  note.accumulates = leaf.meta && leaf.meta->grad.defined() && is_outside(*leaf.meta->grad.impl());
}

void Recorder::note_frozen(TensorImpl& t) {
  if (is_floating_point(t.dtype) && is_outside(t)) note_of(t);
}

void Recorder::note_requires_grad(TensorImpl& t, bool value) {
  if (!is_outside(t)) return;
  const size_t before = leaves.size();
  LeafNote& note = note_of(t);
  if (leaves.size() > before) note.sets = true;
  if (!note.set_by_runs) note.set_by_runs = std::make_shared<std::optional<WatchedLeaf>>(std::in_place, note.leaf);
  launch("set", LaunchKind::other, {}, {}, [leaf = note.set_by_runs, value] {
    if (*leaf) (**leaf)->requires_grad = value;
  });
}

void Recorder::pin_grads() {
  for (const ClearedGrad& c : cleared) {
    const bool read = list.uses(c.grad.impl()->storage.get());
    Tensor& now = meta_of(*c.leaf).grad;
    const bool replaced = now.defined() && !now.is_same(c.grad) && now.sizes() == c.grad.sizes();
    if (!read || !replaced) continue;
    copy(c.grad, now, "capture");
    now = c.grad;
  }
  cleared.clear();
}

void Recorder::add(Guard guard) {
  if (keys_.insert(guard.key).second) guards.push_back(std::move(guard));
}

void note_guard(Guard guard) { thread_state.recorder->add(std::move(guard)); }

void note_flag(const bool& flag, const std::string& what, const std::shared_ptr<const void>& owner) {
  note_guard({&flag, [at = &flag, value = flag, owner] { return *at == value; },
              what + (flag ? " was on at capture and is off" : " was off at capture and is on")});
}

void note_set(const bool& flag, std::function<void()> set) {
  note_guard({&flag, [] { return true; }, ""});
  launch("set", LaunchKind::other, {}, {}, [set = std::move(set)] { set(); });
}

void note_cleared(TensorImpl& leaf) {
  Recorder& recorder = *thread_state.recorder;
  if (leaf.meta && leaf.meta->grad.defined() && recorder.is_outside(*leaf.meta->grad.impl()))
    recorder.cleared.push_back({Ref<TensorImpl>::share(&leaf), leaf.meta->grad});
}

}  // namespace tapegrad::autograd::replay

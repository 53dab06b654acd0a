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

bool Recorder::is_outside(const Tensor& t) const {
  const std::vector<KeptStorage>& all = list.storages();
  return std::none_of(all.begin(), all.end(), [storage = t.impl()->storage.get()](const KeptStorage& s) {
    return s.created_here && s.storage == storage;
  });
}

void Recorder::note_leaf(TensorImpl& leaf) {
  const auto known = [&](const LeafNote& note) { return note.leaf.get() == &leaf; };
  if (std::any_of(leaves.begin(), leaves.end(), known)) return;
  const bool accumulates = leaf.meta && leaf.meta->grad.defined() && is_outside(leaf.meta->grad);
  leaves.push_back({Ref<TensorImpl>::share(&leaf), accumulates});
}

void Recorder::pin_grads() {
  for (const ClearedGrad& c : cleared) {
    const std::vector<KeptStorage>& all = list.storages();
    const bool read = std::any_of(all.begin(), all.end(),
                                  [&](const KeptStorage& s) { return s.storage == c.grad.impl()->storage.get(); });
    Tensor& now = meta_of(*c.leaf).grad;
    const bool replaced = now.defined() && !now.is_same(c.grad) && now.sizes() == c.grad.sizes();
    if (!read || !replaced) continue;
    copy(c.grad, now, "capture");
    now = c.grad;
  }
  cleared.clear();
}

void note_guard(Guard guard) {
  std::vector<Guard>& guards = thread_state.recorder->guards;
  if (std::none_of(guards.begin(), guards.end(), [&](const Guard& g) { return g.key == guard.key; }))
    guards.push_back(std::move(guard));
}

void note_flag(const bool& flag, const std::string& what, const std::shared_ptr<const void>& owner) {
  note_guard({&flag, [at = &flag, value = flag, owner] { return *at == value; },
              what + (flag ? " was on at capture and is off" : " was off at capture and is on")});
}

void note_cleared(TensorImpl& leaf) {
  Recorder& recorder = *thread_state.recorder;
  if (leaf.meta && leaf.meta->grad.defined() && recorder.is_outside(leaf.meta->grad))
    recorder.cleared.push_back({Ref<TensorImpl>::share(&leaf), leaf.meta->grad});
}

}  // namespace tapegrad::autograd::replay

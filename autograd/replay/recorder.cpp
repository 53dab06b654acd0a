// Notes of a capture.
#include "tapegrad/autograd/replay/recorder.h"

#include <algorithm>

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

void Recorder::note_leaf(TensorImpl& leaf) {
  const auto known = [&](const LeafNote& note) { return note.leaf.get() == &leaf; };
  if (std::any_of(leaves.begin(), leaves.end(), known)) return;
  bool accumulates = leaf.meta && leaf.meta->grad.defined();
  if (accumulates) {
    const Storage* kept = leaf.meta->grad.impl()->storage.get();
    for (const KeptStorage& s : list.storages()) accumulates = accumulates && !(s.created_here && s.storage == kept);
  }
  leaves.push_back({Ref<TensorImpl>::share(&leaf), accumulates});
}

void note_flag(const bool& flag, const char* what, std::shared_ptr<const void> owner) {
  std::vector<FlagNote>& flags = thread_state.recorder->flags;
  if (std::none_of(flags.begin(), flags.end(), [&](const FlagNote& f) { return f.flag == &flag; }))
    flags.push_back({&flag, flag, what, std::move(owner)});
}

}  // namespace tapegrad::autograd::replay

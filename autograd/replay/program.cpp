// Capturing a function, and running the program that comes of it.
#include <algorithm>
#include <cstring>

#include "tapegrad/autograd/replay/dependencies.h"
#include "tapegrad/autograd/replay/state.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/parallel.h"

namespace tapegrad {

using namespace autograd::replay;
using State = Program::State;

void State::keep(const std::function<void(LaunchList&)>& prepare) {
  if (keeping()) throw AutogradError("capture: a capture cannot run inside another");
  auto next = std::make_unique<Recorder>();
  if (prepare) prepare(next->list);
  std::vector<Tensor> results = fn(inputs);
  next->pin_grads();
  next->stop();
  // Nothing can fail any more: until here the program is what it was.
  for (Tensor& y : results) {
    if (y.defined()) y = y.detach();
  }
  steps.clear(), actions.clear(), leaves.clear(), outside.clear(), written.clear();
  plan = {};
  recorder = std::move(next);
  outputs = std::move(results);
  threads = get_num_threads();
  find_leaves();
}

void State::find_leaves() {
  std::vector<Leaf> others;
  for (LeafNote& note : recorder->leaves) {
    WatchedLeaf leaf(std::move(note.leaf));
    if (!leaf.in_use()) {  // the function's own
      if (note.set_by_runs) note.set_by_runs->reset();
      continue;
    }
    const autograd::GradMeta* meta = leaf->meta;
    const Tensor grad = note.swept && meta ? meta->grad : Tensor();
    const size_t hooks = meta ? meta->hooks.size() : 0;
    (grad.defined() ? leaves : others)
        .push_back({std::move(leaf), note.required, note.sets, note.swept, note.accumulates, hooks, grad});
  }
  with_gradient = leaves.size();
  for (Leaf& l : others) leaves.push_back(std::move(l));
  recorder->leaves.clear();
}

// Nobody but the program has it any more. Where only values are read, another handle to the memory will do.
bool State::Leaf::replaced() const { return !leaf.in_use() && (swept || leaf->storage->references() == 1); }

inline bool State::Leaf::holds() const {
  const TensorImpl& t = *leaf;
  if (t.requires_grad != required && !sets) return false;
  if (!leaf.in_use() && replaced()) [[unlikely]]
    return false;
  if (!swept || !t.meta) return true;
  return t.meta->hooks.size() == hooks && (grad.defined() || !t.meta->grad.defined());
}

std::string State::Leaf::broken() const {
  const std::string which = (required ? "a parameter of shape " : "a tensor of shape ") + to_string(leaf->sizes);
  if (leaf->requires_grad != required && !sets)
    return which + (required ? " required grad at capture and does not any more"
                             : " did not require grad at capture and does now");
  if (replaced())
    return which + (swept ? ", which the program computes the gradient of," : "") +
           " is held by nobody else any more, so it was replaced (write new values into it with copy_())";
  if (leaf->meta->hooks.size() != hooks)
    return which + " had " + std::to_string(hooks) + " hooks at capture and has " +
           std::to_string(leaf->meta->hooks.size());
  return which + " had no gradient when the captured function began and has one now (zero_grad() before the run)";
}

void State::compile() {
  LaunchList& list = recorder->list;
  const size_t storages = list.storages().size();
  temporary.assign(storages, false);
  for (size_t i = 0; i < storages; ++i) {
    const KeptStorage& s = list.storages()[i];
    temporary[i] = s.created_here && s.storage->references() == 0;
  }
  std::vector<bool> kept = temporary;
  kept.flip();
  steps = fuse(list.launches(), useful_launches(list.launches(), kept), storages, options.fuse);
  inside.assign(storages, false);
  keep_inside(steps, list.launches(), temporary, inside);
  std::vector<bool> movable = temporary;
  for (size_t i = 0; i < storages; ++i) movable[i] = movable[i] && !inside[i] && options.plan_memory;
  plan = plan_memory(steps, list, movable);
  find_outside();
  count();
  for (const Step& step : steps) {
    const detail::Closure& own = list.launches()[step.launches[0]].closure;
    if (!step.group) actions.push_back({own.type->run, own.object});
    else actions.push_back({[](const void* group) { static_cast<const Group*>(group)->run(); }, step.group.get()});
  }
}

// Memory that no step uses where the list has it.
void State::let_go() {
  LaunchList& list = recorder->list;
  std::vector<bool> used(temporary.size());
  for (const Step& step : steps) {
    for (size_t i : step.launches) {
      for (const LaunchOperand& o : list.launches()[i].operands) used[o.storage] = true;
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (inside[i] || plan.moved[i] || (temporary[i] && !used[i])) list.drop(i);
  }
}

void State::record() {
  keep();
  compile();
  let_go();
}

// What is not the program's own, and which of that it writes.
void State::find_outside() {
  const std::vector<KeptStorage>& storages = recorder->list.storages();
  std::vector<bool> known(storages.size()), writes(storages.size());
  for (const Step& step : steps) {
    for (size_t i : step.launches) {
      const std::vector<LaunchOperand>& operands = recorder->list.launches()[i].operands;
      for (size_t k = 0; k < operands.size(); ++k) {
        const size_t s = operands[k].storage;
        if (!storages[s].created_here && !known[s]) outside.push_back({storages[s].storage, i, k});
        if (!temporary[s] && operands[k].written && !writes[s]) written.push_back(storages[s].storage);
        known[s] = true;
        writes[s] = writes[s] || operands[k].written;
      }
    }
  }
}

void State::count() {
  stats = {};
  stats.launches = static_cast<int64_t>(recorder->list.launches().size());
  stats.steps = static_cast<int64_t>(steps.size());
  for (const Step& step : steps) {
    if (!step.group) continue;
    ++stats.fused_groups;
    stats.fused_launches += static_cast<int64_t>(step.launches.size());
  }
  for (size_t i = 0; i < temporary.size(); ++i) {
    if (!temporary[i]) continue;
    const auto bytes = static_cast<int64_t>(recorder->list.storages()[i].storage->bytes());
    ++stats.buffers;
    stats.eager_bytes += bytes;
    if (inside[i]) stats.inside_bytes += bytes;
  }
  stats.planned_bytes = plan.planned_bytes;
}

bool State::intact() const {
  if (get_num_threads() != threads) return false;
  for (const Guard& guard : recorder->guards) {
    if (!guard.holds()) return false;
  }
  for (const Leaf& l : leaves) {
    if (!l.holds()) return false;
  }
  return std::all_of(outside.begin(), outside.end(), [](const Outside& o) { return o.storage->references() > 0; });
}

std::string State::broken() const {
  if (intact()) return "";
  if (get_num_threads() != threads)
    return "the thread count was " + std::to_string(threads) + " at capture and is " +
           std::to_string(get_num_threads());
  for (const Guard& guard : recorder->guards) {
    if (!guard.holds()) return guard.broken;
  }
  for (const Leaf& l : leaves) {
    if (l.holds()) continue;
    // By the launch that uses it, where that can be told.
    const auto same = [&](const Outside& o) { return o.storage == l.leaf->storage.get(); };
    const auto at = std::find_if(outside.begin(), outside.end(), same);
    return l.replaced() && !l.swept && at != outside.end() ? replaced(*at) : l.broken();
  }
  for (const Outside& o : outside) {
    if (o.storage->references() == 0) return replaced(o);
  }
  return "";
}

std::string State::replaced(const Outside& o) const {
  const KeptLaunch& launch = recorder->list.launches()[o.launch];
  const LaunchOperand& operand = launch.operands[o.operand];
  return "the tensor of shape " + to_string(operand.sizes) + " and dtype " + name_of(operand.dtype) + " that " +
         launch.name + (operand.written ? " writes" : " reads") +
         " is held by nobody else any more, so it was replaced (write new values into it with copy_())";
}

// Gradients are where the program computes them, whatever was done to .grad() since the last run.
void State::attach_grads() {
  for (size_t i = 0; i < with_gradient; ++i) {
    Leaf& l = leaves[i];
    Tensor& now = autograd::meta_of(*l.leaf).grad;
    if (now.is_same(l.grad)) continue;
    if (l.accumulates) {
      if (now.defined()) copy(l.grad, now, "Program");
      else fill(l.grad, -0.0);  // the zero that leaves the sign of what is added to it
    }
    now = l.grad;
  }
}

namespace {

// What a run writes counts as written also when the run throws.
struct Written {
  const std::vector<Storage*>& memory;
  ~Written() {
    for (Storage* storage : memory) storage->bump_version();
  }
};

}  // namespace

void State::run() {
  attach_grads();
  const Written bump{written};
  if (tapegrad::detail::is_watched()) [[unlikely]]
    run_observed();
  else
    for (const Action& action : actions) action.run(action.object);
}

void State::run_kept(const std::function<void(size_t)>& after) const {
  const std::vector<KeptLaunch>& launches = recorder->list.launches();
  for (size_t i = 0; i < launches.size(); ++i) {
    launches[i].run();
    after(i);
  }
}

State& Program::state() const {
  if (!state_) throw ValueError("Program: it must hold a captured function, got a handle to nothing");
  return *state_;
}

Tensor Program::operator()() const {
  State& s = state();
  if (keeping()) throw AutogradError("Program: a program cannot run inside a capture");
  if (const std::string why = s.broken(); !why.empty()) [[unlikely]] {
    if (!s.options.recapture)
      throw AutogradError("Program: " + why + ": capture again, or ask for CaptureOptions::recapture");
    s.record();
  } else {
    s.run();
  }
  return s.outputs.empty() ? Tensor() : s.outputs[0];
}

namespace {

// What the function gets for an input: a copy, which it can ask the gradient by where it could ask by the input.
Tensor leaf_like(const Tensor& x) { return clone_of(x).requires_grad_(x.requires_grad()); }

}  // namespace

Tensor Program::operator()(const std::vector<Tensor>& inputs) const {
  State& s = state();
  if (keeping()) throw AutogradError("Program: a program cannot run inside a capture");
  if (inputs.size() != s.inputs.size())
    throw ValueError("Program: it was captured with " + std::to_string(s.inputs.size()) + " inputs, got " +
                     std::to_string(inputs.size()));
  bool same = true;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const std::string which = "Program: input " + std::to_string(i);
    if (!x.defined()) throw ValueError(which + " must be defined, got an undefined tensor (Tensor())");
    const bool fits = IntArrayRef(x.sizes()) == IntArrayRef(s.inputs[i].sizes()) && x.dtype() == s.inputs[i].dtype();
    same = same && fits;
    if (fits || s.options.recapture) continue;
    if (x.dtype() != s.inputs[i].dtype())
      throw DTypeError(which + " must have the dtype it was captured with, got " + name_of(x.dtype()) +
                       " and captured " + name_of(s.inputs[i].dtype()));
    throw ShapeError(which + " must have the shape it was captured with, got " + to_string(x.sizes()) +
                     " and captured " + to_string(s.inputs[i].sizes()));
  }
  if (!same) {
    std::vector<Tensor> next;
    for (const Tensor& x : inputs) next.push_back(leaf_like(x));
    s.inputs.swap(next);
    try {
      s.record();
    } catch (...) {
      s.inputs.swap(next);
      throw;
    }
    return s.outputs.empty() ? Tensor() : s.outputs[0];
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    copy(s.inputs[i], inputs[i], "Program");
    s.inputs[i].impl()->storage->bump_version();
  }
  return (*this)();
}

const std::vector<Tensor>& Program::outputs() const { return state().outputs; }
ProgramStats Program::stats() const { return state().stats; }

namespace detail {

void check_taken(size_t taken, size_t given) {
  if (taken != given)
    throw ValueError("capture: the function takes " + std::to_string(taken) + " tensors, got " + std::to_string(given) +
                     " inputs");
}

Program capture(CapturedFn fn, const std::vector<Tensor>& inputs, const CaptureOptions& options) {
  if (keeping()) throw AutogradError("capture: a capture cannot run inside another");
  auto state = std::make_shared<State>();
  state->fn = std::move(fn);
  state->options = options;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined())
      throw ValueError("capture: input " + std::to_string(i) + " must be defined, got an undefined tensor (Tensor())");
    state->inputs.push_back(leaf_like(inputs[i]));
  }
  state->fn(state->inputs);
#ifdef NDEBUG
  constexpr int by_default = 0;
#else
  constexpr int by_default = 1;
#endif
  const int steps = options.verify < 0 ? by_default : options.verify;
  state->keep();
  state->verify(steps);
  state->verify_compiled(steps);
  return Program(std::move(state));
}

}  // namespace detail
}  // namespace tapegrad

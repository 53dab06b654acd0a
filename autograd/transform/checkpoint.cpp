// Checkpoints: a node that keeps the inputs of a function, runs it again in backward and sweeps what that records.
#include "tapegrad/autograd/transform/checkpoint.h"

#include <algorithm>
#include <optional>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/random.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::autograd {
namespace {

using Tensors = std::vector<Tensor>;

// Sizes and dtype of an output, which the second run must give again.
struct Form {
  Shape sizes;
  DType dtype;
  bool operator==(const Form& other) const {
    return IntArrayRef(sizes) == IntArrayRef(other.sizes) && dtype == other.dtype;
  }
};

std::string text_of(const std::vector<Form>& forms) {
  std::string text;
  for (const Form& f : forms) text += (text.empty() ? "" : ", ") + to_string(f.sizes) + " " + name_of(f.dtype);
  return text;
}

std::vector<Form> forms_of(const Tensors& y) {
  std::vector<Form> forms;
  for (const Tensor& t : y) forms.push_back({t.sizes(), t.dtype()});
  return forms;
}

// A function to be run again.
struct Kept {
  std::shared_ptr<void> owner;  // of what f borrows
  TensorFunction f;
  std::optional<Generator> random;  // where the default generator stood
  std::vector<Form> outputs;
  bool autocast;
};

class CheckpointNode final : public Node {
 public:
  CheckpointNode(Kept kept, int64_t inputs) : Node(nullptr, inputs), kept_(std::move(kept)) {
    edges_here_.resize(static_cast<size_t>(inputs));
    set_edges(edges_here_.data());
  }
  const char* name() const override { return "checkpoint"; }
  Grads backward(Grads& dy) override;
  Grads tangent(const Grads& dx) override;
  void visit_saved(void (*visit)(void*, const SavedView&), void* context) const override;
  void release_saved() noexcept override {
    saved_.clear();
    kept_.owner.reset();
  }
  size_t allocated_bytes() const override { return sizeof(*this); }
  Tensors replay(const Tensors& inputs) const override;
  // While it is being recorded: what f was given, and what it took from outside.
  void save(const Tensors& inputs, const Tensors& outside);

 private:
  // The second run: what f got, what it took from outside, and what it gave.
  struct Run {
    Tensors from;  // one per edge
    Tensors y;
  };
  Run run_again() const;
  Tensors inputs_again(bool recorded) const;

  Kept kept_;
  size_t given_ = 0;  // how many of saved_ are f's inputs
  std::vector<SavedInput> saved_;
  std::vector<Edge> edges_here_;
};

void CheckpointNode::save(const Tensors& inputs, const Tensors& outside) {
  given_ = inputs.size();
  for (const Tensor& x : inputs) saved_.emplace_back("inputs").save(x);
  for (const Tensor& x : outside) saved_.emplace_back("from outside").save(x);
}

void CheckpointNode::visit_saved(void (*visit)(void*, const SavedView&), void* context) const {
  for (const SavedInput& saved : saved_) {
    if (!saved.defined()) continue;
    const SavedView view{saved.field(), &saved.held()};
    visit(context, view);
  }
}

// In a sweep that is recorded the inputs stay joined to what they come from; else they are leaves of this run.
Tensors CheckpointNode::inputs_again(bool recorded) const {
  Tensors inputs;
  for (size_t i = 0; i < given_; ++i) {
    if (!saved_[i].defined()) {
      inputs.emplace_back();
      continue;
    }
    const Tensor& x = *saved_[i];
    if (recorded) inputs.push_back(x.requires_grad() ? expand(x, x.sizes()) : x);
    else inputs.push_back(x.detach().requires_grad_(edge(static_cast<int64_t>(i)) && needs(static_cast<int64_t>(i))));
  }
  return inputs;
}

CheckpointNode::Run CheckpointNode::run_again() const {
  const bool recorded = GradMode::is_enabled();
  const AutoGradMode on(true);
  const AutocastMode autocast(kept_.autocast);
  Run run;
  run.from = inputs_again(recorded);
  const Tensors inputs = run.from;
  for (size_t i = given_; i < saved_.size(); ++i) run.from.push_back(*saved_[i]);
  std::optional<DefaultGeneratorGuard> random;
  if (kept_.random) {
    Generator generator;
    copy_state(generator, *kept_.random);
    random.emplace(std::move(generator));
  }
  Outside outside;
  run.y = kept_.f(inputs);
  for (const Tensor& x : inputs) outside.drop(x);
  if (outside.met().size() != saved_.size() - given_)
    throw AutogradError("checkpoint: f must use the same tensors that require grad when it runs again, got " +
                        std::to_string(outside.met().size()) + " from outside and " +
                        std::to_string(saved_.size() - given_) +
                        " in forward (does it depend on a state, or hide one by detach() or requires_grad_()?)");
  const bool defined = std::all_of(run.y.begin(), run.y.end(), [](const Tensor& t) { return t.defined(); });
  if (!defined || forms_of(run.y) != kept_.outputs)
    throw AutogradError("checkpoint: f must give the same shapes and dtypes when it runs again, got " +
                        (defined ? text_of(forms_of(run.y)) : "an undefined tensor (Tensor())") + " and " +
                        text_of(kept_.outputs) + " in forward");
  return run;
}

// f would still use its own where it takes tensors from outside, so then it cannot be run on others.
Tensors CheckpointNode::replay(const Tensors& inputs) const {
  if (!kept_.owner || saved_.size() != given_) return {};
  const AutocastMode autocast(kept_.autocast);
  std::optional<DefaultGeneratorGuard> random;
  if (kept_.random) {
    Generator generator;
    copy_state(generator, *kept_.random);
    random.emplace(std::move(generator));
  }
  return detail::checkpoint(kept_.owner, kept_.f, inputs, {.preserve_rng_state = kept_.random.has_value()});
}

Grads CheckpointNode::backward(Grads& dy) {
  const bool recorded = GradMode::is_enabled();
  Run run = run_again();
  Tensors y, w, x;
  std::vector<int64_t> place;
  for (int64_t i = 0; i < dy.size(); ++i) {
    Tensor& output = run.y[static_cast<size_t>(i)];
    if (!dy[i].defined() || !output.requires_grad()) continue;
    y.push_back(std::move(output));
    w.push_back(std::move(dy[i]));
  }
  run.y.clear();
  for (int64_t i = 0; i < inputs(); ++i) {
    const Tensor& from = run.from[static_cast<size_t>(i)];
    if (!edge(i) || !needs(i) || !from.requires_grad()) continue;
    x.push_back(from);
    place.push_back(i);
  }
  Grads dx(inputs());
  if (y.empty() || x.empty()) return dx;
  Tensors g = inner_grad(std::move(y), x, std::move(w), recorded);
  for (size_t i = 0; i < g.size(); ++i) dx[place[i]] = std::move(g[i]);
  return dx;
}

Grads CheckpointNode::tangent(const Grads& dx) {
  const bool recorded = GradMode::is_enabled();
  const Run run = run_again();
  Tensors x, v;
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (!dx[i].defined()) continue;
    x.push_back(run.from[static_cast<size_t>(i)]);
    v.push_back(dx[i]);
  }
  return Grads(jvp(run.y, x, v, recorded));
}

// f(inputs) with recording off. The inputs are handed over without their history, so that only what f takes from
// elsewhere is met by Outside.
Tensors run_plain(TensorFunction f, const Tensors& inputs) {
  const NoGradGuard no_grad;
  Tensors given;
  std::vector<uint32_t> versions;
  for (const Tensor& x : inputs) {
    given.push_back(x.defined() ? alias(x) : x);  // not detach(), which would be told as a way off the tape
    versions.push_back(x.defined() ? x.version() : 0);
  }
  Tensors y = f(given);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined() && inputs[i].version() != versions[i])
      throw AutogradError("checkpoint: f must not write its inputs in place, since it runs again on them, got input " +
                          std::to_string(i) + ", shape " + to_string(inputs[i].sizes()) + ", written");
  }
  return y;
}

}  // namespace

Tensors detail::checkpoint(std::shared_ptr<void> owner, TensorFunction f, const Tensors& inputs,
                           const CheckpointOptions& options) {
  if (!GradMode::is_enabled()) return f(inputs);
  Kept kept{std::move(owner), f, {}, {}, state().autocast};
  if (options.preserve_rng_state) copy_state(kept.random.emplace(), default_generator());
  Tensors y, outside;
  {
    const Outside noted;
    y = run_plain(f, inputs);
    outside = noted.met();
  }
  if (y.empty()) throw ValueError("checkpoint: f must return at least one tensor, got none");
  for (size_t i = 0; i < y.size(); ++i) {
    if (!y[i].defined())
      throw ValueError("checkpoint: output " + std::to_string(i) +
                       " must be defined, got an undefined tensor (Tensor())");
    y[i] = y[i].detach();
  }
  std::vector<const Tensor*> from;
  for (const Tensor& x : inputs) from.push_back(&x);
  for (const Tensor& x : outside) from.push_back(&x);
  const auto count = static_cast<int64_t>(from.size());
  const Recording recording("checkpoint", from.data(), count, true);
  if (!recording.needed()) return y;
  kept.outputs = forms_of(y);
  void* memory = allocate(sizeof(CheckpointNode));
  const auto node = Ref<CheckpointNode>::adopt(new (memory) CheckpointNode(std::move(kept), count));
  node->save(inputs, outside);
  record(node.get(), from.data(), count);
  attach(y.data(), static_cast<int64_t>(y.size()), node.get(), from.data(), count);
  return y;
}

}  // namespace tapegrad::autograd

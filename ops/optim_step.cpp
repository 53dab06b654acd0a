// Steps of optimizers, each one launch over all parameters of a list.
#include "tapegrad/ops/optim_step.h"

#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/denormal.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/step_parts.h"

namespace tapegrad {
namespace {

using kernels::simd::AdagradStep;
using kernels::simd::AdamStep;
using kernels::simd::RmspropStep;
using kernels::simd::SgdStep;
using kernels::simd::StepOptions;
using kernels::simd::StepPiece;
using kernels::simd::StepRange;

template <class Options> using Rule = void (*)(const Options&, const StepRange&);

// The pieces in [first, last), `elements` in all, on the threads that are worth it.
template <class Options>
void update(Rule<Options> rule, const Options& options, const StepPiece* first, int64_t elements) {
  parallel_for(0, elements, kParallelGrain, [&](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    const StepPiece* piece = first;
    int64_t before = 0;
    for (; before + piece->n <= begin; ++piece) before += piece->n;
    rule(options, {piece, begin - before, end - begin});
  });
}

// Counts a step of every parameter, and calls update(first piece, elements, steps before) for each run of parameters that have
// taken as many: nearly always all.
template <class Update> void for_equal_steps(const StepTable& table, const Update& update) {
  const StepPiece* const end = table.pieces.data() + table.pieces.size();
  for (const StepPiece* first = table.pieces.data(); first != end;) {
    const int64_t steps = *first->steps;
    int64_t elements = 0;
    const StepPiece* piece = first;
    for (; piece != end && *piece->steps == steps; ++piece) {
      ++*piece->steps;
      elements += piece->n;
    }
    update(first, elements, steps);
    first = piece;
  }
}

template <class Options> StepOptions common(const Options& o, const ClipFactor& factor) {
  return {o.lr, o.weight_decay, factor(), o.maximize};
}

KernelNote note_of(const StepTable& table, int64_t operations) {
  KernelNote note = kernels::simd_note();
  note.flops = table.elements * operations;
  return note;
}

// Operations per element of what all steps do to a gradient.
template <class Options> int64_t common_operations(const Options& o, const ClipFactor& factor) {
  return (factor.norm ? 1 : 0) + (o.weight_decay != 0 ? 2 : 0);
}

struct SgdRun {
  const StepTable* table;
  Rule<SgdStep> rule;
  ClipFactor factor;
  const SgdStepOptions* o;
  bool has_buffer;

  void operator()() const {
    const bool buffered = has_buffer && o->momentum != 0;
    SgdStep step{common(*o, factor), o->momentum, o->dampening, o->nesterov, buffered, false};
    if (!buffered) return update(rule, step, table->pieces.data(), table->elements);
    for_equal_steps(*table, [&](const StepPiece* first, int64_t elements, int64_t steps) {
      step.first = steps == 0;
      update(rule, step, first, elements);
    });
  }
  KernelNote note() const {
    return note_of(*table, 2 + (o->momentum != 0 ? 3 : 0) + (o->nesterov ? 2 : 0) + common_operations(*o, factor));
  }
};

void correct(AdamCorrections& c, int64_t step, const std::pair<double, double>& betas) {
  if (c.step == step && c.betas == betas) return;
  const auto t = static_cast<double>(step);
  c = {step, betas, 1 - std::pow(betas.first, t), 1 - std::pow(betas.second, t)};
}

template <bool kDecoupled> struct AdamRun {
  const StepTable* table;
  Rule<AdamStep> rule;
  ClipFactor factor;
  const AdamOptionsOf<kDecoupled>* o;
  AdamCorrections* corrections;
  bool has_largest;

  void operator()() const {
    AdamStep step{common(*o, factor), o->betas.first, o->betas.second, o->eps, 0, 0, 1, has_largest && o->amsgrad};
    if (kDecoupled) {
      step.weight_decay = 0;
      step.shrink = 1 - o->lr * o->weight_decay;
    }
    for_equal_steps(*table, [&](const StepPiece* first, int64_t elements, int64_t steps) {
      correct(*corrections, steps + 1, o->betas);
      step.correction1 = corrections->first;
      step.correction2 = corrections->second;
      update(rule, step, first, elements);
    });
  }
  KernelNote note() const { return note_of(*table, 13 + (o->amsgrad ? 1 : 0) + common_operations(*o, factor)); }
};

// Adam's kernel with the coefficients that it takes for all variants.
template <class Options> AdamStep adam_like(const Options& o, const ClipFactor& factor) {
  AdamStep step{common(o, factor), o.betas.first, o.betas.second, o.eps, 1, 1, 1, false};
  if (o.decoupled_weight_decay) {
    step.weight_decay = 0;
    step.shrink = 1 - o.lr * o.weight_decay;
  }
  return step;
}

struct NadamRun {
  const StepTable* table;
  Rule<AdamStep> rule;
  ClipFactor factor;
  const NadamStepOptions* o;
  const int64_t* first_steps;
  double* products;

  double momentum(double t) const { return o->betas.first * (1 - 0.5 * std::pow(0.96, t * o->momentum_decay)); }
  double& product(const StepPiece& piece) const { return products[piece.steps - first_steps]; }

  void operator()() const {
    AdamStep step = adam_like(*o, factor);
    for_equal_steps(*table, [&](const StepPiece* first, int64_t elements, int64_t steps) {
      const auto t = static_cast<double>(steps + 1);
      const double mu = momentum(t), next = momentum(t + 1);
      step.correction2 = 1 - std::pow(o->betas.second, t);
      step.lr = o->lr * next;
      // Parameters that took as many steps have one product, unless options were changed while some of them had no gradient.
      while (elements > 0) {
        const double before = product(*first), now = before * mu;
        const StepPiece* piece = first;
        int64_t alike = 0;
        for (; alike < elements && product(*piece) == before; ++piece) {
          product(*piece) = now;
          alike += piece->n;
        }
        step.correction1 = 1 - now * next;
        step.gradient_rate = o->lr * (1 - mu) / (1 - now);
        update(rule, step, first, alike);
        first = piece;
        elements -= alike;
      }
    });
  }
  KernelNote note() const { return note_of(*table, 15 + common_operations(*o, factor)); }
};

struct RadamRun {
  const StepTable* table;
  Rule<AdamStep> rule;
  ClipFactor factor;
  const RadamStepOptions* o;

  void operator()() const {
    AdamStep step = adam_like(*o, factor);
    const double limit = 2 / (1 - o->betas.second) - 1;
    for_equal_steps(*table, [&](const StepPiece* first, int64_t elements, int64_t steps) {
      const auto t = static_cast<double>(steps + 1);
      const double power = std::pow(o->betas.second, t), correction2 = 1 - power;
      const double length = limit - 2 * t * power / correction2;
      step.correction1 = 1 - std::pow(o->betas.first, t);
      step.adaptive = length > 5;
      step.lr = o->lr;
      if (step.adaptive)
        step.lr *= std::sqrt(correction2 * (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
      update(rule, step, first, elements);
    });
  }
  KernelNote note() const { return note_of(*table, 12 + common_operations(*o, factor)); }
};

struct RmspropRun {
  const StepTable* table;
  Rule<RmspropStep> rule;
  ClipFactor factor;
  const RmspropStepOptions* o;
  bool has_buffer, has_mean;

  void operator()() const {
    const RmspropStep step{common(*o, factor),     o->alpha, o->eps, o->momentum, has_buffer && o->momentum != 0,
                           has_mean && o->centered};
    for_equal_steps(*table,
                    [&](const StepPiece* first, int64_t elements, int64_t) { update(rule, step, first, elements); });
  }
  KernelNote note() const {
    return note_of(*table, 9 + (o->momentum != 0 ? 2 : 0) + (o->centered ? 5 : 0) + common_operations(*o, factor));
  }
};

struct AdagradRun {
  const StepTable* table;
  Rule<AdagradStep> rule;
  ClipFactor factor;
  const AdagradStepOptions* o;

  void operator()() const {
    AdagradStep step{common(*o, factor), o->eps};
    for_equal_steps(*table, [&](const StepPiece* first, int64_t elements, int64_t steps) {
      step.lr = o->lr / (1 + static_cast<double>(steps) * o->lr_decay);
      update(rule, step, first, elements);
    });
  }
  KernelNote note() const { return note_of(*table, 7 + common_operations(*o, factor)); }
};

// The table's kernel for the dtype: kernel_of(dtype, [](const auto& kernels) { return kernels.sgd; }).
template <class Member> auto kernel_of(DType dtype, const Member& member) {
  const auto& table = kernels::simd::table();
  return dtype == kFloat32 ? member(table.f32) : member(table.f64);
}

template <class Run> void run(const char* name, const StepList& list, const StepClip& clip, const Run& kernel) {
  launch_flat(name, LaunchKind::other, kernel,
              [&](std::vector<const Tensor*>& outputs, std::vector<const Tensor*>& inputs) {
                list.operands(outputs, inputs);
                inputs.push_back(&clip.norm);
              });
}

[[noreturn]] void misfit(const char* op, const Tensor& p, const char* what, const Tensor& other) {
  const std::string got = std::string(", got ") + name_of(p.dtype()) + " " + to_string(p.sizes()) + " and " +
                          name_of(other.dtype()) + " " + to_string(other.sizes());
  if (p.dtype() != other.dtype())
    throw DTypeError(std::string(op) + ": a parameter and its " + what + " must have one dtype" + got +
                     " (convert the module before the optimizer is made)");
  throw ShapeError(std::string(op) + ": a parameter and its " + what + " must have one shape" + got);
}

}  // namespace

void StepList::clear(std::array<bool, 3> has_state) {
  has_state_ = has_state;
  table_.pieces.clear();
  table_.elements = 0;
  rows_.clear();
  copies_.clear();
  to_write_.clear();
}

void StepList::add(const Tensor& p, const Tensor& g, const Tensor* states, int64_t* steps) {
  const TensorImpl &to = *p.impl(), &from = *g.impl();
  if (!to.contiguous || !from.contiguous) return add_copies(p, g, states, steps);
  StepPiece& piece = table_.pieces.emplace_back();
  piece.p = to.data;
  piece.g = from.data;
  for (int k = 0; k < 3; ++k) piece.state[k] = has_state_[static_cast<size_t>(k)] ? states[k].impl()->data : nullptr;
  piece.n = to.numel;
  piece.steps = steps;
  table_.elements += to.numel;
  rows_.push_back({&p, &g, states});
}

void StepList::add_copies(const Tensor& p, const Tensor& g, const Tensor* states, int64_t* steps) {
  const auto kept = [&](const Tensor& x) -> const Tensor& { return copies_.emplace_front(contiguous_of(x)); };
  const Tensor& to = kept(p);
  if (!to.is_same(p)) to_write_.emplace_back(&p, &to);
  add(to, kept(g), states, steps);
}

void StepList::finish() {
  for (const auto& [p, from] : to_write_) copy(*p, *from);
  for (const Row& row : rows_) row.p->impl()->storage->bump_version();
  for (const auto& [p, from] : to_write_) p->impl()->storage->bump_version();
  clear();
}

void StepList::operands(std::vector<const Tensor*>& outputs, std::vector<const Tensor*>& inputs) const {
  for (const Row& row : rows_) {
    outputs.push_back(row.p);
    for (size_t k = 0; k < has_state_.size(); ++k) {
      if (has_state_[k]) outputs.push_back(&row.states[k]);
    }
  }
  inputs = outputs;
  for (const Row& row : rows_) inputs.push_back(row.g);
}

void check_step(const char* op, const Tensor& p, const Tensor& g, const Tensor* states, std::array<bool, 3> has_state) {
  const TensorImpl &to = *p.impl(), &from = *g.impl();
  bool same = to.dtype == from.dtype && to.sizes.size() == from.sizes.size();
  for (int64_t d = 0; same && d < to.sizes.size(); ++d) same = to.sizes[d] == from.sizes[d];
  if (!same) misfit(op, p, "gradient", g);
  for (size_t k = 0; k < has_state.size(); ++k) {
    if (has_state[k] && (states[k].dtype() != to.dtype || states[k].numel() != to.numel))
      misfit(op, p, "optimizer state", states[k]);
  }
}

void sgd_step(const StepList& list, const SgdStepOptions& options, const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.sgd; });
  run("sgd_step", list, clip, SgdRun{&list.table(), rule, clip.factor, &options, list.has_state(0)});
}

template <bool kDecoupled>
void adam_step(const StepList& list, const AdamOptionsOf<kDecoupled>& options, AdamCorrections* corrections,
               const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.adam; });
  run("adam_step", list, clip,
      AdamRun<kDecoupled>{&list.table(), rule, clip.factor, &options, corrections, list.has_state(2)});
}
template void adam_step<false>(const StepList&, const AdamStepOptions&, AdamCorrections*, const StepClip&);
template void adam_step<true>(const StepList&, const AdamWStepOptions&, AdamCorrections*, const StepClip&);

void nadam_step(const StepList& list, const NadamStepOptions& options, const int64_t* first_steps, double* products,
                const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.adam; });
  run("nadam_step", list, clip, NadamRun{&list.table(), rule, clip.factor, &options, first_steps, products});
}

void radam_step(const StepList& list, const RadamStepOptions& options, const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.adam; });
  run("radam_step", list, clip, RadamRun{&list.table(), rule, clip.factor, &options});
}

void rmsprop_step(const StepList& list, const RmspropStepOptions& options, const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.rmsprop; });
  run("rmsprop_step", list, clip,
      RmspropRun{&list.table(), rule, clip.factor, &options, list.has_state(1), list.has_state(2)});
}

void adagrad_step(const StepList& list, const AdagradStepOptions& options, const StepClip& clip) {
  const auto rule = kernel_of(list.dtype(), [](const auto& k) { return k.adagrad; });
  run("adagrad_step", list, clip, AdagradRun{&list.table(), rule, clip.factor, &options});
}

}  // namespace tapegrad

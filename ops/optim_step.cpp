// One optimizer step on one parameter, over the fused kernels.
#include "tapegrad/ops/optim_step.h"

#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/denormal.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad {
namespace {

template <class T> T* data_of(const Tensor& t) { return t.defined() ? reinterpret_cast<T*>(t.impl()->data) : nullptr; }

// step(p, g) on contiguous memory: their own, or a copy, which for p is written back.
template <class Step> void on_contiguous(const Tensor& p, const Tensor& g, const Step& step) {
  if (p.is_contiguous() && g.is_contiguous()) {
    step(p, g);
  } else {
    const Tensor q = contiguous_of(p);
    step(q, contiguous_of(g));
    if (!q.is_same(p)) copy(p, q);
  }
  p.impl()->storage->bump_version();
}

[[noreturn]] void misfit(const char* op, const Tensor& p, const char* what, const Tensor& other) {
  const std::string got = std::string(", got ") + name_of(p.dtype()) + " " + to_string(p.sizes()) + " and " +
                          name_of(other.dtype()) + " " + to_string(other.sizes());
  if (p.dtype() != other.dtype())
    throw DTypeError(std::string(op) + ": a parameter and its " + what + " must have one dtype" + got +
                     " (convert the module before the optimizer is made)");
  throw ShapeError(std::string(op) + ": a parameter and its " + what + " must have one shape" + got);
}

// kernel(first, count) over all n elements, on the threads that are worth it.
template <class Kernel> void for_pieces(int64_t n, const Kernel& kernel) {
  parallel_for(0, n, kParallelGrain, [&](int64_t i, int64_t end) {
    const FlushDenormals flush;
    kernel(i, end - i);
  });
}

template <class T> const kernels::simd::Floating<T>& kernels_of() {
  return kernels::simd::floating<T>(kernels::simd::table());
}

template <class T>
void launch_sgd(const Tensor& p, const Tensor& g, const Tensor& buffer, const SgdStepOptions& options, int64_t* steps) {
  const SgdStepOptions* o = &options;
  T* const to = data_of<T>(p);
  const T* const from = data_of<T>(g);
  T* const b = data_of<T>(buffer);
  const int64_t n = p.numel();
  const auto run = [=] {
    T* const used = o->momentum != 0 ? b : nullptr;
    const bool first = used && (*steps)++ == 0;
    for_pieces(n, [&](int64_t i, int64_t count) {
      kernels_of<T>().sgd({to + i, from + i, used ? used + i : nullptr, count, o->lr, o->momentum, o->dampening,
                           o->weight_decay, o->nesterov, o->maximize, first});
    });
  };
  launch("sgd_step", LaunchKind::other, {&p, &buffer}, {&p, &g, &buffer}, kernels::BySimd{run});
}

void correct(AdamCorrections& c, int64_t step, const std::pair<double, double>& betas) {
  if (c.step == step && c.betas == betas) return;
  const auto t = static_cast<double>(step);
  c = {step, betas, 1 - std::pow(betas.first, t), 1 - std::pow(betas.second, t)};
}

template <bool kDecoupled> struct AdamState {
  Tensor m, v, v_max;
  const AdamOptionsOf<kDecoupled>* options;
  int64_t* steps;
  AdamCorrections* corrections;
};

template <class T, bool kDecoupled>
void launch_adam(const Tensor& p, const Tensor& g, const AdamState<kDecoupled>& state) {
  T* const to = data_of<T>(p);
  const T* const from = data_of<T>(g);
  T *const m = data_of<T>(state.m), *const v = data_of<T>(state.v), *const v_max = data_of<T>(state.v_max);
  const auto run = [=, n = p.numel(), o = state.options, steps = state.steps, c = state.corrections] {
    correct(*c, ++*steps, o->betas);
    for_pieces(n, [&](int64_t i, int64_t count) {
      kernels_of<T>().adam({to + i, from + i, m + i, v + i, v_max ? v_max + i : nullptr, count, o->lr, o->betas.first,
                            o->betas.second, o->eps, kDecoupled ? 0 : o->weight_decay, c->first, c->second,
                            kDecoupled ? 1 - o->lr * o->weight_decay : 1, o->maximize});
    });
  };
  launch("adam_step", LaunchKind::other, {&p, &state.m, &state.v, &state.v_max},
         {&p, &g, &state.m, &state.v, &state.v_max}, kernels::BySimd{run});
}

template <bool kDecoupled> void step_adam(const Tensor& p, const Tensor& g, const AdamState<kDecoupled>& state) {
  on_contiguous(p, g, [&](const Tensor& q, const Tensor& dq) {
    dispatch_floating(q.dtype(), [&]<class T>() { launch_adam<T>(q, dq, state); });
  });
}

template <class T>
void launch_rmsprop(const Tensor& p, const Tensor& g, const Tensor& v, const Tensor& mean, const Tensor& buffer,
                    const RmspropStepOptions& options) {
  const RmspropStepOptions* o = &options;
  T* const to = data_of<T>(p);
  const T* const from = data_of<T>(g);
  T *const square = data_of<T>(v), *const centre = data_of<T>(mean), *const moving = data_of<T>(buffer);
  launch("rmsprop_step", LaunchKind::other, {&p, &v, &mean, &buffer}, {&p, &g, &v, &mean, &buffer},
         kernels::BySimd{[=, n = p.numel()] {
           for_pieces(n, [&](int64_t i, int64_t count) {
             kernels_of<T>().rmsprop({to + i, from + i, square + i, centre ? centre + i : nullptr,
                                      moving ? moving + i : nullptr, count, o->lr, o->alpha, o->eps, o->weight_decay,
                                      o->momentum, o->maximize});
           });
         }});
}

template <class T>
void launch_adagrad(const Tensor& p, const Tensor& g, const Tensor& v, const AdagradStepOptions& options,
                    int64_t* steps) {
  const AdagradStepOptions* o = &options;
  T* const to = data_of<T>(p);
  const T* const from = data_of<T>(g);
  T* const square = data_of<T>(v);
  launch("adagrad_step", LaunchKind::other, {&p, &v}, {&p, &g, &v}, kernels::BySimd{[=, n = p.numel()] {
           const double lr = o->lr / (1 + static_cast<double>((*steps)++) * o->lr_decay);
           for_pieces(n, [&](int64_t i, int64_t count) {
             kernels_of<T>().adagrad({to + i, from + i, square + i, count, lr, o->eps, o->weight_decay, o->maximize});
           });
         }});
}

}  // namespace

void check_step(const char* op, const Tensor& p, const Tensor& g, const Tensor& buffer) {
  if (g.dtype() != p.dtype() || !(IntArrayRef(g.sizes()) == IntArrayRef(p.sizes()))) misfit(op, p, "gradient", g);
  if (buffer.defined() && (buffer.dtype() != p.dtype() || buffer.numel() != p.numel()))
    misfit(op, p, "optimizer state", buffer);
}

void sgd_step(const Tensor& p, const Tensor& g, const Tensor& buffer, const SgdStepOptions& options, int64_t* steps) {
  on_contiguous(p, g, [&](const Tensor& q, const Tensor& dq) {
    dispatch_floating(q.dtype(), [&]<class T>() { launch_sgd<T>(q, dq, buffer, options, steps); });
  });
}

void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const Tensor& v_max,
               const AdamStepOptions& options, int64_t* steps, AdamCorrections* corrections) {
  step_adam(p, g, AdamState<false>{m, v, v_max, &options, steps, corrections});
}

void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const Tensor& v_max,
               const AdamWStepOptions& options, int64_t* steps, AdamCorrections* corrections) {
  step_adam(p, g, AdamState<true>{m, v, v_max, &options, steps, corrections});
}

void rmsprop_step(const Tensor& p, const Tensor& g, const Tensor& v, const Tensor& mean, const Tensor& buffer,
                  const RmspropStepOptions& options) {
  on_contiguous(p, g, [&](const Tensor& q, const Tensor& dq) {
    dispatch_floating(q.dtype(), [&]<class T>() { launch_rmsprop<T>(q, dq, v, mean, buffer, options); });
  });
}

void adagrad_step(const Tensor& p, const Tensor& g, const Tensor& v, const AdagradStepOptions& options,
                  int64_t* steps) {
  on_contiguous(p, g, [&](const Tensor& q, const Tensor& dq) {
    dispatch_floating(q.dtype(), [&]<class T>() { launch_adagrad<T>(q, dq, v, options, steps); });
  });
}

}  // namespace tapegrad

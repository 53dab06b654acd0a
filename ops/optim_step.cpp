// One optimizer step on one parameter, over the fused kernels.
#include "tapegrad/ops/optim_step.h"

#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/denormal.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"
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
    parallel_for(0, n, kParallelGrain, [&](int64_t i, int64_t end) {
      const FlushDenormals flush;
      kernels::simd::floating<T>(kernels::simd::table())
          .sgd({to + i, from + i, used ? used + i : nullptr, end - i, o->lr, o->momentum, o->dampening, o->weight_decay,
                o->nesterov, o->maximize, first});
    });
  };
  if (b) launch("sgd_step", LaunchKind::other, {&p, &buffer}, {&p, &g, &buffer}, run);
  else launch("sgd_step", LaunchKind::other, {&p}, {&p, &g}, run);
}

void correct(AdamCorrections& c, int64_t step, const std::pair<double, double>& betas) {
  if (c.step == step && c.betas == betas) return;
  const auto t = static_cast<double>(step);
  c = {step, betas, 1 - std::pow(betas.first, t), 1 - std::pow(betas.second, t)};
}

template <class T>
void launch_adam(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const AdamStepOptions& options,
                 int64_t* steps, AdamCorrections* c) {
  const AdamStepOptions* o = &options;
  T* const to = data_of<T>(p);
  const T* const from = data_of<T>(g);
  T* const first = data_of<T>(m);
  T* const second = data_of<T>(v);
  const int64_t n = p.numel();
  launch("adam_step", LaunchKind::other, {&p, &m, &v}, {&p, &g, &m, &v}, [=] {
    correct(*c, ++*steps, o->betas);
    parallel_for(0, n, kParallelGrain, [&](int64_t i, int64_t end) {
      const FlushDenormals flush;
      kernels::simd::floating<T>(kernels::simd::table())
          .adam({to + i, from + i, first + i, second + i, end - i, o->lr, o->betas.first, o->betas.second, o->eps,
                 o->weight_decay, c->first, c->second, o->maximize});
    });
  });
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

void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const AdamStepOptions& options,
               int64_t* steps, AdamCorrections* corrections) {
  on_contiguous(p, g, [&](const Tensor& q, const Tensor& dq) {
    dispatch_floating(q.dtype(), [&]<class T>() { launch_adam<T>(q, dq, m, v, options, steps, corrections); });
  });
}

}  // namespace tapegrad

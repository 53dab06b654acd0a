// The composition runs on inputs of its own, joined to those of the operation where the rule is recorded.
#include "tapegrad/autograd/transform/composed.h"

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::autograd {
namespace {

using Tensors = std::vector<Tensor>;

// A leaf, or in a rule that is recorded another place on the tape: what reaches x from elsewhere is none of the operation's business.
Tensor own(const Tensor& x, bool wanted, bool recorded) {
  if (!x.defined() || !x.is_floating_point()) return x;
  if (recorded && x.requires_grad()) return expand(x, x.sizes());
  return x.detach().requires_grad_(wanted);
}

struct Run {
  Tensors x, y;
};

template <class Wanted> Run run(TensorFunction f, const Tensors& inputs, const Wanted& wanted) {
  const bool recorded = GradMode::is_enabled();
  const AutoGradMode on(true);
  const AutocastMode autocast(false);
  Run r;
  for (size_t i = 0; i < inputs.size(); ++i) r.x.push_back(own(inputs[i], wanted(static_cast<int64_t>(i)), recorded));
  r.y = f(r.x);
  return r;
}

}  // namespace

Grads composed_backward(TensorFunction f, const Tensors& inputs, const Grads& dy) {
  const uint64_t wanted = state().needs;  // f's own operations set it too
  const auto wants = [&](int64_t i) { return ((wanted >> (i < 63 ? i : 63)) & 1) != 0; };
  Run r = run(f, inputs, wants);
  Tensors y, w, x;
  std::vector<int64_t> place;
  for (int64_t i = 0; i < dy.size(); ++i) {
    if (dy[i].defined()) y.push_back(r.y[static_cast<size_t>(i)]), w.push_back(dy[i]);
  }
  r.y.clear();
  for (size_t i = 0; i < r.x.size(); ++i) {
    if (!r.x[i].defined() || !r.x[i].requires_grad() || !wants(static_cast<int64_t>(i))) continue;
    x.push_back(r.x[i]);
    place.push_back(static_cast<int64_t>(i));
  }
  Grads dx(static_cast<int64_t>(inputs.size()));
  if (y.empty() || x.empty()) return dx;
  Tensors g = inner_grad(std::move(y), x, std::move(w), GradMode::is_enabled());
  for (size_t i = 0; i < g.size(); ++i) dx[place[i]] = std::move(g[i]);
  return dx;
}

Grads composed_tangent(TensorFunction f, const Tensors& inputs, const Grads& dx) {
  const Run r = run(f, inputs, [&](int64_t i) { return dx[i].defined(); });
  Tensors x, v;
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (!dx[i].defined()) continue;
    x.push_back(r.x[static_cast<size_t>(i)]);
    v.push_back(dx[i]);
  }
  return Grads(jvp(r.y, x, v, GradMode::is_enabled()));
}

}  // namespace tapegrad::autograd

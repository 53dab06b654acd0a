// A chain of layers that keeps a few of its activations and computes the others again in backward.
#include "tapegrad/nn/checkpoint.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

using autograd::CheckpointOptions;

// Layers first ... last - 1.
Tensor run(const Sequential& net, int64_t first, int64_t last, Tensor x) {
  const auto& children = ModuleState::of(net).children;
  for (int64_t i = first; i < last; ++i) x = children[static_cast<size_t>(i)].held->call(x);
  return x;
}

Tensor revolve(const Sequential& net, int64_t first, int64_t last, int64_t snapshots, Tensor x,
               const CheckpointOptions& options) {
  while (last - first > 1) {
    const int64_t cut = first + autograd::revolve_cut(last - first, snapshots);
    x = autograd::checkpoint([=](const Tensor& state) { return revolve(net, first, cut, snapshots, state, options); },
                             x, options);
    first = cut;
    --snapshots;  // the state in front of the cut stays until what follows is swept
  }
  return run(net, first, last, std::move(x));
}

}  // namespace

Tensor checkpoint_sequential(const Sequential& net, int64_t segments, const Tensor& x,
                             const CheckpointOptions& options) {
  const int64_t layers = net.size();
  if (segments < 1 || segments > layers)
    throw ValueError("checkpoint_sequential: segments must lie between 1 and the number of layers, which is " +
                     std::to_string(layers) + ", got " + std::to_string(segments));
  Tensor y = x;
  for (int64_t s = 0; s + 1 < segments; ++s) {
    const int64_t first = s * layers / segments;
    const int64_t last = (s + 1) * layers / segments;
    y = autograd::checkpoint([=](const Tensor& state) { return run(net, first, last, state); }, y, options);
  }
  return run(net, (segments - 1) * layers / segments, layers, y);
}

Tensor checkpoint_revolve(const Sequential& net, int64_t snapshots, const Tensor& x, const CheckpointOptions& options) {
  if (snapshots < 1)
    throw ValueError("checkpoint_revolve: there must be at least one snapshot, got " + std::to_string(snapshots));
  return revolve(net, 0, net.size(), snapshots, x, options);
}

}  // namespace tapegrad::nn

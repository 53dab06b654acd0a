// A chain of layers that keeps a few of its activations and computes the others again in backward.
#pragma once

#include "tapegrad/autograd/transform/checkpoint.h"
#include "tapegrad/nn/sequential.h"

namespace tapegrad::nn {

// net(x) in `segments` runs of layers of about equal length, all but the last of which keep their input only and run once
// more in backward (autograd::checkpoint). With the square root of the number of layers, memory for activations falls to
// about twice that root, for one more forward. ValueError unless 1 <= segments <= net.size().
TAPEGRAD_API Tensor checkpoint_sequential(const Sequential& net, int64_t segments, const Tensor& x,
                                          const autograd::CheckpointOptions& options = {});

// net(x) with at most `snapshots` activations between layers in memory, x among them, and one layer's own: Griewank and
// Walther's schedule, which runs layers again as rarely as can be (autograd::revolve_evaluations). 64 layers with 6
// snapshots run 3.4 forwards. ValueError for less than one snapshot.
TAPEGRAD_API Tensor checkpoint_revolve(const Sequential& net, int64_t snapshots, const Tensor& x,
                                       const autograd::CheckpointOptions& options = {});

}  // namespace tapegrad::nn

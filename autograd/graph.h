// Everything some tensors were computed by, as one list. Internal.
#pragma once

#include <unordered_map>

#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {

// Nodes in order of creation and leaves by first use, both numbered from 1. Holds no references: good as long as the
// tensors live.
struct Graph {
  explicit Graph(const std::vector<Tensor>& outputs);

  std::vector<Node*> nodes;
  std::unordered_map<const Node*, int> node_number;
  std::vector<TensorImpl*> leaves;
  std::unordered_map<const TensorImpl*, int> leaf_number;
};

}  // namespace tapegrad::autograd

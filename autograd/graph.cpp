// Walks the tape from some tensors back, without recursion.
#include "tapegrad/autograd/graph.h"

#include <algorithm>
#include <unordered_set>

namespace tapegrad::autograd {

Graph::Graph(const std::vector<Tensor>& outputs) {
  std::unordered_set<Node*> seen;
  const auto visit = [&](Node* n) {
    if (n && seen.insert(n).second) nodes.push_back(n);
  };
  const auto add_leaf = [&](TensorImpl* t) {
    if (leaf_number.emplace(t, static_cast<int>(leaves.size()) + 1).second) leaves.push_back(t);
  };
  for (const Tensor& y : outputs) {
    if (!y.defined()) continue;
    if (const Ref<Node> root = y.grad_fn()) visit(root.get());
    else if (y.requires_grad()) add_leaf(y.impl());
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int64_t k = 0; k < nodes[i]->inputs(); ++k) visit(nodes[i]->edge(k).node());
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence() < b->sequence(); });
  for (const Node* n : nodes) {
    node_number.emplace(n, static_cast<int>(node_number.size()) + 1);
    for (int64_t k = 0; k < n->inputs(); ++k) {
      if (TensorImpl* leaf = n->edge(k).leaf()) add_leaf(leaf);
    }
  }
}

}  // namespace tapegrad::autograd

// Printing the tape.
#include "tapegrad/autograd/dump.h"

#include <algorithm>
#include <map>
#include <set>

#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {
namespace {

// Everything y was computed by, numbered: nodes by creation order, leaves by first use.
struct Graph {
  std::vector<Node*> nodes;
  std::map<const Node*, int> node_number;
  std::vector<TensorImpl*> leaves;
  std::map<const TensorImpl*, int> leaf_number;
};

Graph graph_of(const char* op, const Tensor& y) {
  if (!y.defined()) throw ValueError(std::string(op) + ": y must be defined, got an undefined tensor (Tensor())");
  Graph g;
  const Ref<Node> root = y.grad_fn();
  std::set<Node*> seen;
  if (root) seen.insert(g.nodes.emplace_back(root.get()));
  else if (y.requires_grad()) g.leaf_number.emplace(g.leaves.emplace_back(y.impl()), 1);
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    for (int64_t k = 0; k < g.nodes[i]->inputs(); ++k) {
      Node* next = g.nodes[i]->edge(k).node();
      if (next && seen.insert(next).second) g.nodes.push_back(next);
    }
  }
  std::sort(g.nodes.begin(), g.nodes.end(), [](const Node* a, const Node* b) { return a->sequence() < b->sequence(); });
  for (const Node* n : g.nodes) {
    g.node_number.emplace(n, static_cast<int>(g.node_number.size()) + 1);
    for (int64_t k = 0; k < n->inputs(); ++k) {
      TensorImpl* leaf = n->edge(k).leaf();
      if (leaf && g.leaf_number.emplace(leaf, static_cast<int>(g.leaf_number.size()) + 1).second)
        g.leaves.push_back(leaf);
    }
  }
  return g;
}

std::string shape_text(const TensorImpl& t) { return to_string(t.sizes) + " " + name_of(t.dtype); }

template <class F> void each_saved(const Node& n, F f) {
  n.visit_saved([](void* context, const SavedView& saved) { (*static_cast<F*>(context))(saved); }, &f);
}

int64_t bytes_of(const Graph& g) {
  std::map<const Storage*, int64_t> blocks;
  for (const Node* n : g.nodes) {
    each_saved(*n, [&](const SavedView& saved) {
      const Ref<Storage>& storage = saved.tensor->impl()->storage;
      blocks[storage.get()] = static_cast<int64_t>(storage->bytes());
    });
  }
  int64_t total = 0;
  for (const auto& [storage, bytes] : blocks) total += bytes;
  return total;
}

std::string edge_text(const Graph& g, const Edge& edge) {
  if (const Node* n = edge.node()) {
    std::string text = "#" + std::to_string(g.node_number.at(n));
    return n->outputs() > 1 ? text + "." + std::to_string(edge.output()) : text;
  }
  return edge ? "leaf" + std::to_string(g.leaf_number.at(edge.leaf())) : "-";
}

std::string saved_text(const Node& n, const char* separator) {
  std::string text;
  each_saved(n, [&](const SavedView& saved) {
    if (!text.empty()) text += separator;
    text += std::string(saved.field) + " " + to_string(saved.tensor->sizes()) + " " +
            std::to_string(saved.tensor->nbytes()) + " B";
  });
  return text;
}

std::string totals(const Graph& g) {
  return std::to_string(g.nodes.size()) + (g.nodes.size() == 1 ? " node, " : " nodes, ") +
         std::to_string(g.leaves.size()) + (g.leaves.size() == 1 ? " leaf, " : " leaves, ") +
         std::to_string(bytes_of(g)) + " bytes saved";
}

}  // namespace

int64_t saved_bytes(const Tensor& y) { return bytes_of(graph_of("saved_bytes", y)); }

std::string tape_text(const Tensor& y) {
  const Graph g = graph_of("tape_text", y);
  std::string text;
  if (g.nodes.empty() && g.leaves.empty())
    text = shape_text(*y.impl()) + "  neither computed from a leaf nor one itself\n";
  for (const TensorImpl* leaf : g.leaves)
    text += "leaf" + std::to_string(g.leaf_number.at(leaf)) + "  " + shape_text(*leaf) + "\n";
  for (const Node* n : g.nodes) {
    text += "#" + std::to_string(g.node_number.at(n)) + "  " + n->name() + "(";
    for (int64_t k = 0; k < n->inputs(); ++k) text += (k ? ", " : "") + edge_text(g, n->edge(k));
    text += ")  " + n->output_meta().text();
    const std::string saved = saved_text(*n, ", ");
    if (!saved.empty()) text += "  saves " + saved;
    if (n->freed()) text += "  freed";
    text += "\n";
  }
  return text + totals(g) + "\n";
}

std::string tape_dot(const Tensor& y) {
  const Graph g = graph_of("tape_dot", y);
  std::string text =
      "digraph tape {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n  label=\"" + totals(g) + "\";\n";
  for (const TensorImpl* leaf : g.leaves)
    text += "  leaf" + std::to_string(g.leaf_number.at(leaf)) + " [label=\"leaf\\n" + shape_text(*leaf) +
            "\", style=filled, fillcolor=lightblue];\n";
  for (const Node* n : g.nodes) {
    const std::string id = "n" + std::to_string(g.node_number.at(n));
    const std::string saved = saved_text(*n, "\\n");
    text += "  " + id + " [label=\"" + n->name() + "\\n" + n->output_meta().text() +
            (saved.empty() ? "" : "\\nsaves " + saved) + "\"];\n";
    for (int64_t k = 0; k < n->inputs(); ++k) {
      const Edge& edge = n->edge(k);
      if (!edge) continue;
      const std::string from = edge.node() ? "n" + std::to_string(g.node_number.at(edge.node()))
                                           : "leaf" + std::to_string(g.leaf_number.at(edge.leaf()));
      text.append("  ").append(from).append(" -> ").append(id).append(";\n");
    }
  }
  return text + "}\n";
}

}  // namespace tapegrad::autograd

// Printing the tape.
#include "tapegrad/autograd/dump.h"

#include <map>

#include "tapegrad/autograd/graph.h"

namespace tapegrad::autograd {
namespace {

Graph graph_of(const char* op, const Tensor& y) {
  if (!y.defined()) throw ValueError(std::string(op) + ": y must be defined, got an undefined tensor (Tensor())");
  return Graph({y});
}

std::string shape_text(const TensorImpl& t) { return to_string(t.sizes) + " " + name_of(t.dtype); }

template <class F> void each_saved(const Node& n, F f) {
  n.visit_saved(
      [](void* context, const SavedView& saved) {
        if (saved.tensor) (*static_cast<F*>(context))(saved);
      },
      &f);
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

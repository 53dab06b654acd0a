// Forward mode: pushes tangents through the recorded nodes, earliest first.
#include <algorithm>
#include <unordered_map>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {
namespace {

using Tangents = std::unordered_map<const void*, Grads>;  // by node (one per output) or by leaf (one)

std::vector<Ref<Node>> reachable(const std::vector<Tensor>& outputs) {
  std::vector<Ref<Node>> nodes;
  std::unordered_map<Node*, bool> seen;
  const auto visit = [&](Node* n) {
    if (n && seen.emplace(n, true).second) nodes.push_back(Ref<Node>::share(n));
  };
  for (const Tensor& y : outputs) visit(y.grad_fn().get());
  for (size_t next = 0; next < nodes.size(); ++next) {
    const Node& n = *nodes[next];
    for (int64_t i = 0; i < n.inputs(); ++i) visit(n.edge(i).node());
  }
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a->sequence() < b->sequence(); });
  return nodes;
}

Tensor tangent_at(const Tangents& tangents, const Edge& edge) {
  const void* key = edge.node() ? static_cast<const void*>(edge.node()) : edge.leaf();
  const auto it = tangents.find(key);
  return it == tangents.end() ? Tensor() : it->second[edge.node() ? edge.output() : 0];
}

void check_given(const char* role, size_t i, const Tensor& t) {
  if (!t.defined())
    throw ValueError(std::string("jvp: ") + role + " " + std::to_string(i) +
                     " must be defined, got an undefined tensor (Tensor())");
}

void check_tangent(const Tensor& x, const Tensor& dx, size_t i) {
  check_given("input", i, x);
  check_given("tangent", i, dx);
  if (!(IntArrayRef(x.sizes()) == IntArrayRef(dx.sizes())))
    throw ShapeError("jvp: a tangent must have its input's shape, got tangent " + std::to_string(i) + " " +
                     to_string(dx.sizes()) + " and input " + to_string(x.sizes()));
  if (x.dtype() != dx.dtype())
    throw DTypeError("jvp: a tangent must have its input's dtype, got tangent " + std::to_string(i) + " " +
                     name_of(dx.dtype()) + " and input " + name_of(x.dtype()));
}

// The rule of one node; its inputs that carry a tangent are the ones it is asked for.
Grads push(Node& node, const Grads& dx) {
  if (Access::tape(node) != thread_state.tape)
    throw AutogradError(std::string("jvp: ") + node.name() + " was recorded on another thread's tape");
  if (node.freed())
    throw AutogradError(std::string("jvp: the graph through ") + node.name() + " was freed by an earlier backward");
  State& s = thread_state;
  const auto outer = std::make_pair(s.needs, s.current);
  struct Restore {
    State& s;
    std::pair<uint64_t, Node*> outer;
    ~Restore() { std::tie(s.needs, s.current) = outer; }
  } restore{s, outer};
  s.current = &node;
  s.needs = 0;
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (dx[i].defined()) s.needs |= uint64_t{1} << (i < 63 ? i : 63);
  }
  return node.tangent(dx);
}

}  // namespace

std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                        const std::vector<Tensor>& tangents, bool create_graph) {
  if (inputs.size() != tangents.size())
    throw ValueError("jvp: one tangent per input is needed, got " + std::to_string(tangents.size()) + " for " +
                     std::to_string(inputs.size()) + " inputs");
  for (size_t i = 0; i < outputs.size(); ++i) check_given("output", i, outputs[i]);
  const AutoGradMode mode(create_graph);
  const AutocastMode autocast(false);  // a tangent has the dtype of what it belongs to
  Tangents known;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    check_tangent(x, tangents[i], i);
    const Ref<Node> node = x.grad_fn();
    Grads& entry = known[node ? static_cast<const void*>(node.get()) : x.impl()];
    if (entry.size() == 0) entry = Grads(node ? node->outputs() : 1);
    entry[x.output_nr()] = tangents[i];
  }
  for (const auto& node : reachable(outputs)) {
    if (known.count(node.get())) continue;  // an input: its tangent is given
    Grads dx(node->inputs());
    bool any = false;
    for (int64_t i = 0; i < node->inputs(); ++i) {
      dx[i] = tangent_at(known, node->edge(i));
      any |= dx[i].defined();
    }
    if (any) known[node.get()] = push(*node, dx);
  }
  std::vector<Tensor> result;
  for (const Tensor& y : outputs) {
    const Ref<Node> node = y.grad_fn();
    const auto it = known.find(node ? static_cast<const void*>(node.get()) : y.impl());
    result.push_back(it == known.end() ? Tensor() : it->second[node ? y.output_nr() : 0]);
  }
  return result;
}

}  // namespace tapegrad::autograd

// Which rule of a sweep was first to make a value that is not finite, and whether its forward had one already.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/nn/monitor_record.h"

namespace tapegrad::nn {
namespace {

using autograd::Node;

bool finite(const Tensor& t) {
  if (!t.defined() || !t.is_floating_point()) return true;
  const Tensor values = t.detach();
  const Tensor x = contiguous_of(values.dtype() == kBFloat16 ? converted(values, kFloat32) : values);
  return dispatch_floating(x.dtype(), [&]<class T>() {
    const T* v = x.elements<T>();
    return std::all_of(v, v + x.numel(), [](T e) { return std::isfinite(e); });
  });
}

std::string op_at(const Node& node) {
  const auto* extras = autograd::Access::extras(const_cast<Node&>(node));
  const bool known = extras && !extras->stack.empty();
  return node.name() + (known ? ", recorded at " + autograd::describe_stack(extras->stack) : std::string());
}

// The field of the node's saved tensors that is not finite; null: all are.
const char* spoilt_field(const Node& node) {
  const char* field = nullptr;
  node.visit_saved(
      [](void* to, const autograd::SavedView& saved) {
        const char*& found = *static_cast<const char**>(to);
        if (!found && saved.tensor && !finite(*saved.tensor)) found = saved.field;
      },
      &field);
  return field;
}

// The op recorded first among this one and what it was computed from that saved something not finite.
const Node* first_spoilt(const Node& node) {
  const Node* first = nullptr;
  std::vector<const Node*> pending{&node};
  std::unordered_set<const Node*> seen{&node};
  while (!pending.empty()) {
    const Node* n = pending.back();
    pending.pop_back();
    if (spoilt_field(*n) && (!first || n->sequence() < first->sequence())) first = n;
    for (int64_t i = 0; i < n->inputs(); ++i) {
      if (const Node* from = n->edge(i).node(); from && seen.insert(from).second) pending.push_back(from);
    }
  }
  return first;
}

std::string origin(const Node& node) {
  const Node* spoilt = first_spoilt(node);
  if (!spoilt) return "";
  std::string story =
      std::string("; its forward was not finite already: ") + spoilt_field(*spoilt) + " saved by " + op_at(*spoilt);
  for (int64_t i = 0; i < spoilt->inputs(); ++i) {
    if (const Node* from = spoilt->edge(i).node()) story += ", computed from " + op_at(*from);
  }
  return story;
}

}  // namespace

FirstNotFinite::FirstNotFinite()
    : guard_([this](Node& node, Grads& dy) {
        const bool sound = std::all_of(dy.begin(), dy.end(), finite);
        Grads dx = autograd::rewritten(node, dy);  // a guard around may look, too
        if (!found_.empty()) return dx;
        if (sound) look(node, dx);
        else found_ = std::string("a sum of gradients, or the one given to backward(), in front of ") + op_at(node);
        return dx;
      }) {}

void FirstNotFinite::look(Node& node, const Grads& dx) {
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (finite(dx[i])) continue;
    found_ = "made by the backward of " + op_at(node) + ", for input " + std::to_string(i) + ", shape " +
             to_string(dx[i].sizes()) + origin(node);
    return;
  }
}

}  // namespace tapegrad::nn

// Keeps what is recorded for an exporter.
#include "tapegrad/autograd/trace.h"

#include <algorithm>
#include <set>

namespace tapegrad::autograd {
namespace {

thread_local Tracer* tracing = nullptr;

}  // namespace

Tracer* Tracer::current() { return tracing; }

Tracer::Tracer() : watch_(thread_state.watch), around_(std::exchange(tracing, this)) {
  thread_state.watch |= kTrace;
  start();
}

Tracer::~Tracer() {
  stop();
  thread_state.watch = watch_;
  tracing = around_;
}

uint64_t Tracer::note(const Tensor* const* inputs, int64_t count, const char* op) {
  uint64_t all = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!inputs[i]->defined()) continue;
    refresh(*inputs[i]->impl(), op);
    all |= uint64_t{1} << (i < 63 ? i : 63);
  }
  return all;
}

void Tracer::keep(Node& node, const Tensor* const* inputs, int64_t count) {
  TracedOp op{Ref<Node>::share(&node), {}, {}};
  for (int64_t i = 0; i < count; ++i) op.inputs.push_back(input(*inputs[i]));
  for (size_t i = 0; i < scopes_.size(); ++i) {
    if (!scopes_[i].empty()) op.where += (op.where.empty() ? "" : ".") + scopes_[i];
  }
  ops_.emplace(node.sequence(), std::move(op));
}

TracedInput Tracer::input(const Tensor& t) const {
  if (!t.defined()) return {};
  const auto made = makers_.find(t.impl()->data);
  return {alias(t), t.version(), made == makers_.end() ? std::string() : made->second};
}

void Tracer::launched(const LaunchReport& report) {
  for (const OperandNote& operand : report.operands) {
    if (operand.written && operand.data) makers_[operand.data] = report.name;
  }
}

// Scopes of other kinds keep their place, so that left() finds them.
void Tracer::entered(const char* kind, const std::string& name) {
  scopes_.push_back(std::string_view(kind) == "module" ? name : std::string());
}
void Tracer::left() {
  if (!scopes_.empty()) scopes_.pop_back();
}

std::vector<TracedOp> Tracer::take(const std::vector<Tensor>& outputs) {
  std::set<const Node*> wanted;
  for (const Tensor& y : outputs) wanted.insert(y.impl()->node);
  std::vector<TracedOp> found;
  for (auto op = ops_.rbegin(); op != ops_.rend(); ++op) {
    const Node& node = *op->second.node;
    if (!wanted.contains(&node)) continue;
    for (int64_t i = 0; i < node.inputs(); ++i) wanted.insert(node.edge(i).node());
    found.push_back(std::move(op->second));
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace tapegrad::autograd

// Attributes and sizes of a recorded operation.
#include "tapegrad/nn/onnx_call.h"

#include <cstring>

namespace tapegrad::nn::onnx {

using autograd::SavedView;
using autograd::TracedOp;

void refuse(const TracedOp& op, const std::string& rule) {
  throw ValueError("save_onnx: " + rule + ", got \"" + op.node->name() + "\"" +
                   (op.where.empty() ? "" : " in \"" + op.where + "\"") + " (docs/onnx.md lists what can be written)");
}

namespace {

std::vector<SavedView> attributes_of(const TracedOp& op) {
  std::vector<SavedView> found;
  op.node->visit_saved(
      [](void* to, const SavedView& view) {
        if (!view.tensor) static_cast<std::vector<SavedView>*>(to)->push_back(view);
      },
      &found);
  return found;
}

Shape shape_of(const autograd::OutputMeta& meta) {
  Shape sizes;
  for (int64_t i = 0; i < meta.rank; ++i) sizes.push_back(meta.sizes[i]);
  return sizes;
}

Tensor kept_by(const TracedOp& op, const char* field) {
  std::pair<const char*, Tensor> wanted{field, {}};
  op.node->visit_saved(
      [](void* to, const SavedView& view) {
        auto& [name, found] = *static_cast<std::pair<const char*, Tensor>*>(to);
        if (view.tensor && std::strcmp(view.field, name) == 0) found = *view.tensor;
      },
      &wanted);
  return wanted.second;
}

}  // namespace

Call::Call(Graph& graph, const TracedOp& a, const TracedOp& b, std::vector<Value> inputs, Constant constant)
    : g(graph),
      in(std::move(inputs)),
      a_(a),
      b_(b),
      a_fields_(attributes_of(a)),
      b_fields_(attributes_of(b)),
      constant_(std::move(constant)) {}

void Call::differs() const {
  refuse(
      "what an operation does must not depend on the numbers in the inputs, nor, unless .dynamic_batch = false, on how many rows there are");
}

Sizes Call::sizes(size_t input) const { return {a_.inputs[input].tensor.sizes(), b_.inputs[input].tensor.sizes()}; }
Sizes Call::result(size_t output) const {
  const auto i = static_cast<uint32_t>(output);
  return {shape_of(a_.node->output_meta(i)), shape_of(b_.node->output_meta(i))};
}

Value Call::reshaped(Value x, const Sizes& from, const Sizes& to) const {
  if (from == to) return x;
  Shape target;
  int64_t unknown = 0;
  for (int64_t i = 0; i < to.size(); ++i) {
    const bool kept = i < from.size() && from.a[i] == to.a[i] && from.b[i] == to.b[i];
    target.push_back(to[i].fixed() ? to.a[i] : kept ? 0 : -1);
    unknown += target.back() == -1;
  }
  Value sizes = Value::none;
  if (unknown <= 1) sizes = g.integers(target);
  else if (!g.sizes(to, sizes)) differs();
  return node("Reshape", {x, sizes});
}

Size Call::integers(size_t i) const {
  return {at<int64_t>(a_fields_, i, SavedView::integer), at<int64_t>(b_fields_, i, SavedView::integer)};
}
Sizes Call::shape(size_t i) const {
  return {at<Shape>(a_fields_, i, SavedView::sizes), at<Shape>(b_fields_, i, SavedView::sizes)};
}
const std::vector<int64_t>& Call::lengths(size_t i) const {
  const auto& a = at<std::vector<int64_t>>(a_fields_, i, SavedView::lengths);
  if (a != at<std::vector<int64_t>>(b_fields_, i, SavedView::lengths)) differs();
  return a;
}
Shape Call::axes(size_t i) const {
  const auto mask = same<uint32_t>(i, SavedView::mask);
  Shape dims;
  for (int64_t d = 0; d < rank(); ++d) {
    if (mask >> d & 1) dims.push_back(d);
  }
  return dims;
}

Value Call::kept(const char* field) const { return constant_(kept_by(a_, field), kept_by(b_, field)); }

}  // namespace tapegrad::nn::onnx

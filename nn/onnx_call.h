// One recorded operation on its way into an ONNX graph, as it ran in two runs whose inputs differ. Internal.
#pragma once

#include <functional>

#include "tapegrad/autograd/trace.h"
#include "tapegrad/nn/onnx_graph.h"

namespace tapegrad::nn::onnx {

// "save_onnx: RULE, got "op" in module "where"".
[[noreturn]] void refuse(const autograd::TracedOp& op, const std::string& rule);

class Call {
 public:
  // A tensor that is the same in both runs.
  using Constant = std::function<Value(const Tensor& a, const Tensor& b)>;
  Call(Graph& graph, const autograd::TracedOp& a, const autograd::TracedOp& b, std::vector<Value> inputs,
       Constant constant);
  [[noreturn]] void refuse(const std::string& rule) const { onnx::refuse(a_, rule); }

  Graph& g;
  const std::vector<Value> in;
  std::string_view name() const { return a_.node->name(); }
  int64_t outputs() const { return a_.node->outputs(); }

  Sizes sizes(size_t input = 0) const;
  Sizes result(size_t output = 0) const;
  int64_t rank() const { return sizes().size(); }
  DType dtype(size_t input = 0) const { return a_.inputs[input].tensor.dtype(); }
  DType result_dtype() const { return a_.node->output_meta().dtype; }
  // x as a tensor of these sizes.
  Value reshaped(Value x, const Sizes& from, const Sizes& to) const;

  // Attributes by their place among the fields of the operation; refused where they differ between the runs.
  size_t attributes() const { return a_fields_.size(); }
  bool flag(size_t i) const { return same<bool>(i, autograd::SavedView::flag); }
  int64_t integer(size_t i) const { return same<int64_t>(i, autograd::SavedView::integer); }
  double real(size_t i) const { return same<double>(i, autograd::SavedView::real); }
  double number(size_t i) const {
    const double b = at<Scalar>(b_fields_, i, autograd::SavedView::number).to<double>();
    return like(at<Scalar>(a_fields_, i, autograd::SavedView::number).to<double>(), b);
  }
  Size integers(size_t i) const;
  Sizes shape(size_t i) const;
  const std::vector<int64_t>& lengths(size_t i) const;
  Shape axes(size_t i) const;  // of a mask
  template <class T> const T& structure(size_t i = 0) const {
    return at<T>(a_fields_, i, autograd::SavedView::structure);
  }
  // What the operation kept under this name, which is no result of an operation.
  Value kept(const char* field) const;

  // Shorthands: a node of the graph, a number of x's dtype.
  Value node(const char* type, std::initializer_list<Value> inputs,
             std::initializer_list<Attribute> attributes = {}) const {
    return g.node(type, inputs, attributes);
  }
  Value number_like_x(double value) const { return g.number(value, dtype()); }

 private:
  using Fields = std::vector<autograd::SavedView>;
  template <class T> const T& at(const Fields& fields, size_t i, autograd::SavedView::Kind kind) const {
    if (i >= fields.size() || fields[i].kind != kind) refuse("every operation must have a form in ONNX");
    return *static_cast<const T*>(fields[i].attribute);
  }
  template <class T> T same(size_t i, autograd::SavedView::Kind kind) const {
    return like(at<T>(a_fields_, i, kind), at<T>(b_fields_, i, kind));
  }
  template <class T> T like(T a, T b) const {
    if (a != b) differs();
    return a;
  }
  [[noreturn]] void differs() const;

  const autograd::TracedOp &a_, &b_;
  Fields a_fields_, b_fields_;
  Constant constant_;
};

// Writes the call, and gives its results, one after the other. ValueError for an operation that has no form.
std::vector<Value> write(Call& call);

}  // namespace tapegrad::nn::onnx

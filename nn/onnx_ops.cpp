// Operations as nodes of ONNX. Attributes are found by their place among the fields of the operation's struct in ops/*.cpp.
#include <cmath>
#include <cstdint>
#include <utility>

#include "tapegrad/nn/onnx_call.h"

namespace tapegrad::nn::onnx {
namespace {

// Another result of the same node.
Value later(Value first, int64_t i) { return static_cast<Value>(static_cast<int64_t>(first) + i); }

// ---- what is a node of the same inputs ----

struct Same {
  const char *op, *type;
};
constexpr Same kSame[] = {{"relu", "Relu"},
                          {"sigmoid", "Sigmoid"},
                          {"tanh", "Tanh"},
                          {"exp", "Exp"},
                          {"log", "Log"},
                          {"sqrt", "Sqrt"},
                          {"abs", "Abs"},
                          {"sign", "Sign"},
                          {"neg", "Neg"},
                          {"erf", "Erf"},
                          {"reciprocal", "Reciprocal"},
                          {"sin", "Sin"},
                          {"cos", "Cos"},
                          {"tan", "Tan"},
                          {"asin", "Asin"},
                          {"acos", "Acos"},
                          {"atan", "Atan"},
                          {"sinh", "Sinh"},
                          {"cosh", "Cosh"},
                          {"asinh", "Asinh"},
                          {"acosh", "Acosh"},
                          {"atanh", "Atanh"},
                          {"floor", "Floor"},
                          {"ceil", "Ceil"},
                          {"round", "Round"},
                          {"softsign", "Softsign"},
                          {"selu", "Selu"},
                          {"hardswish", "HardSwish"},
                          {"prelu", "PRelu"},
                          {"maximum", "Max"},
                          {"minimum", "Min"},
                          {"where", "Where"},
                          {"mm", "MatMul"},
                          {"bmm", "MatMul"},
                          {"mv", "MatMul"},
                          {"dot", "MatMul"},
                          {"clone", "Identity"}};

// ---- arithmetic: of two tensors, or of one and a number ----

Value arithmetic(Call& c, const char* type) {
  return c.node(type, {c.in[0], c.in.size() > 1 ? c.in[1] : c.number_like_x(c.number(0))});
}
Value add(Call& c) { return arithmetic(c, "Add"); }
Value sub(Call& c) { return arithmetic(c, "Sub"); }
Value mul(Call& c) { return arithmetic(c, "Mul"); }
Value div(Call& c) { return arithmetic(c, "Div"); }
Value pow(Call& c) { return arithmetic(c, "Pow"); }

// ---- activations and functions put together ----

Value square(Call& c) { return c.node("Mul", {c.in[0], c.in[0]}); }
Value rsqrt(Call& c) { return c.node("Reciprocal", {c.node("Sqrt", {c.in[0]})}); }
Value expm1(Call& c) { return c.node("Sub", {c.node("Exp", {c.in[0]}), c.number_like_x(1)}); }
Value log1p(Call& c) { return c.node("Log", {c.node("Add", {c.in[0], c.number_like_x(1)})}); }
Value silu(Call& c) { return c.node("Mul", {c.in[0], c.node("Sigmoid", {c.in[0]})}); }
Value mish(Call& c) { return c.node("Mul", {c.in[0], c.node("Tanh", {c.node("Softplus", {c.in[0]})})}); }
Value logsigmoid(Call& c) { return c.node("Neg", {c.node("Softplus", {c.node("Neg", {c.in[0]})})}); }
Value tanhshrink(Call& c) { return c.node("Sub", {c.in[0], c.node("Tanh", {c.in[0]})}); }
Value hardsigmoid(Call& c) { return c.node("HardSigmoid", {c.in[0]}, {{"alpha", 1.0 / 6}, {"beta", 0.5}}); }
Value softplus(Call& c) {
  const double beta = c.real(0);
  if (beta == 1) return c.node("Softplus", {c.in[0]});
  const Value b = c.number_like_x(beta);
  return c.node("Div", {c.node("Softplus", {c.node("Mul", {c.in[0], b})}), b});
}
// x (1 + f) / 2
Value half_gate(Call& c, Value f) {
  const Value gate = c.node("Mul", {c.node("Add", {f, c.number_like_x(1)}), c.number_like_x(0.5)});
  return c.node("Mul", {c.in[0], gate});
}
Value gelu(Call& c) { return half_gate(c, c.node("Erf", {c.node("Mul", {c.in[0], c.number_like_x(std::sqrt(0.5))})})); }
Value gelu_tanh(Call& c) {
  const Value x2 = c.node("Mul", {c.in[0], c.in[0]});
  const Value bend = c.node("Add", {c.node("Mul", {x2, c.number_like_x(0.044715)}), c.number_like_x(1)});
  const Value u = c.node("Mul", {c.node("Mul", {c.in[0], c.number_like_x(0.79788456080286535588)}), bend});
  return half_gate(c, c.node("Tanh", {u}));
}
Value elu(Call& c) { return c.node("Elu", {c.in[0]}, {{"alpha", c.real(0)}}); }
Value celu(Call& c) { return c.node("Celu", {c.in[0]}, {{"alpha", c.real(0)}}); }
Value leaky_relu(Call& c) { return c.node("LeakyRelu", {c.in[0]}, {{"alpha", c.real(0)}}); }
Value shrink(Call& c, bool soft) {
  const double lambda = c.real(0);
  return c.node("Shrink", {c.in[0]}, {{"lambd", lambda}, {"bias", soft ? lambda : 0.0}});
}
Value softshrink(Call& c) { return shrink(c, true); }
Value hardshrink(Call& c) { return shrink(c, false); }
Value threshold(Call& c) {
  const Value above = c.node("Greater", {c.in[0], c.number_like_x(c.real(0))});
  return c.node("Where", {above, c.in[0], c.number_like_x(c.real(1))});
}
Value clip(Call& c) {
  const auto bound = [&](double b) { return std::isinf(b) ? Value::none : c.number_like_x(b); };
  return c.node("Clip", {c.in[0], bound(c.real(0)), bound(c.real(1))});
}
Value glu(Call& c) {
  const int64_t dim = c.integer(0);
  if (!c.sizes()[dim].fixed()) c.refuse("with dynamic_batch the first dim must not be halved");
  const Value half = c.g.node("Split", {c.in[0]}, {{"axis", dim}}, 2);
  return c.node("Mul", {half, c.node("Sigmoid", {later(half, 1)})});
}
Value softmax(Call& c) { return c.node("Softmax", {c.in[0]}, {{"axis", c.integer(0)}}); }
Value log_softmax(Call& c) { return c.node("LogSoftmax", {c.in[0]}, {{"axis", c.integer(0)}}); }
Value masked_fill(Call& c) { return c.node("Where", {c.in[1], c.in[2], c.in[0]}); }

Value linear(Call& c) { return c.node("Gemm", {c.in[0], c.in[1], c.in[2]}, {{"transB", int64_t{1}}}); }

// beta c + alpha a b
Value add_product(Call& c) {
  const double beta = c.real(0), alpha = c.real(1);
  const auto times = [&](Value x, double factor) {
    return factor == 1 ? x : c.node("Mul", {x, c.number_like_x(factor)});
  };
  const Value product = times(c.node("MatMul", {c.in[1], c.in[2]}), alpha);
  return beta == 0 ? product : c.node("Add", {times(c.in[0], beta), product});
}

// ---- reductions ----

Value reduction(Call& c, const char* type, size_t first = 0) {
  return c.node(type, {c.in[0]}, {{"axes", c.axes(first)}, {"keepdims", int64_t{c.flag(first + 1)}}});
}
Value sum(Call& c) {
  if (c.axes(0).empty()) return c.in[0];  // of no dims: without axes all would be summed
  return c.node("ReduceSum", {c.in[0], c.g.integers(c.axes(0))}, {{"keepdims", int64_t{c.flag(1)}}});
}
Value mean(Call& c) { return c.axes(0).empty() ? c.in[0] : reduction(c, "ReduceMean"); }
Value largest(Call& c) { return c.axes(0).empty() ? c.in[0] : reduction(c, "ReduceMax"); }
Value smallest(Call& c) { return c.axes(0).empty() ? c.in[0] : reduction(c, "ReduceMin"); }
Value logsumexp(Call& c) { return c.axes(0).empty() ? c.in[0] : reduction(c, "ReduceLogSumExp"); }
Value norm(Call& c) {
  const double p = c.real(0);
  if ((p != 1 && p != 2) || c.axes(1).empty()) c.refuse("norms must have p = 1 or 2");
  return reduction(c, p == 1 ? "ReduceL1" : "ReduceL2", 1);
}

// ---- other shapes ----

Value view(Call& c) { return c.reshaped(c.in[0], c.sizes(), c.result()); }
Value permuted(Call& c, const Shape& order) { return c.node("Transpose", {c.in[0]}, {{"perm", order}}); }
Value transpose(Call& c) {
  Shape order;
  for (int64_t d = 0; d < c.rank(); ++d) order.push_back(d);
  std::swap(order[c.integer(0)], order[c.integer(1)]);
  return permuted(c, order);
}
Value permute(Call& c) { return permuted(c, c.shape(0).a); }
Value expand(Call& c) {
  const Sizes from = c.sizes();
  Sizes to = c.result();
  if (from == to) return c.in[0];
  for (int64_t d = 0; d < from.size(); ++d) {  // 1: as it is
    const int64_t at = to.size() - from.size() + d;
    if (from.a[d] == to.a[at] && from.b[d] == to.b[at]) to.a[at] = to.b[at] = 1;
  }
  Value sizes = Value::none;
  if (!c.g.sizes(to, sizes)) c.refuse("with dynamic_batch sizes must be multiples of the first one of the inputs");
  return c.node("Expand", {c.in[0], sizes});
}
// A place along a dim, from the front or, where that follows the batch, from the back.
int64_t place(Call& c, Size at, Size extent) {
  if (at.fixed()) return at.a;
  if (at.a - extent.a != at.b - extent.b || at.a == extent.a)
    c.refuse("with dynamic_batch the first dim must be cut at a fixed place");
  return at.a - extent.a;
}
Value slice(Call& c) {
  const int64_t dim = c.integer(0), step = c.integer(2);
  const Size extent = c.sizes()[dim], start = c.integers(1), length = c.integers(3);
  const Size end{start.a + length.a * step, start.b + length.b * step};
  const bool whole = end.a >= extent.a && end.b >= extent.b;
  const auto one = [&](int64_t v) { return c.g.integers(v); };
  return c.node("Slice", {c.in[0], one(place(c, start, extent)), one(whole ? INT64_MAX : place(c, end, extent)),
                          one(dim), one(step)});
}
Value select(Call& c) {
  const int64_t dim = c.integer(0);
  const int64_t index = place(c, c.integers(1), c.sizes()[dim]);
  const Value one = c.node("Gather", {c.in[0], c.g.integers(index)}, {{"axis", dim}});
  return c.node("Squeeze", {one, c.g.integers(dim)});
}
Value cat(Call& c) {
  const Attribute axis("axis", c.integer(0));
  return c.g.node("Concat", c.in, {&axis, 1});
}
Value flip(Call& c) {
  const Shape dims = c.axes(0);
  if (dims.empty()) return c.in[0];
  const auto all = [&](int64_t v) { return c.g.integers(Shape::filled(dims.size(), v)); };
  return c.node("Slice", {c.in[0], all(-1), all(INT64_MIN), c.g.integers(dims), all(-1)});
}
Value to(Call& c) {
  constexpr int64_t types[] = {9, 2, 6, 7, 16, 1, 11};
  return c.node("Cast", {c.in[0]}, {{"to", types[static_cast<int>(c.result_dtype())]}});
}
Value pad(Call& c) {
  const Sizes before = c.shape(0), from = c.sizes(), sizes = c.result();
  Shape pads = before.a;
  for (int64_t d = 0; d < from.size(); ++d) {
    const int64_t behind = sizes.a[d] - from.a[d] - before.a[d];
    if (behind != sizes.b[d] - from.b[d] - before.b[d] || !before[d].fixed())
      c.refuse("with dynamic_batch the first dim must be padded by a fixed number");
    pads.push_back(behind);
  }
  return c.node("Pad", {c.in[0], c.g.integers(pads), c.number_like_x(c.number(2))});
}
Value embedding(Call& c) { return c.node("Gather", {c.in[0], c.in[1]}, {{"axis", int64_t{0}}}); }
Value copy(Call& c) {
  if (!(c.sizes(0) == c.sizes(1)) || c.dtype(0) != c.dtype(1)) c.refuse("copies must be of one shape and dtype");
  return c.in[1];
}

}  // namespace

// In nn/onnx_layers.cpp.
Value given_statistics(Call& c);
Value instance_norm(Call& c);
Value layer_norm(Call& c);
Value rms_norm(Call& c);
Value group_norm(Call& c);
Value interpolate(Call& c);
Value conv(Call& c);
Value conv_transpose(Call& c);
Value max_pool(Call& c);
Value avg_pool(Call& c);

namespace {

struct Rule {
  const char* op;
  Value (*write)(Call& c);
};
constexpr Rule kRules[] = {
    {"add", add},
    {"sub", sub},
    {"mul", mul},
    {"div", div},
    {"pow", pow},
    {"square", square},
    {"rsqrt", rsqrt},
    {"expm1", expm1},
    {"log1p", log1p},
    {"silu", silu},
    {"mish", mish},
    {"logsigmoid", logsigmoid},
    {"tanhshrink", tanhshrink},
    {"hardsigmoid", hardsigmoid},
    {"softplus", softplus},
    {"gelu", gelu},
    {"gelu_tanh", gelu_tanh},
    {"elu", elu},
    {"celu", celu},
    {"leaky_relu", leaky_relu},
    {"softshrink", softshrink},
    {"hardshrink", hardshrink},
    {"threshold", threshold},
    {"hardtanh", clip},
    {"clamp", clip},
    {"glu", glu},
    {"softmax", softmax},
    {"log_softmax", log_softmax},
    {"masked_fill", masked_fill},
    {"linear", linear},
    {"addmm", add_product},
    {"baddbmm", add_product},
    {"sum", sum},
    {"mean", mean},
    {"max", largest},
    {"min", smallest},
    {"amax", largest},
    {"amin", smallest},
    {"logsumexp", logsumexp},
    {"norm", norm},
    {"view", view},
    {"transpose", transpose},
    {"permute", permute},
    {"expand", expand},
    {"slice", slice},
    {"select", select},
    {"cat", cat},
    {"flip", flip},
    {"to", to},
    {"pad", pad},
    {"embedding", embedding},
    {"copy_", copy},
    {"batch_norm", given_statistics},
    {"instance_norm", instance_norm},
    {"layer_norm", layer_norm},
    {"rms_norm", rms_norm},
    {"group_norm", group_norm},
    {"interpolate", interpolate},
    {"conv", conv},
    {"conv_transpose", conv_transpose},
    {"max_pool", max_pool},
    {"avg_pool", avg_pool},
};

// x in parts along a dim, all alike, or of these lengths.
std::vector<Value> parts(Call& c, Value x, int64_t dim, int64_t count, Value lengths = Value::none) {
  const Value first = c.g.node("Split", {x, lengths}, {{"axis", dim}}, count);
  std::vector<Value> all;
  for (int64_t i = 0; i < count; ++i) all.push_back(later(first, i));
  return all;
}
// The same for parts of one element, without the dim.
std::vector<Value> slices(Call& c, Value x, int64_t dim, int64_t count) {
  std::vector<Value> all = parts(c, x, dim, count);
  for (Value& part : all) part = c.node("Squeeze", {part, c.g.integers(dim)});
  return all;
}

std::vector<Value> unbind(Call& c) {
  const int64_t dim = c.integer(0);
  if (!c.sizes()[dim].fixed()) c.refuse("with dynamic_batch the first dim must not be split");
  return slices(c, c.in[0], dim, c.outputs());
}
std::vector<Value> split(Call& c) {
  const int64_t dim = c.integer(0), count = c.outputs();
  const Sizes sizes = c.sizes();
  if (sizes[dim].fixed()) {
    const std::vector<int64_t>& lengths = c.lengths(1);
    return parts(c, c.in[0], dim, count, c.g.integers(IntArrayRef(lengths.data(), count)));
  }
  // Steps of a sequence that lie one behind the other, each with the rows of the batch.
  Sizes steps = sizes;
  for (int64_t i = 0; i < count; ++i) {
    const auto part = c.result(static_cast<size_t>(i))[dim];
    if (part.a * count != sizes.a[dim] || part.b * count != sizes.b[dim])
      c.refuse("with dynamic_batch the first dim must be split into parts of one size");
    steps.a[dim] = part.a, steps.b[dim] = part.b;
  }
  steps.a.insert(dim, count), steps.b.insert(dim, count);
  return slices(c, c.reshaped(c.in[0], sizes, steps), dim, count);
}

std::vector<Value> lstm_gates(Call& c) {
  const std::vector<Value> v = parts(c, c.node("Add", {c.in[0], c.in[1]}), 1, 4);
  const auto sigmoid = [&](Value x) { return c.node("Sigmoid", {x}); };
  const Value kept = c.node("Mul", {sigmoid(v[1]), c.in[2]});
  const Value cell = c.node("Add", {kept, c.node("Mul", {sigmoid(v[0]), c.node("Tanh", {v[2]})})});
  return {c.node("Mul", {sigmoid(v[3]), c.node("Tanh", {cell})}), cell, Value::none};  // nobody takes the gates
}
std::vector<Value> gru_gates(Call& c) {
  const std::vector<Value> a = parts(c, c.in[0], 1, 3), b = parts(c, c.in[1], 1, 3);
  const auto gate = [&](size_t i) { return c.node("Sigmoid", {c.node("Add", {a[i], b[i]})}); };
  const Value r = gate(0), z = gate(1);
  const Value n = c.node("Tanh", {c.node("Add", {a[2], c.node("Mul", {r, b[2]})})});
  return {c.node("Add", {n, c.node("Mul", {z, c.node("Sub", {c.in[2], n})})}), Value::none};
}

struct RuleOfSeveral {
  const char* op;
  std::vector<Value> (*write)(Call& c);
};
constexpr RuleOfSeveral kSeveral[] = {
    {"split", split}, {"unbind", unbind}, {"lstm_gates", lstm_gates}, {"gru_gates", gru_gates}};

}  // namespace

std::vector<Value> write(Call& c) {
  const std::string_view op = c.name();
  for (const Same& same : kSame) {
    if (op == same.op && c.attributes() == 0) return {c.g.node(same.type, c.in, Attributes())};
  }
  for (const RuleOfSeveral& rule : kSeveral) {
    if (op == rule.op) return rule.write(c);
  }
  for (const Rule& rule : kRules) {
    if (op == rule.op) return {rule.write(c)};
  }
  c.refuse("every operation must have a form in ONNX");
}

}  // namespace tapegrad::nn::onnx

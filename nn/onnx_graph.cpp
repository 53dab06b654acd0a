// Messages and names of an ONNX graph. Field numbers are those of onnx.proto.
#include "tapegrad/nn/onnx_graph.h"

#include <cstring>

#include "tapegrad/core/copy.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/version.h"

namespace tapegrad::nn::onnx {
namespace {

// The last versions that the checker of Debian 12 knows.
constexpr int64_t kIrVersion = 8, kOpset = 17;

int64_t type_of(DType dtype) {
  constexpr int64_t types[] = {9, 2, 6, 7, 16, 1, 11};  // in the order of DType
  return types[static_cast<int>(dtype)];
}

Message encoded(const Attribute& a) {
  Message m;
  m.text(1, a.name);
  if (a.type == 1) m.real(2, static_cast<float>(a.real));
  if (a.type == 2) m.integer(3, a.integer);
  if (a.type == 3) m.text(4, a.word);
  for (const int64_t v : a.integers) m.integer(8, v);
  return m.integer(20, a.type);
}

}  // namespace

void Message::varint(uint64_t value) {
  for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
  bytes_ += static_cast<char>(value);
}
Message& Message::integer(int field, int64_t value) {
  varint(static_cast<uint64_t>(field) << 3);
  varint(static_cast<uint64_t>(value));
  return *this;
}
Message& Message::real(int field, float value) {
  varint(static_cast<uint64_t>(field) << 3 | 5);
  char bytes[4];
  std::memcpy(bytes, &value, 4);
  bytes_.append(bytes, 4);
  return *this;
}
Message& Message::text(int field, std::string_view bytes) {
  varint(static_cast<uint64_t>(field) << 3 | 2);
  varint(bytes.size());
  bytes_.append(bytes);
  return *this;
}

std::string Graph::unique(const std::string& name) {
  std::string free = name;
  for (int i = 1; !taken_.insert(free).second; ++i) free = name + "_" + std::to_string(i);
  return free;
}

Value Graph::named(std::string name) {
  names_.push_back(std::move(name));
  return static_cast<Value>(names_.size() - 1);
}

Value Graph::node(const char* type, Values inputs, Attributes attributes, int64_t outputs) {
  const std::string name = unique(where_.empty() ? type : where_ + "/" + type);
  Message m;
  while (!inputs.empty() && inputs.back() == Value::none) inputs = inputs.first(inputs.size() - 1);  // optional
  for (const Value input : inputs) m.text(1, name_of(input));
  const auto first = static_cast<Value>(names_.size());
  for (int64_t i = 0; i < outputs; ++i) m.text(2, name_of(named(unique(name + "_output_" + std::to_string(i)))));
  m.text(3, name).text(4, type);
  for (const Attribute& a : attributes) m.message(5, encoded(a));
  nodes_.push_back(std::move(m));
  return first;
}

Value Graph::constant(const std::string& name, const Tensor& t) {
  const Tensor x = t.detach().contiguous();
  Message m;
  for (const int64_t size : x.sizes()) m.integer(1, size);
  m.integer(2, type_of(x.dtype()));
  const std::string free = unique(name);
  m.text(8, free).text(9, {x.impl()->data, static_cast<size_t>(x.numel() * item_size(x.dtype()))});
  initializers_.push_back(std::move(m));
  return named(free);
}

Value Graph::integers(IntArrayRef values) {
  Value& known = known_["sizes" + to_string(values)];
  if (known == Value::none) {
    Tensor t = new_tensor(values.size(), kInt64);
    for (int64_t i = 0; i < values.size(); ++i) t.data_ptr<int64_t>()[i] = values[i];
    known = constant("sizes", t);
  }
  return known;
}

Value Graph::number(double value, DType dtype) {
  const Tensor t = full(IntArrayRef(), value, TensorOptions(dtype));
  char bytes[8];
  std::memcpy(bytes, &value, 8);
  Value& known = known_[tapegrad::name_of(dtype) + std::string(bytes, 8)];
  if (known == Value::none) known = constant("number", t);
  return known;
}

// size = factor batch
bool Graph::follows(Size s, int64_t& factor) const {
  const int64_t step = batch_.b - batch_.a;
  if (step == 0) return false;
  factor = (s.b - s.a) / step;
  return factor > 0 && factor * batch_.a == s.a && factor * batch_.b == s.b;
}

bool Graph::sizes(const Sizes& s, Value& vector) {
  if (IntArrayRef(s.a) == IntArrayRef(s.b)) {
    vector = integers(s.a);
    return true;
  }
  if (source_ == Value::none) return false;
  if (batch_vector_ == Value::none)
    batch_vector_ = node("Shape", {source_}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  std::vector<Value> parts;
  for (int64_t i = 0; i < s.size(); ++i) {
    int64_t factor = 0;
    if (s[i].fixed()) parts.push_back(integers(s.a[i]));
    else if (!follows(s[i], factor)) return false;
    else parts.push_back(factor == 1 ? batch_vector_ : node("Mul", {batch_vector_, integers(factor)}));
  }
  const Attribute axis("axis", int64_t{0});
  vector = parts.size() == 1 ? parts[0] : node("Concat", parts, {&axis, 1});
  return true;
}

Message Graph::described(const std::string& name, DType dtype, const Sizes& sizes) const {
  Message shape, tensor, type, m;
  for (int64_t i = 0; i < sizes.size(); ++i) {
    Message dim;
    int64_t factor = 0;
    if (sizes[i].fixed()) dim.integer(1, sizes.a[i]);
    else if (follows(sizes[i], factor)) dim.text(2, factor == 1 ? "batch" : std::to_string(factor) + "*batch");
    shape.message(1, dim);
  }
  tensor.integer(1, type_of(dtype)).message(2, shape);
  type.message(1, tensor);
  m.text(1, name).message(2, type);
  return m;
}

Value Graph::input(const std::string& name, DType dtype, const Sizes& sizes) {
  inputs_.push_back(described(name, dtype, sizes));
  const Value v = named(name);
  if (source_ == Value::none && sizes.size() > 0 && !sizes[0].fixed()) source_ = v;
  return v;
}

void Graph::output(const std::string& name, Value from, DType dtype, const Sizes& sizes) {
  Message m;
  m.text(1, name_of(from)).text(2, name).text(3, unique("output/" + name)).text(4, "Identity");
  nodes_.push_back(std::move(m));
  outputs_.push_back(described(name, dtype, sizes));
}

std::string Graph::model() const {
  Message graph;
  for (const Message& m : nodes_) graph.message(1, m);
  graph.text(2, "main");
  for (const Message& m : initializers_) graph.message(5, m);
  for (const Message& m : inputs_) graph.message(11, m);
  for (const Message& m : outputs_) graph.message(12, m);
  Message opset, model;
  opset.text(1, "").integer(2, kOpset);
  model.integer(1, kIrVersion).text(2, "tapegrad").text(3, tapegrad::version).message(7, graph).message(8, opset);
  return model.bytes();
}

}  // namespace tapegrad::nn::onnx

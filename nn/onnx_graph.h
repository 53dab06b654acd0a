// An ONNX graph being written: nodes, constants, names, and the bytes of the file. Internal.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad::nn::onnx {

// A message of Protocol Buffers, field by field.
class Message {
 public:
  Message& integer(int field, int64_t value);
  Message& real(int field, float value);
  Message& text(int field, std::string_view bytes);
  Message& message(int field, const Message& m) { return text(field, m.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value);
  std::string bytes_;
};

// An attribute of a node: an integer, integers, a number or a word.
struct Attribute {
  Attribute(const char* n, int64_t value) : name(n), type(2), integer(value) {}
  Attribute(const char* n, const Shape& values) : name(n), type(7), integers(values) {}
  Attribute(const char* n, double value) : name(n), type(1), real(value) {}
  Attribute(const char* n, const char* value) : name(n), type(3), word(value) {}

  const char* name;
  int64_t type;  // as onnx.proto numbers them
  int64_t integer = 0;
  double real = 0;
  const char* word = nullptr;
  Shape integers = {};
};
using Attributes = std::span<const Attribute>;

// A tensor of the graph. Results of one node are numbered one after the other.
enum class Value : int { none };
using Values = std::span<const Value>;

// A size, or the sizes of a tensor, in two runs; they differ where they follow the batch.
struct Size {
  int64_t a, b;
  bool fixed() const { return a == b; }
};
struct Sizes {
  Shape a, b;
  int64_t size() const { return a.size(); }
  Size operator[](int64_t i) const { return {a[i], b[i]}; }
  bool operator==(const Sizes& other) const {
    return IntArrayRef(a) == IntArrayRef(other.a) && IntArrayRef(b) == IntArrayRef(other.b);
  }
};

class Graph {
 public:
  // The first dim of the graph's inputs in both runs.
  explicit Graph(Size batch) : batch_(batch) {}

  // Where the nodes that follow come from: their names begin so.
  void enter(const std::string& where) { where_ = where; }
  // The first of its results.
  Value node(const char* type, Values inputs, Attributes attributes, int64_t outputs = 1);
  Value node(const char* type, std::initializer_list<Value> inputs, std::initializer_list<Attribute> attributes = {},
             int64_t outputs = 1) {
    return node(type, Values(inputs.begin(), inputs.size()), Attributes(attributes.begin(), attributes.size()),
                outputs);
  }
  // A tensor under this name, or one like it that is free.
  Value constant(const std::string& name, const Tensor& t);
  Value integers(IntArrayRef values);
  Value number(double value, DType dtype);
  // A vector of these sizes, worked out from the batch where they differ. False where they cannot be.
  bool sizes(const Sizes& s, Value& vector);
  Value input(const std::string& name, DType dtype, const Sizes& sizes);
  void output(const std::string& name, Value value, DType dtype, const Sizes& sizes);
  std::string model() const;
  // The name, or one like it that is free, taken from now on.
  std::string unique(const std::string& name);

 private:
  Value named(std::string name);
  const std::string& name_of(Value v) const { return names_[static_cast<size_t>(v)]; }
  bool follows(Size s, int64_t& factor) const;
  Message described(const std::string& name, DType dtype, const Sizes& sizes) const;

  Size batch_;
  std::string where_;
  Value source_ = Value::none, batch_vector_ = Value::none;  // an input whose first dim is the batch; that, as a vector
  std::vector<std::string> names_{""};                       // by number
  std::set<std::string> taken_;
  std::map<std::string, Value> known_;  // constants of the graph's own, by their bytes
  std::vector<Message> nodes_, initializers_, inputs_, outputs_;
};

}  // namespace tapegrad::nn::onnx

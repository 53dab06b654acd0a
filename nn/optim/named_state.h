// What schedulers and the like keep between runs, under names: into a dict of tensors and back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tapegrad/core/tensor.h"
#include "tapegrad/nn/ordered_dict.h"

namespace tapegrad::optim {

// An object names its members once, visit(state), and is written, compared and read by that. Numbers become float64 or int64.
class NamedState {
 public:
  using Dict = OrderedDict<std::string, Tensor>;
  using Visit = std::function<void(NamedState&)>;

  static Dict written(const Visit& visit);
  // ValueError naming `op` with every key that is missing or unexpected and what differs; nothing is read then.
  static void check(const char* op, const Dict& dict, const Visit& visit);
  static void take(const Dict& dict, const Visit& visit);
  static void read(const char* op, const Dict& dict, const Visit& visit) {
    check(op, dict, visit);
    take(dict, visit);
  }

  void operator()(const std::string& name, double& value);
  void operator()(const std::string& name, int64_t& value);
  // One from 1 to 2^53.
  void positive(const std::string& name, int64_t& value);
  void operator()(const std::string& name, bool& value);
  // As many as there are here.
  void operator()(const std::string& name, std::vector<double>& values);
  void operator()(const std::string& name, std::vector<int64_t>& values);
  // Any number of them.
  void list(const std::string& name, std::vector<double>& values);
  void list(const std::string& name, std::vector<int64_t>& values);
  // Elements of memory that stays where it is: of this dtype and shape.
  void operator()(const std::string& name, const Tensor& values);
  // Replaced by any number of rows of this width.
  void rows(const std::string& name, Tensor& values, DType dtype, int64_t width);
  // What visit names, with a prefix.
  void nested(const std::string& prefix, const Visit& visit);

 private:
  enum class Mode : uint8_t { write, check, take };
  explicit NamedState(Mode mode) : mode_(mode) {}
  const Tensor* find(const std::string& name);
  // The number under the name; null where there is none to be read.
  const Tensor* number(const std::string& name, bool whole);
  bool fits(const std::string& name, bool same, const std::string& here, const Tensor& there);
  template <class T> void numbers(const std::string& name, std::vector<T>& values, bool any_length);

  Mode mode_;
  std::string prefix_ = {};
  Dict out_ = {};
  const Dict* in_ = nullptr;
  std::vector<std::string> known_ = {}, missing_ = {}, different_ = {};
};

}  // namespace tapegrad::optim

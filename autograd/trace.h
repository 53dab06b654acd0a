// Records every operation of a function with what it was given, whether gradients are wanted or not: for exporters. Internal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/watch.h"

namespace tapegrad::autograd {

// What an operation was given.
struct TracedInput {
  Tensor tensor;         // the elements, off the tape
  uint32_t version = 0;  // of their memory, when they were given
  std::string maker;     // the kernel that wrote them; empty: they were there before
};

struct TracedOp {
  Ref<Node> node;
  std::vector<TracedInput> inputs;
  std::string where;  // the module that called it: "layers.0.linear1"
};

// While alive, the operations of this thread are recorded and kept, integer results among them.
class Tracer final : public Outside, public LaunchObserver {
 public:
  Tracer();
  ~Tracer() override;
  static Tracer* current();

  uint64_t note(const Tensor* const* inputs, int64_t count, const char* op) override;
  void keep(Node& node, const Tensor* const* inputs, int64_t count);
  void launched(const LaunchReport& report) override;
  void entered(const char* kind, const std::string& name) override;
  void left() override;

  // As an operation would be given it now.
  TracedInput input(const Tensor& t) const;
  // Hands over those that `outputs` were computed by, earliest first.
  std::vector<TracedOp> take(const std::vector<Tensor>& outputs);

 private:
  std::map<uint64_t, TracedOp> ops_;           // by sequence number
  std::map<const void*, std::string> makers_;  // by address of the first element
  std::vector<std::string> scopes_;
  uint8_t watch_;
  Tracer* around_;
};

}  // namespace tapegrad::autograd

// The property of capture: a replay on other operands has the bits of the function itself.
#include "op_properties_runs.h"

namespace op_properties {
namespace {

constexpr int64_t kLargestReplayed = 300000;  // elements of the benchmarks' cases that are worth the time

Tensors results(const Case& c, const Tensors& in, const Tensor& v, bool create_graph) {
  const Tensors leaves = leaves_of(c, in);
  const Tensors wanted = differentiable(leaves);
  const Tensor y = c.f(leaves);
  Tensors all{y.detach()};
  if (!y.requires_grad()) return all;
  for (const Tensor& g : autograd::grad({y}, wanted, {v}, create_graph, create_graph, true))
    all.push_back(g.defined() ? g.detach() : g);
  return all;
}

// What reads values on the host cannot be captured, and says so.
bool refused(const Row& row, const std::string& error) { return row.reads_values && error.find("capture: ") == 0; }

void expect_replays(const Row& row, const Case& c, DType dtype, bool create_graph, Findings& findings) {
  const Tensors in = sample(c, dtype, findings.stream(11)), other = sample(c, dtype, findings.stream(12));
  manual_seed(kDrawSeed);
  const Tensor v = cotangent(c.f(in));
  Program program = [&]() -> Program {
    try {
      return capture([&] { return results(c, in, v, create_graph); }, {.verify = 0});
    } catch (const AutogradError& e) {
      findings.check(refused(row, e.what()), [&] { return std::string("capturing threw: ") + e.what(); });
      return Program(nullptr);
    }
  }();
  if (!program.captured()) return;
  for (const Tensors& operands : {other, sample(c, dtype, findings.stream(11))}) {
    for (size_t i = 0; i < in.size(); ++i) in[i].copy_(operands[i]);
    manual_seed(kDrawSeed);
    const Tensors expected = results(c, operands, v, create_graph);
    manual_seed(kDrawSeed);
    program();
    expect_same_bits(expected, program.outputs(), findings);
  }
}

}  // namespace

void check_replay(const Row& row, const Case& c, Findings& findings) {
  for (const DType dtype : {kFloat32, kFloat64, kBFloat16}) {
    for (const bool create_graph : {false, true}) {
      findings.variant(std::string(name_of(dtype)) + (create_graph ? ", plain backward" : ""));
      try {
        expect_replays(row, c, dtype, create_graph, findings);
      } catch (const DTypeError& e) {
        if (dtype != kBFloat16 || !refuses_bfloat16(e)) throw;
      }
    }
  }
}

void check_replay_large(const Row& row, Findings& findings) {
  for (const Case& c : row.bench) {
    if (elements(c) > kLargestReplayed) continue;
    findings.about("benchmark " + c.label);
    expect_replays(row, c, kFloat32, false, findings);
  }
}

}  // namespace op_properties

// The property of bfloat16: what float32 gives for the same operands, rounded; gradients too.
#include <algorithm>

#include "op_properties_runs.h"

namespace op_properties {
namespace {

// The operands rounded, and the same numbers in float32.
struct Operands {
  Tensors low, wide;
};
Operands operands_of(const Case& c, uint64_t seed) {
  Operands in;
  in.low = sample(c, kBFloat16, seed);
  for (const Tensor& x : in.low) in.wide.push_back(x.dtype() == kBFloat16 ? to(x, kFloat32) : x);
  return in;
}

// Result and gradients by one cotangent that bfloat16 holds.
Tensors results(const Case& c, const Tensors& in) {
  manual_seed(kDrawSeed);
  const Tensors leaves = leaves_of(c, in);
  const Tensor y = c.f(leaves);
  Tensors all{y.detach()};
  if (!y.requires_grad()) return all;
  const Tensor v = to(to(cotangent(to(y.detach(), kFloat32)), kBFloat16), y.dtype());
  for (const Tensor& g : autograd::grad({y}, differentiable(leaves), {v}, false, false, true))
    all.push_back(g.defined() ? g.detach() : g);
  return all;
}

// What computes element by element is rounded once, so that not a bit may differ; the rest is as exact as the dtype lets it be.
void expect_rounded(const Row& row, const Tensors& low, const Tensors& wide, int64_t terms, Findings& findings) {
  if (row.elementwise)
    findings.check(same_bits(low[0], to(wide[0], low[0].dtype())),
                   [] { return "the value is not float32's, rounded once"; });
  for (size_t k = 0; k < low.size(); ++k) {
    if (!low[k].defined() || !wide[k].defined()) continue;
    const bool floating = wide[k].dtype() == kFloat32;
    const DType expected = floating ? kBFloat16 : wide[k].dtype();
    findings.check(low[k].dtype() == expected, [&] {
      return (k == 0 ? std::string("the result is ") : "gradient " + std::to_string(k - 1) + " is ") +
             name_of(low[k].dtype()) + ", not " + name_of(expected);
    });
  }
  expect_same(low, wide, terms, findings);
}

}  // namespace

bool refuses_bfloat16(const DTypeError& e) { return std::string(e.what()).find("bfloat16") != std::string::npos; }

void check_bfloat16(const Row& row, const Case& c, Findings& findings) {
  const Operands in = operands_of(c, findings.stream(18));
  if (std::none_of(in.low.begin(), in.low.end(), [](const Tensor& x) { return x.dtype() == kBFloat16; })) return;
  const Tensors wide = results(c, in.wide);
  for_each_isa([&](const char* isa) {
    findings.variant(isa);
    try {
      const Tensors low = results(c, in.low);
      findings.check(low.size() == wide.size(), [] { return "another number of gradients"; });
      expect_rounded(row, low, wide, c.terms, findings);
    } catch (const DTypeError& e) {
      findings.check(refuses_bfloat16(e), [&] { return std::string("threw: ") + e.what(); });
    }
  });
}

}  // namespace op_properties

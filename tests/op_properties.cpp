// The list of properties, and what they are written with.
#include "op_properties.h"

#include <cstring>

#include "op_properties_runs.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace op_properties {
namespace simd = tapegrad::kernels::simd;
namespace {

const Property kProperties[] = {
    {"value", "the result against an independent reference in double", check_value},
    {"integers", "the reference exactly, in integer dtypes", check_integers},
    {"isa", "the reference on every instruction set", check_isa},
    {"tails", "elementwise: lengths around those of vectors, on every instruction set", nullptr, check_tails},
    {"edges", "0, infinities, NaN and the ends of the range", check_planted_edges, check_edges},
    {"gradient", "against differences, at the edges too; subsets, aliases, layouts, mutation, hooks", check_gradient,
     check_edge_gradients},
    {"order2", "second derivatives by inputs and cotangents, and their symmetry", check_order2},
    {"order3", "third derivatives by inputs and cotangents, and their symmetry", check_order3},
    {"forward", "forward mode against differences, and against reverse mode", check_forward},
    {"float32", "float32 gradients against float64 ones, at the sizes of the benchmarks too", check_float32,
     check_float32_large},
    {"bfloat16", "the float32 result and gradients, rounded, on every instruction set; or a refusal", check_bfloat16},
    {"fused", "the fused backward is the plain one", check_fused},
    {"layouts", "transposed, sliced and expanded operands: the same result and gradients", check_layouts},
    {"zero_size", "operands without elements: a result and gradients of the right shapes, or an error",
     check_zero_size},
    {"in_place", "in place as out of place, and x op= x", check_in_place},
    {"mutation", "operands and result written after forward: an error, or the same gradient", check_mutation},
    {"view", "views share memory with operand 0", check_view},
    {"repeat", "the same bits again", check_repeat, check_repeat_large},
    {"threads", "the same bits at 1 and 2 threads", check_threads, check_threads_large},
    {"replay", "captured and replayed on other operands: the same bits", check_replay, check_replay_large},
    {"leak", "no byte and no node stays behind", check_leak},
    {"errors", "the exact text of every error", nullptr, check_errors},
};

}  // namespace

std::span<const Property> properties() { return kProperties; }

const Property* find_property(const std::string& name) {
  for (const Property& p : kProperties) {
    if (name == p.name) return &p;
  }
  return nullptr;
}

Findings check(const Property& property, const Row& row, uint64_t seed) {
  Findings findings(seed);
  const auto guarded = [&](const auto& f) {
    manual_seed(seed);
    try {
      f();
    } catch (const std::exception& e) { findings.fail(std::string("threw: ") + e.what()); }
  };
  for (const Case& c : row.cases) {
    if (!property.of_case) break;
    findings.about(c.label);
    guarded([&] { property.of_case(row, c, findings); });
  }
  findings.about("");
  if (property.of_row) guarded([&] { property.of_row(row, findings); });
  return findings;
}

std::string number(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

bool close(double got, double expected, double allowed) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;  // whatever is allowed
  return got == expected || std::abs(got - expected) <= allowed;
}

std::vector<Array> values_of(const Tensors& in) {
  std::vector<Array> values;
  for (const Tensor& x : in) values.push_back(op_cases::values_of(x));
  return values;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  const Tensor x = contiguous_of(a);
  const Tensor y = contiguous_of(b);
  return x.numel() == y.numel() && x.dtype() == y.dtype() &&
         (x.numel() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0);
}

Tensors sample_integers(const Case& c, DType dtype, uint64_t seed) {
  Case whole = c;
  for (Arg& arg : whole.args) {
    if (arg.differentiable()) arg.domain = {dtype == kInt64 || dtype == kInt32 ? -9. : 0., dtype == kBool ? 2. : 9.};
  }
  Tensors in = sample(whole, kFloat64, seed);
  for (size_t i = 0; i < in.size(); ++i) {
    if (c.args[i].dtype == kFloat32) in[i] = to(in[i].is_floating_point() ? to(in[i], kInt64) : in[i], dtype);
  }
  return in;
}

int64_t elements(const Case& c) {
  int64_t n = 0;
  for (const Arg& arg : c.args) n += numel_of(arg.sizes, "test");
  return n;
}

void expect_value(const Tensor& y, const Array& expected, int64_t terms, Findings& findings) {
  if (!findings.check(to_string(y.sizes()) == to_string(expected.sizes),
                      [&] { return "the result is " + to_string(y.sizes()) + ", not " + to_string(expected.sizes); }))
    return;
  const Array got = op_cases::values_of(y);
  findings.count(1);
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double magnitude =
        expected.magnitude.empty() ? std::abs(expected[i]) : expected.magnitude[static_cast<size_t>(i)];
    const double allowed = tolerance(y.dtype(), magnitude, terms);
    if (close(got[i], expected[i], allowed)) continue;
    findings.fail("element " + std::to_string(i) + " of " + to_string(y.sizes()) + " is " + number(got[i]) + ", not " +
                  number(expected[i]) + " (allowed " + number(allowed) + ")");
    return;
  }
}

void expect_same(const Tensors& a, const Tensors& b, int64_t terms, Findings& findings, double size) {
  if (!findings.check(a.size() == b.size(), [] { return "another number of gradients"; })) return;
  const std::string variant = findings.variant();
  for (size_t k = 0; k < a.size(); ++k) {
    const std::string what = k == 0 ? "value" : "gradient " + std::to_string(k - 1);
    findings.variant(variant.empty() ? what : variant + ", " + what);
    if (!findings.check(a[k].defined() == b[k].defined(),
                        [&] { return std::string(a[k].defined() ? "present" : "absent") + " on one side only"; }))
      continue;
    if (!a[k].defined()) continue;
    Array expected = op_cases::values_of(b[k]);
    double largest = k == 0 ? size : std::max(size, 1.0);  // cotangents are of order one, and may cancel
    for (double v : expected.v) largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
    expected.magnitude.assign(expected.v.size(), largest);
    expect_value(a[k], expected, 8 * terms, findings);
  }
  findings.variant(variant);
}

void expect_same_bits(const Tensors& a, const Tensors& b, Findings& findings) {
  if (!findings.check(a.size() == b.size(), [] { return "another number of gradients"; })) return;
  for (size_t k = 0; k < a.size(); ++k) {
    findings.check(same_bits(a[k], b[k]), [&] {
      return (k == 0 ? std::string("the value has") : "gradient " + std::to_string(k - 1) + " has") + " other bits";
    });
  }
}

Tensors leaves_of(const Case& c, const Tensors& in) {
  Tensors leaves;
  for (size_t i = 0; i < in.size(); ++i) {
    leaves.push_back(alias(in[i]));
    if (in[i].is_floating_point() && c.args[i].differentiable() && c.order > 0) leaves.back().requires_grad_();
  }
  return leaves;
}

Tensors differentiable(const Tensors& leaves) {
  Tensors wanted;
  for (const Tensor& x : leaves) {
    if (x.requires_grad()) wanted.push_back(x);
  }
  return wanted;
}

Tensor cotangent(const Tensor& y) {
  Generator generator(99);
  return to(randn(y.sizes(), generator, kFloat32), y.dtype());  // the same in float32 and float64
}

Tensors run(const Case& c, const Tensors& in, bool create_graph) {
  const Tensors leaves = leaves_of(c, in);
  const Tensors wanted = differentiable(leaves);
  const Tensor y = c.f(leaves);
  Tensors all{y.detach()};
  if (!y.requires_grad()) return all;
  for (const Tensor& g : autograd::grad({y}, wanted, {cotangent(y)}, create_graph, create_graph, true))
    all.push_back(g.defined() ? g.detach() : g);
  return all;
}

void for_each_isa(const std::function<void(const char* isa)>& f) {
  const std::string best = simd::table().isa;
  struct Restore {
    const std::string& isa;
    ~Restore() { simd::select(isa.c_str()); }
  } restore{best};
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    if (!simd::select(*isa)) throw std::logic_error(std::string("no instruction set ") + *isa);
    f(*isa);
  }
}

}  // namespace op_properties

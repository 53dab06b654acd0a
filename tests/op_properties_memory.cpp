// Properties of memory: layouts, empty operands, in-place forms, writes after forward, views, leaks.
#include <algorithm>
#include <stdexcept>

#include "op_properties_runs.h"

namespace op_properties {
namespace {

// The values of x under other strides: transposed, every second element from an offset.
Tensor transposed(const Tensor& x) {
  if (x.dim() < 2) return x;
  return contiguous_of(transpose(x, 0, -1)).transpose(0, -1);
}
Tensor sliced(const Tensor& x) {
  if (x.dim() == 0) return stack({x, x, x})[1];
  const Tensor wide = stack({zeros_like(x), x}, x.dim());
  return cat({wide, wide, wide}, 0).narrow(0, x.size(0), x.size(0)).select(x.dim(), 1);
}
// The first row for all rows, by a stride of 0.
Tensor expanded(const Tensor& x) { return x.dim() == 0 || x.size(0) == 0 ? x : expand(narrow(x, 0, 0, 1), x.sizes()); }

constexpr std::pair<const char*, Tensor (*)(const Tensor&)> kLayouts[] = {
    {"transposed", transposed}, {"sliced", sliced}, {"expanded", expanded}};

bool same_sizes(const Tensor& a, const Tensor& b) { return IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()); }

// The extents there are in the operands of a case.
std::vector<int64_t> extents(const Case& c) {
  std::vector<int64_t> found;
  for (const Arg& arg : c.args) {
    for (int64_t n : arg.sizes) {
      if (n > 0 && std::find(found.begin(), found.end(), n) == found.end()) found.push_back(n);
    }
  }
  return found;
}

// The case with no elements along the dims of this extent: extents differ, so that these belong together.
Case without(const Case& c, int64_t extent) {
  Case empty = c;
  for (Arg& arg : empty.args) {
    for (int64_t& n : arg.sizes) n = n == extent ? 0 : n;
    arg.values.clear();
  }
  return empty;
}

void expect_shapes(const Case& c, const Tensors& in, Findings& findings) {
  Tensors all;
  try {
    all = run(c, in);
  } catch (const Error& e) {
    findings.check(std::string(e.what()).find(": ") != std::string::npos,
                   [&] { return std::string("an error that does not say of what op: ") + e.what(); });
    return;
  } catch (const std::out_of_range&) {
    return;  // the case itself asks for a part that there is none of
  }
  Tensors wanted = differentiable(leaves_of(c, in));
  for (size_t k = 1; k < all.size(); ++k) {
    if (!all[k].defined()) continue;
    const Tensor& x = wanted[k - 1];
    findings.check(same_sizes(all[k], x) && all[k].dtype() == x.dtype(), [&] {
      return "gradient " + std::to_string(k - 1) + " is " + to_string(all[k].sizes()) + ", the operand " +
             to_string(x.sizes());
    });
  }
  expect_same(run(c, in, true), all, c.terms, findings);
}

Tensors copies_of(const Tensors& in) {
  Tensors copies;
  for (const Tensor& x : in) copies.push_back(clone_of(x));
  return copies;
}

// Gradients after `write`: refused, or as if nothing had been written.
void expect_caught(const Case& c, const Tensors& in, const Tensors& expected,
                   const std::function<void(const Tensors& leaves, const Tensor& y)>& write, Findings& findings) {
  const Tensors leaves = leaves_of(c, copies_of(in));
  const Tensor y = c.f(leaves);
  {
    const NoGradGuard no_grad;
    write(leaves, y);
  }
  Tensors g;
  findings.count(1);
  try {
    g = autograd::grad({y}, differentiable(leaves), {cotangent(y)}, false, false, true);
  } catch (const AutogradError&) { return; }
  g.insert(g.begin(), expected[0]);
  expect_same(g, expected, c.terms, findings);
}

void expect_in_place(const Row& row, const Case& c, const Tensors& in, Findings& findings) {
  const Tensors expected = run(c, in);
  if (!same_sizes(expected[0], in[0]) || expected[0].dtype() != in[0].dtype()) return;
  Case in_place = c;
  in_place.f = [&](const Tensors& at) {
    Tensors written = at;
    written[0] = at[0] * 1;
    const Tensor y = row.in_place(written);
    findings.check(y.data_ptr() == written[0].data_ptr(), [] { return "another tensor comes back"; });
    return y;
  };
  expect_same(run(in_place, in), expected, c.terms, findings);
  // Operand 0 and the others the same memory: x op= x.
  if (in.size() < 2 || !same_sizes(in[1], in[0])) return;
  const Tensors twice(in.size(), in[0]);
  const Tensor both = clone_of(in[0]);
  const Tensor y = c.f(twice);
  row.in_place(Tensors(in.size(), both));
  findings.check(same_bits(both, y), [] { return "x op= x is not f(x, x)"; });
}

}  // namespace

void check_layouts(const Row& row, const Case& c, Findings& findings) {
  if (row.needs_contiguous) return;
  std::vector<DType> dtypes{kFloat64, kFloat32};
  dtypes.insert(dtypes.end(), row.integers.begin(), row.integers.end());
  for (DType dtype : dtypes) {
    const bool real = is_floating_point(dtype);
    const Tensors operands =
        real ? sample(c, dtype, findings.stream(7)) : sample_integers(c, dtype, findings.stream(7));
    for (const auto& [layout, relaid] : kLayouts) {
      findings.variant(std::string(name_of(dtype)) + ", " + layout);
      Tensors in, plain;
      for (const Tensor& x : operands) {
        in.push_back(relaid(x));
        plain.push_back(clone_of(in.back()));
      }
      expect_same(run(c, in), run(c, plain), c.terms, findings);
    }
  }
}

void check_zero_size(const Row&, const Case& c, Findings& findings) {
  for (int64_t extent : extents(c)) {
    const Case empty = without(c, extent);
    for (DType dtype : {kFloat64, kFloat32}) {
      findings.variant(std::string(name_of(dtype)) + ", 0 for " + std::to_string(extent));
      expect_shapes(empty, sample(empty, dtype, findings.stream(14)), findings);
    }
  }
}

void check_in_place(const Row& row, const Case& c, Findings& findings) {
  if (!row.in_place || c.own_attributes) return;
  for (DType dtype : {kFloat64, kFloat32}) {
    findings.variant(name_of(dtype));
    expect_in_place(row, c, sample(c, dtype, findings.stream(9)), findings);
  }
}

void check_mutation(const Row&, const Case& c, Findings& findings) {
  const Tensors in = sample(c, kFloat64, findings.stream(12));
  const Tensors expected = run(c, in);
  if (expected.size() < 2) return;
  findings.variant("the result written");
  expect_caught(
      c, in, expected,
      [](const Tensors&, const Tensor& y) {
        if (!has_overlap(y)) y.fill_(0.3);
      },
      findings);
  for (size_t i = 0; i < in.size(); ++i) {
    findings.variant("operand " + std::to_string(i) + " written");
    expect_caught(
        c, in, expected, [i](const Tensors& leaves, const Tensor&) { leaves[i].zero_(); }, findings);
  }
}

void check_view(const Row& row, const Case& c, Findings& findings) {
  const Tensors in = sample(c, kFloat32, findings.stream(13));
  const Tensor y = c.f(in);
  if (!row.view || y.numel() == 0) return;
  findings.check(y.state().storage.get() == in[0].state().storage.get(), [] { return "the result is a copy"; });
}

void check_leak(const Row&, const Case& c, Findings& findings) {
  int64_t bytes = 0;
  const int64_t nodes = autograd::live_nodes();
  for (int round = 0; round < 3; ++round) {  // the first one fills what is kept on purpose
    const int64_t before = allocator_stats().allocated_bytes;
    run(c, sample(c, kFloat32, findings.stream(11)));
    run(c, sample(c, kFloat64, findings.stream(11)), true);
    bytes = allocator_stats().allocated_bytes - before;
  }
  const int64_t left = autograd::live_nodes() - nodes;
  findings.check(bytes == 0, [&] { return std::to_string(bytes) + " bytes stay behind"; });
  findings.check(left == 0, [&] { return std::to_string(left) + " nodes stay behind"; });
}

}  // namespace op_properties

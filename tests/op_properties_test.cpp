// Every row of the table of operations held to every property: values, gradients, layouts, instruction sets, edges, errors.
#include <algorithm>
#include <cstring>
#include <limits>

#include "message.h"
#include "op_cases.h"
#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/simd/simd.h"

using namespace tapegrad;
using namespace op_cases;
namespace simd = tapegrad::kernels::simd;

namespace {

std::string name_of_case(const Row& row, const Case& c, const char* property, const char* variant = "") {
  return "op " + row.name + ", property " + property + ", case " + c.label + (*variant ? ", " : "") + variant;
}

bool close(double got, double expected, double allowed) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected || std::abs(got - expected) <= allowed;
}

// `y` within the tolerance of the reference; reports the first element that is not.
void check_value(const Tensor& y, const Array& expected, int64_t terms) {
  REQUIRE(to_string(y.sizes()) == to_string(expected.sizes));
  const Array got = values_of(y);
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double magnitude =
        expected.magnitude.empty() ? std::abs(expected[i]) : expected.magnitude[static_cast<size_t>(i)];
    if (close(got[i], expected[i], tolerance(y.dtype(), magnitude, terms))) continue;
    CAPTURE(i, got[i], expected[i], magnitude);
    FAIL_CHECK("a value beyond the tolerance");
    return;
  }
}

std::vector<Array> values_of(const Tensors& in) {
  std::vector<Array> values;
  for (const Tensor& x : in) values.push_back(op_cases::values_of(x));
  return values;
}

Tensors leaves_of(const Case& c, const Tensors& in) {
  Tensors leaves;
  for (size_t i = 0; i < in.size(); ++i) {
    leaves.push_back(alias(in[i]));
    if (c.args[i].differentiable() && c.order > 0) leaves.back().requires_grad_();
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
  return randn(y.sizes(), generator, y.dtype());
}

// The result and, where there are gradients, these after it.
Tensors run(const Case& c, const Tensors& in, bool create_graph = false) {
  const Tensors leaves = leaves_of(c, in);
  const Tensors wanted = differentiable(leaves);
  const Tensor y = c.f(leaves);
  Tensors all{y.detach()};
  if (!y.requires_grad()) return all;
  for (const Tensor& g : autograd::grad({y}, wanted, {cotangent(y)}, create_graph, create_graph, true))
    all.push_back(g.defined() ? g.detach() : g);
  return all;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  const Tensor x = contiguous_of(a);
  const Tensor y = contiguous_of(b);
  return x.numel() == y.numel() && x.dtype() == y.dtype() &&
         (x.numel() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0);
}

// Two runs of a case agree: results and gradients, each within the tolerance of the other's largest element.
void check_same(const Tensors& a, const Tensors& b, int64_t terms) {
  REQUIRE(a.size() == b.size());
  for (size_t k = 0; k < a.size(); ++k) {
    CAPTURE(k);
    REQUIRE(a[k].defined() == b[k].defined());
    if (!a[k].defined()) continue;
    Array expected = op_cases::values_of(b[k]);
    double largest = 0;
    for (double v : expected.v) largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
    expected.magnitude.assign(expected.v.size(), largest);
    check_value(a[k], expected, 8 * terms);
  }
}

int64_t elements(const Case& c) {
  int64_t n = 0;
  for (const Arg& arg : c.args) n += numel_of(arg.sizes, "test");
  return n;
}

template <class F> void for_each_case(F f) {
  for (const Row& row : table()) {
    for (const Case& c : row.cases) {
      try {
        f(row, c);
      } catch (const Error& e) { FAIL_CHECK("op " << row.name << ", case " << c.label << ": " << e.what()); }
    }
  }
}

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

const char* const kBest = [] {
  const char* const* isa = simd::available();
  const char* best = *isa;
  for (; *isa; ++isa) {
    if (std::strcmp(*isa, simd::table().isa) == 0) best = *isa;
  }
  return best;
}();

}  // namespace

TEST_CASE("ops: values against the reference", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    for (DType dtype : {kFloat64, kFloat32}) {
      INFO(name_of_case(row, c, "value", name_of(dtype)));
      const Tensors in = sample(c, dtype, 1);
      check_value(c.f(in), c.reference(values_of(in)), c.terms);
    }
  });
}

TEST_CASE("ops: integer dtypes", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    for (DType dtype : row.integers) {
      INFO(name_of_case(row, c, "integers", name_of(dtype)));
      Case whole = c;
      for (Arg& arg : whole.args) {
        if (arg.differentiable())
          arg.domain = {dtype == kInt64 || dtype == kInt32 ? -9. : 0., dtype == kBool ? 2. : 9.};
      }
      Tensors in = sample(whole, kFloat64, 2);
      for (size_t i = 0; i < in.size(); ++i) {
        if (c.args[i].dtype == kFloat32) in[i] = to(in[i].is_floating_point() ? to(in[i], kInt64) : in[i], dtype);
      }
      const Array expected = c.reference(values_of(in));
      const Tensor y = c.f(in);
      check_value(y, expected, 1);
    }
  });
}

TEST_CASE("ops: every instruction set, vector tails included", "[ops]") {
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    for_each_case([&](const Row& row, const Case& c) {
      for (DType dtype : {kFloat64, kFloat32}) {
        INFO(name_of_case(row, c, "instruction set", *isa));
        const Tensors in = sample(c, dtype, 3);
        check_value(c.f(in), c.reference(values_of(in)), c.terms);
      }
    });
    for (const Row& row : table()) {
      if (!row.elementwise) continue;
      for (int64_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65}) {
        Case c = row.cases[0];
        for (Arg& arg : c.args) arg.sizes = {n};
        for (DType dtype : {kFloat64, kFloat32}) {
          INFO(name_of_case(row, c, "vector tail", *isa) << " " << n);
          const Tensors in = sample(c, dtype, 4);
          check_value(c.f(in), c.reference(values_of(in)), c.terms);
        }
      }
    }
  }
  REQUIRE(simd::select(kBest));
}

TEST_CASE("ops: gradients of first and second order, forward mode, subsets, mutation", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    const Tensors in = sample(c, kFloat64, 5);
    const Tensors leaves = leaves_of(c, in);
    if (differentiable(leaves).empty() || elements(c) > 3000) return;
    GradcheckOptions options{.order = c.order, .kinks = Kinks::accept, .layout_sensitive = row.needs_contiguous};
    options.full_limit = 600;
    const GradcheckReport report = gradcheck_report(c.f, leaves, options);
    INFO(name_of_case(row, c, "gradient") << "\n" << report.text());
    CHECK(report.ok());
    for (const std::string& note : report.notes) CHECK_THAT(note, !Contains("forward mode was not checked"));
  });
}

TEST_CASE("ops: float32 gradients", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    const Tensors leaves = leaves_of(c, sample(c, kFloat32, 6));
    if (differentiable(leaves).empty()) return;
    GradcheckOptions options{.probes = 1, .kinks = Kinks::accept, .layout_sensitive = row.needs_contiguous};
    options.full_limit = 1;
    const GradcheckReport report = gradcheck_report(c.f, leaves, options);
    INFO(name_of_case(row, c, "float32 gradient") << "\n" << report.text());
    CHECK(report.ok());
  });
}

TEST_CASE("ops: transposed, sliced and expanded inputs", "[ops]") {
  const std::pair<const char*, Tensor (*)(const Tensor&)> layouts[] = {
      {"transposed", transposed}, {"sliced", sliced}, {"expanded", expanded}};
  for_each_case([&](const Row& row, const Case& c) {
    for (DType dtype : {kFloat64, kFloat32}) {
      for (const auto& [layout, relaid] : layouts) {
        if (row.needs_contiguous) continue;
        INFO(name_of_case(row, c, "layout", layout) << " " << name_of(dtype));
        Tensors in, plain;
        for (const Tensor& x : sample(c, dtype, 7)) {
          in.push_back(relaid(x));
          plain.push_back(clone_of(in.back()));
        }
        check_same(run(c, in), run(c, plain), c.terms);
      }
    }
  });
}

TEST_CASE("ops: the fused backward is the plain one", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    for (DType dtype : {kFloat64, kFloat32}) {
      INFO(name_of_case(row, c, "fused backward", name_of(dtype)));
      const Tensors in = sample(c, dtype, 8);
      check_same(run(c, in), run(c, in, true), c.terms);
    }
  });
}

TEST_CASE("ops: in place as out of place", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    if (!row.in_place || c.own_attributes) return;
    for (DType dtype : {kFloat64, kFloat32}) {
      INFO(name_of_case(row, c, "in place", name_of(dtype)));
      const Tensors in = sample(c, dtype, 9);
      const Tensors expected = run(c, in);
      if (!(IntArrayRef(expected[0].sizes()) == IntArrayRef(in[0].sizes())) || expected[0].dtype() != in[0].dtype())
        continue;
      Case in_place = c;
      in_place.f = [&](const Tensors& at) {
        Tensors written = at;
        written[0] = at[0] * 1;
        const Tensor y = row.in_place(written);
        CHECK(y.data_ptr() == written[0].data_ptr());
        return y;
      };
      check_same(run(in_place, in), expected, c.terms);
      // Operand 0 and the others the same memory: x op= x.
      if (in.size() < 2 || !(IntArrayRef(in[1].sizes()) == IntArrayRef(in[0].sizes()))) continue;
      Tensors twice(in.size(), in[0]);
      const Tensor both = clone_of(in[0]);
      const Tensor y = c.f(twice);
      row.in_place(Tensors(in.size(), both));
      CHECK(same_bits(both, y));
    }
  });
}

TEST_CASE("ops: what an in-place form refuses, it refuses under its own name", "[ops]") {
  for (const Row& row : table()) {
    if (!row.in_place) continue;
    // The first case with rows to overlap whose result fits operand 0.
    const auto fits = [](const Case& c) {
      const Tensors in = sample(c, kFloat64, 9);
      if (c.own_attributes || in[0].dim() == 0 || in[0].size(0) < 2 || in[0].dtype() != kFloat64) return false;
      const Tensor y = c.f(in);
      return IntArrayRef(y.sizes()) == IntArrayRef(in[0].sizes()) && y.dtype() == kFloat64;
    };
    const auto c = std::find_if(row.cases.begin(), row.cases.end(), fits);
    INFO(row.name);
    REQUIRE(c != row.cases.end());
    const auto refused = [&](const std::function<Tensor(Tensor)>& unfit, const std::string& why) {
      Tensors in = sample(*c, kFloat64, 9);
      in[0] = unfit(in[0]);
      CHECK_THAT(message_of<AutogradError>([&] { row.in_place(in); }), Contains(row.name + "_: " + why));
    };
    refused([](Tensor x) { return x.requires_grad_(); }, "a leaf that requires grad must not be written");
    refused(
        [](Tensor x) {
          const Tensor recorded = x.requires_grad_() * 1;
          Tensor part;
          {
            const NoGradGuard off;
            part = recorded.view(recorded.sizes());
          }
          recorded.mul_(2);
          return part;
        },
        "a view taken while recording was off");
    refused([](const Tensor& x) { return x.slice(0, 0, 1).expand(x.sizes()); }, "several elements of the tensor share");
  }
}

TEST_CASE("ops: zero, infinities, NaN and the ends of the range", "[ops]") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> extremes{0,      -0., inf, -inf, std::nan(""), 1e38, -1e38, 1e-38,
                                     -1e-38, 1,   -1,  88,   100,          -100, 1e4,   1e-8};
  const auto count = static_cast<int64_t>(extremes.size());
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    for (const Row& row : table()) {
      if (!row.elementwise) continue;
      Case c = row.cases[0];
      const size_t operands = c.args.size();
      if (operands > 2) continue;
      for (size_t i = 0; i < operands; ++i) {
        c.args[i].sizes = operands == 1 ? Shape{count} : i == 0 ? Shape{count, 1} : Shape{1, count};
        c.args[i].values = extremes;
      }
      for (DType dtype : {kFloat64, kFloat32}) {
        const Tensors in = sample(c, dtype, 0);
        const std::vector<Array> values = values_of(in);
        Array expected = c.reference(values);
        if (dtype == kFloat32) {
          for (double& v : expected.v) v = static_cast<float>(v);
        }
        const Tensor y = c.f(in);
        const Array got = op_cases::values_of(y);
        REQUIRE(got.numel() == expected.numel());
        for (int64_t i = 0; i < got.numel(); ++i) {
          if (close(got[i], expected[i], tolerance(y.dtype(), std::abs(expected[i]), 1))) continue;
          FAIL_CHECK(name_of_case(row, c, "extremes", *isa)
                     << " " << name_of(dtype) << ": f(" << values[0].at(i, expected.sizes)
                     << (operands > 1 ? ", " + std::to_string(values[1].at(i, expected.sizes)) : "") << ") is "
                     << got[i] << ", the reference says " << expected[i]);
        }
      }
    }
  }
  REQUIRE(simd::select(kBest));
}

TEST_CASE("ops: the same bits again, and with another number of threads", "[ops]") {
  const int threads = get_num_threads();
  const auto check = [](const Row& row, const Case& c) {
    const Tensors in = sample(c, kFloat32, 10);
    set_num_threads(1);
    const Tensors first = run(c, in);
    const Tensors again = run(c, in);
    set_num_threads(2);
    const Tensors two = run(c, in);
    for (size_t k = 0; k < first.size(); ++k) {
      INFO(name_of_case(row, c, "repeatability") << ", " << (k == 0 ? "value" : "gradient " + std::to_string(k - 1)));
      CHECK(same_bits(first[k], again[k]));
      INFO("1 and 2 threads");
      CHECK(same_bits(first[k], two[k]));
    }
  };
  for_each_case(check);
  for (const Row& row : table()) {
    for (const Case& c : row.bench) {
      if (elements(c) <= 2100000) check(row, c);
    }
  }
  set_num_threads(threads);
}

TEST_CASE("ops: no memory and no node stays behind", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    int64_t bytes = 0;
    const int64_t nodes = autograd::live_nodes();
    for (int round = 0; round < 3; ++round) {  // the first one fills what is kept on purpose
      const int64_t before = allocator_stats().allocated_bytes;
      run(c, sample(c, kFloat32, 11));
      run(c, sample(c, kFloat64, 11), true);
      bytes = allocator_stats().allocated_bytes - before;
    }
    INFO(name_of_case(row, c, "leak"));
    CHECK(bytes == 0);
    CHECK(autograd::live_nodes() == nodes);
  });
}

TEST_CASE("ops: a result written after forward is caught or does not matter", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    const Tensors in = sample(c, kFloat64, 12);
    const Tensors expected = run(c, in);
    if (expected.size() < 2) return;
    INFO(name_of_case(row, c, "mutation of the result"));
    Tensors copies;
    for (const Tensor& x : in) copies.push_back(clone_of(x));
    const Tensors leaves = leaves_of(c, copies);
    const Tensor y = c.f(leaves);
    {
      const NoGradGuard no_grad;
      if (has_overlap(y)) return;
      y.fill_(0.3);
    }
    Tensors g;
    try {
      g = autograd::grad({y}, differentiable(leaves), {cotangent(y)}, false, false, true);
    } catch (const AutogradError&) { return; }
    g.insert(g.begin(), expected[0]);
    check_same(g, expected, c.terms);
  });
}

TEST_CASE("ops: views share memory, the rest does not", "[ops]") {
  for_each_case([](const Row& row, const Case& c) {
    const Tensors in = sample(c, kFloat32, 13);
    const Tensor y = c.f(in);
    if (!row.view || y.numel() == 0) return;
    INFO(name_of_case(row, c, "view"));
    CHECK(y.state().storage.get() == in[0].state().storage.get());
  });
}

TEST_CASE("ops: errors say what is wrong", "[ops]") {
  for (const Row& row : table()) {
    for (const BadInput& input : row.bad_inputs) {
      INFO("op " << row.name << ", property error");
      CHECK(message_of<std::exception>(input.call) == input.text);
    }
  }
}

// The battery of planted errors: every one must be caught, by the check that is there for it.
#include <cstdio>

#include "planting.h"

using namespace planting;

namespace {

struct PlantedError {
  const char* name;
  const char* check;  // one that must find it
  Function f;
  Tensors in;
  GradcheckOptions options = {};
  const char* says = "";  // part of the report
};

// tanh with its gradient spoilt.
Function wrong_tanh(Rule rule) { return of(planted(tanh_of, rule)); }
// a * b with the gradient by a spoilt.
Function wrong_product(Rule2 by_a) {
  return of(planted([](const Tensor& a, const Tensor& b) { return a * b; }, by_a,
                    [](const Tensor& dy, const Tensor& a, const Tensor&) { return dy * a; }));
}
Tensor flat_memory_of(const Tensor& v) { return from_blob(v.data_ptr(), v.sizes(), v.dtype()); }
Tensor pooled(const Tensor& v) { return amax(reshape(v, {v.size(0) / 2, 2}), {1}); }

std::vector<PlantedError> wrong_values() {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  return {
      {"sign",
       "numeric",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return -tanh_rule(dy, v); }),
       {x},
       {},
       "ratio    -1"},
      {"factor 2",
       "numeric",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return 2 * tanh_rule(dy, v); }),
       {x},
       {},
       "factor 2"},
      {"transposed matmul gradient",
       "numeric",
       of(planted([](const Tensor& a, const Tensor& b) { return mm(a, b); },
                  [](const Tensor& dy, const Tensor&, const Tensor& b) { return t(mm(dy, t(b))); },
                  [](const Tensor& dy, const Tensor& a, const Tensor&) { return mm(t(a), dy); })),
       {leaf({3, 3}), leaf({3, 3})},
       {},
       "transposed"},
      {"one of 1000 elements off by 0.5",
       "numeric",
       wrong_tanh(
           [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) + changed(zeros_like(v), 777, 0.5) * dy; }),
       {leaf({1000})},
       {},
       "in0[777]"},
      {"one of 10,000 elements off by 1e-2",
       "numeric",
       wrong_tanh([](const Tensor& dy, const Tensor& v) {
         return tanh_rule(dy, v) + changed(zeros_like(v), 4321, 1e-2) * dy;
       }),
       {leaf({100, 100})},
       {},
       "in0[43,21]"},
      {"relative error 9e-4",
       "numeric",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (1 + 9e-4); }),
       {x}},
      {"float constant",
       "numeric",
       of(planted([](const Tensor& v) { return v * 0.1; },
                  [](const Tensor& dy, const Tensor&) { return dy * static_cast<double>(0.1f); })),
       {x},
       {},
       "float32 constant"},
      {"gradient 0 for 5e-6 x",
       "numeric",
       of(planted([](const Tensor& v) { return v * 5e-6; }, [](const Tensor& dy, const Tensor&) { return dy * 0; })),
       {x}},
      {"straight through by accident",
       "numeric",
       of(planted([](const Tensor& v) { return sign(v); }, [](const Tensor& dy, const Tensor&) { return dy * 1.0; })),
       {x}},
      {"NaN at a masked element",
       "numeric",
       of([](const Tensor& v) { return where(v > 0, tapegrad::sqrt(v), 0.0); }),
       {leaf_at({1, -1, 2})},
       {},
       "sqrt makes the inf"},
      {"sum over the wrong dim of a square",
       "numeric",
       of(planted(
           [](const Tensor& v) {
             return expand(v, {4, 4}) * 1.0;
           },
           [](const Tensor& dy, const Tensor&) { return sum(dy, 1); })),
       {leaf({4})}},
      {"mean by the wrong count",
       "numeric",
       of(planted([](const Tensor& v) { return mean(v, 0); },
                  [](const Tensor& dy, const Tensor& v) { return expand(unsqueeze(dy, 0), v.sizes()) / v.size(1); })),
       {leaf({5, 2})},
       {},
       "factor 2.5"},
      {"second output's gradient dropped", "numeric", of([](const Tensors& in) { return apply(Two{}, in[0]); }), {x}},
      {"pooled gradient to the wrong index",
       "numeric",
       of(planted(pooled,
                  [](const Tensor& dy, const Tensor& v) {
                    const Tensor first = unsqueeze(dy, 1) * tensor({1, 0}, kFloat64);
                    return reshape(first, v.sizes());
                  })),
       {leaf_at({0.1, 0.9, 0.8, 0.3, -0.5, 0.2})}},
      {"outside the subgradient at a kink",
       "numeric",
       of(planted([](const Tensor& v) { return tapegrad::abs(v); },
                  [](const Tensor& dy, const Tensor& v) { return dy * where(v == 0, full_like(v, 2), sign(v)); })),
       {leaf_at({0, 1})}},
  };
}

std::vector<PlantedError> at_odds_with_itself() {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  static Tensor state;
  return {
      {"wrong when only one input requires grad",
       "subset",
       wrong_product(
           [](const Tensor& dy, const Tensor&, const Tensor& b) { return dy * b * (autograd::needs(1) ? 1 : 2); }),
       {leaf({3}), leaf({3})}},
      {"wrong when inputs alias",
       "aliasing",
       wrong_product([](const Tensor& dy, const Tensor& a, const Tensor& b) {
         return a.data_ptr() == b.data_ptr() ? dy * b * 2 : dy * b;
       }),
       {leaf({3}), leaf({3})}},
      {"overwrites the cotangent",
       "cotangent",
       wrong_tanh([](const Tensor& dy, const Tensor& v) {
         const NoGradGuard no_grad;
         const Tensor g = tanh_rule(dy, v);
         dy.mul_(0.5);
         return g;
       }),
       {x}},
      {"ignores the strides of the cotangent",
       "cotangent layout",
       wrong_tanh([](const Tensor& dy, const Tensor& v) {
         if (dy.stride(0) == 0 || dy.stride(1) == 0) return tanh_rule(dy, v);  // stay inside
         return tanh_rule(clone(flat_memory_of(dy)), v);
       }),
       {leaf({2, 2})},
       {},
       "transposed cotangent"},
      {"wrong for an expanded cotangent",
       "cotangent layout",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (dy.stride(0) == 0 ? 3 : 1); }),
       {x}},
      {"|g| for g",
       "linearity",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(tapegrad::abs(dy), v); }),
       {x}},
      {"g*g for g",
       "linearity",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(dy * dy, v); }),
       {x}},
      {"clamped g for g",
       "linearity",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(clamp(dy, -2, 2), v); }),
       {x}},
      {"state kept in the op object",
       "two forwards",
       of(planted(
           [](const Tensor& v) {
             state = clone(v.detach());
             return square(v);
           },
           [](const Tensor& dy, const Tensor&) { return dy * state * 2; })),
       {x}},
      {"saves without version check", "mutation", of([](const Tensor& v) { return apply(Unchecked{}, v); }), {x}},
  };
}

std::vector<PlantedError> of_orders_dtypes_and_memory() {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  return {
      {"detached backward",
       "second order",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return dy * (1 - square(tapegrad::tanh(v.detach()))); }),
       {x},
       {.order = 2}},
      {"second derivative by the cotangent lost",
       "second order",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return tanh_rule(dy.detach(), v); }),
       {x},
       {.order = 2},
       "w0"},
      {"float32 kernel wrong and float64 right",
       "float32",
       wrong_tanh(
           [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (v.dtype() == kFloat32 ? 1.001 : 1); }),
       {leaf({3, 4}, 0.2, 1.2, kFloat32)}},
      {"reads storage order",
       "input layout",
       of(planted([](const Tensor& v) { return tapegrad::tanh(flat_memory_of(v)); }, tanh_rule)),
       {x}},
      {"ignores the offset",
       "input layout",
       of(planted(
           [](const Tensor& v) { return tapegrad::tanh(clone(alias(v, v.sizes(), v.strides(), -v.storage_offset()))); },
           tanh_rule)),
       {x}},
      {"forward modifies its input",
       "forward",
       of([](const Tensor& v) {
         const NoGradGuard no_grad;
         v.mul_(2);
         return v * 1;
       }),
       {x}},
      {"gradient of the wrong dtype",
       "backward throws",
       wrong_tanh([](const Tensor& dy, const Tensor& v) { return to(tanh_rule(dy, v), kFloat32); }),
       {x}},
  };
}

bool found_by(const GradcheckReport& report, const std::string& check) {
  for (const GradcheckFinding& finding : report.findings) {
    if (finding.check == check) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("gradcheck catches every planted error", "[gradcheck]") {
  int total = 0, caught = 0;
  for (const auto& family : {wrong_values(), at_odds_with_itself(), of_orders_dtypes_and_memory()}) {
    for (const PlantedError& error : family) {
      const GradcheckReport report = gradcheck_report(error.f, error.in, error.options);
      const bool found = found_by(report, error.check) && report.text().find(error.says) != std::string::npos;
      ++total, caught += found;
      INFO(error.name << ": no finding of \"" << error.check << "\" that says \"" << error.says << "\"\n"
                      << report.text());
      CHECK(found);
    }
  }
  std::printf("gradcheck: %d of %d planted errors caught\n", caught, total);
  CHECK(total == 32);
  CHECK(caught == 32);
}

TEST_CASE("gradcheck finds nothing in the same functions with nothing planted", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  accepted(wrong_tanh(tanh_rule), {x}, {.order = 2});
  accepted(wrong_product([](const Tensor& dy, const Tensor&, const Tensor& b) { return dy * b; }),
           {leaf({3}), leaf({3})}, {.order = 2});
  accepted(wrong_tanh(tanh_rule), {leaf({3, 4}, 0.2, 1.2, kFloat32)});
  accepted(of(planted(pooled,
                      [](const Tensor& dy, const Tensor& v) {
                        const Tensor y = unsqueeze(pooled(v), 1);
                        const Tensor w = to(eq(reshape(v, {y.size(0), 2}), y), kFloat64);
                        return reshape(unsqueeze(dy, 1) * w, v.sizes());
                      })),
           {leaf_at({0.1, 0.9, 0.8, 0.3, -0.5, 0.2})});
}

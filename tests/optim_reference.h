// Runs an optimizer beside a reference written out for one number.
#pragma once

#include <vector>

#include "catch.h"
#include "tapegrad/tapegrad.h"

namespace optim_reference {

using namespace tapegrad;

// Ten steps on the parameter with fresh gradients, beside the reference on every element.
template <class Optimizer, class Reference, class Options>
void compare(const Tensor& start, const Options& options, double tolerance) {
  Tensor p = start.detach();
  p.requires_grad_();
  Optimizer optimizer({p}, options);
  std::vector<Reference> references(static_cast<size_t>(p.numel()), Reference{options});
  std::vector<double> expected;
  const auto values = [](const Tensor& t) { return t.detach().to(kFloat64).clone().reshape({-1}); };
  const Tensor first = values(p);
  for (int64_t i = 0; i < p.numel(); ++i) expected.push_back(first[i].item<double>());
  for (int step = 0; step < 10; ++step) {
    const Tensor w = randn(p.sizes(), p.dtype());
    optimizer.zero_grad();
    (p * w).sum().backward();
    optimizer.step();
    const Tensor g = values(w), now = values(p);
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      expected[i] = references[i](expected[i], g[at].template item<double>());
      REQUIRE(now[at].template item<double>() == Approx(expected[i]).epsilon(tolerance).margin(tolerance));
    }
  }
}

template <class Optimizer, class Reference, class Options> void compare_layouts(const Options& options) {
  manual_seed(11);
  for (const DType dtype : {kFloat32, kFloat64}) {
    const double tolerance = dtype == kFloat32 ? 2e-5 : 1e-13;
    compare<Optimizer, Reference>(randn({3, 5}, dtype), options, tolerance);
    compare<Optimizer, Reference>(randn({37}, dtype), options, tolerance);
    compare<Optimizer, Reference>(randn({}, dtype), options, tolerance);
    compare<Optimizer, Reference>(randn({5, 3}, dtype).t(), options, tolerance);
    compare<Optimizer, Reference>(randn({4, 6}, dtype).slice(1, 0, 6, 2), options, tolerance);
  }
}

inline Tensor leaf(const Tensor& values) { return values.detach().clone().requires_grad_(); }

}  // namespace optim_reference

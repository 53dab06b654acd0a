// Every row of the table of operations under the transformations: forward mode against two sweeps, at first and at second
// order (which pushes tangents through the rules themselves), and the gradients of a checkpoint.
#include <cmath>

#include "message.h"
#include "op_cases.h"

using namespace tapegrad;
using namespace op_cases;
using autograd::ForwardMode;

namespace {

// One case as a function of what it is differentiated by.
struct Differentiable {
  const Case& c;
  Tensors all, x;

  explicit Differentiable(const Case& from) : c(from), all(sample(from, kFloat64, 7)) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (c.args[i].differentiable()) x.push_back(all[i]);
    }
  }
  Tensor operator()(const Tensors& in) const {
    manual_seed(5);  // operations that draw are functions of a seed
    Tensors args = all;
    for (size_t i = 0, next = 0; i < args.size(); ++i) {
      if (c.args[i].differentiable()) args[i] = in[next++];
    }
    return c.f(args);
  }
};

Tensors directions(const Tensors& like, uint64_t seed) {
  Generator generator(seed);
  Tensors v;
  for (const Tensor& t : like) v.push_back(randn(t.sizes(), generator, kFloat64));
  return v;
}

void check_near(const char* what, const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(what, i);
    REQUIRE(a[i].sizes() == b[i].sizes());
    const Array got = values_of(a[i]);
    const Array expected = values_of(b[i]);
    double size = 1;
    for (const double e : expected.v) size = std::isfinite(e) ? std::max(size, std::abs(e)) : size;
    double off = 0;
    for (int64_t k = 0; k < got.numel(); ++k) {
      const bool same = got[k] == expected[k] || (std::isnan(got[k]) && std::isnan(expected[k]));
      if (!same) off = std::max(off, std::isnan(got[k] - expected[k]) ? INFINITY : std::abs(got[k] - expected[k]));
    }
    CHECK(off <= 1e-11 * size);
  }
}

void check_case(const Case& c) {
  const Differentiable f(c);
  if (f.x.empty()) return;
  const Tensor y = f(f.x);
  if (!y.is_floating_point()) return;
  const Tensors v = directions(f.x, 1);
  const Tensor w = directions({y}, 2)[0];

  const auto first = [&](ForwardMode mode) { return autograd::jvp(f, f.x, v, {.mode = mode}).second; };
  check_near("jvp by tangents and by two sweeps", first(ForwardMode::tangents), first(ForwardMode::double_backward));

  const auto plain = autograd::vjp(f, f.x, {w}).second;
  const auto kept = autograd::vjp([&](const Tensors& in) { return autograd::checkpoint(f, in); }, f.x, {w}).second;
  for (size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(i);
    CHECK(equal(isnan(plain[i]), isnan(kept[i])));
    CHECK(equal(nan_to_num(plain[i]), nan_to_num(kept[i])));
  }
  if (c.order < 2) return;
  const auto loss = [&](const Tensors& in) {
    const Tensor t = f(in);
    return sum(w * t * (1 + 0.25 * t));
  };
  const auto second = [&](ForwardMode mode) { return autograd::hvp(loss, f.x, v, {.mode = mode}).second; };
  const Tensors product = second(ForwardMode::tangents);
  check_near("hvp by tangents and by two sweeps", product, second(ForwardMode::double_backward));
  check_near("hvp and vhp", product, autograd::vhp(loss, f.x, v).second);
  const auto through = [&](const Tensors& in) { return autograd::checkpoint(loss, in); };
  check_near("hvp through a checkpoint", autograd::hvp(through, f.x, v).second, product);
  check_near("vhp through a checkpoint", autograd::vhp(through, f.x, v).second, product);
}

}  // namespace

TEST_CASE("ops: transformations of every row", "[ops][transform]") {
  for (const Row& row : table()) {
    for (const Case& c : row.cases) {
      if (c.order < 1) continue;
      CAPTURE(row.name, c.label);
      try {
        check_case(c);
      } catch (const Error& e) { FAIL_CHECK(e.what()); }
    }
  }
}

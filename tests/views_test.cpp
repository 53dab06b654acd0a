// Views and in-place writes on the tape: through views of views, beside siblings, onto aliases; and what is refused.
#include "leaf.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

const TensorData kMatrix{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};

}  // namespace

TEST_CASE("writing one element of a recorded tensor", "[views]") {
  const Tensor x = leaf(kMatrix);
  Tensor y = x * 2;
  y[0][1] = 3;
  CHECK(equal(y.detach(), values({{2.0, 3.0, 6.0}, {8.0, 10.0, 12.0}})));
  CHECK(equal(gradient(y, x), values({{2.0, 0.0, 6.0}, {8.0, 10.0, 12.0}})));
  const Tensor v = leaf(7.0);
  y[1] = v * x[0];
  CHECK(equal(y[1].detach(), values({7.0, 14.0, 21.0})));
  CHECK(equal(gradient(y, x), values({{2.0 + 4 * 7, 5.0 * 7, 6.0 + 6 * 7}, {0.0, 0.0, 0.0}})));
  CHECK(gradient(y, v).item<double>() == 4 * 1 + 5 * 2 + 6 * 3);
}

TEST_CASE("writing through a view of a view", "[views]") {
  const Tensor x = leaf(kMatrix);
  const Tensor y = x * 1;
  const Tensor column = y.t()[2];
  column.mul_(10);
  CHECK(equal(y.detach(), values({{1.0, 2.0, 30.0}, {4.0, 5.0, 60.0}})));
  CHECK(equal(gradient(y, x), values({{1.0, 2.0, 30.0}, {4.0, 5.0, 60.0}})));
  CHECK(equal(gradient(column, x), values({{0.0, 0.0, 10.0}, {0.0, 0.0, 20.0}})));
  y.slice(1, 0, 2).add_(y.slice(1, 1, 3));  // operands of the same memory
  CHECK(equal(y.detach(), values({{3.0, 32.0, 30.0}, {9.0, 65.0, 60.0}})));
  CHECK(equal(gradient(y, x), values({{1.0, 1 + 2.0, 20.0 + 30}, {4.0, 4 + 5.0, 50.0 + 60}})));
}

TEST_CASE("siblings and older views see a write", "[views]") {
  const Tensor x = leaf({1.0, 2.0, 3.0, 4.0});
  const Tensor y = x * 1;
  const Tensor left = y.slice(0, 0, 3), right = y.slice(0, 1, 4), row = y.view({2, 2});
  right.mul_(5);
  CHECK(equal(gradient(left, x), values({1.0, 10.0, 15.0, 0.0})));
  y.mul_(2);  // the base, then views taken before
  CHECK(equal(gradient(left, x), values({2.0, 20.0, 30.0, 0.0})));
  CHECK(equal(gradient(row, x), values({2.0, 20.0, 30.0, 40.0})));
  CHECK(equal(gradient(right, x), values({0.0, 10.0, 20.0, 30.0})));
  const Tensor untouched = values({1.0, 2.0});
  const Tensor part = untouched[0];
  untouched.mul_(leaf({3.0, 4.0}));  // a base that had no history
  CHECK(part.requires_grad());
}

TEST_CASE("in-place forms keep the gradient right", "[views]") {
  const Tensor x = leaf({0.5, 2.0});
  Tensor y = x * 3;
  y.add_(1).mul_(x).sub_(x, 2).div_(4).neg_();
  const Tensor expected = autograd::grad({sum(-((x * 3 + 1) * x - 2 * x) / 4)}, {x})[0];
  CHECK(allclose(autograd::grad({sum(y)}, {x})[0], expected));
  y = x * 1;
  y.zero_();
  CHECK(equal(autograd::grad({sum(y + x)}, {x})[0], values({1.0, 1.0})));
  y = x * 1;
  const Tensor src = leaf(4.0);
  y.copy_(src);
  CHECK(autograd::grad({sum(y)}, {src}, {}, true)[0].item<double>() == 2);
}

TEST_CASE("operands that are the tensor written to", "[views]") {
  const int64_t nodes = autograd::live_nodes();
  const int64_t bytes = allocator_stats().allocated_bytes;
  {
    const Tensor x = leaf({2.0, 3.0});
    Tensor y = x * 1;
    y.mul_(y);
    y.add_(y);
    y.sub_(y.t());
    y.add_(x);
    CHECK(equal(y.detach(), values({2.0, 3.0})));
    CHECK(equal(gradient(y, x), values({1.0, 2.0})));
    Tensor z = x * 1;
    z[0] = z[1] + z[0];
    z.select(0, 1).add_(z[0]);
    CHECK(equal(z.detach(), values({5.0, 8.0})));
    CHECK(equal(gradient(z, x), values({1.0 + 2, 1.0 + 2 * 2})));
    z[0] = z[1] * z[0];  // overwrites what the product has saved
    CHECK_THROWS_AS(gradient(z, x), AutogradError);
    Tensor held = x * 1;
    held.mul_(held.view({2}));  // and never swept
  }
  CHECK(autograd::live_nodes() == nodes);
  CHECK(allocator_stats().allocated_bytes == bytes);
}

TEST_CASE("what must not be written in place", "[views]") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK_THAT(message_of<AutogradError>([&] { x.add_(1); }),
             Contains("add_: a leaf that requires grad must not be written in place, shape [2]"));
  CHECK_THAT(message_of<AutogradError>([&] { x[0] = 1; }), Contains("a view of a leaf that requires grad"));
  {
    const NoGradGuard no_grad;
    x.add_(1);
    x[0] = 7;
  }
  CHECK(equal(x.detach(), values({7.0, 3.0})));
  CHECK_THAT(message_of<AutogradError>([&] {
               expand(x * 1, {3, 2}).mul_(2);
             }),
             Contains("several elements of the tensor share memory"));
  const Tensor base = x * 1;
  const Tensor part = [&] {
    const NoGradGuard no_grad;
    return base[0];
  }();
  CHECK_THAT(message_of<AutogradError>([&] { part.mul_(x[0]); }), Contains("a view taken while recording was off"));
  CHECK_THROWS_AS(base.add_(ones({3, 2}, kFloat64)), ShapeError);
  CHECK_THROWS_AS(arange(3).add_(0.5), DTypeError);
  CHECK(base.version() == 0);
}

TEST_CASE("x.detach() and version counters", "[views]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor v = x * 1;
  const Tensor y = square(v);
  v.detach().zero_();  // detached memory is still the saved memory
  CHECK_THROWS_AS(sum(y).backward(), AutogradError);
  CHECK(v.version() == 1);
  CHECK(v[0].version() == 1);
}

TEST_CASE("a view taken while recording was off has no history, and says so after a recorded write", "[views]") {
  const Tensor w = leaf({3.0, 4.0});
  const auto unrecorded = [](const Tensor& x) {
    const NoGradGuard no_grad;
    return x[0];
  };
  const Tensor p = leaf({1.0, 2.0});
  const Tensor of_leaf = unrecorded(p);
  {
    const NoGradGuard no_grad;
    p.sub_(0.5);
  }
  CHECK_FALSE(of_leaf.requires_grad());  // an update of the leaf leaves it out of the graph
  CHECK_FALSE((of_leaf * 2).requires_grad());
  CHECK(of_leaf.item<double>() == 0.5);
  const Tensor base = values({1.0, 2.0});
  const Tensor part = unrecorded(base), inner = part.view({1});
  base.mul_(2);  // no history yet
  CHECK_FALSE(part.requires_grad());
  base.mul_(w);
  const std::string expected =
      ": a view taken while recording was off, or returned by a user-defined function, must not be used after its "
      "memory was written with recording on, shape []";
  CHECK_THAT(message_of<AutogradError>([&] { part * 2; }), Contains("mul" + expected));
  CHECK_THAT(message_of<AutogradError>([&] { part.requires_grad(); }), Contains("view" + expected));
  CHECK_THROWS_AS(inner.add_(1), AutogradError);
  CHECK_THAT(to_string(part), Contains("grad_fn=<Invalid>"));  // printing works all the same
  CHECK(unrecorded(base).requires_grad() == false);            // taken after the write
  base[1].mul_(w[0]);                                          // a write through another view
  CHECK_THROWS_AS(part.grad_fn(), AutogradError);
  const NoGradGuard no_grad;
  CHECK((part * 2).item<double>() == 12);
  CHECK(part.detach().item<double>() == 6);
}

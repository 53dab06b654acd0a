// Products at their edges: inputs that must not be read, distances of 0, the methods.
#include <cmath>
#include <limits>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST_CASE("addmm does not read its input for beta = 0") {
  const Tensor nothing = full({4}, std::nan(""));
  const Tensor a = rand({3, 5}), b = rand({5, 4});
  CHECK(equal(addmm(nothing, a, b, 0), mm(a, b)));
  CHECK(allclose(addmm(nothing, a, b, 0, 2), mm(a, b) * 2));
  CHECK(allclose(baddbmm(nothing, unsqueeze(a, 0), unsqueeze(b, 0), 0, 2)[0], mm(a, b) * 2));
  Tensor y = full({3, 4}, std::nan(""));
  y.addmm_(a, b, 0);
  CHECK(equal(y, mm(a, b)));
}

TEST_CASE("addmm_ writes into views and into what it reads") {
  const Tensor a = rand({3, 3}), b = rand({3, 3});
  const Tensor wide = zeros({3, 6});
  const Tensor part = slice(wide, 1, 0, 6, 2);
  part.addmm_(a, b);
  CHECK(allclose(part, mm(a, b)));
  CHECK(sum(slice(wide, 1, 1, 6, 2)).item<double>() == 0);
  const Tensor x = a.clone();
  x.addmm_(x, x, 2, 3);
  CHECK(allclose(x, a * 2 + mm(a, a) * 3));
  Tensor leaf = rand({3, 3}, requires_grad());
  Tensor z = leaf * 1;
  z.addmm_(leaf, b, 2);
  sum(z).backward();
  CHECK(allclose(leaf.grad(), full({3, 3}, 2.0) + mm(ones({3, 3}), b.t())));
}

TEST_CASE("gradients of cdist are 0 where the distance is") {
  for (const double p : {0., 0.5, 1., 1.5, 2., 3., std::numeric_limits<double>::infinity()}) {
    CAPTURE(p);
    const Tensor x = tensor({{1., 2.}, {1., 2.}, {4., 6.}}, dtype(kFloat64).requires_grad(true));
    const Tensor y = cdist(x, x, p);
    for (int64_t i = 0; i < 3; ++i) CHECK(y[i][i].item<double>() == 0);
    CHECK(y[0][1].item<double>() == 0);
    const Tensor g = autograd::grad({sum(y * y)}, {x}, {}, true, true)[0];
    CHECK(isfinite(g).all().item<bool>());
    if (p > 0) CHECK(isfinite(autograd::grad({sum(g * g)}, {x}, {}, true, false, true)[0]).all().item<bool>());
    // Two equal rows do not pull at each other, and both pull the third.
    CHECK(allclose(g[0], g[1]));
    CHECK(allclose(sum(g, 0), zeros({2}, kFloat64)));
  }
  CHECK(cdist(tensor({{0., 0.}}), tensor({{3., 4.}})).item<double>() == 5);
}

TEST_CASE("the products are methods") {
  const Tensor a = rand({3, 3}), v = rand({3});
  CHECK(equal(v.addmm(a, a), addmm(v, a, a)));
  CHECK(equal(a.mv(v), mv(a, v)));
  CHECK(equal(v.dot(v), dot(v, v)));
  CHECK(equal(v.outer(v), outer(v, v)));
  CHECK(equal(v.baddbmm(a.unsqueeze(0), a.unsqueeze(0)), addmm(v, a, a).unsqueeze(0)));
}

TEST_CASE("einsum: the diagonal is a view, and integers keep their dtype") {
  const Tensor x = zeros({3, 3});
  einsum("ii->i", {x}).fill_(1);
  CHECK(equal(x, eye(3)));
  const Tensor y = einsum("ij,jk", {ones({2, 3}, kInt32), ones({3, 2}, kInt32)});
  CHECK(y.dtype() == kInt32);
  CHECK((y == 3).all().item<bool>());
}

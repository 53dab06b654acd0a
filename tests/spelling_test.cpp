// Spellings that a PyTorch user types without thinking: they compile, and mean the same.
#include <cmath>
#include <sstream>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using namespace tapegrad::indexing;

TEST_CASE("a number on the left of a comparison", "[spelling]") {
  const Tensor x = tensor({1, 2, 3});
  CHECK(equal(2 < x, x > 2));
  CHECK(equal(2 <= x, x >= 2));
  CHECK(equal(2 > x, x < 2));
  CHECK(equal(2 >= x, x <= 2));
  CHECK(equal(2 == x, tensor({false, true, false})));
  CHECK(equal(2.0 != x, tensor({true, false, true})));
  CHECK(equal(x == 2, 2 == x));
  CHECK(equal(x != x, tensor({false, false, false})));
}

TEST_CASE("where of two numbers", "[spelling]") {
  const Tensor m = tensor({true, false});
  CHECK(equal(where(m, 1, 0), tensor({1, 0})));
  CHECK(equal(where(m, 1.0, 0.0), tensor({1., 0.})));
  CHECK(equal(where(m, 1, 0.5), tensor({1., 0.5})));
  CHECK(equal(where(m, false, true), tensor({false, true})));
  CHECK(equal(tensor({7, 8}).where(m, 0), tensor({7, 0})));
}

TEST_CASE("masks are combined by operators", "[spelling]") {
  const Tensor m = tensor({true, true, false, false}), n = tensor({true, false, true, false});
  CHECK(equal(~m, tensor({false, false, true, true})));
  CHECK(equal(m & n, tensor({true, false, false, false})));
  CHECK(equal(m | n, tensor({true, true, true, false})));
  CHECK(equal(m ^ n, tensor({false, true, true, false})));
  CHECK(equal(m.logical_or(n), m | n));
  CHECK(equal(m.logical_xor(n), m ^ n));
  CHECK(equal(maximum(m, n), m | n));
  CHECK(equal(minimum(m, n), m & n));
  CHECK(equal(sign(m), m));
}

TEST_CASE("index and index_put_ by lists, numbers and sums", "[spelling]") {
  const Tensor x = arange(6).view({2, 3});
  const std::vector<TensorIndex> list{1, Slice(None, 2)};
  CHECK(equal(x.index(list), tensor({3, 4})));
  CHECK(equal(index(x, list), tensor({3, 4})));
  Tensor y = x.clone();
  index_put_(y, {0, 1}, 9);
  y.index_put_(list, -1);
  y.index_put_(std::vector<TensorIndex>{0, 0}, tensor(5));
  CHECK(equal(y, tensor({{5, 9, 2}, {-1, -1, 5}})));
  y.index_put_({tensor({0, 0}), tensor({2, 2})}, tensor({1, 10}), true);
  y.index_put_({1}, 100, true);
  CHECK(equal(y, tensor({{5, 9, 13}, {99, 99, 105}})));
  CHECK(equal(tensor({false, false}).index_put_({tensor({1, 1})}, true, true), tensor({false, true})));
}

TEST_CASE("a 0-dim mask takes all or nothing", "[spelling]") {
  const Tensor x = ones({2, 3});
  CHECK(x.index({x.sum() > 1}).sizes().vec() == std::vector<int64_t>{1, 2, 3});
  CHECK(x.index({x.sum() > 9}).sizes().vec() == std::vector<int64_t>{0, 2, 3});
  CHECK(x.index({0, x.sum() > 9, Slice(1, None)}).sizes().vec() == std::vector<int64_t>{0, 2});
  Tensor y = x.clone();
  y.index_put_({x.sum() > 9}, 5);
  CHECK(equal(y, x));
  y.index_put_({x.sum() > 1}, 5);
  CHECK(equal(y, x * 5));
}

TEST_CASE("clamp by tensors and by one bound", "[spelling]") {
  const Tensor x = tensor({-2., 0.5, 3.});
  const Tensor low = tensor({-1., 1., 0.}), high = tensor({0., 2., 1.});
  CHECK(equal(clamp(x, low, high), tensor({-1., 1., 1.})));
  CHECK(equal(x.clamp(low), tensor({-1., 1., 3.})));
  CHECK(equal(x.clamp({}, high), tensor({-2., 0.5, 1.})));
  CHECK(equal(x.clamp(low, high), clamp(x, low, high)));
  CHECK(equal(x.clamp({}, 1.0), tensor({-2., 0.5, 1.})));
  CHECK(equal(x.clamp(-1, 1), tensor({-1., 0.5, 1.})));
  CHECK(equal(x.clamp_min(0), x.clamp(0)));
  CHECK(equal(x.clamp_min(low), x.clamp(low)));
  CHECK(equal(x.clamp_max(0), x.clamp({}, 0)));
  CHECK(equal(x.clamp_max(high), x.clamp({}, high)));
  CHECK(clamp(tensor({1, 2}, kUInt8), tensor({2, 2}), tensor({9, 9})).dtype() == kInt64);
  CHECK(clamp(x, tensor({NAN, 0., 0.})).isnan()[0].item<bool>());
}

TEST_CASE("the dtype of a sum and of a mean", "[spelling]") {
  const Tensor x = ones({2, 3}), i = arange(4);
  CHECK(x.sum(kFloat64).dtype() == kFloat64);
  CHECK(sum(x, {1}, true, kFloat64).sizes().vec() == std::vector<int64_t>{2, 1});
  CHECK(i.mean(kFloat32).item<float>() == 1.5f);
  CHECK(i.mean({0}, false, kFloat64).dtype() == kFloat64);
  CHECK(i.sum(kInt32).dtype() == kInt32);
  CHECK(full({200}, 200, kUInt8).sum(kInt32).item<int>() == 40000);
  CHECK(tensor({1.6, 1.6}).sum(kInt64).item<int>() == 2);
  CHECK(full({2}, 3e38).sum(kFloat64).item<double>() > 5e38);
  CHECK(message_of<DTypeError>([&] { i.mean(kInt64); }) == "mean: dtype must be float32 or float64, got int64");
  Tensor w = ones({2}, requires_grad());
  w.sum(kFloat64).backward();
  CHECK(equal(w.grad(), ones({2})));
}

TEST_CASE("shapes print, tensors take the dtype and shape of others", "[spelling]") {
  std::ostringstream out;
  const Tensor x = ones({2, 3});
  out << x.sizes() << x.strides() << IntArrayRef({7}) << ones({}).sizes();
  CHECK(out.str() == "[2, 3][3, 1][7][]");
  CHECK(x.to(tensor(1, kFloat64)).dtype() == kFloat64);
  CHECK(x.view_as(ones({3, 2})).sizes().vec() == std::vector<int64_t>{3, 2});
  CHECK(ones({1, 2, 1, 1}).squeeze({0, 2}).sizes().vec() == std::vector<int64_t>{2, 1});
  CHECK(ones({1, 2, 1}).squeeze({0}).sizes().vec() == std::vector<int64_t>{2, 1});
  CHECK(x.const_data_ptr<float>() == x.data_ptr<float>());
  CHECK(x.const_data_ptr() == x.data_ptr());
}

TEST_CASE("random integers like another tensor, slopes and signs in place", "[spelling]") {
  const Tensor i = zeros({100}, kInt32);
  const Tensor a = randint_like(i, 5), b = randint_like(i, 3, 5, kFloat64);
  CHECK((a.dtype() == kInt32 && a.min().item<int>() >= 0 && a.max().item<int>() <= 4));
  CHECK((b.dtype() == kFloat64 && b.min().item<int>() == 3 && b.max().item<int>() == 4));
  const Tensor x = tensor({-2., 0., 4.});
  CHECK(equal(x.leaky_relu(0.5), tensor({-1., 0., 4.})));
  CHECK(equal(x.clone().leaky_relu_(), leaky_relu(x)));
  CHECK(equal(x.clone().sign_(), tensor({-1., 0., 1.})));
}

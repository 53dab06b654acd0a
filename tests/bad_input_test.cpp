// Every kind of bad input gives an error of its documented type, names what is wrong, and leaves tensors as they were.
#include <limits>
#include <string>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

void check_holds(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    INFO("message: " << message << "\nmissing: " << part);
    CHECK(message.find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("shapes that do not fit name the op and both shapes") {
  const Tensor a = ones({2, 3}), b = ones({4, 5});
  check_holds(message_of<ShapeError>([&] { a + b; }), {"add", "[2, 3]", "[4, 5]"});
  check_holds(message_of<ShapeError>([&] { mm(a, b); }), {"mm", "[2, 3]", "[4, 5]"});
  check_holds(message_of<ShapeError>([&] { matmul(a, ones({5, 3})); }), {"matmul", "did you mean b.t()?"});
  check_holds(message_of<ShapeError>([&] {
                bmm(ones({2, 3, 4}), ones({3, 4, 5}));
              }),
              {"bmm", "[2, 3, 4]", "[3, 4, 5]"});
  check_holds(message_of<ShapeError>([&] { linear(a, ones({4, 5})); }), {"linear", "[2, 3]", "[4, 5]"});
  check_holds(message_of<ShapeError>([&] { cat({a, ones({3, 4})}); }), {"cat", "[2, 3]", "[3, 4]"});
  check_holds(message_of<ShapeError>([&] { a.view({7}); }), {"view", "[7]", "[2, 3]"});
  check_holds(message_of<ShapeError>([&] { a.expand({2, 4}); }), {"expand", "[2, 4]", "[2, 3]"});
  check_holds(message_of<ShapeError>([&] { mse_loss(a, b); }), {"mse_loss", "[2, 3]", "[4, 5]"});
  CHECK_THROWS_AS(a.add_(b), ShapeError);
  CHECK(a.sum().item<float>() == 6);
}

TEST_CASE("dims out of range and named twice are IndexErrors") {
  const Tensor a = ones({2, 3});
  check_holds(message_of<IndexError>([&] { a.sum(2); }), {"sum", "2"});
  check_holds(message_of<IndexError>([&] { a.sum({0, -2}); }), {"sum", "twice"});
  check_holds(message_of<IndexError>([&] { a.transpose(0, 5); }), {"transpose", "5"});
  check_holds(message_of<IndexError>([&] { softmax(a, -3); }), {"softmax", "-3"});
  check_holds(message_of<IndexError>([&] { a.permute({0, 0}); }), {"permute", "twice"});
  check_holds(message_of<IndexError>([&] { a.size(2); }), {"size", "2"});
  check_holds(message_of<IndexError>([&] { a.select(0, 2); }), {"select", "[2, 3]", "2"});
  check_holds(message_of<IndexError>([&] { a.narrow(1, 2, 2); }), {"narrow", "2"});
}

TEST_CASE("sizes that overflow or are negative are ShapeErrors") {
  const int64_t huge = int64_t{1} << 40;
  check_holds(message_of<ShapeError>([&] { zeros({huge, huge}); }), {"zeros", "overflow"});
  check_holds(message_of<ShapeError>([&] { empty({std::numeric_limits<int64_t>::max(), 1}); }), {"empty", "overflow"});
  check_holds(message_of<ShapeError>([&] { ones({2, -1}); }), {"ones", "negative", "-1"});
  check_holds(message_of<ShapeError>([&] { zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}); }), {"at most 8"});
}

TEST_CASE("memory that the system does not have is an OutOfMemoryError") {
  const Tensor before = ones({4});
  check_holds(message_of<OutOfMemoryError>([] { empty({int64_t{1} << 50}); }), {"bytes"});
  CHECK(before.sum().item<float>() == 4);
}

TEST_CASE("integer tensors cannot require grad") {
  check_holds(message_of<DTypeError>([] { arange(3).requires_grad_(); }), {"requires_grad_", "int64"});
  check_holds(message_of<DTypeError>([] { ones({2}, dtype(kInt32).requires_grad(true)); }), {"ones", "int32"});
}

TEST_CASE("item() wants one element, data_ptr<T>() the tensor's type") {
  const Tensor a = ones({2, 3});
  check_holds(message_of<ValueError>([&] { (void)a.item<float>(); }), {"item", "6", "[2, 3]"});
  check_holds(message_of<ValueError>([&] { (void)zeros({0}).item<float>(); }), {"item", "0"});
  check_holds(message_of<DTypeError>([&] { (void)a.data_ptr<double>(); }), {"data_ptr", "float32", "float64"});
  check_holds(message_of<ShapeError>([&] { (void)a.accessor<float, 3>(); }), {"accessor", "[2, 3]"});
}

TEST_CASE("backward explains a missing gradient, a missing graph and a freed graph") {
  Tensor x = ones({2, 3}, requires_grad());
  check_holds(message_of<AutogradError>([&] { (x * 2).backward(); }), {"backward", "[2, 3]", "gradient"});
  check_holds(message_of<AutogradError>([&] { ones({2}).sum().backward(); }), {"backward", "no graph"});
  check_holds(message_of<ShapeError>([&] { (x * 2).backward(ones({3})); }), {"[3]", "[2, 3]"});
  check_holds(message_of<DTypeError>([&] { (x * 2).backward(ones({2, 3}, kFloat64)); }), {"float64", "float32"});
  CHECK_FALSE(x.grad().defined());
  const Tensor y = (x * x).sum();
  y.backward();
  check_holds(message_of<AutogradError>([&] { y.backward(); }), {"freed", "retain_graph"});
  CHECK(equal(x.grad(), full({2, 3}, 2.0)));
}

TEST_CASE("in-place writes to leaves and to saved tensors are caught") {
  Tensor x = ones({3}, requires_grad());
  check_holds(message_of<AutogradError>([&] { x.add_(1); }), {"add", "leaf"});
  check_holds(message_of<AutogradError>([&] { x[0] = 5; }), {"view of a leaf"});
  CHECK(equal(x, ones({3})));
  Tensor h = x * 2;
  const Tensor y = (h * h).sum();
  h.add_(1);
  check_holds(message_of<AutogradError>([&] { y.backward(); }), {"mul", "\"b\"", "version"});
  CHECK_FALSE(x.grad().defined());
  CHECK_THROWS_AS(ones({3, 1}).expand({3, 4}).mul_(2), AutogradError);
}

TEST_CASE("class indices and index tensors out of range are IndexErrors") {
  const Tensor x = zeros({2, 3});
  check_holds(message_of<IndexError>([&] { cross_entropy(x, tensor({0, 3})); }), {"cross_entropy", "3"});
  check_holds(message_of<IndexError>([&] { nll_loss(x, tensor({-1, 0})); }), {"nll_loss", "-1"});
  check_holds(message_of<IndexError>([&] { x.index({tensor({0, 2})}); }), {"index", "2"});
  check_holds(message_of<IndexError>([&] { x.index({0, 0, 0}); }), {"index", "[2, 3]"});
  check_holds(message_of<DTypeError>([&] { x.index({ones({2})}); }), {"index", "float32"});
  check_holds(message_of<IndexError>([&] { x.index({ones({3}, kBool)}); }), {"mask", "[3]"});
}

TEST_CASE("undefined tensors are named") {
  const Tensor none, a = ones({2});
  check_holds(message_of<ValueError>([&] { a + none; }), {"add", "undefined"});
  check_holds(message_of<ValueError>([&] { exp(none); }), {"exp", "undefined"});
  check_holds(message_of<ValueError>([&] { mm(none, a); }), {"mm", "undefined"});
  check_holds(message_of<ValueError>([&] { none.sum(); }), {"undefined"});
  check_holds(message_of<ValueError>([&] { (void)none.sizes(); }), {"undefined"});
  check_holds(message_of<ValueError>([&] { cat({a, none}); }), {"cat", "undefined"});
  check_holds(message_of<ValueError>([&] { none.backward(); }), {"undefined"});
}

TEST_CASE("dtypes that do not fit are DTypeErrors") {
  const Tensor i = arange(4), f = ones({4});
  check_holds(message_of<DTypeError>([&] { i.add_(0.5); }), {"add", "float32", "int64"});
  check_holds(message_of<DTypeError>([&] { mm(ones({2, 2}), ones({2, 2}, kFloat64)); }), {"mm", "float32", "float64"});
  check_holds(message_of<DTypeError>([&] { mm(ones({2, 2}, kInt64), ones({2, 2}, kInt64)); }), {"mm", "int64"});
  check_holds(message_of<DTypeError>([&] { i.mean(); }), {"mean", "int64"});
  check_holds(message_of<DTypeError>([&] { where(f, f, f); }), {"where", "bool"});
  check_holds(message_of<DTypeError>([&] { f.eq(1).neg(); }), {"neg", "bool"});
  check_holds(message_of<DTypeError>([&] { i.exp_(); }), {"exp", "int64"});
  CHECK(equal(i, arange(4)));
}

TEST_CASE("zero-size tensors work") {
  const Tensor x = zeros({0, 3}, requires_grad());
  CHECK(x.sum().item<float>() == 0);
  CHECK(mm(x, ones({3, 2})).sizes().vec() == std::vector<int64_t>{0, 2});
  CHECK(mm(ones({2, 0}), zeros({0, 4})).sum().item<float>() == 0);
  CHECK(cat({x, ones({2, 3})}).sizes().vec() == std::vector<int64_t>{2, 3});
  CHECK(softmax(x, 1).numel() == 0);
  (exp(x) * 2).sum().backward();
  CHECK(x.grad().sizes().vec() == std::vector<int64_t>{0, 3});
  CHECK_THROWS_AS(zeros({0}).max(), Error);
}

TEST_CASE("zero-size tensors with an expanded dim are written like any other") {
  const Tensor x = zeros({1, 3, 0}).expand({4, 3, 0});
  CHECK_FALSE(has_overlap(x));
  CHECK(has_overlap(zeros({1, 3}).expand({4, 3})));
  x.fill_(1);
  x.add_(1);
  x.zero_();
  x.index_put_({0}, 1);
  x.index_put_({tensor({0, 2})}, 1);
  x.uniform_();
  CHECK(x.version() == 6);
  const Tensor copy = zeros({1, 0}).expand({5, 0}).clone();
  CHECK(copy.strides().vec() == std::vector<int64_t>{1, 1});
  CHECK(zeros({1, 0, 3}).expand({5, 0, 3}).contiguous().zero_().mul_(2).numel() == 0);
  CHECK(ones_like(zeros({1, 0}).expand({5, 0})).strides().vec() == std::vector<int64_t>{1, 1});
}

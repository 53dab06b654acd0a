// Every kind of bad input gives an error of its documented type, names what is wrong, and leaves tensors as they were.
#include <cmath>
#include <functional>
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
  check_holds(message_of<IndexError>([&] {
                zeros({2, 0}).select(1, 0);
              }),
              {"select: there must be an element at dim 1 of shape [2, 0], got index 0"});
  check_holds(message_of<IndexError>([&] { a.narrow(1, 2, 2); }), {"narrow", "2"});
  check_holds(message_of<IndexError>([&] {
                stack({a, a}, 3);
              }),
              {"stack: the new dim of a 2-dim tensor must lie in [-3, 2], got 3"});
}

TEST_CASE("sizes that overflow or are negative are ShapeErrors") {
  const int64_t huge = int64_t{1} << 40;
  check_holds(message_of<ShapeError>([&] { zeros({huge, huge}); }), {"zeros", "overflow"});
  check_holds(message_of<ShapeError>([&] { empty({std::numeric_limits<int64_t>::max(), 1}); }), {"empty", "overflow"});
  check_holds(message_of<ShapeError>([&] { ones({2, -1}); }), {"ones", "negative", "-1"});
  check_holds(message_of<ShapeError>([&] { rand({-1}); }), {"rand: ", "negative"});
  check_holds(message_of<ShapeError>([&] { randn({-1}); }), {"randn: ", "negative"});
  check_holds(message_of<ShapeError>([&] { randint(3, {-1}); }), {"randint: ", "negative"});
}

TEST_CASE("a ninth dim is refused by the op that was asked for it") {
  const std::vector<int64_t> nine(9, 1);
  const Tensor eight = ones(std::vector<int64_t>(8, 1));
  float value = 1;
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"zeros", [&] { zeros(nine); }},
      {"empty", [&] { tapegrad::empty(nine); }},
      {"full", [&] { full(nine, 2); }},
      {"rand", [&] { rand(nine); }},
      {"view", [&] { eight.view(nine); }},
      {"reshape", [&] { eight.reshape(nine); }},
      {"expand", [&] { eight.expand(nine); }},
      {"unsqueeze", [&] { eight.unsqueeze(0); }},
      {"stack",
       [&] {
         stack({eight, eight});
       }},
      {"from_blob", [&] { from_blob(&value, nine); }},
      {"from_blob", [&] { from_blob(&value, nine, nine); }},
      {"from_blob", [&] { from_blob(&value, nine, [](void*) {}); }}};
  for (const auto& [op, call] : calls)
    CHECK(message_of<ShapeError>(call) == op + std::string(": at most 8 dimensions, got 9"));
}

TEST_CASE("memory that the system does not have is an OutOfMemoryError") {
  const Tensor before = ones({4});
  check_holds(message_of<OutOfMemoryError>([] { empty({int64_t{1} << 50}); }), {"bytes"});
  check_holds(message_of<OutOfMemoryError>([] { nn::Linear(1 << 30, 1 << 20); }),
              {"Linear: no memory for shape [1048576, 1073741824] of float32; ", "bytes"});
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
  check_holds(message_of<AutogradError>([&] { x.add_(1); }), {"add_: ", "leaf"});
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
  check_holds(message_of<ValueError>([&] { pow(a, none); }), {"pow: exponent"});
  check_holds(message_of<ValueError>([&] { none.add_(1); }), {"add_: x"});
  check_holds(message_of<ValueError>([&] { none.zero_(); }), {"zero_: x"});
  check_holds(message_of<ValueError>([&] { save_npy("never-written.npy", none); }), {"save_npy: x"});
  check_holds(message_of<ValueError>([&] { nn::init::xavier_uniform_(none); }), {"xavier_uniform_: t"});
  check_holds(message_of<ValueError>([&] { nn::init::kaiming_normal_(none); }), {"kaiming_normal_: t"});
  check_holds(message_of<ValueError>([&] { data::TensorDataset(none, a); }), {"TensorDataset: x"});
  check_holds(message_of<ValueError>([&] { data::TensorDataset(a, none); }), {"TensorDataset: y"});
  check_holds(message_of<ValueError>([&] { data::take_rows(none, {0}); }), {"take_rows: x"});
}

TEST_CASE("dtypes that do not fit are DTypeErrors") {
  const Tensor i = arange(4), f = ones({4});
  check_holds(message_of<DTypeError>([&] { i.add_(0.5); }), {"add", "float32", "int64"});
  check_holds(message_of<DTypeError>([&] { mm(ones({2, 2}), ones({2, 2}, kFloat64)); }), {"mm", "float32", "float64"});
  check_holds(message_of<DTypeError>([&] { mm(ones({2, 2}, kInt64), ones({2, 2}, kInt64)); }), {"mm", "int64"});
  check_holds(message_of<DTypeError>([&] { i.mean(); }), {"mean", "int64"});
  check_holds(message_of<DTypeError>([&] { where(f, f, f); }), {"where", "bool"});
  check_holds(message_of<DTypeError>([&] { f.eq(1).neg(); }), {"neg", "bool"});
  check_holds(message_of<DTypeError>([&] { i.exp_(); }), {"exp_: ", "int64"});
  check_holds(message_of<DTypeError>([&] { i.sub_(0.5); }), {"sub_: ", "int64"});
  CHECK(equal(i, arange(4)));
  CHECK(i.version() == 0);
  nn::Module module;
  check_holds(message_of<DTypeError>([&] { module.register_parameter("i", i); }),
              {"register_parameter: ", "\"i\"", "int64"});
  CHECK(module.register_parameter("i", i, false).defined());
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

TEST_CASE("rows that a data set does not have are named by the function asked") {
  const Tensor x = ones({3, 2});
  check_holds(message_of<IndexError>([&] { data::take_rows(x, {5}); }), {"take_rows: ", "[0, 3)", "5"});
  check_holds(message_of<IndexError>([&] { data::TensorDataset(x, x).get(3); }), {"TensorDataset: ", "[0, 3)", "3"});
}

TEST_CASE("a random fill that fails leaves the tensor as it was") {
  const Tensor i = ones({3}, kInt64), y = ones({3});
  check_holds(message_of<DTypeError>([&] { i.uniform_(); }), {"uniform_: ", "int64"});
  check_holds(message_of<DTypeError>([&] { i.normal_(); }), {"normal_: ", "int64"});
  check_holds(message_of<ValueError>([&] { y.uniform_(0, INFINITY); }), {"uniform_: ", "inf"});
  check_holds(message_of<ValueError>([&] { y.uniform_(1, 0); }), {"uniform_: "});
  check_holds(message_of<ValueError>([&] { y.normal_(0, -1); }), {"normal_: ", "-1"});
  check_holds(message_of<AutogradError>([&] { ones({3}, requires_grad()).uniform_(); }), {"uniform_: ", "leaf"});
  CHECK(equal(i, ones({3}, kInt64)));
  CHECK(equal(y, ones({3})));
  CHECK(i.version() + y.version() == 0);
  Tensor h = ones({3}, requires_grad()) * 2;
  h.uniform_(5, 6);
  CHECK(h.min().item<float>() >= 5);
  CHECK(h.version() == 1);
}

TEST_CASE("an in-place form that does not take bool leaves the tensor and its graph as they were") {
  const Tensor m = tensor({true, false}), x = ones({2}, requires_grad());
  const Tensor y = where(m, x, 0).sum();
  for (const std::function<void()>& call : std::initializer_list<std::function<void()>>{
           [&] { m.relu_(); }, [&] { m.abs_(); }, [&] { m.square_(); }, [&] { m.pow_(m); }, [&] { m.pow_(true); },
           [&] { m.neg_(); }, [&] { m.sub_(m); }, [&] { m.clamp_(false, true); }, [&] { m.div_(m); }, [&] { m.exp_(); },
           [&] { m.add_(1); }})
    check_holds(message_of<DTypeError>(call), {"_: "});
  CHECK(message_of<DTypeError>([&] { m.relu_(); }) == "relu_: bool is not a dtype it takes");
  CHECK(m.version() == 0);
  y.backward();
  CHECK(equal(x.grad(), tensor({1., 0.})));
  CHECK(equal(m.clone().add_(m).mul_(m).sign_(), m));
}

TEST_CASE("from_blob that fails does not free the memory") {
  float memory[2] = {1, 2};
  int freed = 0;
  const auto deleter = [&freed](void*) { ++freed; };
  check_holds(message_of<DTypeError>([&] { from_blob(memory, {2}, deleter, dtype(kInt64).requires_grad(true)); }),
              {"from_blob: ", "int64"});
  CHECK_THROWS_AS(from_blob(memory, {-1}, deleter), ShapeError);
  CHECK_THROWS_AS(from_blob(nullptr, {2}, deleter), ValueError);
  check_holds(message_of<ValueError>([&] { from_blob(memory, {2}, {-1}, deleter); }), {"from_blob: ", "[-1]"});
  CHECK_THROWS_AS(from_blob(memory, {2}, {1, 1}, deleter), ShapeError);
  CHECK_THROWS_AS(from_blob(memory, {2, 2}, {std::numeric_limits<int64_t>::max(), 1}, deleter), ShapeError);
  static int by_function = 0;
  CHECK_THROWS_AS(from_blob(
                      memory, {2}, +[](void*) { ++by_function; }, dtype(kInt64).requires_grad(true)),
                  DTypeError);
  CHECK(freed + by_function == 0);
  void* given = nullptr;
  {
    const Tensor x = from_blob(memory, {2}, [&](void* data) { given = data; });
    const Tensor reversed_twice = from_blob(memory, {2, 1}, {1, 7}, deleter, dtype(kFloat32).requires_grad(true));
    const std::function<void(void*)> function = deleter;
    const Tensor z = from_blob(memory, {2}, function);
    CHECK(equal(x + z, tensor({2., 4.})));
    CHECK(reversed_twice.strides().vec() == std::vector<int64_t>{1, 7});
    CHECK(reversed_twice.requires_grad());
    CHECK(freed == 0);
  }
  CHECK(given == memory);
  CHECK(freed == 2);
}

TEST_CASE("probabilities as target have no index to ignore") {
  const Tensor x = zeros({2, 3});
  check_holds(message_of<ValueError>([&] { cross_entropy(x, x, {.ignore_index = 1}); }),
              {"cross_entropy: ", "ignore_index 1"});
  CHECK(cross_entropy(x, x).item<float>() == 0);
}

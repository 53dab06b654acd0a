// Printing against what PyTorch's Python prints for the same values.
#include "tapegrad/core/print.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "catch.h"
#include "tapegrad/autograd/autograd.h"
#include "tapegrad/core/copy.h"

using namespace tapegrad;

namespace {

template <class T> Tensor of(IntArrayRef sizes, const std::vector<T>& values) {
  const Tensor x = new_tensor(sizes, dtype_of<T>());
  REQUIRE(x.numel() == static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) x.data_ptr<T>()[i] = values[i];
  return x;
}

Tensor counting(IntArrayRef sizes, DType dtype = kInt64) {
  const Tensor x = new_tensor(sizes, kInt64);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<int64_t>()[i] = i;
  return converted(x, dtype);
}

constexpr float inf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("floats print with four digits, aligned", "[print]") {
  CHECK(to_string(of<float>({3}, {1, 2.5f, -3})) == "tensor([ 1.0000,  2.5000, -3.0000])");
  CHECK(to_string(of<float>({2, 2}, {0.1f, 22.75f, 3, 4})) ==
        "tensor([[ 0.1000, 22.7500],\n        [ 3.0000,  4.0000]])");
  CHECK(to_string(of<float>({}, {3.14159f})) == "tensor(3.1416)");
}

TEST_CASE("floats that are all integers print as integers with a point", "[print]") {
  CHECK(to_string(of<float>({3}, {1, 2, -30})) == "tensor([  1.,   2., -30.])");
  CHECK(to_string(of<float>({2}, {0, 0})) == "tensor([0., 0.])");
  CHECK(to_string(of<float>({}, {7})) == "tensor(7.)");
  CHECK(to_string(of<float>({2}, {1, 1000})) == "tensor([   1., 1000.])");
}

TEST_CASE("the range of floats decides on scientific notation", "[print]") {
  CHECK(to_string(of<float>({2}, {1, 1001})) == "tensor([1.0000e+00, 1.0010e+03])");
  CHECK(to_string(of<float>({2}, {0.5f, 500})) == "tensor([  0.5000, 500.0000])");
  CHECK(to_string(of<float>({2}, {0.5f, 501})) == "tensor([5.0000e-01, 5.0100e+02])");
  CHECK(to_string(of<float>({1}, {1e8f})) == "tensor([100000000.])");
  CHECK(to_string(of<float>({1}, {1.1e8f})) == "tensor([1.1000e+08])");
  CHECK(to_string(of<float>({1}, {0.00009f})) == "tensor([9.0000e-05])");
  CHECK(to_string(of<float>({1}, {0.00011f})) == "tensor([0.0001])");
  CHECK(to_string(of<float>({3}, {0, -1e-5f, 1e-5f})) == "tensor([ 0.0000e+00, -1.0000e-05,  1.0000e-05])");
  CHECK(to_string(of<float>({1}, {std::numeric_limits<float>::denorm_min()})) == "tensor([1.4013e-45])");
}

TEST_CASE("NaN and infinities have no say in the notation", "[print]") {
  CHECK(to_string(of<float>({3}, {1.5f, NAN, -inf})) == "tensor([1.5000,    nan,   -inf])");
  CHECK(to_string(of<float>({3}, {1, inf, -NAN})) == "tensor([1., inf, nan])");
  CHECK(to_string(of<float>({2}, {NAN, 0})) == "tensor([nan, 0.])");
}

TEST_CASE("other dtypes", "[print]") {
  CHECK(to_string(of<int64_t>({3}, {1, -20, 3})) == "tensor([  1, -20,   3])");
  CHECK(to_string(of<int64_t>({1}, {INT64_MIN})) == "tensor([-9223372036854775808])");
  CHECK(to_string(of<int32_t>({2}, {1, 2})) == "tensor([1, 2], dtype=int32)");
  CHECK(to_string(of<uint8_t>({2}, {1, 255})) == "tensor([  1, 255], dtype=uint8)");
  CHECK(to_string(of<bool>({2}, {true, false})) == "tensor([ True, False])");
  CHECK(to_string(of<double>({2}, {1.25, 2})) == "tensor([1.2500, 2.0000], dtype=float64)");
}

TEST_CASE("undefined and empty tensors", "[print]") {
  CHECK(to_string(Tensor()) == "tensor(undefined)");
  CHECK(to_string(new_tensor({0}, kFloat32)) == "tensor([])");
  CHECK(to_string(new_tensor({0, 3}, kFloat32)) == "tensor([], size=[0, 3])");
  CHECK(to_string(new_tensor({2, 0}, kInt64)) == "tensor([], size=[2, 0], dtype=int64)");
}

TEST_CASE("blocks of three dims are a blank line apart", "[print]") {
  CHECK(to_string(counting({2, 2, 2})) ==
        "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])");
  CHECK(to_string(counting({2, 1, 1, 1})) == "tensor([[[[0]]],\n\n\n        [[[1]]]])");
}

TEST_CASE("lines break at 80 characters", "[print]") {
  CHECK(to_string(counting({30})) ==
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])");
  CHECK(to_string(counting({3}), {.linewidth = 1}) == "tensor([0,\n        1,\n        2])");
}

TEST_CASE("more than 1000 elements are summarised", "[print]") {
  CHECK(to_string(counting({1001})) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
  CHECK(to_string(counting({1001}, kFloat32)) == "tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.])");
  CHECK(to_string(counting({40, 40})) ==
        "tensor([[   0,    1,    2,  ...,   37,   38,   39],\n"
        "        [  40,   41,   42,  ...,   77,   78,   79],\n"
        "        [  80,   81,   82,  ...,  117,  118,  119],\n"
        "        ...,\n"
        "        [1480, 1481, 1482,  ..., 1517, 1518, 1519],\n"
        "        [1520, 1521, 1522,  ..., 1557, 1558, 1559],\n"
        "        [1560, 1561, 1562,  ..., 1597, 1598, 1599]])");
  CHECK(to_string(counting({7}), {.threshold = 6}) == "tensor([0, 1, 2,  ..., 4, 5, 6])");
  CHECK(to_string(counting({6}), {.threshold = 5}) == "tensor([0, 1, 2, 3, 4, 5])");
  CHECK(to_string(counting({7}), {.threshold = 6, .edgeitems = 1}) == "tensor([0,  ..., 6])");
  CHECK(to_string(counting({7, 1}), {.threshold = 6, .edgeitems = 0}) == "tensor([...])");
  const Tensor wide = of<float>({8}, {1, 1, 1, 1e10f, 0.5f, 1, 1, 1});  // what is left out does not decide the notation
  CHECK(to_string(wide, {.threshold = 7}) == "tensor([1., 1., 1.,  ..., 1., 1., 1.])");
}

TEST_CASE("views print their own elements", "[print]") {
  const Tensor x = counting({2, 3});
  CHECK(to_string(alias(x, {3, 2}, {1, 3}, 0)) == "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])");
  CHECK(to_string(alias(x, {2, 2}, {0, 1}, 4)) == "tensor([[4, 5],\n        [4, 5]])");
}

TEST_CASE("the tape's part follows the values", "[print]") {
  Tensor x = of<float>({2}, {1, 2});
  x.requires_grad_();
  CHECK(to_string(x) == "tensor([1., 2.], requires_grad=True)");
  const Tensor y = x.view({2, 1});
  CHECK(to_string(y) == "tensor([[1.],\n        [2.]], grad_fn=<" + std::string(y.grad_fn()->name()) + ">)");
  CHECK(to_string(x.detach()) == "tensor([1., 2.])");
  Tensor d = of<double>({4}, {1.5, 2.5, 3.5, 4.5});
  d.requires_grad_();
  CHECK(to_string(d) == "tensor([1.5000, 2.5000, 3.5000, 4.5000], dtype=float64, requires_grad=True)");
  Tensor e = of<double>({5}, {1.5, 2.5, 3.5, 4.5, 5.5});
  e.requires_grad_();
  CHECK(to_string(e) == "tensor([1.5000, 2.5000, 3.5000, 4.5000, 5.5000], dtype=float64,\n       requires_grad=True)");
}

TEST_CASE("print options", "[print]") {
  const PrintOptions before = print_options();
  CHECK(before.precision == 4);
  set_print_options({.precision = 2, .threshold = 4});
  std::ostringstream out;
  out << of<float>({1}, {0.125f}) << counting({9});
  set_print_options(before);
  CHECK(out.str() == "tensor([0.12])tensor([0, 1, 2,  ..., 6, 7, 8])");
  CHECK_THROWS_AS(set_print_options({.precision = -1}), ValueError);
  CHECK_THROWS_AS(set_print_options({.precision = 101}), ValueError);
  CHECK_THROWS_AS(set_print_options({.threshold = -1}), ValueError);
  CHECK_THROWS_AS(set_print_options({.edgeitems = -1}), ValueError);
  CHECK_THROWS_AS(set_print_options({.linewidth = 0}), ValueError);
  CHECK(print_options().precision == 4);
  CHECK(to_string(of<float>({1}, {0.5f}), {.precision = 100}) == "tensor([0.5" + std::string(99, '0') + "])");
}

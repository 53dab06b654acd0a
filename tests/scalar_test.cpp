// Numbers beside tensors whose dtype does not hold them: compared as they are, clamped to the range, refused where stored.
#include <cmath>
#include <limits>

#include "message.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
namespace simd = tapegrad::kernels::simd;

namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

Tensor bools(bool value) { return full({3}, value); }

const char* const kOutsideUInt8 = "a number must lie in the range of uint8, [0, 255], got ";
const char* const kOutsideInt32 = "a number must lie in the range of int32, [-2147483648, 2147483647], got ";

template <class F> void check_refused(const F& f, const std::string& text) { CHECK(message_of<ValueError>(f) == text); }

}  // namespace

TEST_CASE("a number out of range is compared as it is", "[scalar]") {
  const Tensor i = tensor({1, 2, 3}, kInt32), u = tensor({1, 2, 3}, kUInt8);
  for (const int64_t far : {4294967297LL, 2147483648LL, static_cast<long long>(kHighest)}) {
    CAPTURE(far);
    for (const Tensor& x : {i, u}) {
      CHECK(equal(x == far, bools(false)));
      CHECK(equal(x != far, bools(true)));
      CHECK(equal(x < far, bools(true)));
      CHECK(equal(x <= far, bools(true)));
      CHECK(equal(x > far, bools(false)));
      CHECK(equal(x >= far, bools(false)));
      CHECK(equal(x == -far, bools(false)));
      CHECK(equal(x != -far, bools(true)));
      CHECK(equal(x < -far, bools(false)));
      CHECK(equal(x <= -far, bools(false)));
      CHECK(equal(x > -far, bools(true)));
      CHECK(equal(x >= -far, bools(true)));
    }
  }
  CHECK(equal(u > -1, bools(true)));
  CHECK(equal(u < 300, bools(true)));
  CHECK(equal(u == 257, bools(false)));
  CHECK(equal(i < 3, tensor({true, true, false})));
  CHECK(equal(i.to(kInt64) > kLowest, bools(true)));
}

TEST_CASE("bounds out of range clamp to the ends of it", "[scalar]") {
  const Tensor i = tensor({-5, 0, 7}, kInt32), u = tensor({0, 44, 255}, kUInt8);
  const int64_t far = int64_t{1} << 40;
  CHECK(equal(clamp(i, -far, far), i));
  CHECK(equal(clamp(i, 0, far), tensor({0, 0, 7}, kInt32)));
  CHECK(equal(clamp(u, -5, 300), u));
  CHECK(equal(clamp(u, 300), full({3}, 255, kUInt8)));
  CHECK(equal(clamp(u, {}, -1), full({3}, 0, kUInt8)));
  CHECK(equal(u.clone().clamp_(-5, 100), tensor({0, 44, 100}, kUInt8)));
  CHECK(equal(clamp(i.to(kInt64), kLowest, kHighest), i.to(kInt64)));
}

TEST_CASE("a NaN bound makes NaN", "[scalar]") {
  const char* before = simd::table().isa;
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    const Tensor x = tensor({5., -1., 2., 0., 1., 7., 8., 9., 3.}, requires_grad());
    for (const Tensor& y : {clamp(x, NAN), clamp(x, {}, NAN), clamp(x, 0, NAN), (x * 1).clamp_(NAN, 1)}) {
      CHECK(equal(y.isnan(), ones_like(y, kBool)));
      const Tensor dx = autograd::grad({y}, {x}, {ones_like(x)}, true)[0];
      CHECK(equal(dx, zeros_like(x)));
    }
  }
  REQUIRE(simd::select(before));
  CHECK(clamp(tensor({5}), NAN).isnan().item<bool>());
}

TEST_CASE("what fills a tensor must fit its dtype", "[scalar]") {
  const std::string u8 = kOutsideUInt8, i32 = kOutsideInt32;
  check_refused([] { full({2}, 300, kUInt8); }, "full: " + u8 + "300");
  check_refused([] { full({2}, -1.0, kUInt8); }, "full: " + u8 + "-1");
  check_refused([] { full({1}, NAN, kInt32); }, "full: " + i32 + "nan");
  check_refused([] { full_like(ones({2}, kInt32), 1e20); }, "full: " + i32 + "1e+20");
  check_refused([] { full({1}, 18446744073709551615ull); },
                "scalar: an integer must be below 2^63, got 18446744073709551615");
  check_refused([] { full({1}, INFINITY, kInt64); },
                "full: a number must lie in the range of int64, [-9223372036854775808, 9223372036854775807], got inf");
  check_refused([] { tensor({3000000000}, kInt32); }, "tensor: " + i32 + "3000000000");
  check_refused([] { tensor({1., NAN}, kInt32); }, "tensor: " + i32 + "nan");
  check_refused([] { arange(300, kUInt8); }, "arange: " + u8 + "299");
  check_refused([] { arange(-1, 3, kUInt8); }, "arange: " + u8 + "-1");
  check_refused([] { linspace(0, 256, 3, kUInt8); }, "linspace: " + u8 + "256");
  check_refused([] { randperm(300, kUInt8); }, "randperm: " + u8 + "299");
  const Tensor u = tensor({1, 2}, kUInt8);
  check_refused([&] { u.fill_(1000); }, "fill_: " + u8 + "1000");
  check_refused([&] { u[0] = -3; }, "fill_: " + u8 + "-3");
  check_refused([&] { u.index_put_({tensor({0})}, 256); }, "index_put_: " + u8 + "256");
  check_refused([&] { where(tensor({true, false}), u, 256); }, "where: " + u8 + "256");
  CHECK(equal(u, tensor({1, 2}, kUInt8)));
  CHECK(u.version() == 0);
  CHECK(full({1}, 255.9, kUInt8).item<int>() == 255);
  CHECK(full({1}, 300, kBool).item<bool>());
  CHECK(arange(256, kUInt8)[255].item<int>() == 255);
  CHECK(randperm(256, kUInt8).to(kInt64).sum().item<int>() == 255 * 128);
}

TEST_CASE("arithmetic with a number that does not fit", "[scalar]") {
  const Tensor i = tensor({1, 2}, kInt32), u = tensor({1, 2}, kUInt8);
  const int64_t far = int64_t{1} << 40;
  const std::string i32 = kOutsideInt32 + std::to_string(far);
  check_refused([&] { i + far; }, "add: " + i32);
  check_refused([&] { far - i; }, "sub: " + i32);
  check_refused([&] { pow(i, far); }, "pow: " + i32);
  check_refused([&] { i.sub_(far); }, "sub_: " + i32);
  check_refused([&] { i.mul_(far); }, "mul_: " + i32);
  check_refused([&] { i.pow_(far); }, "pow_: " + i32);
  check_refused([&] { u + 256; }, std::string("add: ") + kOutsideUInt8 + "256");
  CHECK(i.version() == 0);
  CHECK(equal(u + -1, tensor({0, 1}, kUInt8)));  // wraps, as PyTorch's
  CHECK(equal(u - 1, tensor({0, 1}, kUInt8)));
  CHECK(equal(-1 - u, tensor({254, 253}, kUInt8)));
  CHECK(equal(i * 2.5, tensor({2.5, 5.})));
}

TEST_CASE("the lowest integer is subtracted exactly", "[scalar]") {
  CHECK(equal(ones({2}, kFloat64) - kLowest, full({2}, 0x1p63, kFloat64)));
  CHECK(equal(ones({2}).sub_(kLowest), full({2}, 0x1p63)));
  CHECK(equal(tensor({-1}) - kLowest, tensor({kHighest})));
}

TEST_CASE("floats out of range become the lowest integer", "[scalar]") {
  const TensorData values{NAN, 1e20, -1e20, INFINITY, -INFINITY, 3e9, -3e9, 300., -1., -0.5, 255.9, 2147483647., 7.};
  const TensorData bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 7};
  const char* before = simd::table().isa;
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    CAPTURE(*isa);
    for (const DType from : {kFloat32, kFloat64}) {
      CAPTURE(from);
      const int64_t low = std::numeric_limits<int32_t>::min();
      const int64_t top = from == kFloat64 ? 2147483647 : low;  // 2^31 in float32
      const Tensor words = tensor(
          {low, low, low, low, low, low, low, int64_t{300}, int64_t{-1}, int64_t{0}, int64_t{255}, top, int64_t{7}},
          kInt32);
      const Tensor x = tensor(values, from);
      for (const Tensor& laid : {x, stack({x, x}, 1).select(1, 0)}) {
        CHECK(equal(laid.to(kUInt8), tensor(bytes, kUInt8)));
        CHECK(equal(laid.to(kInt32), words));
        const Tensor longs = laid.to(kInt64);
        for (int64_t i = 0; i < 5; ++i) CHECK(longs[i].item<int64_t>() == kLowest);
        CHECK(longs[5].item<int64_t>() == 3000000000);
        CHECK(equal(laid.to(kBool), ones_like(laid, kBool)));
      }
      CHECK(tensor({-0x1p31}, from).to(kInt32).item<int64_t>() == low);
      CHECK(tensor({-2147483648.5}, kFloat64).to(kInt32).item<int64_t>() == low);
      CHECK(tensor({-0x1p63}, from).to(kInt64).item<int64_t>() == kLowest);
    }
  }
  REQUIRE(simd::select(before));
}

TEST_CASE("arange says what is wrong with its arguments", "[scalar]") {
  check_refused([] { arange(0., 1., NAN); },
                "arange: start, end and step must be finite, got start 0.000000, end 1.000000, step nan");
  check_refused([] { arange(0., 1., INFINITY); },
                "arange: start, end and step must be finite, got start 0.000000, end 1.000000, step inf");
  CHECK_THAT(message_of<ValueError>([] { arange(0., 1e300); }),
             Contains("arange: the number of elements must fit 63 bits, got start 0.000000, end 1000"));
  check_refused([] { arange(kLowest, kHighest); },
                "arange: the number of elements must fit 63 bits, got start -9223372036854775808, end "
                "9223372036854775807, step 1");
  check_refused([] { arange(1, 0); }, "arange: step must lead from start to end, got start 1, end 0, step 1");
  check_refused([] { arange(kHighest, kHighest - 1); },
                "arange: step must lead from start to end, got start 9223372036854775807, end 9223372036854775806, "
                "step 1");
  check_refused([] { arange(0, 3, 0); }, "arange: step must lead from start to end, got start 0, end 3, step 0");
  CHECK_THAT(message_of<OutOfMemoryError>([] { arange(int64_t{1} << 50); }),
             Contains("arange: no memory for shape [1125899906842624] of int64"));
  CHECK(equal(arange(kLowest, kHighest, kHighest), tensor({kLowest, int64_t{-1}, kHighest - 1})));
  CHECK(equal(arange(3, -3, -2), tensor({3, 1, -1})));
  CHECK(equal(arange(0., 1., 0.25), tensor({0., 0.25, 0.5, 0.75})));
  CHECK(equal(arange(0.5, 3., kInt64), tensor({0, 1, 2})));
  CHECK(arange(2, 2).numel() == 0);
}

TEST_CASE("a scalar is read as any type that holds it", "[scalar]") {
  CHECK(tensor(2.5).item().toDouble() == 2.5);
  CHECK(tensor(2.5).item().toFloat() == 2.5f);
  CHECK(tensor(2.5).item().toInt() == 2);
  CHECK(tensor(int64_t{1} << 40).item().toLong() == int64_t{1} << 40);
  CHECK(tensor(true).item().toBool());
  check_refused([] { (void)tensor(int64_t{1} << 40).item<int>(); },
                "scalar: the number must fit a signed integer of 32 bits, got 1099511627776");
  check_refused([] { (void)tensor(NAN).item().toLong(); },
                "scalar: the number must fit a signed integer of 64 bits, got nan");
  check_refused([] { (void)tensor(-1.).item<uint8_t>(); },
                "scalar: the number must fit an unsigned integer of 8 bits, got -1");
  CHECK(tensor(-1).item<uint8_t>() == 255);
}

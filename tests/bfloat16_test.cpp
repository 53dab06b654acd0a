// bfloat16: rounding, promotion, conversions and sums on every instruction set, gradients, refusals.
#include <cmath>
#include <cstring>
#include <random>

#include "catch.h"
#include "message.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
namespace simd = tapegrad::kernels::simd;

namespace {

uint32_t bits_of(float x) {
  uint32_t b;
  std::memcpy(&b, &x, sizeof b);
  return b;
}
float float_of(uint32_t b) {
  float x;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

// By search among the neighbours in double, not by the library's arithmetic on bits: the nearer one, of two the even one.
uint16_t nearest(double x) {
  if (std::isnan(x)) return 0x7FC0;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double v = std::abs(x);
  const auto value = [](uint32_t half) { return half == 0x7F80 ? 0x1p128 : static_cast<double>(float_of(half << 16)); };
  uint32_t low = 0, high = 0x7F80;  // value(low) <= v, and v < value(high) or high is infinity
  if (v >= 0x1p128) return static_cast<uint16_t>(sign | 0x7F80);
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (value(middle) <= v ? low : high) = middle;
  }
  const double down = v - value(low), up = value(high) - v;
  const uint32_t picked = down < up ? low : up < down ? high : low % 2 == 0 ? low : high;
  return static_cast<uint16_t>(sign | picked);
}

bool same(uint16_t got, uint16_t expected) {
  const auto nan = [](uint16_t b) { return (b & 0x7FFF) > 0x7F80; };
  return got == expected || (nan(got) && nan(expected));
}

// Ties, their neighbours, the ends of the range, and random bits.
std::vector<float> interesting() {
  std::vector<float> v;
  for (uint32_t half :
       {0x0000u, 0x0001u, 0x0002u, 0x007Fu, 0x0080u, 0x3F7Fu, 0x3F80u, 0x3F81u, 0x7F7Eu, 0x7F7Fu, 0x7F80u, 0x7FC0u})
    for (uint32_t low : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      for (uint32_t sign : {0u, 0x80000000u}) v.push_back(float_of(sign | half << 16 | low));
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) v.push_back(float_of(static_cast<uint32_t>(random())));
  return v;
}

template <class F> void on_every_isa(const F& f) {
  const std::string before = simd::table().isa;
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    CAPTURE(*isa);
    f();
  }
  REQUIRE(simd::select(before.c_str()));
}

uint16_t bits_at(const Tensor& x, int64_t i) { return x.data_ptr<BFloat16>()[i].bits; }

double largest_difference(const Tensor& a, const Tensor& b) {
  return (a.to(kFloat64) - b.to(kFloat64)).abs().max().item<double>();
}

Tensor random_low(IntArrayRef sizes, uint64_t seed) {
  Generator generator(seed);
  return randn(sizes, generator).to(kBFloat16);
}

}  // namespace

TEST_CASE("bfloat16: the nearest, of two the even one") {
  for (const float x : interesting()) {
    CAPTURE(x, bits_of(x));
    REQUIRE(same(BFloat16(x).bits, nearest(static_cast<double>(x))));
  }
  CHECK(std::isnan(static_cast<float>(BFloat16(float_of(0x7F800001)))));  // a NaN whose upper half alone is infinity
  CHECK(std::isnan(static_cast<float>(BFloat16(float_of(0xFFFFFFFF)))));
}

TEST_CASE("bfloat16: a double is rounded once") {
  std::mt19937_64 random(8);
  for (const float x : interesting()) {
    for (const double by : {0., 0x1p-30, -0x1p-30, 0x1p-45, -0x1p-45}) {
      const double v = static_cast<double>(x) * (1 + by);
      CAPTURE(v);
      REQUIRE(same(BFloat16(v).bits, nearest(v)));
    }
  }
  CHECK(BFloat16(1 + 0x1p-8).bits == 0x3F80);            // a tie
  CHECK(BFloat16(1 + 0x1p-8 + 0x1p-40).bits == 0x3F81);  // nearly one: as float32 it would be
  CHECK(BFloat16(1 + 3 * 0x1p-8).bits == 0x3F82);
  CHECK(BFloat16(1 + 3 * 0x1p-8 - 0x1p-40).bits == 0x3F81);
  CHECK(BFloat16(257).bits == nearest(257.));
  CHECK(BFloat16(int64_t{259}).bits == nearest(259.));
}

TEST_CASE("bfloat16: its limits") {
  using Limits = std::numeric_limits<BFloat16>;
  CHECK(static_cast<double>(Limits::max()) == (2 - 0x1p-7) * 0x1p127);
  CHECK(static_cast<double>(Limits::epsilon()) == 0x1p-7);
  CHECK(static_cast<double>(Limits::min()) == 0x1p-126);
  CHECK(static_cast<double>(Limits::denorm_min()) == 0x1p-133);
  BFloat16 x = 1.5f;
  x += 2;
  x *= 3;
  CHECK(x == 10.5f);
}

TEST_CASE("bfloat16: tensors are converted alike on every instruction set, in every layout") {
  const std::vector<float> v = interesting();
  const auto n = static_cast<int64_t>(v.size());
  on_every_isa([&] {
    const Tensor x = from_blob(const_cast<float*>(v.data()), n);
    const Tensor y = x.to(kBFloat16);
    REQUIRE(y.dtype() == kBFloat16);
    for (int64_t i = 0; i < n; ++i) {
      CAPTURE(v[static_cast<size_t>(i)]);
      REQUIRE(bits_at(y, i) == BFloat16(v[static_cast<size_t>(i)]).bits);
    }
    const Tensor back = y.to(kFloat32);
    for (int64_t i = 0; i < n; ++i) REQUIRE(bits_of(back.data_ptr<float>()[i]) == uint32_t{bits_at(y, i)} << 16);
    for (const int64_t step : {2, 3, 7}) {
      const Tensor some = y.slice(0, 1, n, step), wide = some.to(kFloat32);
      for (int64_t i = 0; i < some.numel(); ++i)
        REQUIRE(bits_of(wide.data_ptr<float>()[i]) == uint32_t{bits_at(y, 1 + i * step)} << 16);
      const Tensor into = zeros({n, 2}, kBFloat16);
      into.select(1, 1).copy_(x);
      for (int64_t i = 0; i < n; ++i) REQUIRE((bits_at(into, 2 * i) == 0 && bits_at(into, 2 * i + 1) == bits_at(y, i)));
    }
  });
}

TEST_CASE("bfloat16: made, read, printed, moved") {
  CHECK(to_string(tensor({1.5, -2.25}, kBFloat16)) == "tensor([ 1.5000, -2.2500], dtype=bfloat16)");
  CHECK(std::string(name_of(kBFloat16)) == "bfloat16");
  CHECK(item_size(kBFloat16) == 2);
  CHECK(full({2}, 3.14159, kBFloat16)[1].item<double>() == 3.140625);
  CHECK(ones({3}, kBFloat16).sum().item<int64_t>() == 3);
  CHECK(zeros_like(ones({3}, kBFloat16)).dtype() == kBFloat16);
  CHECK(arange(0, 4, kBFloat16)[3].item<float>() == 3);
  BFloat16 memory[] = {1.f, 2.f, 3.f, 4.f};
  Tensor x = from_blob(memory, {2, 2}, kBFloat16);
  CHECK(x.accessor<BFloat16, 2>()[1][0] == 3.f);
  CHECK(x.data_ptr<BFloat16>() == memory);
  CHECK_THROWS_AS(x.data_ptr<float>(), DTypeError);
  CHECK(x.t().clone().data_ptr<BFloat16>()[1] == 3.f);
  x[0][1] = 9;
  CHECK(memory[1] == 9.f);
  CHECK(equal(cat({x, x}, 0), tensor({{1., 9.}, {3., 4.}, {1., 9.}, {3., 4.}}, kBFloat16)));
  CHECK(equal(x.index_select(1, tensor({1, 1})), tensor({{9., 9.}, {4., 4.}}, kBFloat16)));
  CHECK(equal(gather(x, 1, tensor({{1}, {0}})), tensor({{9.}, {3.}}, kBFloat16)));
  CHECK(equal(flip(x, {0}), tensor({{3., 4.}, {1., 9.}}, kBFloat16)));
  CHECK(equal(x.index({x > 3}), tensor({9., 4.}, kBFloat16)));
  CHECK(equal(where(x > 3, x, 0), tensor({{0., 9.}, {0., 4.}}, kBFloat16)));
  CHECK(equal(std::get<1>(sort(x.reshape(-1))), tensor({0, 2, 3, 1})));
  CHECK(x.argmax().item<int64_t>() == 1);
  CHECK(equal(x.to(kInt64), tensor({{1, 9}, {3, 4}})));
  CHECK(equal(tensor({1, 300}).to(kBFloat16).to(kInt64), tensor({1, 300})));
  CHECK(equal(tensor({1.00390625 + 0x1p-40}, kFloat64).to(kBFloat16).to(kFloat64), tensor({1.0078125}, kFloat64)));
}

TEST_CASE("bfloat16: promotion") {
  const Tensor low = ones({2}, kBFloat16);
  CHECK(promote_types(kBFloat16, kInt64) == kBFloat16);
  CHECK(promote_types(kBFloat16, kFloat32) == kFloat32);
  CHECK((low + ones({2})).dtype() == kFloat32);
  CHECK((low + ones({2}, kFloat64)).dtype() == kFloat64);
  CHECK((low * ones({2}, kInt64)).dtype() == kBFloat16);
  CHECK((low + 1).dtype() == kBFloat16);
  CHECK((low * 0.5).dtype() == kBFloat16);
  CHECK((low + tensor(1.f)).dtype() == kBFloat16);  // a 0-dim tensor counts by its kind
  CHECK(low.mean().dtype() == kBFloat16);
  CHECK((low / 3).dtype() == kBFloat16);
  CHECK((low == 1).dtype() == kBool);
  CHECK(can_cast(kBFloat16, kFloat32));
  CHECK_FALSE(can_cast(kBFloat16, kInt64));
}

TEST_CASE("bfloat16: a number beside it keeps its digits") {
  const Tensor x = tensor({3., 100., -7.}, kBFloat16);
  for (int64_t i = 0; i < 3; ++i) {
    const float v = x[i].item<float>();
    CHECK((x * 0.1)[i].item<float>() == static_cast<float>(BFloat16(v * 0.1f)));
    CHECK((x / 3)[i].item<float>() == static_cast<float>(BFloat16(v / 3.f)));
    CHECK((x.t() + 0.001)[i].item<float>() == static_cast<float>(BFloat16(v + 0.001f)));
  }
  CHECK_FALSE((full({1}, 0.1, kBFloat16) == 0.1).item<bool>());  // what was rounded is another number
}

TEST_CASE("bfloat16: elementwise is float32 rounded once, whatever the layout, on every instruction set") {
  const Tensor a = random_low({37, 65}, 1), b = random_low({65}, 2), c = random_low({37, 1}, 3);
  const auto expect = [](const Tensor& got, const Tensor& wide) {
    REQUIRE(got.dtype() == kBFloat16);
    REQUIRE(equal(got, wide.to(kBFloat16)));
  };
  const auto f32 = [](const Tensor& x) { return x.to(kFloat32); };
  on_every_isa([&] {
    expect(a + b, f32(a) + f32(b));
    expect(a * c, f32(a) * f32(c));
    expect(sigmoid(a), sigmoid(f32(a)));
    expect(gelu(a), gelu(f32(a)));
    expect(tanh(a.t()), tanh(f32(a.t())));
    expect(relu(a.slice(1, 1, 64, 3)), relu(f32(a.slice(1, 1, 64, 3))));
    expect(where(a > 0, a, b), where(f32(a) > 0, f32(a), f32(b)));
    expect(addcmul(a, a, b.expand({37, 65}), 0.3), addcmul(f32(a), f32(a), f32(b.expand({37, 65})), 0.3));
    REQUIRE(equal(a < b, f32(a) < f32(b)));
    REQUIRE(equal(isnan(a), isnan(f32(a))));
    Tensor in_place = a.clone();
    in_place.mul_(b).add_(0.1);
    expect(in_place, ((f32(a) * f32(b)).to(kBFloat16).to(kFloat32) + 0.1));
    Tensor strided = zeros({65, 37}, kBFloat16).t();
    strided.copy_(a);
    strided.sigmoid_();
    expect(strided, sigmoid(f32(a)));
  });
}

TEST_CASE("bfloat16: sums are made in float32 and rounded once") {
  on_every_isa([] {
    for (const int64_t n : {1, 5, 700, 1024, 3000, 70000}) {
      const Tensor x = random_low({n}, 4);
      CAPTURE(n);
      REQUIRE(equal(x.sum(), x.to(kFloat32).sum().to(kBFloat16)));
      REQUIRE(equal(x.mean(), x.to(kFloat32).mean().to(kBFloat16)));
    }
    const Tensor m = random_low({300, 70, 9}, 5), wide = m.to(kFloat32);
    for (const Shape& dims : {Shape{0}, Shape{1}, Shape{2}, Shape{0, 2}, Shape{0, 1}})
      REQUIRE(equal(m.sum(dims), wide.sum(dims).to(kBFloat16)));
  });
  // One by one in bfloat16 it would stop at 256.
  CHECK(ones({5000}, kBFloat16).sum().item<double>() == BFloat16(5000.));
  CHECK(ones({5000, 3}, kBFloat16).sum(0)[2].item<double>() == BFloat16(5000.));
}

TEST_CASE("bfloat16: gradients are those of float32, rounded") {
  const Tensor x = random_low({24, 40}, 14).requires_grad_(), w = random_low({32, 40}, 15).requires_grad_();
  const Tensor v = random_low({24, 32}, 16);
  const Tensor y = tanh(linear(x, w));
  y.backward(v);
  REQUIRE(x.grad().dtype() == kBFloat16);
  const Tensor x32 = x.detach().to(kFloat32).requires_grad_(), w32 = w.detach().to(kFloat32).requires_grad_();
  tanh(linear(x32, w32)).backward(v.to(kFloat32));
  // tanh's slope is at most 1 and its input off by 2^-8 of itself at most; so is each of the three factors' rounding.
  const double scale = w32.grad().abs().max().item<double>();
  CHECK(largest_difference(w.grad(), w32.grad()) <= 4 * 0x1p-8 * scale * 4);
  CHECK(largest_difference(x.grad(), x32.grad()) <= 4 * 0x1p-8 * x32.grad().abs().max().item<double>() * 4);
}

TEST_CASE("bfloat16: to() is differentiable, both ways and twice") {
  const Tensor x = tensor({1.5, -2.0, 3.0}, dtype(kFloat32).requires_grad(true));
  const Tensor y = (x.to(kBFloat16) * x.to(kBFloat16)).to(kFloat64);
  const Tensor g = autograd::grad({y}, {x}, {tensor({1., 2., 4.}, kFloat64)}, {}, true)[0];
  CHECK(g.dtype() == kFloat32);
  CHECK(equal(g, tensor({3., -8., 24.}, kFloat32)));
  CHECK(equal(autograd::grad({g}, {x}, {ones({3})})[0], tensor({2., 4., 8.}, kFloat32)));
}

TEST_CASE("bfloat16: gradients add up, and writes through views are recorded") {
  const Tensor x = tensor({{1., 2.}, {3., 4.}}, dtype(kBFloat16).requires_grad(true));
  Tensor y = x * x + x;
  y[0][1] = 3;
  y.select(0, 1).mul_(2);
  y.backward(ones({2, 2}, kBFloat16));
  CHECK(equal(x.grad(), tensor({{3., 0.}, {14., 18.}}, kBFloat16)));
  x.sum().backward();
  CHECK(equal(x.grad(), tensor({{4., 1.}, {15., 19.}}, kBFloat16)));
}

TEST_CASE("bfloat16: sums of gradients by index are made in float32") {
  const Tensor table = zeros({3, 4}, dtype(kBFloat16).requires_grad(true));
  embedding(table, zeros({1000}, kInt64)).backward(ones({1000, 4}, kBFloat16));
  CHECK(table.grad()[0][1].item<double>() == 1000);  // one by one in bfloat16 it would be 256
  const Tensor x = zeros({3}, dtype(kBFloat16).requires_grad(true));
  gather(x, 0, full({600}, 2, kInt64)).backward(ones({600}, kBFloat16));
  CHECK(x.grad()[2].item<double>() == 600);
}

TEST_CASE("bfloat16: softmax and what else computes in float32 gives bfloat16") {
  const Tensor x = random_low({6, 50}, 17);
  CHECK(equal(softmax(x, 1), softmax(x.to(kFloat32), 1).to(kBFloat16)));
  CHECK(equal(cumsum(x, 1), cumsum(x.to(kFloat32), 1).to(kBFloat16)));
  CHECK(equal(x.var({1}, 1), x.to(kFloat32).var({1}, 1).to(kBFloat16)));
  CHECK(equal(x.norm(), x.to(kFloat32).norm().to(kBFloat16)));
  CHECK(equal(cross_entropy(x, zeros({6}, kInt64)), cross_entropy(x.to(kFloat32), zeros({6}, kInt64)).to(kBFloat16)));
  CHECK(equal(x.amax({1}), x.to(kFloat32).amax({1}).to(kBFloat16)));
}

TEST_CASE("bfloat16: what is refused says so") {
  const Tensor x = ones({2, 2}, kBFloat16);
  const auto says = [](const std::string& message, const std::string& part) {
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
  };
  says(message_of<DTypeError>([&] { save_npy("unwritten.npy", x); }), "save_npy: NumPy has no bfloat16");
  says(message_of<DTypeError>([&] { empty({2}, kBFloat16).uniform_(); }), "uniform_: bfloat16 is not drawn directly");
  says(message_of<DTypeError>([&] { randn({2}, kBFloat16); }), "normal_: bfloat16 is not drawn directly");
  says(message_of<DTypeError>([&] { randint(0, 4, {2}, kBFloat16); }), "randint: bfloat16 is not drawn directly");
  says(message_of<DTypeError>([&] { bernoulli(x); }), "bernoulli: bfloat16 is not supported here");
  says(message_of<DTypeError>([&] { x.clone().cumsum_(0); }), "cumsum_: bfloat16 is not supported here");
  says(message_of<DTypeError>([&] { mm(x, ones({2, 2})); }), "must have one dtype, got bfloat16 and float32");
  says(message_of<DTypeError>([&] { optim::SGD({ones({2}, dtype(kBFloat16).requires_grad(true))}, {.lr = 1}); }),
       "keep parameters in float32 and use AutocastGuard");
  const Tensor leaf = ones({2}, dtype(kBFloat16).requires_grad(true));
  says(message_of<DTypeError>([&] { gradcheck([](const Tensor& t) { return t * t; }, {leaf}); }),
       "gradcheck: inputs must be float32 or float64");
}

TEST_CASE("bfloat16: replayed, the same bits") {
  const Tensor x = random_low({40, 64}, 18), w = random_low({48, 64}, 19).requires_grad_();
  const auto step = [&] {
    const Tensor y = gelu(linear(x, w)).sum();
    return std::vector<Tensor>{y.detach(), autograd::grad({y}, {w})[0]};
  };
  Program p = capture(step);
  x.copy_(random_low({40, 64}, 20));
  const std::vector<Tensor> expected = step();
  p();
  for (size_t i = 0; i < 2; ++i) CHECK(equal(p.outputs()[i], expected[i]));
}

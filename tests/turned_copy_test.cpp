// Copies whose source runs along another dim than the destination, against one element after the other.
#include <array>
#include <cstring>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

constexpr DType kTypes[] = {kFloat32, kFloat64, kBFloat16, kInt64, kInt32, kUInt8, kBool};

// Different elements side by side in every dtype.
Tensor numbers(const Shape& sizes, DType dtype) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  const Tensor i = arange(0, n, kInt64), x = remainder(i * 37 + i * i * 3, 251);
  return (dtype == kBool ? remainder(x, 3) : x).to(dtype).view(sizes);
}

int64_t offset(const Tensor& x, int64_t flat) {
  int64_t at = 0;
  for (int64_t d = x.dim() - 1; d >= 0; --d) {
    at += flat % x.size(d) * x.stride(d);
    flat /= x.size(d);
  }
  return at;
}

// Whether two tensors of one dtype have the same bytes, read where the strides say.
bool same(const Tensor& a, const Tensor& b) {
  const int64_t item = a.element_size();
  const auto* p = static_cast<const char*>(a.data_ptr());
  const auto* q = static_cast<const char*>(b.data_ptr());
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (std::memcmp(p + offset(a, i) * item, q + offset(b, i) * item, static_cast<size_t>(item)) != 0) return false;
  }
  return a.sizes() == b.sizes() && a.dtype() == b.dtype();
}

}  // namespace

TEST_CASE("the copy of a transposed matrix, at every edge of its blocks", "[copy]") {
  const int64_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 40, 65};
  for (DType dtype : {kFloat64, kFloat32, kBFloat16, kUInt8}) {
    const Tensor all = numbers({65, 65}, dtype);
    for (int64_t rows : sizes) {
      for (int64_t cols : sizes) {
        CAPTURE(dtype, rows, cols);
        const Tensor x = all.slice(0, 0, rows).slice(1, 0, cols);
        REQUIRE(same(x.t().contiguous(), x.t()));
        REQUIRE(same(x.contiguous().t().contiguous(), x.t()));
      }
    }
  }
}

TEST_CASE("permuted, sliced and expanded sources, whole and sliced destinations", "[copy]") {
  const std::array<int64_t, 3> orders[] = {{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (DType dtype : {kFloat64, kFloat32, kBFloat16, kBool}) {
    const Tensor x = numbers({3, 66, 35}, dtype);
    const Tensor sources[] = {x,
                              x.slice(2, 1, 35),
                              x.slice(1, 3, 66).slice(2, 0, 35, 2),
                              x.slice(0, 0, 3, 2),
                              x.slice(1, 0, 1).expand({3, 66, 35}),
                              x.slice(2, 0, 1).expand({3, 66, 35})};
    for (const Tensor& source : sources) {
      for (const auto& order : orders) {
        const Tensor turned = source.permute(order);
        REQUIRE(same(turned.contiguous(), turned));
        REQUIRE(same(turned.reshape(-1), turned.contiguous().view(-1)));
        const int64_t a = turned.size(0), b = turned.size(1), c = turned.size(2);
        const Tensor room = zeros({a, b + 2, 2 * c}, dtype), part = room.slice(1, 1, b + 1).slice(2, 0, 2 * c, 2);
        part.copy_(turned);
        REQUIRE(same(part, turned));
        part.zero_();
        REQUIRE_FALSE(room.to(kBool).any().item<bool>());  // nothing beside it was written
      }
    }
  }
}

TEST_CASE("rows and columns that share sets of the cache", "[copy]") {
  for (DType dtype : {kFloat64, kFloat32, kBFloat16, kUInt8}) {
    const Tensor x = numbers({128, 512}, dtype);
    REQUIRE(same(x.t().contiguous(), x.t()));
    REQUIRE(
        same(x.view({4, 32, 8, 64}).permute({3, 0, 2, 1}).contiguous(), x.view({4, 32, 8, 64}).permute({3, 0, 2, 1})));
  }
}

TEST_CASE("a turned copy converts as a plain one does", "[copy]") {
  for (DType from : kTypes) {
    const Tensor x = numbers({35, 90}, from);
    for (DType to : kTypes) {
      CAPTURE(from, to);
      REQUIRE(same(x.t().to(to).contiguous(), x.to(to).t()));
      const Tensor y = zeros({90, 70}, to), part = y.slice(1, 0, 70, 2);
      part.copy_(x.t());
      REQUIRE(same(part, x.to(to).t()));
    }
  }
}

TEST_CASE("turned copies on several threads, and replayed", "[copy]") {
  const int before = get_num_threads();
  const Tensor x = numbers({2, 301, 410}, kFloat32), y = zeros({410, 2, 301});
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    y.zero_();
    y.copy_(x.permute({2, 0, 1}));
    REQUIRE(same(y, x.permute({2, 0, 1})));
  }
  set_num_threads(before);
  for (const Tensor& source : {x, x.slice(0, 0, 1).slice(1, 0, 20).slice(2, 0, 30)}) {
    Program step = capture([&] { return (source.permute({2, 0, 1}).contiguous() * 2).relu(); });
    source.add_(1);
    REQUIRE(same(step(), source.permute({2, 0, 1}).contiguous() * 2));
  }
}

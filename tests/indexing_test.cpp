// The whole grammar of indexing against a loop over the elements: random index expressions, read, assigned and accumulated.
#include "indexing_model.h"
#include "message.h"

using namespace tapegrad;
using namespace tapegrad::indexing;
using namespace indexing_model;

namespace {

std::vector<double> numbers_of(const Tensor& x) {
  const Tensor flat = contiguous_of(x.detach());
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

Tensor random_tensor(const Ints& sizes, Generator& generator) { return randn(sizes, generator, kFloat64); }

// Broadcastable to `result`: some dims of size 1, some left out in front.
Ints narrower(const Ints& result, std::mt19937& random) {
  Ints sizes = result;
  for (int64_t& size : sizes) {
    if (random() % 3 == 0) size = 1;
  }
  if (random() % 2) sizes.erase(sizes.begin(), sizes.begin() + static_cast<int64_t>(random() % (sizes.size() + 1)));
  return sizes;
}

// Element of a tensor of `own` sizes that broadcasts to place i of `result`.
size_t broadcast_place(int64_t i, const Ints& result, const Ints& own) {
  const Ints at = position(i, result);
  int64_t place = 0;
  for (size_t d = 0; d < own.size(); ++d)
    place = place * own[d] + (own[d] == 1 ? 0 : at[result.size() - own.size() + d]);
  return static_cast<size_t>(place);
}

void check_close(const Tensor& got, const std::vector<double>& expected) {
  const std::vector<double> values = numbers_of(got);
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) CHECK(values[i] == Approx(expected[i]).margin(1e-12));
}

void check_reading(const Expression& e, const Tensor& x, Generator& generator) {
  const Tensor y = x.index(e.indices);
  REQUIRE(y.sizes().vec() == e.model.result);
  const std::vector<double> from = numbers_of(x);
  std::vector<double> expected;
  for (int64_t element : e.model.source) expected.push_back(from[static_cast<size_t>(element)]);
  CHECK(numbers_of(y) == expected);
  const Tensor dy = random_tensor(e.model.result, generator);
  const std::vector<double> weights = numbers_of(dy);
  std::vector<double> dx(from.size());
  for (size_t i = 0; i < weights.size(); ++i) dx[static_cast<size_t>(e.model.source[i])] += weights[i];
  check_close(autograd::grad({y}, {x}, {dy}, true)[0], dx);
}

void check_writing(Expression& e, const Tensor& x, bool accumulate, Generator& generator) {
  const Ints sizes = e.random() % 4 == 0 ? Ints{} : narrower(e.model.result, e.random);
  const Tensor values = random_tensor(sizes, generator).requires_grad_();
  const Tensor y = x * 1;
  y.index_put_(e.indices, values, accumulate);
  const std::vector<double> given = numbers_of(values);
  std::vector<double> expected = numbers_of(x);
  Ints writer(expected.size(), -1);  // the last element of the result that went to a place
  for (size_t i = 0; i < e.model.source.size(); ++i) {
    const auto to = static_cast<size_t>(e.model.source[i]);
    const double v = given[broadcast_place(static_cast<int64_t>(i), e.model.result, sizes)];
    expected[to] = accumulate ? expected[to] + v : v;
    writer[to] = static_cast<int64_t>(i);
  }
  check_close(y, expected);
  const Tensor dy = random_tensor(e.model.sizes, generator);
  const std::vector<double> weights = numbers_of(dy);
  std::vector<double> dx = weights, dvalues(given.size());
  for (size_t i = 0; i < e.model.source.size(); ++i) {
    const auto to = static_cast<size_t>(e.model.source[i]);
    if (!accumulate) dx[to] = 0;
    if (accumulate || writer[to] == static_cast<int64_t>(i))
      dvalues[broadcast_place(static_cast<int64_t>(i), e.model.result, sizes)] += weights[to];
  }
  const auto g = autograd::grad({y}, {x, values}, {dy}, true, false, true);
  check_close(g[0], dx);
  if (g[1].defined()) check_close(g[1], dvalues);
  else CHECK(e.model.source.empty());
  const Tensor apart = index_put(x, e.indices, values.detach(), accumulate);
  CHECK(equal(apart.detach(), y.detach()));
}

// x in one of several layouts.
Tensor laid(const Tensor& x, unsigned kind) {
  if (kind % 3 == 1 && x.dim() > 1) return contiguous_of(x.transpose(0, -1)).transpose(0, -1);
  if (kind % 3 == 2 && x.dim() > 0) return contiguous_of(stack({x, x}, x.dim())).select(x.dim(), 1);
  return x;
}

}  // namespace

TEST_CASE("index expressions against a loop over the elements", "[indexing]") {
  Generator generator(17);
  int64_t read = 0, refused = 0;
  for (unsigned seed = 0; seed < 4000; ++seed) {
    Expression e(seed);
    CAPTURE(seed, e.text, e.model.sizes);
    const Tensor plain = random_tensor(e.model.sizes, generator);
    const Tensor x = laid(plain, seed).detach().requires_grad_();
    if (!e.model.broadcasts) {
      CHECK_THROWS_AS(x.index(e.indices), ShapeError);
      ++refused;
      continue;
    }
    if (e.model.parts.size() > 8 || e.model.result.size() > 8) continue;  // more dims than a tensor has
    ++read;
    check_reading(e, x, generator);
    check_writing(e, x, false, generator);
    check_writing(e, x, true, generator);
  }
  CHECK(read > 3000);
  CHECK(refused > 30);
}

TEST_CASE("index expressions can be differentiated again", "[indexing]") {
  Generator generator(18);
  int checked = 0;
  for (unsigned seed = 0; checked < 40; ++seed) {
    Expression e(seed);
    if (!e.model.broadcasts || e.model.parts.size() > 8 || e.model.result.size() > 8 || e.model.source.empty() ||
        e.model.source.size() > 20)
      continue;
    if (count_of(e.model.sizes) > 20) continue;
    ++checked;
    const Ints sizes = narrower(e.model.result, e.random);
    const bool accumulate = seed % 2;
    const auto f = [&](const std::vector<Tensor>& in) {
      const Tensor y = in[0] * in[0];
      y.index_put_(e.indices, in[1] * in[1], accumulate);
      return exp(y).index(e.indices) * sum(in[1]);
    };
    const Tensor x = random_tensor(e.model.sizes, generator).requires_grad_();
    const Tensor values = random_tensor(sizes, generator).requires_grad_();
    const GradcheckReport report = gradcheck_report(f, {x, values}, {.order = 2, .probes = 1});
    INFO("seed " << seed << e.text << "\n" << report.text());
    CHECK(report.ok());
  }
}

TEST_CASE("where the dims of an index stand", "[indexing]") {
  const Tensor x = arange(120).view({2, 3, 4, 5});
  const Tensor i = tensor({0, 1}), j = tensor({2, 0});
  const auto shape = [&](const std::vector<TensorIndex>& indices) { return x.index(indices).sizes().vec(); };
  CHECK(shape({Slice(), i, j}) == Ints{2, 2, 5});           // side by side: in place
  CHECK(shape({i, Slice(), j}) == Ints{2, 3, 5});           // apart: in front
  CHECK(shape({Slice(), i, None, j}) == Ints{2, 2, 1, 5});  // None parts them
  CHECK(shape({0, Slice(), i}) == Ints{3, 2, 5});           // an integer is no index tensor
  CHECK(shape({i.view({2, 1}), j}) == Ints{2, 2, 4, 5});
  CHECK(shape({true, i, j}) == Ints{2, 4, 5});
  CHECK(shape({Slice(), true, i}) == Ints{2, 2, 4, 5});
  CHECK(shape({i, "...", true}) == Ints{2, 3, 4, 5});
  CHECK(shape({false}) == Ints{0, 2, 3, 4, 5});
  CHECK(shape({"...", ones({4, 5}, kBool)}) == Ints{2, 3, 20});
  CHECK(equal(x.index({i, Slice(), j, 1}), x.permute({0, 2, 1, 3}).index({i, j}).select(2, 1)));
}

TEST_CASE("views by index share memory, copies do not", "[indexing]") {
  const Tensor x = zeros({2, 3});
  x.index({1, Slice(1, None)}).fill_(1);
  x.index({tensor(0), 0}) += 2;
  x.index({tensor({0})}).fill_(9);
  CHECK(equal(x, tensor({{2.f, 0.f, 0.f}, {0.f, 1.f, 1.f}})));
  x.index_put_({x == 1}, 5);
  x.index_put_({"...", tensor({0, 0})}, 1, true);
  CHECK(equal(x, tensor({{4.f, 0.f, 0.f}, {2.f, 5.f, 5.f}})));
}

TEST_CASE("a failed assignment changes nothing", "[indexing]") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_AS(x.index_put_({tensor({0, 2})}, 1), IndexError);
  CHECK_THROWS_AS(x.index_put_({tensor({0, 1}), tensor({0, 1, 2})}, 1), ShapeError);
  CHECK_THROWS_AS(x.index_put_({ones({3}, kBool)}, 1), IndexError);
  CHECK_THROWS_AS(x.index_put_({tensor({0})}, ones({2, 2})), ShapeError);
  CHECK_THROWS_AS(x.index_put_({ones({2})}, 1), DTypeError);
  CHECK_THROWS_AS(x.expand({2, 2, 3}).index_put_({tensor({0})}, 1), AutogradError);
  CHECK(x.version() == 0);
  CHECK(equal(x, zeros({2, 3})));
  const Tensor w = ones({2}, requires_grad());
  CHECK_THAT(message_of<AutogradError>([&] { w.index_put_({tensor({0})}, 1); }), Contains("index_put_"));
  CHECK_THAT(message_of<AutogradError>([&] { w.index_put_({0}, 1); }), Contains("index_put_"));
}

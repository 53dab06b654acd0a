// The whole grammar of indexing against a loop over the elements: random index expressions, read, assigned and accumulated.
#include <random>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using namespace tapegrad::indexing;

namespace {

using Ints = std::vector<int64_t>;

int64_t count_of(const Ints& sizes) {
  int64_t n = 1;
  for (int64_t size : sizes) n *= size;
  return n;
}

// Element i of a row-major list of sizes, by dim.
Ints position(int64_t i, const Ints& sizes) {
  Ints at(sizes.size());
  for (size_t d = sizes.size(); d-- > 0;) {
    at[d] = i % sizes[d];
    i /= sizes[d];
  }
  return at;
}

// What one entry of an index list does: an axis of the result (which element of x's dim stands at each place), or an
// index tensor over x's dim. A dim of x for each, or none (None, a bool).
struct Part {
  enum { Axis, Advanced } kind;
  int64_t dim;  // of x, -1: none
  Ints sizes;   // of the axis, or of the index tensor
  Ints values;  // element of the dim
};

// What an index expression means, worked out part by part and element by element.
struct Model {
  Ints sizes;                // of x
  std::vector<Part> parts;   // in order
  Ints fixed;                // per dim of x: an integer's element, or -1
  bool broadcasts = true;    // whether the index tensors do
  Ints index_sizes, result;  // their common shape; the shape of the result
  Ints source;               // element of x for every element of the result

  void work_out() {
    size_t first = parts.size(), last = 0, advanced = 0;
    for (size_t p = 0; p < parts.size(); ++p) {
      if (parts[p].kind != Part::Advanced) continue;
      first = std::min(first, p);
      last = p;
      ++advanced;
      broaden(parts[p].sizes);
    }
    if (!broadcasts) return;
    const bool adjacent = advanced > 0 && last - first + 1 == advanced;
    if (advanced > 0 && !adjacent) result = index_sizes;
    size_t front = 0;  // where the index's dims begin
    std::vector<size_t> axis_place(parts.size());
    for (size_t p = 0; p < parts.size(); ++p) {
      if (adjacent && p == first) {
        front = result.size();
        result.insert(result.end(), index_sizes.begin(), index_sizes.end());
      }
      if (parts[p].kind != Part::Axis) continue;
      axis_place[p] = result.size();
      result.push_back(parts[p].sizes[0]);
    }
    for (int64_t i = 0; i < count_of(result); ++i) {
      const Ints at = position(i, result);
      Ints from = fixed;
      for (size_t p = 0; p < parts.size(); ++p) {
        if (parts[p].dim < 0) continue;
        const auto dim = static_cast<size_t>(parts[p].dim);
        if (parts[p].kind == Part::Axis) {
          from[dim] = parts[p].values[static_cast<size_t>(at[axis_place[p]])];
        } else {
          from[dim] = parts[p].values[static_cast<size_t>(place_in(parts[p].sizes, at, front))];
        }
      }
      int64_t element = 0;
      for (size_t d = 0; d < sizes.size(); ++d) element = element * sizes[d] + from[d];
      source.push_back(element);
    }
  }

 private:
  void broaden(const Ints& other) {
    Ints both(std::max(index_sizes.size(), other.size()), 1);
    for (size_t i = 1; i <= both.size(); ++i) {
      const int64_t a = i <= index_sizes.size() ? index_sizes[index_sizes.size() - i] : 1;
      const int64_t b = i <= other.size() ? other[other.size() - i] : 1;
      if (a != b && a != 1 && b != 1) broadcasts = false;
      both[both.size() - i] = a == 1 ? b : a;
    }
    index_sizes = both;
  }
  // Row-major place in an index tensor of `own` sizes, broadcast, at the index's part of `at`.
  int64_t place_in(const Ints& own, const Ints& at, size_t front) const {
    int64_t place = 0;
    const size_t missing = index_sizes.size() - own.size();
    for (size_t d = 0; d < own.size(); ++d) place = place * own[d] + (own[d] == 1 ? 0 : at[front + missing + d]);
    return place;
  }
};

// A random index expression for x of random sizes: the library's form and the model's.
struct Expression {
  std::mt19937 random;
  Model model;
  std::vector<TensorIndex> indices;
  std::string text;

  explicit Expression(unsigned seed) : random(seed) {
    const int64_t rank = below(5);
    for (int64_t d = 0; d < rank; ++d) model.sizes.push_back(below(12) == 0 ? 0 : 1 + below(4));
    model.fixed.assign(model.sizes.size(), -1);
    wide_ = 1 + below(3);
    const int64_t named = below(rank + 1);
    int64_t ellipsis_at = below(3) == 0 ? below(named + 1) : named + 1;
    bool ellipsis = false;
    while (dim_ < rank) {
      if (!ellipsis && dim_ >= ellipsis_at) {
        // "..." stands for all but the last few dims.
        const int64_t rest = below(rank - dim_ + 1);
        indices.push_back(TensorIndex("..."));
        text += " ...";
        whole_dims(rest);
        ellipsis = true;
        ellipsis_at = rank;
        continue;
      }
      if (!ellipsis && dim_ >= named) break;
      entry();
    }
    while (below(4) == 0) entry_without_dim();
    whole_dims(rank - dim_);
    model.work_out();
  }

 private:
  int64_t dim_ = 0, wide_ = 1;

  int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); }
  int64_t size() const { return model.sizes[static_cast<size_t>(dim_)]; }
  void add(TensorIndex index, const std::string& name) {
    indices.push_back(std::move(index));
    text += " " + name;
  }

  void whole_dims(int64_t count) {
    for (; count > 0; --count, ++dim_) {
      Part part{Part::Axis, dim_, {size()}, {}};
      for (int64_t i = 0; i < size(); ++i) part.values.push_back(i);
      model.parts.push_back(part);
    }
  }

  void entry() {
    switch (below(8)) {
      case 0: return entry_without_dim();
      case 1:
      case 2: return slice();
      case 3: return integer();
      case 4: return mask();
      default: return numbers();
    }
  }

  void entry_without_dim() {
    if (below(2) == 0) {
      add(None, "None");
      model.parts.push_back({Part::Axis, -1, {1}, {0}});
      return;
    }
    const bool value = below(5) != 0;
    if (below(2) == 0) add(value, value ? "true" : "false");
    else add(full({}, value, kBool), value ? "tensor(true)" : "tensor(false)");
    model.parts.push_back({Part::Advanced, -1, {value}, Ints(value, 0)});
  }

  void slice() {
    const auto bound = [this]() -> std::optional<int64_t> {
      if (below(3) == 0) return {};
      return below(2 * size() + 3) - size() - 1;
    };
    Slice s;
    s.start = bound();
    s.stop = bound();
    if (below(2)) s.step = 1 + below(3);
    const auto clamped = [this](int64_t i) { return std::min(std::max<int64_t>(i < 0 ? i + size() : i, 0), size()); };
    Part part{Part::Axis, dim_, {0}, {}};
    for (int64_t i = clamped(s.start.value_or(0)); i < clamped(s.stop.value_or(size())); i += s.step.value_or(1))
      part.values.push_back(i);
    part.sizes[0] = static_cast<int64_t>(part.values.size());
    add(s, "slice");
    model.parts.push_back(part);
    ++dim_;
  }

  void integer() {
    if (size() == 0) return slice();
    const int64_t i = below(size());
    const int64_t given = below(2) ? i : i - size();
    if (below(2)) add(given, std::to_string(given));
    else add(full({}, given, below(2) ? kInt64 : kInt32), "tensor(" + std::to_string(given) + ")");
    model.fixed[static_cast<size_t>(dim_++)] = i;
  }

  void numbers() {
    const std::vector<Ints> shapes{{wide_}, {1}, {2, wide_}, {2, 1}, {1, wide_}, {0}};
    Ints shape = shapes[static_cast<size_t>(below(24) == 0 ? 5 : below(5))];
    if (size() == 0) shape = {0};
    Part part{Part::Advanced, dim_, shape, {}};
    Ints given;
    for (int64_t i = 0; i < count_of(shape); ++i) {
      part.values.push_back(below(size()));
      given.push_back(below(2) ? part.values.back() : part.values.back() - size());
    }
    add(tapegrad::tensor(given).view(shape).to(below(2) ? kInt64 : kInt32), "tensor" + to_string(shape));
    model.parts.push_back(part);
    ++dim_;
  }

  void mask() {
    const int64_t covered = std::min<int64_t>(1 + below(2), static_cast<int64_t>(model.sizes.size()) - dim_);
    const Ints shape(model.sizes.begin() + dim_, model.sizes.begin() + dim_ + covered);
    const Tensor m = zeros(shape, below(4) ? kBool : kUInt8);
    std::vector<Part> parts;
    for (int64_t d = 0; d < covered; ++d) parts.push_back({Part::Advanced, dim_ + d, {0}, {}});
    for (int64_t i = 0; i < count_of(shape); ++i) {
      if (below(2)) continue;
      m.view(-1)[i] = 1;
      const Ints at = position(i, shape);
      for (size_t d = 0; d < at.size(); ++d) {
        parts[d].values.push_back(at[d]);
        ++parts[d].sizes[0];
      }
    }
    add(m, "mask" + to_string(shape));
    model.parts.insert(model.parts.end(), parts.begin(), parts.end());
    dim_ += covered;
  }
};

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

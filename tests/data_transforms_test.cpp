// Data sets of one's own, map(), transforms, and how batches come out of them.
#include <tapegrad/tapegrad.h>

#include "message.h"

using namespace tapegrad;
namespace transforms = data::transforms;

namespace {

using Example = data::Example<>;

// x = [i, i + 0.5], y = i
struct Pairs : data::Dataset<Pairs> {
  int64_t size() const { return 6; }
  Example get(int64_t i) const {
    const auto x = static_cast<double>(i);
    return {tensor({x, x + 0.5}), tensor(i)};
  }
};

data::TensorDataset images() {
  manual_seed(4);
  return {rand({6, 3, 4, 5}), arange(6)};
}

}  // namespace

TEST_CASE("map makes examples anew, one transform after the other", "[data]") {
  const auto set =
      Pairs()
          .map(transforms::TensorLambda<>([](Tensor x) { return x * 10; }))
          .map(transforms::Lambda<Example>([](const Example& e) { return Example(e.data, e.target + 100); }))
          .map([](const Example& e) { return Example(e.data + e.target, e.target); });
  CHECK(set.size() == 6);
  const Example one = set.get(2);
  CHECK(equal(one.data, tensor({20.0 + 102, 25.0 + 102})));
  CHECK(one.target.item<int64_t>() == 102);
  // A lvalue stays usable.
  const Pairs pairs;
  CHECK(equal(pairs.map(transforms::Normalize<>(1.0, 2.0)).get(3).data, tensor({1.0, 1.25})));
  CHECK(pairs.get(3).target.item<int64_t>() == 3);
}

TEST_CASE("Stack makes one batch of examples", "[data]") {
  const auto set = Pairs().map(transforms::Stack<>());
  const Example batch = set.get_batch({4, 1});
  CHECK(equal(batch.data, tensor({{4.0, 4.5}, {1.0, 1.5}})));
  CHECK(equal(batch.target, tensor({4, 1})));

  struct Alone : data::Dataset<Alone, data::TensorExample> {
    int64_t size() const { return 4; }
    data::TensorExample get(int64_t i) const { return tensor({i, 2 * i}); }
  };
  const data::TensorExample alone = Alone().map(transforms::Stack<data::TensorExample>()).get_batch({3, 1});
  CHECK(equal(alone.data, tensor({{3, 6}, {1, 2}})));
  CHECK_THAT(message_of<ValueError>([&] { set.get_batch({}); }), Contains("at least one example"));
}

TEST_CASE("a data set that stacks by itself is not stacked again", "[data]") {
  const data::TensorDataset set = images();
  const Example batch = set.map(transforms::Stack<>()).get_batch({5, 0});
  CHECK(equal(batch.data, data::take_rows(set.data(), {5, 0})));
  // A collation of one's own still sees single examples.
  using Examples = std::vector<Example>;
  const auto sums = set.map(transforms::Collate<double, Examples>([](const Examples& examples) {
    double sum = 0;
    for (const Example& e : examples) sum += e.target.item<double>();
    return sum;
  }));
  CHECK(sums.get_batch({5, 0, 3}) == 8);
  // As does a transform that is not for whole batches.
  int64_t calls = 0;
  const auto counted = set.map([&calls](const Example& e) { return ++calls, e; }).map(transforms::Stack<>());
  CHECK(equal(counted.get_batch({1, 2}).data, data::take_rows(set.data(), {1, 2})));
  CHECK(calls == 2);
}

TEST_CASE("Normalize takes one value or one per channel, per example or per batch", "[data]") {
  const data::TensorDataset set = images();
  const auto one = set.map(transforms::Normalize<>(0.1307, 0.3081));
  const auto three = set.map(transforms::Normalize<>({0.1, 0.2, 0.3}, {1, 2, 4}));
  const Tensor mean = tensor({0.1, 0.2, 0.3}, kFloat32).view({3, 1, 1}),
               std = tensor({1.0, 2.0, 4.0}, kFloat32).view({3, 1, 1});
  const Tensor batch = data::take_rows(set.data(), {2, 4});
  CHECK(equal(one.get_batch({2, 4}).data, (batch - 0.1307) / 0.3081));
  CHECK(equal(three.get_batch({2, 4}).data, (batch - mean) / std));
  CHECK(equal(three.get_batch({2, 4}).target, tensor({2, 4})));
  for (const int64_t i : {2, 4}) {  // bit by bit what the batch has
    CHECK(equal(one.get(i).data, one.get_batch({i}).data[0]));
    CHECK(equal(three.get(i).data, three.get_batch({i}).data[0]));
  }
  CHECK(equal(three.map(transforms::Stack<>()).get_batch({2, 4}).data, three.get_batch({2, 4}).data));
  CHECK(equal(transforms::Normalize<>(2, 4)(tensor({6, 10}, kUInt8)), tensor({1.0, 2.0})));
  CHECK(transforms::Normalize<>(2, 4)(tensor(6.0, kFloat64)).dtype() == kFloat64);
  CHECK(equal(transforms::Normalize<>({1, 2}, {1, 1})(tensor({5, 5})), tensor({4.0, 3.0})));
}

TEST_CASE("Normalize refuses what cannot be", "[data]") {
  CHECK_THAT(message_of<ValueError>([] { transforms::Normalize<>({1, 2}, {1, 2, 3}); }), Contains("got 2 and 3"));
  CHECK_THAT(message_of<ValueError>([] { transforms::Normalize<>(1, 0); }),
             Contains("positive") && Contains("channel 0"));
  CHECK_THAT(message_of<ValueError>([] { transforms::Normalize<>(std::nan(""), 1); }), Contains("mean must be finite"));
  const transforms::Normalize<> three({1, 2, 3}, {1, 1, 1});
  CHECK_THAT(message_of<ShapeError>([&] { three(zeros({4, 3})); }), Contains("dim 0") && Contains("[4, 3]"));
  CHECK_THAT(message_of<ShapeError>([&] { three(tensor(1.0)); }), Contains("3 channels") && Contains("[]"));
}

TEST_CASE("transforms of one's own derive from those there are", "[data]") {
  struct Flip : transforms::TensorTransform<> {
    Tensor operator()(Tensor x) const override { return cat({x.slice(0, 1, 2), x.slice(0, 0, 1)}, 0); }
  };
  struct Count : transforms::BatchTransform<std::vector<Example>, int64_t> {
    int64_t apply_batch(std::vector<Example> batch) const override { return static_cast<int64_t>(batch.size()); }
  };
  struct Name : transforms::Transform<Example, std::string> {
    std::string apply(Example e) const override { return "#" + std::to_string(e.target.item<int64_t>()); }
  };
  CHECK(equal(Pairs().map(Flip()).get(1).data, tensor({1.5, 1.0})));
  CHECK(Pairs().map(Count()).get_batch({1, 2, 3}) == 3);
  CHECK(Pairs().map(Name()).get(5) == "#5");
  CHECK(Name().apply_batch({Pairs().get(0), Pairs().get(2)}) == std::vector<std::string>{"#0", "#2"});
}

TEST_CASE("a data set may have get_batch alone, or not derive from anything", "[data]") {
  struct Batches : data::Dataset<Batches> {
    int64_t size() const { return 8; }
    std::vector<Example> get_batch(IntArrayRef indices) const {
      std::vector<Example> out;
      for (const int64_t i : indices) out.emplace_back(full({2}, i), tensor(i));
      return out;
    }
  };
  const auto set =
      Batches().map([](const Example& e) { return Example(e.data * 2, e.target); }).map(transforms::Stack<>());
  CHECK(equal(set.get_batch({3, 1}).data, tensor({{6, 6}, {2, 2}})));

  struct Plain {
    size_t size() const { return 3; }
    Example get(size_t i) { return {tensor(static_cast<int64_t>(i)), tensor(0)}; }
  };
  auto mapped = data::map(Plain(), [](const Example& e) { return e.data.item<int64_t>() + 1; });
  CHECK(mapped.size() == 3);
  CHECK(mapped.get(1) == 2);
}

TEST_CASE("rows are taken from any layout", "[data]") {
  const Tensor x = randn({5, 3, 4});
  const std::vector<int64_t> indices{4, 0, 0, 2};
  const auto expected = [&](const Tensor& from) { return from.index({tensor(indices)}); };
  for (const Tensor& from : {x, x.transpose(0, 1).contiguous().transpose(0, 1), x.permute({0, 2, 1}),
                             x.slice(2, 0, 4, 2), x.slice(0, 0, 5, 1).select(2, 1), x.slice(1, 0, 1).expand({5, 6, 4}),
                             x.to(kInt64), x.select(2, 0).select(1, 1).to(kFloat64), x.to(kUInt8)})
    CHECK(equal(data::take_rows(from, indices), expected(from)));
  CHECK(data::take_rows(x, {}).sizes().vec() == std::vector<int64_t>{0, 3, 4});
  CHECK(data::take_rows(zeros({5, 0}), indices).sizes().vec() == std::vector<int64_t>{4, 0});
}

// Taking and putting by index: gradients that meet, masks against NaN, failures that change nothing, threads, replay.
#include <cmath>
#include <cstring>
#include <limits>

#include "leaf.h"
#include "message.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.nbytes() == b.nbytes() && std::memcmp(a.data_ptr(), b.data_ptr(), static_cast<size_t>(a.nbytes())) == 0;
}

const double kNan = std::nan("");

}  // namespace

TEST_CASE("embedding: the padding row gets no gradient, frequent rows their share", "[gather]") {
  const Tensor weight = leaf({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});
  const Tensor index = tensor({{0, 1}, {1, 1}});
  const Tensor y = embedding(weight, index, 1);
  CHECK(equal(y.detach(), values({{{1.0, 2.0}, {3.0, 4.0}}, {{3.0, 4.0}, {3.0, 4.0}}})));
  CHECK(equal(gradient(y, weight), values({{1.0, 2.0}, {0.0, 0.0}, {0.0, 0.0}})));
  const Tensor shared = embedding(weight, index, -1, true);
  CHECK(equal(gradient(shared, weight), values({{1.0, 2.0}, {(3.0 + 5 + 7) / 3, (4.0 + 6 + 8) / 3}, {0.0, 0.0}})));
  const Tensor both = embedding(weight, index, 0, true);
  CHECK(allclose(gradient(both, weight), values({{0.0, 0.0}, {5.0, 6.0}, {0.0, 0.0}})));
  CHECK(equal(nn::functional::embedding(index, weight, 1), y));
  // Differentiable again, by the cotangent.
  const Tensor dy = ones({2, 2, 2}, dtype(kFloat64).requires_grad());
  const Tensor g = autograd::grad({y}, {weight}, {dy}, true, true)[0];
  CHECK(equal(gradient(g, dy), values({{{1.0, 2.0}, {0.0, 0.0}}, {{0.0, 0.0}, {0.0, 0.0}}})));
}

TEST_CASE("scatter: the last of several stays and has the gradient", "[gather]") {
  const Tensor x = leaf({1.0, 2.0, 3.0}), src = leaf({10.0, 20.0, 30.0, 40.0});
  const Tensor y = scatter(x, 0, tensor({2, 0, 2, 0}), src);
  CHECK(equal(y.detach(), values({40.0, 2.0, 30.0})));
  CHECK(equal(gradient(y, src), values({0.0, 0.0, 3.0, 1.0})));
  CHECK(equal(gradient(y, x), values({0.0, 2.0, 0.0})));
  CHECK(equal(gradient(index_copy(x, 0, tensor({1, 1}), src.slice(0, 0, 2)), src), values({0.0, 2.0, 0.0, 0.0})));
}

TEST_CASE("index_fill counts negative indices from the end", "[gather]") {
  const Tensor x = zeros({3}, kFloat64);
  CHECK(equal(x.index_fill(0, tensor({-1, 0}), 2), values({2.0, 0.0, 2.0})));
  CHECK(equal(x.index_fill_(0, tensor({-3}, kInt32), 1), values({1.0, 0.0, 0.0})));
}

TEST_CASE("take is a method too; repeat_interleave of counts keeps their dtype", "[gather]") {
  CHECK(equal(values({4.0, 5.0, 6.0}).take(tensor({2, -3})), values({6.0, 4.0})));
  CHECK(equal(repeat_interleave(tensor({1, 2}, kInt32)), tensor({0, 1, 1}, kInt32)));
}

TEST_CASE("a failed write changes nothing", "[gather]") {
  const Tensor x = arange(6, kFloat64).view({2, 3}), before = x.clone();
  const Tensor far = tensor({0, 7}), two = ones({2, 3}, kFloat64);
  CHECK_THROWS_AS(x.index_add_(0, far, two), IndexError);
  CHECK_THROWS_AS(x.index_copy_(0, far, two), IndexError);
  CHECK_THROWS_AS(x.index_fill_(0, far, 1), IndexError);
  CHECK_THROWS_AS(x.scatter_(0, far.view({1, 2}), 1), IndexError);
  CHECK_THROWS_AS(x.scatter_add_(1, far.view({2, 1}), two), IndexError);
  CHECK_THROWS_AS(x.scatter_add_(1, far.view({2, 1}), two.to(kFloat32)), DTypeError);
  CHECK_THROWS_AS(x.masked_scatter_(ones({2, 3}, kBool), ones({2}, kFloat64)), ValueError);
  CHECK_THROWS_AS(x.masked_fill_(ones({3, 3}, kBool), 1), ShapeError);
  CHECK(equal(x, before));
  CHECK(x.version() == 0);
  const Tensor w = leaf({1.0});
  CHECK_THROWS_AS(w.index_fill_(0, tensor({0}), 2), AutogradError);
  CHECK_THROWS_AS(w.masked_fill_(tensor({true}), 2), AutogradError);
  CHECK_THROWS_AS(expand(values({1.0}), 3).scatter_(0, tensor({0}), 2), AutogradError);
}

TEST_CASE("what is cut or masked does not count, NaN or not", "[gather]") {
  const Tensor x = values({{1.0, kNan}, {2.0, kNan}});
  CHECK(equal(tril(x, -1), values({{0.0, 0.0}, {2.0, 0.0}})));
  CHECK(equal(x.masked_fill(isnan(x), 3), values({{1.0, 3.0}, {2.0, 3.0}})));
  const Tensor y = x.clone();
  y.tril_(-1);
  CHECK(equal(y, values({{0.0, 0.0}, {2.0, 0.0}})));
  CHECK(std::isnan(x.gather(1, tensor({{1}, {0}}))[0].item<double>()));
  const Tensor leaf_x = x.clone().requires_grad_();
  CHECK(equal(gradient(leaf_x.masked_fill(isnan(x), 0).sum(), leaf_x), values({{1.0, 0.0}, {1.0, 0.0}})));
  const Tensor mean = leaf_x.masked_select(x == x).mean();
  CHECK(mean.item<double>() == 1.5);
}

TEST_CASE("an index written after forward is caught", "[gather]") {
  const Tensor x = leaf({1.0, 2.0, 3.0}), index = tensor({0, 2});
  const Tensor y = x.gather(0, index), z = x.index_select(0, index);
  CHECK(autograd::saved_bytes(y) > 0);
  index.fill_(1);
  CHECK_THAT(message_of<AutogradError>([&] { y.sum().backward(); }), Contains("gather"));
  CHECK_THAT(message_of<AutogradError>([&] { z.sum().backward(); }), Contains("index_select"));
}

TEST_CASE("in place on the tape, through views and with operands of the same memory", "[gather]") {
  const Tensor x = leaf({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor y = x * 1;
  y.t().index_add_(0, tensor({1, 1}), y);  // column 1 += row 0 and row 1
  CHECK(equal(y.detach(), values({{1.0, 2.0 + 4}, {3.0, 4.0 + 6}})));
  CHECK(equal(gradient(y, x), values({{1.0 + 2, 2.0 + 4}, {3.0 + 2, 4.0 + 4}})));
  y[0].masked_fill_(tensor({true, false}), x[1][1]);
  CHECK(equal(gradient(y, x), values({{2.0, 6.0}, {5.0, 4.0 + 4 + 1}})));
  const Tensor order = tensor({2, 0, 1});
  order.scatter_(0, order, arange(3));
  CHECK(equal(order, tensor({1, 2, 0})));
  const Tensor strided = (x * 1).t();
  strided.masked_scatter_(tensor({{true, false}, {true, true}}), x.view(4));
  CHECK(equal(strided.detach(), values({{1.0, 3.0}, {2.0, 3.0}})));
  CHECK(equal(gradient(strided, x), values({{1.0, 3.0}, {4.0 + 2, 0.0}})));
}

TEST_CASE("sums by index have the same bits at any thread count", "[gather]") {
  const int threads = get_num_threads();
  Generator generator(3);
  const int64_t rows = 50, count = 40000, width = 33;
  const Tensor index = randint(rows, {count});
  const Tensor src = randn({count, width}, generator).requires_grad_();
  const auto run = [&](int n) {
    set_num_threads(n);
    const Tensor weight = zeros({rows, width}, requires_grad());
    const Tensor dy = src.detach();
    const Tensor g = autograd::grad({embedding(weight, index)}, {weight}, {dy})[0];
    const Tensor sums = index_add(zeros({width, rows}), 1, index, dy.t());
    const Tensor by_element = scatter_add(zeros({rows, width}), 0, index.unsqueeze(1).expand({count, width}), dy);
    CHECK(same_bits(g, by_element));
    CHECK(same_bits(g, sums.t().contiguous()));
    return g;
  };
  const Tensor one = run(1);
  for (int n : {2, 3, 4}) CHECK(same_bits(one, run(n)));
  set_num_threads(threads);
  // The order is the one of the index.
  const Tensor expected = zeros({rows, width});
  auto sum = expected.accessor<float, 2>();
  auto from = src.accessor<float, 2>();
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t i = 0; i < width; ++i) sum[index.data_ptr<int64_t>()[j]][i] += from[j][i];
  }
  CHECK(same_bits(one, expected));
}

TEST_CASE("kept launches read the index again", "[gather]") {
  const Tensor x = values({1.0, 2.0, 3.0}), index = tensor({0, 2}), y = values({0.0, 0.0});
  LaunchList list;
  y.copy_(x.index_select(0, index));
  list.stop();
  CHECK(equal(y, values({1.0, 3.0})));
  index.fill_(1);
  list.run();
  CHECK(equal(y, values({2.0, 2.0})));
  index.fill_(3);
  CHECK_THROWS_AS(list.run(), IndexError);
  CHECK(equal(y, values({2.0, 2.0})));
}

TEST_CASE("unique with NaN, and what is not asked for", "[gather]") {
  const auto [found, inverse, counts] = unique(values({kNan, 2.0, kNan, -1.0, 2.0}), true, true, true);
  CHECK(equal(found.slice(0, 0, 2), values({-1.0, 2.0})));
  CHECK(found.size(0) == 4);
  CHECK(std::isnan(found[2].item<double>()));
  CHECK(equal(counts, tensor({1, 2, 1, 1})));
  CHECK(inverse[1].item<int64_t>() == 1);
  CHECK(inverse[0].item<int64_t>() + inverse[2].item<int64_t>() == 5);
  CHECK(std::get<1>(unique(tensor({true, false}))).numel() == 0);
  CHECK(equal(std::get<0>(unique(tensor({true, false, true}))), tensor({false, true})));
}

TEST_CASE("repeats and diagonals at the largest rank", "[gather]") {
  const Tensor x = arange(4, kFloat64).view({1, 2, 1, 1, 1, 1, 2, 1}).requires_grad_();
  const Tensor y = x.repeat({1, 1, 1, 3, 1, 1, 1, 2});
  CHECK(y.numel() == 24);
  CHECK(equal(autograd::grad({y.sum()}, {x})[0], full({1, 2, 1, 1, 1, 1, 2, 1}, 6.0, kFloat64)));
  CHECK(x.repeat({0, 1, 1, 1, 1, 1, 1, int64_t{1} << 40}).numel() == 0);
  CHECK_THAT(message_of<ShapeError>([&] {
               x.repeat({1, 1, 1, 1, 1, 1, 1, 1, 1});
             }),
             Contains("repeat: at most 8 dims"));
  CHECK_THROWS_AS(ones({2}).repeat({std::numeric_limits<int64_t>::max()}), ShapeError);
  CHECK_THROWS_AS(diag_embed(ones({2}), std::numeric_limits<int64_t>::min()), ShapeError);
  CHECK(diagonal(ones({2, 2}), std::numeric_limits<int64_t>::min()).numel() == 0);
}

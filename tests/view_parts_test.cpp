// Writing through the parts of a tensor: pieces, rows, diagonals, windows and strided views, and what is refused.
#include "leaf.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

const TensorData kMatrix{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};

}  // namespace

TEST_CASE("writing through pieces and rows", "[views]") {
  const Tensor x = leaf(kMatrix);
  const Tensor y = x * 1;
  const std::vector<Tensor> pieces = y.split({1, 2}, 1);
  const std::vector<Tensor> rows = y.unbind();
  pieces[1].mul_(10);
  CHECK(equal(y.detach(), values({{1.0, 20.0, 30.0}, {4.0, 50.0, 60.0}})));
  CHECK(equal(gradient(y, x), values({{1.0, 20.0, 30.0}, {4.0, 50.0, 60.0}})));
  CHECK(equal(gradient(rows[1], x), values({{0.0, 0.0, 0.0}, {1.0, 20.0, 30.0}})));
  rows[0].copy_(pieces[1][1].sum() * x[1]);
  CHECK(equal(y[0].detach(), values({440.0, 550.0, 660.0})));
  CHECK(equal(gradient(pieces[0], x), values({{0.0, 0.0, 0.0}, {110.0 + 2, 40.0, 40.0}})));
  CHECK(rows[1].is_view());
  CHECK(rows[1].version() == y.version());
}

TEST_CASE("pieces without a gradient, and a gradient of one piece alone", "[views]") {
  const Tensor x = leaf(kMatrix);
  const std::vector<Tensor> pieces = x.chunk(2, 1);
  CHECK(equal(gradient(square(pieces[1]), x), values({{0.0, 0.0, 6.0}, {0.0, 0.0, 24.0}})));
  const std::vector<Tensor> rows = x.unbind();
  const Tensor g = autograd::grad({(rows[0] * rows[1]).sum()}, {x}, {}, true, true)[0];
  CHECK(equal(g.detach(), values({{4.0, 5.0, 6.0}, {1.0, 2.0, 3.0}})));
  CHECK(equal(gradient(g, x), values({{4.0, 5.0, 6.0}, {1.0, 2.0, 3.0}})));
  CHECK(unbind(zeros({0, 2})).empty());
  CHECK_THAT(message_of<AutogradError>([&] { rows[0].add_(1); }), Contains("a view of a leaf that requires grad"));
}

TEST_CASE("writing a diagonal", "[views]") {
  const Tensor x = leaf({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor y = x * 1;
  const Tensor d = y.diagonal();
  d.mul_(d);
  CHECK(equal(y.detach(), values({{1.0, 2.0}, {3.0, 16.0}})));
  CHECK(equal(gradient(y, x), values({{2.0, 2.0}, {3.0, 32.0}})));
  const Tensor g = autograd::grad({y.sum()}, {x}, {}, true, true)[0];
  CHECK(equal(gradient(g, x), values({{2.0, 0.0}, {0.0, 8.0}})));
  y.diagonal(1).zero_();
  CHECK(equal(gradient(y, x), values({{2.0, 0.0}, {3.0, 32.0}})));
  y.diagonal(5).fill_(7);
  CHECK(equal(y.detach(), values({{1.0, 0.0}, {3.0, 16.0}})));
}

TEST_CASE("writing windows", "[views]") {
  const Tensor x = leaf({1.0, 2.0, 3.0, 4.0, 5.0});
  const Tensor y = x * 1;
  y.unfold(0, 2, 3).mul_(10);  // 0, 1 and 3, 4
  CHECK(equal(y.detach(), values({10.0, 20.0, 3.0, 40.0, 50.0})));
  CHECK(equal(gradient(y, x), values({10.0, 20.0, 3.0, 40.0, 50.0})));
  CHECK_THAT(message_of<AutogradError>([&] { y.unfold(0, 3, 1).add_(1); }),
             Contains("several elements of the tensor share memory"));
  CHECK(equal(y.detach(), values({10.0, 20.0, 3.0, 40.0, 50.0})));
}

TEST_CASE("writing through as_strided", "[views]") {
  const Tensor x = leaf(kMatrix);
  const Tensor y = x * 1;
  const Tensor corners = y.as_strided({2, 2}, {3, 2});
  corners.mul_(10);
  CHECK(equal(y.detach(), values({{10.0, 2.0, 30.0}, {40.0, 5.0, 60.0}})));
  CHECK(equal(gradient(y, x), values({{10.0, 2.0, 30.0}, {40.0, 5.0, 60.0}})));
  y.mul_(2);  // the view is derived afresh
  CHECK(equal(gradient(corners, x), values({{20.0, 0.0, 40.0}, {60.0, 0.0, 80.0}})));
  // Interleaved, but every element by itself: 0, 2, 4 and 3, 5, 7.
  const Tensor line = arange(8, kFloat64);
  line.as_strided({2, 3}, {3, 2}).zero_();
  CHECK(equal(line, values({0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0})));
  CHECK_THROWS_AS(line.as_strided({2, 3}, {2, 2}).zero_(), AutogradError);
}

TEST_CASE("as_strided beyond what its tensor shows", "[views]") {
  const Tensor whole = values({0.0, 1.0, 2.0, 3.0, 4.0, 5.0});
  const Tensor part = whole.slice(0, 2, 4).detach().requires_grad_();
  const Tensor all = part.as_strided(6, 1, 0);
  CHECK(equal(all.detach(), whole));
  CHECK(equal(gradient(all, part), values({3.0, 4.0})));
  CHECK(gradient(part.as_strided({2, 2}, {1, 1}), part).equal(values({1.0, 5.0})));
  // The same again after a write, when the view's place on the tape is worked out from its base.
  const Tensor base = whole.slice(0, 2, 4).detach();
  const Tensor view = base.as_strided(6, 1, 0);
  const Tensor factor = leaf({3.0, 4.0});
  base.mul_(factor);
  CHECK(equal(view.detach(), values({0.0, 1.0, 6.0, 12.0, 4.0, 5.0})));
  CHECK(equal(gradient(view, factor), values({3.0 * 2, 4.0 * 3})));
}

TEST_CASE("as_strided of an expanded tensor", "[views]") {
  const Tensor x = leaf({1.0, 2.0, 3.0});
  const Tensor y = x.expand({4, 3}).as_strided({3}, {1});
  CHECK(equal(gradient(y, x), values({1.0, 2.0, 3.0})));
  const GradcheckReport report = gradcheck_report(
      [](const std::vector<Tensor>& in) {
        return in[0].expand({4, 3}).as_strided({2, 2}, {1, 1});
      },
      {x}, {.order = 2, .layout_sensitive = true});
  INFO(report.text());
  CHECK(report.ok());
}

TEST_CASE("a write after a part was saved is caught", "[views]") {
  const Tensor x = leaf(kMatrix);
  const auto written_after = [&](auto part) {
    const Tensor y = x * 1;
    const Tensor z = square(part(y)).sum();
    y.mul_(2);
    return message_of<AutogradError>([&] { z.backward(); });
  };
  CHECK_THAT(written_after([](const Tensor& y) { return y.diagonal(); }), Contains("square"));
  CHECK_THAT(written_after([](const Tensor& y) { return y.split(1)[1]; }), Contains("square"));
  CHECK_THAT(written_after([](const Tensor& y) { return y.unbind(1)[2]; }), Contains("square"));
  CHECK_THAT(written_after([](const Tensor& y) { return y.unfold(1, 2, 1); }), Contains("square"));
  CHECK_THAT(written_after([](const Tensor& y) { return y.as_strided({2}, {4}); }), Contains("square"));
}

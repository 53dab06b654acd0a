// vjp, jvp, hvp, vhp, jacobian, hessian and per-sample gradients: values, several inputs and outputs, state, errors.
#include <cmath>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::ForwardMode;
using autograd::JacobianStrategy;
using Tensors = std::vector<Tensor>;

namespace {

Tensor values(const TensorData& data) { return tensor(data, kFloat64); }
Tensor drawn(IntArrayRef sizes) { return randn(sizes, kFloat64); }

// Two inputs, two outputs of other shapes.
Tensors mixed(const Tensor& a, const Tensor& b) { return {mm(a, b), sum(a * a, 1) * exp(b[0][0])}; }
Tensor cubic(const Tensor& a, const Tensor& b) { return sum(mm(a, b) * mm(a, b) * b[0][0]) + sum(exp(b)); }

void check_near(const Tensor& a, const Tensor& b, double rtol = 1e-12) {
  REQUIRE(a.sizes() == b.sizes());
  REQUIRE(a.dtype() == b.dtype());
  const double size = b.numel() ? max(abs(b)).item<double>() : 0;
  const double off = b.numel() ? max(abs(a - b)).item<double>() : 0;
  CAPTURE(off, size);
  CHECK(off <= rtol * size);
}

// sum_j J[i][j] dx[j], contracted by hand.
Tensor contracted(const Tensors& row, const Tensors& dx, const Tensor& y) {
  Tensor total = zeros({y.numel()}, kFloat64);
  for (size_t j = 0; j < row.size(); ++j)
    total = total + mv(reshape(row[j], {y.numel(), dx[j].numel()}), reshape(dx[j], {-1}));
  return reshape(total, y.sizes());
}

// y = x x, with a rule and no tangent.
struct Squared : autograd::Function<Squared> {
  static Tensor forward(autograd::AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x;
  }
  static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list dy) {
    return {dy[0] * ctx->get_saved_variables()[0] * 2};
  }
};

// y = x, counting sweeps.
struct Counted {
  static constexpr const char* name = "counted";
  int* sweeps;
  Tensor forward(const Tensor& x) {
    const NoGradGuard no_grad;
    return x * 1;
  }
  Grads backward(const Tensor& dy) const {
    ++*sweeps;
    return {dy * 1};
  }
  Tensor tangent(const Tensor& dx) const { return dx * 1; }
};

}  // namespace

TEST_CASE("jacobian by rows, by columns, and by products", "[transform]") {
  manual_seed(11);
  const Tensors x{drawn({2, 3}), drawn({3, 2})};
  const auto rows = autograd::jacobian(mixed, x, {.strategy = JacobianStrategy::reverse});
  const auto columns = autograd::jacobian(mixed, x, {.strategy = JacobianStrategy::forward});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0][0].sizes() == IntArrayRef({2, 2, 2, 3}));
  CHECK(rows[1][1].sizes() == IntArrayRef({2, 3, 2}));
  for (size_t o = 0; o < 2; ++o) {
    for (size_t j = 0; j < 2; ++j) check_near(columns[o][j], rows[o][j]);
  }
  // d (a b)[i, k] / d a[i, l] = b[l, k]
  check_near(rows[0][0].index({1, 0, 1}), x[1].index({indexing::Slice(), 0}));
  CHECK(max(abs(rows[0][0].index({1, 0, 0}))).item<double>() == 0);

  const Tensors v{drawn({2, 3}), drawn({3, 2})};
  const Tensors w{drawn({2, 2}), drawn({2})};
  const auto [y, t] = autograd::jvp(mixed, x, v);
  const auto [y2, t2] = autograd::jvp(mixed, x, v, {.mode = ForwardMode::double_backward});
  const auto [y3, g] = autograd::vjp(mixed, x, w);
  double left = 0, right = 0;
  for (size_t o = 0; o < 2; ++o) {
    CHECK(equal(y[o], mixed(x[0], x[1])[o]));
    CHECK(equal(y[o], y2[o]));
    CHECK(equal(y[o], y3[o]));
    check_near(t[o], contracted(rows[o], v, y[o]));
    check_near(t2[o], t[o]);
    left += sum(w[o] * t[o]).item<double>();
    right += sum(g[o] * v[o]).item<double>();
    CHECK_FALSE(t[o].requires_grad());
    CHECK_FALSE(t2[o].requires_grad());
    CHECK_FALSE(y[o].requires_grad());
    CHECK_FALSE(rows[o][0].requires_grad());
  }
  CHECK(std::abs(left - right) <= 1e-12 * std::abs(left));
}

TEST_CASE("hessian blocks, hvp by either mode and vhp agree", "[transform]") {
  manual_seed(12);
  const Tensors x{drawn({2, 3}), drawn({3, 2})};
  const Tensors v{drawn({2, 3}), drawn({3, 2})};
  const auto rows = autograd::hessian(cubic, x);
  const auto columns = autograd::hessian(cubic, x, {.strategy = JacobianStrategy::forward});
  const auto [y, forward] = autograd::hvp(cubic, x, v);
  const auto [y2, twice] = autograd::hvp(cubic, x, v, {.mode = ForwardMode::double_backward});
  const auto [y3, swept] = autograd::vhp(cubic, x, v);
  CHECK(equal(y, cubic(x[0], x[1])));
  CHECK(equal(y2, y));
  CHECK(equal(y3, y));
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 2; ++j) {
      check_near(columns[i][j], rows[i][j]);
      check_near(reshape(rows[i][j], {6, 6}), t(reshape(rows[j][i], {6, 6})));
    }
    check_near(forward[i], contracted(rows[i], v, x[i]));
    check_near(twice[i], forward[i]);
    check_near(swept[i], forward[i]);
  }
}

TEST_CASE("transformations of one tensor give one tensor", "[transform]") {
  const Tensor x = values({0.5, -1, 2});
  const auto f = [](const Tensor& t) { return t * t * t; };
  check_near(autograd::jacobian(f, x), diag_embed(3 * x * x));
  const auto [y, g] = autograd::vjp(f, x, values({1, 10, 100}));
  CHECK(equal(y, x * x * x));
  check_near(g, 3 * x * x * values({1, 10, 100}));
  check_near(autograd::jvp(f, x, values({1, 10, 100})).second, g);
  const auto energy = [](const Tensor& t) { return sum(t * t * t); };
  check_near(autograd::hessian(energy, x), diag_embed(6 * x));
  check_near(autograd::hvp(energy, x, values({1, 10, 100})).second, 6 * x * values({1, 10, 100}));
  check_near(autograd::vhp(energy, x, values({1, 10, 100})).second, 6 * x * values({1, 10, 100}));
  check_near(autograd::vjp(energy, x).second, 3 * x * x);  // one element: v is 1
  check_near(autograd::jvp(f, values({2})).second, values({12}));
  check_near(autograd::hvp(energy, values({2})).second, values({12}));
  nn::Parameter p(values({0.5, -1, 2}).requires_grad_());
  check_near(autograd::jacobian(f, p), diag_embed(3 * x * x));
  // A list of one in braces is a list.
  const auto table = autograd::jacobian(f, {x});
  static_assert(std::is_same_v<decltype(table), const autograd::TensorTable>);
}

TEST_CASE("jacobians of scalars, empty tensors and float32", "[transform]") {
  const Tensor s = tensor(3.0, kFloat64);
  const Tensor j = autograd::jacobian([](const Tensor& x) { return x * x; }, s);
  CHECK(j.dim() == 0);
  CHECK(j.item<double>() == 6);
  const auto twice = [](const Tensor& x) { return x * 2; };
  CHECK(autograd::jacobian(twice, zeros({0, 2}, kFloat64)).sizes() == IntArrayRef({0, 2, 0, 2}));
  CHECK(autograd::jacobian(twice, zeros({0}), {.strict = true}).sizes() == IntArrayRef({0, 0}));
  const Tensor single = autograd::jacobian(twice, ones({2}));
  CHECK(single.dtype() == kFloat32);
  CHECK(equal(single, eye(2) * 2));
  // A cast between: the block has the input's dtype in both strategies.
  const auto cast = [](const Tensor& x) { return to(x, kFloat32) * 3; };
  for (const auto strategy : {JacobianStrategy::reverse, JacobianStrategy::forward})
    CHECK(equal(autograd::jacobian(cast, ones({2}, kFloat64), {.strategy = strategy}), eye(2, kFloat64) * 3));
  // Strided inputs, and an output that is the input.
  const Tensor strided = t(drawn({2, 3}));
  CHECK(equal(autograd::jacobian([](const Tensor& x) { return x; }, strided), reshape(eye(6, kFloat64), {3, 2, 3, 2})));
}

TEST_CASE("automatic strategy takes the smaller side, and rows where a tangent rule is missing", "[transform]") {
  int sweeps = 0;
  const auto counted = [&](const Tensor& x) { return apply(Counted{&sweeps}, x); };
  const auto widen = [&](const Tensor& x) { return cat({counted(x), x, x}, 0); };
  const auto narrowed = [&](const Tensor& x) { return sum(counted(x)); };
  autograd::jacobian(widen, values({1, 2}));
  CHECK(sweeps == 0);
  autograd::jacobian(narrowed, values({1, 2}));
  CHECK(sweeps == 1);
  const Tensor x = values({1, 2});
  const auto opaque = [](const Tensor& v) { return cat({Squared::apply(v), v}, 0); };
  const Tensor j = autograd::jacobian(opaque, x);
  CHECK(equal(j, cat({diag_embed(2 * x), eye(2, kFloat64)}, 0)));
  CHECK_THAT(message_of<AutogradError>([&] { autograd::jacobian(opaque, x, {.strategy = JacobianStrategy::forward}); }),
             Contains("Squared: there is no forward-mode rule"));
  CHECK_THROWS_AS(autograd::jvp(opaque, x, x), AutogradError);
  check_near(autograd::jvp(opaque, x, x, {.mode = ForwardMode::double_backward}).second, cat({2 * x * x, x}, 0));
}

TEST_CASE("create_graph: derivatives of derivatives, joined to the inputs", "[transform]") {
  manual_seed(13);
  const Tensor x = drawn({3}).requires_grad_();
  const Tensor v = drawn({3}).requires_grad_();
  const auto f = [](const Tensor& t) { return t * t * t; };
  for (const auto strategy : {JacobianStrategy::reverse, JacobianStrategy::forward}) {
    const Tensor j = autograd::jacobian(f, x, {.create_graph = true, .strategy = strategy});
    const Tensor w = drawn({3, 3});
    check_near(autograd::grad({j}, {x}, {w})[0], 6 * x.detach() * diagonal(w));
  }
  const auto energy = [](const Tensor& t) { return sum(t * t * t); };
  for (const auto mode : {ForwardMode::tangents, ForwardMode::double_backward}) {
    const auto [y, t] = autograd::jvp(f, x, v, {.create_graph = true, .mode = mode});
    const auto g = autograd::grad({sum(t * t)}, {x, v});
    const Tensor a = x.detach(), b = v.detach();
    check_near(g[0], 2 * (3 * a * a * b) * (6 * a * b));
    check_near(g[1], 2 * (3 * a * a * b) * (3 * a * a));
    CHECK(y.requires_grad());
    const auto [e, h] = autograd::hvp(energy, x, v, {.create_graph = true, .mode = mode});
    check_near(autograd::grad({h}, {x}, {b})[0], 6 * b * b);
  }
  const auto [y, g] = autograd::vjp(f, x, v, {.create_graph = true});
  check_near(autograd::grad({g}, {v}, {ones({3}, kFloat64)})[0], 3 * x.detach() * x.detach());
  const auto [e, h] = autograd::vhp(energy, x, v.detach(), {.create_graph = true});
  check_near(autograd::grad({h}, {x}, {v.detach()})[0], 6 * v.detach() * v.detach());
  const Tensor hessian = autograd::hessian(energy, x, {.create_graph = true});
  check_near(autograd::grad({hessian}, {x}, {ones({3, 3}, kFloat64)})[0], values({6, 6, 6}));
  CHECK_FALSE(x.grad().defined());
  // An input that does not require grad still has derivatives that can be read.
  check_near(autograd::jacobian(f, x.detach(), {.create_graph = true}), diag_embed(3 * x.detach() * x.detach()));
}

TEST_CASE("transformations leave the caller's state alone", "[transform]") {
  Tensor x = values({1, 2}).requires_grad_();
  x.mutable_grad() = values({7, 7});
  const Tensor weight = values({3, 4}).requires_grad_();  // taken from outside
  const auto f = [&](const Tensor& t) { return sum(t * t * weight); };
  const uint32_t version = x.version();
  const int64_t nodes = autograd::live_nodes();
  for (const bool on : {true, false}) {
    const AutoGradMode mode(on);
    autograd::vjp(f, x);
    autograd::jvp(f, x, x.detach());
    autograd::jvp(f, x, x.detach(), {.mode = ForwardMode::double_backward});
    autograd::hvp(f, x, x.detach());
    autograd::vhp(f, x, x.detach());
    check_near(autograd::jacobian(f, x), 2 * x.detach() * weight.detach());
    check_near(autograd::hessian(f, x), diag_embed(2 * weight.detach()));
    CHECK(GradMode::is_enabled() == on);
    // The graph is made although the caller records nothing.
    CHECK(autograd::jacobian(f, x, {.create_graph = true}).requires_grad());
    CHECK_THROWS_AS(autograd::vjp([](const Tensor& t) -> Tensor { return t.reshape({3}); }, x), ShapeError);
    CHECK(GradMode::is_enabled() == on);
  }
  CHECK(autograd::live_nodes() == nodes);
  CHECK(equal(x.grad(), values({7, 7})));
  CHECK(equal(x.detach(), values({1, 2})));
  CHECK(x.version() == version);
  CHECK(x.is_leaf());
  CHECK_FALSE(weight.grad().defined());
  CHECK_THROWS_AS(autograd::vjp([](const Tensor& t) { return Tensor(t).mul_(2); }, x, x.detach()), AutogradError);
  CHECK(equal(x.detach(), values({1, 2})));
}

TEST_CASE("integer and unused inputs: zeros, or an error when strict", "[transform]") {
  const Tensors x{values({1, 2}), tensor({1, 0}, kInt64), values({5, 6, 7})};
  const auto f = [](const Tensor& a, const Tensor& i, const Tensor&) -> Tensors {
    return {index_select(a, 0, i) * 2, argmax(a, 0)};
  };
  const auto [y, g] = autograd::vjp(f, x, {values({1, 10}), Tensor()});
  CHECK(equal(g[0], values({20, 2})));
  CHECK(equal(g[1], zeros({2}, kInt64)));
  CHECK(equal(g[2], zeros({3}, kFloat64)));
  CHECK(y[1].dtype() == kInt64);
  const auto t = autograd::jvp(f, x, {values({1, 10}), Tensor(), values({1, 1, 1})}).second;
  CHECK(equal(t[0], values({20, 2})));
  CHECK(equal(t[1], zeros({}, kInt64)));
  for (const auto strategy : {JacobianStrategy::reverse, JacobianStrategy::forward}) {
    const auto j = autograd::jacobian(f, x, {.strategy = strategy});
    CHECK(equal(j[0][0], values({{0, 2}, {2, 0}})));
    CHECK(equal(j[0][1], zeros({2, 2}, kFloat64)));
    CHECK(equal(j[0][2], zeros({2, 3}, kFloat64)));
    CHECK(equal(j[1][0], zeros({2}, kFloat64)));
    CHECK(equal(j[1][1], zeros({2})));
    const auto strict = [&] { autograd::jacobian(f, x, {.strict = true, .strategy = strategy}); };
    CHECK_THAT(
        message_of<AutogradError>(strict),
        Contains("jacobian: with strict, every output must depend on every input, got output ") &&
            Contains(strategy == JacobianStrategy::reverse ? "0 independent of input 1" : "1 independent of input 0"));
  }
  const auto loss = [](const Tensor& a, const Tensor&, const Tensor& b) { return sum(a * a) + sum(b); };
  const auto h = autograd::hessian(loss, x);
  CHECK(equal(h[0][0], eye(2, kFloat64) * 2));
  CHECK(equal(h[1][1], zeros({2, 2})));
  CHECK(equal(h[2][2], zeros({3, 3}, kFloat64)));
  const Tensors v{values({1, 1}), Tensor(), values({1, 1, 1})};
  CHECK(equal(autograd::hvp(loss, x, v).second[1], zeros({2}, kInt64)));
  CHECK(equal(autograd::vhp(loss, x, v).second[2], zeros({3}, kFloat64)));

  CHECK_THAT(
      message_of<AutogradError>([&] {
        autograd::vjp(f, x, {values({1, 1}), Tensor()}, {.strict = true});
      }),
      Contains("vjp: with strict, an output must depend on every input, got input 1 independent, shape [2] int64"));
  CHECK_THAT(message_of<AutogradError>([&] {
               autograd::jvp(f, x, {values({1, 1}), Tensor(), Tensor()}, {.strict = true});
             }),
             Contains("jvp: with strict, every output must depend on an input that moves, got output 1 independent"));
  CHECK_THAT(message_of<AutogradError>([&] { autograd::hessian(loss, x, {.strict = true}); }),
             Contains("hessian: with strict, the output must depend on every input, got input 1"));
  CHECK_THAT(message_of<AutogradError>([&] { autograd::hvp(loss, x, v, {.strict = true}); }),
             Contains("hvp: with strict, the gradient by every input must depend on an input, got gradient 1"));
  CHECK_THAT(message_of<AutogradError>([&] { autograd::vhp(loss, x, v, {.strict = true}); }),
             Contains("vhp: with strict, the gradient by every input must depend on an input, got gradient 1"));
}

TEST_CASE("what transformations refuse", "[transform]") {
  const Tensor x = values({1, 2});
  const auto square = [](const Tensor& t) { return t * t; };
  const auto said = [](const auto& f, const char* text) { CHECK_THAT(message_of<Error>(f), Contains(text)); };
  said([&] { autograd::vjp(square, Tensors{}); }, "vjp: there must be at least one input, got none");
  said([&] { autograd::vjp(square, {Tensor()}); }, "vjp: input 0 must be defined");
  said([&] { autograd::vjp([](const Tensor&) { return Tensors{}; }, {x}); }, "vjp: there must be at least one output");
  said([&] { autograd::vjp([](const Tensor&) { return Tensor(); }, {x}); }, "vjp: output 0 must be defined");
  said([&] { autograd::vjp(square, x); },
       "vjp: v may be left out for a single output of one element only, got shape [2]");
  said([&] { autograd::jvp(square, x); },
       "jvp: v may be left out for a single input of one element only, got shape [2]");
  said([&] { autograd::jvp(mixed, {x, x}); }, "mm: ");
  said([&] { autograd::vjp(square, {x}, {x, x}); }, "vjp: v must have one tensor per output, got 2 for 1");
  said(
      [&] {
        autograd::vjp(square, x, values({1, 2, 3}));
      },
      "vjp: v must have the shape of its output, got v 0 [3] and output 0 [2]");
  said([&] { autograd::jvp(square, x, ones({2})); },
       "jvp: v must have the dtype of its input, got v 0 float32 and input 0 float64");
  said(
      [&] {
        autograd::jvp(square, tensor({1, 2}), tensor({1, 1}));
      },
      "jvp: only a floating input has a direction, got one for input 0, which is int64");
  said([&] { autograd::hessian(square, x); }, "hessian: f must return one floating tensor of one element, got [2]");
  said(
      [&] {
        autograd::hvp(mixed, {ones({2, 2}), ones({2, 2})});
      },
      "hvp: f must return one tensor of one element, got 2");
  said([&] { autograd::vhp([](const Tensor& t) { return argmax(t); }, x, x); },
       "vhp: f must return one floating tensor of one element, got [] int64");
  said(
      [&] {
        autograd::vjp([](const Tensor& t) -> Tensors { return {t, t}; }, x, x);
      },
      "v must have one tensor per output");
  said(
      [&] {
        autograd::jvp([](const Tensor& t) -> Tensors { return {t, t}; }, x, x);
      },
      "jvp: f must return one tensor where a single input is given, got 2");
  said(
      [&] {
        autograd::jacobian([](const Tensor& t) -> Tensors { return {t, t}; }, x);
      },
      "jacobian: f must return one tensor where a single input is given, got 2");
  said(
      [&] {
        autograd::jacobian(square, ones({1, 1, 1, 1, 1}));
      },
      "jacobian: a block has the dims of its output and input, at most 8 together, got [1, 1, 1, 1, 1] and");
  said([&] { autograd::vjp([](const Tensor& a, const Tensor& b) { return a + b; }, {x}); },
       "function: it takes 2 tensors, got inputs for 1");
  CHECK_THROWS_AS(autograd::vjp(square, x, values({1, 2, 3})), ShapeError);
  CHECK_THROWS_AS(autograd::jvp(square, x, ones({2})), DTypeError);
}

TEST_CASE("per-sample gradients are those of batches of one", "[transform]") {
  manual_seed(14);
  nn::Sequential net(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 2));
  net.to(kFloat64);
  const Tensor x = drawn({5, 3});
  const Tensor y = tensor({0, 1, 1, 0, 1});
  const auto loss = [&](const Tensor& a, const Tensor& b) { return cross_entropy(net(a), b); };
  const Tensors parameters = net.parameters();
  const Tensors g = autograd::per_sample_grads(loss, parameters, {x, y});
  REQUIRE(g.size() == 4);
  CHECK(g[0].sizes() == IntArrayRef({5, 4, 3}));
  const Tensors whole = autograd::grad({loss(x, y)}, parameters);
  for (size_t k = 0; k < 4; ++k) {
    check_near(mean(g[k], 0), whole[k]);
    const Tensors one = autograd::grad({loss(narrow(x, 0, 3, 1), narrow(y, 0, 3, 1))}, {parameters[k]});
    CHECK(equal(g[k][3], one[0]));
    CHECK_FALSE(parameters[k].grad().defined());
  }
  {
    const NoGradGuard off;
    CHECK(equal(autograd::per_sample_grads(loss, parameters, {x, y})[0], g[0]));
  }
  CHECK(autograd::per_sample_grads(loss, parameters, {drawn({0, 3}), zeros({0}, kInt64)})[1].sizes() ==
        IntArrayRef({0, 4}));

  const Tensor unused = values({1}).requires_grad_();
  const auto said = [](const auto& f, const char* text) { CHECK_THAT(message_of<Error>(f), Contains(text)); };
  CHECK(equal(autograd::per_sample_grads(loss, {unused}, {x, y})[0], zeros({5, 1}, kFloat64)));
  said(
      [&] {
        autograd::per_sample_grads(loss, {unused}, {x, y}, {.strict = true});
      },
      "per_sample_grads: with strict, the loss must depend on every parameter, got sample 0 independent of parameter 0");
  said([&] { autograd::per_sample_grads(loss, Tensors{}, {x, y}); }, "there must be at least one parameter, got none");
  said(
      [&] {
        autograd::per_sample_grads(loss, {x}, {x, y});
      },
      "every parameter must require grad, got parameter 0 of shape");
  said([&] { autograd::per_sample_grads(loss, {Tensor()}, {x, y}); }, "got parameter 0, an undefined tensor");
  said([&] { autograd::per_sample_grads(loss, parameters, Tensors{}); }, "at least one tensor of samples, got none");
  said([&] { autograd::per_sample_grads(loss, parameters, {x, tensor(1)}); }, "got batch 1 of shape []");
  said(
      [&] {
        autograd::per_sample_grads(loss, parameters, {x, tensor({1, 0})});
      },
      "must have the same number of samples, got batch 0 [5, 3] and batch 1 [2]");
  said(
      [&] {
        autograd::per_sample_grads([&](const Tensor& a, const Tensor&) { return net(a); }, parameters, {x, y});
      },
      "the loss of a sample must be one tensor of one element, got shape [1, 2]");
  const Tensor deep = ones({1, 1, 1, 1, 1, 1, 1, 1}, requires_grad());
  said([&] { autograd::per_sample_grads(loss, {deep}, {x, y}); }, "a parameter must have at most 7 dims");
}

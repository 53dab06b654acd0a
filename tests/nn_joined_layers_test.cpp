// A Linear and the activation behind it in a Sequential run as one operation, and nobody can tell.
#include <tapegrad/tapegrad.h>

#include "message.h"

using namespace tapegrad;

namespace {

// What a network computes, and the gradients of its input and parameters for random cotangents.
template <class Forward> std::vector<Tensor> results(const Forward& forward, const Tensor& in, nn::Sequential& net) {
  const Tensor x = in.detach().clone().requires_grad_();
  net.zero_grad();
  const Tensor y = forward(x);
  Generator generator(8);
  y.backward(randn(y.sizes(), generator, y.dtype()));
  std::vector<Tensor> all{y.detach(), x.grad()};
  for (const Tensor& p : net.parameters()) all.push_back(p.grad());
  return all;
}

Tensor one_by_one(nn::Sequential& net, Tensor x) {
  for (nn::Module& layer : net) {
    if (auto* fc = layer.as<nn::Linear>()) x = (*fc)(x);
    if (auto* f = layer.as<nn::ReLU>()) x = (*f)(x);
    if (auto* f = layer.as<nn::Sigmoid>()) x = (*f)(x);
    if (auto* f = layer.as<nn::Tanh>()) x = (*f)(x);
  }
  return x;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) return false;
  }
  return a.size() == b.size();
}

nn::Sequential network(int64_t in, int64_t width, bool bias = true) {
  return nn::Sequential(nn::Linear(in, width, {.bias = bias}), nn::ReLU(), nn::Linear(width, width, {.bias = bias}),
                        nn::Sigmoid(), nn::Linear(width, width), nn::Tanh(), nn::Linear(width, 3),
                        nn::ReLU({.inplace = true}));
}

std::string last_op(const nn::Sequential& net, const Tensor& x) { return net.forward(x).grad_fn()->name(); }

}  // namespace

TEST_CASE("joined layers have the bits of layers one by one", "[nn]") {
  manual_seed(6);
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const bool bias : {true, false}) {
      for (const int64_t width : {5, 40, 700}) {
        nn::Sequential net = network(11, width, bias);
        net.to(dtype);
        for (const Shape& sizes : std::vector<Shape>{{1, 11}, {4, 11}, {130, 11}, {11}, {2, 3, 11}, {0, 11}}) {
          const Tensor x = randn(sizes, dtype);
          INFO(name_of(dtype) << " " << width << " " << to_string(sizes));
          CHECK(same(results([&](const Tensor& in) { return net(in); }, x, net),
                     results([&](const Tensor& in) { return one_by_one(net, in); }, x, net)));
        }
      }
    }
  }
}

TEST_CASE("joined layers have the same bits where backward makes two passes", "[nn]") {
  manual_seed(11);
  nn::Sequential net(nn::Linear(3, 1100), nn::Tanh());
  const Tensor x = randn({1000, 3});
  CHECK(same(results([&](const Tensor& in) { return net(in); }, x, net),
             results([&](const Tensor& in) { return one_by_one(net, in); }, x, net)));
}

TEST_CASE("gradients of joined layers add up, and can be differentiated", "[nn]") {
  manual_seed(7);
  nn::Sequential net = network(4, 6);
  const Tensor x = randn({5, 4}), v = randn({5, 3});
  std::vector<std::vector<Tensor>> seen(2);
  for (const bool joined : {false, true}) {
    const Tensor in = x.clone().requires_grad_();
    net.zero_grad();
    for (int i = 0; i < 2; ++i) (joined ? net(in) : one_by_one(net, in)).backward(v);
    const Tensor y = joined ? net(in) : one_by_one(net, in);
    const Tensor g = autograd::grad({y}, {in}, {v}, true, true)[0];
    (g * g).sum().backward();
    seen[joined] = {in.grad()};
    for (const Tensor& p : net.parameters()) seen[joined].push_back(p.grad());
  }
  for (size_t i = 0; i < seen[0].size(); ++i) CHECK(allclose(seen[0][i], seen[1][i], 1e-5, 1e-6));
}

TEST_CASE("layers are joined only while nobody looks at them", "[nn]") {
  manual_seed(8);
  nn::Sequential net(nn::Linear(4, 6), nn::ReLU());
  const Tensor x = randn({3, 4});
  CHECK(last_op(net, x) == "linear_activation");
  (void)profile([&] { CHECK(last_op(net, x) == "relu"); });
  {
    const nn::GradientMonitor monitor(net);
    CHECK(last_op(net, x) == "relu");
  }
  {
    const autograd::DetectAnomalyGuard guard;
    CHECK(last_op(net, x) == "relu");
  }
  CHECK(last_op(net, x) == "linear_activation");
  CHECK(last_op(net.clone(), x) == "linear_activation");
  const Profile p = profile([&] { (void)net(x); });
  for (const ProfileRow& row : p.key_averages()) CHECK((row.name == "linear" || row.name == "relu"));
  nn::Sequential other(nn::Linear(4, 6), nn::GELU());
  CHECK(last_op(other, x) == "gelu");
}

TEST_CASE("joined layers refuse what linear refuses, in its words", "[nn]") {
  nn::Sequential net(nn::Linear(4, 6), nn::Tanh());
  CHECK_THAT(message_of<ShapeError>([&] { net(ones({2, 5})); }), Contains("linear: the last size of x"));
  CHECK_THAT(message_of<DTypeError>([&] { net(ones({2, 4}, kFloat64)); }), Contains("linear: x and weight"));
  CHECK_THAT(message_of<ValueError>([&] { net(Tensor()); }), Contains("linear: x must be defined"));
}

TEST_CASE("the gradient by a joined layer's result stays as it is where somebody sees it", "[nn]") {
  manual_seed(10);
  nn::Sequential net(nn::Linear(4, 6), nn::Sigmoid());
  const Tensor x = randn({3, 4}), v = randn({3, 6}), before = v.clone();
  const Tensor y = net(x), z = y * 1;
  y.retain_grad();
  Tensor seen;
  z.register_hook([&](const Tensor& g) { seen = g; });
  z.backward(v, true);
  CHECK(equal(v, before));
  CHECK(equal(seen, before));
  CHECK(equal(y.grad(), before));
  const Tensor first = net.at<nn::Linear>(0).weight.grad().clone();
  net.zero_grad();
  z.backward(v);
  CHECK(equal(net.at<nn::Linear>(0).weight.grad(), first));
}

TEST_CASE("a captured step of joined layers replays bit by bit", "[nn]") {
  manual_seed(9);
  nn::Sequential net = network(8, 20), twin = net.clone();
  optim::Adam a(net.parameters()), b(twin.parameters());
  a.set_max_grad_norm(0.5);
  b.set_max_grad_norm(0.5);
  const Tensor x = randn({16, 8}), y = rand({16, 3});
  const auto step = [&](nn::Sequential& model, optim::Adam& optimizer) {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(model(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  Program program = capture([&] { return step(net, a); }, {.verify = 2});
  step(twin, b), step(twin, b);
  for (int i = 0; i < 5; ++i) {
    x.copy_(randn({16, 8}));
    CHECK(equal(program(), step(twin, b)));
  }
  CHECK(same(net.parameters(), twin.parameters()));
}

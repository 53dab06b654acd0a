// Modules: registration, handles, clones, state dicts and printing.
#include <tapegrad/tapegrad.h>

#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "message.h"

using namespace tapegrad;

namespace {

struct Block : nn::Cloneable<Block> {
  explicit Block(int64_t width) : fc(register_module("fc", nn::Linear(width, width))) {}
  Tensor forward(const Tensor& x) { return fc(x) + x; }
  nn::Linear fc;
};

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(4, 3));
  nn::Parameter scale = register_parameter("scale", ones({3}));
  nn::Buffer offset = register_buffer("offset", zeros({3}));
  Block block = register_module("block", Block(3));
  nn::Linear fc2 = register_module("fc2", nn::Linear(3, 2, {.bias = false}));

  Tensor forward(const Tensor& x) { return fc2(block(tanh(fc1->forward(x)) * scale + offset)); }
};

std::vector<std::string> names(const nn::NamedTensors& tensors) { return tensors.keys(); }

bool same(const nn::StateDict& a, const nn::StateDict& b) {
  if (a.keys() != b.keys()) return false;
  for (const auto& [name, t] : a) {
    if (!equal(t, b[name])) return false;
  }
  return true;
}

nn::StateDict copied(const nn::StateDict& dict) {
  nn::StateDict out;
  for (const auto& [name, t] : dict) out.insert(name, t.clone());
  return out;
}

}  // namespace

TEST_CASE("named parameters come in registration order, own ones first", "[nn]") {
  Net net;
  CHECK(names(net.named_parameters()) ==
        std::vector<std::string>{"scale", "fc1.weight", "fc1.bias", "block.fc.weight", "block.fc.bias", "fc2.weight"});
  CHECK(names(net.named_parameters(false)) == std::vector<std::string>{"scale"});
  CHECK(names(net.named_buffers()) == std::vector<std::string>{"offset"});
  CHECK(net.named_children().keys() == std::vector<std::string>{"fc1", "block", "fc2"});
  CHECK(net.named_modules().keys() == std::vector<std::string>{"", "fc1", "block", "block.fc", "fc2"});
  CHECK(net.named_modules("net").keys() ==
        std::vector<std::string>{"net", "net.fc1", "net.block", "net.block.fc", "net.fc2"});
  CHECK(net.named_modules("net", false).keys() ==
        std::vector<std::string>{"net.fc1", "net.block", "net.block.fc", "net.fc2"});
  CHECK(net.modules().size() == 5);
  CHECK(net.modules(/*include_self=*/false).size() == 4);
  CHECK(net.parameters().size() == 6);
  CHECK(net.named_parameters()["fc1.weight"].is_same(net.fc1.weight));
  for (const auto& item : net.named_parameters()) CHECK(item.value().requires_grad());
  CHECK_FALSE(net.offset.requires_grad());
  CHECK_THAT(message_of<ValueError>([&] { net.named_parameters()["fc9"]; }),
             Contains("\"fc9\"") && Contains("fc1.bias"));
}

TEST_CASE("registration refuses bad names and leaves the module as it was", "[nn]") {
  Net net;
  const size_t before = net.parameters().size();
  CHECK_THAT(message_of<ValueError>([&] { net.register_parameter("", ones({1})); }), Contains("empty"));
  CHECK_THAT(message_of<ValueError>([&] { net.register_parameter("a.b", ones({1})); }), Contains("a.b"));
  CHECK_THAT(message_of<ValueError>([&] { net.register_parameter("scale", ones({1})); }), Contains("scale"));
  CHECK_THROWS_AS(net.register_buffer("fc1", ones({1})), ValueError);
  CHECK_THROWS_AS(net.register_module("offset", nn::ReLU()), ValueError);
  CHECK_THROWS_AS(net.register_parameter("sum", net.scale * 2), ValueError);
  CHECK_THROWS_AS(net.register_parameter("ids", arange(3)), DTypeError);
  CHECK_THROWS_AS(net.register_module("self", net), ValueError);
  CHECK_FALSE(net.register_parameter("absent", Tensor()).defined());
  CHECK(net.parameters().size() == before);
  CHECK(net.children().size() == 3);
}

TEST_CASE("a module is a handle: copies alias and nothing dangles", "[nn]") {
  const Tensor x = randn({5, 4});
  std::optional<Net> first(Net{});
  const Tensor y = first->forward(x);
  Net copy = *first;
  std::vector<Net> many{copy};
  for (int i = 0; i < 20; ++i) many.push_back(copy);  // reallocates, so elements move
  std::function<Tensor(const Tensor&)> f = [net = copy](const Tensor& t) mutable { return net.forward(t); };
  first.reset();
  Net moved = std::move(copy);
  CHECK(equal(moved.forward(x), y));
  CHECK(equal(many[7].forward(x), y));
  CHECK(equal(f(x), y));
  CHECK(moved.is_same(many[3]));
  CHECK(moved.fc1.weight.is_same(many[3].fc1.weight));

  moved.train(false);
  CHECK_FALSE(many[0].is_training());
  CHECK_FALSE(many[0].block.fc.is_training());
  many[0].train();
  CHECK(moved.fc2.is_training());

  {
    NoGradGuard no_grad;
    moved.fc1.weight.mul_(2);
  }
  CHECK_FALSE(equal(f(x), y));
  CHECK(equal(f(x), many[9].forward(x)));
  // Moved from: an error, not a crash.
  CHECK_THROWS_AS(copy.parameters(), ValueError);  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("a network nested in others trains through every handle", "[nn]") {
  struct Outer : nn::Module {
    Net inner = register_module("inner", Net());
    Tensor forward(const Tensor& x) { return inner.forward(x); }
  };
  Outer outer;
  Outer other = outer;
  outer.forward(randn({2, 4})).sum().backward();
  for (const auto& [name, p] : other.named_parameters()) {
    INFO(name);
    CHECK(p.grad().defined());
  }
  CHECK(other.inner.block.fc.weight.grad().defined());
  other.zero_grad();
  CHECK_FALSE(outer.inner.scale.grad().defined());
  outer.forward(randn({2, 4})).sum().backward();
  const Tensor grad = outer.inner.scale.grad();
  outer.zero_grad(false);
  CHECK(outer.inner.scale.grad().is_same(grad));
  CHECK(equal(grad, zeros({3})));
}

TEST_CASE("zeroing a gradient that was itself recorded takes it out of its graph", "[nn]") {
  nn::Linear fc(2, 2);
  const Tensor& w = fc.weight;
  square(fc(ones({1, 2}))).sum().backward({}, {}, true);
  REQUIRE(w.grad().requires_grad());
  const Tensor recorded = w.grad();
  const Tensor before = recorded.detach().clone();
  fc.zero_grad(false);
  CHECK_FALSE(w.grad().requires_grad());
  CHECK(w.grad().is_leaf());
  CHECK(equal(w.grad(), zeros({2, 2})));
  CHECK(equal(recorded.detach(), before));  // others that hold it keep its values
  sum(fc(ones({1, 2}))).backward();
  CHECK_FALSE(w.grad().requires_grad());
}

TEST_CASE("clone copies parameters, buffers, children and mode, and shares nothing", "[nn]") {
  Net net;
  net.eval();
  net.forward(randn({2, 4})).sum().backward();
  net.fc2.requires_grad_(false);
  const nn::StateDict before = copied(net.state_dict());
  Net copy = nn::clone(net);
  const Tensor x = randn({5, 4});
  CHECK_FALSE(copy.is_same(net));
  CHECK(same(copy.state_dict(), before));
  CHECK(equal(copy.forward(x), net.forward(x)));
  CHECK_FALSE(copy.block.fc.is_training());
  CHECK_FALSE(copy.fc1.weight.grad().defined());
  CHECK(copy.fc1.weight.requires_grad());
  CHECK_FALSE(copy.fc2.weight.requires_grad());
  for (const auto& [name, p] : copy.named_parameters()) {
    INFO(name);
    CHECK_FALSE(p.data_ptr() == net.named_parameters()[name].data_ptr());
  }
  // Members and what the module lists are the same tensors.
  CHECK(copy.fc1.weight.is_same(copy.named_parameters()["fc1.weight"]));
  CHECK(copy.block.fc.bias.is_same(copy.named_parameters()["block.fc.bias"]));
  CHECK(copy.offset.is_same(copy.named_buffers()["offset"]));
  CHECK(copy.fc1.is_same(*copy.children()[0]));
  for (const Tensor& p : copy.parameters()) nn::init::zeros_(p);
  CHECK(equal(copy.forward(x), zeros({5, 2})));
  CHECK(same(net.state_dict(), before));
}

TEST_CASE("clone keeps sharing within a module, and rebinds containers and captures", "[nn]") {
  struct Tied : nn::Cloneable<Tied> {
    nn::Linear a = register_module("a", nn::Linear(3, 3));
    nn::Linear b = register_module("b", a);
    nn::Parameter w = register_parameter("w", a.weight);
    std::vector<nn::Linear> layers;
    std::function<Tensor(const Tensor&)> head;
    Tied() {
      for (int i = 0; i < 3; ++i) layers.push_back(register_module("layer" + std::to_string(i), nn::Linear(3, 3)));
      head = [fc = a](const Tensor& x) { return fc(x); };
    }
    Tensor forward(const Tensor& x) const {
      Tensor y = head(b(a(x)));
      for (const nn::Linear& layer : layers) y = layer(y);
      return y;
    }
  };
  Tied net;
  CHECK(net.parameters().size() == 8);
  CHECK(net.state_dict().size() == 11);
  Tied copy = net.clone();
  CHECK(copy.a.is_same(copy.b));
  CHECK(copy.w.is_same(copy.a.weight));
  CHECK(copy.parameters().size() == 8);
  for (const Tensor& p : net.parameters()) nn::init::zeros_(p);
  const Tensor x = randn({2, 3});
  CHECK_FALSE(equal(copy(x), zeros({2, 3})));
  for (const Tensor& p : copy.parameters()) nn::init::zeros_(p);
  CHECK(equal(copy->forward(x), zeros({2, 3})));
}

TEST_CASE("clone refuses what it would leave bound to the original", "[nn]") {
  struct Plain : nn::Module {
    Tensor w = register_parameter("w", ones({2}));
  };
  struct Pointer : nn::Module {
    std::shared_ptr<nn::Linear> fc = std::make_shared<nn::Linear>(2, 2);
    Pointer() { register_module("fc", *fc); }
  };
  struct Outer : nn::Module {
    Plain inner = register_module("inner", Plain());
  };
  CHECK_THAT(message_of<ValueError>([] { nn::clone(Plain()); }), Contains("\"w\"") && Contains("nn::Parameter"));
  CHECK_THAT(message_of<ValueError>([] { nn::clone(Outer()); }), Contains("Plain") && Contains("\"w\""));
  CHECK_THAT(message_of<ValueError>([] { nn::clone(Pointer()); }), Contains("\"fc\"") && Contains("by value"));
  // The failed clone has switched nothing on: copies are handles again.
  nn::Linear a(2, 2);
  nn::Linear b = a;
  CHECK(a.weight.is_same(b.weight));
}

TEST_CASE("clones are made on several threads at once", "[nn]") {
  const Net net;
  std::vector<std::optional<Net>> copies(4);
  std::vector<std::thread> threads;
  threads.reserve(copies.size());
  for (auto& copy : copies) threads.emplace_back([&net, &copy] { copy.emplace(nn::clone(net)); });
  for (std::thread& t : threads) t.join();
  for (const auto& copy : copies) CHECK(same(copy->state_dict(), net.state_dict()));
}

TEST_CASE("to converts in place, so every handle sees it", "[nn]") {
  Net net;
  Net copy = net;
  const Tensor weight = net.fc1.weight;
  const Tensor values = weight.detach().clone();
  copy.forward(randn({2, 4})).sum().backward();
  const Tensor saved = (weight * weight).sum();
  net.to(kFloat64);
  CHECK(weight.dtype() == kFloat64);
  CHECK(weight.is_leaf());
  CHECK(copy.offset.dtype() == kFloat64);
  CHECK_FALSE(weight.grad().defined());
  CHECK(equal(weight.detach(), values.to(kFloat64)));
  CHECK_THROWS_AS(saved.backward(), AutogradError);  // the graph had saved the old elements
  copy.forward(randn({2, 4}, kFloat64)).sum().backward();
  CHECK(weight.grad().dtype() == kFloat64);
  net.to(kFloat32);
  CHECK(equal(weight.detach(), values));
  CHECK_THROWS_AS(net.to(kInt64), DTypeError);
}

TEST_CASE("state dicts go out and in, or leave the module alone", "[nn]") {
  Net a, b;
  nn::StateDict dict = copied(a.state_dict());
  CHECK(dict.keys() == std::vector<std::string>{"scale", "offset", "fc1.weight", "fc1.bias", "block.fc.weight",
                                                "block.fc.bias", "fc2.weight"});
  const Tensor kept = b.fc1.weight;
  b.load_state_dict(dict);
  CHECK(same(a.state_dict(), b.state_dict()));
  CHECK(kept.is_same(b.fc1.weight));
  CHECK(kept.requires_grad());
  CHECK(a.state_dict()["scale"].data_ptr() == a.scale.data_ptr());
  CHECK_FALSE(a.state_dict()["scale"].requires_grad());

  Net c;
  const nn::StateDict before = copied(c.state_dict());
  dict.erase("fc1.bias");
  dict.insert("extra", ones({1}));
  dict["fc2.weight"] = ones({2, 4});
  const std::string message = message_of<ValueError>([&] { c.load_state_dict(dict); });
  CHECK_THAT(message, Contains("missing keys: fc1.bias") && Contains("unexpected keys: extra"));
  CHECK_THAT(message, Contains("fc2.weight is [2, 3] here and [2, 4] there") && Contains("Net"));
  CHECK(same(c.state_dict(), before));
  CHECK_THROWS_AS(c.load_state_dict(dict, false), ValueError);
  dict.erase("fc2.weight");
  const nn::LoadResult result = c.load_state_dict(dict, false);
  CHECK(result.missing_keys == std::vector<std::string>{"fc1.bias", "fc2.weight"});
  CHECK(result.unexpected_keys == std::vector<std::string>{"extra"});
  CHECK(equal(c.fc1.weight.detach(), a.fc1.weight.detach()));

  // Another dtype converts; memory of the module itself may be the source.
  nn::Linear square(2, 2, {.bias = false});
  square.load_state_dict({{"weight", tensor({{1, 2}, {3, 4}})}});
  CHECK(equal(square.weight.detach(), tensor({{1., 2.}, {3., 4.}})));
  square.load_state_dict({{"weight", square.weight.detach().t()}});
  CHECK(equal(square.weight.detach(), tensor({{1., 3.}, {2., 4.}})));
}

TEST_CASE("loading is seen by a graph that saved the parameter", "[nn]") {
  nn::Linear fc(2, 2);
  const Tensor loss = (fc.weight * fc.weight).sum();
  fc.load_state_dict(nn::Linear(2, 2).state_dict());
  CHECK_THROWS_AS(loss.backward(), AutogradError);
}

TEST_CASE("modules print like PyTorch's", "[nn]") {
  Net net;
  CHECK(to_string(net) ==
        "Net(\n"
        "  (fc1): Linear(in_features=4, out_features=3, bias=true)\n"
        "  (block): Block(\n"
        "    (fc): Linear(in_features=3, out_features=3, bias=true)\n"
        "  )\n"
        "  (fc2): Linear(in_features=3, out_features=2, bias=false)\n"
        ")");
  std::ostringstream out;
  out << nn::Sequential(
      nn::Linear(2, 3), nn::LeakyReLU({.negative_slope = 0.2}), [](const Tensor& x) { return x; }, nn::Softplus(),
      nn::Softmax(1));
  CHECK(out.str() ==
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=true)\n"
        "  (1): LeakyReLU(negative_slope=0.2)\n"
        "  (2): Functional()\n"
        "  (3): Softplus(beta=1, threshold=20)\n"
        "  (4): Softmax(dim=1)\n"
        ")");
}

TEST_CASE("summary counts CS231n's networks and says what is trained", "[nn]") {
  nn::Sequential small(nn::Linear(3, 4), nn::Sigmoid(), nn::Linear(4, 2));
  CHECK_THAT(small.summary(), Contains("Sequential: 26 parameters, 26 trainable"));
  nn::Sequential deep(nn::Linear(3, 4), nn::Sigmoid(), nn::Linear(4, 4), nn::Sigmoid(), nn::Linear(4, 1));
  deep.at<nn::Linear>(0).requires_grad_(false);
  CHECK_THAT(deep.summary(), Contains("Sequential: 41 parameters, 25 trainable"));
  CHECK(nn::Sequential(nn::Linear(784, 300), nn::Tanh()).summary() ==
        "layer  type    parameters                       count\n"
        "-----------------------------------------------------\n"
        "0      Linear  weight [300, 784], bias [300]  235,500\n"
        "1      Tanh                                         -\n"
        "-----------------------------------------------------\n"
        "Sequential: 235,500 parameters, 235,500 trainable\n");
}

TEST_CASE("apply visits every module with its type", "[nn]") {
  Net net;
  int linears = 0;
  net.apply([&](nn::Module& module) {
    if (auto* fc = module.as<nn::Linear>()) nn::init::ones_(fc->weight), ++linears;
  });
  CHECK(linears == 3);
  CHECK(equal(net.block.fc.weight.detach(), ones({3, 3})));
}

namespace {
struct Inner : nn::Cloneable<Inner> {
  Tensor forward(const Tensor& x) { return x * 2; }
};
struct Outer : Inner {
  Tensor forward(const Tensor& x) { return x * 3; }
};
}  // namespace

TEST_CASE("a module is not cloned as one it is derived from", "[nn]") {
  const Outer outer;
  CHECK_THAT(message_of<ValueError>([&] { static_cast<void>(outer.clone()); }), Contains("got one of type Outer"));
  CHECK(nn::clone(outer).forward(ones({1})).item<double>() == 3);
  static_assert(std::is_final_v<nn::Linear> && std::is_final_v<nn::Sequential> && std::is_final_v<nn::MSELoss>);
}

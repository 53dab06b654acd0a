// Lists and dictionaries of modules, lists of parameters, and what is done to all gradients at once.
#include <cmath>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct Blocks : nn::Cloneable<Blocks> {
  nn::ModuleList layers = register_module("layers", nn::ModuleList(nn::Linear(2, 2), nn::Linear(2, 2)));
  nn::ModuleDict heads =
      register_module("heads", nn::ModuleDict().insert("a", nn::Linear(2, 1)).insert("b", nn::Tanh()));
  nn::ParameterList scales = register_module("scales", nn::ParameterList({ones({2}), full({2}, 2.0)}));
  Tensor forward(Tensor x) {
    for (int64_t i = 0; i < layers.size(); ++i) x = layers.at<nn::Linear>(i)(x) * scales[i];
    return heads.at<nn::Linear>("a")(x);
  }
};

}  // namespace

TEST_CASE("containers register what they hold, under names that join", "[nn]") {
  Blocks net;
  std::vector<std::string> names = net.named_parameters().keys();
  CHECK(names == std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
                                          "heads.a.weight", "heads.a.bias", "scales.0", "scales.1"});
  net(ones({3, 2})).sum().backward();
  for (const auto& [name, p] : net.named_parameters()) {
    INFO(name);
    CHECK(p.grad().defined());
  }
}

TEST_CASE("a clone of a net with containers shares nothing with it", "[nn]") {
  manual_seed(2);
  Blocks net;
  Blocks copy = net.clone();
  const Tensor x = randn({3, 2}), before = copy(x).detach();
  CHECK(equal(before, net(x).detach()));
  NoGradGuard no_grad;
  for (const Tensor& p : net.parameters()) p.zero_();
  CHECK(equal(before, copy(x)));
  copy.scales[0].fill_(0);
  CHECK(copy.named_parameters()["scales.0"].sum().item<double>() == 0);
}

TEST_CASE("a list inserts, extends and renames", "[nn]") {
  nn::ModuleList list{nn::Tanh(), nn::ReLU()};
  list.insert(1, nn::Sigmoid()).push_back(nn::Linear(1, 2));
  CHECK(list.size() == 4);
  CHECK(list[1].name() == "Sigmoid");
  CHECK(list[-1].as<nn::Linear>() != nullptr);
  CHECK(list.named_parameters().keys() == std::vector<std::string>{"3.weight", "3.bias"});
  list.extend(list);
  CHECK(list.size() == 8);
  CHECK(list[7].is_same(list[3]));
  std::string names;
  for (nn::Module& module : list) names += module.name() + " ";
  CHECK(names == "Tanh Sigmoid ReLU Linear Tanh Sigmoid ReLU Linear ");
  CHECK_THAT(message_of<IndexError>([&] { static_cast<void>(list[8]); }),
             Contains("ModuleList: the index must be in [-8, 8), got 8"));
  CHECK_THAT(message_of<IndexError>([&] { list.insert(9, nn::Tanh()); }), Contains("in [0, 8], got 9"));
  CHECK_THAT(message_of<ValueError>([&] { static_cast<void>(list.at<nn::Linear>(0)); }),
             Contains("entry 0 which is Tanh"));
}

TEST_CASE("a container without entries says so", "[nn]") {
  CHECK(message_of<IndexError>([] { nn::Sequential()[0]; }) ==
        "Sequential: an index needs an entry, got 0 and no entries");
  CHECK(message_of<IndexError>([] { nn::ParameterList()[-1]; }) ==
        "ParameterList: an index needs an entry, got -1 and no entries");
}

TEST_CASE("a dictionary finds, forgets and refuses", "[nn]") {
  nn::ModuleDict dict;
  dict.insert("act", nn::ReLU()).insert("fc", nn::Linear(1, 1));
  CHECK(dict.keys() == std::vector<std::string>{"act", "fc"});
  CHECK(dict.contains("fc"));
  CHECK(dict["act"].name() == "ReLU");
  CHECK_THAT(message_of<ValueError>([&] { static_cast<void>(dict["none"]); }), Contains("[act, fc], got \"none\""));
  CHECK_THAT(message_of<ValueError>([&] { dict.insert("fc", nn::Tanh()); }), Contains("got \"fc\" again"));
  CHECK_THAT(message_of<ValueError>([&] { static_cast<void>(dict.at<nn::Linear>("act")); }),
             Contains("entry \"act\" which is ReLU"));
  CHECK(dict.erase("act"));
  CHECK_FALSE(dict.erase("act"));
  dict.clear();
  CHECK(dict.empty());
}

TEST_CASE("a list of parameters holds leaves only", "[nn]") {
  nn::ParameterList list;
  list.append(zeros({2, 3})).extend({ones({4})});
  CHECK(list.size() == 2);
  CHECK(list[1].requires_grad());
  CHECK(list.extra_repr() == "float32 [2, 3], float32 [4]");
  CHECK_THROWS_AS(list.append(list[0] * 2), ValueError);
  CHECK_THROWS_AS(list.append(Tensor()), ValueError);
  CHECK_THROWS_AS(list[2], IndexError);
  nn::ParameterList alias = list;
  alias.append(ones({1}));
  CHECK(list.size() == 3);
}

TEST_CASE("clip_grad_norm_ scales all gradients together", "[nn]") {
  const Tensor a = zeros({2}, requires_grad()), b = zeros({1}, dtype(kFloat64).requires_grad(true)),
               c = zeros({1}, requires_grad());
  const auto set = [&] {
    a.mutable_grad() = tensor({3.0, 0.0}, kFloat32);
    b.mutable_grad() = tensor({4.0}, kFloat64);
  };
  set();
  const Tensor norm = nn::utils::clip_grad_norm_({a, b, c}, 2.5);
  CHECK(norm.item<double>() == Approx(5));
  CHECK(a.grad()[0].item<double>() == Approx(1.5));
  CHECK(b.grad()[0].item<double>() == Approx(2));
  set();
  CHECK(nn::utils::clip_grad_norm_({a, b}, 10, std::numeric_limits<double>::infinity()).item<double>() == 4);
  CHECK(a.grad()[0].item<double>() == 3);  // small enough already
  CHECK(nn::utils::clip_grad_norm_({a, b}, 3.5, 1).item<double>() == Approx(7));
  CHECK(b.grad()[0].item<double>() == Approx(2));
  CHECK(nn::utils::clip_grad_norm_(c, 1).item<double>() == 0);
  a.mutable_grad() = tensor({std::nan(""), 0.0}, kFloat32);
  CHECK_THAT(message_of<ValueError>([&] {
               nn::utils::clip_grad_norm_({a, b}, 1, 2, true);
             }),
             Contains("must be finite"));
  CHECK(b.grad()[0].item<double>() == Approx(2));
  CHECK_THROWS_AS(nn::utils::clip_grad_norm_(a, -1), ValueError);
  set();
  CHECK(nn::utils::clip_grad_norm_({a, b}, 0).item<double>() == Approx(5));
  CHECK(equal(a.grad(), zeros({2})));

  const double inf = std::numeric_limits<double>::infinity();
  const Tensor none = zeros({0}, requires_grad());
  none.mutable_grad() = zeros({0});
  set();
  CHECK(nn::utils::clip_grad_norm_({none, a, b}, 10, inf).item<double>() == 4);
  CHECK(nn::utils::clip_grad_norm_(none, 10, inf).item<double>() == 0);
}

TEST_CASE("clip_grad_value_ bounds every element", "[nn]") {
  const Tensor a = zeros({3}, requires_grad());
  a.mutable_grad() = tensor({-3.0, 0.5, 2.0});
  nn::utils::clip_grad_value_(a, 1);
  CHECK(equal(a.grad(), tensor({-1.0, 0.5, 1.0})));
  CHECK_THROWS_AS(nn::utils::clip_grad_value_(a, -1), ValueError);
}

TEST_CASE("parameters as one vector, there and back", "[nn]") {
  nn::Linear fc(3, 2);
  const Tensor v = nn::utils::parameters_to_vector(fc.parameters());
  CHECK(v.numel() == 8);
  (v * arange(8.0)).sum().backward();
  CHECK(equal(fc.weight.grad(), arange(6.0).reshape({2, 3})));
  nn::utils::vector_to_parameters(arange(8.0), fc.parameters());
  CHECK(equal(fc.bias.detach(), tensor({6.0, 7.0})));
  CHECK_THROWS_AS(nn::utils::vector_to_parameters(arange(9.0), fc.parameters()), ShapeError);
  CHECK_THROWS_AS(nn::utils::parameters_to_vector({}), ValueError);
  const char* const undefined = ": a parameter must be defined, got an undefined tensor (Tensor())";
  CHECK(message_of<ValueError>([] { nn::utils::parameters_to_vector({Tensor()}); }) ==
        std::string("parameters_to_vector") + undefined);
  CHECK(message_of<ValueError>([] { nn::utils::vector_to_parameters(ones({1}), {Tensor()}); }) ==
        std::string("vector_to_parameters") + undefined);
  CHECK_THROWS_AS(nn::utils::parameters_to_vector({zeros({1}), zeros({1}, kFloat64)}), DTypeError);
}

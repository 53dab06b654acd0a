// State dicts: what fits and what does not, other names, and modules and optimizers as files.
#include "folder.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(4, 3));
  nn::Linear fc2 = register_module("fc2", nn::Linear(3, 2));
  nn::Buffer count = register_buffer("count", zeros({}, kInt64));
  Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
};

NamedTensors copied(NamedTensors dict) {
  for (auto& [name, t] : dict) t = t.clone();
  return dict;
}

bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.keys() != b.keys()) return false;
  for (const auto& [name, t] : a) {
    if (t.dtype() != b[name].dtype() || !equal(t, b[name])) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a state dict that does not fit is refused whole, with all that is wrong", "[weights]") {
  Net net;
  const NamedTensors before = copied(net.state_dict());
  NamedTensors dict = copied(Net().state_dict());
  dict.erase("fc1.bias");
  dict.erase("fc2.weight");
  dict.insert("fc3.weight", ones({1}));
  dict["fc1.weight"] = ones({4, 3});
  dict["fc2.bias"] = ones({2, 1});
  dict["count"] = ones({});
  CHECK(
      message_of<ValueError>([&] { net.load_state_dict(dict); }) ==
      "load_state_dict: the dict must fit Net, got missing keys: fc1.bias, fc2.weight; unexpected keys: fc3.weight; shapes that "
      "differ: fc1.weight is [3, 4] here and [4, 3] there, fc2.bias is [2] here and [2, 1] there; dtypes that differ: count is "
      "int64 here and float32 there");
  CHECK_THAT(message_of<ValueError>([&] { net.load_state_dict(dict, false); }), Contains("got shapes that differ"));
  CHECK(same(net.state_dict(), before));

  dict["fc1.weight"] = ones({3, 4}, kFloat64);  // another precision converts, as in PyTorch
  dict["fc2.bias"] = ones({2}, kInt64);
  dict["count"] = ones({}, kInt32);
  const nn::LoadResult left = net.load_state_dict(dict, false);
  CHECK(left.missing_keys == std::vector<std::string>{"fc1.bias", "fc2.weight"});
  CHECK(left.unexpected_keys == std::vector<std::string>{"fc3.weight"});
  CHECK(equal(net.fc1.weight.detach(), ones({3, 4})));
  CHECK(net.count.item<int64_t>() == 1);
  CHECK(equal(net.fc1.bias.detach(), before["fc1.bias"]));
}

TEST_CASE("a prefix too many or too few is recognised", "[weights]") {
  Net net;
  const NamedTensors dict = copied(Net().state_dict());
  const NamedTensors longer = remap(dict, {{"", "module."}});
  CHECK(longer.keys() == std::vector<std::string>{"module.count", "module.fc1.weight", "module.fc1.bias",
                                                  "module.fc2.weight", "module.fc2.bias"});
  CHECK_THAT(message_of<ValueError>([&] { net.load_state_dict(longer); }),
             Contains("(did you mean remap(dict, {{\"module.\", \"\"}})?)"));
  net.load_state_dict(remap(longer, {{"module.", ""}}));
  CHECK(same(net.state_dict(), dict));
  nn::Sequential outer(net);
  CHECK_THAT(message_of<ValueError>([&] { outer.load_state_dict(dict); }),
             Contains("(did you mean remap(dict, {{\"\", \"0.\"}})?)"));
  NamedTensors other = longer;
  other.erase("module.fc1.bias");
  CHECK(message_of<ValueError>([&] { net.load_state_dict(other); }).find("did you mean") == std::string::npos);
}

TEST_CASE("remap changes names, and nothing else", "[weights]") {
  const NamedTensors dict{{"features.0.weight", ones({1})}, {"features.01.weight", ones({2})}, {"module.x", ones({3})}};
  const NamedTensors out = remap(dict, {{"features.0.", "conv1."}, {"features.", "f."}, {"module.", ""}});
  CHECK(out.keys() == std::vector<std::string>{"conv1.weight", "f.01.weight", "x"});
  CHECK(out["x"].is_same(dict["module.x"]));
  CHECK(remap(dict, {{"x", "y"}}).keys() == dict.keys());
  const NamedTensors kept = remap(dict, [](const std::string& name) { return name[0] == 'm' ? name + "!" : ""; });
  CHECK(kept.keys() == std::vector<std::string>{"module.x!"});
  CHECK(
      message_of<ValueError>([&] { remap(dict, [](const std::string&) { return "same"; }); }) ==
      "remap: every new name must be one tensor's, got \"same\" for \"features.0.weight\" and \"features.01.weight\"");
}

TEST_CASE("modules and optimizers go to files and back", "[weights]") {
  const Folder folder;
  const std::string path = folder / "net.safetensors", state = folder / "adam.safetensors";
  Net net, other;
  optim::Adam adam(net.parameters(), {.lr = 0.1}), another(other.parameters(), {.lr = 0.5});
  const Tensor x = randn({5, 4}), w = randn({5, 2});
  for (int i = 0; i < 3; ++i) {
    adam.zero_grad();
    (net.forward(x) * w).sum().backward();
    adam.step();
  }
  save(net, path);
  save(adam, state);
  load(other, path);
  load(another, state);
  CHECK(same(other.state_dict(), net.state_dict()));
  CHECK(same(another.state_dict(), adam.state_dict()));
  CHECK(equal(other.forward(x), net.forward(x)));
  CHECK(load_safetensors(path).keys() == net.state_dict().keys());

  nn::Linear wrong(2, 2);
  const NamedTensors before = copied(wrong.state_dict());
  CHECK_THAT(message_of<ValueError>([&] { load(wrong, path); }),
             Contains("load: \"" + path + "\": load_state_dict: the dict must fit Linear") &&
                 Contains("unexpected keys: count, fc1.weight"));
  CHECK_THAT(message_of<ValueError>([&] { load(adam, path); }), Contains("missing keys: param_groups.0.lr"));
  CHECK_THAT(message_of<IOError>([&] { load(wrong, folder / "none"); }), Contains("cannot open"));
  CHECK(same(wrong.state_dict(), before));
}

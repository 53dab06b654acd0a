// The library's half of tests/weights/round_trip, which writes files and says where they are.
#include <cstdlib>

#include "catch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(3, 4));
  nn::Linear fc2 = register_module("fc2", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
};

}  // namespace

TEST_CASE("files that Python wrote, and files for Python", "[.][python]") {
  const char* const where = std::getenv("TAPEGRAD_PYTHON_FILES");
  REQUIRE(where);
  const std::string folder = std::string(where) + "/";

  const SafetensorsFile types(folder + "types.safetensors");
  const DType expected[] = {kFloat64, kFloat32, kBFloat16, kInt64, kInt32, kUInt8, kBool, kFloat64, kInt32};
  size_t i = 0;
  for (const auto& [name, t] : types.tensors()) CHECK(t.dtype() == expected[i++]);
  CHECK(i == 9);
  save_safetensors(folder + "types_back.safetensors", types.tensors(), types.metadata());
  save_npz(folder + "types_back.npz", load_npz(folder + "types.npz"));
  save_npz(folder + "packed_back.npz", load_npz(folder + "packed.npz"));

  Net net;
  load(net, folder + "model.safetensors");
  const NamedTensors io = load_npz(folder + "model_io.npz");
  CHECK(equal(net.forward(io["x"]), io["y"]));

  for (const Tensor& p : net.parameters()) {
    NoGradGuard guard;
    p.copy_(randint(-4, 5, p.sizes()));
  }
  const Tensor x = randint(-4, 5, {7, 3}).to(kFloat32);
  save(net, folder + "own.safetensors");
  save_npz(folder + "own_io.npz", {{"x", x}, {"y", net.forward(x)}});
}

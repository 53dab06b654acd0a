// Export to ONNX: names in the file, what is refused and how, and what stays as it was. tests/onnx runs the files elsewhere.
#include <filesystem>

#include "catch.h"
#include "folder.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What save_onnx says of a function of a [2, 3].
std::string refusal(const std::function<Tensor(const Tensor&)>& f, const OnnxOptions& options = {}) {
  const Folder folder;
  const Tensor x = tensor({{1., -2., 3.}, {-4., 5., 6.}});
  const std::string path = folder / "net.onnx";
  const std::string text = message_of<ValueError>([&] { save_onnx(f, {x}, path, options); });
  CHECK_FALSE(std::filesystem::exists(path));
  return text;
}

}  // namespace

TEST_CASE("an exported module keeps the names of its state, and its mode", "[onnx]") {
  const Folder folder;
  nn::Sequential net;
  net.push_back("fc", nn::Linear(3, 4));
  net.push_back("norm", nn::BatchNorm1d(4));
  net.push_back("drop", nn::Dropout());
  net.at<nn::Dropout>(2).eval();
  const NamedTensors before = net.state_dict();
  const std::string path = folder / "net.onnx";
  save_onnx(net, {randn({2, 3})}, path, {.input_names = {"pixels"}, .output_names = {"scores"}});
  const std::string file = bytes_in(path);
  for (const char* name : {"fc.weight", "fc.bias", "norm.weight", "norm.running_var", "pixels", "scores", "batch",
                           "Gemm", "BatchNormalization", "fc/Gemm"})
    CHECK(holds(file, name));
  CHECK_FALSE(holds(file, "num_batches_tracked"));
  CHECK(net.is_training());
  CHECK(net.at<nn::BatchNorm1d>(1).is_training());
  CHECK_FALSE(net.at<nn::Dropout>(2).is_training());
  CHECK(net.at<nn::BatchNorm1d>(1).num_batches_tracked.item<int64_t>() == 0);
  for (const Tensor& p : net.parameters()) CHECK_FALSE(p.grad().defined());
  // The same file again, and another one with fixed sizes.
  save_onnx(net, {randn({2, 3})}, folder / "fixed.onnx", {.dynamic_batch = false});
  CHECK_FALSE(holds(bytes_in(folder / "fixed.onnx"), "batch"));
  save_onnx(net, {randn({2, 3})}, path, {.input_names = {"pixels"}, .output_names = {"scores"}});
  CHECK(bytes_in(path) == file);
}

TEST_CASE("an operation without a form is refused by name and place", "[onnx]") {
  const Folder folder;
  const nn::Sequential net(nn::Linear(3, 3), [](const Tensor& x) { return cumsum(x, 1); });
  CHECK(message_of<ValueError>([&] {
          save_onnx(net, {randn({2, 3})}, folder / "net.onnx");
        }) ==
        "save_onnx: every operation must have a form in ONNX, got \"cumsum\" in \"1\" (docs/onnx.md lists what can be "
        "written)");
  CHECK(
      refusal([](const Tensor& x) { return dropout(x, 0.5, true); }) ==
      "save_onnx: every operation must have a form in ONNX, got \"dropout\" (docs/onnx.md lists what can be written)");
  CHECK(refusal([](const Tensor& x) { return round(x, 2); }) ==
        "save_onnx: every operation must have a form in ONNX, got \"round\" (docs/onnx.md lists what can be written)");
  CHECK(
      refusal([](const Tensor& x) { return batch_norm(x, {}, {}, {}, {}, true); }) ==
      "save_onnx: running statistics must be used, not those of the batch, got \"batch_norm\" (docs/onnx.md lists what "
      "can be written)");
  CHECK(refusal([](const Tensor& x) {
          Tensor y = x * 1;
          y.select(1, 0).mul_(2);
          return y;
        }) ==
        "save_onnx: every operation must have a form in ONNX, got \"write_view\" (docs/onnx.md lists what can be "
        "written)");
  CHECK(refusal([](const Tensor& x) { return adaptive_avg_pool1d(x, 2); }) ==
        "save_onnx: adaptive pooling must have output sizes that divide those of its input, got \"avg_pool\" "
        "(docs/onnx.md lists what can be written)");
}

TEST_CASE("what leaves no trace is found by a second run", "[onnx]") {
  const std::string unseen = "save_onnx: what depends on the inputs must be recorded on its way, unlike the result of ";
  const std::string rest = ", which holds for neither detach() nor comparisons, got ";
  const std::string list = " (docs/onnx.md lists what can be written)";
  CHECK(refusal([](const Tensor& x) { return where(x > 0, x, x * 2); }) ==
        unseen + "\"gt\"" + rest + "\"where\"" + list);
  CHECK(refusal([](const Tensor& x) { return (x * 2).detach() + x; }) == unseen + "\"mul\"" + rest + "\"add\"" + list);
  CHECK(refusal([](const Tensor& x) { return x > 0; }) == unseen + "\"gt\"" + rest + "an output of shape [2, 3]");
  CHECK(refusal([](const Tensor& x) { return x * x[0][0].item<float>(); }) ==
        "save_onnx: what an operation does must not depend on the numbers in the inputs, nor, unless .dynamic_batch = "
        "false, on how many rows there are, got \"mul\"" +
            list);
  const std::string other =
      "save_onnx: what the function does must not depend on the numbers in its inputs, nor on how many rows there are "
      "(pass .dynamic_batch = false), got other operations in a second run";
  CHECK(refusal([](const Tensor& x) { return x[1][0].item<float>() < -3.5 ? exp(x) : x * 2; }) == other);
  CHECK(refusal([](const Tensor& x) { return stack(unbind(x, 0), 1); }).find("save_onnx: ") == 0);
  CHECK(refusal([](const Tensor& x) {
          return x.reshape({2, 3, 1});
        }) ==
        "save_onnx: the model must also run on other numbers and with one more row (or pass .dynamic_batch = false), "
        "got: reshape: the number of elements must stay the same, got sizes [2, 3, 1] for 9 elements of shape [3, 3]");
}

TEST_CASE("what holds for every number of the example is no constant", "[onnx]") {
  const Folder folder;
  const std::string path = folder / "net.onnx", unseen = "what depends on the inputs must be recorded on its way";
  const auto says = [&](const Tensor& example, const std::function<Tensor(const Tensor&)>& f) {
    for (const bool dynamic : {true, false})
      CHECK_THAT(message_of<ValueError>([&] { save_onnx(f, {example}, path, {.dynamic_batch = dynamic}); }),
                 Contains(unseen));
  };
  for (const Tensor& x : {rand({2, 4}) + 0.25, ones({2, 4}), ones({1, 1})})
    says(x, [](const Tensor& v) { return where(v > 0, v, v * 0.1); });
  says(rand({2, 4}), [](const Tensor& v) { return where(v < 1, v, v * 0.1); });
  says(zeros({2, 4}), [](const Tensor& v) { return where(v >= 0, v, v * 0.1); });
  const Tensor table = randn({5, 3});
  for (const Tensor& tokens : {zeros({2, 3}, kInt64), ones({2, 3}, kInt64), tensor({{1, 2, 1}, {1, 2, 1}})})
    says(tokens,
         [&](const Tensor& t) { return masked_fill(nn::functional::embedding(t, table), (t == 0).unsqueeze(-1), 7); });
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("bad calls of save_onnx say what they want and write nothing", "[onnx]") {
  const Folder folder;
  const std::string path = folder / "net.onnx";
  const nn::Linear net(3, 2);
  const Tensor x = randn({2, 3});
  CHECK(message_of<ValueError>([&] { save_onnx(net, {}, path); }) ==
        "save_onnx: there must be at least one input, got none");
  CHECK(message_of<ValueError>([&] { save_onnx(net, {Tensor()}, path); }) ==
        "save_onnx: inputs must be defined, got an undefined tensor (Tensor())");
  CHECK(message_of<ValueError>([&] {
          save_onnx(net, {zeros({0, 3})}, path);
        }) == "save_onnx: inputs must have elements, of another dtype than bfloat16, got [0, 3] float32");
  CHECK(message_of<ValueError>([&] {
          save_onnx(net, {x, x}, path);
        }) == "save_onnx: the model must take as many tensors as are given, got 2");
  CHECK(message_of<ValueError>([&] {
          save_onnx(net, {x}, path, {.input_names = {"a", "b"}});
        }) == "save_onnx: there must be one name for each input, got 2 for 1");
  CHECK(message_of<ShapeError>([&] { save_onnx(net, {randn({2, 4})}, path); }).find("linear") == 0);
  const Program program = capture([&] { return net(x); });
  CHECK(message_of<ValueError>([&] { save_onnx(program, path); }) ==
        "save_onnx: the program must have inputs, got one without (capture(fn, {x}))");
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_THROWS_AS(save_onnx(net, {x}, folder / "no" + "/net.onnx"), IOError);
}

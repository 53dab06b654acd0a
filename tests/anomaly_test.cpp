// Anomaly mode names the line of the forward. This file is compiled with -g, whatever the build.
#include <cstdlib>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

int forward_line = 0;

// Visible, so that its name is known where addr2line is not installed.
[[gnu::noinline, gnu::visibility("default")]] Tensor root_of_anomaly_test(const Tensor& x) {
  forward_line = __LINE__ + 1;
  return sqrt(x * 1) + 0;
}

namespace {

bool has_addr2line() { return std::system("command -v addr2line >/dev/null 2>&1") == 0; }

}  // namespace

TEST_CASE("anomaly mode names the line of the forward", "[anomaly]") {
  const autograd::DetectAnomalyGuard guard;
  const Tensor x = tensor({-1.0, 4.0}, dtype(kFloat64).requires_grad(true));
  const Tensor y = sum(root_of_anomaly_test(x));
  const std::string text = message_of<AutogradError>([&] { y.backward(); });
  CHECK_THAT(text, Contains("backward of sqrt") && Contains("its forward was recorded at"));
  if (has_addr2line()) CHECK_THAT(text, Contains("anomaly_test.cpp:" + std::to_string(forward_line)));
  CHECK_THAT(text, Contains("root_of_anomaly_test"));
}

TEST_CASE("anomaly mode names the line of a user-defined function's call", "[anomaly]") {
  struct Refusing : autograd::Function<Refusing> {
    static Tensor forward(autograd::AutogradContext*, const Tensor& a) { return a * 2; }
    static autograd::variable_list backward(autograd::AutogradContext*, autograd::variable_list) {
      throw ValueError("its rule throws");
    }
  };
  const autograd::DetectAnomalyGuard guard;
  const Tensor x = ones({2}, requires_grad());
  const int line = __LINE__ + 1;
  const Tensor y = Refusing::apply(x);
  const std::string text = message_of<ValueError>([&] { sum(y).backward(); });
  CHECK_THAT(text, Contains("raised in the backward of Refusing"));
  if (has_addr2line()) CHECK_THAT(text, Contains("anomaly_test.cpp:" + std::to_string(line)));
}

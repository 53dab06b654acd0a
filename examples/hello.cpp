// The smallest program that uses the tape: y = sum x^2, so dy/dx = 2x.
#include <cstdio>

#include "tapegrad/tapegrad.h"

int main() {
  using namespace tapegrad;
  Tensor x = tensor({1.0, 2.0}, requires_grad());
  Tensor y = (x * x).sum();
  y.backward();
  std::puts(to_string(x.grad()).c_str());
}

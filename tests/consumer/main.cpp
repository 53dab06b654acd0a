// The smallest program of a user: dy/dx of y = sum(x^2).
#include <tapegrad/tapegrad.h>

int main() {
  using namespace tapegrad;
  auto x = tensor({1.0, 2.0}, requires_grad());
  auto y = (x * x).sum();
  y.backward();
  return equal(x.grad(), tensor({2.0, 4.0})) ? 0 : 1;
}

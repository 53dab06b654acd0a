// PyTorch's C++ example "regression": fits a polynomial of the fourth degree.
#include <cstdio>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

constexpr int64_t kDegree = 4;

// [x, x^2, x^3, x^4]
Tensor make_features(const Tensor& x) {
  const Tensor column = x.unsqueeze(1);
  std::vector<Tensor> powers;
  for (int64_t i = 1; i <= kDegree; ++i) powers.push_back(column.pow(i));
  return cat(powers, 1);
}

std::string description(const Tensor& weight, const Tensor& bias) {
  std::string text = "y = ";
  for (int64_t i = 0; i < kDegree; ++i) {
    char term[64];
    std::snprintf(term, sizeof term, "%+.2f x^%d ", weight[i].item<double>(), static_cast<int>(i + 1));
    text += term;
  }
  char last[32];
  std::snprintf(last, sizeof last, "%+.2f", bias[0].item<double>());
  return text + last;
}

int main() {
  manual_seed(0);
  const Tensor true_weight = randn({kDegree, 1}) * 5, true_bias = randn({1}) * 5;
  const auto target = [&](const Tensor& x) { return mm(x, true_weight) + true_bias; };

  nn::Linear fc(kDegree, 1);
  optim::SGD optimizer(fc.parameters(), /*lr=*/0.1);
  double loss = 0;
  int64_t batch = 0;
  do {
    const Tensor x = make_features(randn({32}));
    optimizer.zero_grad();
    const Tensor output = nn::functional::smooth_l1_loss(fc(x), target(x));
    loss = output.item<double>();
    output.backward();
    optimizer.step();
  } while (loss >= 1e-3 && ++batch < 20000);

  std::printf("Loss: %f after %lld batches\n", loss, static_cast<long long>(batch));
  std::printf("Learned function: %s\n", description(fc.weight.detach().reshape({-1}), fc.bias.detach()).c_str());
  std::printf("Actual function:  %s\n", description(true_weight.reshape({-1}), true_bias).c_str());
  return loss < 1e-3 ? 0 : 1;
}

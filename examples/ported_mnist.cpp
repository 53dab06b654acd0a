// PyTorch's C++ example "mnist", its multi-layer part: two linear layers with dropout between.
#include <cstdio>

#include "common/data.h"
#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kTrainBatchSize = 64, kTestBatchSize = 1000;

struct Net : nn::Cloneable<Net> {
  nn::Linear fc1 = register_module("fc1", nn::Linear(784, 50));
  nn::Linear fc2 = register_module("fc2", nn::Linear(50, 10));
  Tensor forward(Tensor x) {
    x = relu(fc1->forward(x.view({-1, 784})));
    x = dropout(x, /*p=*/0.5, is_training());
    x = fc2->forward(x);
    return log_softmax(x, /*dim=*/1);
  }
};

template <class DataLoader> void train(size_t epoch, Net& model, DataLoader& data_loader, optim::Optimizer& optimizer) {
  model.train();
  Tensor loss;
  for (auto [data, targets] : data_loader) {
    optimizer.zero_grad();
    loss = nll_loss(model(data), targets);
    loss.backward();
    optimizer.step();
  }
  std::printf("Train Epoch: %zu Loss: %.4f\n", epoch, loss.item<double>());
}

template <class DataLoader> double test(Net& model, DataLoader& data_loader, int64_t dataset_size) {
  const NoGradGuard no_grad;
  model.eval();
  double test_loss = 0;
  int64_t correct = 0;
  for (auto [data, targets] : data_loader) {
    const Tensor output = model(data);
    test_loss += nll_loss(output, targets, {.reduction = kSum}).template item<double>();
    correct += output.argmax(1).eq(targets).sum().template item<int64_t>();
  }
  const double accuracy = static_cast<double>(correct) / static_cast<double>(dataset_size);
  std::printf("Test set: Average loss: %.4f | Accuracy: %.3f\n", test_loss / static_cast<double>(dataset_size),
              accuracy);
  return accuracy;
}

int main(int argc, char** argv) {
  manual_seed(1);
  set_num_threads(1);
  const examples::DigitData digits = examples::load_digits();
  data::TensorDataset train_set(digits.train.images, digits.train.labels),
      test_set(digits.test.images, digits.test.labels);
  data::DataLoader train_loader(train_set, {.batch_size = kTrainBatchSize, .shuffle = true});
  data::DataLoader test_loader(test_set, {.batch_size = kTestBatchSize});

  Net model;
  optim::SGD optimizer(model.parameters(), {.lr = 0.01, .momentum = 0.5});
  // One pass over drawn digits, of which there are few, is too short.
  const size_t epochs = examples::quick(argc, argv) && digits.mnist ? 1 : 3;
  double accuracy = 0;
  for (size_t epoch = 1; epoch <= epochs; ++epoch) {
    train(epoch, model, train_loader, optimizer);
    accuracy = test(model, test_loader, test_set.size());
  }
  return accuracy > 0.8 ? 0 : 1;
}

// T10 as a whole program, written once for both libraries: 784-300-100-10 from its start to a test accuracy of 0.98 on MNIST, Adam in
// shuffled batches of 64, its learning rate falling to 0 over six epochs, an evaluation after each (examples/mnist_mlp.cpp).
#pragma once

#include <numeric>

#include "peer_digits.h"

namespace bench {
namespace {

using TrainStep = std::function<void(const lib::Tensor& images, const lib::Tensor& labels)>;
using MakeTrainStep =
    std::function<TrainStep(const std::shared_ptr<Mlp>& net, const std::shared_ptr<lib::optim::Adam>& adam)>;

TrainStep eager_step(const std::shared_ptr<Mlp>& net, const std::shared_ptr<lib::optim::Adam>& adam) {
  return [=](const lib::Tensor& images, const lib::Tensor& labels) {
    const lib::Tensor loss = lib::nn::functional::cross_entropy(net->forward(images), labels);
    drop_gradients(*adam);
    loss.backward();
    adam->step();
  };
}

class T10 {
 public:
  T10(const Digits& digits, const MakeTrainStep& make_step) : digits_(digits), order_(kExamples) {
    start();
    step_ = make_step(net_, adam_);
    std::iota(order_.begin(), order_.end(), 0);
  }

  // Epochs until `accuracy` on the test images; std::runtime_error when six are not enough.
  int train_to(double accuracy) {
    for (int epoch = 1; epoch <= kEpochs; ++epoch) {
      shuffle();
      for (int64_t from = 0; from < kExamples; from += kBatch) batch(from);
      if ((reached_ = test_accuracy()) >= accuracy) return epoch;
    }
    throw std::runtime_error("after six epochs the accuracy is " + std::to_string(reached_));
  }
  double reached() const { return reached_; }

  // One step, on the batch that begins at `from` of the present order.
  void batch(int64_t from) {
    const int64_t to = std::min(from + kBatch, kExamples);
    const lib::Tensor chosen = lib::from_blob(order_.data() + from, {to - from}, lib::kInt64);
    set_lr(*adam_, 1e-3 * (1 - static_cast<double>(steps_++) / kSteps));
    step_(digits_.images.index_select(0, chosen), digits_.labels.index_select(0, chosen));
  }
  double test_loss() const {
    const lib::NoGradGuard no_grad;
    return number(lib::nn::functional::cross_entropy(net_->forward(digits_.test_images), digits_.test_labels));
  }

 private:
  static constexpr int64_t kExamples = 60000, kBatch = 64;
  static constexpr int kEpochs = 6;
  static constexpr double kSteps = kEpochs * ((kExamples + kBatch - 1) / kBatch);

  // As both libraries begin a Linear, uniform within 1 / sqrt(inputs), but the same numbers on both sides.
  void start() {
    const lib::NoGradGuard no_grad;
    double bound = 0;
    for (lib::Tensor& p : net_->parameters()) {
      std::vector<float> values(static_cast<size_t>(p.numel()));
      if (p.dim() == 2) bound = 1 / std::sqrt(static_cast<double>(p.size(1)));
      for (float& value : values) value = static_cast<float>(random_.in(-bound, bound));
      p.copy_(lib::from_blob(values.data(), p.sizes(), lib::kFloat32));
    }
  }
  void shuffle() {
    for (size_t left = order_.size(); left > 1; --left) std::swap(order_[left - 1], order_[random_.below(left)]);
  }
  double test_accuracy() const {
    const lib::NoGradGuard no_grad;
    return number((lib::argmax(net_->forward(digits_.test_images), 1) == digits_.test_labels).to(lib::kFloat64).mean());
  }

  const Digits& digits_;
  Xorshift random_;
  std::shared_ptr<Mlp> net_ = std::make_shared<Mlp>();
  std::shared_ptr<lib::optim::Adam> adam_ = make_adam(net_->parameters(), 1e-3);
  TrainStep step_;
  std::vector<int64_t> order_;
  int64_t steps_ = 0;
  double reached_ = 0;
};

// Timed from the start of training; that the files are read before is told beside it.
Work t10(const MakeTrainStep& make_step) {
  struct Run {
    Digits digits = read_digits();
    double epochs = 0, accuracy = 0;
  };
  const auto run = std::make_shared<Run>();
  return {[=] {
            T10 program(run->digits, make_step);
            run->epochs = program.train_to(0.98);
            run->accuracy = program.reached();
          },
          [=] { return run->accuracy; },
          [=] {
            return std::map<std::string, double>{
                {"epochs", run->epochs}, {"accuracy", run->accuracy}, {"loading_s", run->digits.seconds}};
          }};
}

// Its first steps, and the test loss then: what must agree.
Work t10_start(const MakeTrainStep& make_step) {
  struct Run {
    Digits digits = read_digits();
    T10 program;
    int64_t from = 0;
    explicit Run(const MakeTrainStep& make) : program(digits, make) {}
  };
  const auto run = std::make_shared<Run>(make_step);
  return {[=] {
            run->program.batch(run->from);
            run->from += 64;
          },
          [=] { return run->program.test_loss(); }};
}

PeerRow t10_row(const std::string& prefix, const MakeTrainStep& make_step) {
  return {prefix + "t10_to_098", [=] { return t10(make_step); }, [=] { return t10_start(make_step); }, 0};
}

}  // namespace
}  // namespace bench

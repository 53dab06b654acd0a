// The MNIST handwritten digits.
#pragma once

#include "tapegrad/nn/data/dataset.h"

namespace tapegrad::data {

struct MNISTOptions {
  bool scale = true;  // float32 in [0, 1], else uint8 as in the file
};

// Images [N, 1, 28, 28] and labels [N] (int64, 0 to 9), from train-images-idx3-ubyte, train-labels-idx1-ubyte and the t10k
// pair, plain or with .gz. IOError: not found, malformed, or not of these shapes.
class TAPEGRAD_API MNIST : public Dataset<MNIST> {
 public:
  enum class Mode : uint8_t { kTrain, kTest };

  // Looks in root and root/mnist; without a root where find() looks.
  explicit MNIST(const std::optional<std::string>& root = {}, Mode mode = Mode::kTrain,
                 const MNISTOptions& options = {});
  // The directory that holds all four files: root or root/mnist; without a root, the directory TAPEGRAD_DATA names, then
  // data. Nothing when it is not there.
  static std::optional<std::string> find(const std::optional<std::string>& root = {});

  const Tensor& images() const { return set_.data(); }
  const Tensor& targets() const { return set_.targets(); }
  int64_t size() const { return set_.size(); }
  Example<> get(int64_t i) const { return set_.get(i); }
  Example<> get_batch(IntArrayRef indices) const { return set_.get_batch(indices); }

 private:
  TensorDataset set_;
};

namespace datasets {
using data::MNIST;
using data::MNISTOptions;
}  // namespace datasets

}  // namespace tapegrad::data

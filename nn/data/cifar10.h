// The CIFAR-10 images of ten kinds of things.
#pragma once

#include "tapegrad/nn/data/images.h"

namespace tapegrad::data {

using CIFAR10Options = ImagesOptions;

// Images [N, 3, 32, 32] (red, green, blue) and labels [N] (int64, 0 to 9: airplane, automobile, bird, cat, deer, dog, frog,
// horse, ship, truck), from the binary version: data_batch_1.bin to data_batch_5.bin, test_batch.bin; each image one byte
// for the label and 3072 for the pixels. https://www.cs.toronto.edu/~kriz/cifar.html
// IOError, naming the file: not found, empty, a truncated record, a label above 9.
class TAPEGRAD_API CIFAR10 : public Images<CIFAR10> {
 public:
  // Looks in root and root/cifar-10-batches-bin; without a root where find() looks.
  explicit CIFAR10(const std::optional<std::string>& root = {}, Mode mode = Mode::kTrain,
                   const CIFAR10Options& options = {});
  // The directory that holds all six files: root or root/cifar-10-batches-bin; without a root, the directory TAPEGRAD_DATA
  // names, then ./data. Nothing when it is not there.
  static std::optional<std::string> find(const std::optional<std::string>& root = {});
  // What the labels stand for.
  static std::vector<std::string> classes();
};

namespace datasets {
using data::CIFAR10;
using data::CIFAR10Options;
}  // namespace datasets

}  // namespace tapegrad::data

// The MNIST handwritten digits, and Fashion-MNIST, pieces of clothing in the same form.
#pragma once

#include "tapegrad/nn/data/images.h"

namespace tapegrad::data {

using MNISTOptions = ImagesOptions;

// Images [N, 1, 28, 28] and labels [N] (int64, 0 to 9), from train-images-idx3-ubyte, train-labels-idx1-ubyte and the t10k
// pair, plain or with .gz. IOError: not found, malformed, or not of these shapes.
class TAPEGRAD_API MNIST : public Images<MNIST> {
 public:
  // Looks in root and root/mnist; without a root where find() looks.
  explicit MNIST(const std::optional<std::string>& root = {}, Mode mode = Mode::kTrain,
                 const MNISTOptions& options = {});
  // The directory that holds all four files: root or root/mnist; without a root, the directory TAPEGRAD_DATA names, then
  // data. Nothing when it is not there.
  static std::optional<std::string> find(const std::optional<std::string>& root = {});
};

using FashionMNISTOptions = ImagesOptions;

// The same of ten kinds of clothing, in files of the same names. https://github.com/zalandoresearch/fashion-mnist
class TAPEGRAD_API FashionMNIST : public Images<FashionMNIST> {
 public:
  // Looks in root/fashion-mnist and root; without a root where find() looks.
  explicit FashionMNIST(const std::optional<std::string>& root = {}, Mode mode = Mode::kTrain,
                        const FashionMNISTOptions& options = {});
  // root/fashion-mnist or root; without a root fashion-mnist below the directory TAPEGRAD_DATA names, then below ./data.
  static std::optional<std::string> find(const std::optional<std::string>& root = {});
  // What the labels stand for.
  static std::vector<std::string> classes();
};

namespace datasets {
using data::FashionMNIST;
using data::FashionMNISTOptions;
using data::MNIST;
using data::MNISTOptions;
}  // namespace datasets

}  // namespace tapegrad::data

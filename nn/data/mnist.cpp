// The MNIST handwritten digits, from their four IDX files.
#include "tapegrad/nn/data/mnist.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/data/idx.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {
namespace {

constexpr const char* kFolder = "mnist";

// The plain file or the gzipped one, or nothing.
std::string existing(const std::string& path) {
  if (detail::is_file(path)) return path;
  return detail::is_file(path + ".gz") ? path + ".gz" : "";
}

std::string images_name(bool train) { return train ? "/train-images-idx3-ubyte" : "/t10k-images-idx3-ubyte"; }
std::string labels_name(bool train) { return train ? "/train-labels-idx1-ubyte" : "/t10k-labels-idx1-ubyte"; }

bool holds(const std::string& directory, bool train) {
  return !existing(directory + images_name(train)).empty() && !existing(directory + labels_name(train)).empty();
}

std::string directory_of(const std::optional<std::string>& root, bool train) {
  const auto place = detail::place_of(root, kFolder, [&](const std::string& at) { return holds(at, train); });
  if (place) return *place;
  throw IOError("MNIST: expected " + images_name(train).substr(1) + " and " + labels_name(train).substr(1) +
                " (plain or .gz), got neither both in any of " + detail::listed_places(root, kFolder) +
                " (scripts/get-mnist downloads them)");
}

TensorDataset load(const std::string& directory, bool train, const MNISTOptions& options) {
  const std::string images_path = existing(directory + images_name(train));
  const std::string labels_path = existing(directory + labels_name(train));
  Tensor images = read_idx(images_path);
  Tensor labels = read_idx(labels_path);
  if (images.dim() != 3 || images.dtype() != kUInt8 || images.size(1) != 28 || images.size(2) != 28)
    throw IOError("MNIST: " + images_path + " must hold uint8 images [N, 28, 28], got " + name_of(images.dtype()) +
                  " " + to_string(images.sizes()));
  if (labels.dim() != 1 || labels.dtype() != kUInt8 || labels.size(0) != images.size(0))
    throw IOError("MNIST: " + labels_path + " must hold one uint8 label for each of " + std::to_string(images.size(0)) +
                  " images, got " + name_of(labels.dtype()) + " " + to_string(labels.sizes()));
  const auto* first = labels.elements<uint8_t>();
  if (std::any_of(first, first + labels.numel(), [](uint8_t label) { return label > 9; }))
    throw IOError("MNIST: " + labels_path + " must hold labels from 0 to 9, got a larger one");
  const Shape sizes{images.size(0), 1, 28, 28};
  images = alias(images, sizes, contiguous_strides(sizes), 0);
  return {options.scale ? detail::scaled(images) : images, converted(labels, kInt64)};
}

}  // namespace

MNIST::MNIST(const std::optional<std::string>& root, Mode mode, const MNISTOptions& options)
    : Images(load(directory_of(root, mode == Mode::kTrain), mode == Mode::kTrain, options)) {}

std::optional<std::string> MNIST::find(const std::optional<std::string>& root) {
  return detail::place_of(root, kFolder, [](const std::string& at) { return holds(at, true) && holds(at, false); });
}

}  // namespace tapegrad::data

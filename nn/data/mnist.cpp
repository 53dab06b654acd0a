// MNIST and Fashion-MNIST, from their four IDX files.
#include "tapegrad/nn/data/mnist.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/data/idx.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {
namespace {

struct Kind {
  const char* name;
  const char* folder;
  bool elsewhere;  // whether the files are believed outside that folder too
  const char* hint;
};
constexpr Kind kDigits{"MNIST", "mnist", true, " (scripts/get-mnist downloads them)"};
// Their files have the digits' names: clothes are only what lies in their own folder, or where somebody says so.
constexpr Kind kClothes{"FashionMNIST", "fashion-mnist", false, ""};

std::vector<std::string> places_of(const Kind& kind, const std::optional<std::string>& root) {
  std::vector<std::string> all = detail::places(root, kind.folder), own;
  if (kind.elsewhere) return all;
  for (size_t i = 1; i < all.size(); i += 2) own.push_back(std::move(all[i]));
  if (root) own.push_back(*root);
  return own;
}

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

std::string directory_of(const Kind& kind, const std::optional<std::string>& root, bool train) {
  const auto places = places_of(kind, root);
  const auto place = detail::first_that(places, [&](const std::string& at) { return holds(at, train); });
  if (place) return *place;
  throw IOError(std::string(kind.name) + ": expected " + images_name(train).substr(1) + " and " +
                labels_name(train).substr(1) + " (plain or .gz), got neither both in any of " + detail::listed(places) +
                kind.hint);
}

TensorDataset load(const Kind& kind, const std::optional<std::string>& root, bool train, const ImagesOptions& options) {
  const std::string directory = directory_of(kind, root, train), who = std::string(kind.name) + ": ";
  const std::string images_path = existing(directory + images_name(train));
  const std::string labels_path = existing(directory + labels_name(train));
  Tensor images = read_idx(images_path);
  Tensor labels = read_idx(labels_path);
  if (images.dim() != 3 || images.dtype() != kUInt8 || images.size(1) != 28 || images.size(2) != 28)
    throw IOError(who + images_path + " must hold uint8 images [N, 28, 28], got " + name_of(images.dtype()) + " " +
                  to_string(images.sizes()));
  if (labels.dim() != 1 || labels.dtype() != kUInt8 || labels.size(0) != images.size(0))
    throw IOError(who + labels_path + " must hold one uint8 label for each of " + std::to_string(images.size(0)) +
                  " images, got " + name_of(labels.dtype()) + " " + to_string(labels.sizes()));
  const auto* first = labels.elements<uint8_t>();
  if (std::any_of(first, first + labels.numel(), [](uint8_t label) { return label > 9; }))
    throw IOError(who + labels_path + " must hold labels from 0 to 9, got a larger one");
  const Shape sizes{images.size(0), 1, 28, 28};
  images = alias(images, sizes, contiguous_strides(sizes), 0);
  return {options.scale ? detail::scaled(images) : images, converted(labels, kInt64)};
}

std::optional<std::string> find_all(const Kind& kind, const std::optional<std::string>& root) {
  return detail::first_that(places_of(kind, root),
                            [](const std::string& at) { return holds(at, true) && holds(at, false); });
}

}  // namespace

MNIST::MNIST(const std::optional<std::string>& root, Mode mode, const MNISTOptions& options)
    : Images(load(kDigits, root, mode == Mode::kTrain, options)) {}

std::optional<std::string> MNIST::find(const std::optional<std::string>& root) { return find_all(kDigits, root); }

FashionMNIST::FashionMNIST(const std::optional<std::string>& root, Mode mode, const FashionMNISTOptions& options)
    : Images(load(kClothes, root, mode == Mode::kTrain, options)) {}

std::optional<std::string> FashionMNIST::find(const std::optional<std::string>& root) {
  return find_all(kClothes, root);
}

std::vector<std::string> FashionMNIST::classes() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}

}  // namespace tapegrad::data

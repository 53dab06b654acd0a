// Images in folders, one for each class.
#pragma once

#include "tapegrad/nn/data/dataset.h"

namespace tapegrad::data {

struct ImageFolderOptions {
  int64_t channels = 3;   // as in PNGOptions, but never 0: all examples have as many
  bool scale = true;      // float32 in [0, 1], else uint8
  bool any_size = false;  // for transforms that bring images to one size; else all must have that of the first
};

// PNG images [channels, height, width], each with the number of its class (int64): every folder in `root` is a class, numbered in
// the order of their names; images may lie in folders further down. Names that start with a dot are left out, and so are
// files that are no images. An image is read when it is asked for: a loader's workers do that ahead of the caller.
// IOError, naming the file: no class, a class without an image, images of another format, of another size, or damaged; what
// the header of an image tells (its size among it) already from the constructor.
class TAPEGRAD_API ImageFolder : public Dataset<ImageFolder> {
 public:
  struct Sample {
    std::string path;
    int64_t target;
  };
  explicit ImageFolder(std::string root, const ImageFolderOptions& options = {});
  int64_t size() const { return static_cast<int64_t>(samples_.size()); }
  // IndexError out of range.
  Example<> get(int64_t i) const;
  const std::vector<std::string>& classes() const { return classes_; }
  const std::vector<Sample>& samples() const { return samples_; }
  Tensor targets() const;  // [size()], int64

 private:
  void check_size(const std::string& path, const Shape& size) const;

  ImageFolderOptions options_;
  std::vector<std::string> classes_;
  std::vector<Sample> samples_;
  Shape size_;  // of the first
};

namespace datasets {
using data::ImageFolder;
using data::ImageFolderOptions;
}  // namespace datasets

}  // namespace tapegrad::data

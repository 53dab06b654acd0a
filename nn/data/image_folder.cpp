// Classes and their images, as folders hold them.
#include "tapegrad/nn/data/image_folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "tapegrad/nn/data/internal.h"
#include "tapegrad/nn/data/png.h"

namespace tapegrad::data {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw IOError("ImageFolder: \"" + path + "\": " + what);
}

// What a folder has, sorted, without hidden names.
std::vector<std::string> names_in(const std::string& folder) {
  const auto close = [](DIR* open) { closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> open(opendir(folder.c_str()), close);
  if (!open) fail(folder, "the folder must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  std::vector<std::string> names;
  while (const dirent* entry = readdir(open.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_folder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// What follows the last point of a name, in small letters.
std::string extension_of(const std::string& path) {
  const size_t point = path.find_last_of("./");
  if (point == path.npos || path[point] == '/') return "";
  std::string out = path.substr(point + 1);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool is_other_image(const std::string& extension) {
  constexpr const char* kOthers[] = {"jpg", "jpeg", "bmp", "gif", "pgm", "ppm", "tif", "tiff", "webp"};
  return std::find(std::begin(kOthers), std::end(kOthers), extension) != std::end(kOthers);
}

// Links to folders are followed, but not for ever.
void add_images(const std::string& folder, int depth, std::vector<std::string>& images) {
  constexpr int kDeepest = 40;
  if (depth > kDeepest) fail(folder, "folders must not be nested more than 40 deep, got a link to one above?");
  for (const std::string& name : names_in(folder)) {
    const std::string path = detail::path_in(folder, name), extension = extension_of(path);
    if (is_folder(path)) add_images(path, depth + 1, images);
    else if (extension == "png") images.push_back(path);
    else if (is_other_image(extension)) fail(path, "images must be PNG files, got ." + extension);
  }
}

}  // namespace

ImageFolder::ImageFolder(std::string root, const ImageFolderOptions& options) : options_(options) {
  detail::check_channels("ImageFolder", options.channels);
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  for (const std::string& name : names_in(root)) {
    const std::string folder = detail::path_in(root, name);
    if (!is_folder(folder)) continue;
    std::vector<std::string> images;
    add_images(folder, 0, images);
    if (images.empty()) fail(folder, "a class must have at least one image (.png), got none");
    for (std::string& path : images) samples_.push_back({std::move(path), static_cast<int64_t>(classes_.size())});
    classes_.push_back(name);
  }
  if (classes_.empty()) fail(root, "expected a folder for each class, got none");
  if (options.any_size) return;
  size_ = detail::png_size(samples_[0].path);
  for (const Sample& sample : samples_) check_size(sample.path, detail::png_size(sample.path));
}

void ImageFolder::check_size(const std::string& path, const Shape& size) const {
  if (options_.any_size || IntArrayRef(size) == IntArrayRef(size_)) return;
  fail(path, "every image must have the size of the first, \"" + samples_[0].path + "\", " + to_string(size_) +
                 ", got " + to_string(size) + " (any_size = true takes it, for transforms that crop)");
}

Example<> ImageFolder::get(int64_t i) const {
  if (i < 0 || i >= size())
    throw IndexError("ImageFolder: the index must be in [0, " + std::to_string(size()) + "), got " + std::to_string(i));
  const Sample& sample = samples_[static_cast<size_t>(i)];
  const Tensor image = read_png(sample.path, {.channels = options_.channels, .scale = options_.scale});
  check_size(sample.path, {image.size(1), image.size(2)});
  const Tensor target = new_tensor({}, kInt64);
  *target.elements<int64_t>() = sample.target;
  return {image, target};
}

Tensor ImageFolder::targets() const {
  const Tensor out = new_tensor({size()}, kInt64);
  for (int64_t i = 0; i < size(); ++i) out.elements<int64_t>()[i] = samples_[static_cast<size_t>(i)].target;
  return out;
}

}  // namespace tapegrad::data

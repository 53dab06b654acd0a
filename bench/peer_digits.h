// MNIST for the peers: read and normalised by one source text, as peer_rows.h is compiled against either library.
#pragma once

#include <zlib.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "peer_worker.h"

namespace bench {
namespace {

struct Digits {
  lib::Tensor images, labels, test_images, test_labels;  // [n, 784] in float32 of mean 0 and deviation 1, [n]
  double seconds = 0;                                    // that reading took
};

// Looks where the library's own reader looks: TAPEGRAD_DATA, data, and mnist below them.
std::optional<std::filesystem::path> digits_folder() {
  const char* const named = std::getenv("TAPEGRAD_DATA");
  for (const std::filesystem::path root : {named ? named : "", "data"}) {
    for (const char* const below : {"", "mnist"}) {
      if (!root.empty() && std::filesystem::exists(root / below / "train-images-idx3-ubyte.gz")) return root / below;
    }
  }
  return {};
}

// What stands behind the header of an IDX file.
std::vector<unsigned char> idx_bytes(const std::filesystem::path& path, size_t header, size_t count) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::vector<unsigned char> bytes(header + count);
  const int got = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  if (got != static_cast<int>(bytes.size())) throw std::runtime_error(path.string() + " is too short");
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

lib::Tensor images_in(const std::filesystem::path& path, int64_t count) {
  std::vector<unsigned char> bytes = idx_bytes(path, 16, static_cast<size_t>(count * 784));
  return lib::from_blob(bytes.data(), {count, 784}, lib::kUInt8).to(lib::kFloat32) / 255;
}
lib::Tensor labels_in(const std::filesystem::path& path, int64_t count) {
  std::vector<unsigned char> bytes = idx_bytes(path, 8, static_cast<size_t>(count));
  return lib::from_blob(bytes.data(), {count}, lib::kUInt8).to(lib::kInt64);
}

// NotHere without the files.
Digits read_digits() {
  const auto folder = digits_folder();
  if (!folder) throw NotHere("no MNIST in TAPEGRAD_DATA or data");
  const auto start = std::chrono::steady_clock::now();
  Digits digits{images_in(*folder / "train-images-idx3-ubyte.gz", 60000),
                labels_in(*folder / "train-labels-idx1-ubyte.gz", 60000),
                images_in(*folder / "t10k-images-idx3-ubyte.gz", 10000),
                labels_in(*folder / "t10k-labels-idx1-ubyte.gz", 10000)};
  const lib::NoGradGuard no_grad;
  const lib::Tensor mean = digits.images.mean();
  const lib::Tensor deviation = (digits.images - mean).square().mean().sqrt();
  for (lib::Tensor* images : {&digits.images, &digits.test_images}) images->sub_(mean).div_(deviation);
  digits.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return digits;
}

}  // namespace
}  // namespace bench

// The CIFAR-10 images, from the files of its binary version.
#include "tapegrad/nn/data/cifar10.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;
constexpr int64_t kRecord = 1 + kPixels;
constexpr const char* kFolder = "cifar-10-batches-bin";

std::vector<std::string> names_of(CIFAR10::Mode mode) {
  if (mode == CIFAR10::Mode::kTest) return {"test_batch.bin"};
  std::vector<std::string> out;
  for (int i = 1; i <= 5; ++i) out.push_back("data_batch_" + std::to_string(i) + ".bin");
  return out;
}

bool holds(const std::string& directory, CIFAR10::Mode mode) {
  const std::vector<std::string> names = names_of(mode);
  return std::all_of(names.begin(), names.end(),
                     [&](const std::string& name) { return detail::is_file(detail::path_in(directory, name)); });
}

std::string directory_of(const std::optional<std::string>& root, CIFAR10::Mode mode) {
  const auto places = detail::places(root, kFolder);
  const auto place = detail::first_that(places, [&](const std::string& at) { return holds(at, mode); });
  if (place) return *place;
  const bool train = mode == CIFAR10::Mode::kTrain;
  throw IOError(std::string("CIFAR10: expected ") +
                (train ? "data_batch_1.bin to data_batch_5.bin" : "test_batch.bin") + ", got not all of it in any of " +
                detail::listed(places) + " (from cifar-10-binary.tar.gz)");
}

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw IOError("CIFAR10: " + path + ": " + what);
}

// Records in a file, by its size.
int64_t records_of(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    fail(path, "the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  if (info.st_size == 0) fail(path, "expected records of 3073 bytes, got an empty file");
  const int64_t records = info.st_size / kRecord, rest = info.st_size % kRecord;
  if (rest != 0)
    fail(path, "expected 3073 bytes for record " + std::to_string(records) + ", got " + std::to_string(rest) +
                   " (truncated?)");
  return records;
}

void read(const std::string& path, int64_t records, uint8_t* pixels, int64_t* labels) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (!file) fail(path, "the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  for (int64_t i = 0; i < records; ++i, pixels += kPixels) {
    uint8_t label = 0;
    const size_t got = std::fread(&label, 1, 1, file.get()) + std::fread(pixels, 1, kPixels, file.get());
    if (got != kRecord)
      fail(path,
           "expected 3073 bytes for record " + std::to_string(i) + ", got " + std::to_string(got) + " (truncated?)");
    if (label > 9)
      fail(path, "expected labels from 0 to 9, got " + std::to_string(label) + " in record " + std::to_string(i));
    labels[i] = label;
  }
}

TensorDataset load(const std::string& directory, CIFAR10::Mode mode, const CIFAR10Options& options) {
  const std::vector<std::string> names = names_of(mode);
  std::vector<int64_t> counts;
  int64_t total = 0;
  for (const std::string& name : names) total += counts.emplace_back(records_of(detail::path_in(directory, name)));
  const Tensor images = new_tensor({total, 3, 32, 32}, kUInt8), labels = new_tensor({total}, kInt64);
  int64_t done = 0;
  for (size_t i = 0; i < names.size(); done += counts[i++])
    read(detail::path_in(directory, names[i]), counts[i], images.elements<uint8_t>() + done * kPixels,
         labels.elements<int64_t>() + done);
  return {options.scale ? detail::scaled(images) : images, labels};
}

}  // namespace

CIFAR10::CIFAR10(const std::optional<std::string>& root, Mode mode, const CIFAR10Options& options)
    : Images(load(directory_of(root, mode), mode, options)) {}

std::optional<std::string> CIFAR10::find(const std::optional<std::string>& root) {
  return detail::first_that(detail::places(root, kFolder),
                            [](const std::string& at) { return holds(at, Mode::kTrain) && holds(at, Mode::kTest); });
}

std::vector<std::string> CIFAR10::classes() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

}  // namespace tapegrad::data

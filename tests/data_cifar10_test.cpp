// CIFAR-10's binary files, made small.
#include <tapegrad/tapegrad.h>

#include "folder.h"
#include "message.h"

using namespace tapegrad;
using data::CIFAR10;

namespace {

// A record whose pixels are first, first + 1, ..., modulo 256.
std::string record(int label, int first) {
  std::string out(1, static_cast<char>(label));
  for (int i = 0; i < 3072; ++i) out += static_cast<char>(first + i);
  return out;
}

// A folder with all six files: two records in the first, one in each other.
void write_all(const Folder& folder, const std::string& under) {
  folder.write(under + "data_batch_1.bin", record(3, 0) + record(9, 51));
  for (int i = 2; i <= 5; ++i) folder.write(under + "data_batch_" + std::to_string(i) + ".bin", record(i, i));
  folder.write(under + "test_batch.bin", record(0, 255));
}

}  // namespace

TEST_CASE("CIFAR-10 is found and read", "[data]") {
  const Folder folder;
  std::filesystem::create_directory(folder.path() + "/cifar-10-batches-bin");
  CHECK_FALSE(CIFAR10::find(folder.path()));
  CHECK_THAT(message_of<IOError>([&] { CIFAR10(folder.path()); }),
             Contains("data_batch_1.bin to data_batch_5.bin") && Contains(folder.path() + "/cifar-10-batches-bin"));
  write_all(folder, "cifar-10-batches-bin/");
  CHECK(CIFAR10::find(folder.path()) == folder.path() + "/cifar-10-batches-bin");

  const CIFAR10 train(folder.path());
  CHECK(train.size() == 6);
  CHECK(train.images().sizes().vec() == std::vector<int64_t>{6, 3, 32, 32});
  CHECK(train.images().dtype() == kFloat32);
  CHECK(equal(train.targets(), tensor({3, 9, 2, 3, 4, 5})));
  CHECK(train.images()[1][0][0][0].item<float>() == 0.2f);
  CHECK(train.images()[0][1][0][1].item<float>() == 1.0f / 255);   // pixel 1025: green, one to the right
  CHECK(train.images()[0][2][1][0].item<float>() == 32.0f / 255);  // pixel 2080: blue, one down
  const CIFAR10 test(folder.path() + "/cifar-10-batches-bin", CIFAR10::Mode::kTest, {.scale = false});
  CHECK(test.size() == 1);
  CHECK(test.images().dtype() == kUInt8);
  CHECK(test.images()[0][0][0][0].item<int64_t>() == 255);
  CHECK(test.get(0).target.item<int64_t>() == 0);

  data::DataLoader loader(train.map(data::transforms::Normalize<>({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})),
                          {.batch_size = 4});
  for (auto& [x, y] : loader) {
    CHECK(x.size(1) == 3);
    CHECK(x.amax().item<float>() == 1.0f);
    CHECK(x.amin().item<float>() == -1.0f);
  }
}

TEST_CASE("a damaged CIFAR-10 file says what was expected and what was found", "[data]") {
  const Folder folder;
  write_all(folder, "");
  const auto error = [&](const std::string& bytes) {
    folder.write("data_batch_4.bin", bytes);
    std::string message = message_of<IOError>([&] { CIFAR10(folder.path()); });
    CHECK_THAT(message, Contains("data_batch_4.bin"));
    return message;
  };
  CHECK_THAT(error(""), Contains("got an empty file"));
  CHECK_THAT(error("x"), Contains("record 0, got 1 (truncated?)"));
  CHECK_THAT(error(record(1, 0) + record(2, 0).substr(0, 3072)), Contains("3073 bytes for record 1, got 3072"));
  CHECK_THAT(error(record(1, 0) + record(10, 0)), Contains("labels from 0 to 9, got 10 in record 1"));
  CHECK_THAT(error(record(255, 0)), Contains("got 255 in record 0"));
  CHECK(CIFAR10(folder.path(), CIFAR10::Mode::kTest).size() == 1);  // of which nothing is damaged
  std::filesystem::remove(folder.path() + "/data_batch_4.bin");
  CHECK_THROWS_AS(CIFAR10(folder.path()), IOError);
  CHECK_FALSE(CIFAR10::find(folder.path()));
}

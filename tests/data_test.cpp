// Data sets, loaders, IDX files and MNIST.
#include <tapegrad/tapegrad.h>
#include <zlib.h>

#include <algorithm>
#include <iterator>

#include "folder.h"
#include "message.h"

using namespace tapegrad;
namespace fs = std::filesystem;

namespace {

std::string write_gzipped(const Folder& folder, const std::string& name, const std::string& bytes) {
  std::string path = folder.path() + "/" + name;
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  gzclose(file);
  return path;
}

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string idx(int code, const std::vector<uint32_t>& sizes, const std::string& elements) {
  std::string out{'\0', '\0', static_cast<char>(code), static_cast<char>(sizes.size())};
  for (uint32_t size : sizes) out += big_endian(size, 4);
  return out + elements;
}

template <class F> std::string error_of(const F& f) { return message_of<IOError>(f); }

std::vector<int64_t> order_of(data::DataLoader<data::TensorDataset>& loader) {
  std::vector<int64_t> out;
  for (const auto& [x, y] : loader) {
    for (int64_t i = 0; i < y.size(0); ++i) {
      CHECK(x[i][0].item<int64_t>() == 2 * y[i].item<int64_t>());  // data and target stay together
      out.push_back(y[i].item<int64_t>());
    }
  }
  return out;
}

data::TensorDataset numbers(int64_t n) {
  const Tensor y = arange(n);
  return {(y * 2).unsqueeze(1).expand({n, 3}), y};
}

}  // namespace

TEST_CASE("a tensor data set gives examples and batches", "[data]") {
  const Tensor x = randn({3, 4, 2}).transpose(1, 2), y = tensor({5, 6, 7});
  const data::TensorDataset set(x, y);
  CHECK(set.size() == 3);
  CHECK(equal(set.get(1).data, x[1]));
  CHECK(set.get(2).target.item<int64_t>() == 7);
  const data::Example<> batch = set.get_batch({2, 0, 2});
  CHECK(equal(batch.target, tensor({7, 5, 7})));
  CHECK(equal(batch.data[1], x[0]));
  CHECK_THROWS_AS(set.get(3), IndexError);
  CHECK_THROWS_AS(set.get_batch({-1}), IndexError);
  CHECK_THROWS_AS(data::TensorDataset(x, tensor({1, 2})), ShapeError);
  CHECK_THROWS_AS(data::TensorDataset(x, tensor(1)), ShapeError);
}

TEST_CASE("a loader goes over everything once, in order", "[data]") {
  data::DataLoader loader(numbers(10), {.batch_size = 4});
  CHECK(loader.size() == 3);
  CHECK(order_of(loader) == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  std::vector<int64_t> sizes;
  for (const data::Example<>& batch : loader) sizes.push_back(batch.data.size(0));
  CHECK(sizes == std::vector<int64_t>{4, 4, 2});
  data::DataLoader full(numbers(10), {.batch_size = 4, .drop_last = true});
  CHECK(full.size() == 2);
  CHECK(order_of(full).size() == 8);
  data::DataLoader empty(numbers(0), {.batch_size = 4, .shuffle = true});
  CHECK(empty.size() == 0);
  CHECK(order_of(empty).empty());
  CHECK_THROWS_AS(data::DataLoader(numbers(3), {.batch_size = 0}), ValueError);
}

TEST_CASE("a shuffling loader makes a new order every pass, the same for the same seed", "[data]") {
  data::DataLoader a(numbers(50), {.batch_size = 7, .shuffle = true, .seed = 3});
  data::DataLoader b(numbers(50), {.batch_size = 11, .shuffle = true, .seed = 3});
  data::DataLoader c(numbers(50), {.batch_size = 7, .shuffle = true, .seed = 4});
  const auto first = order_of(a), second = order_of(a);
  CHECK(first != second);
  CHECK(order_of(b) == first);
  CHECK(order_of(b) == second);
  CHECK(order_of(c) != first);
  auto sorted = second;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 50; ++i) CHECK(sorted[static_cast<size_t>(i)] == i);

  const auto unseeded = [] {
    manual_seed(9);
    data::DataLoader loader(numbers(50), {.shuffle = true});
    return order_of(loader);
  };
  CHECK(unseeded() == unseeded());
}

TEST_CASE("writing to a batch leaves the data set alone", "[data]") {
  const Tensor x = zeros({4, 2}), y = zeros({4});
  data::DataLoader loader(data::TensorDataset(x, y), {.batch_size = 4});
  for (auto [data, target] : loader) data.add_(1), target.add_(1);
  CHECK(equal(x, zeros({4, 2})));
  CHECK(equal(y, zeros({4})));
}

TEST_CASE("a data set of one's own needs size and get", "[data]") {
  struct Squares {
    int64_t size() const { return 5; }
    data::Example<> get(int64_t i) const { return {full({2}, i), tensor(i * i)}; }
  };
  data::DataLoader loader(Squares{}, {.batch_size = 3});
  std::vector<Tensor> targets;
  for (const auto& [x, y] : loader) {
    CHECK(x.size(1) == 2);
    targets.push_back(y);
  }
  CHECK(equal(cat(targets), tensor({0, 1, 4, 9, 16})));

  struct Ragged : Squares {
    data::Example<> get(int64_t i) const { return {zeros({i}), tensor(0)}; }
  };
  data::DataLoader ragged(Ragged{}, {.batch_size = 3});
  CHECK_THROWS_AS(
      [&] {
        for (const auto& batch : ragged) (void)batch;
      }(),
      ShapeError);

  struct Undefined : Squares {
    data::Example<> get(int64_t i) const { return {ones({2}), i == 2 ? Tensor() : tensor(i)}; }
  };
  data::DataLoader undefined(Undefined{}, {.batch_size = 3});
  CHECK(message_of<ValueError>([&] { undefined.begin(); }) ==
        "DataLoader: every tensor of an example must be defined, got an undefined tensor (Tensor())");
}

TEST_CASE("IDX files are read, gzipped or not", "[data]") {
  const Folder folder;
  const std::string bytes = idx(8, {2, 3}, {1, 2, 3, 4, 5, '\xff'});
  const Tensor expected = tensor({{1, 2, 3}, {4, 5, 255}}, kUInt8);
  CHECK(equal(data::read_idx(folder.write("plain", bytes)), expected));
  CHECK(equal(data::read_idx(write_gzipped(folder, "packed", bytes)), expected));
  const std::string ints = big_endian(1, 4) + big_endian(static_cast<uint32_t>(-7), 4);
  CHECK(equal(data::read_idx(folder.write("i", idx(12, {2}, ints))), tensor({1, -7}, kInt32)));
  const std::string floats = big_endian(0x3fc00000u, 4) + big_endian(0xc0000000u, 4);
  CHECK(equal(data::read_idx(folder.write("f", idx(13, {2, 1}, floats))), tensor({{1.5}, {-2.0}})));
  CHECK(equal(data::read_idx(folder.write("d", idx(14, {1}, big_endian(0x3ff8000000000000u, 8)))),
              tensor({1.5}, kFloat64)));
  CHECK(data::read_idx(folder.write("none", idx(8, {0, 28, 28}, ""))).sizes().vec() == std::vector<int64_t>{0, 28, 28});
}

TEST_CASE("a file that is not IDX says what was expected and what was found", "[data]") {
  const Folder folder;
  const std::string good = idx(8, {2, 3}, "abcdef");
  const auto error = [&](const std::string& bytes) {
    std::string plain = error_of([&] { data::read_idx(folder.write("plain", bytes)); });
    CHECK_THAT(plain, Contains("plain"));
    if (!bytes.empty())
      CHECK_THAT(error_of([&] { data::read_idx(write_gzipped(folder, "packed", bytes)); }), Contains("packed"));
    return plain;
  };
  CHECK_THAT(error(""), Contains("empty file"));
  CHECK_THAT(error(good.substr(0, 3)), Contains("header of 4 bytes, got 3"));
  CHECK_THAT(error(good.substr(0, 9)), Contains("header of 12 bytes, got 9"));
  CHECK_THAT(error(good.substr(0, 15)), Contains("expected 6 bytes") && Contains("got 3"));
  CHECK_THAT(error(good + "g"), Contains("trailing"));
  CHECK_THAT(error("PK" + good), Contains("zero bytes") && Contains("80"));
  CHECK_THAT(error(idx(9, {1}, "a")), Contains("type code") && Contains("got 9"));
  CHECK_THAT(error(idx(8, {}, "a")), Contains("1 to 8 dims, got 0"));
  CHECK_THAT(error(idx(8, std::vector<uint32_t>(200, 1), "a")), Contains("got 200"));
  // Sizes no file of this length can hold are refused before any memory is asked for.
  const int64_t peak = allocator_stats().peak_bytes;
  CHECK_THAT(error(idx(8, {0x7fffffff, 0x7fffffff}, "a")), Contains("[2147483647, 2147483647]"));
  CHECK_THAT(error(idx(14, {0xffffffff, 0xffffffff, 0xffffffff}, "a")), Contains("2^63"));
  CHECK(allocator_stats().peak_bytes < peak + (1 << 20));
  // Zero times absurd is still no elements.
  CHECK(data::read_idx(folder.write("zero", idx(8, {0, 0xffffffff}, ""))).numel() == 0);

  CHECK_THAT(error_of([&] { data::read_idx(folder.path() + "/missing"); }),
             Contains("missing") && Contains("No such file"));
  CHECK_THAT(error_of([&] { data::read_idx(folder.path()); }), Contains("directory"));
}

TEST_CASE("a damaged gzip file is an error", "[data]") {
  const Folder folder;
  std::string elements;
  for (int i = 0; i < 5000; ++i) elements += static_cast<char>(i * i * 31 >> 3);
  const std::string path = write_gzipped(folder, "packed", idx(8, {5000}, elements));
  std::ifstream in(path, std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(in)), {});
  for (const size_t kept : {size_t{11}, packed.size() / 2, packed.size() - 9, packed.size() - 1}) {
    INFO(kept << " of " << packed.size());
    CHECK_THAT(error_of([&] { data::read_idx(folder.write("cut", packed.substr(0, kept))); }), Contains("cut"));
  }
  std::string wrong = packed;
  wrong[packed.size() - 6] = static_cast<char>(wrong[packed.size() - 6] ^ 1);  // the checksum
  CHECK_THAT(error_of([&] { data::read_idx(folder.write("wrong", wrong)); }), Contains("gzip"));
}

TEST_CASE("MNIST is found, plain or gzipped, and checked", "[data]") {
  const Folder folder;
  fs::create_directory(folder.path() + "/mnist");
  CHECK_FALSE(data::MNIST::find(folder.path()));
  CHECK_THAT(error_of([&] { data::MNIST(folder.path()); }),
             Contains("train-images-idx3-ubyte") && Contains("get-mnist"));
  std::string pixels(2 * 784, '\0');
  pixels[0] = '\xff';
  pixels[784] = '\x33';
  write_gzipped(folder, "mnist/train-images-idx3-ubyte.gz", idx(8, {2, 28, 28}, pixels));
  folder.write("mnist/train-labels-idx1-ubyte", idx(8, {2}, {7, 3}));
  CHECK_FALSE(data::MNIST::find(folder.path()));
  folder.write("mnist/t10k-images-idx3-ubyte", idx(8, {1, 28, 28}, pixels.substr(784)));
  folder.write("mnist/t10k-labels-idx1-ubyte", idx(8, {1}, {9}));
  CHECK(data::MNIST::find(folder.path()) == folder.path() + "/mnist");

  const data::MNIST train(folder.path());
  CHECK(train.size() == 2);
  CHECK(train.images().sizes().vec() == std::vector<int64_t>{2, 1, 28, 28});
  CHECK(train.images()[0][0][0][0].item<float>() == 1.0f);
  CHECK(train.images()[1][0][0][0].item<float>() == 0.2f);
  CHECK(equal(train.targets(), tensor({7, 3})));
  data::DataLoader loader(train, {.batch_size = 2});
  for (const auto& [x, y] : loader) CHECK(x.sizes().vec() == std::vector<int64_t>{2, 1, 28, 28});
  const data::MNIST raw(folder.path() + "/mnist", data::MNIST::Mode::kTest, {.scale = false});
  CHECK(raw.images().dtype() == kUInt8);
  CHECK(raw.get(0).target.item<int64_t>() == 9);

  folder.write("mnist/train-labels-idx1-ubyte", idx(8, {3}, {7, 3, 1}));
  CHECK_THAT(error_of([&] { data::MNIST(folder.path()); }), Contains("one uint8 label for each of 2"));
  folder.write("mnist/train-labels-idx1-ubyte", idx(8, {2}, {7, 10}));
  CHECK_THAT(error_of([&] { data::MNIST(folder.path()); }), Contains("0 to 9"));
}

TEST_CASE("Fashion-MNIST has the files of MNIST in a folder of its own", "[data]") {
  using data::FashionMNIST;
  const Folder folder;
  const auto write_all = [&](const std::string& under, char first) {
    for (const char* part : {"train", "t10k"}) {
      folder.write(under + part + "-images-idx3-ubyte",
                   idx(8, {1, 28, 28}, std::string(1, first) + std::string(783, '\0')));
      folder.write(under + part + "-labels-idx1-ubyte", idx(8, {1}, {9}));
    }
  };
  write_all("", '\x01');                                      // digits, as far as anybody can tell
  CHECK(FashionMNIST::find(folder.path()) == folder.path());  // who says so is believed
  fs::create_directory(folder / "fashion-mnist");
  write_all("fashion-mnist/", '\x02');
  CHECK(FashionMNIST::find(folder.path()) == folder / "fashion-mnist");
  const FashionMNIST set(folder.path(), FashionMNIST::Mode::kTest, {.scale = false});
  CHECK(set.images()[0][0][0][0].item<int64_t>() == 2);
  CHECK(FashionMNIST::classes()[static_cast<size_t>(set.targets()[0].item<int64_t>())] == "Ankle boot");
  CHECK(data::MNIST(folder.path(), data::MNIST::Mode::kTrain, {.scale = false}).images()[0][0][0][0].item<int64_t>() ==
        1);

  const char* before = std::getenv("TAPEGRAD_DATA");
  const std::string kept = before ? before : "";
  setenv("TAPEGRAD_DATA", folder.path().c_str(), 1);
  CHECK(FashionMNIST::find() == folder / "fashion-mnist");
  fs::remove_all(folder / "fashion-mnist");
  CHECK_FALSE(FashionMNIST::find() == folder.path());  // never digits by mistake
  CHECK(data::MNIST::find() == folder.path());
  before ? setenv("TAPEGRAD_DATA", kept.c_str(), 1) : unsetenv("TAPEGRAD_DATA");

  folder.write("t10k-labels-idx1-ubyte", idx(8, {1}, {10}));
  CHECK_THAT(error_of([&] { FashionMNIST(folder.path(), FashionMNIST::Mode::kTest); }),
             Contains("FashionMNIST: ") && Contains("0 to 9"));
  CHECK_THAT(error_of([&] { FashionMNIST(folder / "none"); }),
             Contains("FashionMNIST: expected train-images-idx3-ubyte") && Contains("none/fashion-mnist, "));
}

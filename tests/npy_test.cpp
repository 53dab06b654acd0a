// .npy files: round trips, NumPy's own bytes, every way to be malformed, and writes that fail.
#include "tapegrad/core/npy.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "catch.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"

using namespace tapegrad;
namespace fs = std::filesystem;

namespace {

// A folder of the test's own, removed at its end.
struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "tapegrad-npy-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string operator/(const char* name) const { return (path / name).string(); }
  int64_t files() const { return std::distance(fs::directory_iterator(path), fs::directory_iterator()); }
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string npy(const std::string& header, const std::string& data, char major = 1) {
  std::string text = std::string("\x93NUMPY") + major + '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) text += static_cast<char>(header.size() >> (8 * i) & 255);
  return text + header + data;
}
std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

template <class T> std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
std::string reversed_words(std::string bytes, size_t word) {
  for (size_t i = 0; i < bytes.size(); i += word)
    std::reverse(bytes.begin() + static_cast<long>(i), bytes.begin() + static_cast<long>(i + word));
  return bytes;
}

template <class T> std::vector<T> values(const Tensor& x) {
  const Tensor flat = contiguous_of(x);
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

Tensor load(const Folder& folder, const std::string& bytes) {
  const std::string path = folder / "x.npy";
  write_bytes(path, bytes);
  return load_npy(path);
}

// The message of the IOError that loading these bytes gives, behind the quoted path it must start with.
std::string refusal(const Folder& folder, const std::string& bytes) {
  try {
    load(folder, bytes);
  } catch (const IOError& e) {
    const std::string text = e.what(), start = "load_npy: \"" + (folder / "x.npy") + "\": ";
    CHECK(text.substr(0, start.size()) == start);
    return text.substr(std::min(start.size(), text.size()));
  }
  return "no IOError";
}

std::string save_refusal(const std::string& path, const Tensor& x) {
  try {
    save_npy(path, x);
  } catch (const IOError& e) { return e.what(); }
  return "no IOError";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

template <class T> void check_round_trip(const Folder& folder, const std::vector<T>& data, IntArrayRef sizes) {
  const Tensor x = new_tensor(sizes, dtype_of<T>());
  std::copy(data.begin(), data.end(), x.data_ptr<T>());
  save_npy(folder / "x.npy", x);
  const Tensor y = load_npy(folder / "x.npy");
  CHECK(y.dtype() == x.dtype());
  CHECK(y.sizes().vec() == x.sizes().vec());
  CHECK(y.is_contiguous());
  CHECK(raw(values<T>(y)) == raw(values<T>(x)));
}

}  // namespace

TEST_CASE("npy: every dtype comes back bit by bit", "[npy]") {
  const Folder folder;
  check_round_trip<float>(folder, {1.5f, -0.0f, NAN, 1e-45f}, {2, 2});
  check_round_trip<double>(folder, {0.1, -1e308, 5e-324}, {3, 1});
  check_round_trip<int64_t>(folder, {INT64_MIN, INT64_MAX}, {2});
  check_round_trip<int32_t>(folder, {INT32_MIN, 7}, {1, 1, 2});
  check_round_trip<uint8_t>(folder, {0, 255, 128}, {3});
  const Tensor flags = new_tensor({3}, kBool);
  for (int i = 0; i < 3; ++i) flags.data_ptr<bool>()[i] = i == 1;
  save_npy(folder / "x.npy", flags);
  const Tensor again = load_npy(folder / "x.npy");
  CHECK(again.dtype() == kBool);
  CHECK(raw(std::vector<char>{0, 1, 0}) == std::string(static_cast<const char*>(again.data_ptr()), 3));
}

TEST_CASE("npy: no dims, no elements, eight dims", "[npy]") {
  const Folder folder;
  check_round_trip<float>(folder, {42}, {});
  check_round_trip<float>(folder, {}, {0});
  check_round_trip<int64_t>(folder, {}, {3, 0, 2});
  check_round_trip<float>(folder, {1, 2}, {1, 1, 1, 2, 1, 1, 1, 1});
}

TEST_CASE("npy: the bytes written are those NumPy writes", "[npy]") {
  const Folder folder;
  const Tensor x = new_tensor({2, 3}, kFloat32);
  for (int i = 0; i < 6; ++i) x.data_ptr<float>()[i] = static_cast<float>(i);
  save_npy(folder / "x.npy", x);
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  text += std::string(117 - text.size(), ' ') + "\n";
  CHECK(bytes_of(folder / "x.npy") == npy(text, raw<float>({0, 1, 2, 3, 4, 5})));
  save_npy(folder / "y.npy", new_tensor({5}, kUInt8));
  CHECK(contains(bytes_of(folder / "y.npy"), "'descr': '|u1', 'fortran_order': False, 'shape': (5,), }"));
  save_npy(folder / "z.npy", filled_tensor({}, kBool, true));
  CHECK(contains(bytes_of(folder / "z.npy"), "'descr': '|b1', 'fortran_order': False, 'shape': (), }"));
}

TEST_CASE("npy: a view is written in its logical order", "[npy]") {
  const Folder folder;
  const Tensor x = new_tensor({2, 3}, kInt64);
  for (int i = 0; i < 6; ++i) x.data_ptr<int64_t>()[i] = i;
  save_npy(folder / "x.npy", alias(x, {3, 2}, {1, 3}, 0));
  const Tensor y = load_npy(folder / "x.npy");
  CHECK(y.sizes().vec() == std::vector<int64_t>{3, 2});
  CHECK(values<int64_t>(y) == std::vector<int64_t>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("npy: versions, key order, spacing", "[npy]") {
  const Folder folder;
  const std::string data = raw<int32_t>({1, 2, 3});
  for (const char major : {1, 2, 3})
    CHECK(values<int32_t>(load(folder, npy(header("<i4", "(3,)"), data, major))) == std::vector<int32_t>{1, 2, 3});
  for (const char* text : {"{'shape':(3,),'fortran_order':False,'descr':'<i4'}",
                           "  { \"descr\" : \"<i4\" ,\n 'shape' :\t( 3 , ) , 'fortran_order' : False }   \n",
                           "{'descr': '=i4', 'fortran_order': True, 'shape': (3L,), }"})
    CHECK(values<int32_t>(load(folder, npy(text, data))) == std::vector<int32_t>{1, 2, 3});
}

TEST_CASE("npy: big-endian and Fortran-order files", "[npy]") {
  const Folder folder;
  const auto swapped = [&](const char* descr, const std::string& data, size_t word) {
    return load(folder, npy(header(descr, "(2,)"), reversed_words(data, word)));
  };
  CHECK(values<float>(swapped(">f4", raw<float>({1.5f, -2}), 4)) == std::vector<float>{1.5f, -2});
  CHECK(values<double>(swapped(">f8", raw<double>({1.5, -2}), 8)) == std::vector<double>{1.5, -2});
  CHECK(values<int32_t>(swapped(">i4", raw<int32_t>({1, -2}), 4)) == std::vector<int32_t>{1, -2});
  CHECK(values<int64_t>(swapped(">i8", raw<int64_t>({1, -2}), 8)) == std::vector<int64_t>{1, -2});
  const Tensor x = load(folder, npy(header("<i8", "(2, 3)", "True"), raw<int64_t>({0, 10, 1, 11, 2, 12})));
  CHECK(x.is_contiguous());
  CHECK(values<int64_t>(x) == std::vector<int64_t>{0, 1, 2, 10, 11, 12});
  const Tensor y =
      load(folder, npy(header(">i8", "(1, 2, 2)", "True"), reversed_words(raw<int64_t>({0, 10, 1, 11}), 8)));
  CHECK(values<int64_t>(y) == std::vector<int64_t>{0, 1, 10, 11});
  CHECK(load(folder, npy(header("<f4", "(0, 3)", "True"), "")).sizes().vec() == std::vector<int64_t>{0, 3});
}

TEST_CASE("npy: any byte but 0 in a bool is true", "[npy]") {
  const Folder folder;
  const Tensor x = load(folder, npy(header("|b1", "(3,)"), std::string("\0\2\xff", 3)));
  CHECK(std::string(static_cast<const char*>(x.data_ptr()), 3) == std::string("\0\1\1", 3));
}

TEST_CASE("npy: what is not a .npy file", "[npy]") {
  const Folder folder;
  CHECK(refusal(folder, "") == "a .npy file has at least 10 bytes, got 0 (it is empty)");
  CHECK(refusal(folder, "\x93NUMPY") == "a .npy file has at least 10 bytes, got 6");
  CHECK(refusal(folder, "PK\x03\x04 a zip file") == "a .npy file starts with \"\\x93NUMPY\", got \"PK\\x03\\x04 a\"");
  CHECK(contains(refusal(folder, npy(header("<f4", "()"), "1234", 4)), "1.0, 2.0 or 3.0, got 4.0"));
  CHECK(contains(refusal(folder, npy(header("<f4", "()"), "1234", 0)), "got 0.0"));
  std::string minor = npy(header("<f4", "()"), "1234");
  minor[7] = 1;
  CHECK(contains(refusal(folder, minor), "got 1.1"));
}

TEST_CASE("npy: every truncation and every excess is refused", "[npy]") {
  const Folder folder;
  for (const char major : {1, 2}) {
    const std::string whole = npy(header("<f8", "(2,)"), std::string(16, 'x'), major);
    for (size_t length = 0; length < whole.size(); ++length) {
      INFO(length);
      CHECK(refusal(folder, whole.substr(0, length)) != "no IOError");
    }
    CHECK(contains(refusal(folder, whole.substr(0, whole.size() - 1)), "shape [2] of float64 takes 16 bytes, got 15"));
    CHECK(contains(refusal(folder, whole + "y"), "takes 16 bytes, got 17 (trailing bytes?)"));
  }
  CHECK(contains(refusal(folder, npy(header("<f8", "(0,)"), "y")), "takes 0 bytes, got 1"));
}

TEST_CASE("npy: a header that lies allocates nothing", "[npy]") {
  const Folder folder;
  const auto refused = [&](const std::string& shape) { return refusal(folder, npy(header("<f4", shape), "1234")); };
  const int64_t before = allocator_stats().allocations;
  CHECK(contains(refused("(1000000000000,)"), "takes 4000000000000 bytes, got 4 (truncated?)"));
  CHECK(contains(refused("(4611686018427387904, 4)"), "must fit in 63 bits"));
  CHECK(contains(refused("(9223372036854775807,)"), "must fit in 63 bits"));
  CHECK(contains(refused("(9223372036854775808,)"), "a size must fit in 63 bits"));
  CHECK(contains(refused("(0, 4611686018427387904, 4611686018427387904)"), "must fit in 63 bits"));
  CHECK(contains(refused("(99999999999999999999999999,)"), "a size must fit in 63 bits"));
  CHECK(contains(refused("(-1,)"), "a size must not be negative"));
  CHECK(contains(refused("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "at most 8 sizes"));
  std::string length = npy(header("<f4", "()"), "1234", 2);
  std::memcpy(length.data() + 8, "\xff\xff\xff\xff", 4);
  CHECK(contains(refusal(folder, length), "header: expected 4294967295 bytes"));
  CHECK(allocator_stats().allocations == before);
  for (const char major : {1, 2, 3}) {
    const std::string most = header("<f4", "(1,)") + std::string(10000 - header("<f4", "(1,)").size(), ' ');
    CHECK(load(folder, npy(most, "1234", major)).numel() == 1);
    CHECK(refusal(folder, npy(most + ' ', "1234", major)) == "header: must have at most 10000 bytes, got 10001");
  }
}

TEST_CASE("npy: malformed headers", "[npy]") {
  const Folder folder;
  const char* const bad[][2] = {
      {"", "expected \"{\""},
      {"{}", "all needed"},
      {"['descr']", "expected \"{\""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': ()", "expected \",\" or \"}\""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "only white space"},
      {"{'descr': '<f4', 'fortran_order': False}", "all needed"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "got key \"descr\" twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}", "got key \"more\""},
      {"{'descr': '<f4' 'fortran_order': False, 'shape': ()}", "expected \",\" or \"}\""},
      {"{'descr' '<f4', 'fortran_order': False, 'shape': ()}", "expected \":\""},
      {"{'descr: <f4", "closing quote"},
      {"{descr: '<f4'}", "quoted string"},
      {"{'descr': 4, 'fortran_order': False, 'shape': ()}", "quoted string"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "True or False"},
      {"{'descr': '<f4', 'fortran_order': false, 'shape': ()}", "True or False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 1}", "expected \"(\""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "must be a tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", "in shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", "expected a size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}", "expected a size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", "in shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", "expected a size"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "structured arrays"},
  };
  for (const auto& [text, part] : bad) {
    INFO(text);
    const std::string message = refusal(folder, npy(text, "1234"));
    INFO(message);
    CHECK(contains(message, part));
  }
  CHECK(refusal(folder, npy(std::string("{\0}", 3), "1234")) != "no IOError");
}

TEST_CASE("npy: other dtypes are named", "[npy]") {
  const Folder folder;
  for (const char* descr : {"<f2", "<c8", "|S4", "<U1", "|O", "<i2", "|i1", "<u4", "<M8[s]", "", "f", "|f4", "<<f4"}) {
    INFO(descr);
    const std::string message = refusal(folder, npy(header(descr, "()"), "1234"));
    CHECK(contains(message, "descr must be one of"));
    CHECK(contains(message, "got \"" + std::string(descr) + "\""));
  }
}

TEST_CASE("npy: what cannot be read", "[npy]") {
  const Folder folder;
  const auto message = [](const std::string& path) {
    try {
      load_npy(path);
    } catch (const IOError& e) { return std::string(e.what()); }
    return std::string("no IOError");
  };
  CHECK(message(folder / "none.npy") ==
        "load_npy: \"" + (folder / "none.npy") + "\": cannot open: No such file or directory");
  CHECK(contains(message(folder.path.string()), "a file is needed, got a directory"));
  CHECK(contains(message(""), "cannot open"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(message(folder / "pipe"), "a regular file is needed"));
}

TEST_CASE("npy: what cannot be written leaves everything as it was", "[npy]") {
  const Folder folder;
  const Tensor x = filled_tensor({1000}, kFloat64, 1.0);
  CHECK(contains(save_refusal(folder / "none/x.npy", x), "cannot create a file there: No such file or directory"));
  CHECK(contains(save_refusal(folder.path.string(), x), "got a directory"));
  CHECK(contains(save_refusal("/dev/null", x), "a regular file is needed"));
  CHECK(contains(save_refusal("", x), "save_npy: \"\""));
  CHECK_THROWS_AS(save_npy(folder / "x.npy", Tensor()), ValueError);
  CHECK(folder.files() == 0);

  save_npy(folder / "x.npy", filled_tensor({2}, kFloat64, 3.0));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = save_refusal(folder / "x.npy", x);  // the disk is full, in effect
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(message, "cannot write 8128 bytes: File too large"));
  CHECK(values<double>(load_npy(folder / "x.npy")) == std::vector<double>{3, 3});
  CHECK(folder.files() == 1);
}

TEST_CASE("npy: a link keeps pointing, and readers never see half a file", "[npy]") {
  const Folder folder;
  const std::string path = folder / "x.npy";
  save_npy(path, filled_tensor({1000}, kInt64, 0));
  fs::create_symlink("x.npy", folder / "link.npy");
  save_npy(folder / "link.npy", filled_tensor({1000}, kInt64, 1));
  CHECK(fs::is_symlink(folder / "link.npy"));
  CHECK(values<int64_t>(load_npy(path)) == std::vector<int64_t>(1000, 1));

  std::thread writer([&] {
    for (int i = 0; i < 60; ++i) save_npy(path, filled_tensor({1000}, kInt64, i));
  });
  int torn = 0;
  for (int i = 0; i < 200; ++i) {
    const auto seen = values<int64_t>(load_npy(path));
    torn += seen.front() != seen.back();
  }
  writer.join();
  CHECK(torn == 0);
  CHECK(folder.files() == 2);
}

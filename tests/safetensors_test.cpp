// safetensors files: round trips, bytes as other programs write them, every way to be malformed, and writes that fail.
#include "tapegrad/core/safetensors.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <random>

#include "folder.h"
#include "message.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/npy.h"
#include "tapegrad/core/npz.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

std::string whole(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  const uint64_t bytes = header.size();
  std::memcpy(length.data(), &bytes, 8);
  return length + header + data;
}
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// The message of the IOError that these bytes give, behind the quoted path it must start with.
std::string refusal(const Folder& folder, const std::string& bytes) {
  const std::string path = folder.write("x.safetensors", bytes), start = "load_safetensors: \"" + path + "\": ";
  const std::string text = message_of<IOError>([&] { load_safetensors(path); });
  CHECK(text.substr(0, start.size()) == start);
  return text.substr(std::min(start.size(), text.size()));
}

std::string raw(const Tensor& x) {
  const Tensor flat = contiguous_of(x);
  return {static_cast<const char*>(flat.data_ptr()), static_cast<size_t>(flat.nbytes())};
}

NamedTensors of_every_dtype() {
  NamedTensors all;
  all.insert("flags", tensor({true, false, true}));
  all.insert("bytes", tensor({0, 127, 255}, kUInt8).view({1, 3}));
  all.insert("int32", tensor({INT32_MIN, 7}, kInt32));
  all.insert("bfloat16", tensor({1.5, -0.0, NAN}, kBFloat16));
  all.insert("layer.0.weight", tensor({{1.5, -0.0}, {NAN, 1e-45}}, kFloat32));
  all.insert("float64", tensor({0.1, -1e308, 5e-324}, kFloat64));
  all.insert("int64", tensor({INT64_MIN, INT64_MAX}, kInt64));
  all.insert("scalar", tensor(42.5));
  all.insert("nothing", zeros({3, 0, 2}));
  all.insert("\xc3\xa9 \"quoted\" \\ \n", tensor({1, 2}, kInt32));
  all.insert("transposed", arange(6, kFloat32).view({2, 3}).t());
  all.insert("every other", arange(10, kInt64).slice(0, 1, 10, 3));
  all.insert("expanded", tensor({3.5}).expand({4, 1}));
  return all;
}

void check_same(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.keys() == b.keys());
  for (const auto& [name, t] : a) {
    INFO(name);
    CHECK(b[name].dtype() == t.dtype());
    CHECK(b[name].sizes().vec() == t.sizes().vec());
    CHECK(b[name].is_contiguous());
    CHECK(raw(b[name]) == raw(t));
  }
}

}  // namespace

TEST_CASE("safetensors: every dtype and layout comes back bit by bit", "[weights]") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  const NamedTensors all = of_every_dtype();
  save_safetensors(path, all, {{"format", "pt"}, {"caf\xc3\xa9", "tab\t"}});
  check_same(all, load_safetensors(path));
  const SafetensorsFile file(path);
  CHECK(file.keys() == all.keys());
  CHECK(file.metadata().keys() == std::vector<std::string>{"format", "caf\xc3\xa9"});
  CHECK(file.metadata()["caf\xc3\xa9"] == "tab\t");
  CHECK(file.entries()["bytes"].dtype == kUInt8);
  CHECK(file.entries()["bytes"].sizes.vec() == std::vector<int64_t>{1, 3});
  CHECK(raw(file.get_tensor("float64")) == raw(all["float64"]));
  CHECK_THAT(message_of<ValueError>([&] { file.get_tensor("weight"); }),
             Contains("get_tensor: the name must be one of [flags, ") && Contains("got \"weight\""));
  for (const auto& [name, t] : file.tensors()) {  // aligned, whatever the order
    INFO(name);
    CHECK(reinterpret_cast<uintptr_t>(t.data_ptr()) % static_cast<uintptr_t>(t.element_size()) == 0);
    CHECK(file.entries()[name].offset % t.element_size() == 0);
  }

  save_safetensors(path, {});
  CHECK(load_safetensors(path).empty());
  CHECK(SafetensorsFile(path).metadata().empty());
}

TEST_CASE("safetensors: the bytes written are those of the format", "[weights]") {
  const Folder folder;
  const Tensor x = tensor({{1.f, 2.f}}), y = tensor({7}, kUInt8), z = tensor({3}, kInt64);
  save_safetensors(folder / "x.safetensors", {{"x", x}, {"y", y}, {"z", z}}, {{"k", "v"}});
  std::string header = R"({"__metadata__":{"k":"v"},"x":)" + entry("F32", "[1,2]", "[8,16]") + R"(,"y":)" +
                       entry("U8", "[1]", "[16,17]") + R"(,"z":)" + entry("I64", "[1]", "[0,8]") + "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  CHECK(bytes_in(folder / "x.safetensors") == whole(header, raw(z) + raw(x) + raw(y)));
}

TEST_CASE("safetensors: white space, escapes, any order, misaligned elements", "[weights]") {
  const Folder folder;
  const std::string header =
      "{ \"\\u00e9\\ud83d\\ude00\\/\\n\" :\t{\"shape\" : [ 2 ] ,\n \"data_offsets\":[1, 9],\"dtype\":\"F32\"}, "
      "\"b\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]} }  \n";
  const Tensor x = tensor({1.5f, -2.f});
  for (const size_t spaces : {0, 1, 2, 3}) {  // aligned in one case of four
    folder.write("x.safetensors", whole(header + std::string(spaces, ' '), std::string("\2") + raw(x)));
    const NamedTensors all = load_safetensors(folder / "x.safetensors");
    CHECK(all.keys() == std::vector<std::string>{"\xc3\xa9\xf0\x9f\x98\x80/\n", "b"});
    CHECK(equal(all["\xc3\xa9\xf0\x9f\x98\x80/\n"], x));
    CHECK(raw(all["b"]) == "\1");  // any byte but 0 is true
  }
}

TEST_CASE("safetensors: writing to a loaded tensor leaves the file alone", "[weights]") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  save_safetensors(path, {{"a", zeros({1000})}, {"b", zeros({1000})}});
  const std::string before = bytes_in(path);
  Tensor a = load_safetensors(path)["a"];  // outlives the file it came from, and the dict
  a.add_(1);
  CHECK(equal(a, ones({1000})));
  CHECK(bytes_in(path) == before);
  CHECK(equal(load_safetensors(path)["a"], zeros({1000})));
  save_safetensors(path, {{"a", a}});  // over the file that it is mapped from
  CHECK(equal(load_safetensors(path)["a"], ones({1000})));
  Tensor w = load_safetensors(path)["a"].requires_grad_();
  (w * w).sum().backward();
  CHECK(equal(w.grad(), filled_tensor({1000}, kFloat32, 2)));
}

TEST_CASE("safetensors: what is not one, and every truncation and excess", "[weights]") {
  const Folder folder;
  CHECK(refusal(folder, "") == "a safetensors file has at least 8 bytes, got 0 (it is empty)");
  CHECK(refusal(folder, "1234567") == "a safetensors file has at least 8 bytes, got 7");
  CHECK_THAT(refusal(folder, "PK\x03\x04 a zip file of some length"), Contains("not a safetensors file?"));
  CHECK_THAT(refusal(folder, whole("", "")), Contains("must begin with '{'"));
  CHECK_THAT(refusal(folder, whole(" {}", "")), Contains("must begin with '{', got \" \""));
  const std::string good = whole(R"({"x":)" + entry("F64", "[2]", "[0,16]") + "}", std::string(16, 'x'));
  for (size_t length = 0; length < good.size(); ++length) {
    INFO(length);
    CHECK(refusal(folder, good.substr(0, length)) != "nothing of this type was thrown");
  }
  CHECK_THAT(refusal(folder, good.substr(0, good.size() - 1)),
             Contains("data: tensor \"x\" at [0, 16) must lie within the 15 bytes"));
  CHECK_THAT(refusal(folder, good + "y"), Contains("the tensors take 16 bytes, got 17 (trailing bytes?)"));
  CHECK_NOTHROW(load_safetensors(folder.write("good", good)));
}

TEST_CASE("safetensors: a header that lies allocates nothing", "[weights]") {
  const Folder folder;
  const int64_t before = allocator_stats().allocations;
  std::string bytes = whole("{}", "");
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}}) {
    std::memcpy(bytes.data(), &length, 8);
    CHECK_THAT(refusal(folder, bytes), Contains("header: expected " + std::to_string(length) + " bytes, got 2"));
  }
  const auto refused = [&](const std::string& shape, const std::string& offsets = "[0,4]") {
    return refusal(folder, whole(R"({"x":)" + entry("F32", shape, offsets) + "}", "1234"));
  };
  CHECK_THAT(refused("[4611686018427387904,4]"),
             Contains("its bytes must be fewer than 2^63, got shape [4611686018427387904, 4]"));
  CHECK_THAT(refused("[0,4611686018427387904,4611686018427387904]", "[0,0]"), Contains("fewer than 2^63"));
  CHECK_THAT(refused("[9223372036854775808]"), Contains("a number must be below 2^63"));
  CHECK_THAT(refused("[1]", "[18446744073709551612,0]"), Contains("a number must be below 2^63"));
  CHECK_THAT(refused("[1]", "[9223372036854775804,9223372036854775807]"), Contains("takes 4 bytes, got data_offsets"));
  CHECK_THAT(refused("[1000000000000]", "[0,4000000000000]"), Contains("must lie within the 4 bytes"));
  CHECK_THAT(refused("[-1]"), Contains("must not be negative"));
  CHECK_THAT(refused("[1,1,1,1,1,1,1,1,1]"), Contains("tensor \"x\": shape must have at most 8 sizes"));
  CHECK_THAT(refused("[1]", "[4,0]"), Contains("must not end before they begin, got [4, 0)"));
  CHECK_THAT(refused("[2]"), Contains("tensor \"x\": shape [2] of float32 takes 8 bytes, got data_offsets [0, 4)"));
  CHECK_THAT(refused("[0]"), Contains("takes 0 bytes"));
  CHECK(allocator_stats().allocations == before);
}

TEST_CASE("safetensors: ranges that overlap, leave a hole, or lie outside", "[weights]") {
  const Folder folder;
  const auto refused = [&](const std::string& a, const std::string& b, const char* shape = "[2]") {
    return refusal(folder,
                   whole(R"({"a":)" + entry("U8", "[2]", a) + R"(,"b":)" + entry("U8", shape, b) + "}", "1234"));
  };
  CHECK_THAT(refused("[0,2]", "[1,3]"), Contains("tensors must not overlap, got \"a\" at [0, 2) and \"b\" at [1, 3)"));
  CHECK_THAT(refused("[0,2]", "[0,2]"), Contains("must not overlap"));
  CHECK_THAT(refused("[0,2]", "[1,1]", "[0]"), Contains("must not overlap"));
  CHECK_THAT(refused("[2,4]", "[3,5]"), Contains("got none for [0, 2) before \"a\" at [2, 4)"));
  CHECK_THAT(refused("[0,2]", "[3,5]"), Contains("\"b\" at [3, 5) must lie within the 4 bytes"));
  CHECK_THAT(refused("[0,2]", "[2,2]", "[0]"), Contains("the tensors take 2 bytes, got 4"));
  CHECK_THAT(refused("[1,3]", "[3,4]", "[1]"), Contains("got none for [0, 1) before \"a\""));
  const std::string crossed = R"({"a":)" + entry("U8", "[2]", "[2,4]") + R"(,"b":)" + entry("U8", "[2]", "[0,2]") + "}";
  CHECK(raw(load_safetensors(folder.write("x.safetensors", whole(crossed, "1234")))["a"]) == "34");
}

TEST_CASE("safetensors: other dtypes are named", "[weights]") {
  const Folder folder;
  for (const char* dtype : {"F16", "F8_E4M3", "U16", "I8", "C64", "f32", ""}) {
    const std::string text = refusal(folder, whole(R"({"w.x":)" + entry(dtype, "[]", "[0,4]") + "}", "1234"));
    CHECK_THAT(text, Contains("tensor \"w.x\": dtype must be one of F64 F32 BF16 I64 I32 U8 BOOL, got \"" +
                              std::string(dtype) + "\""));
  }
}

TEST_CASE("safetensors: malformed headers", "[weights]") {
  const Folder folder;
  const std::string good = entry("F32", "[]", "[0,4]");
  const std::pair<std::string, const char*> bad[] = {
      {"{", "expected '\"', got its end (truncated?)"},
      {"{} x", "only white space behind the last '}', got \"x\""},
      {"{}}", "only white space"},
      {R"({"x":)" + good, "expected '}', got its end"},
      {R"({"x":)" + good + ",}", "expected '\"', got \"}\""},
      {R"({"x":)" + good + R"(,"x":)" + good + "}", "each key may occur once, got \"x\" twice"},
      {R"({"x":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})", "got \"dtype\" twice"},
      {R"({"__metadata__":{"a":"1","a":"1"}})", "got \"a\" twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "got \"__metadata__\" twice"},
      {R"({"__metadata__":{"a":1}})", "expected '\"', got \"1\""},
      {R"({"__metadata__":{"a":{"b":"c"}}})", "expected '\"', got \"{\""},
      {R"({"__metadata__":null})", "expected '{', got \"n\""},
      {R"({"x":[]})", "expected '{', got \"[\""},
      {R"({"x":{"dtype":"F32","shape":[]}})", "tensor \"x\": the keys dtype, shape and data_offsets are all needed"},
      {R"({"x":{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":[[[[]]]]}})", "got \"more\""},
      {R"({"x":{"dtype":7,"shape":[],"data_offsets":[0,4]}})", "expected '\"', got \"7\""},
      {R"({"x":)" + entry("F32", "[1.0]", "[0,4]") + "}", "expected a whole number"},
      {R"({"x":)" + entry("F32", "[1e0]", "[0,4]") + "}", "expected a whole number"},
      {R"({"x":)" + entry("F32", "[01]", "[0,4]") + "}", "must not begin with 0"},
      {R"({"x":)" + entry("F32", "[1,]", "[0,4]") + "}", "expected a whole number"},
      {R"({"x":)" + entry("F32", "[1 1]", "[0,4]") + "}", "expected ']'"},
      {R"({"x":)" + entry("F32", "1", "[0,4]") + "}", "expected '['"},
      {R"({"x":)" + entry("F32", "[[1]]", "[0,4]") + "}", "expected a whole number"},
      {R"({"x":)" + entry("F32", "[]", "[0]") + "}", "must be two numbers, begin and end, got 1"},
      {R"({"x":)" + entry("F32", "[]", "[0,4,8]") + "}", "got 3"},
      {R"({"x)", "a string must end in '\"'"},
      {R"({"\x":)" + good + "}", "an escape must be one of"},
      {R"({"\u12g4":)" + good + "}", "four hexadecimal digits"},
      {R"({"\ud800":)" + good + "}", "half of a pair"},
      {R"({"\ud800\u0041":)" + good + "}", "half of a pair"},
      {R"({"\udc00":)" + good + "}", "half of a pair"},
      {"{\"a\nb\":" + good + "}", "control characters"},
      {"{\"\xc3\":" + good + "}", "a string must be UTF-8"},
      {"{\"\xed\xa0\x80\":" + good + "}", "a string must be UTF-8"},
      {std::string("{\0}", 3), "expected '\"', got \"\\x00\""},
      {"{'x':" + good + "}", "expected '\"'"},
      {R"({"x")" + good + "}", "expected ':'"},
      {R"({/**/"x":)" + good + "}", "expected '\"'"},
  };
  for (const auto& [text, part] : bad) {
    INFO(text);
    CHECK_THAT(refusal(folder, whole(text, "1234")), Contains(part));
  }
  const std::string deep(100000, '[');
  CHECK_THAT(refusal(folder, whole(R"({"x":{"shape":)" + deep, "")), Contains("expected a whole number"));
}

TEST_CASE("safetensors: what cannot be read", "[weights]") {
  const Folder folder;
  const auto message = [](const std::string& path) { return message_of<IOError>([&] { load_safetensors(path); }); };
  CHECK(message(folder / "none") ==
        "load_safetensors: \"" + (folder / "none") + "\": cannot open: No such file or directory");
  CHECK_THAT(message(folder.path()), Contains("a file is needed, got a directory"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(message(folder / "pipe"), Contains("a regular file is needed"));
}

TEST_CASE("safetensors: names and values that cannot be written", "[weights]") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  const Tensor x = ones({2});
  const auto message = [&](const NamedTensors& tensors, const Metadata& metadata = {}) {
    return message_of<ValueError>([&] { save_safetensors(path, tensors, metadata); });
  };
  NamedTensors twice;
  twice.append("a", x);
  twice.append("a", x);
  CHECK_THAT(message(twice), Contains("a name must be new, got \"a\" twice"));
  CHECK_THAT(message({{"a", Tensor()}}), Contains("got an undefined one (Tensor()) for \"a\""));
  CHECK_THAT(message({{"__metadata__", x}}), Contains("no tensor may be called __metadata__"));
  CHECK_THAT(message({{"\xff", x}}), Contains("a name must be UTF-8, got \"\\xff\""));
  CHECK_THAT(message({{"a", x}}, {{"k", "\xff"}}), Contains("metadata must be UTF-8, got \"\\xff\" for \"k\""));
  CHECK(folder.files() == 0);
}

TEST_CASE("files of tensors that cannot be written leave everything as it was", "[weights]") {
  const Folder folder;
  const Tensor x = ones({1000}), old = zeros({2});
  const std::pair<const char*, std::function<void(const std::string&, const Tensor&)>> writers[] = {
      {"save_npy", [](const std::string& path, const Tensor& t) { save_npy(path, t); }},
      {"save_npz",
       [](const std::string& path, const Tensor& t) {
         save_npz(path, {{"t", t}});
       }},
      {"save_safetensors",
       [](const std::string& path, const Tensor& t) {
         save_safetensors(path, {{"t", t}});
       }},
  };
  for (const auto& [op, write] : writers) {
    INFO(op);
    const auto& save = write;
    const auto message = [&](const std::string& path) { return message_of<IOError>([&] { save(path, x); }); };
    const std::string path = folder / op;
    CHECK(message(folder / "none/x") ==
          std::string(op) + ": \"" + (folder / "none/x") + "\": cannot create a file there: No such file or directory");
    CHECK_THAT(message(folder.path()), Contains("got a directory"));
    CHECK_THAT(message("/dev/null"), Contains("a regular file is needed"));
    save(path, old);
    const std::string before = bytes_in(path);
    const int64_t files = folder.files();
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1024, limit.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string text = message(path);  // the disk is full, in effect
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(text, Contains("cannot write ") && Contains(" bytes: File too large"));
    CHECK(bytes_in(path) == before);
    CHECK(folder.files() == files);

    REQUIRE(::chmod(path.c_str(), 0600) == 0);
    save(path, x);  // a file that only its owner may read stays one
    struct stat info;
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    CHECK(folder.files() == files);
  }
}

TEST_CASE("damaged files of tensors are errors, or other values, and never more", "[weights]") {
  const Folder folder;
  std::mt19937_64 random(1);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  NamedTensors small = of_every_dtype(), arrays;
  for (const auto& [name, t] : small) {
    if (t.dtype() != kBFloat16) arrays.insert(name, t);
  }
  save_safetensors(folder / "x", small, {{"k", "v"}});
  save_npz(folder / "y", arrays);
  const std::pair<std::string, NamedTensors (*)(const std::string&)> kinds[] = {
      {bytes_in(folder / "x"), load_safetensors}, {bytes_in(folder / "y"), load_npz}};
  int loaded = 0, refused = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto& [good, load] = kinds[i % 2];
    std::string bytes = good;
    for (size_t n = 1 + below(3); n > 0; --n) {
      char& c = bytes[below(bytes.size())];
      c = below(2) ? static_cast<char>(random()) : static_cast<char>(c ^ 1 << below(8));
    }
    if (below(8) == 0) bytes.resize(below(bytes.size()));
    folder.write("damaged", bytes);
    try {
      size_t sum = 0;
      for (const auto& [name, t] : load(folder / "damaged")) {
        for (const char c : raw(t)) sum += static_cast<unsigned char>(c);
      }
      loaded += sum > 0;
    } catch (const IOError&) { ++refused; }
  }
  CHECK(loaded > 100);
  CHECK(refused > 2000);
}

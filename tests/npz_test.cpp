// .npz files: round trips, archives as other programs write them, and every way to be malformed.
#include "tapegrad/core/npz.h"

#include <zlib.h>

#include "folder.h"
#include "message.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

std::string number(uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 255);
  return out;
}

std::string deflated(const std::string& bytes) {
  std::string out(bytes.size() + 100, '\0');
  z_stream z = {};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

// An archive of one entry, with everything that can be wrong about it.
struct Archive {
  std::string name = "x.npy", contents, packed;
  int method = 0, flags = 0, count = 1;
  bool zip64 = false, zip64_end = false;
  std::string local_name = name, behind = {}, comment = {};
  uint64_t shift = 0, bytes_more = 0;
  uint32_t checksum_xor = 0;

  explicit Archive(std::string npy) : contents(std::move(npy)), packed(contents) {}
  std::string bytes() const {
    const auto checksum = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(contents.data()),
                                                      static_cast<uInt>(contents.size()))) ^
                          checksum_xor;
    const uint64_t size = contents.size() + bytes_more;
    const std::string wide = number(1, 2) + number(16, 2) + number(size, 8) + number(packed.size(), 8);
    const std::string extra = number(0xcafe, 2) + number(3, 2) + "abc" + (zip64 ? wide : "");
    const auto fields = [&](const std::string& called, bool known) {
      if (!known)
        return number(static_cast<uint64_t>(flags), 2) + number(static_cast<uint64_t>(method), 2) + number(0, 8) +
               number(0, 8) + number(called.size(), 2) + number(extra.size(), 2);
      const std::string sizes =
          zip64 ? number(0xffffffff, 4) + number(0xffffffff, 4) : number(packed.size(), 4) + number(size, 4);
      return number(static_cast<uint64_t>(flags), 2) + number(static_cast<uint64_t>(method), 2) + number(0, 4) +
             number(checksum, 4) + sizes + number(called.size(), 2) + number(extra.size(), 2);
    };
    const std::string local =
        "PK\3\4" + number(20, 2) + fields(local_name, !(flags & 8)) + local_name + extra + packed + behind;
    const std::string central = "PK\1\2" + number(20, 2) + number(20, 2) + fields(name, true) + number(0, 2) +
                                number(0, 8) + number(shift, 4) + name + extra;
    std::string directory;
    for (int i = 0; i < count; ++i) directory += central;
    std::string end;
    if (zip64_end)
      end = "PK\6\6" + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 8) + number(1, 8) + number(1, 8) +
            number(directory.size(), 8) + number(local.size(), 8) + "PK\6\7" + number(0, 4) +
            number(local.size() + directory.size(), 8) + number(1, 4);
    const uint64_t entries = zip64_end ? 0xffff : static_cast<uint64_t>(count);
    end += "PK\5\6" + number(0, 4) + number(entries, 2) + number(entries, 2) +
           number(zip64_end ? 0xffffffff : directory.size(), 4) + number(zip64_end ? 0xffffffff : local.size(), 4) +
           number(comment.size(), 2) + comment;
    return local + directory + end;
  }
};

std::string npy_of(const Folder& folder, const Tensor& x) {
  save_npy(folder / "one.npy", x);
  return bytes_in(folder / "one.npy");
}

std::string refusal(const Folder& folder, const std::string& bytes) {
  const std::string path = folder.write("x.npz", bytes), start = "load_npz: \"" + path + "\": ";
  const std::string text = message_of<IOError>([&] { load_npz(path); });
  CHECK(text.substr(0, start.size()) == start);
  return text.substr(std::min(start.size(), text.size()));
}

}  // namespace

TEST_CASE("npz: every dtype and layout comes back bit by bit", "[weights]") {
  const Folder folder;
  const std::string path = folder / "x.npz";
  NamedTensors all;
  all.insert("flags", tensor({true, false}));
  all.insert("bytes", tensor({0, 255}, kUInt8));
  all.insert("int32", tensor({{INT32_MIN}, {7}}, kInt32));
  all.insert("int64", tensor({INT64_MIN, INT64_MAX}, kInt64));
  all.insert("a/b.weight", tensor({1.5, -0.0, NAN}, kFloat32));
  all.insert("\xc3\xa9", tensor({0.1, 5e-324}, kFloat64));
  all.insert("scalar", tensor(42.5));
  all.insert("nothing", zeros({3, 0, 2}));
  all.insert("transposed", arange(6, kFloat32).view({2, 3}).t());
  all.insert("expanded", tensor({3.5}).expand({4, 1}));
  save_npz(path, all);
  const NamedTensors again = load_npz(path);
  REQUIRE(again.keys() == all.keys());
  for (const auto& [name, t] : all) {
    INFO(name);
    const Tensor flat = contiguous_of(t);
    CHECK(again[name].dtype() == t.dtype());
    CHECK(again[name].sizes().vec() == t.sizes().vec());
    CHECK(std::string(static_cast<char*>(again[name].data_ptr()), static_cast<size_t>(t.nbytes())) ==
          std::string(static_cast<char*>(flat.data_ptr()), static_cast<size_t>(t.nbytes())));
  }
  save_npz(path, {});
  CHECK(load_npz(path).empty());
}

TEST_CASE("npz: more entries than 16 bits count", "[weights]") {
  const Folder folder;
  NamedTensors many;
  const Tensor x = tensor({7}, kUInt8);
  for (int i = 0; i < 65600; ++i) many.append(std::to_string(i), x);
  save_npz(folder / "x.npz", many);
  const NamedTensors again = load_npz(folder / "x.npz");
  CHECK(again.keys() == many.keys());
  CHECK(again.values().back().item<int>() == 7);
}

TEST_CASE("npz: archives of other programs", "[weights]") {
  const Folder folder;
  const Tensor x = arange(1000, kFloat32);
  Archive plain(npy_of(folder, x));
  plain.comment = "PK\5\6 is only a comment, of this length";
  Archive packed = plain, streamed = plain, wide = plain, wide_end = plain;
  packed.method = 8;
  packed.packed = deflated(plain.contents);
  streamed.flags = 8 | 1 << 11;
  wide.zip64 = true;
  wide_end.zip64_end = wide_end.zip64 = true;
  for (const Archive* archive : {&plain, &packed, &streamed, &wide, &wide_end}) {
    INFO(archive - &plain);
    folder.write("x.npz", archive->bytes());
    CHECK(equal(load_npz(folder / "x.npz")["x"], x));
  }
}

TEST_CASE("npz: every truncation is refused, and what follows the end", "[weights]") {
  const Folder folder;
  Archive archive(npy_of(folder, tensor({1.5})));
  for (const bool zip64 : {false, true}) {
    archive.zip64_end = zip64;
    const std::string good = archive.bytes();
    for (size_t length = 0; length < good.size(); ++length) {
      INFO(length);
      CHECK(refusal(folder, good.substr(0, length)) != "nothing of this type was thrown");
    }
    CHECK_THAT(refusal(folder, good + "x"), Contains("ends in a directory, got none"));
    CHECK_THAT(refusal(folder, "x" + good),
               Contains(zip64 ? "zip64: no record at offset" : "the directory must end where its end record starts"));
    CHECK_NOTHROW(load_npz(folder.write("good", good)));
  }
  CHECK(refusal(folder, "") == "a zip archive has at least 22 bytes, got 0 (it is empty)");
  CHECK_THAT(refusal(folder, std::string(100000, 'x')), Contains("truncated, or not a .npz file?"));
}

TEST_CASE("npz: archives that contradict themselves", "[weights]") {
  const Folder folder;
  const std::string npy = npy_of(folder, arange(100, kFloat32));
  const auto refused = [&](const std::function<void(Archive&)>& change) {
    Archive archive(npy);
    change(archive);
    return refusal(folder, archive.bytes());
  };
  CHECK_THAT(refused([](Archive& a) { a.checksum_xor = 1; }),
             Contains("\"x.npy\": the checksum must fit the contents"));
  CHECK_THAT(refused([](Archive& a) { a.local_name = "y.npy"; }), Contains("must agree on name"));
  CHECK_THAT(refused([](Archive& a) { a.shift = 4; }), Contains("leads to no entry at offset 4"));
  CHECK_THAT(refused([](Archive& a) { a.shift = 1 << 20; }), Contains("its bytes must lie before the directory"));
  CHECK_THAT(refused([](Archive& a) { a.flags = 1; }), Contains("must not be encrypted"));
  CHECK_THAT(refused([](Archive& a) { a.method = 12; }), Contains("0 (stored) or 8 (deflate), got 12"));
  CHECK_THAT(refused([](Archive& a) { a.name = a.local_name = "x.txt"; }),
             Contains("every entry must be a .npy file, got \"x.txt\""));
  CHECK_THAT(refused([](Archive& a) { a.name = a.local_name = ".npy"; }), Contains("every entry must be a .npy file"));
  CHECK_THAT(refused([](Archive& a) { a.count = 2; }), Contains("entries must not overlap"));
  CHECK_THAT(refused([](Archive& a) { a.bytes_more = 1; }), Contains("a stored entry has as many bytes as it takes"));
  CHECK_THAT(refused([](Archive& a) { a.contents = a.packed = "not an array"; }),
             Contains("\"x.npy\": a .npy file starts with"));
  CHECK_THAT(refused([](Archive& a) { a.contents = a.packed = a.contents.substr(0, 200); }), Contains("truncated?"));

  const auto packed = [&](const std::function<void(Archive&)>& change) {
    return refused([&](Archive& a) {
      a.method = 8;
      a.packed = deflated(a.contents);
      change(a);
    });
  };
  CHECK_THAT(packed([](Archive& a) { a.bytes_more = 1 << 30; }), Contains("cannot unpack to"));
  CHECK_THAT(packed([](Archive& a) { a.bytes_more = 1; }), Contains("takes 400 bytes, got 401"));
  CHECK_THAT(packed([](Archive& a) { a.packed.resize(a.packed.size() - 20); }), Contains("\"x.npy\": data: expected"));
  CHECK_THAT(packed([](Archive& a) { a.packed += "more"; }),
             Contains("its contents must end where the directory says"));
  CHECK_THAT(packed([](Archive& a) { a.packed[0] = '\7'; }), Contains("deflated data must be valid"));
  CHECK_THAT(packed([](Archive& a) { a.checksum_xor = 1; }), Contains("the checksum must fit the contents"));
}

TEST_CASE("npz: a directory of any length is not believed", "[weights]") {
  const Folder folder;
  const uint64_t bytes = (uint64_t{1} << 28) + 1;
  const std::string path = folder.write("x.npz", "");
  std::filesystem::resize_file(path, bytes);  // a hole: nothing is written
  std::ofstream(path, std::ios::binary | std::ios::app)
      << "PK\5\6" + number(0, 4) + number(1, 2) + number(1, 2) + number(bytes, 4) + number(0, 4) + number(0, 2);
  CHECK_THAT(message_of<IOError>([&] { load_npz(path); }),
             Contains("the directory must have at most 268435456 bytes, got 268435457"));
}

TEST_CASE("npz: what cannot be written leaves nothing behind", "[weights]") {
  const Folder folder;
  const std::string path = folder / "x.npz";
  NamedTensors twice;
  twice.append("a", ones({1}));
  twice.append("a", ones({1}));
  CHECK_THAT(message_of<ValueError>([&] { save_npz(path, twice); }), Contains("a name must be new, got \"a\" twice"));
  CHECK_THAT(message_of<ValueError>([&] {
               save_npz(path, {{"", ones({1})}});
             }),
             Contains("of 1 to 65000 bytes, got \"\""));
  CHECK_THAT(message_of<ValueError>([&] { save_npz(path, {{"\xff", ones({1})}}); }), Contains("must be UTF-8"));
  CHECK_THAT(message_of<ValueError>([&] { save_npz(path, {{"a", Tensor()}}); }), Contains("for \"a\""));
  CHECK_THAT(message_of<DTypeError>([&] {
               save_npz(path, {{"a", ones({1})}, {"b", ones({1}, kBFloat16)}});
             }),
             Contains("save_npz: NumPy has no bfloat16"));
  CHECK(folder.files() == 0);
}

// IDX files, through zlib, which reads plain files as they are.
#include "tapegrad/nn/data/idx.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace tapegrad::data {
namespace {

// deflate packs at most 1032 bytes into one.
constexpr int64_t kMostPacked = 1032;

class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0)
      fail("the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
    if (!S_ISREG(info.st_mode)) fail("it must be a file, got a directory or device");
    if (info.st_size == 0) fail("expected an IDX header, got an empty file");
    bytes_ = info.st_size;
    file_ = gzopen(path.c_str(), "rb");
    if (!file_) fail("the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  }
  ~IdxFile() {
    if (file_) gzclose(file_);
  }
  IdxFile(const IdxFile&) = delete;
  IdxFile& operator=(const IdxFile&) = delete;

  [[noreturn]] void fail(const std::string& what) const { throw IOError("read_idx: " + path_ + ": " + what); }

  // Bytes read, fewer than asked for at the end of the file.
  int64_t read(void* dst, int64_t count) {
    int64_t done = 0;
    while (done < count) {
      const auto piece = static_cast<unsigned>(std::min<int64_t>(count - done, 1 << 30));
      const int got = gzread(file_, static_cast<char*>(dst) + done, piece);
      int code = Z_OK;
      const char* message = gzerror(file_, &code);
      // Z_BUF_ERROR is a compressed stream that stops early: as short as any truncated file.
      cut_short_ = cut_short_ || code == Z_BUF_ERROR;
      if (got < 0 && code != Z_BUF_ERROR) fail("expected valid gzip data, got \"" + std::string(message) + "\"");
      if (got <= 0) break;
      done += got;
    }
    return done;
  }
  void read_header(unsigned char* dst, int64_t count) {
    const int64_t got = read(dst, count);
    if (got < count)
      fail("expected a header of " + std::to_string(header_ + count) + " bytes, got " + std::to_string(header_ + got));
    header_ += count;
  }
  // Whether a read came to the end of the file before the end of its gzip stream.
  bool cut_short() const { return cut_short_; }
  // Whether this many bytes of elements may lie behind the header.
  bool can_hold(int64_t count) const {
    const int64_t most = gzdirect(file_)                    ? bytes_ - header_
                         : bytes_ > INT64_MAX / kMostPacked ? INT64_MAX
                                                            : bytes_ * kMostPacked;
    return count <= most;
  }
  std::string capacity() const {
    return gzdirect(file_) ? std::to_string(bytes_ - header_) : std::to_string(bytes_) + " compressed";
  }

 private:
  std::string path_;
  gzFile file_ = nullptr;
  int64_t bytes_ = 0;
  int64_t header_ = 0;
  bool cut_short_ = false;
};

DType element_type(const IdxFile& file, unsigned char code) {
  switch (code) {
    case 0x08: return kUInt8;
    case 0x0C: return kInt32;
    case 0x0D: return kFloat32;
    case 0x0E: return kFloat64;
    default:
      file.fail("expected the type code 8 (uint8), 12 (int32), 13 (float32) or 14 (float64), got " +
                std::to_string(code));
  }
}

Shape read_sizes(IdxFile& file, int rank, DType dtype) {
  if (rank < 1 || rank > kMaxRank) file.fail("expected 1 to 8 dims, got " + std::to_string(rank));
  unsigned char raw[4 * kMaxRank];
  file.read_header(raw, 4 * rank);
  Shape sizes;
  int64_t bytes = item_size(dtype);
  bool overflow = false;
  for (int d = 0; d < rank; ++d) {
    const unsigned char* at = raw + 4 * d;
    const int64_t size = int64_t{at[0]} << 24 | int64_t{at[1]} << 16 | int64_t{at[2]} << 8 | int64_t{at[3]};
    sizes.push_back(size);
    overflow = __builtin_mul_overflow(bytes, size, &bytes) || overflow;
  }
  if (overflow || !file.can_hold(bytes))
    file.fail("expected " + (overflow ? std::string("fewer than 2^63") : std::to_string(bytes)) + " bytes for sizes " +
              to_string(sizes) + " of " + name_of(dtype) + ", got " + file.capacity());
  return sizes;
}

void swap_bytes(void* data, int64_t count, int64_t size) {
  if (std::endian::native == std::endian::big || size == 1) return;
  auto* at = static_cast<char*>(data);
  for (int64_t i = 0; i < count; ++i, at += size) std::reverse(at, at + size);
}

}  // namespace

Tensor read_idx(const std::string& path) {
  IdxFile file(path);
  unsigned char magic[4];
  file.read_header(magic, 4);
  if (magic[0] != 0 || magic[1] != 0)
    file.fail("expected an IDX file, which starts with two zero bytes, got " + std::to_string(magic[0]) + " and " +
              std::to_string(magic[1]));
  const DType dtype = element_type(file, magic[2]);
  const Shape sizes = read_sizes(file, magic[3], dtype);
  Tensor out = new_tensor(sizes, dtype);
  const int64_t got = file.read(out.data_ptr(), out.nbytes());
  if (got < out.nbytes())
    file.fail("expected " + std::to_string(out.nbytes()) + " bytes for sizes " + to_string(sizes) + ", got " +
              std::to_string(got) + " (truncated?)");
  char more;
  if (file.read(&more, 1) != 0)
    file.fail("expected " + std::to_string(out.nbytes()) + " bytes for sizes " + to_string(sizes) +
              ", got more (trailing bytes)");
  if (file.cut_short()) file.fail("expected gzip data with its checksum at the end, got an end before it (truncated?)");
  swap_bytes(out.data_ptr(), out.numel(), out.element_size());
  return out;
}

}  // namespace tapegrad::data

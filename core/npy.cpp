// Reading and writing .npy: magic, version, a Python dict as header, then the raw elements.
#include "tapegrad/core/npy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "tapegrad/core/copy.h"

namespace tapegrad {
namespace {

static_assert(std::endian::native == std::endian::little, "element bytes are written as they lie in memory");

constexpr std::string_view kMagic = "\x93NUMPY";

// An open file, closed at the end of the scope.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  int descriptor() const { return fd_; }
  // Bytes read; fewer than asked for at the end of the file or on an error, then with errno set.
  size_t read(void* to, size_t bytes) {
    errno = 0;
    return transfer(static_cast<char*>(to), bytes, [this](char* at, size_t n) { return ::read(fd_, at, n); });
  }
  // False, with errno set, unless everything was written.
  bool write(const void* from, size_t bytes) {
    char* at = const_cast<char*>(static_cast<const char*>(from));
    return transfer(at, bytes, [this](const char* p, size_t n) { return ::write(fd_, p, n); }) == bytes;
  }
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  template <class Step> static size_t transfer(char* at, size_t bytes, const Step& step) {
    size_t done = 0;
    while (done < bytes) {
      const ssize_t n = step(at + done, bytes - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }
  int fd_;
};

// Bytes of an untrusted file, for a message.
std::string quoted(std::string_view bytes) {
  constexpr size_t limit = 80;
  std::string text = "\"";
  for (const char c : bytes.substr(0, limit)) {
    constexpr const char* digits = "0123456789abcdef";
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f && c != '"' && c != '\\') text += c;
    else text += std::string("\\x") + digits[u >> 4] + digits[u & 15];
  }
  return text + (bytes.size() > limit ? "\"..." : "\"");
}

[[noreturn]] void fail(const char* op, const std::string& path, const std::string& what) {
  throw IOError(std::string(op) + ": " + quoted(path) + ": " + what);
}
[[noreturn]] void bad(const std::string& path, const std::string& what) { fail("load_npy", path, what); }

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> sizes;
};

// The dict literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }: these three keys once each, in any order
// and spacing, and nothing else.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  Header parse() {
    Header header;
    uint32_t seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      const uint32_t bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0) stop("the keys must be descr, fortran_order and shape, got key " + quoted(key));
      if (seen & bit) stop("each key may occur once, got key " + quoted(key) + " twice");
      seen |= bit;
      expect(':');
      if (bit == 1) header.descr = descr();
      else if (bit == 2) header.fortran_order = boolean();
      else header.sizes = tuple();
      if (!accept(',') && peek() != '}') stop("expected \",\" or \"}\" behind the value of " + quoted(key));
    }
    if (seen != 7) stop("the keys descr, fortran_order and shape are all needed");
    if (skip_space(); at_ != text_.size()) stop("expected only white space behind \"}\"");
    return header;
  }

 private:
  [[noreturn]] void stop(const std::string& what) const {
    bad(path_, "header: " + what + ", at byte " + std::to_string(at_) + " of " + quoted(text_));
  }
  void skip_space() {
    while (at_ < text_.size() && std::strchr(" \t\r\n\f", text_[at_]) && text_[at_] != '\0') ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) stop(std::string("expected \"") + c + "\"");
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') stop("expected a quoted string");
    const size_t end = text_.find(quote, ++at_);
    if (end == text_.npos) stop("expected a closing quote");
    const std::string_view inside = text_.substr(at_, end - at_);
    at_ = end + 1;
    return std::string(inside);
  }
  std::string descr() {
    if (peek() == '[') stop("structured arrays are not supported: descr must be one of f4 f8 i4 i8 u1 b1");
    return string();
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    stop("fortran_order must be True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    bool comma = true;
    expect('(');
    while (!accept(')')) {
      if (!comma) stop("expected \",\" or \")\" in shape");
      sizes.push_back(size());
      if (static_cast<int64_t>(sizes.size()) > kMaxRank) stop("shape must have at most 8 sizes");
      comma = accept(',');
    }
    if (sizes.size() == 1 && !comma) stop("shape must be a tuple, such as (3,)");
    return sizes;
  }
  int64_t size() {
    if (peek() == '-') stop("a size must not be negative");
    if (peek() < '0' || peek() > '9') stop("expected a size");
    int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text_[at_] - '0', &value))
        stop("a size must fit in 63 bits");
    }
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote long integers so
    return value;
  }

  const std::string& path_;
  std::string_view text_;
  size_t at_ = 0;
};

struct Element {
  DType dtype;
  bool swapped;
};

Element element_of(const std::string& path, const std::string& descr) {
  std::string_view code = descr;
  char order = '=';
  if (!code.empty() && std::strchr("<>=|", code[0])) {
    order = code[0];
    code.remove_prefix(1);
  }
  std::optional<DType> dtype;
  if (code == "f4") dtype = kFloat32;
  else if (code == "f8") dtype = kFloat64;
  else if (code == "i4") dtype = kInt32;
  else if (code == "i8") dtype = kInt64;
  else if (code == "u1") dtype = kUInt8;
  else if (code == "b1") dtype = kBool;
  if (!dtype || (order == '|' && item_size(*dtype) > 1))
    bad(path, "descr must be one of <f4 <f8 <i4 <i8 |u1 |b1, or big-endian with >, got " + quoted(descr));
  return {*dtype, order == '>'};
}

// Bytes the elements take. Also bounds the products of sizes that strides are made of, where one size is 0.
int64_t data_bytes(const std::string& path, const Header& header, DType dtype) {
  int64_t bytes = item_size(dtype);
  bool empty = false;
  for (const int64_t size : header.sizes) {
    empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      bad(path, "header: the number of bytes must fit in 63 bits, got shape " + to_string(header.sizes));
  }
  return empty ? 0 : bytes;
}

uint64_t little_endian(const unsigned char* p, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | p[i];
  return value;
}

void read_exactly(File& file, const std::string& path, void* to, size_t bytes, const char* what) {
  const size_t got = file.read(to, bytes);
  if (got == bytes) return;
  const std::string reason = errno ? std::string(" (") + std::strerror(errno) + ")" : "";
  bad(path, std::string(what) + ": expected " + std::to_string(bytes) + " bytes, got " + std::to_string(got) + reason);
}

// Everything before the elements; `size` is the file's, `offset` becomes where the elements start.
Header read_header(File& file, const std::string& path, uint64_t size, uint64_t& offset) {
  unsigned char start[12] = {};
  if (size < 10)
    bad(path, "a .npy file has at least 10 bytes, got " + std::to_string(size) + (size == 0 ? " (it is empty)" : ""));
  read_exactly(file, path, start, 10, "start");
  const std::string_view magic(reinterpret_cast<const char*>(start), kMagic.size());
  if (magic != kMagic) bad(path, "a .npy file starts with \"\\x93NUMPY\", got " + quoted(magic));
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0)
    bad(path, "format version must be 1.0, 2.0 or 3.0, got " + std::to_string(major) + "." + std::to_string(minor));
  const int length_bytes = major == 1 ? 2 : 4;
  offset = uint64_t{8} + static_cast<uint64_t>(length_bytes);
  if (size < offset) bad(path, "header length: expected 4 bytes, got " + std::to_string(size - 8));
  if (length_bytes == 4) read_exactly(file, path, start + 10, 2, "header length");
  const uint64_t length = little_endian(start + 8, length_bytes);
  if (length > size - offset)
    bad(path, "header: expected " + std::to_string(length) + " bytes, got " + std::to_string(size - offset) +
                  " (truncated?)");
  std::string text(length, '\0');
  read_exactly(file, path, text.data(), text.size(), "header");
  offset += length;
  return HeaderParser(path, text).parse();
}

template <class Word, class Swap> void swap_words(char* data, int64_t count, const Swap& swap) {
  for (int64_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, data + i * static_cast<int64_t>(sizeof word), sizeof word);
    word = swap(word);
    std::memcpy(data + i * static_cast<int64_t>(sizeof word), &word, sizeof word);
  }
}

// File bytes to elements of this machine.
void repair(const Tensor& x, const Element& element) {
  char* data = static_cast<char*>(x.data_ptr());
  if (element.dtype == kBool) {
    for (int64_t i = 0; i < x.numel(); ++i) data[i] = data[i] != 0;  // any other byte in a bool is undefined behaviour
  }
  if (!element.swapped) return;
  if (x.element_size() == 4) swap_words<uint32_t>(data, x.numel(), [](uint32_t w) { return __builtin_bswap32(w); });
  if (x.element_size() == 8) swap_words<uint64_t>(data, x.numel(), [](uint64_t w) { return __builtin_bswap64(w); });
}

// Fortran order: the first size varies fastest.
Tensor from_columns(const Tensor& flat, const Shape& sizes) {
  Shape strides = Shape::filled(sizes.size(), 1);
  for (int64_t d = 1; d < sizes.size(); ++d) strides[d] = strides[d - 1] * std::max<int64_t>(sizes[d - 1], 1);
  return clone_of(alias(flat, sizes, strides, 0));
}

const char* descr_of(DType dtype) {
  constexpr const char* codes[] = {"|b1", "|u1", "<i4", "<i8", nullptr, "<f4", "<f8"};
  const char* code = codes[static_cast<int>(dtype)];
  if (!code)
    throw DTypeError(std::string("save_npy: NumPy has no ") + name_of(dtype) + " (did you mean x.to(kFloat32)?)");
  return code;
}

// Format 1.0, padded so that the elements start at a multiple of 64.
std::string header_for(const Tensor& x) {
  std::string text = std::string("{'descr': '") + descr_of(x.dtype()) + "', 'fortran_order': False, 'shape': (";
  for (int64_t d = 0; d < x.dim(); ++d) text += (d ? ", " : "") + std::to_string(x.sizes()[d]);
  text += x.dim() == 1 ? ",), }" : "), }";
  const size_t start = kMagic.size() + 4;
  text.append(63 - (start + text.size()) % 64, ' ');
  text += '\n';
  const std::string prefix =
      std::string(kMagic) + '\1' + '\0' + static_cast<char>(text.size() & 255) + static_cast<char>(text.size() >> 8);
  return prefix + text;
}

// Where to write: links are followed, and only a regular file may be replaced.
std::string target_of(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return path;
  if (!S_ISREG(info.st_mode))
    fail("save_npy", path, S_ISDIR(info.st_mode) ? "a file is needed, got a directory" : "a regular file is needed");
  char* real = ::realpath(path.c_str(), nullptr);
  std::string target = real ? real : path;
  std::free(real);
  return target;
}

}  // namespace

Tensor load_npy(const std::string& path) {
  File file(path, O_RDONLY | O_NONBLOCK);  // a pipe must not block: it is refused
  if (!file.is_open()) bad(path, std::string("cannot open: ") + std::strerror(errno));
  struct stat info;
  if (::fstat(file.descriptor(), &info) != 0) bad(path, std::string("cannot stat: ") + std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    bad(path, S_ISDIR(info.st_mode) ? "a file is needed, got a directory" : "a regular file is needed");
  const auto size = static_cast<uint64_t>(info.st_size);

  uint64_t offset = 0;
  const Header header = read_header(file, path, size, offset);
  const Element element = element_of(path, header.descr);
  const auto bytes = static_cast<uint64_t>(data_bytes(path, header, element.dtype));
  if (bytes != size - offset)
    bad(path, "data: shape " + to_string(header.sizes) + " of " + name_of(element.dtype) + " takes " +
                  std::to_string(bytes) + " bytes, got " + std::to_string(size - offset) +
                  (bytes > size - offset ? " (truncated?)" : " (trailing bytes?)"));

  const bool columns = header.fortran_order && header.sizes.size() > 1 && bytes > 0;
  const int64_t numel = static_cast<int64_t>(bytes) / item_size(element.dtype);
  const Tensor x = columns ? new_tensor({numel}, element.dtype) : new_tensor(header.sizes, element.dtype);
  read_exactly(file, path, x.data_ptr(), bytes, "data");
  repair(x, element);
  return columns ? from_columns(x, Shape(header.sizes)) : x;
}

void save_npy(const std::string& path, const Tensor& x) {
  static std::atomic<unsigned> counter{0};
  if (!x.defined()) throw ValueError("save_npy: x must be defined, got an undefined tensor (Tensor())");
  const Tensor elements = contiguous_of(x);
  const std::string header = header_for(x);
  const std::string target = target_of(path);
  const std::string beside = target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
  File file(beside, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) fail("save_npy", path, std::string("cannot create a file there: ") + std::strerror(errno));
  const bool whole = file.write(header.data(), header.size()) &&
                     file.write(elements.data_ptr(), static_cast<size_t>(elements.nbytes())) && file.close() &&
                     ::rename(beside.c_str(), target.c_str()) == 0;
  if (whole) return;
  const int reason = errno;
  ::unlink(beside.c_str());
  fail("save_npy", path,
       "cannot write " + std::to_string(header.size() + static_cast<size_t>(elements.nbytes())) +
           " bytes: " + std::strerror(reason));
}

}  // namespace tapegrad

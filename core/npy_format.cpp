// The .npy format: magic, version, a Python dict as header, then the raw elements.
#include "tapegrad/core/npy_format.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

static_assert(std::endian::native == std::endian::little, "element bytes are written as they lie in memory");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kLongestHeader = 10000;  // as NumPy has it; eight sizes take a few hundred bytes

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> sizes;
};

// The dict literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }: these three keys once each, in any order
// and spacing, and nothing else.
class HeaderParser {
 public:
  HeaderParser(const FilePlace& place, std::string_view text) : place_(place), text_(text) {}

  Header parse() {
    Header header;
    uint32_t seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      const uint32_t bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0) stop("the keys must be descr, fortran_order and shape, got key " + quoted_bytes(key));
      if (seen & bit) stop("each key may occur once, got key " + quoted_bytes(key) + " twice");
      seen |= bit;
      expect(':');
      if (bit == 1) header.descr = descr();
      else if (bit == 2) header.fortran_order = boolean();
      else header.sizes = tuple();
      if (!accept(',') && peek() != '}') stop("expected \",\" or \"}\" behind the value of " + quoted_bytes(key));
    }
    if (seen != 7) stop("the keys descr, fortran_order and shape are all needed");
    if (skip_space(); at_ != text_.size()) stop("expected only white space behind \"}\"");
    return header;
  }

 private:
  [[noreturn]] void stop(const std::string& what) const {
    place_.fail("header: " + what + ", at byte " + std::to_string(at_) + " of " + quoted_bytes(text_));
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

  const FilePlace& place_;
  std::string_view text_;
  size_t at_ = 0;
};

struct Element {
  DType dtype;
  bool swapped;
};

Element element_of(const FilePlace& place, const std::string& descr) {
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
    place.fail("descr must be one of <f4 <f8 <i4 <i8 |u1 |b1, or big-endian with >, got " + quoted_bytes(descr));
  return {*dtype, order == '>'};
}

// Bytes the elements take. Also bounds the products of sizes that strides are made of, where one size is 0.
int64_t data_bytes(const FilePlace& place, const Header& header, DType dtype) {
  int64_t bytes = item_size(dtype);
  bool empty = false;
  for (const int64_t size : header.sizes) {
    empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      place.fail("header: the number of bytes must fit in 63 bits, got shape " + to_string(header.sizes));
  }
  return empty ? 0 : bytes;
}

uint64_t little_endian(const unsigned char* p, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | p[i];
  return value;
}

void read_exactly(ByteSource& source, const FilePlace& place, void* to, size_t bytes, const char* what) {
  errno = 0;
  const size_t got = source.read(to, bytes);
  if (got != bytes)
    place.fail(std::string(what) + ": expected " + std::to_string(bytes) + " bytes, got " + std::to_string(got), errno);
}

// Everything before the elements; `size` is that of the whole, `offset` becomes where the elements start.
Header read_header(ByteSource& source, const FilePlace& place, uint64_t size, uint64_t& offset) {
  unsigned char start[12] = {};
  if (size < 10)
    place.fail("a .npy file has at least 10 bytes, got " + std::to_string(size) + (size == 0 ? " (it is empty)" : ""));
  read_exactly(source, place, start, 10, "start");
  const std::string_view magic(reinterpret_cast<const char*>(start), kMagic.size());
  if (magic != kMagic) place.fail("a .npy file starts with \"\\x93NUMPY\", got " + quoted_bytes(magic));
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0)
    place.fail("format version must be 1.0, 2.0 or 3.0, got " + std::to_string(major) + "." + std::to_string(minor));
  const int length_bytes = major == 1 ? 2 : 4;
  offset = uint64_t{8} + static_cast<uint64_t>(length_bytes);
  if (size < offset) place.fail("header length: expected 4 bytes, got " + std::to_string(size - 8));
  if (length_bytes == 4) read_exactly(source, place, start + 10, 2, "header length");
  const uint64_t length = little_endian(start + 8, length_bytes);
  if (length > size - offset)
    place.fail("header: expected " + std::to_string(length) + " bytes, got " + std::to_string(size - offset) +
               " (truncated?)");
  if (length > kLongestHeader)
    place.fail("header: must have at most " + std::to_string(kLongestHeader) + " bytes, got " + std::to_string(length));
  std::string text(length, '\0');
  read_exactly(source, place, text.data(), text.size(), "header");
  offset += length;
  return HeaderParser(place, text).parse();
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

const char* descr_of(const char* op, DType dtype) {
  constexpr const char* codes[] = {"|b1", "|u1", "<i4", "<i8", nullptr, "<f4", "<f8"};
  const char* code = codes[static_cast<int>(dtype)];
  if (!code) throw DTypeError(std::string(op) + ": NumPy has no " + name_of(dtype) + " (did you mean x.to(kFloat32)?)");
  return code;
}

}  // namespace

Tensor read_npy(ByteSource& source, uint64_t size, const FilePlace& place) {
  uint64_t offset = 0;
  const Header header = read_header(source, place, size, offset);
  const Element element = element_of(place, header.descr);
  const auto bytes = static_cast<uint64_t>(data_bytes(place, header, element.dtype));
  if (bytes != size - offset)
    place.fail("data: shape " + to_string(header.sizes) + " of " + name_of(element.dtype) + " takes " +
               std::to_string(bytes) + " bytes, got " + std::to_string(size - offset) +
               (bytes > size - offset ? " (truncated?)" : " (trailing bytes?)"));

  const bool columns = header.fortran_order && header.sizes.size() > 1 && bytes > 0;
  const int64_t numel = static_cast<int64_t>(bytes) / item_size(element.dtype);
  const Tensor x = columns ? new_tensor({numel}, element.dtype) : new_tensor(header.sizes, element.dtype);
  read_exactly(source, place, x.data_ptr(), bytes, "data");
  repair(x, element);
  return columns ? from_columns(x, Shape(header.sizes)) : x;
}

// Format 1.0, padded so that the elements start at a multiple of 64.
std::string npy_header(const char* op, const Tensor& x) {
  std::string text = std::string("{'descr': '") + descr_of(op, x.dtype()) + "', 'fortran_order': False, 'shape': (";
  for (int64_t d = 0; d < x.dim(); ++d) text += (d ? ", " : "") + std::to_string(x.sizes()[d]);
  text += x.dim() == 1 ? ",), }" : "), }";
  const size_t start = kMagic.size() + 4;
  text.append(63 - (start + text.size()) % 64, ' ');
  text += '\n';
  const std::string prefix =
      std::string(kMagic) + '\1' + '\0' + static_cast<char>(text.size() & 255) + static_cast<char>(text.size() >> 8);
  return prefix + text;
}

}  // namespace tapegrad

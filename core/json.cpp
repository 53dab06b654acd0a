// Reading JSON.
#include "tapegrad/core/json.h"

#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

void append_utf8(std::string& out, unsigned c) {
  const auto byte = [&](unsigned bits) { out += static_cast<char>(bits); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      byte(0xe0 | c >> 12);
    } else {
      byte(0xf0 | c >> 18);
      byte(0x80 | (c >> 12 & 63));
    }
    byte(0x80 | (c >> 6 & 63));
  }
  byte(0x80 | (c & 63));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

void JsonReader::stop(const std::string& what) const {
  const size_t from = at_ < 20 ? 0 : at_ - 20;
  place_.fail("header: " + what + ", at byte " + std::to_string(at_) + ", behind " +
              quoted_bytes(text_.substr(from, at_ - from)));
}

void JsonReader::twice(const std::string& key) const {
  stop("each key may occur once, got " + quoted_bytes(key) + " twice");
}

void JsonReader::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
    ++at_;
}

bool JsonReader::accept(char c) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char c) {
  if (accept(c)) return;
  stop(std::string("expected '") + c + "', got " +
       (at_ == text_.size() ? "its end (truncated?)" : quoted_bytes(text_.substr(at_, 1))));
}

void JsonReader::end() {
  if (skip_space(); at_ != text_.size())
    stop("expected only white space behind the last '}', got " + quoted_bytes(text_.substr(at_), 20));
}

std::string JsonReader::string() {
  expect('"');
  std::string out;
  for (;;) {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
           static_cast<unsigned char>(text_[at_]) >= 0x20)
      ++at_;
    out.append(text_.substr(from, at_ - from));
    if (at_ == text_.size()) stop("a string must end in '\"', got the end of the header");
    const char c = text_[at_++];
    if (c == '"') break;
    if (c != '\\') stop("control characters in a string must be escaped, got " + quoted_bytes({&c, 1}));
    escape(out);
  }
  if (!is_utf8(out)) stop("a string must be UTF-8, got " + quoted_bytes(out));
  return out;
}

void JsonReader::escape(std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  if (c != 'u') {
    const size_t which = kNames.find(c);
    if (which == kNames.npos)
      stop("an escape must be one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u, got " + quoted_bytes({&c, 1}));
    out += kMeanings[which];
    return;
  }
  const unsigned first = unit();
  if (first < 0xd800 || first > 0xdfff) return append_utf8(out, first);
  // Two units make one character beyond the first 65536.
  const bool pair = first < 0xdc00 && text_.substr(at_, 2) == "\\u";
  if (pair) at_ += 2;
  const unsigned second = pair ? unit() : 0;
  if (second < 0xdc00 || second > 0xdfff) stop("a \\u escape must not be half of a pair");
  append_utf8(out, 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00)));
}

unsigned JsonReader::unit() {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = at_ < text_.size() ? hex_digit(text_[at_]) : -1;
    if (digit < 0) stop("\\u must have four hexadecimal digits behind it");
    value = value << 4 | static_cast<unsigned>(digit);
    ++at_;
  }
  return value;
}

int64_t JsonReader::count() {
  skip_space();
  const auto digit = [&](size_t at) { return at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; };
  if (at_ < text_.size() && text_[at_] == '-') stop("a number here must not be negative");
  if (!digit(at_)) stop("expected a whole number");
  if (text_[at_] == '0' && digit(at_ + 1)) stop("a number must not begin with 0");
  int64_t value = 0;
  for (; digit(at_); ++at_) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text_[at_] - '0', &value))
      stop("a number must be below 2^63");
  }
  if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
    stop("expected a whole number");
  return value;
}

}  // namespace tapegrad

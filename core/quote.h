// Text for other programs to read: JSON, DOT and gnuplot, the shell. Internal.
#pragma once

#include <string>
#include <string_view>

namespace tapegrad {

// As a JSON string. Bytes that are not UTF-8 become U+FFFD, one each.
std::string json_quoted(const std::string& text);
// A finite number with so many digits at most, a point in it whatever the locale.
std::string json_number(double x, int digits);
// In double quotes, with a backslash before those within and before backslashes, as DOT and gnuplot take it.
std::string in_quotes(const std::string& text);
// As one word of a shell's.
std::string shell_quoted(const std::string& text);

// Bytes of an untrusted file, for a message: in double quotes, what is not printable as \x1b, no more than `limit` of them.
std::string quoted_bytes(std::string_view bytes, size_t limit = 80);
// Whether text is UTF-8 from its first byte to its last.
bool is_utf8(std::string_view text);

// How many characters UTF-8 text has, which is how wide it is in a table.
inline size_t characters(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

}  // namespace tapegrad

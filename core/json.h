// A strict reader of JSON (RFC 8259), value by value, for headers whose form is known. Internal.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "tapegrad/core/file.h"

namespace tapegrad {

// Every error is one of the place's, with the byte where it was found. Who reads says which kind of value must come next, so
// no text makes it nest deeper than its caller does.
class JsonReader {
 public:
  JsonReader(const FilePlace& place, std::string_view text) : place_(place), text_(text) {}

  // member(key) reads the value; a key that comes twice is an error.
  template <class F> void object(const F& member) {
    std::unordered_set<std::string> seen;
    sequence('{', '}', [&] {
      std::string key = string();
      if (!seen.insert(key).second) twice(key);
      expect(':');
      member(key);
    });
  }
  // element() reads the next.
  template <class F> void array(const F& element) { sequence('[', ']', element); }
  // UTF-8, escapes resolved.
  std::string string();
  // A number without sign, fraction and exponent, below 2^63.
  int64_t count();
  // Nothing but white space may be left.
  void end();
  [[noreturn]] void stop(const std::string& what) const;

 private:
  template <class F> void sequence(char open, char close, const F& item) {
    expect(open);
    if (accept(close)) return;
    do item();
    while (accept(','));
    expect(close);
  }
  [[noreturn]] void twice(const std::string& key) const;
  void skip_space();
  bool accept(char c);
  void expect(char c);
  void escape(std::string& out);
  unsigned unit();

  const FilePlace& place_;
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace tapegrad

// CSV text cut into fields, by the grammar of RFC 4180.
#include "tapegrad/nn/data/csv_records.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data::detail {

void csv_error(const std::string& path, int64_t line, int64_t column, const std::string& name,
               const std::string& what) {
  throw IOError("read_csv: " + path + ", line " + std::to_string(line) + ", column " + std::to_string(column) +
                (name.empty() ? "" : " " + quoted(name)) + ": " + what);
}

namespace {

std::string contents(const std::string& path) {
  const auto fail = [&](const std::string& what) { throw IOError("read_csv: " + path + ": " + what); };
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    fail("the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  if (S_ISDIR(info.st_mode)) fail("it must be a file, got a directory");
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (!file) fail("the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  std::string text;
  text.reserve(static_cast<size_t>(info.st_size));
  char piece[1 << 16];
  while (const size_t got = std::fread(piece, 1, sizeof piece, file.get())) text.append(piece, got);
  if (std::ferror(file.get())) fail("the file must be readable, got \"" + std::string(std::strerror(errno)) + "\"");
  return text;
}

class Parser {
 public:
  Parser(const std::string& path, const CSVOptions& options, CSVRecords& records)
      : path_(path), options_(options), out_(records), at_(out_.text.data()), end_(at_ + out_.text.size()) {
    if (out_.text.compare(0, 3, "\xef\xbb\xbf") == 0) at_ += 3;
  }

  void run() {
    out_.starts.push_back(0);
    while (at_ != end_) {
      const size_t first = out_.fields.size();
      do field(static_cast<int64_t>(out_.fields.size() - first) + 1);
      while (take_delimiter());
      take_line_end();
      const CSVField& one = out_.fields.back();
      const bool blank = out_.fields.size() == first + 1 && one.text.empty() && !one.quoted;
      if (blank) out_.fields.pop_back();
      else out_.starts.push_back(out_.fields.size());
    }
  }

 private:
  bool at_field_end() const { return at_ == end_ || *at_ == options_.delimiter || *at_ == '\n' || *at_ == '\r'; }
  bool is_quote(char c) const { return options_.quote != '\0' && c == options_.quote; }
  bool is_space(char c) const { return (c == ' ' || c == '\t') && c != options_.delimiter; }
  void skip_spaces() {
    while (options_.trim && at_ != end_ && is_space(*at_)) ++at_;
  }
  bool take_delimiter() {
    if (at_ == end_ || *at_ != options_.delimiter) return false;
    ++at_;
    return true;
  }
  void take_line_end() {
    if (at_ == end_) return;
    if (*at_++ == '\r' && at_ != end_ && *at_ == '\n') ++at_;
    ++line_;
  }

  void field(int64_t column) {
    skip_spaces();
    if (at_ != end_ && is_quote(*at_)) return quoted_field(column);
    const char* first = at_;
    for (; !at_field_end(); ++at_) {
      if (is_quote(*at_))
        csv_error(path_, line_, column, "",
                  "a field with a quote inside must be quoted as a whole, got " +
                      quoted({first, static_cast<size_t>(at_ - first) + 1}));
    }
    const char* last = at_;
    while (options_.trim && last != first && is_space(last[-1])) --last;
    out_.fields.push_back({{first, static_cast<size_t>(last - first)}, line_, false});
  }

  // Moves the characters together where doubled quotes become one.
  void quoted_field(int64_t column) {
    const int64_t line = line_;
    const char* first = ++at_;
    char* last = at_;
    for (;; ++at_) {
      if (at_ == end_)
        csv_error(path_, line, column, "", "the quote that opens here must be closed, got the end of the file");
      if (is_quote(*at_)) {
        if (at_ + 1 == end_ || !is_quote(at_[1])) break;
        ++at_;
      } else if (*at_ == '\n' || (*at_ == '\r' && (at_ + 1 == end_ || at_[1] != '\n'))) {
        ++line_;
      }
      *last++ = *at_;
    }
    ++at_;
    skip_spaces();
    if (!at_field_end())
      csv_error(path_, line_, column, "",
                "a closing quote must end the field, got " + quoted({at_, 1}) +
                    " behind it (a quote inside is written twice)");
    out_.fields.push_back({{first, static_cast<size_t>(last - first)}, line, true});
  }

  const std::string& path_;
  const CSVOptions& options_;
  CSVRecords& out_;
  char* at_;
  char* end_;
  int64_t line_ = 1;
};

}  // namespace

void read_records(const std::string& path, const CSVOptions& options, CSVRecords& records) {
  records.text = contents(path);
  Parser(path, options, records).run();
}

}  // namespace tapegrad::data::detail

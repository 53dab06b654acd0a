// Writes and reads results.json.
#include "report/results.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace bench {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) throw std::runtime_error("results: a figure is not finite");
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// Reads exactly what is written here: objects with the known keys, strings whose only escapes are \" and \\, numbers.
class Reader {
 public:
  Reader(std::string file, std::string text) : file_(std::move(file)), text_(std::move(text)) {}

  Results results() {
    Results all;
    object([&](const std::string& key) {
      if (key == "about") object([&](const std::string& fact) { all.about[fact] = string(); });
      else if (key == "rows") array([&] { all.rows.push_back(row()); });
      else fail("unknown key " + key);
    });
    skip_space();
    if (at_ != text_.size()) fail("text behind the end");
    return all;
  }

 private:
  Row row() {
    Row row;
    object([&](const std::string& key) {
      if (key == "name") row.name = string();
      else if (key == "column") row.column = string();
      else if (key == "unit") row.unit = string();
      else if (key == "per") row.per = real();
      else if (key == "samples") array([&] { row.samples.push_back(real()); });
      else if (key == "counters") object([&](const std::string& counter) { row.counters[counter] = real(); });
      else fail("unknown key " + key);
    });
    if (row.name.empty() || row.column.empty() || row.samples.empty()) fail("a row lacks name, column or samples");
    return row;
  }

  template <class Value> void object(const Value& value) {
    list('{', '}', [&] {
      const std::string key = string();
      expect(':');
      value(key);
    });
  }
  template <class Value> void array(const Value& value) { list('[', ']', value); }

  template <class Item> void list(char open, char close, const Item& item) {
    expect(open);
    if (next_is(close)) return;
    do item();
    while (next_is(','));
    expect(close);
  }

  std::string string() {
    expect('"');
    std::string out;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && ++at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\') fail("unknown escape");
      if (at_ < text_.size()) out += text_[at_];
    }
    expect('"');
    return out;
  }

  double real() {
    skip_space();
    const char* const from = text_.data() + at_;
    double value = 0;
    const auto [end, error] = std::from_chars(from, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) fail("a number is expected");
    at_ += static_cast<size_t>(end - from);
    return value;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool next_is(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!next_is(c)) fail(std::string("'") + c + "' is expected");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(file_ + ", byte " + std::to_string(at_) + ": " + what);
  }

  std::string file_, text_;
  size_t at_ = 0;
};

template <class Map, class Text> std::string members(const Map& map, const Text& text) {
  std::string out;
  for (const auto& [key, value] : map) out += (out.empty() ? "" : ", ") + quoted(key) + ": " + text(value);
  return "{" + out + "}";
}

std::string line_of(const Row& row) {
  std::string samples;
  for (const double sample : row.samples) samples += (samples.empty() ? "" : ", ") + number(sample);
  return "{\"name\": " + quoted(row.name) + ", \"column\": " + quoted(row.column) + ", \"unit\": " + quoted(row.unit) +
         ", \"per\": " + number(row.per) + ", \"samples\": [" + samples + "]" +
         (row.counters.empty() ? "" : ", \"counters\": " + members(row.counters, number)) + "}";
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

void Results::put(Row row) {
  for (Row& old : rows) {
    if (old.name != row.name || old.column != row.column) continue;
    old = std::move(row);
    return;
  }
  rows.push_back(std::move(row));
}

const Row* Results::find(const std::string& name, const std::string& column) const {
  for (const Row& row : rows) {
    if (row.name == name && row.column == column) return &row;
  }
  return nullptr;
}

Results read_results(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  return Reader(file, std::string(std::istreambuf_iterator<char>(in), {})).results();
}

void write_results(const std::string& file, const Results& results) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder);
  std::ofstream out(file + ".part");
  out << "{\"about\": " << members(results.about, quoted) << ",\n \"rows\": [";
  for (size_t i = 0; i < results.rows.size(); ++i) out << (i ? ",\n  " : "\n  ") << line_of(results.rows[i]);
  out << "\n ]}\n";
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file);
  std::filesystem::rename(file + ".part", file);
}

void add_to_results(const std::string& file, const Results& more) {
  Results all = std::filesystem::exists(file) ? read_results(file) : Results{};
  for (const auto& [key, text] : more.about) all.about[key] = text;
  for (const Row& row : more.rows) all.put(row);
  write_results(file, all);
}

std::map<std::string, std::string> machine() {
  double load = 0;
  char text[32] = "unknown";
  if (getloadavg(&load, 1) == 1) std::snprintf(text, sizeof text, "%.1f", load);
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  return {{"cpu", cpu_name()}, {"load", text}, {"compiler", compiler}};
}

}  // namespace bench

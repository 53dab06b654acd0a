// A strict reader of JSON: what it takes, tools take.
#pragma once

#include <cctype>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

struct Json {
  enum Kind { null, boolean, number, string, array, object } kind = null;
  double value = 0;
  std::string text;
  std::vector<Json> items;                            // of an array
  std::vector<std::pair<std::string, Json>> members;  // of an object

  const Json& operator[](const std::string& name) const {
    for (const auto& [key, member] : members) {
      if (key == name) return member;
    }
    throw std::runtime_error("no member \"" + name + "\"");
  }
  bool has(const std::string& name) const {
    for (const auto& member : members) {
      if (member.first == name) return true;
    }
    return false;
  }
};

class JsonReader {
 public:
  static Json read(const std::string& text) {
    JsonReader reader(text);
    Json whole = reader.value();
    reader.space();
    reader.require(reader.at_ == text.size(), "something behind the end");
    return whole;
  }

 private:
  explicit JsonReader(const std::string& text) : text_(text) {}
  void require(bool ok, const std::string& what) const {
    if (!ok) throw std::runtime_error("JSON, byte " + std::to_string(at_) + ": " + what);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char next() {
    require(at_ < text_.size(), "the end");
    return text_[at_++];
  }
  void space() {
    while (peek() == ' ' || peek() == '\n') ++at_;
  }
  bool takes(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }

  Json value() {
    space();
    Json v;
    if (takes("null")) return v;
    if (peek() == '"') v.kind = Json::string, v.text = quoted();
    else if (takes("[")) v.kind = Json::array, list(v, ']');
    else if (takes("{")) v.kind = Json::object, list(v, '}');
    else if (takes("true")) v.kind = Json::boolean, v.value = 1;
    else if (takes("false")) v.kind = Json::boolean;
    else v.kind = Json::number, v.value = plain();
    return v;
  }

  void list(Json& v, char end) {
    space();
    if (peek() == end) {
      ++at_;
      return;
    }
    for (;;) {
      space();
      if (end == '}') {
        std::string key = quoted();
        require(!v.has(key), "a member twice");
        space();
        require(next() == ':', "a colon is missing");
        v.members.emplace_back(std::move(key), value());
      } else {
        v.items.push_back(value());
      }
      space();
      const char c = next();
      if (c == end) return;
      require(c == ',', "a comma is missing");
    }
  }

  double plain() {
    const size_t start = at_;
    while (std::isdigit(static_cast<unsigned char>(peek())) ||
           (peek() && std::string("+-.eE").find(peek()) != std::string::npos))
      ++at_;
    const std::string digits = text_.substr(start, at_ - start);
    size_t used = 0;
    require(!digits.empty() && (digits[0] == '-' || std::isdigit(static_cast<unsigned char>(digits[0]))), "no value");
    const double x = std::stod(digits, &used);
    require(used == digits.size(), "no number");
    return x;
  }

  std::string quoted() {
    require(next() == '"', "a quote is missing");
    std::string out;
    for (char c = next(); c != '"'; c = next()) {
      require(static_cast<unsigned char>(c) >= 0x20, "a control character");
      if (c != '\\') {
        out += c;
        continue;
      }
      c = next();
      if (c == 'u') {
        out += static_cast<char>(std::stoi(text_.substr(at_, 4), nullptr, 16));
        at_ += 4;
      } else {
        require(std::string("\"\\/bfnrt").find(c) != std::string::npos, "an unknown escape");
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
    }
    return out;
  }

  const std::string& text_;
  size_t at_ = 0;
};

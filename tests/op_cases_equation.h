// What rows of products are written with: references given as equations of letters.
#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "op_cases.h"

namespace op_cases {

// "ab,bc->ac" by its meaning: every assignment of indices to letters. No dots, no spaces; dims of size 1 broadcast.
struct Plain {
  std::vector<std::string> terms;
  std::string result;

  explicit Plain(const std::string& equation) {
    const size_t arrow = equation.find("->");
    result = equation.substr(arrow + 2);
    std::string term;
    for (char c : equation.substr(0, arrow) + ",") {
      if (c != ',') term += c;
      else terms.push_back(std::exchange(term, ""));
    }
  }
  static int64_t offset(const std::string& letters, const Shape& sizes, const std::map<char, int64_t>& at) {
    int64_t place = 0;
    for (int64_t d = 0; d < sizes.size(); ++d)
      place = place * sizes[d] + (sizes[d] == 1 ? 0 : at.at(letters[static_cast<size_t>(d)]));
    return place;
  }
  Array operator()(const std::vector<Array>& in) const {
    std::map<char, int64_t> size, at;
    for (size_t i = 0; i < terms.size(); ++i) {
      for (size_t d = 0; d < terms[i].size(); ++d) {
        int64_t& known = size.emplace(terms[i][d], 1).first->second;
        const int64_t n = in[i].sizes[static_cast<int64_t>(d)];
        if (n != 1) known = n;
      }
    }
    Shape sizes;
    for (char c : result) sizes.push_back(size[c]);
    Array y(sizes);
    y.magnitude.resize(y.v.size());
    int64_t count = 1;
    for (const auto& [letter, n] : size) count *= n;
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = i;
      for (const auto& [letter, n] : size) at[letter] = rest % n, rest /= n;
      double term = 1;
      for (size_t k = 0; k < terms.size(); ++k) term *= in[k][offset(terms[k], in[k].sizes, at)];
      const int64_t place = offset(result, sizes, at);
      y[place] += term;
      y.magnitude[static_cast<size_t>(place)] += std::abs(term);
    }
    return y;
  }
};

inline std::vector<Arg> args_of(const std::vector<Shape>& shapes) {
  std::vector<Arg> args;
  for (const Shape& s : shapes) args.push_back({.sizes = s});
  return args;
}

inline std::string label_of(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& s : shapes) text += " " + to_string(s);
  return text;
}

inline int64_t largest_of(const std::vector<Shape>& shapes) {
  int64_t n = 1;
  for (const Shape& s : shapes) n = std::max(n, numel_of(s, "case"));
  return n;
}

inline Case by_equation(const std::string& label, const std::string& plain, const std::vector<Shape>& shapes,
                        const Function& f) {
  return {label + label_of(shapes), args_of(shapes), f, Plain(plain), largest_of(shapes)};
}

}  // namespace op_cases

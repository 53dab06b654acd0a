// Numbers for each spatial dim, as options hold them: `5` for all, or `{5, 3}`.
#pragma once

#include <array>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "tapegrad/core/error.h"
#include "tapegrad/core/shape.h"

namespace tapegrad::nn {

template <size_t N> class ExpandingArray {
 public:
  constexpr ExpandingArray(std::integral auto all) { values_.fill(static_cast<int64_t>(all)); }
  // ValueError unless there are N of them, or one.
  ExpandingArray(std::initializer_list<int64_t> values) : ExpandingArray(IntArrayRef(values)) {}
  ExpandingArray(const std::array<int64_t, N>& values) : values_(values) {}
  ExpandingArray(const std::vector<int64_t>& values) : ExpandingArray(IntArrayRef(values)) {}
  ExpandingArray(IntArrayRef values) {
    if (values.size() != 1 && values.size() != static_cast<int64_t>(N))
      throw ValueError("ExpandingArray: one number is needed, or " + std::to_string(N) + ", got " + to_string(values));
    for (size_t i = 0; i < N; ++i) values_[i] = values[values.size() == 1 ? 0 : static_cast<int64_t>(i)];
  }
  constexpr int64_t operator[](size_t i) const { return values_[i]; }
  constexpr const int64_t* data() const { return values_.data(); }
  constexpr size_t size() const { return N; }
  bool operator==(const ExpandingArray&) const = default;

 private:
  std::array<int64_t, N> values_;
};

// The same, or {}: left to a default.
template <size_t N> class OptionalArray {
 public:
  OptionalArray() = default;
  OptionalArray(std::integral auto all) : values_(ExpandingArray<N>(all)) {}
  OptionalArray(std::initializer_list<int64_t> values) : values_(ExpandingArray<N>(values)) {}
  OptionalArray(const ExpandingArray<N>& values) : values_(values) {}
  ExpandingArray<N> value_or(const ExpandingArray<N>& other) const { return values_.value_or(other); }

 private:
  std::optional<ExpandingArray<N>> values_;
};

// "5" or "(5, 3)": as PyTorch prints them.
template <size_t N> std::string shown(const ExpandingArray<N>& a) {
  std::string text = "(";
  for (size_t i = 0; i < N; ++i) text += (i ? ", " : "") + std::to_string(a[i]);
  return text + (N == 1 ? ",)" : ")");
}

// Padding of a convolution: numbers, or "same" or "valid".
template <size_t N> class ConvPaddingOption {
 public:
  ConvPaddingOption(std::integral auto all) : sizes_(all) {}
  ConvPaddingOption(std::initializer_list<int64_t> values) : sizes_(values) {}
  ConvPaddingOption(const ExpandingArray<N>& sizes) : sizes_(sizes) {}
  ConvPaddingOption(const char* word) : sizes_(0), word_(word) {}
  ConvPaddingOption(std::string word) : sizes_(0), word_(std::move(word)) {}
  const ExpandingArray<N>& sizes() const { return sizes_; }
  const std::string& word() const { return word_; }  // empty where there are numbers

 private:
  ExpandingArray<N> sizes_;
  std::string word_;
};

}  // namespace tapegrad::nn

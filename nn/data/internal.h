// What the files of nn/data share and nobody else sees.
#pragma once

#include <optional>
#include <string_view>

#include "tapegrad/core/tensor.h"

namespace tapegrad::data::detail {

bool is_file(const std::string& path);
// folder/name
std::string path_in(const std::string& folder, const std::string& name);

// Where files of a data set may lie: root and root/folder; without a root, the directory TAPEGRAD_DATA names, then ./data,
// each with and without the folder.
std::vector<std::string> places(const std::optional<std::string>& root, const std::string& folder);

// The first of these places where holds(place); nothing when there is none.
template <class F>
std::optional<std::string> place_of(const std::optional<std::string>& root, const std::string& folder, const F& holds) {
  for (std::string& place : places(root, folder)) {
    if (holds(place)) return std::move(place);
  }
  return {};
}
// All of them, for a message.
std::string listed_places(const std::optional<std::string>& root, const std::string& folder);

// float32, y = x / 255.
Tensor scaled(const Tensor& bytes);

// Bytes of an untrusted file, for a message: quoted, at most 60 of them.
std::string quoted(std::string_view bytes);

}  // namespace tapegrad::data::detail

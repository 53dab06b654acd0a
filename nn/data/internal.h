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

// The first of the places where holds(place); nothing when there is none.
template <class F> std::optional<std::string> first_that(const std::vector<std::string>& places, const F& holds) {
  for (const std::string& place : places) {
    if (holds(place)) return place;
  }
  return {};
}
// With commas between them, for a message.
std::string listed(const std::vector<std::string>& places);

// float32, y = x / 255.
Tensor scaled(const Tensor& bytes);

// ShapeError unless it has rows and columns.
void check_image(const char* op, const Tensor& image);

// Height and width, by the header of a PNG file. IOError as read_png.
Shape png_size(const std::string& path);
// ValueError unless they are 1 to 4.
void check_channels(const char* op, int64_t channels);

// Bytes of an untrusted file, for a message: quoted, at most 60 of them.
std::string quoted(std::string_view bytes);

}  // namespace tapegrad::data::detail

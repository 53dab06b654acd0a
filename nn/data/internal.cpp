// Where data sets lie, and what several of them need.
#include "tapegrad/nn/data/internal.h"

#include <sys/stat.h>

#include <cstdlib>

namespace tapegrad::data::detail {

bool is_file(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::string path_in(const std::string& folder, const std::string& name) { return folder + "/" + name; }

std::vector<std::string> places(const std::optional<std::string>& root, const std::string& folder) {
  std::vector<std::string> roots;
  if (root) {
    roots.push_back(*root);
  } else {
    if (const char* data = std::getenv("TAPEGRAD_DATA"); data && *data) roots.emplace_back(data);
    roots.emplace_back("data");
  }
  std::vector<std::string> out;
  for (const std::string& one : roots) out.insert(out.end(), {one, path_in(one, folder)});
  return out;
}

std::string listed(const std::vector<std::string>& places) {
  std::string text;
  for (const std::string& place : places) text += (text.empty() ? "" : ", ") + place;
  return text;
}

Tensor scaled(const Tensor& bytes) {
  Tensor out = new_like(bytes, kFloat32);
  const auto* from = bytes.elements<uint8_t>();
  auto* to = out.elements<float>();
  for (int64_t i = 0; i < bytes.numel(); ++i) to[i] = static_cast<float>(from[i]) / 255.0f;
  return out;
}

void check_image(const char* op, const Tensor& image) {
  if (image.dim() < 2)
    throw ShapeError(std::string(op) + ": an image must have rows and columns, got shape " + to_string(image.sizes()));
}

std::string quoted(std::string_view bytes) {
  constexpr size_t kLimit = 60;
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : bytes.substr(0, kLimit)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u != 0x7f && c != '"' && c != '\\') text += c;  // above 0x7f: UTF-8
    else text += std::string("\\x") + kDigits[u >> 4] + kDigits[u & 15];
  }
  return text + (bytes.size() > kLimit ? "\"..." : "\"");
}

}  // namespace tapegrad::data::detail

// .npz files: .npy files in a zip archive.
#include "tapegrad/core/npz.h"

#include <unordered_set>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/quote.h"
#include "tapegrad/core/zip.h"

namespace tapegrad {
namespace {

constexpr std::string_view kEnding = ".npy";
constexpr size_t kLongestName = 65000;

std::string array_name(const InputFile& file, const std::string& entry) {
  if (entry.size() <= kEnding.size() || entry.substr(entry.size() - kEnding.size()) != kEnding)
    file.place().fail("every entry must be a .npy file, got " + quoted_bytes(entry));
  return entry.substr(0, entry.size() - kEnding.size());
}

void check_name(const std::string& name, std::unordered_set<std::string>& seen) {
  if (name.empty() || name.size() > kLongestName || !is_utf8(name) || name.find('\0') != name.npos)
    throw ValueError("save_npz: a name must be UTF-8 of 1 to " + std::to_string(kLongestName) + " bytes, got " +
                     quoted_bytes(name));
  if (!seen.insert(name).second) throw ValueError("save_npz: a name must be new, got " + quoted_bytes(name) + " twice");
}

}  // namespace

NamedTensors load_npz(const std::string& path) {
  const InputFile file("load_npz", path);
  const std::vector<ZipEntry> entries = zip_entries(file);
  std::unordered_set<std::string> seen;
  for (const ZipEntry& entry : entries) {
    if (!seen.insert(array_name(file, entry.name)).second)
      file.place().fail("each name may occur once, got " + quoted_bytes(entry.name) + " twice");
  }
  NamedTensors out;
  for (const ZipEntry& entry : entries) {
    const FilePlace place = file.place().inside(entry.name);
    ZipStream bytes(file, entry, place);
    out.append(array_name(file, entry.name), read_npy(bytes, entry.bytes, place));
    bytes.finish();
  }
  return out;
}

void save_npz(const std::string& path, const NamedTensors& arrays) {
  std::unordered_set<std::string> seen;
  std::vector<ZipItem> items;
  std::vector<Tensor> elements;
  for (const auto& [name, x] : arrays) {
    check_name(name, seen);
    if (!x.defined())
      throw ValueError("save_npz: every array must be defined, got an undefined tensor (Tensor()) for \"" + name +
                       "\"");
    std::string header = npy_header("save_npz", x);
    elements.push_back(contiguous_of(x));
    items.push_back({name + std::string(kEnding), std::move(header), elements.back().data_ptr(),
                     static_cast<size_t>(elements.back().nbytes())});
  }
  write_zip("save_npz", path, items);
}

}  // namespace tapegrad

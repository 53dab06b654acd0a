// Files of named tensors in the safetensors format, as Python's package of that name writes and reads them.
#pragma once

#include <memory>

#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

using Metadata = OrderedDict<std::string, std::string>;

// A file, to look into and to take single tensors from. Opening it maps it into memory and reads the header; elements are paged in
// when they are touched, so one tensor of a large file costs what that tensor costs. Every rule of the format is checked before
// anything is handed out: IOError, naming the file, the tensor and what was found, for a header that is longer than the file (or
// than 100,000,000 bytes) or not strict JSON, a key twice, a dtype other than F64 F32 BF16 I64 I32 U8 BOOL, more than 8 sizes,
// ranges of bytes that do not fit the shape, overlap, leave a hole or reach beyond the end, and for bytes behind the last.
// A handle: copies share the mapping. Little-endian machines only, as the format is.
class TAPEGRAD_API SafetensorsFile {
 public:
  struct Entry {
    DType dtype;
    Shape sizes;
    int64_t offset;  // of the first element, from the start of the file
  };

  explicit SafetensorsFile(const std::string& path);
  // In the order of the header.
  std::vector<std::string> keys() const;
  const OrderedDict<std::string, Entry>& entries() const;
  // What "__metadata__" says; empty without.
  const Metadata& metadata() const;

  // The elements in the mapped file, which lives as long as they do: nothing is copied, unless they are misaligned or bool. They may
  // be written to, the file never changes. The mapping follows the file, though: another program that overwrites it in place,
  // rather than replacing it as save_safetensors does, changes elements not yet touched, and one that shortens it ends this
  // process when they are. A clone() is independent. ValueError for a name that is not there.
  Tensor get_tensor(const std::string& name) const;
  NamedTensors tensors() const;

 private:
  struct Contents;
  Tensor at(const Entry& entry) const;
  std::shared_ptr<const Contents> contents_;
};

// SafetensorsFile(path).tensors().
TAPEGRAD_API NamedTensors load_safetensors(const std::string& path);

// Writes the tensors under their names, and text beside them. The header has the order given; elements are laid out by the size of
// their type, so that all are aligned. The file appears whole or not at all: it is written beside `path`, synced, and renamed.
// IOError, with path and reason, when it cannot be written; an earlier file stays as it was. ValueError for an undefined tensor, a
// name that comes twice, is "__metadata__" or is not UTF-8.
TAPEGRAD_API void save_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata = {});

}  // namespace tapegrad

// .npy files: one array from the first byte to the last.
#include "tapegrad/core/npy.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/file.h"
#include "tapegrad/core/npy_format.h"

namespace tapegrad {
namespace {

class FromFile final : public ByteSource {
 public:
  explicit FromFile(const InputFile& file) : file_(file) {}
  size_t read(void* to, size_t bytes) override {
    const size_t got = file_.read_some(at_, to, bytes);
    at_ += got;
    return got;
  }

 private:
  const InputFile& file_;
  uint64_t at_ = 0;
};

}  // namespace

Tensor load_npy(const std::string& path) {
  const InputFile file("load_npy", path);
  FromFile bytes(file);
  return read_npy(bytes, file.size(), file.place());
}

void save_npy(const std::string& path, const Tensor& x) {
  if (!x.defined()) throw ValueError("save_npy: x must be defined, got an undefined tensor (Tensor())");
  const std::string header = npy_header("save_npy", x);
  const Tensor elements = contiguous_of(x);
  const void* const data = elements.data_ptr();
  const auto bytes = static_cast<size_t>(elements.nbytes());
  OutputFile file("save_npy", path, header.size() + bytes);
  file.write(header);
  file.write(data, bytes);
  file.finish();
}

}  // namespace tapegrad

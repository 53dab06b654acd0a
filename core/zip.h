// Zip archives: stored and deflated entries, zip64 included (PKWARE's APPNOTE 6.3). Internal.
#pragma once

#include <memory>

#include "tapegrad/core/npy_format.h"

namespace tapegrad {

struct ZipEntry {
  std::string name;
  uint64_t bytes = 0, packed = 0;  // of its contents, and of what the archive has of them
  uint64_t header = 0;             // where its own header starts
  uint64_t data = 0;               // and where its contents do
  uint32_t checksum = 0;
  bool deflated = false;
};

// What the directory at the end says, held against the entries' own headers. IOError.
std::vector<ZipEntry> zip_entries(const InputFile& file);

// The contents of an entry.
class ZipStream final : public ByteSource {
 public:
  ZipStream(const InputFile& file, const ZipEntry& entry, const FilePlace& place);
  ~ZipStream() override;
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;
  size_t read(void* to, size_t bytes) override;
  // To be called when all was read: IOError where there is more, or the checksum does not fit.
  void finish();

 private:
  struct Inflater;
  size_t read_stored(void* to, size_t bytes);
  const InputFile& file_;
  const ZipEntry& entry_;
  const FilePlace& place_;
  std::unique_ptr<Inflater> inflater_;  // null: stored
  uint64_t taken_ = 0;                  // of the archive's bytes
  uint32_t checksum_ = 0;
};

struct ZipItem {
  std::string name;
  std::string start;  // contents: this, and then these
  const void* data;
  size_t bytes;
};
// Stored, in this order. The file appears whole or not at all.
void write_zip(const char* op, const std::string& path, const std::vector<ZipItem>& items);

}  // namespace tapegrad

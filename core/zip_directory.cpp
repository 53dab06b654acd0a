// Finding the entries of a zip archive: the end of the directory, the directory, and the header in front of each entry.
#include <algorithm>

#include "tapegrad/core/quote.h"
#include "tapegrad/core/zip.h"

namespace tapegrad {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kLongestComment = 65535;
constexpr uint64_t kLongestDirectory = uint64_t{1}
                                       << 28;  // a million entries and their names take less than half of it
constexpr uint64_t kOpen16 = 0xffff, kOpen32 = 0xffffffff;  // the number is in a zip64 record
constexpr uint64_t kMostPacked = 1032;                      // deflate packs at most so many bytes into one

// Little-endian numbers of a record, one after the other. Who makes one has checked that they are there.
class Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}
  uint64_t number(size_t width) {
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
    at_ += width;
    return value;
  }
  Record& skip(size_t bytes) {
    at_ += bytes;
    return *this;
  }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

struct Directory {
  uint64_t entries = 0, bytes = 0, offset = 0;
  uint64_t end = 0;  // where what follows it starts
};

std::string bytes_at(const InputFile& file, uint64_t offset, uint64_t count, const char* what) {
  std::string bytes(count, '\0');
  file.read(offset, bytes.data(), bytes.size(), what);
  return bytes;
}

// A zip64 locator in front of the end record leads to the numbers that do not fit there.
void read_end64(const InputFile& file, uint64_t end, Directory& directory) {
  if (end < kLocatorBytes) return;
  const std::string locator = bytes_at(file, end - kLocatorBytes, kLocatorBytes, "zip64 locator");
  Record found(locator);
  if (found.u32() != kLocator64) return;
  const uint64_t offset = found.skip(4).u64();
  if (offset > end - kLocatorBytes || end - kLocatorBytes - offset < kEnd64Bytes)
    file.place().fail("zip64: its record must lie before its locator, got offset " + std::to_string(offset));
  const std::string bytes = bytes_at(file, offset, kEnd64Bytes, "zip64 record");
  Record record(bytes);
  if (record.u32() != kEnd64) file.place().fail("zip64: no record at offset " + std::to_string(offset));
  record.skip(8 + 2 + 2 + 4 + 4 + 8);
  directory.entries = record.u64();
  directory.bytes = record.u64();
  directory.offset = record.u64();
  directory.end = offset;
}

Directory find_directory(const InputFile& file) {
  const FilePlace& place = file.place();
  if (file.size() < kEndBytes)
    place.fail("a zip archive has at least 22 bytes, got " + std::to_string(file.size()) +
               (file.size() == 0 ? " (it is empty)" : ""));
  const uint64_t tail = std::min(file.size(), kEndBytes + kLongestComment);
  const std::string bytes = bytes_at(file, file.size() - tail, tail, "end");
  for (uint64_t at = tail - kEndBytes + 1; at-- > 0;) {
    Record record(std::string_view(bytes).substr(at));
    if (record.u32() != kEnd) continue;
    const uint16_t disk = record.u16(), first_disk = record.u16();
    Directory directory;
    record.skip(2);
    directory.entries = record.u16();
    directory.bytes = record.u32();
    directory.offset = record.u32();
    if (record.u16() != tail - at - kEndBytes) continue;  // the length of the comment behind it
    if (disk != first_disk) place.fail("an archive in several files is not supported");
    directory.end = file.size() - tail + at;
    const bool open = directory.entries == kOpen16 || directory.bytes == kOpen32 || directory.offset == kOpen32;
    if (open) read_end64(file, directory.end, directory);
    return directory;
  }
  place.fail("a zip archive ends in a directory, got none (truncated, or not a .npz file?)");
}

// Numbers that a record has no room for stand in its extra fields, in this order.
struct Wide {
  uint64_t bytes, packed, header;
};
void widen(const FilePlace& place, std::string_view extra, Wide& wide) {
  if (wide.bytes != kOpen32 && wide.packed != kOpen32 && wide.header != kOpen32) return;
  while (extra.size() >= 4) {
    Record field(extra);
    const uint16_t id = field.u16();
    size_t left = field.u16();
    if (left > extra.size() - 4) break;
    extra.remove_prefix(4 + left);
    if (id != 1) continue;
    for (uint64_t* number : {&wide.bytes, &wide.packed, &wide.header}) {
      if (*number != kOpen32 || left < 8) continue;
      *number = field.u64();
      left -= 8;
    }
    return;
  }
  place.fail("numbers beyond 32 bits need a zip64 field, got none");
}

ZipEntry read_central(const FilePlace& place, std::string_view& rest) {
  if (rest.size() < kCentralBytes || Record(rest).u32() != kCentral)
    place.fail("directory: expected an entry of at least 46 bytes, got " + std::to_string(rest.size()) +
               " bytes: " + quoted_bytes(rest.substr(0, 4)));
  Record record(rest.substr(8));
  const uint16_t flags = record.u16(), method = record.u16();
  ZipEntry entry;
  entry.checksum = record.skip(4).u32();
  const uint32_t packed = record.u32(), bytes = record.u32();
  const uint64_t name = record.u16(), extra = record.u16(), comment = record.u16();
  const uint32_t header = record.skip(8).u32();
  if (rest.size() - kCentralBytes < name + extra + comment)
    place.fail("directory: an entry of " + std::to_string(name + extra + comment) + " more bytes is cut short");
  entry.name = rest.substr(kCentralBytes, name);
  const FilePlace inside = place.inside(entry.name);
  if (flags & 1) inside.fail("it must not be encrypted");
  if (method != 0 && method != 8)
    inside.fail("the method must be 0 (stored) or 8 (deflate), got " + std::to_string(method));
  entry.deflated = method == 8;
  Wide wide{bytes, packed, header};
  widen(inside, rest.substr(kCentralBytes + name, extra), wide);
  entry.bytes = wide.bytes;
  entry.packed = wide.packed;
  entry.header = wide.header;
  rest.remove_prefix(kCentralBytes + name + extra + comment);
  return entry;
}

// Sets where the contents start.
void check_local(const InputFile& file, const Directory& directory, ZipEntry& entry) {
  const FilePlace place = file.place().inside(entry.name);
  const auto outside = [&] { place.fail("its bytes must lie before the directory (truncated or damaged?)"); };
  if (entry.header > directory.offset || directory.offset - entry.header < kLocalBytes) outside();
  const std::string bytes = bytes_at(file, entry.header, kLocalBytes, "entry");
  Record record(bytes);
  if (record.u32() != kLocal) place.fail("the directory leads to no entry at offset " + std::to_string(entry.header));
  const uint16_t flags = record.skip(2).u16(), method = record.u16();
  const uint32_t checksum = record.skip(4).u32();
  const uint32_t packed = record.u32(), whole = record.u32();
  const uint64_t name = record.u16(), extra = record.u16();
  const uint64_t room = directory.offset - entry.header - kLocalBytes;
  if (name + extra > room || entry.packed > room - name - extra) outside();
  const std::string behind = bytes_at(file, entry.header + kLocalBytes, name + extra, "entry");
  Wide wide{whole, packed, 0};
  widen(place, std::string_view(behind).substr(name), wide);
  const bool sizes_follow = flags & 8;
  const bool agree =
      sizes_follow || (checksum == entry.checksum && wide.packed == entry.packed && wide.bytes == entry.bytes);
  if (behind.substr(0, name) != entry.name || (method == 8) != entry.deflated || (method != 0 && method != 8) || !agree)
    place.fail("the directory and the entry must agree on name, method, sizes and checksum");
  if (!entry.deflated && entry.bytes != entry.packed)
    place.fail("a stored entry has as many bytes as it takes, got " + std::to_string(entry.bytes) + " and " +
               std::to_string(entry.packed));
  if (entry.deflated && entry.bytes / kMostPacked > entry.packed)
    place.fail(std::to_string(entry.packed) + " bytes cannot unpack to " + std::to_string(entry.bytes));
  entry.data = entry.header + kLocalBytes + name + extra;
}

void check_apart(const FilePlace& place, const std::vector<ZipEntry>& entries) {
  std::vector<const ZipEntry*> order;
  for (const ZipEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const ZipEntry* a, const ZipEntry* b) { return a->header < b->header; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->data + order[i - 1]->packed > order[i]->header)
      place.fail("entries must not overlap, got " + quoted_bytes(order[i - 1]->name) + " and " +
                 quoted_bytes(order[i]->name));
  }
}

}  // namespace

std::vector<ZipEntry> zip_entries(const InputFile& file) {
  const Directory directory = find_directory(file);
  if (directory.offset > directory.end || directory.bytes != directory.end - directory.offset)
    file.place().fail("the directory must end where its end record starts, got offset " +
                      std::to_string(directory.offset) + ", " + std::to_string(directory.bytes) + " bytes and end " +
                      std::to_string(directory.end) + " (truncated or damaged?)");
  if (directory.bytes > kLongestDirectory)
    file.place().fail("the directory must have at most " + std::to_string(kLongestDirectory) + " bytes, got " +
                      std::to_string(directory.bytes));
  const std::string bytes = bytes_at(file, directory.offset, directory.bytes, "directory");
  std::vector<ZipEntry> entries;
  for (std::string_view rest = bytes; !rest.empty();) entries.push_back(read_central(file.place(), rest));
  if (entries.size() != directory.entries)
    file.place().fail("the directory must have as many entries as its end says, got " + std::to_string(entries.size()) +
                      " and " + std::to_string(directory.entries));
  for (ZipEntry& entry : entries) check_local(file, directory, entry);
  check_apart(file.place(), entries);
  return entries;
}

}  // namespace tapegrad

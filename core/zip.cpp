// The contents of zip archives, in and out.
#include "tapegrad/core/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>

namespace tapegrad {
namespace {

constexpr uint64_t kMost16 = 0xfffe, kMost32 = 0xfffffffe;  // the next number says "see the zip64 record"

uint32_t checksum_of(uint32_t before, const void* data, size_t bytes) {
  if (bytes == 0) return before;  // for zlib a null pointer starts over
  return static_cast<uint32_t>(crc32_z(before, static_cast<const Bytef*>(data), bytes));
}

}  // namespace

struct ZipStream::Inflater {
  z_stream stream = {};
  std::vector<unsigned char> input = std::vector<unsigned char>(1 << 16);
  bool ended = false;
};

ZipStream::ZipStream(const InputFile& file, const ZipEntry& entry, const FilePlace& place)
    : file_(file), entry_(entry), place_(place) {
  if (!entry.deflated) return;
  inflater_ = std::make_unique<Inflater>();
  if (inflateInit2(&inflater_->stream, -MAX_WBITS) != Z_OK) place_.fail("zlib cannot start");
}

ZipStream::~ZipStream() {
  if (inflater_) inflateEnd(&inflater_->stream);
}

size_t ZipStream::read_stored(void* to, size_t bytes) {
  const size_t got = file_.read_some(entry_.data + taken_, to, std::min<uint64_t>(bytes, entry_.packed - taken_));
  taken_ += got;
  return got;
}

size_t ZipStream::read(void* to, size_t bytes) {
  errno = 0;
  size_t done = 0;
  if (!inflater_) {
    done = read_stored(to, bytes);
  } else {
    z_stream& z = inflater_->stream;
    while (done < bytes && !inflater_->ended) {
      if (z.avail_in == 0) {
        z.next_in = inflater_->input.data();
        z.avail_in = static_cast<uInt>(read_stored(z.next_in, inflater_->input.size()));
      }
      const auto room = static_cast<uInt>(std::min<size_t>(bytes - done, 1 << 30));
      z.next_out = static_cast<Bytef*>(to) + done;
      z.avail_out = room;
      const int code = inflate(&z, Z_NO_FLUSH);
      done += room - z.avail_out;
      inflater_->ended = code == Z_STREAM_END;
      if (code == Z_BUF_ERROR) break;  // no more input
      if (code != Z_OK && code != Z_STREAM_END)
        place_.fail(std::string("deflated data must be valid, got ") + (z.msg ? z.msg : "an error of zlib"));
    }
  }
  checksum_ = checksum_of(checksum_, to, done);
  return done;
}

void ZipStream::finish() {
  char more;
  const bool whole = read(&more, 1) == 0 && taken_ == entry_.packed &&
                     (!inflater_ || (inflater_->ended && inflater_->stream.avail_in == 0));
  if (!whole) place_.fail("its contents must end where the directory says");
  if (checksum_ != entry_.checksum) place_.fail("the checksum must fit the contents, and does not (damaged?)");
}

namespace {

// Numbers of a record, little-endian, one after the other.
struct Numbers {
  std::string bytes;
  Numbers& add(uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
    return *this;
  }
  Numbers& u16(uint64_t value) { return add(value, 2); }
  Numbers& u32(uint64_t value) { return add(value, 4); }
  Numbers& u64(uint64_t value) { return add(value, 8); }
};

uint64_t narrow(uint64_t value) { return std::min<uint64_t>(value, 0xffffffff); }

// What the header of an entry and the directory say alike, from the version that is needed to read it on: stored, on 1 January 1980,
// so that the same arrays give the same bytes.
std::string common(const ZipItem& item, uint32_t checksum, bool wide, size_t extra) {
  const uint64_t bytes = item.start.size() + item.bytes;
  const bool ascii = std::all_of(item.name.begin(), item.name.end(), [](char c) { return (c & 0x80) == 0; });
  Numbers n;
  n.u16(wide ? 45 : 20).u16(ascii ? 0 : 1 << 11).u16(0).u16(0).u16(1 << 5 | 1).u32(checksum);
  n.u32(narrow(bytes)).u32(narrow(bytes)).u16(item.name.size()).u16(extra);
  return n.bytes;
}

std::string zip64_field(std::initializer_list<uint64_t> numbers) {
  if (numbers.size() == 0) return "";
  Numbers n;
  n.u16(1).u16(8 * numbers.size());
  for (const uint64_t number : numbers) n.u64(number);
  return n.bytes;
}

struct Piece {
  std::string local, central;
};

Piece describe(const ZipItem& item, uint64_t offset) {
  const uint32_t checksum = checksum_of(checksum_of(0, item.start.data(), item.start.size()), item.data, item.bytes);
  const uint64_t bytes = item.start.size() + item.bytes;
  const bool large = bytes > kMost32, far = offset > kMost32;
  const std::string local = large ? zip64_field({bytes, bytes}) : "";
  const std::string central = large && far ? zip64_field({bytes, bytes, offset})
                              : large      ? local
                              : far        ? zip64_field({offset})
                                           : "";
  Piece piece;
  piece.local = Numbers().u32(0x04034b50).bytes + common(item, checksum, large, local.size()) + item.name + local;
  piece.central = Numbers().u32(0x02014b50).u16(45).bytes + common(item, checksum, large || far, central.size());
  piece.central += Numbers().u16(0).u16(0).u16(0).u32(0).u32(narrow(offset)).bytes + item.name + central;
  return piece;
}

std::string end_of(uint64_t entries, uint64_t bytes, uint64_t offset) {
  Numbers n;
  if (entries > kMost16 || bytes > kMost32 || offset > kMost32) {
    n.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(entries).u64(entries).u64(bytes).u64(offset);
    n.u32(0x07064b50).u32(0).u64(offset + bytes).u32(1);
  }
  const uint64_t count = std::min<uint64_t>(entries, 0xffff);
  n.u32(0x06054b50).u16(0).u16(0).u16(count).u16(count).u32(narrow(bytes)).u32(narrow(offset)).u16(0);
  return n.bytes;
}

}  // namespace

void write_zip(const char* op, const std::string& path, const std::vector<ZipItem>& items) {
  std::vector<std::string> locals;
  std::string directory;
  uint64_t offset = 0;
  for (const ZipItem& item : items) {
    Piece piece = describe(item, offset);
    offset += piece.local.size() + item.start.size() + item.bytes;
    locals.push_back(std::move(piece.local));
    directory += piece.central;
  }
  directory += end_of(items.size(), directory.size(), offset);
  OutputFile file(op, path, offset + directory.size());
  for (size_t i = 0; i < items.size(); ++i) {
    file.write(locals[i]);
    file.write(items[i].start);
    file.write(items[i].data, items[i].bytes);
  }
  file.write(directory);
  file.finish();
}

}  // namespace tapegrad

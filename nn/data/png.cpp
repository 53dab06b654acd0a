// PNG images: libpng, which leaves by longjmp, kept apart from what has destructors.
#include "tapegrad/nn/data/png.h"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <string_view>

#include "tapegrad/core/file.h"
#include "tapegrad/core/quote.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {
namespace {

// deflate packs at most 1032 bytes into one.
constexpr uint64_t kMostPacked = 1032;

// What libpng works on. It has no destructor, so that a jump may leave the functions that use it.
struct Decoding {
  png_structp png = nullptr;
  png_infop info = nullptr;
  png_bytepp rows = nullptr;
  const InputFile* file = nullptr;
  uint64_t at = 0;
  bool cut_short = false;
  char message[128] = "";
};

void leave(png_structp png, png_const_charp message) {
  auto* decoding = static_cast<Decoding*>(png_get_error_ptr(png));
  std::strncpy(decoding->message, message, sizeof decoding->message - 1);
  png_longjmp(png, 1);
}

void give(png_structp png, png_bytep to, size_t bytes) {
  auto* decoding = static_cast<Decoding*>(png_get_io_ptr(png));
  const size_t got = decoding->file->read_some(decoding->at, to, bytes);
  decoding->at += got;
  decoding->cut_short = got < bytes;
  if (got < bytes) png_error(png, "end of file");
}

void read_header(Decoding& d) {
  png_set_read_fn(d.png, &d, give);
  png_set_crc_action(d.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);  // a damaged transparency is no less damage
  png_read_info(d.png, d.info);
}

void ask_for_whole_samples(Decoding& d) {
  png_set_expand(d.png);
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
}

void read_rows(Decoding& d) {
  png_read_image(d.png, d.rows);
  png_read_end(d.png, nullptr);
}

// False where libpng gave up. Neither here nor in the steps is anything that a jump would leave undone.
bool done(Decoding& d, void (*step)(Decoding&)) {
  if (setjmp(png_jmpbuf(d.png)) != 0) return false;  // NOLINT(cert-err52-cpp)
  step(d);
  return true;
}

// What libpng makes for a file goes away whichever way reading ends.
struct Owned : Decoding {
  Owned() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<Decoding*>(this), leave,
                                 [](png_structp, png_const_charp) {});
    if (png) info = png_create_info_struct(png);
  }
  ~Owned() { png_destroy_read_struct(&png, &info, nullptr); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
};

void check_signature(const InputFile& file) {
  constexpr size_t kBytes = 8;
  unsigned char first[kBytes];
  const size_t got = file.read_some(0, first, kBytes);
  if (got == kBytes && png_sig_cmp(first, 0, kBytes) == 0) return;
  const std::string_view start(reinterpret_cast<const char*>(first), got);
  file.place().fail("expected a PNG image, got " +
                    (got == 0 ? std::string("an empty file") : "a file that starts with " + quoted_bytes(start)));
}

// The samples of an image, each of one byte or of two, the high one first.
struct Samples {
  const std::vector<unsigned char>& bytes;
  int64_t height, width, channels;
  bool wide;

  uint32_t operator()(int64_t pixel, int64_t channel) const {
    const auto i = static_cast<size_t>(pixel * channels + channel);
    return wide ? uint32_t{bytes[2 * i]} << 8 | bytes[2 * i + 1] : bytes[i];
  }
  uint32_t most() const { return wide ? 0xffff : 0xff; }
  bool has_alpha() const { return channels % 2 == 0; }
  bool has_colour() const { return channels > 2; }
  uint32_t gray(int64_t pixel) const {  // by ITU-R BT.601
    if (!has_colour()) return (*this)(pixel, 0);
    return (299 * (*this)(pixel, 0) + 587 * (*this)(pixel, 1) + 114 * (*this)(pixel, 2) + 500) / 1000;
  }
};

uint8_t stored(uint32_t sample, uint32_t most, uint8_t) {
  return static_cast<uint8_t>(most == 0xff ? sample : (sample * 255 + 32767) / 65535);
}
float stored(uint32_t sample, uint32_t most, float) { return static_cast<float>(sample) / static_cast<float>(most); }

// The channel of the output in plane order.
template <class T> void fill_plane(T* plane, const Samples& from, int64_t channel, int64_t channels) {
  const bool alpha = channels % 2 == 0 && channel == channels - 1;
  const bool gray = channels < 3;
  for (int64_t pixel = 0; pixel < from.height * from.width; ++pixel) {
    const uint32_t sample = alpha ? (from.has_alpha() ? from(pixel, from.channels - 1) : from.most())
                            : gray || !from.has_colour() ? from.gray(pixel)
                                                         : from(pixel, channel);
    plane[pixel] = stored(sample, from.most(), T());
  }
}

template <class T> Tensor planes(const Samples& from, int64_t channels, DType dtype) {
  const Tensor out = new_tensor({channels, from.height, from.width}, dtype);
  for (int64_t c = 0; c < channels; ++c)
    fill_plane(out.elements<T>() + c * from.height * from.width, from, c, channels);
  return out;
}

class PNGFile {
 public:
  PNGFile(const char* op, const std::string& path) : file_(op, path) {
    check_signature(file_);
    if (!decoding_.info) file_.place().fail("libpng must start, got nothing from it");
    decoding_.file = &file_;
    run(read_header);
    height_ = png_get_image_height(decoding_.png, decoding_.info);
    width_ = png_get_image_width(decoding_.png, decoding_.info);
  }
  Shape size() const { return {height_, width_}; }
  Tensor image(const PNGOptions& options) {
    check_bytes();
    run(ask_for_whole_samples);
    const size_t pitch = png_get_rowbytes(decoding_.png, decoding_.info);
    std::vector<unsigned char> bytes(pitch * static_cast<size_t>(height_));
    std::vector<png_bytep> rows;
    for (int64_t y = 0; y < height_; ++y) rows.push_back(bytes.data() + static_cast<size_t>(y) * pitch);
    decoding_.rows = rows.data();
    run(read_rows);
    const Samples samples{bytes, height_, width_, png_get_channels(decoding_.png, decoding_.info),
                          png_get_bit_depth(decoding_.png, decoding_.info) == 16};
    const int64_t channels = options.channels == 0 ? samples.channels : options.channels;
    return options.scale ? planes<float>(samples, channels, kFloat32) : planes<uint8_t>(samples, channels, kUInt8);
  }

 private:
  void run(void (*step)(Decoding&)) {
    if (done(decoding_, step)) return;
    if (decoding_.cut_short)
      file_.place().fail("expected a whole image, got an end after " + std::to_string(file_.size()) +
                         " bytes (truncated?)");
    file_.place().fail("expected a sound image, got \"" + std::string(decoding_.message) + "\" from libpng");
  }
  // Before memory is asked for: libpng believes the header.
  void check_bytes() const {
    const uint64_t bytes = png_get_rowbytes(decoding_.png, decoding_.info) * static_cast<uint64_t>(height_);
    if (bytes / kMostPacked > file_.size())
      file_.place().fail("expected " + std::to_string(bytes) + " bytes for an image of " + to_string(size()) +
                         ", got " + std::to_string(file_.size()) + " compressed");
  }

  InputFile file_;
  Owned decoding_;
  int64_t height_ = 0, width_ = 0;
};

}  // namespace

Tensor read_png(const std::string& path, const PNGOptions& options) {
  if (options.channels != 0) detail::check_channels("read_png", options.channels);
  return PNGFile("read_png", path).image(options);
}

Shape detail::png_size(const std::string& path) { return PNGFile("read_png", path).size(); }

void detail::check_channels(const char* op, int64_t channels) {
  if (channels < 1 || channels > 4)
    throw ValueError(std::string(op) + ": channels must be 1 (gray), 2 (and alpha), 3 (RGB) or 4 (and alpha), got " +
                     std::to_string(channels));
}

}  // namespace tapegrad::data

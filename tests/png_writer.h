// PNG files as the specification has them, written without libpng.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

struct PNGImage {
  unsigned width, height;
  int depth, colour;              // 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha
  std::vector<unsigned> samples;  // row by row, the channels of a pixel side by side
  std::string palette = "", transparency = "";
  bool interlaced = false;
};

inline std::string big_endian(uint32_t x) {
  return {static_cast<char>(x >> 24), static_cast<char>(x >> 16), static_cast<char>(x >> 8), static_cast<char>(x)};
}

inline std::string png_chunk(const std::string& type, const std::string& bytes) {
  const std::string both = type + bytes;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(both.data()), static_cast<uInt>(both.size()));
  return big_endian(static_cast<uint32_t>(bytes.size())) + both + big_endian(static_cast<uint32_t>(sum));
}

inline std::string deflated(const std::string& bytes) {
  std::string out(compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  return out.substr(0, size);
}

inline unsigned png_channels(const PNGImage& image) {
  return image.colour == 2 ? 3 : image.colour == 4 ? 2 : image.colour == 6 ? 4 : 1;
}

// Every step-th pixel from (left, top) on, as rows without a filter.
inline std::string png_rows(const PNGImage& image, unsigned left, unsigned top, unsigned step_x, unsigned step_y) {
  std::string out;
  for (unsigned y = top; y < image.height && left < image.width; y += step_y) {
    out += '\0';
    unsigned bits = 0, held = 0;
    for (unsigned x = left; x < image.width; x += step_x) {
      for (unsigned c = 0; c < png_channels(image); ++c) {
        const unsigned sample = image.samples[(y * image.width + x) * png_channels(image) + c];
        if (image.depth == 16) out += static_cast<char>(sample >> 8);
        if (image.depth >= 8) {
          out += static_cast<char>(sample);
          continue;
        }
        held = held << image.depth | sample;
        bits += static_cast<unsigned>(image.depth);
        if (bits < 8) continue;
        out += static_cast<char>(held);
        bits = held = 0;
      }
    }
    if (bits > 0) out += static_cast<char>(held << (8 - bits));
  }
  return out;
}

inline std::string png_header(const PNGImage& image) {
  return png_chunk("IHDR", big_endian(image.width) + big_endian(image.height) + static_cast<char>(image.depth) +
                               static_cast<char>(image.colour) + std::string(2, '\0') +
                               static_cast<char>(image.interlaced));
}

inline const std::string kPNGSignature = "\x89PNG\r\n\x1a\n";

inline std::string png_bytes(const PNGImage& image) {
  std::string rows;
  if (image.interlaced) {  // Adam7: left, top, step along x, step along y
    constexpr unsigned kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                        {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    for (const auto& pass : kPasses) rows += png_rows(image, pass[0], pass[1], pass[2], pass[3]);
  } else {
    rows = png_rows(image, 0, 0, 1, 1);
  }
  return kPNGSignature + png_header(image) + (image.palette.empty() ? "" : png_chunk("PLTE", image.palette)) +
         (image.transparency.empty() ? "" : png_chunk("tRNS", image.transparency)) + png_chunk("IDAT", deflated(rows)) +
         png_chunk("IEND", "");
}

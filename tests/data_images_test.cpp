// PNG images of every form, damaged ones, and folders of them.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "folder.h"
#include "message.h"
#include "png_writer.h"

using namespace tapegrad;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

// Samples that differ from each other, over the whole range of their depth.
std::vector<unsigned> samples(unsigned count, int depth, unsigned limit = 0) {
  const unsigned range = limit ? limit : 1u << depth;
  std::vector<unsigned> out;
  for (unsigned i = 0; i < count; ++i) out.push_back(i * 2654435761u % 4294967291u % range);
  out[0] = range - 1;
  out[1] = 0;
  return out;
}

PNGImage image(int colour, int depth, unsigned width = 5, unsigned height = 3) {
  PNGImage out{width, height, depth, colour, {}};
  if (colour == 3) {
    const unsigned colours = std::min(1u << depth, 11u);
    for (unsigned i = 0; i < 3 * colours; ++i) out.palette += static_cast<char>(i * 37 + 5);
    out.samples = samples(width * height, depth, colours);
  } else {
    out.samples = samples(width * height * png_channels(out), depth);
  }
  return out;
}

uint8_t byte(char c) { return static_cast<uint8_t>(c); }

// A pixel as red, green, blue and alpha in [0, 1], by the specification; and the largest value its samples have when read.
struct Pixel {
  double colour[4];
  double most;
};
Pixel pixel_of(const PNGImage& image, size_t i) {
  const unsigned n = png_channels(image);
  const unsigned* at = image.samples.data() + i * n;
  if (image.colour == 3) {
    const unsigned alpha = *at < image.transparency.size() ? byte(image.transparency[*at]) : 255u;
    const auto part = [&](unsigned c) { return byte(image.palette[3 * *at + c]) / 255.0; };
    return {{part(0), part(1), part(2), alpha / 255.0}, 255};
  }
  const double range = std::pow(2, image.depth) - 1;
  const bool gray = n < 3;
  Pixel out{{at[0] / range, at[gray ? 0 : 1] / range, at[gray ? 0 : 2] / range, n % 2 ? 1 : at[n - 1] / range},
            image.depth == 16 ? 65535.0 : 255.0};
  if (!image.transparency.empty()) {  // one value that is clear
    bool clear = true;
    for (unsigned c = 0; c < n; ++c)
      clear = clear && at[c] == byte(image.transparency[2 * c]) * 256u + byte(image.transparency[2 * c + 1]);
    out.colour[3] = clear ? 0 : 1;
  }
  return out;
}

// What read_png must give, [channels, height, width] in [0, 1].
Tensor expected(const PNGImage& image, int64_t channels) {
  const size_t count = image.width * image.height;
  const Tensor out = empty({channels, image.height, image.width}, kFloat64);
  for (size_t i = 0; i < count; ++i) {
    const Pixel pixel = pixel_of(image, i);
    const double* p = pixel.colour;
    // A gray of colours is rounded to the depth it is read in.
    const double mixed = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    const double gray = p[0] == p[1] && p[1] == p[2] ? p[0] : std::round(mixed * pixel.most + 1e-9) / pixel.most;
    for (int64_t c = 0; c < channels; ++c) {
      const bool alpha = channels % 2 == 0 && c == channels - 1;
      out.data_ptr<double>()[c * static_cast<int64_t>(count) + static_cast<int64_t>(i)] = alpha          ? p[3]
                                                                                          : channels < 3 ? gray
                                                                                                         : p[c];
    }
  }
  return out;
}

int64_t own_channels(const PNGImage& image) {
  return (image.colour == 0 || image.colour == 4 ? 1 : 3) + (image.colour > 3 || !image.transparency.empty());
}

void check_reading(const Folder& folder, const PNGImage& image) {
  INFO("colour type " << image.colour << ", " << image.depth << " bits, interlaced " << image.interlaced
                      << ", transparency " << image.transparency.size());
  const std::string path = folder.write("image.png", png_bytes(image));
  CHECK(data::read_png(path).size(0) == own_channels(image));
  for (int64_t channels = 0; channels <= 4; ++channels) {
    const Tensor wanted = expected(image, channels ? channels : own_channels(image));
    const Tensor scaled = data::read_png(path, {.channels = channels});
    CHECK(scaled.dtype() == kFloat32);
    CHECK(equal(scaled, wanted.to(kFloat32)));
    const Tensor bytes = data::read_png(path, {.channels = channels, .scale = false});
    CHECK(bytes.dtype() == kUInt8);
    CHECK(equal(bytes.to(kFloat64), (wanted * 255).round()));
  }
}

std::string error_of(const std::string& path) {
  return message_of<IOError>([&] { data::read_png(path); });
}

// How many files this process has open.
int64_t open_files() { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); }

}  // namespace

TEST_CASE("PNG images of every colour type and depth are read", "[data]") {
  const Folder folder;
  const std::vector<std::pair<int, std::vector<int>>> forms{
      {0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}};
  for (const auto& [colour, depths] : forms) {
    for (const int depth : depths) {
      PNGImage one = image(colour, depth);
      check_reading(folder, one);
      one.interlaced = true;
      check_reading(folder, one);
    }
  }
  PNGImage palette = image(3, 4);
  palette.transparency = std::string("\x00\x80\x40", 3);
  check_reading(folder, palette);
  PNGImage gray = image(0, 8);
  gray.transparency = std::string(1, '\0') + static_cast<char>(gray.samples[3]);
  check_reading(folder, gray);
  PNGImage colours = image(2, 8);
  for (const unsigned c : {3u, 4u, 5u})
    colours.transparency += std::string(1, '\0') + static_cast<char>(colours.samples[c]);
  check_reading(folder, colours);
  check_reading(folder, image(2, 8, 1, 70));
  // Two steps of sixteen bits that eight would not tell apart.
  const std::string path = folder.write("deep.png", png_bytes({2, 1, 16, 0, {40000, 40001}}));
  CHECK(equal(data::read_png(path), tensor({40000 / 65535.0f, 40001 / 65535.0f}).view({1, 1, 2})));
}

TEST_CASE("a damaged PNG file is an error that names it", "[data]") {
  const Folder folder;
  for (const bool interlaced : {false, true}) {
    PNGImage one = image(3, 4);
    one.transparency = "\x7f";
    one.interlaced = interlaced;
    const std::string whole = png_bytes(one);
    const int64_t files = open_files(), bytes = allocator_stats().allocated_bytes;
    for (size_t kept = 0; kept < whole.size(); ++kept) {
      INFO(kept << " of " << whole.size() << " bytes");
      const std::string message = error_of(folder.write("cut.png", whole.substr(0, kept)));
      CHECK_THAT(message, Contains("read_png: \"") && Contains("cut.png\": expected"));
      if (kept >= 8) CHECK_THAT(message, Contains("an end after " + std::to_string(kept) + " bytes (truncated?)"));
    }
    for (size_t i = 0; i < whole.size(); ++i) {
      INFO("byte " << i);
      std::string wrong = whole;
      wrong[i] = static_cast<char>(wrong[i] ^ (1 << i % 8));
      CHECK_THAT(error_of(folder.write("wrong.png", wrong)), Contains("wrong.png\": expected"));
    }
    CHECK(open_files() == files);
    CHECK(allocator_stats().allocated_bytes == bytes);
  }
  // Sums that are right about data that is not.
  PNGImage one = image(0, 8);
  one.samples.resize(5);  // a row of three
  one.height = 1;
  std::string text = png_bytes(one);
  one.height = 3;
  text.replace(8, png_header(one).size(), png_header(one));
  CHECK_THAT(error_of(folder.write("short.png", text)), Contains("expected a sound image, got \""));
}

TEST_CASE("what is no PNG image, or claims to be a huge one, is refused", "[data]") {
  const Folder folder;
  CHECK_THAT(error_of(folder.write("empty.png", "")), Contains("empty.png\": expected a PNG image, got an empty file"));
  CHECK_THAT(error_of(folder.write("photo.png", "\xff\xd8\xff\xe0 JFIF")),
             Contains("starts with \"\\xff\\xd8\\xff\\xe0 JFI\""));
  CHECK_THAT(error_of(folder / "none.png"), Contains("none.png\": cannot open: No such file"));
  CHECK_THAT(error_of(folder.path()), Contains("a file is needed, got a directory"));
  PNGImage huge = image(2, 8);
  huge.width = huge.height = 900000;
  const std::string head = png_chunk("IDAT", std::string(20, 'x')) + png_chunk("IEND", "");
  CHECK_THAT(error_of(folder.write("huge.png", kPNGSignature + png_header(huge) + head)),
             Contains("huge.png\": expected 2430000000000 bytes for an image of [900000, 900000], got 77 compressed"));
  const std::string path = folder.write("ok.png", png_bytes(image(0, 8)));
  CHECK(message_of<ValueError>([&] { data::read_png(path, {.channels = 5}); }) ==
        "read_png: channels must be 1 (gray), 2 (and alpha), 3 (RGB) or 4 (and alpha), got 5");
}

TEST_CASE("an image folder has a class for each folder", "[data]") {
  const Folder folder;
  for (const char* name : {"dog", "cat", "cat/indoors", ".thumbnails", "ant"}) fs::create_directory(folder / name);
  const PNGImage one = image(2, 8, 4, 4);
  for (const char* name : {"dog/b.png", "dog/a.PNG", "cat/c.png", "cat/indoors/a.png", "ant/z.png"}) {
    PNGImage own = one;
    own.samples[0] = byte(name[4]);
    folder.write(name, png_bytes(own));
  }
  for (const char* name : {"readme.txt", "top.png", "dog/.b.png", "dog/notes", "cat/c.png.txt"})
    folder.write(name, "?");

  const data::ImageFolder set(folder.path() + "/");
  CHECK(set.classes() == Names{"ant", "cat", "dog"});
  CHECK(set.size() == 5);
  Names paths;
  for (const auto& sample : set.samples()) paths.push_back(sample.path.substr(folder.path().size() + 1));
  CHECK(paths == Names{"ant/z.png", "cat/c.png", "cat/indoors/a.png", "dog/a.PNG", "dog/b.png"});
  CHECK(equal(set.targets(), tensor({0, 1, 1, 2, 2})));
  const auto [x, y] = set.get(4);
  CHECK(x.sizes().vec() == std::vector<int64_t>{3, 4, 4});
  CHECK(x[0][0][0].item<float>() == static_cast<float>('b') / 255);
  CHECK(y.item<int64_t>() == 2);
  CHECK(y.dim() == 0);
  CHECK_THROWS_AS(set.get(5), IndexError);

  const auto gray = data::ImageFolder(folder.path(), {.channels = 1, .scale = false});
  CHECK(equal(gray.get(1).data, data::read_png(folder / "cat/c.png", {.channels = 1, .scale = false})));

  data::DataLoader plain(set, {.batch_size = 2}), ahead(set, {.batch_size = 2, .workers = 2});
  auto it = ahead.begin();
  for (auto& [images, labels] : plain) {
    CHECK(equal(it->data, images));
    CHECK(equal(it->target, labels));
    ++it;
  }
  CHECK(it == ahead.end());
}

TEST_CASE("an image folder that does not fit says what is wrong with which file", "[data]") {
  const Folder folder;
  const auto refused = [&](const data::ImageFolderOptions& options = {}) {
    return message_of<IOError>([&] { data::ImageFolder(folder.path(), options); });
  };
  CHECK_THAT(message_of<IOError>([&] { data::ImageFolder(folder / "none"); }),
             Contains("none\"") && Contains("No such file"));
  CHECK_THAT(refused(), Contains("expected a folder for each class, got none"));
  fs::create_directory(folder / "a");
  fs::create_directory(folder / "b");
  folder.write("a/1.png", png_bytes(image(2, 8, 6, 4)));
  CHECK_THAT(refused(), Contains("/b\": a class must have at least one image (.png), got none"));
  folder.write("b/1.jpeg", "x");
  CHECK_THAT(refused(), Contains("/b/1.jpeg\": images must be PNG files, got .jpeg"));
  fs::remove(folder / "b/1.jpeg");

  folder.write("b/2.png", png_bytes(image(0, 8, 3, 4)));
  CHECK_THAT(refused(), Contains("/b/2.png\": every image must have the size of the first, \"") &&
                            Contains("/a/1.png\", [4, 6], got [4, 3]"));
  CHECK_THAT(message_of<ValueError>([&] { data::ImageFolder(folder.path(), {.channels = 0}); }), Contains("got 0"));
  // Those of any size are what a crop can be taken from.
  data::DataLoader loader(
      data::ImageFolder(folder.path(), {.any_size = true}).map(data::transforms::RandomCrop<>({4, 3})),
      {.batch_size = 2, .workers = 1});
  for (auto& [x, y] : loader) CHECK(x.sizes().vec() == std::vector<int64_t>{2, 3, 4, 3});
  data::DataLoader uneven(data::ImageFolder(folder.path(), {.any_size = true}), {.batch_size = 2});
  CHECK_THROWS_AS(uneven.begin(), ShapeError);

  // A damaged file is found at once where its header is, else when it is read; in a worker too.
  std::string bytes = png_bytes(image(0, 8, 6, 4));
  folder.write("b/2.png", bytes.substr(0, 20));
  CHECK_THAT(refused(), Contains("/b/2.png\": expected a whole image, got an end after 20 bytes"));
  folder.write("b/2.png", bytes.substr(0, bytes.size() - 20));
  data::DataLoader damaged(data::ImageFolder(folder.path()), {.workers = 1});
  auto it = damaged.begin();
  CHECK_THAT(message_of<IOError>([&] { ++it; }), Contains("/b/2.png\": expected a whole image"));
  // Or one that was changed behind our back.
  folder.write("b/2.png", bytes);
  const data::ImageFolder set(folder.path());
  folder.write("b/2.png", png_bytes(image(2, 8, 6, 5)));
  CHECK_THAT(message_of<IOError>([&] { set.get(1); }), Contains("[4, 6], got [5, 6]"));
}

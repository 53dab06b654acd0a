// Convolutions with many channels: images are laid out with the channels of a position side by side, a few at a time, in the cache.
#include "tapegrad/ops/kernels/conv_parts.h"

namespace tapegrad::kernels {
namespace {

using simd::ConvRun;

constexpr int64_t kDepth = 288;      // terms at a stretch: a panel of so many weights stays in the first-level cache
constexpr int64_t kPositions = 512;  // of a tile of y, which stays in the second

template <class T> const simd::ConvKernels<T>& kernels() { return simd::floating<T>(simd::table()).conv; }

// The channels of one group of an image: position (d, h, w) of a frame of this size, which x fills from `before` on.
struct Frame {
  Dims3 x, before, size;
  int64_t channels;
  int64_t elements() const { return product(size) * channels; }
  int64_t at(int64_t d, int64_t h, int64_t w) const { return ((d * size[1] + h) * size[2] + w) * channels; }
};

// Some channels at a time, each of which is read from its first element to its last: a memory of many streams would be slow.
template <class T> void fill_frame(const Frame& f, const T* x, T* to) {
  constexpr int64_t kStreams = 16;
  const Dims3 last = {std::min(f.x[0], f.size[0] - f.before[0]), std::min(f.x[1], f.size[1] - f.before[1]),
                      std::clamp<int64_t>(f.size[2] - f.before[2], 0, f.x[2])};
  const auto zero = [&](int64_t position, int64_t positions) {
    std::fill_n(to + position * f.channels, positions * f.channels, T{0});
  };
  for (int64_t d = 0; d < f.size[0]; ++d)
    for (int64_t h = 0; h < f.size[1]; ++h) {
      const int64_t row = (d * f.size[1] + h) * f.size[2], i = d - f.before[0], j = h - f.before[1];
      const bool outside = i < 0 || i >= f.x[0] || j < 0 || j >= f.x[1];
      const int64_t left = outside ? f.size[2] : std::min(f.before[2], f.size[2]);
      zero(row, left);
      if (!outside) zero(row + left + last[2], f.size[2] - left - last[2]);
    }
  for (int64_t c = 0; c < f.channels; c += kStreams)
    for (int64_t i = 0; i < last[0]; ++i)
      for (int64_t j = 0; j < last[1]; ++j)
        kernels<T>().transpose(x + c * product(f.x) + (i * f.x[1] + j) * f.x[2], product(f.x),
                               std::min(kStreams, f.channels - c), last[2],
                               to + f.at(i + f.before[0], j + f.before[1], f.before[2]) + c, f.channels);
}

// w, [group][out][in][taps], as [group][taps][out][in].
template <class T> void taps_first(const ConvShape& s, const T* w, T* to) {
  const int64_t taps = s.taps();
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t o = 0; o < s.out; ++o)
      kernels<T>().transpose(w + (g * s.out + o) * s.in * taps, taps, s.in, taps, to + (g * taps * s.out + o) * s.in,
                             s.out * s.in);
}

// Runs of terms, none longer than kDepth.
struct Runs {
  explicit Runs(int64_t most) : all(most) {}
  void add(int64_t offset, int64_t length) {
    const int64_t pieces = (length + kDepth - 1) / kDepth;
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t from = length * i / pieces, to = length * (i + 1) / pieces;
      all[count++] = {offset + from, to - from};
    }
  }
  Scratch<ConvRun> all;
  int64_t count = 0;
};
int64_t most_runs(const ConvShape& s, int64_t channels) {
  return s.kernel[0] * s.kernel[1] * (s.kernel[2] + (s.kernel[2] * channels + kDepth - 1) / kDepth) +
         s.taps() * (channels / kDepth + 1);
}

// What is convolved with what: the positions of one class of places in the result, which are all of them in a forward convolution.
template <class T> struct Pass {
  int64_t origin;  // of position (0, 0, 0), in a frame
  Dims3 count;     // of positions
  int64_t depth_step, row_step, step;
  const ConvRun* runs;
  int64_t run_count, terms;
  const T* packed;   // [panel][terms][panel's channels]
  const T* bias;     // padded to whole panels, or null
  int64_t channels;  // of the result
  T* to;  // where position (0, 0, 0) of image 0 goes; a channel, an image, a depth, a row, a position further:
  int64_t to_channel, to_image, to_depth, to_row, to_step;
};

template <class T> void write_back(const Pass<T>& p, const T* tile, int64_t rows, int64_t width, int64_t cols, T* to) {
  const int64_t panel = kernels<T>().panel;
  if (p.to_step == 1 && p.to_row == width)
    return kernels<T>().transpose(tile, panel, rows * width, cols, to, p.to_channel);
  for (int64_t r = 0; r < rows; ++r, tile += width * panel, to += p.to_row) {
    if (p.to_step == 1) {
      kernels<T>().transpose(tile, panel, width, cols, to, p.to_channel);
      continue;
    }
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t q = 0; q < width; ++q) to[c * p.to_channel + q * p.to_step] = tile[q * panel + c];
  }
}

// Slices (one depth of one image each) first .. last, rows from .. until of each, for every panel of channels.
template <class T>
void run_slices(const Pass<T>& p, const T* frames, int64_t image_step, int64_t first, int64_t last, int64_t from,
                int64_t until) {
  const int64_t panel = kernels<T>().panel, rows = until - from, positions = rows * p.count[2];
  const Scratch<T> tile((last - first) * positions * panel);
  const bool joined = p.to_step == 1 && p.to_row == p.count[2];
  for (int64_t c = 0; c < p.channels; c += panel) {
    const T* b = p.packed + c * p.terms;
    for (int64_t run = 0; run == 0 || run < p.run_count;) {
      int64_t end = run, depth = 0;
      while (end < p.run_count && depth + p.runs[end].length <= kDepth) depth += p.runs[end++].length;
      for (int64_t s = first; s < last; ++s) {
        const int64_t image = s / p.count[0], d = s % p.count[0];
        simd::ConvPanel<T> g{};
        g.rows = rows, g.width = p.count[2], g.row_step = p.row_step, g.step = p.step;
        g.channels = std::min(panel, p.channels - c);
        g.a = frames + image * image_step + p.origin + d * p.depth_step + from * p.row_step;
        g.runs = p.runs + run, g.count = end - run;
        g.b = b;
        g.c = tile.data() + (s - first) * positions * panel;
        g.bias = p.bias ? p.bias + c : nullptr;
        g.first = run == 0;
        if (end == p.run_count && joined) {
          g.soon = p.to + c * p.to_channel + image * p.to_image + d * p.to_depth + from * p.to_row;
          g.soon_ld = p.to_channel;
        }
        kernels<T>().channels(g);
      }
      b += depth * panel;
      run = end;
      if (p.run_count == 0) break;
    }
    for (int64_t s = first; s < last; ++s)
      write_back(p, tile.data() + (s - first) * positions * panel, rows, p.count[2], std::min(panel, p.channels - c),
                 p.to + c * p.to_channel + s / p.count[0] * p.to_image + s % p.count[0] * p.to_depth + from * p.to_row);
  }
}

// All positions of some images, in pieces that are cut by the problem alone.
template <class T> void run_pass(const Pass<T>& p, const T* frames, int64_t image_step, int64_t images) {
  const int64_t slices = images * p.count[0], positions = p.count[1] * p.count[2];
  if (positions == 0 || slices == 0) return;
  const int64_t together = std::max<int64_t>(1, kPositions / positions);
  const int64_t pieces = positions > kPositions ? (positions + kPositions - 1) / kPositions : 1;
  const int64_t rows = (p.count[1] + pieces - 1) / pieces, cuts = (p.count[1] + rows - 1) / rows;
  const int64_t units = (slices + together - 1) / together * cuts;
  const int64_t work = together * rows * p.count[2] * p.channels * p.terms;
  parallel_for(
      0, units, std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work)), [&](int64_t first, int64_t last) {
        for (int64_t u = first; u < last; ++u) {
          const int64_t s = u / cuts * together, r = u % cuts * rows;
          run_slices(p, frames, image_step, s, std::min(s + together, slices), r, std::min(r + rows, p.count[1]));
        }
      });
}

// run(frames, first image, images) over groups of images that fill a tile, laid out in frames [image][group].
template <class T, class Run>
void for_frames(const ConvShape& s, const Frame& f, const T* x, int64_t positions, const Run& run) {
  const int64_t together = std::clamp<int64_t>(kPositions / std::max<int64_t>(1, positions), 1, s.batch);
  const int64_t blocks = (s.batch + together - 1) / together, channels = s.groups * f.channels;
  const auto block = [&](int64_t i) {
    const int64_t first = i * together, images = std::min(together, s.batch - first);
    const Scratch<T> frames(images * s.groups * f.elements());
    const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(1, f.elements()));
    parallel_for(0, images * s.groups, grain, [&](int64_t from, int64_t to) {
      for (int64_t g = from; g < to; ++g)
        fill_frame(f, x + (first * channels + g * f.channels) * product(f.x), frames.data() + g * f.elements());
    });
    run(frames.data(), first, images);
  };
  if (blocks < 4 && blocks < detail::share_of_threads()) {
    for (int64_t i = 0; i < blocks; ++i) block(i);
    return;
  }
  const int64_t grain = (images_grain(s) + together - 1) / together;
  parallel_for(0, blocks, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) block(i);
  });
}

// bias, padded to whole panels for each group.
template <class T> void pad_bias(const T* bias, int64_t groups, int64_t channels, int64_t width, T* to) {
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t c = 0; c < width; ++c) to[g * width + c] = c < channels ? bias[g * channels + c] : T{0};
}

int64_t whole_panels(int64_t channels, int64_t panel) { return (channels + panel - 1) / panel * panel; }

Frame frame_of_x(const ConvShape& s) {
  Frame f{s.x, s.padding, {}, s.in};
  for (size_t i = 0; i < 3; ++i) f.size[i] = s.stride[i] * (s.y[i] - 1) + s.dilation[i] * (s.kernel[i] - 1) + 1;
  return f;
}

// The terms of a position of y: taps in order, for each the channels; taps next to each other are one run.
void runs_in_x(const ConvShape& s, const Frame& f, Runs& runs) {
  for (int64_t d = 0; d < s.kernel[0]; ++d)
    for (int64_t h = 0; h < s.kernel[1]; ++h) {
      const auto place = [&](int64_t w) { return f.at(d * s.dilation[0], h * s.dilation[1], w * s.dilation[2]); };
      if (s.dilation[2] == 1) runs.add(place(0), s.kernel[2] * s.in);
      else
        for (int64_t w = 0; w < s.kernel[2]; ++w) runs.add(place(w), s.in);
    }
}

}  // namespace

template <class T> void conv_by_channels(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  const Frame f = frame_of_x(s);
  const int64_t panel = kernels<T>().panel, width = whole_panels(s.out, panel), terms = s.terms(), taps = s.taps();
  const Scratch<T> turned(s.groups * s.out * terms), packed(s.groups * width * terms),
      padded(bias ? s.groups * width : 0);
  taps_first(s, w, turned.data());
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t c = 0; c < s.out; c += panel)
      for (int64_t t = 0; t < taps; ++t)
        kernels<T>().pack(turned.data() + ((g * taps + t) * s.out + c) * s.in, s.in, std::min(panel, s.out - c), s.in,
                          packed.data() + (g * width + c) * terms + t * s.in * panel);
  if (bias) pad_bias(bias, s.groups, s.out, width, padded.data());
  Runs runs(most_runs(s, s.in));
  runs_in_x(s, f, runs);
  for_frames(s, f, x, product(s.y), [&](const T* frames, int64_t first, int64_t images) {
    for (int64_t g = 0; g < s.groups; ++g) {
      Pass<T> p{};
      p.origin = 0, p.count = s.y;
      p.depth_step = s.stride[0] * f.at(1, 0, 0), p.row_step = s.stride[1] * f.at(0, 1, 0), p.step = s.stride[2] * s.in;
      p.runs = runs.all.data(), p.run_count = runs.count, p.terms = terms;
      p.packed = packed.data() + g * width * terms;
      p.bias = bias ? padded.data() + g * width : nullptr;
      p.channels = s.out;
      p.to_channel = product(s.y), p.to_image = s.groups * s.out * p.to_channel, p.to_depth = s.y[1] * s.y[2];
      p.to_row = s.y[2], p.to_step = 1;
      p.to = y + first * p.to_image + g * s.out * p.to_channel;
      run_pass(p, frames + g * f.elements(), s.groups * f.elements(), images);
    }
  });
}

// ---- dx from dy ----

namespace {

Frame frame_of_y(const ConvShape& s) {
  Frame f{s.y, {0, 0, 0}, {}, s.out};
  for (size_t i = 0; i < 3; ++i) {
    const Reach reach = reach_around_y(s, i);
    f.before[i] = reach.before, f.size[i] = reach.before + reach.end;
  }
  return f;
}

// f(tap of the kernel, where it finds y): along the last dim from the last tap on, so that what neighbours in y comes in order.
template <class F> void for_taps(const ConvShape& s, const Frame& f, const Class& c, const F& use) {
  const auto tap = [&](size_t dim, int64_t i) { return c.e[dim].first_tap + i * c.e[dim].tap_step; };
  const auto place = [&](size_t dim, int64_t i) {
    return c.e[dim].first - c.e[dim].first_y - i * c.e[dim].y_step + f.before[dim];
  };
  for (int64_t d = 0; d < c.e[0].taps; ++d)
    for (int64_t h = 0; h < c.e[1].taps; ++h)
      for (int64_t w = c.e[2].taps - 1; w >= 0; --w)
        use((tap(0, d) * s.kernel[1] + tap(1, h)) * s.kernel[2] + tap(2, w),
            f.at(place(0, d), place(1, h), place(2, w)));
}

}  // namespace

template <class T> void conv_transpose_by_channels(const ConvShape& s, const T* y, const T* w, const T* bias, T* x) {
  const Frame f = frame_of_y(s);
  const int64_t panel = kernels<T>().panel, width = whole_panels(s.in, panel), taps = s.taps();
  const Scratch<T> turned(s.groups * s.out * s.terms()), packed(s.groups * width * s.out * taps),
      padded(bias ? s.groups * width : 0);
  taps_first(s, w, turned.data());
  if (bias) pad_bias(bias, s.groups, s.in, width, padded.data());
  // Of class after class, group by group, panel by panel: rows of w for each tap and channel of y.
  T* to = packed.data();
  for_classes(s, [&](const Class& c) {
    for (int64_t g = 0; g < s.groups; ++g)
      for (int64_t i = 0; i < s.in; i += panel)
        for_taps(s, f, c, [&](int64_t tap, int64_t) {
          const int64_t cols = std::min(panel, s.in - i);
          const T* from = turned.data() + (g * taps + tap) * s.out * s.in + i;
          for (int64_t o = 0; o < s.out; ++o, to += panel, from += s.in) {
            std::copy_n(from, cols, to);
            std::fill_n(to + cols, panel - cols, T{0});
          }
        });
  });
  for_frames(s, f, y, product(s.x), [&](const T* frames, int64_t first, int64_t images) {
    const T* weights = packed.data();
    for_classes(s, [&](const Class& c) {
      const int64_t terms = s.out * c.taps();
      Runs runs(most_runs(s, s.out));
      const bool joined = c.e[2].taps > 1 && c.e[2].y_step == 1;
      int64_t w_tap = 0;
      for_taps(s, f, c, [&](int64_t, int64_t place) {
        if (!joined) runs.add(place, s.out);
        else if (w_tap++ % c.e[2].taps == 0) runs.add(place, c.e[2].taps * s.out);
      });
      for (int64_t g = 0; g < s.groups; ++g, weights += width * terms) {
        Pass<T> p{};
        p.origin = 0, p.count = c.count();
        p.depth_step = f.at(1, 0, 0), p.row_step = f.at(0, 1, 0), p.step = s.out;
        p.runs = runs.all.data(), p.run_count = runs.count, p.terms = terms;
        p.packed = weights;
        p.bias = bias ? padded.data() + g * width : nullptr;
        p.channels = s.in;
        p.to_channel = product(s.x), p.to_image = s.groups * s.in * p.to_channel;
        p.to_depth = s.stride[0] * s.x[1] * s.x[2], p.to_row = s.stride[1] * s.x[2], p.to_step = s.stride[2];
        p.to = x + first * p.to_image + g * s.in * p.to_channel + c.place(s);
        run_pass(p, frames + g * f.elements(), s.groups * f.elements(), images);
      }
    });
  });
}

// ---- dw from x and dy ----

template <class T> void conv_weight_by_channels(const ConvShape& s, const T* x, const T* dy, T* dw) {
  const Frame f = frame_of_x(s);
  const int64_t terms = s.terms(), taps = s.taps(), size = product(s.y);
  constexpr int64_t kStrip = 12;
  const Scratch<T> sums(s.groups * s.out * terms);
  std::fill_n(sums.data(), s.groups * s.out * terms, T{0});
  const int64_t together = std::clamp<int64_t>(kPositions / std::max<int64_t>(1, size), 1, s.batch);
  const Scratch<T> frames(together * s.groups * f.elements());
  const int64_t strips = (s.out + kStrip - 1) / kStrip, rows = s.kernel[0] * s.kernel[1];
  for (int64_t n = 0; n < s.batch; n += together) {
    const int64_t images = std::min(together, s.batch - n);
    const int64_t fill_grain = std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(1, f.elements()));
    parallel_for(0, images * s.groups, fill_grain, [&](int64_t from, int64_t to) {
      for (int64_t g = from; g < to; ++g)
        fill_frame(f, x + (n * s.groups + g) * s.in * product(s.x), frames.data() + g * f.elements());
    });
    const auto unit = [&](int64_t u) {
      const int64_t g = u / (strips * rows), strip = u / rows % strips * kStrip, h = u % s.kernel[1],
                    d = u % rows / s.kernel[1];
      for (int64_t image = 0; image < images; ++image)
        for (int64_t depth = 0; depth < s.y[0]; ++depth) {
          simd::ConvWeightPanel<T> p{};
          p.m = std::min(kStrip, s.out - strip);
          p.rows = s.y[1], p.width = s.y[2];
          p.dy = dy + (((n + image) * s.groups + g) * s.out + strip) * size + depth * s.y[1] * s.y[2], p.ldy = size,
          p.dy_row = s.y[2];
          p.row_step = s.stride[1] * f.at(0, 1, 0), p.step = s.stride[2] * s.in;
          p.lddw = terms;
          const bool joined = s.dilation[2] == 1;
          p.lanes = joined ? s.kernel[2] * s.in : s.in;
          for (int64_t w = 0; w < (joined ? 1 : s.kernel[2]); ++w) {
            p.x = frames.data() + (image * s.groups + g) * f.elements() +
                  f.at(depth * s.stride[0] + d * s.dilation[0], h * s.dilation[1], w * s.dilation[2]);
            p.dw = sums.data() + (g * s.out + strip) * terms + ((d * s.kernel[1] + h) * s.kernel[2] + w) * s.in;
            kernels<T>().channels_weight(p);
          }
        }
    };
    const int64_t work = images * size * kStrip * s.kernel[2] * s.in;
    parallel_for(0, s.groups * strips * rows, std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work)),
                 [&](int64_t first, int64_t last) {
                   for (int64_t u = first; u < last; ++u) unit(u);
                 });
  }
  for (int64_t o = 0; o < s.groups * s.out; ++o) {
    const T* from = sums.data() + o * terms;
    T* to = dw + o * terms;
    for (int64_t i = 0; i < s.in; ++i)
      for (int64_t t = 0; t < taps; ++t) to[i * taps + t] += from[t * s.in + i];
  }
}

template void conv_by_channels(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_by_channels(const ConvShape&, const double*, const double*, const double*, double*);
template void conv_transpose_by_channels(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_transpose_by_channels(const ConvShape&, const double*, const double*, const double*, double*);
template void conv_weight_by_channels(const ConvShape&, const float*, const float*, float*);
template void conv_weight_by_channels(const ConvShape&, const double*, const double*, double*);

}  // namespace tapegrad::kernels

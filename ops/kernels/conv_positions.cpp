// Convolutions with few channels: the positions of an image side by side in a vector. Nothing is unfolded: a term is a row of the image, read
// at an offset.
#include <cstring>

#include "tapegrad/ops/kernels/conv_parts.h"

namespace tapegrad::kernels {
namespace {

// A channel of an image as the kernels read it: with zeros around it, and split by the remainders of the stride, so that the
// elements which one term meets at neighbouring positions lie side by side. Element q of plane f along a dim is
// x[stride q + f - before], or 0 outside x.
struct Layout {
  Dims3 x, stride, before, planes, size;
  int64_t channel() const { return product(planes) * product(size); }
  bool is_plain() const { return stride == Dims3{1, 1, 1} && before == Dims3{0, 0, 0} && size == x; }
  // Where plane f begins.
  int64_t plane(const Dims3& f) const { return ((f[0] * planes[1] + f[1]) * planes[2] + f[2]) * product(size); }
  int64_t at(const Dims3& q) const { return (q[0] * size[1] + q[1]) * size[2] + q[2]; }
};

// Rows are short: blocks of a fixed size, the last over the end of the one before, are a move or two where a call of memcpy would cost more.
template <class T> void copy_row(T* to, const T* from, int64_t count) {
  constexpr int64_t kBlock = 32 / sizeof(T);
  if (count < kBlock) {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i + kBlock <= count; i += kBlock) std::memcpy(to + i, from + i, 32);
  std::memcpy(to + count - kBlock, from + count - kBlock, 32);
}

// The elements of a row of a plane that lie in x: element q is x[stride q + shift].
struct Span {
  int64_t stride, shift, first, last;
  Span(const Layout& l, int64_t remainder) : stride(l.stride[2]), shift(remainder - l.before[2]) {
    first = std::clamp<int64_t>((-shift + stride - 1) / stride, 0, l.size[2]);
    last = std::clamp<int64_t>((l.x[2] - shift + stride - 1) / stride, first, l.size[2]);
  }
  template <class T> void copy(const T* from, T* to) const {
    if (stride == 1) {
      copy_row(to + first, from + first + shift, last - first);
    } else if (stride == 2) {  // known, it is done by vectors
      for (int64_t q = first; q < last; ++q) to[q] = from[2 * q + shift];
    } else {
      for (int64_t q = first; q < last; ++q) to[q] = from[stride * q + shift];
    }
  }
};

template <class T> void fill_channel(const Layout& l, const T* x, T* to) {
  std::fill_n(to, l.channel(), T{0});
  const auto row_of = [&](size_t dim, int64_t q, int64_t f) {
    const int64_t i = l.stride[dim] * q + f - l.before[dim];
    return i < 0 || i >= l.x[dim] ? -1 : i;
  };
  for (int64_t fd = 0; fd < l.planes[0]; ++fd)
    for (int64_t fh = 0; fh < l.planes[1]; ++fh)
      for (int64_t fw = 0; fw < l.planes[2]; ++fw) {
        const Span span(l, fw);
        for (int64_t qd = 0; qd < l.size[0]; ++qd)
          for (int64_t qh = 0; qh < l.size[1]; ++qh, to += l.size[2]) {
            const int64_t d = row_of(0, qd, fd), h = row_of(1, qh, fh);
            if (d >= 0 && h >= 0) span.copy(x + (d * l.x[1] + h) * l.x[2], to);
          }
      }
}

// The channels of some images.
template <class T> void fill_images(const Layout& l, const T* x, int64_t channels, T* to) {
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(l.channel(), 1));
  parallel_for(0, channels, grain, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) fill_channel(l, x + c * product(l.x), to + c * l.channel());
  });
}

// run(first, last) for the groups: several threads take some each, or all of them share each.
template <class Run> void for_groups(int64_t groups, int64_t work, const Run& run) {
  if (groups < 4 && groups < detail::share_of_threads()) {
    for (int64_t g = 0; g < groups; ++g) run(g, g + 1);
    return;
  }
  parallel_for(0, groups, std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work)), run);
}

// run(g, x of the group, laid out) for every group of an image, one after the other through memory that stays in the cache.
template <class T, class Run>
void for_laid_out(const Layout& l, const T* image, int64_t groups, int64_t channels, int64_t work, const Run& run) {
  const bool plain = l.is_plain();
  for_groups(groups, work, [&](int64_t first, int64_t last) {
    const Scratch<T> copy(plain ? 0 : channels * l.channel());
    for (int64_t g = first; g < last; ++g) {
      const T* const from = image + g * channels * product(l.x);
      if (!plain) fill_images(l, from, channels, copy.data());
      run(g, plain ? from : copy.data());
    }
  });
}

// For y from x: a term reads, at position o along a dim, element o + j / stride of plane j % stride, with j = dilation t.
Layout layout_of_x(const ConvShape& s) {
  Layout l{s.x, s.stride, s.padding, {}, {}};
  for (size_t i = 0; i < 3; ++i) {
    const int64_t reach = s.dilation[i] * (s.kernel[i] - 1);
    l.planes[i] = std::min(s.stride[i], reach + 1);
    l.size[i] = s.y[i] + reach / s.stride[i];
  }
  return l;
}

void offsets_in_x(const ConvShape& s, const Layout& l, int64_t* offset) {
  for (int64_t c = 0; c < s.in; ++c)
    for (int64_t d = 0; d < s.kernel[0]; ++d)
      for (int64_t h = 0; h < s.kernel[1]; ++h)
        for (int64_t w = 0; w < s.kernel[2]; ++w) {
          const Dims3 j = {d * s.dilation[0], h * s.dilation[1], w * s.dilation[2]};
          Dims3 f, q;
          for (size_t i = 0; i < 3; ++i) f[i] = j[i] % s.stride[i], q[i] = j[i] / s.stride[i];
          *offset++ = c * l.channel() + l.plane(f) + l.at(q);
        }
}

// Depths whose rows follow each other without a gap are one grid.
struct Depths {
  int64_t count;
  simd::ConvGrid grid;
  Depths(const Dims3& positions, const Layout& l)
      : count(positions[1] == l.size[1] ? 1 : positions[0]),
        grid{positions[1] == l.size[1] ? positions[0] * positions[1] : positions[1], positions[2], l.size[2]} {}
};

// The tiles of a grid, dealt out where the caller is alone.
template <class T> void run_tiles(const simd::ConvTile<T>& tile) {
  const auto& kernels = simd::floating<T>(simd::table()).conv;
  const int64_t tiles = (tile.grid.last() + kernels.width - 1) / kernels.width;
  const int64_t grain = std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, kernels.width * tile.m * tile.k));
  parallel_for(0, tiles, grain, [&](int64_t first, int64_t last) {
    const Scratch<T> workspace(kernels.tile_workspace(tile.m));
    simd::ConvTile<T> part = tile;
    part.first = first * kernels.width;
    part.count = (last - first) * kernels.width;
    kernels.tile(part, workspace.data());
  });
}

template <class T> struct Forward {
  ConvShape s;
  const T *x, *w, *bias;
  T* y;

  void image(const Layout& l, const int64_t* offset, int64_t n) const {
    const int64_t size = product(s.y);
    const Depths depths(s.y, l);
    const T* const from = x + n * s.groups * s.in * product(s.x);
    for_laid_out(l, from, s.groups, s.in, size * s.out * s.terms(), [&](int64_t g, const T* laid_out) {
      for (int64_t d = 0; d < depths.count; ++d) {
        simd::ConvTile<T> tile{};
        tile.m = s.out, tile.k = s.terms();
        tile.a = w + g * s.out * s.terms(), tile.lda = s.terms();
        tile.b = laid_out + d * l.size[1] * l.size[2], tile.offset = offset;
        tile.c = y + (n * s.groups + g) * s.out * size + d * s.y[1] * s.y[2];
        tile.ldc = size, tile.row_step = s.y[2], tile.step = 1;
        tile.bias = bias ? bias + g * s.out : nullptr;
        tile.grid = depths.grid;
        run_tiles(tile);
      }
    });
  }
  void operator()() const {
    const Layout l = layout_of_x(s);
    const Scratch<int64_t> offset(s.terms());
    offsets_in_x(s, l, offset.data());
    for_images(s, [&](int64_t n) { image(l, offset.data(), n); });
  }
};

// ---- dx from dy ----

// Zeros around y such that every residue finds its terms inside.
Layout layout_of_y(const ConvShape& s) {
  Layout l{s.y, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {}};
  for (size_t i = 0; i < 3; ++i) {
    const Reach reach = reach_around_y(s, i);
    l.before[i] = reach.before, l.size[i] = reach.before + reach.end;
  }
  return l;
}

template <class T> struct Transposed {
  ConvShape s;
  const T *y, *w, *bias;
  T* x;

  // f(class, taps of the classes before)
  template <class F> void with_taps_before(const F& f) const {
    int64_t done = 0;
    for_classes(s, [&](const Class& c) {
      f(c, done);
      done += c.taps();
    });
  }
  template <class F> static void for_taps(const Class& c, const F& f) {
    for (int64_t d = 0; d < c.e[0].taps; ++d)
      for (int64_t h = 0; h < c.e[1].taps; ++h)
        for (int64_t v = 0; v < c.e[2].taps; ++v) f(Dims3{d, h, v});
  }

  // For each class: where its terms lie in a laid out y, [out][taps of the class]; and w as [group][in][out][taps of the class].
  void prepare(const Layout& l, int64_t* offset, T* turned) const {
    with_taps_before([&](const Class& c, int64_t done) {
      int64_t* to = offset + s.out * done;
      for (int64_t o = 0; o < s.out; ++o)
        for_taps(c, [&](const Dims3& t) {
          Dims3 q;
          for (size_t i = 0; i < 3; ++i) q[i] = c.e[i].first - c.e[i].first_y - t[i] * c.e[i].y_step + l.before[i];
          *to++ = o * l.channel() + l.at(q);
        });
      T* v = turned + s.groups * s.in * s.out * done;
      for (int64_t g = 0; g < s.groups; ++g)
        for (int64_t i = 0; i < s.in; ++i)
          for (int64_t o = 0; o < s.out; ++o) {
            const T* from = w + ((g * s.out + o) * s.in + i) * s.taps();
            for_taps(c, [&](const Dims3& t) {
              const auto tap = [&](size_t dim) { return c.e[dim].first_tap + t[dim] * c.e[dim].tap_step; };
              *v++ = from[(tap(0) * s.kernel[1] + tap(1)) * s.kernel[2] + tap(2)];
            });
          }
    });
  }

  void image(const Layout& l, const int64_t* offset, const T* turned, int64_t n) const {
    const int64_t work = product(s.y) * s.out * s.in * s.taps();
    const T* const from = y + n * s.groups * s.out * product(s.y);
    for_laid_out(l, from, s.groups, s.out, work, [&](int64_t g, const T* laid_out) {
      with_taps_before([&](const Class& c, int64_t done) {
        of_class(c, l, laid_out, offset + s.out * done,
                 turned + s.in * (s.groups * s.out * done + g * s.out * c.taps()), n * s.groups + g);
      });
    });
  }
  // The elements of x of one class, for one group of an image.
  void of_class(const Class& c, const Layout& l, const T* from, const int64_t* offset, const T* turned,
                int64_t group) const {
    const int64_t size = product(s.x);
    const Dims3 count = c.count();
    for (int64_t d = 0; d < count[0]; ++d) {
      simd::ConvTile<T> tile{};
      tile.m = s.in, tile.k = s.out * c.taps();
      tile.a = turned, tile.lda = tile.k;
      tile.b = from + d * l.size[1] * l.size[2], tile.offset = offset;
      tile.c = x + group * s.in * size + c.place(s) + d * s.stride[0] * s.x[1] * s.x[2];
      tile.ldc = size, tile.row_step = s.stride[1] * s.x[2], tile.step = s.stride[2];
      tile.bias = bias ? bias + group % s.groups * s.in : nullptr;
      tile.grid = {count[1], count[2], l.size[2]};
      run_tiles(tile);
    }
  }
  void operator()() const {
    const Layout l = layout_of_y(s);
    const int64_t terms = s.out * s.taps();
    const Scratch<int64_t> offset(terms);
    const Scratch<T> turned(s.groups * s.in * terms);
    prepare(l, offset.data(), turned.data());
    for_images(s, [&](int64_t n) { image(l, offset.data(), turned.data(), n); });
  }
};

// ---- dw from x and dy ----

constexpr int64_t kImagesElements = int64_t{1} << 18;  // of the images that are laid out at a time,
constexpr int64_t kGroupElements = int64_t{1} << 13;   // and where there are many groups
constexpr int64_t kPositions = 1024;                   // at a stretch: what they read stays in the first-level cache
constexpr int64_t kRowsTogether = 4;                   // of dy

template <class T> struct ByWeight {
  ConvShape s;
  const T *x, *dy;
  T* dw;

  bool lies_so(const Layout& l) const { return l.is_plain() && s.groups == 1; }
  // Rows first .. last of a group's channels of dy, for images from n on, of which the group's x is laid out at `from`.
  void rows(const Layout& l, const int64_t* offset, const T* from, int64_t g, int64_t n, int64_t images, int64_t first,
            int64_t last) const {
    const auto& kernels = simd::floating<T>(simd::table()).conv;
    const Depths depths(s.y, l);
    const int64_t size = product(s.y), channels = s.in * l.channel();
    const int64_t rows = std::max<int64_t>(1, kPositions / depths.grid.width);
    const int64_t together = std::max<int64_t>(1, rows / depths.grid.rows);  // images
    for (int64_t i = first; i < last; i += kRowsTogether)
      for (int64_t d = 0; d < depths.count; ++d)
        for (int64_t m = 0; m < images; m += together)
          for (int64_t r = 0; r < depths.grid.rows; r += rows) {
            simd::ConvWeightTile<T> tile{};
            tile.m = std::min(kRowsTogether, last - i), tile.k = s.terms();
            tile.ldy = size, tile.dy_pitch = s.y[2];
            tile.dy = dy + (((n + m) * s.groups + g) * s.out + i) * size + (d * depths.grid.rows + r) * s.y[2];
            tile.x = from + m * channels + d * l.size[1] * l.size[2] + r * l.size[2];
            tile.offset = offset;
            tile.dw = dw + (g * s.out + i) * s.terms(), tile.lddw = s.terms();
            tile.grid = {std::min(rows, depths.grid.rows - r), s.y[2], l.size[2]};
            tile.segments = std::min(together, images - m);
            tile.dy_step = s.groups * s.out * size, tile.x_step = channels;
            kernels.weight(tile);
          }
  }
  // Some images at a time, as many as the shape says, so that the sums do not depend on the threads.
  void group(const Layout& l, const int64_t* offset, int64_t g, int64_t at_once, T* copy) const {
    const int64_t image = s.groups * s.in * product(s.x), laid_out = s.in * l.channel(), unit = kRowsTogether;
    for (int64_t n = 0; n < s.batch; n += at_once) {
      const int64_t images = std::min(at_once, s.batch - n);
      const T* const from = x + n * image + g * s.in * product(s.x);
      for (int64_t m = 0; !lies_so(l) && m < images; ++m) fill_images(l, from + m * image, s.in, copy + m * laid_out);
      const int64_t work = images * product(s.y) * s.terms() * unit;
      const int64_t grain = std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work));
      parallel_for(0, (s.out + unit - 1) / unit, grain, [&](int64_t first, int64_t last) {
        rows(l, offset, lies_so(l) ? from : copy, g, n, images, first * unit, std::min(last * unit, s.out));
      });
    }
  }
  void operator()() const {
    const Layout l = layout_of_x(s);
    const Scratch<int64_t> offset(s.terms());
    offsets_in_x(s, l, offset.data());
    const int64_t elements = s.groups == 1 ? kImagesElements : kGroupElements;
    const int64_t at_once = std::clamp<int64_t>(elements / std::max<int64_t>(1, s.in * l.channel()), 1, s.batch);
    for_groups(s.groups, s.batch * product(s.y) * s.out * s.terms(), [&](int64_t first, int64_t last) {
      const Scratch<T> copy(lies_so(l) ? 0 : at_once * s.in * l.channel());
      for (int64_t g = first; g < last; ++g) group(l, offset.data(), g, at_once, copy.data());
    });
  }
};

}  // namespace

template <class T> void conv_by_positions(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  Forward<T>{s, x, w, bias, y}();
}
template <class T> void conv_transpose_by_positions(const ConvShape& s, const T* y, const T* w, const T* bias, T* x) {
  Transposed<T>{s, y, w, bias, x}();
}
template <class T> void conv_weight_by_positions(const ConvShape& s, const T* x, const T* dy, T* dw) {
  ByWeight<T>{s, x, dy, dw}();
}

template void conv_by_positions(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_by_positions(const ConvShape&, const double*, const double*, const double*, double*);
template void conv_transpose_by_positions(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_transpose_by_positions(const ConvShape&, const double*, const double*, const double*, double*);
template void conv_weight_by_positions(const ConvShape&, const float*, const float*, float*);
template void conv_weight_by_positions(const ConvShape&, const double*, const double*, double*);

}  // namespace tapegrad::kernels

// Convolutions over tensors: which way they go, and the launch.
#include "tapegrad/ops/kernels/conv.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/conv_parts.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/pieces.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {
namespace {

// ---- kernels of one tap: products of matrices ----

// Each image is a matrix [channels, positions].
bool is_pointwise(const ConvShape& s) {
  return s.kernel == Dims3{1, 1, 1} && s.x == s.y && s.padding == Dims3{0, 0, 0};
}

template <class T> simd::Gemm<T> product_of(int64_t m, int64_t n, int64_t k) {
  simd::Gemm<T> g{};
  g.m = m, g.n = n, g.k = k, g.ldc = n;
  return g;
}

// C = op(A) B + bias[row], some columns at a time: B's rows, pages apart, are brought side by side, and C is met again in the cache.
template <class T> void run_points(simd::Gemm<T> g, const T* bias) {
  constexpr int64_t kElements = int64_t{1} << 17,
                    kPad = 16;  // rows that begin apart by a power of two share sets of the cache
  const int64_t columns =
      g.k <= 128 ? 256 : std::clamp<int64_t>(kElements / std::max<int64_t>(g.k, 1) / 64 * 64, 128, 1024);
  parallel_for(0, (g.n + columns - 1) / columns,
               std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, columns * g.m * g.k)),
               [&](int64_t first, int64_t last) {
                 const Scratch<T> rows(g.k * (columns + kPad));
                 for (int64_t i = first; i < last; ++i) {
                   simd::Gemm<T> part = columns_of(g, i * columns, std::min((i + 1) * columns, g.n));
                   for (int64_t p = 0; p < g.k; ++p)
                     std::copy_n(part.b + p * g.ldb, part.n, rows.data() + p * (columns + kPad));
                   part.b = rows.data(), part.ldb = columns + kPad;
                   for (int64_t r = 0; bias && r < g.m; ++r) std::fill_n(part.c + r * g.ldc, part.n, bias[r]);
                   part.accumulate = bias != nullptr;
                   const auto& kernels = simd::floating<T>(simd::table());
                   const Scratch<T> workspace(kernels.gemm_workspace(part));
                   kernels.gemm(part, workspace.data());
                 }
               });
}

template <class T> void conv_of_points(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  const int64_t size = product(s.x);
  for_images(s, [&](int64_t n) {
    for (int64_t g = 0; g < s.groups; ++g) {
      simd::Gemm<T> p = product_of<T>(s.out, size, s.in);
      p.a = w + g * s.out * s.in, p.lda = s.in;
      p.b = x + (n * s.groups + g) * s.in * size, p.ldb = size;
      p.c = y + (n * s.groups + g) * s.out * size;
      run_points(p, bias ? bias + g * s.out : nullptr);
    }
  });
}

template <class T> void transpose_of_points(const ConvShape& s, const T* y, const T* w, const T* bias, T* x) {
  const int64_t size = product(s.x);
  for_images(s, [&](int64_t n) {
    for (int64_t g = 0; g < s.groups; ++g) {
      simd::Gemm<T> p = product_of<T>(s.in, size, s.out);
      p.a = w + g * s.out * s.in, p.lda = s.in, p.trans_a = true;
      p.b = y + (n * s.groups + g) * s.out * size, p.ldb = size;
      p.c = x + (n * s.groups + g) * s.in * size;
      run_points(p, bias ? bias + g * s.in : nullptr);
    }
  });
}

template <class T> void weight_of_points(const ConvShape& s, const T* x, const T* dy, T* dw) {
  const int64_t size = product(s.x);
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t g = 0; g < s.groups; ++g) {
      simd::Gemm<T> p = product_of<T>(s.out, s.in, size);
      p.a = dy + (n * s.groups + g) * s.out * size, p.lda = size;
      p.b = x + (n * s.groups + g) * s.in * size, p.ldb = size, p.trans_b = true;
      p.c = dw + g * s.out * s.in;
      p.accumulate = true;
      run_way(p, way_of(kProductTiers, p));
    }
}

// ---- which way ----

enum class Lay { points, positions, channels };

// How full the vectors are: of channels, half a panel at a time, or of the positions of an image whose rows are `pitch` apart.
double filled_by_channels(int64_t channels, int64_t panel) {
  const int64_t half = panel / 2, vectors = (channels + half - 1) / half;
  return static_cast<double>(channels) / static_cast<double>(half * (vectors > 1 ? (vectors + 1) / 2 * 2 : 1));
}
double filled_by_positions(const Dims3& y, int64_t pitch, int64_t panel) {
  const int64_t all = (y[1] - 1) * pitch + y[2];
  return static_cast<double>(y[1] * y[2]) / static_cast<double>((all + panel - 1) / panel * panel);
}

// Of a map to `channels` channels of `y`, whose taps reach so much further along a row. Measured (bench/LOG.md): channels are worth a fifth
// more than positions, since those read images at addresses that fall between the lines of the cache.
template <class T> Lay lay_of(const ConvShape& s, int64_t channels, const Dims3& y, int64_t reach) {
  if (is_pointwise(s) && s.in * s.out >= 16) return Lay::points;
  const int64_t panel = simd::floating<T>(simd::table()).conv.panel;
  const bool by_channels = filled_by_channels(channels, panel) >= 0.8 * filled_by_positions(y, y[2] + reach, panel);
  return by_channels ? Lay::channels : Lay::positions;
}

KernelNote note_of(const ConvShape& s) {
  KernelNote note = simd_note();
  const int64_t work = s.batch * product(s.y) * s.groups * s.out * s.terms();
  note.flops = 2 * work;
  note.tier = work <= 65536 ? "tiny" : work < 2 * kThreadWork ? "medium" : "large";
  return note;
}

template <class T> struct Forward {
  ConvShape s;
  const T *x, *w, *bias;
  T* y;
  void operator()() const {
    const Lay lay = lay_of<T>(s, s.out, s.y, s.dilation[2] * (s.kernel[2] - 1) / s.stride[2]);
    (lay == Lay::points     ? conv_of_points<T>
     : lay == Lay::channels ? conv_by_channels<T>
                            : conv_by_positions<T>)(s, x, w, bias, y);
  }
  KernelNote note() const { return note_of(s); }
};

// Whether every place of x has the remainders of some tap.
bool reaches_all(const ConvShape& s) {
  for (size_t i = 0; i < 3; ++i) {
    if (residues(s, i) == s.stride[i]) continue;  // there are no others
    int64_t count = 0;
    for (int64_t t = 0; t < residues(s, i); ++t) count += residue_of(s, i, t).count;
    if (count < s.x[i]) return false;
  }
  return true;
}

// What stands where no tap comes.
template <class T> void fill_places(const ConvShape& s, const T* bias, T* x) {
  const int64_t size = product(s.x), channels = s.groups * s.in;
  parallel_for(0, s.batch * channels, std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(1, size)),
               [&](int64_t first, int64_t last) {
                 for (int64_t c = first; c < last; ++c)
                   std::fill_n(x + c * size, size, bias ? bias[c % channels] : T{0});
               });
}

template <class T> struct Transposed {
  ConvShape s;
  const T *y, *w, *bias;
  T* x;
  void operator()() const {
    const Dims3 one_class = {s.x[0], (s.x[1] + s.stride[1] - 1) / s.stride[1],
                             (s.x[2] + s.stride[2] - 1) / s.stride[2]};
    const Lay lay = lay_of<T>(s, s.in, one_class, s.dilation[2] * (s.kernel[2] - 1) / s.stride[2]);
    if (!reaches_all(s)) fill_places(s, bias, x);
    (lay == Lay::points     ? transpose_of_points<T>
     : lay == Lay::channels ? conv_transpose_by_channels<T>
                            : conv_transpose_by_positions<T>)(s, y, w, bias, x);
  }
  KernelNote note() const { return note_of(s); }
};

template <class T> struct ByWeight {
  ConvShape s;
  const T *x, *dy;
  T* dw;
  void operator()() const {
    const bool few = s.in * s.out < 8;  // as where each channel is a group
    (is_pointwise(s) && s.in * s.out >= 16 ? weight_of_points<T>
     : few                                 ? conv_weight_by_positions<T>
                                           : conv_weight_by_channels<T>)(s, x, dy, dw);
  }
  KernelNote note() const { return note_of(s); }
};

template <class T> T* elements_of(const Tensor& x) {
  return x.defined() ? reinterpret_cast<T*>(x.impl()->data) : nullptr;
}

Tensor as_stored(const Tensor& x) { return x.defined() ? contiguous_of(x) : x; }

}  // namespace

Tensor conv(const char* name, const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& bias,
            const Shape& sizes) {
  const Tensor a = as_stored(x), b = as_stored(w), c = as_stored(bias), y = new_tensor(sizes, x.dtype());
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::gemm, {&y}, {&a, &b, &c},
           Forward<T>{s, elements_of<T>(a), elements_of<T>(b), elements_of<T>(c), elements_of<T>(y)});
  });
  return y;
}

Tensor conv_transpose(const char* name, const ConvShape& s, const Tensor& dy, const Tensor& w, const Tensor& bias,
                      const Shape& sizes) {
  const Tensor a = as_stored(dy), b = as_stored(w), c = as_stored(bias), x = new_tensor(sizes, dy.dtype());
  if (x.numel() == 0) return x;
  dispatch_floating(name, dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::gemm, {&x}, {&a, &b, &c},
           Transposed<T>{s, elements_of<T>(a), elements_of<T>(b), elements_of<T>(c), elements_of<T>(x)});
  });
  return x;
}

Tensor conv_weight(const char* name, const ConvShape& s, const Tensor& x, const Tensor& dy, const Tensor& into,
                   const Shape& sizes) {
  const Tensor a = as_stored(x), b = as_stored(dy), dw = into.defined() ? into : new_tensor(sizes, x.dtype());
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    if (!into.defined()) fill(dw, 0, name);
    if (a.numel() == 0 || b.numel() == 0) return;
    launch(name, LaunchKind::gemm, {&dw}, {&a, &b},
           ByWeight<T>{s, elements_of<T>(a), elements_of<T>(b), elements_of<T>(dw)});
  });
  return dw;
}

}  // namespace tapegrad::kernels

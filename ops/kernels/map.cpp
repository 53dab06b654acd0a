// From tensors to tiles: contiguous operands of one shape go straight to the tile, anything else through a strided loop.
#include "tapegrad/ops/kernels/map.h"

#include <cstring>

#include "tapegrad/core/iterate.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

using simd::Tile;

Tile tile_for(const char* name, Map op, DType dtype) {
  const Tile tile = simd::table().map[static_cast<int>(op)][static_cast<int>(dtype)];
  if (!tile) throw DTypeError(std::string(name) + ": " + name_of(dtype) + " is not a dtype it takes");
  return tile;
}

// What a launch over memory without gaps tells of itself.
template <int N>
bool flat_walk(Walk& w, Tile tile, char* const* data, const int64_t* stride, int64_t n, const Attr& attr) {
  w.tile = tile;
  w.operands = N;
  w.rank = 1;
  w.size[0] = n;
  w.item = stride[0];
  std::copy_n(data, N, w.data);
  std::copy_n(stride, N, w.stride[0]);
  std::copy_n(attr.value, 3, w.attr);
  return true;
}

// One run over memory without gaps: stride of one element, or 0 for an operand of one element.
template <int N> struct FlatRun {
  Tile tile;
  char* data[N];
  int64_t stride[N];
  int64_t n;
  Attr attr;
  void operator()() const {
    if (n <= kParallelGrain) return tile(data, stride, n, attr.value);
    parallel_for(0, n, kParallelGrain, [this](int64_t first, int64_t last) {
      char* at[N];
      for (int k = 0; k < N; ++k) at[k] = data[k] + first * stride[k];
      tile(at, stride, last - first, attr.value);
    });
  }
  bool walk(Walk& w) const { return flat_walk<N>(w, tile, data, stride, n, attr); }
  static KernelNote note() { return simd_note(); }
};

template <int N> struct StridedRun {
  Tile tile;
  StridedLoop<N> loop;
  Attr attr;
  int64_t item;  // bytes of an element of the output
  void operator()() const {
    loop.run([this](char* const* at, const int64_t* stride, int64_t n) { tile(at, stride, n, attr.value); });
  }
  bool walk(Walk& w) const {
    w.tile = tile;
    loop.describe(w, item);
    std::copy_n(attr.value, 3, w.attr);
    return true;
  }
  static KernelNote note() { return strided_simd_note(); }
};

template <size_t... I, class Run>
void launch_map(const char* name, const Tensor* const* operands, const Run& run, std::index_sequence<I...>) {
  launch(name, LaunchKind::map, {operands[0]}, {operands[I + 1]...}, run);
}

// The commonest case, and the one where nanoseconds count: few elements, every operand of the output's size.
template <int N> struct SmallRun {
  Tile tile;
  char* data[N];
  int64_t stride[N];
  int64_t n;
  Attr attr;
  void operator()() const { tile(data, stride, n, attr.value); }
  bool walk(Walk& w) const { return flat_walk<N>(w, tile, data, stride, n, attr); }
  static KernelNote note() { return simd_note(); }
};

template <int N> bool run_small(const char* name, Tile tile, const Tensor* const* operands, const Attr& attr) {
  const int64_t n = operands[0]->impl()->numel;
  if (n > kParallelGrain) return false;
  SmallRun<N> run;
  for (int k = 0; k < N; ++k) {
    const TensorImpl& t = *operands[k]->impl();
    if (!t.contiguous || t.numel != n) return false;
    run.data[k] = t.data;
    run.stride[k] = item_size(t.dtype);
  }
  run.tile = tile;
  run.n = n;
  run.attr = attr;
  launch_map(name, operands, run, std::make_index_sequence<N - 1>{});
  return true;
}

// operands[0] is the output.
template <int N> void run_map(const char* name, Tile tile, const Tensor* const* operands, Attr attr) {
  if (run_small<N>(name, tile, operands, attr)) return;
  FlatRun<N> flat{tile, {}, {}, operands[0]->numel(), attr};
  bool is_flat = true;
  for (int k = 0; k < N; ++k) {
    const TensorImpl& t = *operands[k]->impl();
    is_flat &= t.contiguous && (t.numel == flat.n || t.numel == 1);
    flat.data[k] = t.data;
    flat.stride[k] = t.numel == 1 && flat.n != 1 ? 0 : item_size(t.dtype);
  }
  constexpr auto inputs = std::make_index_sequence<N - 1>{};
  if (is_flat) return launch_map(name, operands, flat, inputs);
  StridedRun<N> strided{tile, StridedLoop<N>(operands[0]->sizes()), attr, item_size(operands[0]->dtype())};
  for (int k = 0; k < N; ++k) strided.loop.operand(k, *operands[k]);
  strided.loop.prepare();
  launch_map(name, operands, strided, inputs);
}

bool same_sizes(const Tensor& a, const Tensor& b) {
  const Shape& s = a.sizes();
  const Shape& t = b.sizes();
  if (s.size() != t.size()) return false;
  for (int64_t i = 0; i < s.size(); ++i) {
    if (s[i] != t[i]) return false;
  }
  return true;
}

void check_dtypes(const char* name, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw DTypeError(std::string(name) + ": operands must have one dtype, got " + name_of(a.dtype()) + " and " +
                     name_of(b.dtype()));
}

Tensor output_for(const char* name, const Tensor& a, const Tensor& b, DType dtype) {
  if (same_sizes(a, b)) return new_like(a, dtype);
  return new_tensor(broadcast_shapes(a.sizes(), b.sizes(), name), dtype);
}

// The number as an operand of stride 0, held by the closure itself.
struct ScalarRun {
  FlatRun<3> flat;
  char value[8];
  void operator()() const {
    FlatRun<3> run = flat;
    run.data[2] = const_cast<char*>(value);
    run();
  }
  bool walk(Walk& w) const {
    flat.walk(w);
    w.number_at = 2;
    std::memcpy(w.number, value, sizeof value);
    return true;
  }
  static KernelNote note() { return simd_note(); }
};

// Beside bfloat16 the number is float32: rounded to 8 bits, it would be another number.
Tensor run_scalar(const char* name, Map op, const Tensor& x, const Scalar& s, const Tensor& y) {
  const bool wide = x.dtype() == kBFloat16;
  const Tile tile = wide ? simd::table().map_number[static_cast<int>(op)] : tile_for(name, op, x.dtype());
  const DType number_dtype = wide ? kFloat32 : x.dtype();
  const bool flat_output = y.is_contiguous();
  const Tensor flat_x = x.is_contiguous() ? x : Tensor();
  ScalarRun run{{tile, {}, {}, y.numel(), {}}, {}};
  dispatch(number_dtype, [&]<class T>() {
    const T v = s.to<T>();
    std::memcpy(run.value, &v, sizeof v);
  });
  if (flat_output && flat_x.defined()) {
    run.flat.data[0] = y.impl()->data;
    run.flat.data[1] = x.impl()->data;
    run.flat.stride[0] = item_size(y.dtype());
    run.flat.stride[1] = item_size(x.dtype());
    launch(name, LaunchKind::map, {&y}, {&x}, run);
    return y;
  }
  Tensor number = new_tensor(IntArrayRef(), number_dtype);
  std::memcpy(number.impl()->data, run.value, static_cast<size_t>(item_size(number_dtype)));
  const Tensor* operands[] = {&y, &x, &number};
  run_map<3>(name, tile, operands, {});
  return y;
}

}  // namespace

KernelNote simd_note() { return {.by = "simd", .variant = simd::table().isa}; }
KernelNote strided_simd_note() { return {.by = "strided simd", .variant = simd::table().isa}; }

Tensor unary(const char* name, Map op, const Tensor& x, const Tensor& out, Attr attr) {
  const Tile tile = tile_for(name, op, x.dtype());
  const Tensor y = out.defined() ? out : new_like(x);
  const Tensor* operands[] = {&y, &x};
  run_map<2>(name, tile, operands, attr);
  return y;
}

Tensor binary(const char* name, Map op, const Tensor& a, const Tensor& b, const Tensor& out, Attr attr) {
  check_dtypes(name, a, b);
  const Tile tile = tile_for(name, op, a.dtype());
  const Tensor y = out.defined() ? out : output_for(name, a, b, a.dtype());
  const Tensor* operands[] = {&y, &a, &b};
  run_map<3>(name, tile, operands, attr);
  return y;
}

Tensor ternary(const char* name, Map op, const Tensor& c, const Tensor& a, const Tensor& b, const Tensor& out,
               Attr attr) {
  check_dtypes(name, a, b);
  const Tile tile = tile_for(name, op, a.dtype());
  Tensor y = out;
  if (!y.defined()) {
    const Shape shape = broadcast_shapes(a.sizes(), b.sizes(), name);
    y = new_tensor(broadcast_shapes(c.sizes(), shape, name), a.dtype());
  }
  const Tensor* operands[] = {&y, &c, &a, &b};
  run_map<4>(name, tile, operands, attr);
  return y;
}

Tensor binary_scalar(const char* name, Map op, const Tensor& x, const Scalar& s, const Tensor& out) {
  return run_scalar(name, op, x, s, out.defined() ? out : new_like(x));
}

Tensor test(const char* name, Map op, const Tensor& x) {
  const Tensor y = new_like(x, kBool);
  const Tensor* operands[] = {&y, &x};
  run_map<2>(name, tile_for(name, op, x.dtype()), operands, {});
  return y;
}

Tensor test(const char* name, Map op, const Tensor& a, const Tensor& b) {
  check_dtypes(name, a, b);
  const Tensor y = output_for(name, a, b, kBool);
  const Tensor* operands[] = {&y, &a, &b};
  run_map<3>(name, tile_for(name, op, a.dtype()), operands, {});
  return y;
}

Tensor test_scalar(const char* name, Map op, const Tensor& x, const Scalar& s) {
  return run_scalar(name, op, x, s, new_like(x, kBool));
}

}  // namespace tapegrad::kernels

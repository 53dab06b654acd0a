// The gates of recurrent cells: the elementwise kernels of the table, one after the other over a row that stays in the cache.
#include "tapegrad/ops/kernels/recurrent.h"

#include <cstring>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 16384;  // hidden units worth a second thread

struct Size {
  int64_t rows, width;
  DType dtype;
  int64_t bytes() const { return width * item_size(dtype); }  // of a row
};

// y = f(a, b, c) for runs of `units` rows' widths.
struct Maps {
  Size size;
  void operator()(Map f, char* y, const char* a, const char* b = nullptr, const char* c = nullptr,
                  int64_t units = 1) const {
    static constexpr double attr[3] = {};
    const int64_t item = item_size(size.dtype);
    char* const ptr[] = {y, const_cast<char*>(a), const_cast<char*>(b), const_cast<char*>(c)};
    const int64_t stride[] = {item, item, item, item};
    simd::table().map[static_cast<int>(f)][static_cast<int>(size.dtype)](ptr, stride, units * size.width, attr);
  }
};

// A matrix of rows as wide as `units` times H.
struct Lines {
  char* data;
  int64_t units;
  char* row(const Size& size, int64_t r) const { return data + r * units * size.bytes(); }
};
Lines lines_of(const Tensor& t, int64_t units) { return {t.defined() ? t.impl()->data : nullptr, units}; }

template <class Rule> struct Rows {
  Size size;
  Rule rule;
  void operator()() const {
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, size.width));
    parallel_for(0, size.rows, grain, [this](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) rule(size, Maps{size}, r);
    });
  }
};

template <class Rule>
void run(const char* name, const Size& size, std::initializer_list<const Tensor*> outputs,
         std::initializer_list<const Tensor*> inputs, const Rule& rule) {
  launch(name, LaunchKind::other, outputs, inputs, BySimd{Rows<Rule>{size, rule}});
}

struct Lstm {
  Lines gx, gh, c, gates, h_new, c_new;
  void operator()(const Size& size, const Maps& map, int64_t row) const {
    const int64_t unit = size.bytes();
    char *const i = gates.row(size, row), *const f = i + unit, *const g = f + unit, *const o = g + unit;
    char *const h = h_new.row(size, row), *const next = c_new.row(size, row);
    map(Map::add, i, gx.row(size, row), gh.row(size, row), nullptr, 4);
    map(Map::sigmoid, i, i, nullptr, nullptr, 2);
    map(Map::tanh, g, g);
    map(Map::sigmoid, o, o);
    map(Map::mul, next, i, g);
    map(Map::mul_add, next, f, c.row(size, row), next);
    map(Map::tanh, h, next);
    map(Map::mul, h, h, o);
  }
};

struct LstmBackward {
  Lines dh, dc_new, gates, c, c_new, dgates, dc;
  void operator()(const Size& size, const Maps& map, int64_t row) const {
    const int64_t unit = size.bytes();
    const char *const i = gates.row(size, row), *const f = i + unit, *const g = f + unit, *const o = g + unit;
    char *const di = dgates.row(size, row), *const df = di + unit, *const dg = df + unit, *const dv = dg + unit;
    char* const d = dc.row(size, row);  // tanh c' to begin with
    const char* const dy = dh.row(size, row);
    map(Map::tanh, d, c_new.row(size, row));
    map(Map::mul, dv, dy, d);
    map(Map::sigmoid_backward, dv, dv, o);
    map(Map::mul, dg, dy, o);
    map(Map::tanh_backward, dg, dg, d);
    if (dc_new.data) map(Map::add, dg, dg, dc_new.row(size, row));
    map(Map::mul, d, dg, f);  // dg is what reaches c'
    map(Map::mul, di, dg, g);
    map(Map::sigmoid_backward, di, di, i);
    map(Map::mul, df, dg, c.row(size, row));
    map(Map::sigmoid_backward, df, df, f);
    map(Map::mul, dg, dg, i);
    map(Map::tanh_backward, dg, dg, g);
  }
};

struct Gru {
  Lines gx, gh, h, gates, h_new;
  void operator()(const Size& size, const Maps& map, int64_t row) const {
    const int64_t unit = size.bytes();
    char *const r = gates.row(size, row), *const z = r + unit, *const n = z + unit, *const y = h_new.row(size, row);
    const char *const x = gx.row(size, row), *const s = gh.row(size, row);
    map(Map::add, r, x, s, nullptr, 2);
    map(Map::sigmoid, r, r, nullptr, nullptr, 2);
    map(Map::mul_add, n, r, s + 2 * unit, x + 2 * unit);
    map(Map::tanh, n, n);
    map(Map::sub, y, h.row(size, row), n);
    map(Map::mul_add, y, z, y, n);
  }
};

struct GruBackward {
  Lines dh_new, gates, gh, h, dgx, dgh, dh;
  void operator()(const Size& size, const Maps& map, int64_t row) const {
    const int64_t unit = size.bytes();
    const char *const r = gates.row(size, row), *const z = r + unit, *const n = z + unit;
    char *const dr = dgx.row(size, row), *const dz = dr + unit, *const dn = dz + unit;
    char *const by_h = dgh.row(size, row), *const d = dh.row(size, row);
    const char* const dy = dh_new.row(size, row);
    map(Map::mul, d, dy, z);
    map(Map::sub, dz, h.row(size, row), n);
    map(Map::mul, dz, dz, dy);
    map(Map::sigmoid_backward, dz, dz, z);
    map(Map::sub, dn, dy, d);
    map(Map::tanh_backward, dn, dn, n);
    map(Map::mul, dr, dn, gh.row(size, row) + 2 * unit);
    map(Map::sigmoid_backward, dr, dr, r);
    std::memcpy(by_h, dr, static_cast<size_t>(2 * unit));
    map(Map::mul, by_h + 2 * unit, dn, r);
  }
};

Size size_of(const Tensor& state) { return {state.sizes()[0], state.sizes()[1], state.dtype()}; }

}  // namespace

std::array<Tensor, 3> lstm_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& c) {
  const Tensor x = contiguous_of(gx), s = contiguous_of(gh), old = contiguous_of(c);
  const Tensor h_new = new_like(old), c_new = new_like(old), gates = new_like(s);
  run(name, size_of(c), {&h_new, &c_new, &gates}, {&x, &s, &old},
      Lstm{lines_of(x, 4), lines_of(s, 4), lines_of(old, 1), lines_of(gates, 4), lines_of(h_new, 1),
           lines_of(c_new, 1)});
  return {h_new, c_new, gates};
}

std::array<Tensor, 2> lstm_gates_backward(const char* name, const Tensor& dh, const Tensor& dc_new, const Tensor& gates,
                                          const Tensor& c, const Tensor& c_new) {
  const Tensor by_h = contiguous_of(dh), by_c = dc_new.defined() ? contiguous_of(dc_new) : dc_new;
  const Tensor v = contiguous_of(gates), old = contiguous_of(c), now = contiguous_of(c_new);
  const Tensor dgates = new_like(v), dc = new_like(old);
  run(name, size_of(c), {&dgates, &dc}, {&by_h, &by_c, &v, &old, &now},
      LstmBackward{lines_of(by_h, 1), lines_of(by_c, 1), lines_of(v, 4), lines_of(old, 1), lines_of(now, 1),
                   lines_of(dgates, 4), lines_of(dc, 1)});
  return {dgates, dc};
}

std::array<Tensor, 2> gru_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& h) {
  const Tensor x = contiguous_of(gx), s = contiguous_of(gh), old = contiguous_of(h);
  const Tensor h_new = new_like(old), gates = new_like(s);
  run(name, size_of(h), {&h_new, &gates}, {&x, &s, &old},
      Gru{lines_of(x, 3), lines_of(s, 3), lines_of(old, 1), lines_of(gates, 3), lines_of(h_new, 1)});
  return {h_new, gates};
}

std::array<Tensor, 3> gru_gates_backward(const char* name, const Tensor& dh_new, const Tensor& gates, const Tensor& gh,
                                         const Tensor& h) {
  const Tensor dy = contiguous_of(dh_new), v = contiguous_of(gates), s = contiguous_of(gh), old = contiguous_of(h);
  const Tensor dgx = new_like(s), dgh = new_like(s), dh = new_like(old);
  run(name, size_of(h), {&dgx, &dgh, &dh}, {&dy, &v, &s, &old},
      GruBackward{lines_of(dy, 1), lines_of(v, 3), lines_of(s, 3), lines_of(old, 1), lines_of(dgx, 3), lines_of(dgh, 3),
                  lines_of(dh, 1)});
  return {dgx, dgh, dh};
}

}  // namespace tapegrad::kernels

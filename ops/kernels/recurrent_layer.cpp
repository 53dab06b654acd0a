// A recurrent layer over all its steps in one launch. Examples do not meet, so each thread takes some of them from the first step to the last;
// w_hh is packed once for all steps, unless they are few.
#include <algorithm>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/map_row.h"
#include "tapegrad/ops/kernels/recurrent.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {
namespace {

using simd::Map;

// A step's rows, and those of the step taken before it.
struct Step {
  int64_t row, count, before, before_count;
};

struct Walk {
  const int64_t* start;  // the first row of each step, and behind the last one's
  int64_t rows, steps, batch, hidden, blocks;
  Cell cell;
  bool reverse;

  // The i-th step taken.
  Step step(int64_t i) const {
    const int64_t t = reverse ? steps - 1 - i : i, last = reverse ? t + 1 : t - 1;
    if (i == 0) return {start[t], start[t + 1] - start[t], 0, 0};
    return {start[t], start[t + 1] - start[t], start[last], start[last + 1] - start[last]};
  }
  // Of the examples [first, last) those that take this step: run(from, to, whether the step before was theirs too); else they begin here.
  template <class Run> static void for_parts(const Step& s, int64_t first, int64_t last, const Run& run) {
    const int64_t end = std::min(last, s.count), known = std::clamp(s.before_count, first, std::max(first, end));
    if (known > first) run(first, known, true);
    if (end > known) run(known, end, false);
  }
  // run(first, last) for all examples; at once where the products see to the threads.
  template <class Run> void for_examples(bool at_once, const Run& run) const {
    if (at_once) return run(0, batch);
    const int64_t work = std::max<int64_t>(1, rows / std::max<int64_t>(1, batch) * blocks * hidden * hidden);
    // A few rows take as long as one, since W has to be read for them: less is gained than from dealing out a product.
    parallel_for(0, batch, std::max<int64_t>(2, 16 * kProductTiers.thread_work / work), run);
  }
  KernelNote note() const {
    KernelNote note = simd_note();
    note.flops = 2 * rows * blocks * hidden * hidden;
    return note;
  }
};

// C[m, n] (+)= A W (+ bias) for the W[k, n] of all steps.
template <class T> struct Shared {
  const T* w;
  int64_t k, n, ldw;
  bool packed, trans;
  Way way;  // of all examples' product where W is not packed
  void operator()(int64_t m, const T* a, T* c, const T* bias, bool accumulate) const {
    const simd::Gemm<T> g{m, n, k, a, k, false, w, ldw, trans, c, n, bias, accumulate};
    packed ? simd::floating<T>(simd::table()).gemm_packed(g) : run_way(g, way);
  }
};

// Whether a copy of W for all products costs less than it saves (bench/LOG.md).
bool pays_to_pack(const Tensor& w, bool trans, int64_t batch, int64_t products) {
  constexpr int64_t kCheap = int64_t{1} << 17, kStreamed = int64_t{1} << 20;  // bytes
  if (batch == 1) return false;                                               // it reads W once for each product
  if (w.nbytes() <= kCheap) return true;
  return products > 4 && !(trans && batch <= 4 && w.nbytes() > kStreamed);  // dot products are as fast as W comes
}

template <class T>
Shared<T> shared_weight(const char* name, const Tensor& w, bool trans, int64_t batch, int64_t products,
                        Tensor& copy_of_it) {
  const auto& kernels = simd::floating<T>(simd::table());
  const int64_t rows = w.sizes()[0], cols = w.sizes()[1], k = trans ? cols : rows, n = trans ? rows : cols;
  const Way way = way_of(
      kProductTiers, simd::Gemm<T>{batch, n, k, nullptr, k, false, nullptr, cols, trans, nullptr, n, nullptr, false});
  if (!pays_to_pack(w, trans, batch, products)) {
    copy_of_it = w;
    return {w.elements<T>(), k, n, cols, false, trans, way};
  }
  copy_of_it = new_tensor(kernels.packed_size(k, n), w.dtype());
  launch(name, LaunchKind::copy, {&copy_of_it}, {&w},
         BySimd{[from = w.elements<T>(), to = copy_of_it.elements<T>(), trans, k, n, cols] {
           simd::floating<T>(simd::table()).pack(from, cols, trans, k, n, to);
         }});
  return {copy_of_it.elements<T>(), k, n, cols, true, trans, way};
}

template <class T> struct Forward {
  Walk walk;
  Shared<T> by_h;
  T *gx, *gates;  // one and the same but for the gru, whose gates are null where no rule needs them; of the rnn, y too
  const T *h_0, *c_0, *b_hh;
  T *y, *c;

  void operator()() const {
    walk.for_examples(!by_h.packed, [this](int64_t first, int64_t last) {
      const Scratch<T> room(walk.cell == Cell::gru ? (last - first) * by_h.n : 0);
      for (int64_t i = 0; i < walk.steps; ++i) {
        const Step s = walk.step(i);
        Walk::for_parts(s, first, last, [&](int64_t from, int64_t to, bool known) {
          const int64_t hidden = walk.hidden, at = known ? s.before : 0;
          const T* const h = (known ? y : h_0) + (at + from) * hidden;
          const T* const old = walk.cell == Cell::lstm ? (known ? c : c_0) + (at + from) * hidden : nullptr;
          run(s.row + from, to - from, h, old, room.data());
        });
      }
    });
  }
  // `count` examples whose step is in the rows from `row` on, from h and c.
  void run(int64_t row, int64_t count, const T* h, const T* old, T* room) const {
    const int64_t hidden = walk.hidden, n = by_h.n;
    const bool apart = walk.cell == Cell::gru;
    by_h(count, h, apart ? room : gx + row * n, apart ? b_hh : nullptr, !apart);
    const auto& kernels = simd::floating<T>(simd::table());
    if (walk.cell == Cell::rnn_tanh || walk.cell == Cell::rnn_relu) {
      const Map f = walk.cell == Cell::rnn_tanh ? Map::tanh : Map::relu;
      return map_row(f, count * hidden, y + row * hidden, y + row * hidden);
    }
    for (int64_t r = 0; r < count; ++r) {
      const int64_t at = (row + r) * hidden;
      if (walk.cell == Cell::lstm) {
        kernels.lstm(gates + 4 * at, old + r * hidden, c + at, y + at, hidden);
      } else {
        const T* const gh = room + r * n;
        T* const v = gates ? gates + 4 * at : gx + 3 * at;
        kernels.gru(gx + 3 * at, gh, h + r * hidden, v, y + at, hidden);
        if (gates) std::copy_n(gh + 2 * hidden, hidden, v + 3 * hidden);
      }
    }
  }
  KernelNote note() const { return walk.note(); }
};

template <class T> struct Backward {
  Walk walk;
  Shared<T> by_gates;
  const T *dy, *dc, *gates, *y, *c, *h_0, *c_0;
  T *dgx, *dgh;
  T *dh, *dc_now;  // of every example: what reaches the state behind the step, in the end that before the first
  bool to_start;   // else dh ends in nothing

  void operator()() const {
    walk.for_examples(!by_gates.packed, [this](int64_t first, int64_t last) {
      const int64_t hidden = walk.hidden, states = (last - first) * hidden;
      std::fill_n(dh + first * hidden, states, T{0});
      if (dc_now) std::fill_n(dc_now + first * hidden, states, T{0});
      for (int64_t i = walk.steps - 1; i >= 0; --i) {
        const Step s = walk.step(i);
        Walk::for_parts(s, first, last, [&](int64_t from, int64_t to, bool known) {
          for (int64_t r = from; r < to; ++r) {
            const int64_t before = ((known ? s.before : 0) + r) * hidden;
            run(r, s.row + r, (known ? y : h_0) + before, c_0 ? (known ? c : c_0) + before : nullptr);
          }
        });
        const int64_t end = std::min(last, s.count);
        if (end > first && (i > 0 || to_start))
          by_gates(end - first, dgh + (s.row + first) * by_gates.k, dh + first * hidden, nullptr,
                   walk.cell == Cell::gru);
      }
    });
  }
  // The gates of example r, whose step is row `row` and began with h and old; dh becomes what reaches h other than by the product.
  void run(int64_t r, int64_t row, const T* h, const T* old) const {
    const int64_t hidden = walk.hidden, at = row * hidden;
    T* const d = dh + r * hidden;
    if (dy) map_row(Map::add, hidden, d, d, dy + at);
    T* const to = dgx + row * by_gates.k;
    const auto& kernels = simd::floating<T>(simd::table());
    switch (walk.cell) {
      case Cell::rnn_tanh: return map_row(Map::tanh_backward, hidden, to, d, y + at);
      case Cell::rnn_relu: return map_row(Map::relu_backward, hidden, to, d, y + at);
      case Cell::gru: {
        const T* const v = gates + 4 * at;
        return kernels.gru_backward(d, v, v + 3 * hidden, h, to, dgh + row * by_gates.k, d, hidden);
      }
      case Cell::lstm: break;
    }
    T* const d_c = dc_now + r * hidden;
    if (dc) map_row(Map::add, hidden, d_c, d_c, dc + at);
    kernels.lstm_backward(d, d_c, gates + 4 * at, old, c + at, to, d_c, hidden);
  }
  KernelNote note() const { return walk.note(); }
};

// The first row of each step, as the launches read it.
Tensor starts(const char* name, const Sequences& s) {
  const Tensor start = new_tensor(static_cast<int64_t>(s.counts.size()) + 1, kInt64);
  int64_t* const to = start.elements<int64_t>();
  to[0] = 0;
  for (size_t t = 0; t < s.counts.size(); ++t) to[t + 1] = to[t] + s.counts[t];
  written_on_host(start, name);
  return start;
}

Walk walk_of(Cell cell, const Sequences& s, const Tensor& start, const Tensor& y) {
  return {start.elements<int64_t>(),
          y.sizes()[0],
          static_cast<int64_t>(s.counts.size()),
          s.batch(),
          y.sizes()[1],
          blocks_of(cell),
          cell,
          s.reverse};
}

template <class T> T* elements_or_null(const Tensor& t) { return t.defined() ? t.elements<T>() : nullptr; }
Tensor plain(const Tensor& t) { return t.defined() ? contiguous_of(t) : t; }

}  // namespace

LayerValues recurrent_layer(Cell cell, const char* name, const Sequences& s, const Tensor& gx, const Tensor& h_0,
                            const Tensor& c_0, const Tensor& w_hh, const Tensor& b_hh, bool for_rule) {
  const Tensor h = contiguous_of(h_0), c = plain(c_0), w = contiguous_of(w_hh), bias = plain(b_hh);
  const int64_t rows = gx.sizes()[0], hidden = h.sizes()[1];
  const bool plain_rnn = cell == Cell::rnn_tanh || cell == Cell::rnn_relu;
  LayerValues v;
  v.y = plain_rnn ? gx : new_tensor({rows, hidden}, gx.dtype());
  if (cell == Cell::lstm) v.c = new_tensor({rows, hidden}, gx.dtype()), v.gates = gx;
  if (cell == Cell::gru && for_rule) v.gates = new_tensor({rows, 4 * hidden}, gx.dtype());
  const Tensor start = starts(name, s);
  dispatch_floating(name, gx.dtype(), [&]<class T>() {
    Tensor shared;
    const Shared<T> by_h = shared_weight<T>(name, w, true, s.batch(), static_cast<int64_t>(s.counts.size()), shared);
    launch(
        name, LaunchKind::gemm, {&v.y, &v.c, v.gates.defined() ? &v.gates : &gx}, {&gx, &h, &c, &shared, &bias, &start},
        Forward<T>{walk_of(cell, s, start, v.y), by_h, gx.elements<T>(), elements_or_null<T>(v.gates), h.elements<T>(),
                   elements_or_null<T>(c), elements_or_null<T>(bias), v.y.elements<T>(), elements_or_null<T>(v.c)});
  });
  return v;
}

LayerGrads recurrent_layer_backward(Cell cell, const char* name, const Sequences& s, const Tensor& dy, const Tensor& dc,
                                    const LayerValues& v, const Tensor& h_0, const Tensor& c_0, const Tensor& w_hh,
                                    bool to_start) {
  const Tensor h = contiguous_of(h_0), c = plain(c_0), w = contiguous_of(w_hh), by_y = plain(dy), by_c = plain(dc);
  const int64_t rows = v.y.sizes()[0], hidden = h.sizes()[1];
  LayerGrads d;
  d.dgx = new_tensor({rows, blocks_of(cell) * hidden}, v.y.dtype());
  d.dgh = cell == Cell::gru ? new_like(d.dgx) : d.dgx;
  d.dh_0 = new_like(h);
  if (cell == Cell::lstm) d.dc_0 = new_like(c);
  const Tensor start = starts(name, s);
  dispatch_floating(name, v.y.dtype(), [&]<class T>() {
    Tensor shared;
    const int64_t products = static_cast<int64_t>(s.counts.size()) - (to_start ? 0 : 1);
    const Shared<T> by_gates = shared_weight<T>(name, w, false, s.batch(), products, shared);
    launch(name, LaunchKind::gemm, {&d.dgx, &d.dgh, &d.dh_0, &d.dc_0},
           {&by_y, &by_c, &v.gates, &v.y, &v.c, &h, &c, &shared, &start},
           Backward<T>{walk_of(cell, s, start, v.y), by_gates, elements_or_null<T>(by_y), elements_or_null<T>(by_c),
                       elements_or_null<T>(v.gates), v.y.elements<T>(), elements_or_null<T>(v.c), h.elements<T>(),
                       elements_or_null<T>(c), d.dgx.elements<T>(), d.dgh.elements<T>(), d.dh_0.elements<T>(),
                       elements_or_null<T>(d.dc_0), to_start});
  });
  if (!to_start) d.dh_0 = Tensor();
  return d;
}

}  // namespace tapegrad::kernels

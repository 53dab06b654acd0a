// One step of the gated cells, row by row.
#include "tapegrad/ops/kernels/recurrent.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/map_row.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 16384;  // hidden units worth a second thread

// row(r) for each example.
template <class Row>
void for_rows(const char* name, const Tensor& state, std::initializer_list<const Tensor*> outputs,
              std::initializer_list<const Tensor*> inputs, const Row& row) {
  const int64_t rows = state.sizes()[0], grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, state.sizes()[1]));
  launch(name, LaunchKind::other, outputs, inputs, BySimd{[=] {
           parallel_for(0, rows, grain, [&row](int64_t first, int64_t last) {
             for (int64_t r = first; r < last; ++r) row(r);
           });
         }});
}

}  // namespace

std::array<Tensor, 3> lstm_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& c) {
  const Tensor x = contiguous_of(gx), s = contiguous_of(gh), old = contiguous_of(c);
  const Tensor h_new = new_like(old), c_new = new_like(old), gates = new_like(s);
  dispatch_floating(name, c.dtype(), [&]<class T>() {
    for_rows(name, c, {&h_new, &c_new, &gates}, {&x, &s, &old},
             [hidden = c.sizes()[1], gx = x.elements<T>(), gh = s.elements<T>(), c = old.elements<T>(),
              to = gates.elements<T>(), c_to = c_new.elements<T>(), h_to = h_new.elements<T>()](int64_t r) {
               const int64_t at = r * hidden;
               map_row(simd::Map::add, 4 * hidden, to + 4 * at, gx + 4 * at, gh + 4 * at);
               simd::floating<T>(simd::table()).lstm(to + 4 * at, c + at, c_to + at, h_to + at, hidden);
             });
  });
  return {h_new, c_new, gates};
}

std::array<Tensor, 2> lstm_gates_backward(const char* name, const Tensor& dh, const Tensor& dc_new, const Tensor& gates,
                                          const Tensor& c, const Tensor& c_new) {
  const Tensor by_h = contiguous_of(dh), by_c = dc_new.defined() ? contiguous_of(dc_new) : dc_new;
  const Tensor v = contiguous_of(gates), old = contiguous_of(c), now = contiguous_of(c_new);
  const Tensor dgates = new_like(v), dc = new_like(old);
  dispatch_floating(name, c.dtype(), [&]<class T>() {
    for_rows(name, c, {&dgates, &dc}, {&by_h, &by_c, &v, &old, &now},
             [hidden = c.sizes()[1], dh = by_h.elements<T>(), dc = by_c.defined() ? by_c.elements<T>() : nullptr,
              v = v.elements<T>(), c = old.elements<T>(), c_new = now.elements<T>(), to = dgates.elements<T>(),
              c_to = dc.elements<T>()](int64_t r) {
               const int64_t at = r * hidden;
               simd::floating<T>(simd::table())
                   .lstm_backward(dh + at, dc ? dc + at : nullptr, v + 4 * at, c + at, c_new + at, to + 4 * at,
                                  c_to + at, hidden);
             });
  });
  return {dgates, dc};
}

std::array<Tensor, 2> gru_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& h) {
  const Tensor x = contiguous_of(gx), s = contiguous_of(gh), old = contiguous_of(h);
  const Tensor h_new = new_like(old), gates = new_like(s);
  dispatch_floating(name, h.dtype(), [&]<class T>() {
    for_rows(name, h, {&h_new, &gates}, {&x, &s, &old},
             [hidden = h.sizes()[1], gx = x.elements<T>(), gh = s.elements<T>(), h = old.elements<T>(),
              to = gates.elements<T>(), h_to = h_new.elements<T>()](int64_t r) {
               const int64_t at = r * hidden;
               simd::floating<T>(simd::table()).gru(gx + 3 * at, gh + 3 * at, h + at, to + 3 * at, h_to + at, hidden);
             });
  });
  return {h_new, gates};
}

std::array<Tensor, 3> gru_gates_backward(const char* name, const Tensor& dh_new, const Tensor& gates, const Tensor& gh,
                                         const Tensor& h) {
  const Tensor dy = contiguous_of(dh_new), v = contiguous_of(gates), s = contiguous_of(gh), old = contiguous_of(h);
  const Tensor dgx = new_like(s), dgh = new_like(s), dh = new_like(old);
  dispatch_floating(name, h.dtype(), [&]<class T>() {
    for_rows(
        name, h, {&dgx, &dgh, &dh}, {&dy, &v, &s, &old},
        [hidden = h.sizes()[1], dy = dy.elements<T>(), v = v.elements<T>(), gh = s.elements<T>(), h = old.elements<T>(),
         x_to = dgx.elements<T>(), s_to = dgh.elements<T>(), h_to = dh.elements<T>()](int64_t r) {
          const int64_t at = r * hidden;
          simd::floating<T>(simd::table())
              .gru_backward(dy + at, v + 3 * at, gh + 3 * at + 2 * hidden, h + at, x_to + 3 * at, s_to + 3 * at,
                            h_to + at, hidden);
        });
  });
  return {dgx, dgh, dh};
}

}  // namespace tapegrad::kernels

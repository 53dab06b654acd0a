// Triangles: rows with a part of them cleared.
#include "tapegrad/ops/kernels/triangle.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"

namespace tapegrad::kernels {
namespace {

// Where the kept part of row i begins and ends.
struct Kept {
  int64_t cols, diagonal;
  bool upper;
  int64_t begin(int64_t i) const { return upper ? bound(i) : 0; }
  int64_t end(int64_t i) const { return upper ? cols : bound(i); }

 private:
  // The first column that is (upper) or is not (lower) within the triangle; diagonal is at most a few sizes away.
  int64_t bound(int64_t i) const { return std::clamp<int64_t>(i + diagonal + !upper, 0, cols); }
};

Kept kept_of(const Tensor& x, int64_t diagonal, bool upper) {
  const int64_t rows = x.sizes()[x.dim() - 2], cols = x.sizes()[x.dim() - 1];
  return {cols, std::clamp(diagonal, -rows - 1, cols + 1), upper};
}

}  // namespace

void clear_triangle(const char* name, const Tensor& x, int64_t diagonal, bool upper) {
  if (x.numel() == 0) return;
  const Kept kept = kept_of(x, diagonal, upper);
  const int64_t last = x.dim() - 1;
  // One step of the loop is one matrix of the batch.
  Shape sizes = x.sizes(), strides = x.strides();
  const int64_t rows = sizes[last - 1], row_stride = strides[last - 1], stride = strides[last];
  sizes.resize(last - 1);
  strides.resize(last - 1);
  StridedLoop<1> batch(sizes);
  batch.operand(0, alias(x, sizes, strides, 0));
  batch.prepare();
  dispatch(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&x}, {&x}, [batch, kept, rows, row_stride, stride] {
      const auto matrices = [&](char* const* at, const int64_t* step, int64_t n) {
        for (int64_t m = 0; m < n * rows; ++m) {
          const int64_t i = m % rows;
          T* row = reinterpret_cast<T*>(at[0] + m / rows * step[0]) + i * row_stride;
          for (int64_t j = 0; j < kept.begin(i); ++j) row[j * stride] = T(0);
          for (int64_t j = kept.end(i); j < kept.cols; ++j) row[j * stride] = T(0);
        }
      };
      batch.run(matrices, std::max<int64_t>(1, kParallelGrain / (rows * kept.cols)));
    });
  });
}

Tensor triangle(const char* name, const Tensor& x, int64_t diagonal, bool upper) {
  const Tensor from = contiguous_of(x);
  const Tensor y = new_tensor(x.sizes(), x.dtype());
  if (x.numel() == 0) return y;
  const Kept kept = kept_of(x, diagonal, upper);
  const int64_t rows = x.sizes()[x.dim() - 2];
  dispatch(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from},
           [kept, rows, all = x.numel() / kept.cols, src = from.elements<T>(), dst = y.elements<T>()] {
             const int64_t grain = std::max<int64_t>(1, kParallelGrain / kept.cols);
             parallel_for(0, all, grain, [=](int64_t first, int64_t last) {
               for (int64_t row = first; row < last; ++row) {
                 const int64_t begin = kept.begin(row % rows), end = std::max(begin, kept.end(row % rows));
                 const T* x_row = src + row * kept.cols;
                 T* y_row = dst + row * kept.cols;
                 std::fill(y_row, y_row + begin, T(0));
                 std::copy(x_row + begin, x_row + end, y_row + begin);
                 std::fill(y_row + end, y_row + kept.cols, T(0));
               }
             });
           });
  });
  return y;
}

}  // namespace tapegrad::kernels

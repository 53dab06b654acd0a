// The margin loss of several classes per row, with its derivatives, in one pass.
#include "tapegrad/ops/kernels/multilabel.h"

#include <algorithm>
#include <vector>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kWork = 32768;  // terms worth a second thread

template <class T> struct MultilabelMargin {
  const char* name;
  int64_t rows, classes;
  const T* x;
  const int64_t* target;
  T *y, *slopes;

  void check() const {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t k = 0; k < classes && target[row * classes + k] != -1; ++k) {
        const int64_t c = target[row * classes + k];
        if (c < 0 || c >= classes)
          throw IndexError(std::string(name) + ": class indices must lie in [0, " + std::to_string(classes) +
                           "), with -1 behind the last, got " + std::to_string(c) + " at [" + std::to_string(row) +
                           ", " + std::to_string(k) + "]");
      }
    }
  }

  void row(int64_t i, std::vector<char>& named) const {
    const T* const scores = x + i * classes;
    const int64_t* const first = target + i * classes;
    const int64_t* const last = std::find(first, first + classes, -1);
    T* const dx = slopes + i * classes;
    std::fill_n(dx, classes, T{0});
    std::fill(named.begin(), named.end(), char{0});
    for (const int64_t* t = first; t != last; ++t) named[static_cast<size_t>(*t)] = 1;
    double total = 0;
    for (const int64_t* t = first; t != last; ++t) {
      for (int64_t c = 0; c < classes; ++c) {
        const T short_by = 1 - scores[*t] + scores[c];
        if (named[static_cast<size_t>(c)] || short_by <= 0) continue;
        total += static_cast<double>(short_by);
        dx[*t] -= 1;  // whole numbers first
        dx[c] += 1;
      }
    }
    for (int64_t c = 0; c < classes; ++c) dx[c] /= static_cast<T>(classes);
    y[i] = static_cast<T>(total / static_cast<double>(classes));
  }

  void operator()() const {
    check();
    parallel_for(0, rows, std::max<int64_t>(1, kWork / (classes * classes + 1)), [&](int64_t begin, int64_t end) {
      std::vector<char> named(static_cast<size_t>(classes));
      for (int64_t i = begin; i < end; ++i) row(i, named);
    });
  }
};

}  // namespace

Tensor multilabel_margin(const char* name, const Tensor& x, const Tensor& target, const Tensor& slopes) {
  const Tensor from = contiguous_of(x), classes = contiguous_of(target), y = new_tensor(x.sizes()[0], x.dtype());
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y, &slopes}, {&from, &classes},
           MultilabelMargin<T>{name, x.sizes()[0], x.sizes()[1], from.elements<T>(), classes.elements<int64_t>(),
                               y.elements<T>(), slopes.elements<T>()});
  });
  return y;
}

}  // namespace tapegrad::kernels

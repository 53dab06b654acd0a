// N-ary strided iteration: turns any layouts of N operands into as few and as long inner runs as they allow.
#pragma once

#include <algorithm>

#include "tapegrad/core/parallel.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Elements a thread takes at least: operands that fit one core's L2 are not worth a parallel region.
inline constexpr int64_t kParallelGrain = 131072;

// N operands over one index space. Dims are ordered by the strides of operand 0, joined where all operands allow.
template <int N> class StridedLoop {
 public:
  // sizes: the index space; add operands in order. An operand with fewer dims, or size 1, is broadcast.
  explicit StridedLoop(const Shape& sizes) : rank_(static_cast<int>(sizes.size())) {
    for (int d = 0; d < rank_; ++d) {
      sizes_[d] = sizes[d];
      numel_ *= sizes[d];
    }
  }
  void operand(int k, const Tensor& t) {
    const TensorImpl& s = t.state();
    data_[k] = s.data;
    const int missing = rank_ - static_cast<int>(s.sizes.size());
    for (int d = 0; d < rank_; ++d) {
      const bool here = d >= missing && s.sizes[d - missing] != 1;
      strides_[d][k] = here ? s.strides[d - missing] * item_size(s.dtype) : 0;
    }
  }
  void prepare() {
    order();
    join();
  }
  int64_t numel() const { return numel_; }
  // After prepare(): dims that are left, and what operand k is.
  int rank() const { return rank_; }
  int64_t size(int d) const { return sizes_[d]; }
  int64_t stride(int d, int k) const { return strides_[d][k]; }
  char* data(int k) const { return data_[k]; }
  // For a kept launch; call after prepare(). `item`: bytes of an element of operand 0.
  template <class Walk> void describe(Walk& w, int64_t item) const {
    w.operands = N;
    w.rank = std::max(rank_, 1);
    w.size[0] = 1;
    std::fill_n(w.stride[0], N, 0);
    for (int d = 0; d < rank_; ++d) {
      w.size[d] = sizes_[d];
      std::copy_n(strides_[d], N, w.stride[d]);
    }
    std::copy_n(data_, N, w.data);
    w.item = item;
  }

  // inner(char* const* data, const int64_t* strides, int64_t n) for every run; on several threads when there is work.
  template <class Inner> void run(const Inner& inner, int64_t grain = kParallelGrain) const {
    if (numel_ == 0) return;
    if (rank_ <= 1) {
      parallel_for(0, rank_ ? sizes_[0] : 1, grain, [&](int64_t first, int64_t last) {
        char* at[N];
        for (int k = 0; k < N; ++k) at[k] = data_[k] + (rank_ ? first * strides_[0][k] : 0);
        inner(at, strides_[0], last - first);
      });
      return;
    }
    const int64_t length = sizes_[rank_ - 1];
    parallel_for(0, numel_ / length, std::max<int64_t>(grain / length, 1),
                 [&](int64_t first, int64_t last) { rows(first, last, inner); });
  }

 private:
  template <class Inner> void rows(int64_t first, int64_t last, const Inner& inner) const {
    int64_t index[kMaxRank];
    char* at[N];
    for (int k = 0; k < N; ++k) at[k] = data_[k];
    int64_t rest = first;
    for (int d = rank_ - 2; d >= 0; --d) {
      index[d] = rest % sizes_[d];
      rest /= sizes_[d];
      for (int k = 0; k < N; ++k) at[k] += index[d] * strides_[d][k];
    }
    for (int64_t row = first; row < last; ++row) {
      inner(at, strides_[rank_ - 1], sizes_[rank_ - 1]);
      for (int d = rank_ - 2; d >= 0; --d) {
        for (int k = 0; k < N; ++k) at[k] += strides_[d][k];
        if (++index[d] < sizes_[d]) break;
        for (int k = 0; k < N; ++k) at[k] -= sizes_[d] * strides_[d][k];
        index[d] = 0;
      }
    }
  }

  void swap_dims(int a, int b) {
    std::swap(sizes_[a], sizes_[b]);
    for (int k = 0; k < N; ++k) std::swap(strides_[a][k], strides_[b][k]);
  }

  // Insertion sort, largest stride of the output first; dims it does not move over stay where they are.
  void order() {
    for (int d = 1; d < rank_; ++d) {
      for (int e = d; e > 0 && strides_[e][0] > strides_[e - 1][0] && strides_[e - 1][0] != 0; --e) swap_dims(e, e - 1);
    }
  }

  void join() {
    int out = 0;
    for (int d = 0; d < rank_; ++d) {
      if (sizes_[d] == 1) continue;
      if (out > 0 && joins(out - 1, d)) {
        sizes_[out - 1] *= sizes_[d];
        for (int k = 0; k < N; ++k) strides_[out - 1][k] = strides_[d][k];
        continue;
      }
      sizes_[out] = sizes_[d];
      for (int k = 0; k < N; ++k) strides_[out][k] = strides_[d][k];
      ++out;
    }
    rank_ = out;
  }
  bool joins(int outer, int inner) const {
    for (int k = 0; k < N; ++k) {
      if (strides_[outer][k] != strides_[inner][k] * sizes_[inner]) return false;
    }
    return true;
  }

  int rank_;
  int64_t numel_ = 1;
  int64_t sizes_[kMaxRank > 0 ? kMaxRank : 1];
  int64_t strides_[kMaxRank][N] = {};
  char* data_[N] = {};
};

}  // namespace tapegrad

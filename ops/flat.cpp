// Norms of many tensors in one launch, and scaling them in another.
#include <algorithm>
#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/flat_parts.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad {
namespace {

constexpr int64_t kBlock = 8192;  // elements of one tensor whose term of the norm is found at a stretch

int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

// fn(piece, first element, count, block) for every block, on the threads that are worth it.
template <class Fn> void for_blocks(const FlatTable& table, const Fn& fn) {
  const int64_t grain = table.elements <= kParallelGrain ? table.blocks : kParallelGrain / kBlock;
  parallel_for(0, table.blocks, grain, [&](int64_t first, int64_t last) {
    const FlatTable::Piece* piece = table.pieces.data();
    int64_t before = 0;  // blocks
    for (; before + blocks_of(piece->n) <= first; ++piece) before += blocks_of(piece->n);
    for (int64_t block = first; block < last;) {
      for (int64_t at = (block - before) * kBlock; at < piece->n && block < last; at += kBlock, ++block)
        fn(*piece, at, std::min(kBlock, piece->n - at), block);
      before += blocks_of(piece->n);
      ++piece;
    }
  });
}

template <class T> T* elements(const FlatTable::Piece& piece, int64_t at) { return static_cast<T*>(piece.x) + at; }

struct Norm {
  const FlatTable* table;
  void* norm;
  DType dtype;
  double p;

  void operator()() const {
    const auto& simd = kernels::simd::table();
    const Scratch<double> terms(table->blocks);
    for_blocks(*table, [&](const FlatTable::Piece& piece, int64_t at, int64_t n, int64_t block) {
      terms[block] = piece.dtype == kFloat32 ? simd.f32.norm_term(elements<const float>(piece, at), n, p)
                                             : simd.f64.norm_term(elements<const double>(piece, at), n, p);
    });
    double y = 0;
    if (std::isinf(p)) {
      for (int64_t i = 0; i < table->blocks; ++i) y = terms[i] > y || std::isnan(terms[i]) ? terms[i] : y;
    } else if (table->blocks > 0) {
      simd.join_sums[static_cast<int>(kFloat64)](terms.data(), &y, table->blocks);
    }
    if (p == 2) y = std::sqrt(y);
    if (dtype == kFloat32) *static_cast<float*>(norm) = static_cast<float>(y);
    else *static_cast<double*>(norm) = y;
  }
  KernelNote note() const {
    KernelNote note = kernels::simd_note();
    note.flops = 2 * table->elements;
    return note;
  }
};

struct Scaling {
  const FlatTable* table;
  ClipFactor factor;

  void operator()() const {
    const double by = factor();
    if (by == 1) return;
    const auto& simd = kernels::simd::table();
    for_blocks(*table, [&](const FlatTable::Piece& piece, int64_t at, int64_t n, int64_t) {
      if (piece.dtype == kFloat32) simd.f32.scale(elements<float>(piece, at), n, static_cast<float>(by));
      else simd.f64.scale(elements<double>(piece, at), n, by);
    });
  }
  KernelNote note() const {
    KernelNote note = kernels::simd_note();
    note.flops = table->elements;
    return note;
  }
};

template <class T> double factor_of(const void* norm, double max_norm) {
  const T factor = static_cast<T>(max_norm) / (*static_cast<const T*>(norm) + static_cast<T>(1e-6));
  return factor > 1 ? 1 : static_cast<double>(factor);
}

}  // namespace

void FlatList::clear() {
  table_.pieces.clear();
  table_.elements = table_.blocks = 0;
  tensors_.clear();
}

void FlatList::add(const Tensor& x) {
  const TensorImpl& s = *x.impl();
  if (s.numel == 0) return;
  table_.pieces.push_back({s.data, s.numel, s.dtype});
  table_.elements += s.numel;
  table_.blocks += blocks_of(s.numel);
  tensors_.push_back(&x);
}

bool FlatList::may_overlap() const {
  std::vector<std::pair<const char*, const char*>> ranges;
  for (const FlatTable::Piece& piece : table_.pieces) {
    const char* const at = static_cast<const char*>(piece.x);
    ranges.emplace_back(at, at + piece.n * item_size(piece.dtype));
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) return true;
  }
  return false;
}

double ClipFactor::operator()() const {
  if (!norm) return 1;
  const double max = kept_max_norm ? *kept_max_norm : max_norm;
  return dtype == kFloat32 ? factor_of<float>(norm, max) : factor_of<double>(norm, max);
}

void flat_norm(const FlatList& list, double p, const Tensor& norm) {
  launch_flat("norm", LaunchKind::reduce, Norm{&list.table(), norm.impl()->data, norm.dtype(), p},
              [&](std::vector<const Tensor*>& outputs, std::vector<const Tensor*>& inputs) {
                outputs = {&norm};
                inputs = list.tensors();
              });
}

void flat_scale(const char* name, const FlatList& list, const Tensor& norm, const ClipFactor& factor) {
  if (list.empty()) return;
  launch_flat(name, LaunchKind::other, Scaling{&list.table(), factor},
              [&](std::vector<const Tensor*>& outputs, std::vector<const Tensor*>& inputs) {
                outputs = inputs = list.tensors();
                inputs.push_back(&norm);
              });
  for (const Tensor* x : list.tensors()) x->impl()->storage->bump_version();
}

}  // namespace tapegrad

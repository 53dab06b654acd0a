// Runs fused passes.
#include "tapegrad/autograd/replay/group.h"

#include <algorithm>
#include <set>

#include "tapegrad/core/iterate.h"

namespace tapegrad::autograd::replay {
namespace {

constexpr int64_t kCacheBytes = 32 << 10;  // of the first-level cache

bool same_space(const Walk& a, const Walk& b) {
  return a.rank == b.rank && std::equal(a.size, a.size + a.rank, b.size);
}

// Where a member's operands lie for the elements from `base` on of a run along the last dim.
struct Pointers {
  char* at[kMaxWalkOperands];
  Pointers(const Member& m, const int64_t* offset, int64_t first, char* scratch, int64_t slot_bytes) {
    const Walk& w = m.walk;
    for (int k = 0; k < w.operands; ++k) {
      if (m.slot[k] >= 0) at[k] = scratch + m.slot[k] * slot_bytes;
      else if (w.number_at == k && k > 0) at[k] = const_cast<char*>(w.number);
      else at[k] = w.data[k] + (offset ? offset[k] : 0) + first * w.stride[w.rank - 1][k];
    }
  }
};

}  // namespace

int64_t elements(const Walk& w) {
  int64_t n = 1;
  for (int d = 0; d < w.rank; ++d) n *= w.size[d];
  return n;
}

bool refine(Walk& walk, const Walk& space) {
  if (same_space(walk, space)) return true;
  if (walk.rank != 1 || walk.size[0] != elements(space)) return false;
  int64_t inner = 1;
  int64_t flat[kMaxWalkOperands];
  std::copy_n(walk.stride[0], kMaxWalkOperands, flat);
  for (int d = space.rank - 1; d >= 0; --d) {
    walk.size[d] = space.size[d];
    for (int k = 0; k < walk.operands; ++k) walk.stride[d][k] = flat[k] * inner;
    inner *= space.size[d];
  }
  walk.rank = space.rank;
  return true;
}

int64_t Group::numel() const { return elements(members[0].walk); }

void Group::prepare() {
  if (!sums.empty()) {
    tile_ = sums[0].block;
  } else {
    std::set<const char*> outside;
    for (const Member& m : members) {
      for (int k = 0; k < m.walk.operands; ++k) {
        if (m.slot[k] < 0 && m.walk.stride[m.walk.rank - 1][k] != 0) outside.insert(m.walk.data[k]);
      }
    }
    const int64_t streams = slots + static_cast<int64_t>(outside.size());
    tile_ = kMaxTile;
    while (tile_ > kMinTile && tile_ * streams * members[0].walk.item > kCacheBytes) tile_ /= 2;
  }
  if (slots > 0) scratch_ = std::make_shared<Scratch<char>>(scratch_bytes());
}

void Group::run() const {
  if (!sums.empty()) return run_with_sums();
  if (rank() > 1) return run_rows();
  const int64_t n = numel();
  if (n <= tile_) return run_small();
  if (n <= kParallelGrain) return run_flat(0, n, scratch_ ? scratch_->data() : nullptr, nullptr);
  const int64_t tiles = (n + tile_ - 1) / tile_;
  parallel_for(0, tiles, kParallelGrain / tile_, [&](int64_t first, int64_t last) {
    const Scratch<char> own(scratch_bytes());
    run_flat(first * tile_, std::min(last * tile_, n), own.data(), nullptr);
  });
}

void Group::run_small() const {
  char* const scratch = scratch_ ? scratch_->data() : nullptr;
  const int64_t n = numel();
  for (const Member& m : members) {
    const Pointers p(m, nullptr, 0, scratch, tile_ * 8);
    m.walk.tile(p.at, m.walk.stride[0], n, m.walk.attr);
  }
}

// Elements [first, last) of a space of one dim; the sums of blocks go to block_sums, one row of them per sum.
void Group::run_flat(int64_t first, int64_t last, char* scratch, char* block_sums) const {
  for (int64_t start = first, block = 0; start < last; start += tile_, ++block) {
    const int64_t n = std::min(tile_, last - start);
    for (const Member& m : members) {
      const Pointers p(m, nullptr, start, scratch, tile_ * 8);
      if (m.sum < 0) {
        m.walk.tile(p.at, m.walk.stride[0], n, m.walk.attr);
        continue;
      }
      const SumWalk& sum = sums[static_cast<size_t>(m.sum)];
      sum.rows(p.at[0], block_sums + (m.sum * (sum.piece / sum.block) + block) * sum.item, 1, n, n);
    }
  }
}

// Several dims: row by row along the last, each in tiles.
void Group::run_rows() const {
  const Walk& space = members[0].walk;
  const int64_t length = space.size[space.rank - 1];
  const int64_t pieces = (length + tile_ - 1) / tile_;
  const int64_t grain = std::max<int64_t>(1, kParallelGrain / std::min(length, tile_));
  parallel_for(0, numel() / length * pieces, grain, [&](int64_t first, int64_t last) {
    const Scratch<char> scratch(scratch_bytes());
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t start = piece % pieces * tile_;
      const int64_t n = std::min(tile_, length - start);
      for (const Member& m : members) {
        const Walk& w = m.walk;
        int64_t offset[kMaxWalkOperands] = {};
        int64_t rest = piece / pieces;
        for (int d = w.rank - 2; d >= 0; --d) {
          const int64_t i = rest % w.size[d];
          rest /= w.size[d];
          for (int k = 0; k < w.operands; ++k) offset[k] += i * w.stride[d][k];
        }
        const Pointers p(m, offset, start, scratch.data(), tile_ * 8);
        w.tile(p.at, w.stride[w.rank - 1], n, w.attr);
      }
    }
  });
}

// The sums' own pieces, in the order and with the joins that the sum alone has.
void Group::run_with_sums() const {
  const int64_t n = numel(), piece = sums[0].piece, blocks = piece / sums[0].block;
  const int64_t pieces = (n + piece - 1) / piece;
  const auto count = static_cast<int64_t>(sums.size());
  const Scratch<char> partial(count * pieces * 8);
  parallel_for(0, pieces, std::max<int64_t>(1, kParallelGrain / piece), [&](int64_t first, int64_t last) {
    const Scratch<char> scratch(scratch_bytes()), block_sums(count * blocks * 8);
    for (int64_t i = first; i < last; ++i) {
      const int64_t start = i * piece, end = std::min(n, start + piece);
      run_flat(start, end, scratch.data(), block_sums.data());
      const int64_t used = (end - start + sums[0].block - 1) / sums[0].block;
      for (int64_t s = 0; s < count; ++s) {
        const SumWalk& sum = sums[static_cast<size_t>(s)];
        const char* row = block_sums.data() + s * blocks * sum.item;
        char* dst = partial.data() + s * pieces * 8 + i * sum.item;
        if (used == 1) std::copy_n(row, sum.item, dst);
        else sum.join(row, dst, used);
      }
    }
  });
  for (int64_t s = 0; s < count; ++s) {
    const SumWalk& sum = sums[static_cast<size_t>(s)];
    const char* row = partial.data() + s * pieces * 8;
    if (pieces == 1) std::copy_n(row, sum.item, sum.dst);
    else sum.rows(row, sum.dst, 1, pieces, pieces);
  }
}

}  // namespace tapegrad::autograd::replay

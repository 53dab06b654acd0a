// Turns blocks of a copy in the first-level cache.
#include "tapegrad/core/turned_copy.h"

#include <cstring>

namespace tapegrad {
namespace {

constexpr int64_t kLine = 64;        // of the source, read as a whole: a block has so many bytes of its rows
constexpr int64_t kRowBytes = 256;   // and so many of those of the destination
constexpr int64_t kFewLines = 8;     // that may share a set of the cache
constexpr int64_t kAliasing = 1024;  // more lines do when they are a multiple of this apart
constexpr int64_t kCacheBytes = 32 << 10, kSecondCacheBytes = 512 << 10;
constexpr int64_t kMinRows = 4, kMinPlane = 64;  // elements

template <class T> struct Square {
  static constexpr int B = 16 / sizeof(T);
  using Vec [[gnu::vector_size(16)]] = T;
  using Lanes = std::make_integer_sequence<int, B>;

  // The lanes of a and b in turn, from lane `first` on.
  template <int first, int... I> static Vec zip(Vec a, Vec b, std::integer_sequence<int, I...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, (first + I / 2 + I % 2 * B)...);
#else
    return __builtin_shuffle(a, b, Vec{T(first + I / 2 + I % 2 * B)...});
#endif
  }

  // B rows of B elements: each round is a perfect shuffle of the whole square, log2(B) of them turn it.
  static void turn(const char* from, int64_t from_row, char* to, int64_t to_row) {
    Vec a[B], b[B];
#pragma GCC unroll 16
    for (int i = 0; i < B; ++i) std::memcpy(&a[i], from + i * from_row, 16);
#pragma GCC unroll 4
    for (int round = 1; round < B; round *= 2) {
#pragma GCC unroll 8
      for (int i = 0; i < B / 2; ++i) {
        b[2 * i] = zip<0>(a[i], a[i + B / 2], Lanes());
        b[2 * i + 1] = zip<B / 2>(a[i], a[i + B / 2], Lanes());
      }
#pragma GCC unroll 16
      for (int i = 0; i < B; ++i) a[i] = b[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < B; ++i) std::memcpy(to + i * to_row, &a[i], 16);
  }
};

// Element by element; so few of the source's rows at a time that their lines stay.
template <class T>
void turn_singly(const char* from, int64_t from_row, int64_t step, char* to, int64_t to_row, int64_t rows,
                 int64_t cols) {
  constexpr int64_t S = sizeof(T), kStrip = 16;
  const auto one = [=](int64_t i, int64_t j) {
    std::memcpy(to + i * to_row + j * S, from + j * from_row + i * step, S);
  };
  if (rows < cols) {
    for (int64_t first = 0; first < cols; first += kStrip)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = first; j < std::min(first + kStrip, cols); ++j) one(i, j);
  } else {
    for (int64_t j = 0; j < cols; ++j)
      for (int64_t i = 0; i < rows; ++i) one(i, j);
  }
}

// to[i * to_row + j * sizeof(T)] = from[j * from_row + i * step], in bytes.
template <class T>
void turn(const char* from, int64_t from_row, int64_t step, char* to, int64_t to_row, int64_t rows, int64_t cols) {
  constexpr int64_t S = sizeof(T), B = Square<T>::B;
  if (step != S || rows < B || cols < B) return turn_singly<T>(from, from_row, step, to, to_row, rows, cols);
  // The last squares overlap those before.
  for (int64_t j = 0; j < cols; j += B) {
    const int64_t c = std::min(j, cols - B);
    for (int64_t i = 0; i < rows; i += B) {
      const int64_t r = std::min(i, rows - B);
      Square<T>::turn(from + c * from_row + r * S, from_row, to + r * to_row + c * S, to_row);
    }
  }
}

using Turn = void (*)(const char*, int64_t, int64_t, char*, int64_t, int64_t, int64_t);
Turn turn_of(int64_t item) {
  return item == 8 ? turn<uint64_t> : item == 4 ? turn<uint32_t> : item == 2 ? turn<uint16_t> : turn<uint8_t>;
}

}  // namespace

int TurnedCopy::source_dim(const StridedLoop<2>& loop) {
  const int last = loop.rank() - 1;
  int dim = last;
  for (int d = 0; d < last; ++d) {
    if (loop.stride(d, 1) > 0 && loop.stride(d, 1) < loop.stride(dim, 1)) dim = d;
  }
  if (dim == last || loop.size(dim) < kMinRows || loop.size(dim) * loop.size(last) < kMinPlane) return -1;
  return dim;
}

TurnedCopy::TurnedCopy(const StridedLoop<2>& loop, int source_dim, Walk::Tile tile, DType to, DType from)
    : loop_(loop),
      tile_(tile),
      item_(item_size(to)),
      from_item_(item_size(from)),
      row_dim_(source_dim),
      col_dim_(loop.rank() - 1) {
  const int64_t rows = loop.size(row_dim_), cols = loop.size(col_dim_);
  block_rows_ = std::min(rows, kLine / from_item_);
  block_cols_ = std::min(cols, kRowBytes / from_item_);
  down_ = (rows + block_rows_ - 1) / block_rows_;
  per_plane_ = down_ * ((cols + block_cols_ - 1) / block_cols_);
  direct_ = to == from && loop.stride(col_dim_, 0) == item_ && rows * cols * item_ <= kSecondCacheBytes &&
            (block_rows_ <= kFewLines || loop.stride(row_dim_, 0) % kAliasing != 0);
}

// In a fused pass only what fits the first-level cache, where order does not matter much.
bool TurnedCopy::walk(Walk& w) const {
  w.tile = tile_;
  loop_.describe(w, item_);
  return loop_.numel() * std::max(item_, from_item_) <= kCacheBytes;
}

void TurnedCopy::operator()() const {
  const int64_t planes = loop_.numel() / (loop_.size(row_dim_) * loop_.size(col_dim_));
  const int64_t grain = std::max<int64_t>(1, kParallelGrain / (block_rows_ * block_cols_));
  parallel_for(0, planes * per_plane_, grain, [this](int64_t first, int64_t last) { blocks(first, last); });
}

// Blocks are counted down the rows first, where the source's next lines are, then along them, then over the other dims.
void TurnedCopy::blocks(int64_t first, int64_t last) const {
  alignas(kLine) char turned[kLine * kRowBytes];
  for (int64_t b = first; b < last;) {
    int64_t rest = b / per_plane_;
    const int64_t begin = rest * per_plane_, end = std::min(last, begin + per_plane_);
    char* to = loop_.data(0);
    const char* from = loop_.data(1);
    for (int d = col_dim_ - 1; d >= 0 && rest > 0; --d) {
      if (d == row_dim_) continue;
      to += rest % loop_.size(d) * loop_.stride(d, 0);
      from += rest % loop_.size(d) * loop_.stride(d, 1);
      rest /= loop_.size(d);
    }
    for (; b < end; ++b) {
      const int64_t i = (b - begin) % down_ * block_rows_, j = (b - begin) / down_ * block_cols_;
      block(from + i * loop_.stride(row_dim_, 1) + j * loop_.stride(col_dim_, 1),
            to + i * loop_.stride(row_dim_, 0) + j * loop_.stride(col_dim_, 0),
            std::min(block_rows_, loop_.size(row_dim_) - i), std::min(block_cols_, loop_.size(col_dim_) - j), turned);
    }
  }
}

void TurnedCopy::block(const char* from, char* to, int64_t rows, int64_t cols, char* turned) const {
  const int64_t to_row = loop_.stride(row_dim_, 0), step = loop_.stride(row_dim_, 1),
                from_row = loop_.stride(col_dim_, 1);
  const Turn turn = turn_of(from_item_);
  if (direct_) return turn(from, from_row, step, to, to_row, rows, cols);
  const int64_t stride[] = {loop_.stride(col_dim_, 0), from_item_}, turned_row = cols * from_item_;
  turn(from, from_row, step, turned, turned_row, rows, cols);
  char* at[] = {to, turned};
  if (to_row == cols * stride[0]) return tile_(at, stride, rows * cols, nullptr);
  for (int64_t r = 0; r < rows; ++r, at[0] += to_row, at[1] += turned_row) tile_(at, stride, cols, nullptr);
}

}  // namespace tapegrad

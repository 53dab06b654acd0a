// What an index expression means, element by element, and random ones to hold the library against.
#pragma once

#include <random>

#include "tapegrad/tapegrad.h"

namespace indexing_model {

using namespace tapegrad;
using namespace tapegrad::indexing;

using Ints = std::vector<int64_t>;

inline int64_t count_of(const Ints& sizes) {
  int64_t n = 1;
  for (int64_t size : sizes) n *= size;
  return n;
}

// Element i of a row-major list of sizes, by dim.
inline Ints position(int64_t i, const Ints& sizes) {
  Ints at(sizes.size());
  for (size_t d = sizes.size(); d-- > 0;) {
    at[d] = i % sizes[d];
    i /= sizes[d];
  }
  return at;
}

// What one entry of an index list does: an axis of the result (which element of x's dim stands at each place), or an
// index tensor over x's dim. A dim of x for each, or none (None, a bool).
struct Part {
  enum { Axis, Advanced } kind;
  int64_t dim;  // of x, -1: none
  Ints sizes;   // of the axis, or of the index tensor
  Ints values;  // element of the dim
};

// What an index expression means, worked out part by part and element by element.
struct Model {
  Ints sizes;                // of x
  std::vector<Part> parts;   // in order
  Ints fixed;                // per dim of x: an integer's element, or -1
  bool broadcasts = true;    // whether the index tensors do
  Ints index_sizes, result;  // their common shape; the shape of the result
  Ints source;               // element of x for every element of the result

  void work_out() {
    size_t first = parts.size(), last = 0, advanced = 0;
    for (size_t p = 0; p < parts.size(); ++p) {
      if (parts[p].kind != Part::Advanced) continue;
      first = std::min(first, p);
      last = p;
      ++advanced;
      broaden(parts[p].sizes);
    }
    if (!broadcasts) return;
    const bool adjacent = advanced > 0 && last - first + 1 == advanced;
    if (advanced > 0 && !adjacent) result = index_sizes;
    size_t front = 0;  // where the index's dims begin
    std::vector<size_t> axis_place(parts.size());
    for (size_t p = 0; p < parts.size(); ++p) {
      if (adjacent && p == first) {
        front = result.size();
        result.insert(result.end(), index_sizes.begin(), index_sizes.end());
      }
      if (parts[p].kind != Part::Axis) continue;
      axis_place[p] = result.size();
      result.push_back(parts[p].sizes[0]);
    }
    for (int64_t i = 0; i < count_of(result); ++i) {
      const Ints at = position(i, result);
      Ints from = fixed;
      for (size_t p = 0; p < parts.size(); ++p) {
        if (parts[p].dim < 0) continue;
        const auto dim = static_cast<size_t>(parts[p].dim);
        if (parts[p].kind == Part::Axis) {
          from[dim] = parts[p].values[static_cast<size_t>(at[axis_place[p]])];
        } else {
          from[dim] = parts[p].values[static_cast<size_t>(place_in(parts[p].sizes, at, front))];
        }
      }
      int64_t element = 0;
      for (size_t d = 0; d < sizes.size(); ++d) element = element * sizes[d] + from[d];
      source.push_back(element);
    }
  }

 private:
  void broaden(const Ints& other) {
    Ints both(std::max(index_sizes.size(), other.size()), 1);
    for (size_t i = 1; i <= both.size(); ++i) {
      const int64_t a = i <= index_sizes.size() ? index_sizes[index_sizes.size() - i] : 1;
      const int64_t b = i <= other.size() ? other[other.size() - i] : 1;
      if (a != b && a != 1 && b != 1) broadcasts = false;
      both[both.size() - i] = a == 1 ? b : a;
    }
    index_sizes = both;
  }
  // Row-major place in an index tensor of `own` sizes, broadcast, at the index's part of `at`.
  int64_t place_in(const Ints& own, const Ints& at, size_t front) const {
    int64_t place = 0;
    const size_t missing = index_sizes.size() - own.size();
    for (size_t d = 0; d < own.size(); ++d) place = place * own[d] + (own[d] == 1 ? 0 : at[front + missing + d]);
    return place;
  }
};

// A random index expression for x of random sizes: the library's form and the model's.
struct Expression {
  std::mt19937 random;
  Model model;
  std::vector<TensorIndex> indices;
  std::string text;

  explicit Expression(unsigned seed) : random(seed) {
    const int64_t rank = below(5);
    for (int64_t d = 0; d < rank; ++d) model.sizes.push_back(below(12) == 0 ? 0 : 1 + below(4));
    model.fixed.assign(model.sizes.size(), -1);
    wide_ = 1 + below(3);
    const int64_t named = below(rank + 1);
    int64_t ellipsis_at = below(3) == 0 ? below(named + 1) : named + 1;
    bool ellipsis = false;
    while (dim_ < rank) {
      if (!ellipsis && dim_ >= ellipsis_at) {
        // "..." stands for all but the last few dims.
        const int64_t rest = below(rank - dim_ + 1);
        indices.push_back(TensorIndex("..."));
        text += " ...";
        whole_dims(rest);
        ellipsis = true;
        ellipsis_at = rank;
        continue;
      }
      if (!ellipsis && dim_ >= named) break;
      entry();
    }
    while (below(4) == 0) entry_without_dim();
    whole_dims(rank - dim_);
    model.work_out();
  }

 private:
  int64_t dim_ = 0, wide_ = 1;

  int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); }
  int64_t size() const { return model.sizes[static_cast<size_t>(dim_)]; }
  void add(TensorIndex index, const std::string& name) {
    indices.push_back(std::move(index));
    text += " " + name;
  }

  void whole_dims(int64_t count) {
    for (; count > 0; --count, ++dim_) {
      Part part{Part::Axis, dim_, {size()}, {}};
      for (int64_t i = 0; i < size(); ++i) part.values.push_back(i);
      model.parts.push_back(part);
    }
  }

  void entry() {
    switch (below(8)) {
      case 0: return entry_without_dim();
      case 1:
      case 2: return slice();
      case 3: return integer();
      case 4: return mask();
      default: return numbers();
    }
  }

  void entry_without_dim() {
    if (below(2) == 0) {
      add(None, "None");
      model.parts.push_back({Part::Axis, -1, {1}, {0}});
      return;
    }
    const bool value = below(5) != 0;
    if (below(2) == 0) add(value, value ? "true" : "false");
    else add(full({}, value, kBool), value ? "tensor(true)" : "tensor(false)");
    model.parts.push_back({Part::Advanced, -1, {value}, Ints(value, 0)});
  }

  void slice() {
    const auto bound = [this]() -> std::optional<int64_t> {
      if (below(3) == 0) return {};
      return below(2 * size() + 3) - size() - 1;
    };
    Slice s;
    s.start = bound();
    s.stop = bound();
    if (below(2)) s.step = 1 + below(3);
    const auto clamped = [this](int64_t i) { return std::min(std::max<int64_t>(i < 0 ? i + size() : i, 0), size()); };
    Part part{Part::Axis, dim_, {0}, {}};
    for (int64_t i = clamped(s.start.value_or(0)); i < clamped(s.stop.value_or(size())); i += s.step.value_or(1))
      part.values.push_back(i);
    part.sizes[0] = static_cast<int64_t>(part.values.size());
    add(s, "slice");
    model.parts.push_back(part);
    ++dim_;
  }

  void integer() {
    if (size() == 0) return slice();
    const int64_t i = below(size());
    const int64_t given = below(2) ? i : i - size();
    if (below(2)) add(given, std::to_string(given));
    else add(full({}, given, below(2) ? kInt64 : kInt32), "tensor(" + std::to_string(given) + ")");
    model.fixed[static_cast<size_t>(dim_++)] = i;
  }

  void numbers() {
    const std::vector<Ints> shapes{{wide_}, {1}, {2, wide_}, {2, 1}, {1, wide_}, {0}};
    Ints shape = shapes[static_cast<size_t>(below(24) == 0 ? 5 : below(5))];
    if (size() == 0) shape = {0};
    Part part{Part::Advanced, dim_, shape, {}};
    Ints given;
    for (int64_t i = 0; i < count_of(shape); ++i) {
      part.values.push_back(below(size()));
      given.push_back(below(2) ? part.values.back() : part.values.back() - size());
    }
    add(tapegrad::tensor(given).view(shape).to(below(2) ? kInt64 : kInt32), "tensor" + to_string(shape));
    model.parts.push_back(part);
    ++dim_;
  }

  void mask() {
    const int64_t covered = std::min<int64_t>(1 + below(2), static_cast<int64_t>(model.sizes.size()) - dim_);
    const Ints shape(model.sizes.begin() + dim_, model.sizes.begin() + dim_ + covered);
    const Tensor m = zeros(shape, below(4) ? kBool : kUInt8);
    std::vector<Part> parts;
    for (int64_t d = 0; d < covered; ++d) parts.push_back({Part::Advanced, dim_ + d, {0}, {}});
    for (int64_t i = 0; i < count_of(shape); ++i) {
      if (below(2)) continue;
      m.view(-1)[i] = 1;
      const Ints at = position(i, shape);
      for (size_t d = 0; d < at.size(); ++d) {
        parts[d].values.push_back(at[d]);
        ++parts[d].sizes[0];
      }
    }
    add(m, "mask" + to_string(shape));
    model.parts.insert(model.parts.end(), parts.begin(), parts.end());
    dim_ += covered;
  }
};

}  // namespace indexing_model

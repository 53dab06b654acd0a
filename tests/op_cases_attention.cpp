// The row of attention, against loops over queries and keys in double.
#include <algorithm>

#include "op_cases.h"
#include "tapegrad/core/philox.h"

namespace op_cases {
namespace {

enum class Mask { none, chosen, added, causal };

struct Options {
  Mask mask = Mask::none;
  double dropped = 0;
  double scale = 0;  // 0: by the size
};

Shape joined(const Shape& front, int64_t rows, int64_t columns) {
  Shape y = front;
  y.push_back(rows);
  y.push_back(columns);
  return y;
}
Shape front_of(const Shape& s) { return Shape(IntArrayRef(s.data(), s.size() - 2)); }
Shape broadcast(const Shape& a, const Shape& b) { return broadcast_shapes(a, b, "reference"); }

// Weight (b, i, j) survives where the first draw of the generator says so.
double survival(int64_t at, double p) {
  if (p == 0) return 1;
  const uint32_t word = philox(kDrawSeed, 0, static_cast<uint64_t>(at) / 4).word[at % 4];
  return word * 0x1p-32 < p ? 0 : 1 / (1 - p);
}

Reference attention(Options o) {
  return [o](const std::vector<Array>& in) {
    const Array &q = in[0], &k = in[1], &v = in[2];
    const int64_t length = q.size(-2), keys = k.size(-2), size = q.size(-1), width = v.size(-1);
    const Shape front = broadcast(broadcast(front_of(q.sizes), front_of(k.sizes)), front_of(v.sizes));
    const Shape queries = joined(front, length, size), of_keys = joined(front, keys, size);
    const Shape values = joined(front, keys, width), scores = joined(front, length, keys);
    const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(size));
    Array y(joined(front, length, width));
    y.magnitude.resize(y.v.size());
    for (int64_t row = 0; row < numel_of(front, "reference") * length; ++row) {
      const int64_t batch = row / length, i = row % length;
      std::vector<double> weight(static_cast<size_t>(keys));
      double total = 0, largest = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double score = 0, terms = 0;
        for (int64_t e = 0; e < size; ++e) {
          const double term = scale * q.at(row * size + e, queries) * k.at((batch * keys + j) * size + e, of_keys);
          score += term, terms += std::abs(term);
        }
        const double mask = o.mask == Mask::chosen || o.mask == Mask::added ? in[3].at(row * keys + j, scores) : 0;
        if (o.mask == Mask::added) score += mask, terms += std::abs(mask);
        const bool out = (o.mask == Mask::chosen && mask == 0) || (o.mask == Mask::causal && j > i);
        weight[static_cast<size_t>(j)] = out ? 0 : std::exp(score);
        total += weight[static_cast<size_t>(j)];
        largest = std::max(largest, terms);
      }
      for (int64_t j = 0; j < keys; ++j) {
        const double w = weight[static_cast<size_t>(j)] / total * survival(row * keys + j, o.dropped);
        for (int64_t c = 0; c < width; ++c) {
          const double term = w * v.at((batch * keys + j) * width + c, values);
          y[row * width + c] += term;
          y.magnitude[static_cast<size_t>(row * width + c)] += std::abs(term) * (1 + 2 * largest);
        }
      }
    }
    return y;
  };
}

Tensor call(const Tensors& in, const Options& o) {
  if (o.dropped > 0) manual_seed(kDrawSeed);
  return scaled_dot_product_attention(in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor(), o.dropped,
                                      o.mask == Mask::causal,
                                      o.scale != 0 ? std::optional<double>(o.scale) : std::nullopt);
}

Case attention_case(const std::string& label, const Shape& q, const Shape& k, const Shape& v, Options o = {},
                    const Shape& mask = {}, std::vector<double> chosen = {}) {
  std::vector<Arg> args{{.sizes = q}, {.sizes = k}, {.sizes = v}};
  if (o.mask == Mask::added) args.push_back({.sizes = mask});
  if (o.mask == Mask::chosen) args.push_back({.sizes = mask, .dtype = kBool, .values = std::move(chosen)});
  return {to_string(q) + " " + to_string(k) + " " + to_string(v) + label, std::move(args),
          [o](const Tensors& in) { return call(in, o); }, attention(o), k[k.size() - 2] + q.back()};
}

std::vector<BadInput> attention_errors() {
  const auto attend = [](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, double p = 0,
                         bool causal = false) {
    return [=] { scaled_dot_product_attention(q, k, v, mask, p, causal); };
  };
  const Tensor x = ones({2, 3, 4});
  const std::string name = "scaled_dot_product_attention: ";
  return {
      bad<ValueError>(attend(x, Tensor(), x), name + "key must be defined, got an undefined tensor (Tensor())"),
      bad<DTypeError>(attend(x, ones({2, 3, 4}, kFloat64), x),
                      name + "query, key and value must be of one floating dtype, got query float32, key float64 and "
                             "value float32"),
      bad<ShapeError>(attend(ones({4}), x, x),
                      name + "query, key and value must have at least two dims, [..., length, size], got query [4], "
                             "key [2, 3, 4] and value [2, 3, 4]"),
      bad<ShapeError>(attend(ones({2, 3, 5}), x, x),
                      name + "query and key must have the same last size, got query [2, 3, 5], key [2, 3, 4] and value "
                             "[2, 3, 4]"),
      bad<ShapeError>(attend(x, x, ones({2, 5, 4})),
                      name + "key and value must have the same length, which is their last size but one, got query "
                             "[2, 3, 4], key [2, 3, 4] and value [2, 5, 4]"),
      bad<ShapeError>(attend(x, x, x, ones({2, 4, 3})),
                      name + "attn_mask must broadcast to the scores, got attn_mask [2, 4, 3] and scores [2, 3, 3]"),
      bad<ShapeError>(attend(x, x, x, ones({5, 2, 3, 3})),
                      name + "attn_mask must broadcast to the scores, got attn_mask [5, 2, 3, 3] and scores [2, 3, 3]"),
      bad<DTypeError>(attend(x, x, x, ones({3, 3}, kInt64)),
                      name + "attn_mask must be bool or of query's dtype, got attn_mask int64 and query float32"),
      bad<ValueError>(attend(x, x, x, ones({3, 3}), 0, true),
                      name + "attn_mask and is_causal exclude each other, got both, attn_mask [3, 3]"),
      bad<ValueError>(attend(x, x, x, {}, 1.5), name + "dropout_p must lie in [0, 1], got 1.500000")};
}

}  // namespace

std::vector<Row> attention_rows() {
  Row row{.name = "scaled_dot_product_attention", .cases = {}};
  const auto add = [&](auto&&... arguments) { row.cases.push_back(attention_case(arguments...)); };
  add("", Shape{3, 2}, Shape{5, 2}, Shape{5, 3});
  add("", Shape{2, 2, 3}, Shape{2, 3, 3}, Shape{2, 3, 2});
  add("", Shape{2, 3, 2, 2}, Shape{2, 3, 3, 2}, Shape{2, 3, 3, 1});
  add(", heads share keys", Shape{2, 2, 2, 3}, Shape{2, 1, 3, 3}, Shape{1, 3, 2});
  add(", no queries", Shape{2, 0, 3}, Shape{2, 3, 3}, Shape{2, 3, 2});
  add(", scale", Shape{2, 2, 3}, Shape{2, 3, 3}, Shape{2, 3, 2}, Options{.scale = -0.75});
  add(", causal", Shape{2, 3, 2}, Shape{2, 3, 2}, Shape{2, 3, 2}, Options{.mask = Mask::causal});
  add(", causal", Shape{2, 2}, Shape{4, 2}, Shape{4, 1}, Options{.mask = Mask::causal});
  add(", causal", Shape{4, 2}, Shape{2, 2}, Shape{2, 1}, Options{.mask = Mask::causal});
  add(", bool mask", Shape{2, 2, 2}, Shape{2, 3, 2}, Shape{2, 3, 2}, Options{.mask = Mask::chosen}, Shape{2, 3},
      std::vector<double>{1, 0, 1, 0, 0, 1});
  add(", bool mask per key", Shape{2, 2, 2, 1}, Shape{2, 2, 3, 1}, Shape{2, 2, 3, 2}, Options{.mask = Mask::chosen},
      Shape{2, 1, 1, 3}, std::vector<double>{1, 1, 0, 0, 1, 0});
  add(", float mask", Shape{2, 2, 2}, Shape{2, 3, 2}, Shape{2, 3, 2}, Options{.mask = Mask::added}, Shape{2, 2, 3});
  add(", float mask", Shape{2, 2, 2, 1}, Shape{2, 2, 3, 1}, Shape{2, 2, 3, 2}, Options{.mask = Mask::added},
      Shape{1, 3});
  add(", dropped", Shape{2, 3, 2}, Shape{2, 5, 2}, Shape{2, 5, 2}, Options{.dropped = 0.4});
  row.bad_inputs = attention_errors();
  row.bench.push_back(
      attention_case(", causal", {8, 4, 64, 32}, {8, 4, 64, 32}, {8, 4, 64, 32}, Options{.mask = Mask::causal}));
  row.bench.back().reference = {};
  row.flops = [](const Tensors& in, const Tensor& y) {
    return 2.0 * static_cast<double>(y.numel() + in[0].numel()) * static_cast<double>(in[1].size(-2));
  };
  return {row};
}

}  // namespace op_cases

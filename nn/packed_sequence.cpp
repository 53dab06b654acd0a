// Packing and padding: rows picked out by an index that is worked out on the host.
#include "tapegrad/nn/packed_sequence.h"

#include <algorithm>

#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn::utils::rnn {
namespace {

std::string listed(const std::vector<int64_t>& v) { return to_string(IntArrayRef(v)); }

// x[T, N, ...] as rows [T N, ...], and back.
Tensor as_rows(const Tensor& x) {
  Shape sizes{x.size(0) * x.size(1)};
  for (int64_t d = 2; d < x.dim(); ++d) sizes.push_back(x.size(d));
  return reshape(x, sizes);
}
Tensor as_steps(const Tensor& rows, int64_t steps, int64_t batch) {
  Shape sizes{steps, batch};
  for (int64_t d = 1; d < rows.dim(); ++d) sizes.push_back(rows.size(d));
  return reshape(rows, sizes);
}

void check_lengths(const std::vector<int64_t>& lengths, int64_t steps, int64_t batch, bool enforce_sorted) {
  const std::string op = "pack_padded_sequence: ";
  if (static_cast<int64_t>(lengths.size()) != batch)
    throw ValueError(op + "lengths must be one for each of the " + std::to_string(batch) + " sequences, got " +
                     std::to_string(lengths.size()));
  for (const int64_t length : lengths) {
    if (length < 1 || length > steps)
      throw ValueError(op + "lengths must be from 1 to the " + std::to_string(steps) + " steps of x, got " +
                       listed(lengths));
  }
  if (enforce_sorted && !std::is_sorted(lengths.rbegin(), lengths.rend()))
    throw ValueError(op + "lengths must not grow, got " + listed(lengths) + " (did you mean enforce_sorted = false?)");
}

std::vector<int64_t> lengths_of(const std::vector<int64_t>& batch_sizes) {
  std::vector<int64_t> lengths(static_cast<size_t>(batch_sizes.front()));
  for (const int64_t count : batch_sizes) {
    for (int64_t n = 0; n < count; ++n) ++lengths[static_cast<size_t>(n)];
  }
  return lengths;
}

// One place for each sequence; that each is named once is the business of who made them.
void check_order(const char* name, const Tensor& order, int64_t sequences) {
  if (!order.defined() || (order.dtype() == kInt64 && order.dim() == 1 && order.size(0) == sequences)) return;
  throw ValueError(std::string("PackedSequence: ") + name + " must be int64 [" + std::to_string(sequences) + "], got " +
                   name_of(order.dtype()) + " " + to_string(order.sizes()));
}

}  // namespace

PackedSequence::PackedSequence(Tensor data, std::vector<int64_t> batch_sizes, Tensor sorted_indices,
                               Tensor unsorted_indices)
    : data_(std::move(data)),
      batch_sizes_(std::move(batch_sizes)),
      sorted_indices_(std::move(sorted_indices)),
      unsorted_indices_(std::move(unsorted_indices)) {
  check_defined("PackedSequence", data_, "data");
  const bool falls = std::is_sorted(batch_sizes_.rbegin(), batch_sizes_.rend());
  if (batch_sizes_.empty() || !falls || batch_sizes_.back() < 1)
    throw ValueError("PackedSequence: batch_sizes must be positive and must not grow, got " + listed(batch_sizes_));
  const int64_t rows = data_.dim() == 0 ? 0 : data_.size(0);
  int64_t left = rows;
  for (const int64_t count : batch_sizes_) left = count <= left ? left - count : -1;  // no sum that could overflow
  if (left != 0)
    throw ValueError("PackedSequence: batch_sizes must sum to data's first size, got " + listed(batch_sizes_) +
                     " for data " + to_string(data_.sizes()));
  check_order("sorted_indices", sorted_indices_, batch_sizes_.front());
  check_order("unsorted_indices", unsorted_indices_, batch_sizes_.front());
}

PackedSequence pack_padded_sequence(const Tensor& x, const std::vector<int64_t>& lengths, bool batch_first,
                                    bool enforce_sorted) {
  check_defined("pack_padded_sequence", x, "x");
  if (x.dim() < 2)
    throw ShapeError("pack_padded_sequence: x must have dims of time and batch, got shape " + to_string(x.sizes()));
  const Tensor steps = batch_first ? transpose(x, 0, 1) : x;
  const int64_t batch = steps.size(1);
  if (batch == 0 || steps.size(0) == 0)
    throw ShapeError("pack_padded_sequence: x must have a sequence and a step, got shape " + to_string(x.sizes()));
  check_lengths(lengths, steps.size(0), batch, enforce_sorted);
  const auto length = [&](int64_t n) { return lengths[static_cast<size_t>(n)]; };
  std::vector<int64_t> order, rows, batch_sizes;
  for (int64_t longest = steps.size(0); longest > 0; --longest) {  // equal ones in their order
    for (int64_t n = 0; n < batch; ++n) {
      if (length(n) == longest) order.push_back(n);
    }
  }
  for (int64_t t = 0; t < length(order[0]); ++t) {
    const size_t before = rows.size();
    for (const int64_t n : order) {
      if (length(n) > t) rows.push_back(t * batch + n);
    }
    batch_sizes.push_back(static_cast<int64_t>(rows.size() - before));
  }
  const Tensor data = index_select(as_rows(steps), 0, tensor(rows));
  if (enforce_sorted) return {data, batch_sizes};
  std::vector<int64_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return {data, batch_sizes, tensor(order), tensor(back)};
}

PackedSequence pack_padded_sequence(const Tensor& x, const Tensor& lengths, bool batch_first, bool enforce_sorted) {
  check_defined("pack_padded_sequence", lengths, "lengths");
  if (lengths.dim() != 1 || lengths.is_floating_point() || lengths.dtype() == kBool)
    throw ValueError("pack_padded_sequence: lengths must be a vector of integers, got " + to_string(lengths.sizes()) +
                     " of " + name_of(lengths.dtype()));
  const Tensor whole = contiguous_of(converted(lengths, kInt64));
  const int64_t* const first = whole.data_ptr<int64_t>();
  return pack_padded_sequence(x, std::vector<int64_t>(first, first + whole.numel()), batch_first, enforce_sorted);
}

std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first, double padding_value,
                                               std::optional<int64_t> total_length) {
  const std::vector<int64_t>& counts = sequence.batch_sizes();
  const int64_t longest = static_cast<int64_t>(counts.size()), batch = counts[0];
  const int64_t steps = total_length.value_or(longest);
  if (steps < longest)
    throw ValueError("pad_packed_sequence: total_length must be at least the longest sequence's " +
                     std::to_string(longest) + ", got " + std::to_string(steps));
  // The row of data that comes to each place, or the one of padding behind them. Steps behind the longest are padding whole.
  const int64_t padding = sequence.data().size(0);
  std::vector<int64_t> rows(static_cast<size_t>(longest * batch), padding);
  int64_t row = 0;
  for (int64_t t = 0; t < longest; ++t) {
    for (int64_t n = 0; n < counts[static_cast<size_t>(t)]; ++n) rows[static_cast<size_t>(t * batch + n)] = row++;
  }
  Shape one = sequence.data().sizes();
  one[0] = 1;
  const Tensor data = cat({sequence.data(), filled_tensor(one, sequence.data().dtype(), padding_value)}, 0);
  Tensor y = as_steps(index_select(data, 0, tensor(rows)), longest, batch), lengths = tensor(lengths_of(counts));
  if (sequence.unsorted_indices().defined()) {
    y = index_select(y, 1, sequence.unsorted_indices());
    lengths = index_select(lengths, 0, sequence.unsorted_indices());
  }
  if (steps > longest) {
    Shape rest = y.sizes();
    rest[0] = steps - longest;
    y = cat({y, filled_tensor(rest, y.dtype(), padding_value, "pad_packed_sequence")}, 0);
  }
  return {batch_first ? transpose(y, 0, 1) : y, lengths};
}

Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first, double padding_value) {
  if (sequences.empty()) throw ValueError("pad_sequence: at least one sequence is needed, got none");
  int64_t longest = 0;
  DType dtype = kBool;
  for (const Tensor& x : sequences) {
    check_defined("pad_sequence", x, "every sequence");
    dtype = promote_types(dtype, x.dtype());
    bool alike = x.dim() > 0 && x.dim() == sequences[0].dim();
    for (int64_t d = 1; alike && d < x.dim(); ++d) alike = x.size(d) == sequences[0].size(d);
    if (!alike)
      throw ShapeError("pad_sequence: sizes behind the length must be those of the first sequence, got " +
                       to_string(x.sizes()) + " beside " + to_string(sequences[0].sizes()));
    longest = std::max(longest, x.size(0));
  }
  std::vector<Tensor> padded;
  for (const Tensor& x : sequences) {
    Shape rest = x.sizes();
    rest[0] = longest - x.size(0);
    padded.push_back(rest[0] == 0 ? x : cat({x, filled_tensor(rest, dtype, padding_value)}, 0));
  }
  return stack(padded, batch_first ? 0 : 1);
}

PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted) {
  const Tensor x = pad_sequence(sequences);
  std::vector<int64_t> lengths;
  for (const Tensor& sequence : sequences) lengths.push_back(sequence.size(0));
  return pack_padded_sequence(x, lengths, false, enforce_sorted);
}

}  // namespace tapegrad::nn::utils::rnn

// Sequences of different lengths in one tensor, as recurrent layers take them: padded, or packed without the padding.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad::nn::utils::rnn {

// data holds step 0 of every sequence, the longest first, then step 1 of those that have one, and so on: batch_sizes says of how many.
// sorted_indices[i] is where sequence i of that order stood before, unsorted_indices the way back; both are undefined where the order was that one.
class TAPEGRAD_API PackedSequence {
 public:
  // ValueError for batch_sizes that are not positive, that grow, or that do not sum to data's first size, and for indices of another
  // number than there are sequences.
  PackedSequence(Tensor data, std::vector<int64_t> batch_sizes, Tensor sorted_indices = {},
                 Tensor unsorted_indices = {});
  const Tensor& data() const { return data_; }
  const std::vector<int64_t>& batch_sizes() const { return batch_sizes_; }
  const Tensor& sorted_indices() const { return sorted_indices_; }
  const Tensor& unsorted_indices() const { return unsorted_indices_; }
  // The same places with other contents: what a layer makes of data.
  PackedSequence with(const Tensor& data) const {
    return PackedSequence(data, batch_sizes_, sorted_indices_, unsorted_indices_);
  }

 private:
  Tensor data_;
  std::vector<int64_t> batch_sizes_;
  Tensor sorted_indices_, unsorted_indices_;
};

// The first lengths[n] steps of each x[:, n], x [T, N, ...] (batch_first: [N, T, ...]), differentiable. ValueError for lengths that are not
// from 1 to T, one for each n, or that grow while enforce_sorted; without it any order will do.
TAPEGRAD_API PackedSequence pack_padded_sequence(const Tensor& x, const std::vector<int64_t>& lengths,
                                                 bool batch_first = false, bool enforce_sorted = true);
// Lengths in a tensor of integers are read, which a capture refuses.
TAPEGRAD_API PackedSequence pack_padded_sequence(const Tensor& x, const Tensor& lengths, bool batch_first = false,
                                                 bool enforce_sorted = true);
// {x, lengths}: the sequences in their old order, x [T, N, ...] (batch_first: [N, T, ...]) with padding_value behind their ends, T the longest
// one's length or total_length. ValueError for one that is less; one too large is an allocation's OutOfMemoryError or ShapeError.
TAPEGRAD_API std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first = false,
                                                            double padding_value = 0,
                                                            std::optional<int64_t> total_length = {});

// Sequences [length, ...] side by side: [T, N, ...] (batch_first: [N, T, ...]) with padding_value behind the ends of the shorter. dtypes promote,
// as in stack(); PyTorch takes the first one's, which cuts what it does not hold. ValueError for no sequence, ShapeError where sizes behind
// the length differ.
TAPEGRAD_API Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first = false,
                                 double padding_value = 0);
// pad_sequence and pack_padded_sequence in one.
TAPEGRAD_API PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted = true);

}  // namespace tapegrad::nn::utils::rnn

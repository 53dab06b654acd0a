// What data sets of labelled images have in common.
#pragma once

#include "tapegrad/nn/data/dataset.h"

namespace tapegrad::data {

struct ImagesOptions {
  bool scale = true;  // float32 in [0, 1], else uint8 as in the file
};

// Images [N, channels, height, width] and labels [N], int64, all in memory.
template <class Self> class Images : public Dataset<Self> {
 public:
  enum class Mode : uint8_t { kTrain, kTest };

  const Tensor& images() const { return set_.data(); }
  const Tensor& targets() const { return set_.targets(); }
  int64_t size() const { return set_.size(); }
  Example<> get(int64_t i) const { return set_.get(i); }
  Example<> get_batch(IntArrayRef indices) const { return set_.get_batch(indices); }

 protected:
  explicit Images(TensorDataset set) : set_(std::move(set)) {}

 private:
  TensorDataset set_;
};

}  // namespace tapegrad::data

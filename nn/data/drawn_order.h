// Orders that follow from a seed and the number of the pass, and how they are kept between runs.
#pragma once

#include <optional>

#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad::data::samplers {

namespace detail {

// A pass over a list of indices.
class TAPEGRAD_API Order {
 public:
  std::optional<std::vector<int64_t>> next(int64_t batch_size);
  void start(std::vector<int64_t> indices);
  int64_t position() const { return position_; }
  int64_t size() const { return static_cast<int64_t>(indices_.size()); }
  bool started() const { return started_; }
  void go_to(int64_t position) { position_ = position; }

 private:
  std::vector<int64_t> indices_;
  int64_t position_ = 0;
  bool started_ = false;
};

// The seed given, or one drawn from the default generator.
TAPEGRAD_API uint64_t seed_or_draw(const std::optional<uint64_t>& seed);

// What samplers share that draw an order for every pass from a seed and the number of the pass.
class TAPEGRAD_API DrawnOrder {
 public:
  virtual ~DrawnOrder() = default;
  // Indices of a pass.
  virtual int64_t size() const = 0;
  // Indices of this pass given out so far.
  int64_t index() const { return order_.position(); }
  // What it takes to go on where it stands: the seed, the passes begun, the indices of one, and the position in the latest (-1 before it begins).
  NamedTensors state_dict() const;
  // ValueError for a dict of another sampler; this one is then as it was.
  void load_state_dict(const NamedTensors& dict);

 protected:
  DrawnOrder() = default;
  DrawnOrder(const DrawnOrder&) = default;
  DrawnOrder& operator=(const DrawnOrder&) = default;
  virtual std::vector<int64_t> drawn(uint64_t seed, uint64_t pass) const = 0;
  // Before the first pass.
  void set_seed(const std::optional<uint64_t>& seed) { seed_ = seed_or_draw(seed); }
  void start() { order_.start(drawn(seed_, pass_++)); }
  // The next pass to start is the one with this number, whichever was the latest.
  void set_pass(uint64_t pass) {
    pass_ = pass;
    order_ = Order();
  }
  std::optional<std::vector<int64_t>> take(int64_t batch_size);

 private:
  uint64_t seed_ = 0, pass_ = 0;
  Order order_;
};

// Counts as tensors, and back: ValueError naming `op` for a dict with other keys, or with anything but one int64 under each.
TAPEGRAD_API NamedTensors written_counts(const OrderedDict<std::string, int64_t>& counts);
TAPEGRAD_API OrderedDict<std::string, int64_t> read_counts(const char* op, const NamedTensors& dict,
                                                           std::initializer_list<const char*> keys);

}  // namespace detail

}  // namespace tapegrad::data::samplers

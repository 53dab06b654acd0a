// Passes over drawn orders, and their state.
#include "tapegrad/nn/data/drawn_order.h"

#include <algorithm>

#include "tapegrad/core/random.h"

namespace tapegrad::data::samplers {

uint64_t detail::seed_or_draw(const std::optional<uint64_t>& seed) {
  if (seed) return *seed;
  const Tensor word = new_tensor({1}, kInt64);
  fill_integers(word, 0, int64_t{1} << 62);
  return static_cast<uint64_t>(*word.elements<int64_t>());
}

std::optional<std::vector<int64_t>> detail::Order::next(int64_t batch_size) {
  const int64_t count = std::min(batch_size, static_cast<int64_t>(indices_.size()) - position_);
  if (count <= 0) return {};
  const auto first = indices_.begin() + position_;
  position_ += count;
  return std::vector<int64_t>(first, first + count);
}

void detail::Order::start(std::vector<int64_t> indices) {
  indices_ = std::move(indices);
  position_ = 0;
  started_ = true;
}

std::optional<std::vector<int64_t>> detail::DrawnOrder::take(int64_t batch_size) {
  if (!order_.started()) start();
  return order_.next(batch_size);
}

NamedTensors detail::DrawnOrder::state_dict() const {
  return written_counts({{"seed", static_cast<int64_t>(seed_)},
                         {"passes", static_cast<int64_t>(pass_)},
                         {"size", size()},
                         {"position", order_.started() ? order_.position() : -1}});
}

void detail::DrawnOrder::load_state_dict(const NamedTensors& dict) {
  const auto counts = read_counts("load_state_dict", dict, {"seed", "passes", "size", "position"});
  const auto seed = static_cast<uint64_t>(counts["seed"]), passes = static_cast<uint64_t>(counts["passes"]);
  Order order;
  const bool begun = counts["position"] >= 0;
  if (begun && passes > 0) order.start(drawn(seed, passes - 1));
  const bool fits = counts["size"] == size() && (!begun || order.size() == size());
  if (!fits || counts["position"] < -1 || counts["position"] > order.size())
    throw ValueError("load_state_dict: the state must be that of a sampler of as many indices, got position " +
                     std::to_string(counts["position"]) + " of " + std::to_string(counts["size"]) +
                     " for one that gives " + std::to_string(size()));
  if (begun) order.go_to(counts["position"]);
  seed_ = seed;
  pass_ = passes;
  order_ = std::move(order);
}

NamedTensors detail::written_counts(const OrderedDict<std::string, int64_t>& counts) {
  NamedTensors out;
  for (const auto& [key, count] : counts) {
    const Tensor t = new_tensor({}, kInt64);
    *t.data_ptr<int64_t>() = count;
    out.append(key, t);
  }
  return out;
}

OrderedDict<std::string, int64_t> detail::read_counts(const char* op, const NamedTensors& dict,
                                                      std::initializer_list<const char*> keys) {
  OrderedDict<std::string, int64_t> counts;
  std::string wrong;
  const auto add = [&](const std::string& what) { wrong += (wrong.empty() ? "" : ", ") + what; };
  for (const char* key : keys) {
    const Tensor* t = dict.find(key);
    if (!t || !t->defined()) add(std::string(key) + " missing");
    else if (t->dtype() != kInt64 || t->numel() != 1)
      add(std::string(key) + " of " + name_of(t->dtype()) + " " + to_string(t->sizes()));
    else counts.append(key, t->item<int64_t>());
  }
  for (const std::string& key : dict.keys()) {
    if (std::none_of(keys.begin(), keys.end(), [&](const char* known) { return key == known; }))
      add(key + " unexpected");
  }
  if (!wrong.empty()) throw ValueError(std::string(op) + ": the dict must have one int64 under each key, got " + wrong);
  return counts;
}

}  // namespace tapegrad::data::samplers

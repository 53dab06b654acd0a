// Checkpoints of training: all that a run needs to go on as if it had never stopped, in one file. See docs/weights.md.
#pragma once

#include <type_traits>

#include "tapegrad/core/random.h"
#include "tapegrad/nn/weights.h"

namespace tapegrad {

// The parts of a run, by name. The default generator of the thread, which dropout and shuffling draw from, is one from the start,
// under the name "generator".
//   Checkpoint checkpoint;
//   checkpoint.add("model", net).add("optimizer", adam).add("scheduler", scheduler).add("epoch", epoch);
//   if (std::filesystem::exists(path)) checkpoint.load(path);
//   while (epoch < 10) { ...; ++epoch; checkpoint.save(path); }
// A run that is made the same way, and loads such a file, has the bits of one that was not interrupted. Parts are held by
// reference and must outlive the checkpoint. ValueError for a name that is empty, has a dot or is taken.
class TAPEGRAD_API Checkpoint {
 public:
  Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  ~Checkpoint();

  // A module, an optimizer, a scheduler, a sampler, a loader: whatever has state_dict() and load_state_dict().
  template <Stateful T> Checkpoint& add(const std::string& name, T& part) {
    return add_part(
        name, [&part]() -> NamedTensors { return part.state_dict(); },
        [&part](const NamedTensors& state) { part.load_state_dict(state); });
  }
  // Its seed and next draw.
  Checkpoint& add(const std::string& name, const Generator& generator);
  // A count, a switch, or a figure, which comes back bit by bit.
  template <class N>
  requires std::is_arithmetic_v<N> Checkpoint& add(const std::string& name, N& number) {
    if constexpr (std::is_floating_point_v<N>) {
      return add_figure(
          name, [&number] { return static_cast<double>(number); },
          [&number](double value) { number = static_cast<N>(value); });
    } else {
      return add_count(
          name, [&number] { return static_cast<int64_t>(number); },
          [&number](int64_t value) {
            const N taken = static_cast<N>(value);
            if (static_cast<int64_t>(taken) != value) return false;
            number = taken;
            return true;
          });
    }
  }

  // A safetensors file with a tensor for everything, "model.fc1.weight", "optimizer.state.0.exp_avg", "epoch". It appears whole or
  // not at all, whenever the process is killed. IOError, with path and reason, when it cannot be written.
  void save(const std::string& path) const;
  // IOError for what is not a checkpoint, or one of a later format; ValueError with the parts that are missing or unexpected, the
  // dtypes that differ, and what a part does not take. Everything is then as it was.
  void load(const std::string& path);

 private:
  struct Part;
  using Take = std::function<void(const NamedTensors&)>;
  Checkpoint& add_part(const std::string& name, std::function<NamedTensors()> state, Take take);
  Checkpoint& add_count(const std::string& name, std::function<int64_t()> get, std::function<bool(int64_t)> set);
  Checkpoint& add_figure(const std::string& name, std::function<double()> get, std::function<void(double)> set);
  // By part, what a file holds; those that are not here go to `unexpected`.
  std::vector<NamedTensors> sorted(const NamedTensors& all, std::vector<std::string>& unexpected) const;
  std::vector<Part> parts_;
};

}  // namespace tapegrad

// The verify mode: the function and its replay side by side, from the same state.
#include <algorithm>
#include <cstring>

#include "tapegrad/autograd/replay/state.h"

namespace tapegrad {

using namespace autograd::replay;
using State = Program::State;

namespace {

using Bytes = std::vector<char>;

Bytes bytes_of(const Storage& s) { return Bytes(s.data(), s.data() + s.bytes()); }

// All that a step can change and that outlives it.
class Snapshot {
 public:
  explicit Snapshot(const LaunchList& list) {
    for (const KeptStorage& s : list.storages()) {
      const bool seen = s.storage && s.storage->references() > 0;
      memory_.push_back(seen ? bytes_of(*s.storage) : Bytes());
      created_here_.push_back(s.created_here);
    }
    for (const auto& [data, bytes] : list.host()) {
      const auto* from = static_cast<const char*>(data);
      host_.push_back({data, Bytes(from, from + bytes)});
    }
  }
  // Into the memory of `list`, which kept the same launches: what was created goes by the order of creation.
  void restore(const LaunchList& list) const {
    const std::vector<KeptStorage>& storages = list.storages();
    for (size_t i = 0; i < memory_.size() && i < storages.size(); ++i) {
      const bool fits = storages[i].storage && storages[i].created_here == created_here_[i] &&
                        storages[i].storage->bytes() == memory_[i].size();
      if (fits) std::memcpy(storages[i].storage->data(), memory_[i].data(), memory_[i].size());
    }
    for (const auto& [data, bytes] : host_) std::memcpy(data, bytes.data(), bytes.size());
  }
  // The first storage whose bytes are others now, or -1.
  int64_t first_difference(const Snapshot& other) const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if (memory_[i] != other.memory_[i]) return static_cast<int64_t>(i);
    }
    return -1;
  }

 private:
  std::vector<Bytes> memory_;
  std::vector<bool> created_here_;
  std::vector<std::pair<void*, Bytes>> host_;
};

// What a launch computed, where it lies without gaps.
struct Result {
  std::string launch;
  std::vector<Bytes> outputs;
};

std::string described(const KeptLaunch& launch) {
  std::string text = launch.name;
  for (const LaunchOperand& o : launch.operands) {
    if (o.written) text += " " + to_string(o.sizes) + " " + name_of(o.dtype);
  }
  return text;
}

Result result_of(const KeptLaunch& launch) {
  Result r{described(launch), {}};
  for (const LaunchOperand& o : launch.operands) {
    if (o.written && o.dense) r.outputs.emplace_back(o.low, o.high);
  }
  return r;
}

std::string value_text(const char* at, DType dtype) {
  return dispatch(dtype, [&]<class T>() {
    T v;
    std::memcpy(&v, at, sizeof v);
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, BFloat16>) {
      char text[32];
      std::snprintf(text, sizeof text, "%.9g", static_cast<double>(v));
      return std::string(text);
    } else {
      return std::to_string(v);
    }
  });
}

// Compares launches as the function makes them with what the replay computed.
struct Comparison {
  const std::vector<Result>& replayed;
  size_t next = 0;
  std::string difference;

  void see(const KeptLaunch& launch) {
    const size_t i = next++;
    if (!difference.empty()) return;
    const std::string number = "launch " + std::to_string(i) + " (" + described(launch) + ")";
    if (i >= replayed.size() || replayed[i].launch != described(launch)) {
      difference = number + " is " + (i < replayed.size() ? replayed[i].launch : "absent") +
                   " in the program (does the function do other things from call to call?)";
      return;
    }
    size_t k = 0;
    for (const LaunchOperand& o : launch.operands) {
      if (!o.written || !o.dense) continue;
      const Bytes& expected = replayed[i].outputs[k++];
      const auto at = std::mismatch(expected.begin(), expected.end(), o.low);
      if (at.first == expected.end()) continue;
      const int64_t element = (at.first - expected.begin()) / item_size(o.dtype);
      difference = number + ": element " + std::to_string(element) + " is " +
                   value_text(o.low + element * item_size(o.dtype), o.dtype) + " in the function and " +
                   value_text(expected.data() + element * item_size(o.dtype), o.dtype) +
                   " in the replay (does it depend on something that the function computes on the host?)";
      return;
    }
  }
};

}  // namespace

void State::verify(int steps_to_verify) {
  for (int step = 0; step < steps_to_verify; ++step) {
    const Snapshot before(recorder->list);
    std::vector<Result> replayed;
    run_kept([&](size_t i) { replayed.push_back(result_of(recorder->list.launches()[i])); });
    before.restore(recorder->list);
    Comparison comparison{replayed, 0, {}};
    const std::unique_ptr<Recorder> old = std::move(recorder);  // what the snapshot points to lives as long
    keep([&](LaunchList& list) {
      list.watch([](void* c, const KeptLaunch& launch) { static_cast<Comparison*>(c)->see(launch); }, &comparison);
    });
    before.restore(recorder->list);
    if (comparison.difference.empty() && comparison.next < replayed.size())
      comparison.difference = "the function made " + std::to_string(comparison.next) + " launches, the program has " +
                              std::to_string(replayed.size()) +
                              " (does the function do other things from call to call?)";
    if (!comparison.difference.empty())
      throw AutogradError("capture: the replay differs from the function: " + comparison.difference);
  }
}

namespace {

// Fills memory that only the program sees with bytes that nobody computed, so that a launch that uses some without naming it
// does not find what the run before has left there.
void poison(const LaunchList& list) {
  std::vector<char> met(list.storages().size());
  for (const KeptLaunch& launch : list.launches()) {
    for (const LaunchOperand& o : launch.operands) {
      const KeptStorage& s = list.storages()[o.storage];
      if (std::exchange(met[o.storage], 1) || !s.created_here || s.storage->references() > 0) continue;
      const bool reads = std::any_of(launch.operands.begin(), launch.operands.end(), [&](const LaunchOperand& other) {
        return !other.written && other.storage == o.storage;
      });
      const bool all = o.written && o.dense && o.high - o.low == static_cast<int64_t>(s.storage->bytes());
      if (all && !reads && launch.kind != LaunchKind::constant)
        std::memset(s.storage->data(), 0xa5, s.storage->bytes());
    }
  }
}

}  // namespace

void State::verify_compiled(int steps_to_verify) {
  if (steps_to_verify == 0) {
    compile();
    return let_go();
  }
  const Snapshot before(recorder->list);
  run_kept([](size_t) {});
  const Snapshot expected(recorder->list);
  before.restore(recorder->list);
  poison(recorder->list);
  compile();
  for (const Action& action : actions) action.run(action.object);
  const int64_t other = expected.first_difference(Snapshot(recorder->list));
  before.restore(recorder->list);
  let_go();  // not before: a launch may have used memory that it does not name
  if (other < 0) return;
  std::string writer = "a launch";
  for (const KeptLaunch& launch : recorder->list.launches()) {
    for (const LaunchOperand& o : launch.operands) {
      if (o.written && o.storage == static_cast<size_t>(other)) writer = described(launch);
    }
  }
  throw AutogradError(
      "capture: the compiled program differs from its launches one by one in what " + writer +
      " writes (does a launch() of your own use memory that it does not name, or pointers it took outside?)");
}

}  // namespace tapegrad

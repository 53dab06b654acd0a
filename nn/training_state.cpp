// Checkpoints: every part's state under its name, out and in.
#include "tapegrad/nn/training_state.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/quote.h"
#include "tapegrad/core/safetensors.h"

namespace tapegrad {
namespace {

constexpr const char* kFormat = "tapegrad.checkpoint";
constexpr const char* kVersion = "1";

// "model.fc1.weight" belongs to the part "model".
std::string part_of(const std::string& key) { return key.substr(0, key.find('.')); }
std::string key_of(const std::string& part, const std::string& name) { return name.empty() ? part : part + "." + name; }

// The one tensor of a part that is no dict.
const Tensor& only(const char* what, const NamedTensors& state, DType dtype, IntArrayRef sizes) {
  const Tensor* t = state.find("");
  if (state.size() != 1 || !t || t->dtype() != dtype || !(IntArrayRef(t->sizes()) == sizes))
    throw ValueError(std::string(what) + " must be one tensor of " + name_of(dtype) + " " + to_string(sizes) +
                     ", got " + (t ? std::string(name_of(t->dtype())) + " " + to_string(t->sizes()) : "other keys"));
  return *t;
}

template <class T> NamedTensors single(const std::vector<T>& values, IntArrayRef sizes) {
  const Tensor t = new_tensor(sizes, dtype_of<T>());
  std::copy(values.begin(), values.end(), t.data_ptr<T>());
  NamedTensors out;
  out.append("", t);
  return out;
}

NamedTensors copied(NamedTensors state) {
  for (auto& [name, t] : state) {
    if (t.defined()) t = clone_of(t);
  }
  return state;
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

struct Checkpoint::Part {
  std::string name;
  std::function<NamedTensors()> state;
  Take take;
};

Checkpoint::Checkpoint() { add("generator", default_generator()); }
Checkpoint::~Checkpoint() = default;

Checkpoint& Checkpoint::add_part(const std::string& name, std::function<NamedTensors()> state, Take take) {
  const bool taken = std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.name == name; });
  if (name.empty() || name.find('.') != name.npos || taken)
    throw ValueError("Checkpoint: the name of a part must be new, not empty and without a dot, got \"" + name + "\"" +
                     (taken ? " again" : ""));
  parts_.push_back({name, std::move(state), std::move(take)});
  return *this;
}

Checkpoint& Checkpoint::add(const std::string& name, const Generator& generator) {
  return add_part(
      name,
      [generator] {
        return single<int64_t>({static_cast<int64_t>(generator.seed()), static_cast<int64_t>(generator.draw())}, {2});
      },
      [generator](const NamedTensors& state) {
        const int64_t* const words = only("a generator", state, kInt64, {2}).data_ptr<int64_t>();
        Generator same = generator;
        same.manual_seed(static_cast<uint64_t>(words[0]));
        same.set_draw(static_cast<uint64_t>(words[1]));
      });
}

Checkpoint& Checkpoint::add_count(const std::string& name, std::function<int64_t()> get,
                                  std::function<bool(int64_t)> set) {
  return add_part(
      name, [get = std::move(get)] { return single<int64_t>({get()}, {}); },
      [set = std::move(set)](const NamedTensors& state) {
        const auto value = only("a count", state, kInt64, {}).item<int64_t>();
        if (!set(value)) throw ValueError("a count must fit its variable, got " + std::to_string(value));
      });
}

Checkpoint& Checkpoint::add_figure(const std::string& name, std::function<double()> get,
                                   std::function<void(double)> set) {
  return add_part(
      name, [get = std::move(get)] { return single<double>({get()}, {}); },
      [set = std::move(set)](const NamedTensors& state) { set(only("a figure", state, kFloat64, {}).item<double>()); });
}

void Checkpoint::save(const std::string& path) const {
  NamedTensors all;
  for (const Part& part : parts_) {
    for (auto& [name, t] : part.state()) all.append(key_of(part.name, name), t);
  }
  save_safetensors(path, all, {{kFormat, kVersion}});
}

std::vector<NamedTensors> Checkpoint::sorted(const NamedTensors& all, std::vector<std::string>& unexpected) const {
  std::vector<NamedTensors> out(parts_.size());
  for (const auto& [key, t] : all) {
    const std::string name = part_of(key);
    const auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.name == name; });
    if (part != parts_.end())
      out[static_cast<size_t>(part - parts_.begin())].append(key == name ? "" : key.substr(name.size() + 1), t);
    else if (unexpected.empty() || unexpected.back() != name) unexpected.push_back(name);
  }
  return out;
}

namespace {

void check_format(const SafetensorsFile& file, const std::string& where) {
  const std::string* version = file.metadata().find(kFormat);
  if (!version) throw IOError(where + "it must be a checkpoint, got a safetensors file of another kind");
  if (*version != kVersion)
    throw IOError(where + "the format must be " + kVersion + ", got " + quoted_bytes(*version) +
                  " (written by a later version?)");
}

// What converts on its way in does not go on with the same bits.
void compare_dtypes(const std::string& part, const NamedTensors& here, const NamedTensors& there,
                    std::vector<std::string>& different) {
  for (const auto& [name, t] : here) {
    const Tensor* other = there.find(name);
    if (other && t.defined() && other->dtype() != t.dtype())
      different.push_back(key_of(part, name) + " is " + name_of(t.dtype()) + " here and " + name_of(other->dtype()) +
                          " there");
  }
}

}  // namespace

void Checkpoint::load(const std::string& path) {
  const SafetensorsFile file(path);
  const std::string where = "Checkpoint: " + quoted_bytes(path, path.size()) + ": ";
  check_format(file, where);
  std::vector<std::string> missing, unexpected, different;
  const std::vector<NamedTensors> read = sorted(file.tensors(), unexpected);
  std::vector<NamedTensors> before;
  for (size_t i = 0; i < parts_.size(); ++i) {
    before.push_back(copied(parts_[i].state()));
    if (read[i].empty() && !before[i].empty()) missing.push_back(parts_[i].name);
    compare_dtypes(parts_[i].name, before[i], read[i], different);
  }
  std::string wrong;
  const auto add = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) wrong += std::string(wrong.empty() ? "" : "; ") + what + ": " + listed(list);
  };
  add("missing parts", missing);
  add("unexpected parts", unexpected);
  add("dtypes that differ", different);
  if (!wrong.empty()) throw ValueError(where + "the file must fit this run, got " + wrong);

  // All parts or none.
  size_t at = 0;
  const auto undo = [&] {
    while (at-- > 0) parts_[at].take(before[at]);
  };
  try {
    for (; at < parts_.size(); ++at) parts_[at].take(read[at]);
  } catch (const ValueError& e) {
    const std::string what = where + parts_[at].name + ": " + e.what();
    undo();
    throw ValueError(what);
  } catch (...) {
    undo();
    throw;
  }
}

}  // namespace tapegrad

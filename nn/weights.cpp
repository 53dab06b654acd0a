// Other names for the tensors of a dict, and files of them.
#include "tapegrad/nn/weights.h"

#include <unordered_map>

#include "tapegrad/core/quote.h"
#include "tapegrad/core/safetensors.h"

namespace tapegrad {

NamedTensors remap(const NamedTensors& dict, const std::function<std::string(const std::string& name)>& rename) {
  NamedTensors out;
  std::unordered_map<std::string, std::string> before;  // of each new name
  for (const auto& [name, t] : dict) {
    std::string renamed = rename(name);
    if (renamed.empty()) continue;
    const auto [other, is_new] = before.insert({renamed, name});
    if (!is_new)
      throw ValueError("remap: every new name must be one tensor's, got \"" + renamed + "\" for \"" + other->second +
                       "\" and \"" + name + "\"");
    out.append(std::move(renamed), t);
  }
  return out;
}

NamedTensors remap(const NamedTensors& dict, const std::vector<std::pair<std::string, std::string>>& prefixes) {
  return remap(dict, [&](const std::string& name) {
    for (const auto& [from, to] : prefixes) {
      if (name.compare(0, from.size(), from) == 0) return to + name.substr(from.size());
    }
    return name;
  });
}

void detail::save_state(const NamedTensors& state, const std::string& path) { save_safetensors(path, state); }

void detail::load_state(const std::string& path, const std::function<void(const NamedTensors&)>& take) {
  const NamedTensors state = load_safetensors(path);
  try {
    take(state);
  } catch (const ValueError& e) { throw ValueError("load: " + quoted_bytes(path, path.size()) + ": " + e.what()); }
}

}  // namespace tapegrad

// Weights in and out: state dicts under other names, and modules and optimizers as files. See docs/weights.md.
#pragma once

#include <concepts>
#include <functional>

#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// What says as named tensors what it keeps, and takes it back, whole or not at all: modules, optimizers, schedulers, samplers.
template <class T>
concept Stateful = requires(T& t, const T& kept, const NamedTensors& dict) {
  { kept.state_dict() } -> std::convertible_to<NamedTensors>;
  t.load_state_dict(dict);
};

// The dict under other names, in the same order and over the same memory. Of a name that begins with one of the prefixes, which are
// tried in order, the prefix is replaced; {"", "encoder."} is one that every name begins with.
//   net.load_state_dict(remap(load_safetensors(path), {{"features.0.", "conv1."}, {"module.", ""}}));
// ValueError where two tensors would have one name.
TAPEGRAD_API NamedTensors remap(const NamedTensors& dict,
                                const std::vector<std::pair<std::string, std::string>>& prefixes);
// The same by rename(name); an empty answer leaves the tensor out.
TAPEGRAD_API NamedTensors remap(const NamedTensors& dict,
                                const std::function<std::string(const std::string& name)>& rename);

namespace detail {
TAPEGRAD_API void save_state(const NamedTensors& state, const std::string& path);
TAPEGRAD_API void load_state(const std::string& path, const std::function<void(const NamedTensors&)>& take);
}  // namespace detail

// state_dict() as a safetensors file, which appears whole or not at all. Errors: save_safetensors'.
template <Stateful T> void save(const T& x, const std::string& path) { detail::save_state(x.state_dict(), path); }
// load_state_dict() from such a file, whoever wrote it. Errors: load_safetensors' and load_state_dict's, the latter with the path; x is
// then as it was.
template <Stateful T> void load(T& x, const std::string& path) {
  detail::load_state(path, [&](const NamedTensors& state) { x.load_state_dict(state); });
}

}  // namespace tapegrad

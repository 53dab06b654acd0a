// What changes the elements of all parameters: conversion, and state dicts in and out.
#include <algorithm>
#include <unordered_set>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

// Gives the tensor behind every handle to t the memory and dtype of `fresh`. The version goes on counting, so that a
// graph which saved t notices.
void rehouse(const Tensor& t, const Tensor& fresh) {
  TensorImpl& to = t.state();
  const TensorImpl& from = fresh.state();
  while (from.storage->version() <= to.storage->version()) from.storage->bump_version();
  to.dtype = from.dtype;
  to.storage = from.storage;
  to.data = from.data;
  to.strides = from.strides;
  to.contiguous = from.contiguous;
  to.base = {};
  to.derived_version = 0;
  if (t.grad().defined()) t.mutable_grad() = Tensor();
}

void collect(const ModuleState& state, const std::string& prefix, StateDict& out) {
  for (const auto& [name, t] : state.parameters) out.append(prefix + name, t);
  for (const auto& [name, t] : state.buffers) out.append(prefix + name, t);
  for (const ModuleState::Child& child : state.children)
    collect(ModuleState::of(child.held->module()), prefix + child.name + ".", out);
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The prefix that the names of `longer` have and those of `shorter` lack, where it explains all of `shorter`.
std::string common_prefix(const std::vector<std::string>& longer, const std::vector<std::string>& shorter) {
  const std::unordered_set<std::string> known(longer.begin(), longer.end());
  for (const std::string& name : shorter) {
    if (!ends_with(longer[0], name)) continue;
    const std::string prefix = longer[0].substr(0, longer[0].size() - name.size());
    const auto fits = [&](const std::string& other) { return known.count(prefix + other) != 0; };
    if (std::all_of(shorter.begin(), shorter.end(), fits)) return prefix;
  }
  return "";
}

// A prefix too many or too few is the usual reason for names that do not fit.
std::string hint(const LoadResult& names) {
  if (names.missing_keys.empty() || names.unexpected_keys.empty()) return "";
  const auto shown = [](const std::string& from, const std::string& to) {
    return " (did you mean remap(dict, {{\"" + from + "\", \"" + to + "\"}})?)";
  };
  std::string prefix = common_prefix(names.unexpected_keys, names.missing_keys);
  if (!prefix.empty()) return shown(prefix, "");
  prefix = common_prefix(names.missing_keys, names.unexpected_keys);
  return prefix.empty() ? "" : shown("", prefix);
}

// ValueError with all that is wrong with a dict for a module that has `own`.
LoadResult compared(const std::string& module, const StateDict& own, const StateDict& dict, bool strict) {
  LoadResult result;
  std::vector<std::string> shapes, dtypes;
  for (const auto& [name, t] : own) {
    const Tensor* src = dict.find(name);
    if (!src || !src->defined()) {
      result.missing_keys.push_back(name);
      continue;
    }
    if (!(IntArrayRef(src->sizes()) == IntArrayRef(t.sizes())))
      shapes.push_back(name + " is " + to_string(t.sizes()) + " here and " + to_string(src->sizes()) + " there");
    if (!can_cast(src->dtype(), t.dtype()))
      dtypes.push_back(name + " is " + name_of(t.dtype()) + " here and " + name_of(src->dtype()) + " there");
  }
  for (const auto& [name, t] : dict) {
    if (!own.contains(name)) result.unexpected_keys.push_back(name);
  }
  std::string wrong;
  const auto add = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) wrong += std::string(wrong.empty() ? "" : "; ") + what + ": " + listed(list);
  };
  if (strict) add("missing keys", result.missing_keys);
  if (strict) add("unexpected keys", result.unexpected_keys);
  add("shapes that differ", shapes);
  add("dtypes that differ", dtypes);
  if (!wrong.empty())
    throw ValueError("load_state_dict: the dict must fit " + module + ", got " + wrong + (strict ? hint(result) : ""));
  return result;
}

}  // namespace

void Module::to(DType dtype) {
  if (!tapegrad::is_floating_point(dtype))
    throw DTypeError(std::string("to: a module converts to float32 or float64, got ") + name_of(dtype));
  struct Change {
    Tensor tensor, fresh;
  };
  std::vector<Change> changes;  // all memory first, so that running out of it changes nothing
  for (const NamedTensors& list : {named_parameters(), named_buffers()}) {
    for (const auto& [name, t] : list) {
      if (t.is_floating_point() && t.dtype() != dtype) changes.push_back({t, converted(t, dtype)});
    }
  }
  for (const Change& change : changes) rehouse(change.tensor, change.fresh);
}

StateDict Module::state_dict() const {
  StateDict out;
  collect(state(), "", out);
  for (auto& [name, t] : out) t = t.detach();
  return out;
}

LoadResult Module::load_state_dict(const StateDict& dict, bool strict) {
  StateDict own;
  collect(state(), "", own);
  LoadResult result = compared(name(), own, dict, strict);

  // The dict may hold this module's own memory under other names: read all of that before writing anything.
  std::unordered_set<const Storage*> written;
  for (const auto& [name, t] : own) written.insert(t.impl()->storage.get());
  std::vector<Tensor> sources;
  for (const auto& [name, t] : own) {
    const Tensor* src = dict.find(name);
    if (!src || !src->defined()) sources.emplace_back();
    else if (src->impl()->data != t.impl()->data && written.contains(src->impl()->storage.get()))
      sources.push_back(clone_of(*src));
    else sources.push_back(*src);
  }
  size_t i = 0;
  for (const auto& [name, t] : own) {
    const Tensor& src = sources[i++];
    if (!src.defined()) continue;
    copy(t, src, "load_state_dict");
    t.impl()->storage->bump_version();
  }
  return result;
}

}  // namespace tapegrad::nn

// Containers of modules and parameters.
#include "tapegrad/nn/containers.h"

#include <algorithm>

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

// i wrapped into [0, count); IndexError.
size_t wrapped(const std::string& container, int64_t i, int64_t count) {
  if (count == 0)
    throw IndexError(container + ": an index needs an entry, got " + std::to_string(i) + " and no entries");
  if (i < -count || i >= count)
    throw IndexError(container + ": the index must be in [-" + std::to_string(count) + ", " + std::to_string(count) +
                     "), got " + std::to_string(i));
  return static_cast<size_t>(i < 0 ? i + count : i);
}

}  // namespace

namespace detail {

int64_t child_count(const Module& module) { return static_cast<int64_t>(ModuleState::of(module).children.size()); }

Module& child_at(const Module& module, int64_t i) {
  const auto& children = ModuleState::of(module).children;
  return children[wrapped(module.name(), i, child_count(module))].held->module();
}

void wrong_child(const Module& module, const std::string& which, const Module& child) {
  throw ValueError(module.name() + ": at<M> asks for the type the entry has, got entry " + which + " which is " +
                   child.name());
}

}  // namespace detail

void ModuleList::insert(int64_t i, Ref<detail::Held> entry) {
  if (i < 0 || i > size())
    throw IndexError("ModuleList: the place of a new entry must be in [0, " + std::to_string(size()) + "], got " +
                     std::to_string(i));
  add_child(std::to_string(size()), std::move(entry), true);
  auto& children = state().children;
  std::rotate(children.begin() + i, children.end() - 1, children.end());
  for (size_t k = 0; k < children.size(); ++k) children[k].name = std::to_string(k);
}

ModuleList& ModuleList::extend(const ModuleList& other) {
  const std::vector<ModuleState::Child> entries = other.state().children;  // a copy: other may be this list
  for (const ModuleState::Child& entry : entries) insert(size(), entry.held);
  return *this;
}

bool ModuleDict::erase(const std::string& key) {
  return std::erase_if(state().children, [&](const ModuleState::Child& child) { return child.name == key; }) != 0;
}

void ModuleDict::clear() { state().children.clear(); }

ParameterList::ParameterList(const std::vector<Tensor>& tensors) {
  state().parameters_are_own = true;
  extend(tensors);
}

ParameterList& ParameterList::push_back(const Tensor& tensor) {
  if (!tensor.defined())
    throw ValueError("ParameterList: a parameter must be defined, got an undefined tensor (Tensor())");
  register_parameter(std::to_string(size()), tensor);
  return *this;
}

ParameterList& ParameterList::extend(const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) push_back(tensor);
  return *this;
}

int64_t ParameterList::size() const { return state().parameters.size(); }

Tensor ParameterList::operator[](int64_t i) const {
  return (state().parameters.begin() + static_cast<std::ptrdiff_t>(wrapped("ParameterList", i, size())))->second;
}

std::string ParameterList::extra_repr() const {
  std::string text;
  for (const auto& [name, t] : state().parameters)
    text += (text.empty() ? "" : ", ") + std::string(name_of(t.dtype())) + " " + to_string(t.sizes());
  return text;
}

}  // namespace tapegrad::nn

// User-defined functions: what forward saved, how outputs join the tape, what backward must return.
#include "tapegrad/autograd/function.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::autograd {

Value& ValueMap::operator[](const std::string& name) {
  for (auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return values_.emplace_back(name, Value()).second;
}

std::string readable_type_name(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? text : type.name();
  std::free(text);
  int depth = 0;  // of brackets: a scope inside them belongs to an argument
  for (size_t i = name.size(); i-- > 1;) {
    const char c = name[i];
    depth += (c == '>' || c == ')') - (c == '<' || c == '(');
    if (depth == 0 && c == ':' && name[i - 1] == ':') return name.substr(i + 1);
  }
  return name;
}

const Tensor detail::no_tensor;

void AutogradContext::mark_dirty(const variable_list& inputs) {
  dirty_ = inputs;
  const AutoGradMode outer(grad_enabled_);
  for (const Tensor& t : dirty_) {
    try {
      detail::check_in_place(name_, t);
      if (recorded_) detail::check_recorded_write(name_, t);
    } catch (const AutogradError&) {
      const auto it = std::find_if(given_.begin(), given_.end(), [&](const Given& g) { return g.tensor->is_same(t); });
      const bool written = it != given_.end() && it->version != t.version();
      rethrow_with(written ? "; forward has written it already: let it call mark_dirty first" : "");
    }
  }
}

void AutogradContext::save_for_backward(variable_list tensors) { to_save_ = std::move(tensors); }

variable_list AutogradContext::get_saved_variables() const {
  if (released_)
    throw AutogradError(std::string(name_) +
                        ": the saved tensors were freed by an earlier backward (pass retain_graph = true to it)");
  variable_list result;
  for (size_t i = 0; i < kept_.size(); ++i) {
    const Kept& kept = kept_[i];
    if (kept.tensor.defined() && kept.tensor.version() != kept.version)
      throw AutogradError(std::string(name_) + ": the saved tensor " + std::to_string(i) + ", shape " +
                          to_string(kept.tensor.sizes()) +
                          ", was written in place after it was saved: it is at version " +
                          std::to_string(kept.tensor.version()) + ", saved at version " + std::to_string(kept.version));
    const bool joins = kept.output >= 0 && GradMode::is_enabled();
    result.push_back(joins ? detail::rejoined(kept.tensor, static_cast<uint32_t>(kept.output)) : kept.tensor);
  }
  return result;
}

FunctionNode::FunctionNode(size_t arguments, const char* name)
    : Node(nullptr, static_cast<int64_t>(arguments)), edges_here_(arguments) {
  set_edges(edges_here_.data());
  context_.name_ = name;
}

void FunctionNode::visit_saved(void (*visit)(void*, const SavedView&), void* context) const {
  for (const auto& kept : context_.kept_) {
    if (!kept.tensor.defined()) continue;
    const SavedView view{"saved", &kept.tensor};
    visit(context, view);
  }
}

void FunctionNode::release_saved() noexcept {
  context_.kept_.clear();
  context_.released_ = true;
}

namespace {

int64_t position(const variable_list& list, const Tensor& t) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const Tensor& other) { return other.is_same(t); });
  return it == list.end() ? -1 : it - list.begin();
}

}  // namespace

void FunctionNode::begin(const std::vector<const Tensor*>& inputs, bool recorded) {
  context_.grad_enabled_ = GradMode::is_enabled();
  context_.recorded_ = recorded;
  for (const Tensor* t : inputs) {
    if (t->defined()) context_.given_.push_back({t, t->version()});
  }
}

void FunctionNode::finish(variable_list& outputs, const std::vector<const Tensor*>& inputs) {
  for (const Tensor& t : context_.dirty_) t.impl()->storage->bump_version();
  context_.given_.clear();
  if (!context_.recorded_) return;
  const auto count = static_cast<int64_t>(inputs.size());
  detail::record(this, inputs.data(), count);
  Access::outputs(*this) = static_cast<uint32_t>(outputs.size());
  std::vector<int64_t> saved_as;
  for (const Tensor& t : context_.to_save_) saved_as.push_back(position(outputs, t));
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor& y = outputs[i];
    like_.push_back({y.defined(), y.defined() ? y.dtype() : kFloat32, y.defined() ? y.sizes() : Shape()});
    if (!y.defined() || position(context_.constant_, y) >= 0) continue;
    if (position(context_.dirty_, y) >= 0) {
      detail::rebase(y, this, static_cast<uint32_t>(i));
    } else {
      detail::attach(y, this, static_cast<uint32_t>(i), inputs.data(), count);
      detail::keep_own_history(y, inputs.data(), count);
    }
  }
  for (size_t i = 0; i < saved_as.size(); ++i) {
    const Tensor& t = context_.to_save_[i];
    // Neither an output's node nor the handle of an input is kept: either could close a cycle.
    Tensor held = !t.defined() ? t : saved_as[i] >= 0 ? alias(t) : detail::kept_form(t);
    const uint32_t version = held.defined() ? held.version() : 0;
    context_.kept_.push_back({std::move(held), version, saved_as[i]});
  }
  context_.to_save_.clear();
  context_.dirty_.clear();
  context_.constant_.clear();
}

Grads FunctionNode::backward(Grads& dy) {
  variable_list grads(dy.begin(), dy.end());
  for (size_t i = 0; i < grads.size() && context_.materialize_; ++i) {
    if (!grads[i].defined() && like_[i].defined) grads[i] = filled_tensor(like_[i].sizes, like_[i].dtype, 0);
  }
  variable_list dx = call_backward(&context_, std::move(grads));
  if (static_cast<int64_t>(dx.size()) != inputs())
    throw AutogradError(std::string(name()) + ": backward must return one gradient per argument of forward, " +
                        std::to_string(inputs()) + ", got " + std::to_string(dx.size()) +
                        " (an undefined tensor for what is no tensor; a vector of n tensors is n arguments)");
  return Grads(std::move(dx));
}

}  // namespace tapegrad::autograd

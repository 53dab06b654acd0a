// Registration, listing and mode of modules.
#include "tapegrad/nn/module.h"

#include <memory>
#include <unordered_set>

#include "tapegrad/autograd/replay/recorder.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

using Seen = std::unordered_set<const void*>;

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// The parameters, or buffers, of a module and of those below it.
void collect(const ModuleState& state, NamedTensors ModuleState::*which, const std::string& prefix, bool recurse,
             Seen& seen, NamedTensors& out) {
  if (!seen.insert(&state).second) return;
  for (const auto& [name, t] : state.*which) {
    if (seen.insert(t.impl()).second) out.append(joined(prefix, name), t);
  }
  if (!recurse) return;
  for (const ModuleState::Child& child : state.children)
    collect(ModuleState::of(child.held->module()), which, joined(prefix, child.name), true, seen, out);
}

NamedTensors collect(const ModuleState& state, NamedTensors ModuleState::*which, bool recurse) {
  Seen seen;
  NamedTensors out;
  collect(state, which, "", recurse, seen, out);
  return out;
}

void collect_modules(Module& module, const std::string& prefix, Seen& seen, OrderedDict<std::string, Module*>& out) {
  const ModuleState& state = ModuleState::of(module);
  if (!seen.insert(&state).second) return;
  out.append(prefix, &module);
  for (const ModuleState::Child& child : state.children)
    collect_modules(child.held->module(), joined(prefix, child.name), seen, out);
}

void check_name(const char* op, const std::string& name, const ModuleState& state) {
  if (name.empty()) throw ValueError(std::string(op) + ": a name must not be empty, got \"\"");
  if (name.find('.') != std::string::npos)
    throw ValueError(std::string(op) +
                     ": a name must not contain a dot, which joins names of parent and child, got \"" + name + "\"");
  bool taken = state.parameters.contains(name) || state.buffers.contains(name);
  for (const ModuleState::Child& child : state.children) taken = taken || child.name == name;
  if (taken) throw ValueError(std::string(op) + ": a name must be new to the module, got \"" + name + "\" again");
}

}  // namespace

Module::Module() : state_(Ref<ModuleState>::adopt(new ModuleState)) {}
Module::Module(Module&& other) noexcept = default;
Module& Module::operator=(Module&& other) noexcept = default;
Module::~Module() = default;

ModuleState& Module::state() const {
  if (!state_) throw ValueError("module: it must hold something, got a module that was moved from");
  return *state_;
}

void Module::add_child(std::string name, Ref<detail::Held> child, bool own) {
  check_name("register_module", name, state());
  for (Module* module : child->module().modules()) {
    if (is_same(*module))
      throw ValueError("register_module: a module cannot be inside itself, got \"" + name + "\" which leads back to " +
                       this->name());
  }
  state().children.push_back({std::move(name), std::move(child), own});
}

Parameter Module::register_parameter(std::string name, const Tensor& tensor, bool requires_grad) {
  check_name("register_parameter", name, state());
  if (!tensor.defined()) return {};
  if (!tensor.is_leaf())
    throw ValueError("register_parameter: a parameter must be a leaf, got \"" + name +
                     "\" computed by another operation (did you mean detach()?)");
  if (requires_grad && !tensor.is_floating_point())
    throw DTypeError("register_parameter: a parameter that requires grad must be float32 or float64, got \"" + name +
                     "\" of " + name_of(tensor.dtype()) + " (did you mean register_buffer()?)");
  tensor.set_requires_grad(requires_grad);
  return Parameter(state().parameters.append(std::move(name), tensor));
}

Buffer Module::register_buffer(std::string name, const Tensor& tensor) {
  check_name("register_buffer", name, state());
  if (!tensor.defined()) return {};
  return Buffer(state().buffers.append(std::move(name), tensor));
}

std::vector<Tensor> Module::parameters(bool recurse) const { return named_parameters(recurse).values(); }
std::vector<Tensor> Module::buffers(bool recurse) const { return named_buffers(recurse).values(); }

NamedTensors Module::named_parameters(bool recurse) const {
  return collect(state(), &ModuleState::parameters, recurse);
}

NamedTensors Module::named_buffers(bool recurse) const { return collect(state(), &ModuleState::buffers, recurse); }

std::vector<Module*> Module::children() const { return named_children().values(); }
std::vector<Module*> Module::modules(bool include_self) const { return named_modules("", include_self).values(); }

OrderedDict<std::string, Module*> Module::named_children() const {
  OrderedDict<std::string, Module*> out;
  for (const ModuleState::Child& child : state().children) out.append(child.name, &child.held->module());
  return out;
}

OrderedDict<std::string, Module*> Module::named_modules(const std::string& name_prefix, bool include_self) const {
  Seen seen;
  OrderedDict<std::string, Module*> out;
  collect_modules(const_cast<Module&>(*this), name_prefix, seen, out);
  if (!include_self) out.erase(name_prefix);
  return out;
}

void Module::train(bool on) {
  for (Module* module : modules()) {
    const Ref<ModuleState>& state = module->state_;
    if (autograd::state().recorder) [[unlikely]]
      autograd::replay::note_set(state->training, [state, on] { state->training = on; });
    else state->training = on;
  }
}

bool Module::is_training() const {
  if (autograd::state().recorder) [[unlikely]]
    autograd::replay::note_flag(state().training, "the training mode of a module",
                                std::make_shared<Ref<ModuleState>>(state_));
  return state().training;
}

void Module::requires_grad_(bool value) {
  for (const Tensor& p : parameters()) p.set_requires_grad(value);
}

void Module::zero_grad(bool set_to_none) {
  for (const Tensor& p : parameters()) clear_grad(p, set_to_none);
}

void clear_grad(const Tensor& p, bool set_to_none) {
  if (!p.grad().defined()) return;
  Tensor& grad = p.mutable_grad();
  if (set_to_none) {
    if (autograd::state().recorder) [[unlikely]]
      autograd::replay::note_cleared(*p.impl());
    grad = Tensor();
    return;
  }
  if (grad.requires_grad()) grad = clone_of(grad);  // out of the graph that computed it
  fill(grad, 0);
  grad.impl()->storage->bump_version();
}

}  // namespace tapegrad::nn

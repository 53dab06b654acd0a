// Deep copies: the map from old state to new that copy constructors consult while a clone is made.
#include <unordered_map>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

thread_local CloneScope* current_scope = nullptr;

Tensor copy_of(const Tensor& t) {
  Tensor copy = clone_of(t);
  copy.set_requires_grad(t.impl()->requires_grad);
  return copy;
}

}  // namespace

// New things map to themselves, so that a copy of what was just copied is a plain handle. Both sides are kept alive:
// an address must not come to mean something else while the scope lasts.
struct CloneScope::Map {
  struct Pair {
    Tensor before, after;
  };
  struct StatePair {
    Ref<ModuleState> before, after;
  };
  std::unordered_map<const void*, Pair> tensors;
  std::unordered_map<const void*, StatePair> states;
  std::vector<const void*> met;  // by copy constructors, in order

  void add(const Tensor& before, const Tensor& after) {
    tensors.insert({before.impl(), {before, after}});
    tensors.insert({after.impl(), {after, after}});
  }
  const Tensor& counterpart(const Tensor& t) {
    auto found = tensors.find(t.impl());
    if (found == tensors.end()) {
      add(t, copy_of(t));
      found = tensors.find(t.impl());
    }
    return found->second.after;
  }
  bool has_met(const void* what) const {
    for (const void* one : met) {
      if (one == what) return true;
    }
    return false;
  }
};

void check_whole(const Module& module, const std::type_info& type) {
  if (typeid(module) != type)
    throw ValueError("clone: the module must be of the type it is cloned as, got one of type " + module.name() +
                     " (derive it from nn::Cloneable<" + module.name() + ">, or call nn::clone with its own type)");
}

CloneScope::CloneScope() : map_(new Map), outer_(current_scope) { current_scope = this; }

CloneScope::~CloneScope() {
  current_scope = outer_;
  delete map_;
}

CloneScope* CloneScope::current() { return current_scope; }

Tensor detail::counterpart(const Tensor& t) {
  CloneScope* scope = CloneScope::current();
  if (!scope || !t.defined()) return t;
  scope->map_->met.push_back(t.impl());
  return scope->map_->counterpart(t);
}

Ref<ModuleState> CloneScope::counterpart(const Ref<ModuleState>& state) {
  map_->met.push_back(state.get());
  if (const auto found = map_->states.find(state.get()); found != map_->states.end()) return found->second.after;
  auto after = Ref<ModuleState>::adopt(new ModuleState);
  map_->states.insert({state.get(), {state, after}});
  map_->states.insert({after.get(), {after, after}});
  after->training = state->training;
  after->parameters_are_own = state->parameters_are_own;
  for (const auto& [name, t] : state->parameters) after->parameters.append(name, map_->counterpart(t));
  for (const auto& [name, t] : state->buffers) after->buffers.append(name, map_->counterpart(t));
  for (const ModuleState::Child& child : state->children)
    after->children.push_back({child.name, counterpart(child.held), child.own});
  return after;
}

Ref<detail::Held> CloneScope::counterpart(const Ref<detail::Held>& held) {
  // What this copy meets is its own affair: whoever holds the child must hold it by a member, too.
  std::vector<const void*> outer;
  outer.swap(map_->met);
  auto copy = Ref<detail::Held>::adopt(held->copy());
  check(held->module());
  map_->met.swap(outer);
  return copy;
}

void CloneScope::check(const Module& original) const {
  const ModuleState& state = ModuleState::of(original);
  const auto missed = [&](const char* kind, const std::string& name, const char* hint) {
    throw ValueError("clone: the copy of a module must hold every " + std::string(kind) + " of its own, got " +
                     original.name() + " whose " + kind + " \"" + name + "\" is not among its members (declare it " +
                     hint + ")");
  };
  for (const auto& [name, t] : state.parameters) {
    if (!state.parameters_are_own && !map_->has_met(t.impl())) missed("parameter", name, "nn::Parameter, not Tensor");
  }
  for (const auto& [name, t] : state.buffers) {
    if (!map_->has_met(t.impl())) missed("buffer", name, "nn::Buffer, not Tensor");
  }
  for (const ModuleState::Child& child : state.children) {
    if (!child.own && !map_->has_met(&ModuleState::of(child.held->module())))
      missed("child", child.name, "by value, not by pointer or reference");
  }
}

Module::Module(const Module& other) : state_(other.state_) {
  if (CloneScope* scope = CloneScope::current(); scope && state_) state_ = scope->counterpart(other.state_);
}

Module& Module::operator=(const Module& other) {
  CloneScope* scope = CloneScope::current();
  state_ = scope && other.state_ ? scope->counterpart(other.state_) : other.state_;
  return *this;
}

}  // namespace tapegrad::nn

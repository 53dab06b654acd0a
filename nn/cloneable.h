// Deep copies of modules, and the base that makes a module callable.
#pragma once

#include <typeinfo>

#include "tapegrad/nn/call_scope.h"
#include "tapegrad/nn/module.h"

namespace tapegrad::nn {

// While alive, copies of modules, Parameters and Buffers on this thread are copies of the state behind them. Everything
// copied within one scope keeps its sharing: two handles to one module become two handles to one new module.
class TAPEGRAD_API CloneScope {
 public:
  CloneScope();
  ~CloneScope();
  CloneScope(const CloneScope&) = delete;
  CloneScope& operator=(const CloneScope&) = delete;
  // ValueError naming a parameter, buffer or child of `original` that its members do not hold as nn::Parameter,
  // nn::Buffer or module, so that the copy would still use the original's.
  void check(const Module& original) const;

 private:
  friend class Module;
  friend Tensor detail::counterpart(const Tensor& t);
  struct Map;
  Ref<ModuleState> counterpart(const Ref<ModuleState>& state);
  Ref<detail::Held> counterpart(const Ref<detail::Held>& held);
  static CloneScope* current();

  Map* map_;
  CloneScope* outer_;
};

TAPEGRAD_API void check_whole(const Module& module, const std::type_info& type);

// A module of the same type and values that shares nothing with `module`. Gradients are not copied. ValueError when
// `module` is of a type derived from M, of which the copy would be the M part only.
template <class M>
  requires std::is_base_of_v<Module, M> M clone(const M& module) {
    check_whole(module, typeid(M));
    CloneScope scope;
    M copy(module);
    scope.check(module);
    return copy;
  }

// Base for modules that are called and cloned as objects: net(x), net->forward(x), net.clone(). It calls the forward of
// Derived, so a type that is derived further would be called as Derived: the library's own modules are final, hold one as a
// member and register it instead.
template <class Derived> class Cloneable : public Module {
 public:
  Derived clone() const { return nn::clone(static_cast<const Derived&>(*this)); }

  // D delays the look-up of forward until the class is complete.
  template <class... Args, class D = Derived>
  auto operator()(Args&&... args) -> decltype(static_cast<D&>(*this).forward(std::forward<Args>(args)...)) {
    const detail::CallScope scope(*this);
    return static_cast<D&>(*this).forward(std::forward<Args>(args)...);
  }
  template <class... Args, class D = Derived>
  auto operator()(Args&&... args) const -> decltype(static_cast<const D&>(*this).forward(std::forward<Args>(args)...)) {
    const detail::CallScope scope(*this);
    return static_cast<const D&>(*this).forward(std::forward<Args>(args)...);
  }

  Derived* operator->() { return static_cast<Derived*>(this); }
  const Derived* operator->() const { return static_cast<const Derived*>(this); }
};

namespace detail {
// The children of a container; IndexError naming its type, ValueError for a child that is not of the type asked for.
TAPEGRAD_API int64_t child_count(const Module& module);
TAPEGRAD_API Module& child_at(const Module& module, int64_t i);
[[noreturn]] TAPEGRAD_API void wrong_child(const Module& module, const std::string& which, const Module& child);
}  // namespace detail

}  // namespace tapegrad::nn

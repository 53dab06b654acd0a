// Modules: named parameters, buffers and children behind a handle, and what can be done to all of them at once.
#pragma once

#include <iosfwd>

#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/nn/parameter.h"

namespace tapegrad::nn {

struct ModuleState;
namespace detail {
class Held;
}

using tapegrad::NamedTensors;
using StateDict = NamedTensors;

// What load_state_dict left aside when it was not strict.
struct LoadResult {
  std::vector<std::string> missing_keys, unexpected_keys;
};

// A handle: copies share parameters, buffers, children and mode; clone() copies them. Networks derive from it and
// register what they are made of where they declare it:
//
//   struct Net : nn::Module {
//     nn::Linear fc1 = register_module("fc1", nn::Linear(784, 300));
//     nn::Parameter scale = register_parameter("scale", ones({300}));
//     Tensor forward(const Tensor& x) { return fc1(x) * scale; }
//   };
//
// Deriving from Cloneable<Net> instead adds net(x), net->forward(x) and net.clone().
class TAPEGRAD_API Module {
 public:
  Module();
  Module(const Module& other);
  Module(Module&& other) noexcept;
  Module& operator=(const Module& other);
  Module& operator=(Module&& other) noexcept;
  virtual ~Module();

  // The type without namespaces, and the facts printed behind it: Linear(in_features=2, out_features=3, bias=true).
  virtual std::string name() const;
  virtual std::string extra_repr() const;

  // Return what they are given, to be kept in a member. ValueError: a name that is empty, holds a dot or is taken; a
  // parameter that is not a leaf; a module inside itself. An undefined tensor is handed back and not listed.
  template <class M> M register_module(const std::string& name, M module);
  Parameter register_parameter(std::string name, const Tensor& tensor, bool requires_grad = true);
  Buffer register_buffer(std::string name, const Tensor& tensor);

  // In order of registration, own ones first, then each child's; names joined by dots. One that is registered twice is
  // listed once, under its first name.
  std::vector<Tensor> parameters(bool recurse = true) const;
  NamedTensors named_parameters(bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  NamedTensors named_buffers(bool recurse = true) const;
  // Point into this module and are good as long as it lives. modules() starts with this one (named by the prefix alone)
  // unless include_self is false, then goes down.
  std::vector<Module*> children() const;
  OrderedDict<std::string, Module*> named_children() const;
  std::vector<Module*> modules(bool include_self = true) const;
  OrderedDict<std::string, Module*> named_modules(const std::string& name_prefix = "", bool include_self = true) const;
  // fn(module) for this module and all below. What a module registers (parameters, buffers, children, mode) is shared by its
  // handles; plain members belong to one handle, and the handles listed here are not those a network's members hold.
  template <class F> void apply(const F& fn) {
    for (Module* module : modules()) fn(*module);
  }
  // This module as an M, or null: if (auto* fc = m->as<nn::Linear>()) ...
  template <class M> M* as() { return dynamic_cast<M*>(this); }
  template <class M> const M* as() const { return dynamic_cast<const M*>(this); }
  // Whether both are handles to the same module.
  bool is_same(const Module& other) const { return state_.get() == other.state_.get(); }

  // The mode, for this module and all below.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const;
  // Converts floating parameters and buffers; handles to them see the new dtype. Gradients are dropped. DTypeError for
  // integer dtypes.
  void to(DType dtype);
  void zero_grad(bool set_to_none = true);
  void requires_grad_(bool value = true);

  // All parameters and buffers by dotted name, sharing memory with the module, outside the tape.
  StateDict state_dict() const;
  // Copies the elements in, to the dtypes of the module. ValueError with every missing and unexpected key (unless strict is
  // false), every shape that differs, and every dtype that would lose its kind (floats in place of integers, numbers of bools);
  // the module is then as it was.
  LoadResult load_state_dict(const StateDict& dict, bool strict = true);

  // A table: name, type, shapes and count of parameters of every layer, and their totals.
  std::string summary() const;

  Module* operator->() { return this; }
  const Module* operator->() const { return this; }

 protected:
  // A child the module itself keeps (`own`) is not expected among the members by clone().
  void add_child(std::string name, Ref<detail::Held> child, bool own);
  ModuleState& state() const;

 private:
  friend class CloneScope;
  friend struct ModuleState;
  Ref<ModuleState> state_;
};

// As PyTorch prints it, children indented below their parent.
TAPEGRAD_API std::string to_string(const Module& module);
TAPEGRAD_API std::ostream& operator<<(std::ostream& out, const Module& module);

namespace detail {

// A module of any type, as its parent keeps it.
class TAPEGRAD_API Held {
 public:
  virtual ~Held();
  virtual Module& module() = 0;
  virtual Held* copy() const = 0;
  // ValueError when the module cannot be called with one tensor.
  virtual Tensor call(const Tensor& x) = 0;
  void retain() { refs_.increment(); }
  void release() {
    if (refs_.decrement()) delete this;
  }

 protected:
  [[noreturn]] void not_callable() const;

 private:
  RefCount refs_;
};

template <class M> class HeldAs final : public Held {
 public:
  explicit HeldAs(const M& module) : module_(module) {}
  Module& module() override { return module_; }
  Held* copy() const override { return new HeldAs(module_); }
  Tensor call(const Tensor& x) override {
    if constexpr (requires { Tensor(module_.forward(x)); }) return module_.forward(x);
    else not_callable();
  }

 private:
  M module_;
};

}  // namespace detail

template <class M> M Module::register_module(const std::string& name, M module) {
  static_assert(std::is_base_of_v<Module, M>, "register_module takes a module: a type derived from nn::Module");
  add_child(name, Ref<detail::Held>::adopt(new detail::HeldAs<M>(module)), false);
  return module;
}

}  // namespace tapegrad::nn

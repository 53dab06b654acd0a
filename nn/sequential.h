// A chain of anything callable with a tensor.
#pragma once

#include "tapegrad/nn/containers.h"

namespace tapegrad::nn {

// A function as a module. Modules captured by value are cloned with it; they are not listed as its children.
template <class F> class Functional final : public Cloneable<Functional<F>> {
 public:
  explicit Functional(F f) : f_(std::move(f)) {}
  Tensor forward(const Tensor& x) { return f_(x); }
  std::string name() const override { return "Functional"; }

 private:
  F f_;
};

// y = last(...(first(x))). Children are named "0", "1", ... unless push_back says otherwise.
//   nn::Sequential net(nn::Linear(2, 3), nn::Tanh(), [](const Tensor& x) { return x * 2; });
class TAPEGRAD_API Sequential final : public ModuleSequence<Sequential> {
 public:
  Sequential() = default;
  template <class... Entries>
    requires(sizeof...(Entries) > 1 || (sizeof...(Entries) == 1 && !(std::is_base_of_v<Sequential, Entries> && ...)))
  explicit Sequential(Entries... entries) { (push_back(std::move(entries)), ...); }

  template <class Entry> Sequential& push_back(Entry entry) {
    return push_back(std::to_string(size()), std::move(entry));
  }
  template <class Entry> Sequential& push_back(std::string name, Entry entry) {
    if constexpr (std::is_base_of_v<Module, Entry>) {
      static_assert(
          requires(const Tensor& x) { Tensor(entry.forward(x)); },
          "an entry of Sequential needs Tensor forward(const Tensor&)");
      add_child(std::move(name), Ref<detail::Held>::adopt(new detail::HeldAs<Entry>(entry)), true);
    } else {
      static_assert(
          requires(const Tensor& x) { Tensor(entry(x)); },
          "an entry of Sequential is a module or a function of one const Tensor&");
      push_back(std::move(name), Functional<Entry>(std::move(entry)));
    }
    return *this;
  }

  Tensor forward(const Tensor& x) const;
};

}  // namespace tapegrad::nn

// Containers that register what they hold: lists and dictionaries of modules, lists of parameters.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

// What Sequential and ModuleList have in common: children in order, named "0", "1", ... unless added under a name.
template <class Derived> class ModuleSequence : public Cloneable<Derived> {
 public:
  int64_t size() const { return detail::child_count(*this); }
  bool empty() const { return size() == 0; }
  bool is_empty() const { return empty(); }
  // IndexError out of range; negative counts from the end.
  Module& operator[](int64_t i) const { return detail::child_at(*this, i); }
  // The same as the type it has: net.at<nn::Linear>(0). ValueError for another type.
  template <class M> M& at(int64_t i) const {
    Module& child = (*this)[i];
    if (M* module = child.template as<M>()) return *module;
    detail::wrong_child(*this, std::to_string(i), child);
  }

  class Iterator {
   public:
    Iterator(const ModuleSequence* list, int64_t i) : list_(list), i_(i) {}
    Module& operator*() const { return (*list_)[i_]; }
    Module* operator->() const { return &**this; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return i_ == other.i_; }

   private:
    const ModuleSequence* list_;
    int64_t i_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }
};

// Modules in order, called by whoever holds the list:
//   nn::ModuleList blocks = register_module("blocks", nn::ModuleList(nn::Linear(4, 4), nn::Linear(4, 4)));
//   for (int64_t i = 0; i < blocks.size(); ++i) x = relu(blocks.at<nn::Linear>(i)(x));
class TAPEGRAD_API ModuleList final : public ModuleSequence<ModuleList> {
 public:
  ModuleList() = default;
  template <class... Entries>
    requires(sizeof...(Entries) > 1 || (sizeof...(Entries) == 1 && !(std::is_base_of_v<ModuleList, Entries> && ...)))
  explicit ModuleList(Entries... entries) { (push_back(std::move(entries)), ...); }

  template <class Entry> ModuleList& push_back(const Entry& entry) { return insert(size(), entry); }
  template <class Entry> ModuleList& append(const Entry& entry) { return push_back(entry); }
  // Before entry i; those behind it are renamed. IndexError unless 0 <= i <= size().
  template <class Entry> ModuleList& insert(int64_t i, const Entry& entry) {
    static_assert(std::is_base_of_v<Module, Entry>,
                  "an entry of ModuleList is a module: a type derived from nn::Module");
    insert(i, Ref<detail::Held>::adopt(new detail::HeldAs<Entry>(entry)));
    return *this;
  }
  // The entries of another list, shared with it.
  ModuleList& extend(const ModuleList& other);

 private:
  void insert(int64_t i, Ref<detail::Held> entry);
};

// Modules by name, in the order they were added.
class TAPEGRAD_API ModuleDict final : public Cloneable<ModuleDict> {
 public:
  // ValueError for a name that is taken, empty or holds a dot.
  template <class Entry> ModuleDict& insert(const std::string& key, const Entry& entry) {
    static_assert(std::is_base_of_v<Module, Entry>,
                  "an entry of ModuleDict is a module: a type derived from nn::Module");
    add_child(key, Ref<detail::Held>::adopt(new detail::HeldAs<Entry>(entry)), true);
    return *this;
  }
  int64_t size() const { return detail::child_count(*this); }
  bool empty() const { return size() == 0; }
  bool contains(const std::string& key) const { return named_children().contains(key); }
  std::vector<std::string> keys() const { return named_children().keys(); }
  std::vector<Module*> values() const { return children(); }
  OrderedDict<std::string, Module*> items() const { return named_children(); }
  // ValueError when there is no such key.
  Module& operator[](const std::string& key) const { return *named_children()[key]; }
  template <class M> M& at(const std::string& key) const {
    Module& child = (*this)[key];
    if (M* module = child.template as<M>()) return *module;
    detail::wrong_child(*this, '"' + key + '"', child);
  }
  // Whether there was such a key.
  bool erase(const std::string& key);
  void clear();
};

// Parameters in order, named "0", "1", ...
class TAPEGRAD_API ParameterList final : public Cloneable<ParameterList> {
 public:
  explicit ParameterList(const std::vector<Tensor>& tensors = {});
  // Makes the tensor a parameter; ValueError unless it is a leaf.
  ParameterList& push_back(const Tensor& tensor);
  ParameterList& append(const Tensor& tensor) { return push_back(tensor); }
  ParameterList& extend(const std::vector<Tensor>& tensors);
  int64_t size() const;
  bool empty() const { return size() == 0; }
  // IndexError out of range; negative counts from the end.
  Tensor operator[](int64_t i) const;
  std::vector<Tensor> values() const { return parameters(false); }
  std::string extra_repr() const override;
};

}  // namespace tapegrad::nn

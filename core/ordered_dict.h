// Named values in the order they were added: what named_parameters(), state_dict() and their kin return.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/core/error.h"

namespace tapegrad {

class Tensor;

// A list, not a hash table: look-up is linear. for (auto& [name, value] : dict), or item.key() and item.value().
template <class Key, class Value> class OrderedDict {
 public:
  struct Item {
    Key first;
    Value second;
    const Key& key() const { return first; }
    Value& value() { return second; }
    const Value& value() const { return second; }
  };

  OrderedDict() = default;
  OrderedDict(std::initializer_list<Item> items) {
    for (const Item& item : items) insert(item.first, item.second);
  }

  // ValueError when the key is there already.
  Value& insert(Key key, Value value) {
    if (contains(key)) throw ValueError("insert: every key must be new, got \"" + key + "\" again");
    return append(std::move(key), std::move(value));
  }
  // The same for a key known to be new.
  Value& append(Key key, Value value) { return items_.emplace_back(Item{std::move(key), std::move(value)}).second; }
  // Whether there was such a key.
  bool erase(const Key& key) {
    for (auto item = items_.begin(); item != items_.end(); ++item) {
      if (item->first == key) return items_.erase(item), true;
    }
    return false;
  }

  // Null when there is no such key.
  Value* find(const Key& key) {
    for (Item& item : items_) {
      if (item.first == key) return &item.second;
    }
    return nullptr;
  }
  const Value* find(const Key& key) const { return const_cast<OrderedDict*>(this)->find(key); }
  bool contains(const Key& key) const { return find(key) != nullptr; }
  // ValueError when there is no such key.
  Value& operator[](const Key& key) {
    if (Value* value = find(key)) return *value;
    std::string known;
    for (const Item& item : items_) known += (known.empty() ? "" : ", ") + item.first;
    throw ValueError("dict: the key must be one of [" + known + "], got \"" + key + "\"");
  }
  const Value& operator[](const Key& key) const { return const_cast<OrderedDict&>(*this)[key]; }

  int64_t size() const { return static_cast<int64_t>(items_.size()); }
  bool empty() const { return items_.empty(); }
  bool is_empty() const { return empty(); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  std::vector<Key> keys() const {
    std::vector<Key> out;
    for (const Item& item : items_) out.push_back(item.first);
    return out;
  }
  std::vector<Value> values() const {
    std::vector<Value> out;
    for (const Item& item : items_) out.push_back(item.second);
    return out;
  }

 private:
  std::vector<Item> items_;
};

using NamedTensors = OrderedDict<std::string, Tensor>;

}  // namespace tapegrad

// The state of optimizers as named tensors, out and in.
#include "tapegrad/core/copy.h"
#include "tapegrad/nn/optim/optimizer.h"

namespace tapegrad::optim {
namespace {

using Dict = OrderedDict<std::string, Tensor>;

Tensor number(double value) { return filled_tensor({}, kFloat64, value); }
Tensor count(int64_t value) { return filled_tensor({}, kInt64, value); }

std::string option_key(size_t group, const char* name) { return "param_groups." + std::to_string(group) + "." + name; }
std::string state_key(size_t slot, const char* name) { return "state." + std::to_string(slot) + "." + name; }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// What is read from a dict before anything is written, and what was wrong with it.
struct Reading {
  const Dict& dict;
  std::vector<std::string> known, missing, different;

  const Tensor* find(const std::string& key, bool required) {
    known.push_back(key);
    const Tensor* found = dict.find(key);
    if (found && found->defined()) return found;
    if (required) missing.push_back(key);
    return nullptr;
  }
  bool contains(const std::string& key) { return find(key, false) != nullptr; }
  // One number; the present one where it is missing.
  Scalar scalar(const std::string& key, Scalar present) {
    const Tensor* found = find(key, true);
    if (!found) return present;
    if (found->numel() == 1) return found->item();
    different.push_back(key + " is one number here and " + to_string(found->sizes()) + " there");
    return present;
  }
  Tensor state(const std::string& key, const Tensor& param, bool required) {
    const Tensor* found = find(key, required);
    if (!found) return {};
    if (found->dtype() != param.dtype() || !(IntArrayRef(found->sizes()) == IntArrayRef(param.sizes())))
      different.push_back(key + " is " + name_of(param.dtype()) + " " + to_string(param.sizes()) + " here and " +
                          name_of(found->dtype()) + " " + to_string(found->sizes()) + " there");
    return clone_of(found->detach());
  }
  void finish(const char* op) {
    Dict own;
    for (const std::string& key : known) own.append(key, Tensor());
    std::vector<std::string> unexpected;
    for (const auto& [key, value] : dict) {
      if (!own.contains(key)) unexpected.push_back(key);
    }
    std::string wrong;
    const auto add = [&](const char* what, const std::vector<std::string>& list) {
      if (!list.empty()) wrong += std::string(wrong.empty() ? "" : "; ") + what + ": " + joined(list);
    };
    add("missing keys", missing);
    add("unexpected keys", unexpected);
    add("what differs", different);
    if (!wrong.empty())
      throw ValueError(std::string("load_state_dict: the dict must fit this ") + op + ", got " + wrong);
  }
};

// Which state the group keeps with options that start at `options`.
std::array<bool, 3> kept_with(detail::Group& group, const double* options) {
  std::vector<double> before;
  group.visit_options(
      detail::OptionVisitor([&](const char*, double& value) { before.push_back(std::exchange(value, *options++)); }));
  const std::array<bool, 3> kept = group.kept_state();
  auto present = before.begin();
  group.visit_options(detail::OptionVisitor([&](const char*, double& value) { value = *present++; }));
  return kept;
}

}  // namespace

Dict Optimizer::state_dict() const {
  Dict out;
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g]->visit_options(detail::OptionVisitor(
        [&](const char* option, double& value) { out.append(option_key(g, option), number(value)); }));
    if (groups_[g]->initial_lr) out.append(option_key(g, "initial_lr"), number(*groups_[g]->initial_lr));
  }
  size_t i = 0;
  for (const Ref<detail::Group>& group : groups_) {
    for (size_t n = 0; n < group->slots.size(); ++n) {
      const detail::Slot& slot = group->slots[n];
      out.append(state_key(i, "step"), count(group->steps[n]));
      if (!group->mu_products.empty()) out.append(state_key(i, "mu_product"), number(group->mu_products[n]));
      for (size_t k = 0; k < state_names().size(); ++k) {
        if (slot.state[k].defined()) out.append(state_key(i, state_names()[k]), slot.state[k]);
      }
      ++i;
    }
  }
  return out;
}

void Optimizer::load_state_dict(const Dict& dict) {
  Reading reading{dict, {}, {}, {}};
  std::vector<double> options;
  std::vector<detail::Slot> slots;
  std::vector<int64_t> steps;
  std::vector<double> products;
  std::vector<std::optional<double>> initial_lrs;
  std::vector<std::array<bool, 3>> kept;  // by each group with the options of the dict
  for (size_t g = 0; g < groups_.size(); ++g) {
    const size_t first = options.size();
    groups_[g]->visit_options(detail::OptionVisitor([&](const char* option, double& value) {
      options.push_back(reading.scalar(option_key(g, option), value).to<double>());
    }));
    kept.push_back(kept_with(*groups_[g], options.data() + first));
    const std::string key = option_key(g, "initial_lr");
    initial_lrs.emplace_back();
    if (reading.contains(key)) initial_lrs.back() = reading.scalar(key, 0).to<double>();
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    const detail::Group& group = *groups_[g];
    for (const detail::Slot& slot : group.slots) {
      const size_t i = slots.size();
      detail::Slot read;
      steps.push_back(reading.scalar(state_key(i, "step"), 0).to<int64_t>());
      if (!group.mu_products.empty()) products.push_back(reading.scalar(state_key(i, "mu_product"), 0).to<double>());
      for (size_t k = 0; k < state_names().size(); ++k) {
        if (state_names()[k])
          read.state[k] = reading.state(state_key(i, state_names()[k]), slot.param,
                                        slot.state[k].defined() && (kept[g][k] || group.filled[k]));
      }
      slots.push_back(std::move(read));
    }
  }
  reading.finish(name());

  auto option = options.begin();
  auto read = slots.begin();
  auto taken = steps.begin();
  auto product = products.begin();
  auto initial_lr = initial_lrs.begin();
  for (const Ref<detail::Group>& group : groups_) {
    group->visit_options(detail::OptionVisitor([&](const char*, double& value) { value = *option++; }));
    group->initial_lr = *initial_lr++;
    for (int64_t& count : group->steps) count = *taken++;
    for (double& value : group->mu_products) value = *product++;
    for (detail::Slot& slot : group->slots) {
      for (size_t k = 0; k < state_names().size(); ++k) {
        const Tensor& from = read->state[k];
        // Into the memory it has: kept launches go on writing there. What no step has seen may go away again.
        if (slot.state[k].defined() && from.defined()) copy(slot.state[k], from);
        else slot.state[k] = from;
      }
      ++read;
    }
  }
}

}  // namespace tapegrad::optim

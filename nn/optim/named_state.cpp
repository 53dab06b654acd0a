// Named members out into a dict, and in from one.
#include "tapegrad/nn/optim/named_state.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/ops/factory.h"

namespace tapegrad::optim {
namespace {

template <class T> constexpr DType dtype_for = std::is_same_v<T, double> ? kFloat64 : kInt64;

template <class T> Tensor tensor_of(const std::vector<T>& values) {
  const Tensor out = filled_tensor(static_cast<int64_t>(values.size()), dtype_for<T>, 0);
  std::copy(values.begin(), values.end(), out.template data_ptr<T>());
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

NamedState::Dict NamedState::written(const Visit& visit) {
  NamedState state(Mode::write);
  visit(state);
  return std::move(state.out_);
}

void NamedState::check(const char* op, const Dict& dict, const Visit& visit) {
  NamedState state(Mode::check);
  state.in_ = &dict;
  visit(state);
  std::vector<std::string> unexpected;
  for (const auto& [key, value] : dict) {
    if (std::find(state.known_.begin(), state.known_.end(), key) == state.known_.end()) unexpected.push_back(key);
  }
  std::string wrong;
  const auto add = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) wrong += std::string(wrong.empty() ? "" : "; ") + what + ": " + joined(list);
  };
  add("missing keys", state.missing_);
  add("unexpected keys", unexpected);
  add("what differs", state.different_);
  if (!wrong.empty()) throw ValueError(std::string("load_state_dict: the dict must fit this ") + op + ", got " + wrong);
}

void NamedState::take(const Dict& dict, const Visit& visit) {
  NamedState state(Mode::take);
  state.in_ = &dict;
  visit(state);
}

const Tensor* NamedState::find(const std::string& name) {
  const std::string key = prefix_ + name;
  const Tensor* found = in_->find(key);
  if (found && !found->defined()) found = nullptr;
  if (mode_ == Mode::take) return found;
  known_.push_back(key);
  if (!found) missing_.push_back(key);
  return found;
}

bool NamedState::fits(const std::string& name, bool same, const std::string& here, const Tensor& there) {
  if (!same)
    different_.push_back(prefix_ + name + " is " + here + " here and " + tapegrad::name_of(there.dtype()) + " " +
                         to_string(there.sizes()) + " there");
  return same;
}

const Tensor* NamedState::number(const std::string& name, bool whole) {
  const Tensor* found = find(name);
  if (!found) return nullptr;
  const bool same = found->numel() == 1 && !(whole && found->is_floating_point());
  if (!fits(name, same, whole ? "one whole number" : "one number", *found)) return nullptr;
  return mode_ == Mode::take ? found : nullptr;
}

void NamedState::operator()(const std::string& name, double& value) {
  if (mode_ == Mode::write) out_.append(prefix_ + name, filled_tensor({}, kFloat64, value));
  else if (const Tensor* found = number(name, false)) value = found->item().to<double>();
}

void NamedState::operator()(const std::string& name, int64_t& value) {
  if (mode_ == Mode::write) out_.append(prefix_ + name, filled_tensor({}, kInt64, value));
  else if (const Tensor* found = number(name, true)) value = found->item().to<int64_t>();
}

void NamedState::positive(const std::string& name, int64_t& value) {
  const size_t wrong = different_.size() + missing_.size();
  (*this)(name, value);
  if (mode_ != Mode::check || different_.size() + missing_.size() != wrong) return;
  const auto there = in_->find(prefix_ + name)->item().to<int64_t>();
  if (there < 1 || there > int64_t{1} << 53)
    different_.push_back(prefix_ + name + " must be from 1 to 2^53 and is " + std::to_string(there) + " there");
}

void NamedState::operator()(const std::string& name, bool& value) {
  int64_t as_number = value;
  (*this)(name, as_number);
  value = as_number != 0;
}

template <class T> void NamedState::numbers(const std::string& name, std::vector<T>& values, bool any_length) {
  if (mode_ == Mode::write) {
    out_.append(prefix_ + name, tensor_of(values));
    return;
  }
  const Tensor* found = find(name);
  if (!found) return;
  const auto count = static_cast<int64_t>(values.size());
  const bool whole = std::is_same_v<T, int64_t>;
  const bool same =
      found->dim() == 1 && (any_length || found->numel() == count) && !(whole && found->is_floating_point());
  const std::string here = any_length ? "a list of numbers" : std::to_string(count) + " numbers";
  if (!fits(name, same, here, *found) || mode_ == Mode::check) return;
  const Tensor from = contiguous_of(converted(found->detach(), dtype_for<T>));
  values.assign(from.template data_ptr<T>(), from.template data_ptr<T>() + from.numel());
}

void NamedState::operator()(const std::string& name, std::vector<double>& values) { numbers(name, values, false); }
void NamedState::operator()(const std::string& name, std::vector<int64_t>& values) { numbers(name, values, false); }
void NamedState::list(const std::string& name, std::vector<double>& values) { numbers(name, values, true); }
void NamedState::list(const std::string& name, std::vector<int64_t>& values) { numbers(name, values, true); }

void NamedState::operator()(const std::string& name, const Tensor& values) {
  if (mode_ == Mode::write) {
    out_.append(prefix_ + name, values);
    return;
  }
  const Tensor* found = find(name);
  if (!found) return;
  const bool same = found->dtype() == values.dtype() && IntArrayRef(found->sizes()) == IntArrayRef(values.sizes());
  const std::string here = std::string(tapegrad::name_of(values.dtype())) + " " + to_string(values.sizes());
  if (fits(name, same, here, *found) && mode_ == Mode::take) copy(values, found->detach());
}

void NamedState::rows(const std::string& name, Tensor& values, DType dtype, int64_t width) {
  if (mode_ == Mode::write) {
    out_.append(prefix_ + name, values.defined() ? values : filled_tensor({0, width}, dtype, 0));
    return;
  }
  const Tensor* found = find(name);
  if (!found) return;
  const bool same = found->dtype() == dtype && found->dim() == 2 && found->sizes()[1] == width;
  const std::string here = std::string(tapegrad::name_of(dtype)) + " of " + std::to_string(width) + " columns";
  if (fits(name, same, here, *found) && mode_ == Mode::take) values = clone_of(found->detach());
}

void NamedState::nested(const std::string& prefix, const Visit& visit) {
  const std::string outer = std::exchange(prefix_, prefix_ + prefix);
  visit(*this);
  prefix_ = outer;
}

}  // namespace tapegrad::optim

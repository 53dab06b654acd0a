// Kept launches: who keeps now, what is known of their memory, and how a kept closure lives and dies.
#include "tapegrad/core/launch.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "tapegrad/core/kept_launch.h"
#include "tapegrad/core/own_launch.h"

namespace tapegrad {

KeptLaunch::KeptLaunch(const char* launch_name, LaunchKind launch_kind, const detail::Closure& c)
    : name(launch_name), kind(launch_kind), phase(detail::phase), closure(c) {
  const auto told = [&](auto* tell, auto& record) {
    if (!tell) return;
    record = std::make_unique<std::remove_reference_t<decltype(*record)>>();
    if (!tell(closure.object, *record)) record.reset();
  };
  told(closure.type->walk, walk);
  told(closure.type->sum, sum);
}

KeptLaunch::KeptLaunch(KeptLaunch&& other) noexcept
    : name(other.name),
      kind(other.kind),
      phase(other.phase),
      closure(other.closure),
      walk(std::move(other.walk)),
      sum(std::move(other.sum)),
      operands(std::move(other.operands)) {
  other.closure.object = nullptr;
}

KeptLaunch& KeptLaunch::operator=(KeptLaunch&& other) noexcept {
  std::swap(name, other.name);
  std::swap(kind, other.kind);
  std::swap(phase, other.phase);
  std::swap(closure, other.closure);
  walk.swap(other.walk);
  sum.swap(other.sum);
  operands.swap(other.operands);
  return *this;
}

KeptLaunch::~KeptLaunch() {
  if (closure.object) closure.type->destroy(closure.object);
}

struct LaunchList::State {
  std::vector<KeptLaunch> launches;
  std::vector<KeptStorage> storages;
  std::unordered_map<const Storage*, size_t> index;
  std::vector<std::pair<void*, size_t>> host;
  std::set<std::pair<void*, size_t>> known_host;
  std::vector<std::shared_ptr<const void>> held;
  std::set<std::string> names;

  size_t add(Storage* storage, bool created_here) {
    const auto [at, added] = index.try_emplace(storage, storages.size());
    if (added) {
      storages.push_back({storage, created_here});
      storage->watch();
    }
    return at->second;
  }

  LaunchOperand operand(const Tensor& x, bool written) {
    const TensorImpl& t = *x.impl();
    LaunchOperand o{add(t.storage.get(), false), t.data, t.data, written, t.contiguous, t.dtype, t.sizes,
                    detail::distinct_bytes(t)};
    if (t.numel == 0) return o;
    for (int64_t d = 0; d < t.sizes.size(); ++d) {
      const int64_t reach = (t.sizes[d] - 1) * t.strides[d] * item_size(t.dtype);
      (reach < 0 ? o.low : o.high) += reach;
    }
    o.high += item_size(t.dtype);
    return o;
  }
};

LaunchList::LaunchList() : state_(new State), outer_(detail::exchange_list(this)) {}

LaunchList::~LaunchList() {
  stop();
  for (const KeptStorage& s : state_->storages) {
    if (s.storage) s.storage->unwatch();
  }
  delete state_;
}

void LaunchList::stop() {
  if (!std::exchange(active_, false)) return;
  // Lists may be stopped in any order, so this one leaves the chain wherever it stands in it.
  LaunchList* first = detail::current();
  LaunchList** link = &first;
  while (*link && *link != this) link = &(*link)->outer_;
  if (*link) *link = outer_;
  detail::exchange_list(first);
}

std::vector<KeptLaunch>& LaunchList::launches() const { return state_->launches; }
const std::vector<KeptStorage>& LaunchList::storages() const { return state_->storages; }

void LaunchList::drop(size_t i) {
  KeptStorage& s = state_->storages[i];
  if (!s.storage) return;
  state_->index.erase(s.storage);
  std::exchange(s.storage, nullptr)->unwatch();
}

void LaunchList::keep(const char* name, LaunchKind kind, Operands outputs, Operands inputs,
                      const detail::Closure& closure) {
  KeptLaunch launch(name, kind, closure);
  for (const Tensor* t : outputs) {
    if (t && t->defined()) launch.operands.push_back(state_->operand(*t, true));
  }
  for (const Tensor* t : inputs) {
    if (t && t->defined()) launch.operands.push_back(state_->operand(*t, false));
  }
  if (seen_) seen_(context_, launch);
  state_->launches.push_back(std::move(launch));
}

void LaunchList::note_host(void* data, size_t bytes) {
  if (state_->known_host.emplace(data, bytes).second) state_->host.emplace_back(data, bytes);
}

void LaunchList::hold(std::shared_ptr<const void> owner) { state_->held.push_back(std::move(owner)); }

const std::vector<std::pair<void*, size_t>>& LaunchList::host() const { return state_->host; }

void LaunchList::created(Storage* storage) {
  if (!running_) state_->add(storage, true);
}

bool LaunchList::uses(const Storage* storage) const { return state_->index.count(storage) > 0; }

bool LaunchList::has_created(const Storage* storage) const {
  const auto at = state_->index.find(storage);
  return at != state_->index.end() && state_->storages[at->second].created_here;
}

const char* LaunchList::own_name(const char* name) { return state_->names.emplace(name).first->c_str(); }

void LaunchList::run() const {
  for (const KeptLaunch& launch : state_->launches) launch.run();
}

void LaunchList::refuse(const char* what) const {
  throw AutogradError("capture: " + std::string(what) + ", at " + where_());
}

namespace detail {

[[gnu::cold]] void launch_watched(const char* name, LaunchKind kind, Operands outputs, Operands inputs,
                                  const void* kernel, const KernelType& type) {
  observe(name, kind, outputs, inputs, kernel, type);
  LaunchList* const list = current();
  if (list && !list->running()) list->keep(name, kind, outputs, inputs, {type.copy(kernel), &type});
}

namespace {

class RunningLaunch {
 public:
  explicit RunningLaunch(LaunchList* list) : list_(list), outer_(list && list->set_running(true)) {}
  ~RunningLaunch() {
    if (list_) list_->set_running(outer_);
  }
  RunningLaunch(const RunningLaunch&) = delete;
  RunningLaunch& operator=(const RunningLaunch&) = delete;

 private:
  LaunchList* list_;
  bool outer_;
};

}  // namespace

LaunchList* run_watched(const char* name, std::initializer_list<const Tensor*> outputs,
                        std::initializer_list<const Tensor*> inputs, const void* kernel, const KernelType& type) {
  LaunchList* const list = current();
  {
    const RunningLaunch running(list);
    observe(name, LaunchKind::other, outputs, inputs, kernel, type);
  }
  return list && !list->running() ? list : nullptr;
}

void keep_own(LaunchList& list, const char* name, std::initializer_list<const Tensor*> outputs,
              std::initializer_list<const Tensor*> inputs, const Closure& closure) {
  list.keep(list.own_name(name), LaunchKind::other, outputs, inputs, closure);
}

void CheckedPointer::check(DType asked) const {
  if (asked != tensor->dtype())
    throw DTypeError(std::string(kernel) + ": a pointer must have its tensor's element type, which is " +
                     name_of(tensor->dtype()) + ", got " + name_of(asked));
}

std::array<const Tensor*, 12> checked_operands(const char* name, std::initializer_list<const Tensor*> outputs,
                                               std::initializer_list<const Tensor*> inputs, size_t pointers) {
  std::array<const Tensor*, 12> operands{};
  if (pointers != 0 && outputs.size() + inputs.size() != pointers)
    throw ValueError(std::string(name) + ": the kernel must take one pointer for each of the " +
                     std::to_string(outputs.size() + inputs.size()) + " outputs and inputs, got " +
                     std::to_string(pointers) + " pointers");
  size_t i = 0;
  for (const auto list : {outputs, inputs}) {
    for (const Tensor* t : list) {
      if (!t || !t->defined())
        throw ValueError(std::string(name) + ": operand " + std::to_string(i) +
                         " of the launch must be defined, got an undefined tensor (Tensor())");
      if (pointers != 0) operands[i] = t;
      ++i;
    }
  }
  return operands;
}

}  // namespace detail
}  // namespace tapegrad

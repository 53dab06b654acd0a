// Kept launches: who keeps now, and how a kept closure lives and dies.
#include "tapegrad/core/launch.h"

#include <utility>

namespace tapegrad {

namespace detail {
constinit thread_local LaunchList* current_list __attribute__((tls_model("initial-exec"))) = nullptr;
}

LaunchList* keeping() { return detail::current_list; }

namespace {

// Aliases, so that a kept launch neither sees nor prolongs the tape.
std::vector<Tensor> held(std::initializer_list<const Tensor*> tensors) {
  std::vector<Tensor> result;
  for (const Tensor* t : tensors) {
    if (t && t->defined()) result.push_back(alias(*t));
  }
  return result;
}

}  // namespace

KeptLaunch::KeptLaunch(const char* n, LaunchKind k, void* c, void (*r)(void*), void (*d)(void*))
    : name(n), kind(k), closure(c), run(r), destroy(d) {}

KeptLaunch::KeptLaunch(KeptLaunch&& other) noexcept
    : name(other.name),
      kind(other.kind),
      closure(std::exchange(other.closure, nullptr)),
      run(other.run),
      destroy(other.destroy),
      outputs(std::move(other.outputs)),
      inputs(std::move(other.inputs)) {}

KeptLaunch& KeptLaunch::operator=(KeptLaunch&& other) noexcept {
  std::swap(name, other.name);
  std::swap(kind, other.kind);
  std::swap(closure, other.closure);
  std::swap(run, other.run);
  std::swap(destroy, other.destroy);
  outputs.swap(other.outputs);
  inputs.swap(other.inputs);
  return *this;
}

KeptLaunch::~KeptLaunch() {
  if (closure) destroy(closure);
}

LaunchList::LaunchList() : outer_(std::exchange(detail::current_list, this)) {}

LaunchList::~LaunchList() { stop(); }

void LaunchList::stop() {
  if (!std::exchange(active_, false)) return;
  // Lists may be stopped in any order, so this one leaves the chain wherever it stands in it.
  LaunchList** link = &detail::current_list;
  while (*link && *link != this) link = &(*link)->outer_;
  if (*link) *link = outer_;
}

void LaunchList::keep(const char* name, LaunchKind kind, std::initializer_list<const Tensor*> outputs,
                      std::initializer_list<const Tensor*> inputs, void* closure, void (*run)(void*),
                      void (*destroy)(void*)) {
  KeptLaunch launch(name, kind, closure, run, destroy);
  launch.outputs = held(outputs);
  launch.inputs = held(inputs);
  launches_.push_back(std::move(launch));
}

void LaunchList::run() const {
  for (const KeptLaunch& launch : launches_) launch.run(launch.closure);
}

}  // namespace tapegrad

// What a module is called while it runs, for profilers and memory reports.
#include "tapegrad/nn/call_scope.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {
std::atomic<int> separators{0};
}  // namespace

bool layers_are_seen() { return tapegrad::detail::observed() || separators.load(std::memory_order_relaxed) != 0; }

namespace detail {

SeparateLayers::SeparateLayers() { separators.fetch_add(1, std::memory_order_relaxed); }
SeparateLayers::~SeparateLayers() { separators.fetch_sub(1, std::memory_order_relaxed); }

namespace {

constinit thread_local CallScope* innermost = nullptr;

// "blocks.0": where `wanted` is below `state`; empty when it is not.
std::string path_to(const ModuleState& wanted, const ModuleState& state) {
  for (const ModuleState::Child& child : state.children) {
    const ModuleState& below = ModuleState::of(child.held->module());
    if (&below == &wanted) return child.name;
    if (const std::string rest = path_to(wanted, below); !rest.empty()) return child.name + "." + rest;
  }
  return "";
}

// The type for a module that nobody around it has registered.
std::string name_in(const Module& module, const Module* around) {
  const std::string path = around ? path_to(ModuleState::of(module), ModuleState::of(*around)) : std::string();
  return path.empty() ? module.name() : path;
}

}  // namespace

void CallScope::begin() {
  outer_ = innermost;
  tapegrad::detail::enter("module", name_in(*module_, outer_ ? outer_->module_ : nullptr));
  innermost = this;
}

void CallScope::end() noexcept {
  tapegrad::detail::leave();
  innermost = outer_;
}

}  // namespace detail
}  // namespace tapegrad::nn

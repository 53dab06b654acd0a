// A module that runs, as profilers and memory reports see it.
#pragma once

#include "tapegrad/core/watch.h"

namespace tapegrad::nn {
class Module;

namespace detail {

// While alive, whoever made it wants to find every layer on the tape by itself: containers join none to their neighbours.
class TAPEGRAD_API SeparateLayers {
 public:
  SeparateLayers();
  ~SeparateLayers();
  SeparateLayers(const SeparateLayers&) = delete;
  SeparateLayers& operator=(const SeparateLayers&) = delete;
};

// A call of a module, under the name that it has in the module that calls it.
class CallScope {
 public:
  explicit CallScope(const Module& module) : module_(tapegrad::detail::observed() ? &module : nullptr) {
    if (module_) [[unlikely]]
      begin();
  }
  ~CallScope() {
    if (module_) [[unlikely]]
      end();
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  TAPEGRAD_API void begin();
  TAPEGRAD_API void end() noexcept;
  const Module* module_;
  CallScope* outer_ = nullptr;
};

}  // namespace detail
}  // namespace tapegrad::nn

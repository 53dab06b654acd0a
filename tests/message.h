// What an exception said, and a matcher for parts of it that Catch2 2 and 3 both have.
#pragma once

#include <string>

#include "catch.h"

// The message of the E that f throws.
template <class E, class F> std::string message_of(const F& f) {
  try {
    f();
  } catch (const E& e) { return e.what(); }
  return "nothing of this type was thrown";
}

#ifdef TAPEGRAD_CATCH2_V3
inline auto Contains(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
#else
inline auto Contains(const std::string& part) { return Catch::Matchers::Contains(part); }
#endif

// A Catch2 matcher, for version 2 and 3: REQUIRE_THAT(f, HasCorrectGradient({x, w}));
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include "tapegrad/autograd/check/gradcheck.h"

namespace tapegrad {

namespace detail {
#if CATCH_VERSION_MAJOR >= 3
using MatcherBase = Catch::Matchers::MatcherGenericBase;
#else
struct MatcherBase {};
#endif
}  // namespace detail

// Matches a function whose gradients at `inputs` pass gradcheck; a mismatch prints the whole report.
class HasCorrectGradient : public detail::MatcherBase {
 public:
  explicit HasCorrectGradient(std::vector<Tensor> inputs, GradcheckOptions options = {})
      : inputs_(std::move(inputs)), options_(std::move(options)) {}
  template <class F> bool match(const F& f) const {
    report_ = gradcheck_report(f, inputs_, options_);
    return report_.ok();
  }
  std::string describe() const { return "has the gradient of its values\n" + report_.text(); }
  std::string toString() const { return describe(); }

 private:
  std::vector<Tensor> inputs_;
  GradcheckOptions options_;
  mutable GradcheckReport report_;
};

}  // namespace tapegrad

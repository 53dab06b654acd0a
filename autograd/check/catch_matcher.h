// A Catch2 matcher, for version 2 and 3 (include Catch2 first): REQUIRE_THAT(f, HasCorrectGradient({x, w}));
#pragma once

#include "tapegrad/autograd/check/gradcheck.h"

namespace tapegrad {

namespace detail {
#ifdef CATCH_VERSION_MAJOR
#if CATCH_VERSION_MAJOR >= 3
using MatcherBase = Catch::Matchers::MatcherGenericBase;
#else
struct MatcherBase {};
#endif
#else
#error "catch_matcher.h: include Catch2 before this header"
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

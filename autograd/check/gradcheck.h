// Checks gradients: the tape against numerical derivatives, and backward against itself, with an explanation on failure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad {

// What to do at a kink (relu at 0), where any slope between the one-sided ones is a gradient.
enum class Kinks : uint8_t { accept, note, fail };

struct GradcheckOptions {
  int order = 1;              // 2: the gradients' own derivatives as well, by the inputs and by the cotangents
  int64_t full_limit = 4096;  // inputs times outputs up to which every entry of the Jacobian is checked
  int probes = 3;             // rounds of random directions above that
  uint64_t seed = 0;          // of cotangents and directions
  Kinks kinks = Kinks::note;
  bool numeric = true;                  // against numerical derivatives
  bool consistency = true;              // backward against itself: linearity, layouts, subsets of inputs, mutation, ...
  bool forward = true;                  // forward mode against reverse mode
  bool layout_sensitive = false;        // f may depend on strides: inputs are not re-laid
  double nondet_tol = 0;                // how far two runs of f may be apart; 0: bitwise
  std::vector<int64_t> linear_in = {};  // inputs f is linear in: differences are exact there, and the bound is sharper
  void (*reseed)() = nullptr;           // called before every evaluation of f
  // For ported tests only: |a - n| <= atol + rtol |n| passes too, and the report says LOOSENED.
  std::optional<double> rtol = {}, atol = {};
};

// One thing that is wrong.
struct GradcheckFinding {
  std::string check;    // "numeric", "linearity", "mutation", ...
  int64_t output = -1;  // which output and input it is about, -1: all
  int64_t input = -1;
  double analytic = 0;  // of the worst entry; numeric findings only
  double numeric = 0;
  double bound = 0;
  std::string cause;  // a guess from the pattern of the wrong entries: "sign: ...", "transposed: ..."; may be empty
  std::string text;   // the whole story, several lines
};

struct GradcheckReport {
  std::vector<GradcheckFinding> findings;
  std::vector<std::string> notes;  // kinks met, entries without a verdict, what was skipped
  int64_t checked = 0;             // entries and directions that had a verdict
  int64_t evaluations = 0;         // of f
  bool loosened = false;

  bool ok() const { return findings.empty(); }
  // "gradcheck: passed, ..." or every finding, then the notes.
  TAPEGRAD_API std::string text() const;
};

// Thrown by gradcheck(); what() is the report's text.
class TAPEGRAD_API GradcheckError : public Error {
 public:
  explicit GradcheckError(GradcheckReport report);
  ~GradcheckError() override;
  const GradcheckReport& report() const { return report_; }

 private:
  GradcheckReport report_;
};

// The function under check, borrowed for the length of a call.
using GradcheckFunction = autograd::TensorFunction;

// Checks the gradients of f at `inputs`, by those that require grad. Never throws for a wrong gradient. The inputs, their
// grad(), grad mode and the default generator are left as they were. ValueError when no floating input requires grad.
TAPEGRAD_API GradcheckReport gradcheck_report(GradcheckFunction f, const std::vector<Tensor>& inputs,
                                              const GradcheckOptions& options = {});
// The same, true or a GradcheckError.
TAPEGRAD_API bool gradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs,
                            const GradcheckOptions& options = {});
// The same at order 2: first derivatives, then second ones.
TAPEGRAD_API bool gradgradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs, GradcheckOptions options = {});

}  // namespace tapegrad

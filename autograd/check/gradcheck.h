// Checks gradients: the tape against numerical derivatives, and backward against itself, with an explanation on failure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad {

// What to do at a kink (relu at 0), where any slope between the one-sided ones is a gradient.
enum class Kinks : uint8_t { accept, note, fail };

struct GradcheckOptions {
  int order = 1;  // 2: the gradients' own derivatives as well, by the inputs and by the cotangents; 3: theirs
  int64_t full_limit = 4096;  // inputs times outputs up to which every entry of the Jacobian is checked
  int probes = 3;             // rounds of random directions above that
  uint64_t seed = 0;          // of cotangents and directions
  Kinks kinks = Kinks::note;
  bool numeric = true;                  // against numerical derivatives
  bool consistency = true;              // backward against itself: linearity, layouts, subsets of inputs, mutation, ...
  bool forward = true;                  // forward mode against reverse mode
  bool explain = true;                  // look for the op at fault behind a finding
  bool layout_sensitive = false;        // f may depend on strides: inputs are not re-laid
  double nondet_tol = 0;                // how far two runs of f may be apart; 0: bitwise
  std::vector<int64_t> linear_in = {};  // inputs f is linear in: differences are exact there, and the bound is sharper
  void (*reseed)() = nullptr;           // called before every evaluation of f
  std::vector<std::string> input_names = {};  // for the report
  // For ported tests only: |a - n| <= atol + rtol |n| passes too, and the report says LOOSENED.
  std::optional<double> rtol = {}, atol = {};
};

// One thing that is wrong.
struct GradcheckFinding {
  std::string check;    // "numeric", "second order", "linearity", "mutation", ...
  int64_t output = -1;  // which output and input it is about, -1: all
  int64_t input = -1;
  double analytic = 0;  // of the worst entry; numeric findings only
  double numeric = 0;
  double bound = 0;
  std::string cause;    // a guess from the pattern of the wrong entries: "sign: ...", "transposed: ..."; may be empty
  std::string culprit;  // name of the recorded op whose own rule fails the same check; empty: none, or none alone
  std::string where;    // file and line (or function) that recorded it, or that let a value off the tape; may be empty
  std::string text;     // the whole story, several lines
};

// What random directions say about an input too large to check entry by entry.
struct GradcheckDirections {
  std::string input;
  int rounds = 0;
  int64_t entries = 0;
  double threshold =
      0;  // an error e > threshold in one entry is missed with a chance of at most (threshold / e)^rounds
};

struct GradcheckReport {
  std::vector<GradcheckFinding> findings;
  std::vector<std::string> notes;  // kinks met, entries without a verdict, what was skipped
  std::vector<GradcheckDirections> directions;
  int64_t checked = 0;      // entries and directions that had a verdict
  int64_t evaluations = 0;  // of f
  bool loosened = false;

  bool ok() const { return findings.empty(); }
  // "gradcheck: passed, ..." or every finding, then the notes.
  TAPEGRAD_API std::string text() const;
  // The same for tools: one JSON object.
  TAPEGRAD_API std::string json() const;
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
// grad(), grad mode and the default generator are left as they were. ValueError: no floating input requires grad, f returns
// no tensor, an option out of range. DTypeError: f refuses float64 copies of its float32 inputs. What f throws goes on,
// and what a rule throws unless it is a tapegrad::Error, which is a finding.
TAPEGRAD_API GradcheckReport gradcheck_report(GradcheckFunction f, const std::vector<Tensor>& inputs,
                                              const GradcheckOptions& options = {});
// The same, true or a GradcheckError.
TAPEGRAD_API bool gradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs,
                            const GradcheckOptions& options = {});
// The same at order 2: first derivatives, then second ones.
TAPEGRAD_API bool gradgradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs, GradcheckOptions options = {});

// Orders, observed as the step shrinks, of what is left of f(x + h u) - f(x) after no, the first and the second term of its
// Taylor series by the tape: about 1, 2 and 3 when both derivatives are right. For whole models, at the cost of two sweeps. NaN
// where nothing is left but rounding (f is linear or quadratic along u). x and u are taken in float64; draws of f are not
// seeded. ValueError: no x, or not one u for each. ShapeError: u unlike its x, or f returns anything but one element. DTypeError:
// x or u not floating. AutogradError: f's result does not require grad.
TAPEGRAD_API std::array<double, 3> taylor_test(GradcheckFunction f, const std::vector<Tensor>& x,
                                               const std::vector<Tensor>& u);

}  // namespace tapegrad

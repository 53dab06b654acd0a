// What a check works on: private copies of the inputs, the function run under guard, and numbers as plain doubles. Internal.
#pragma once

#include <string>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/autograd/check/ladder.h"

namespace tapegrad::check {

using Tensors = std::vector<Tensor>;

// Uniform numbers of the checker's own, so that the caller's generator stays untouched.
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 0x632BE59BD9B4E019ull) {}
  double uniform(double low, double high);
  double sign() { return uniform(-1, 1) < 0 ? -1 : 1; }
  // Of either sign, with a size in [0.5, 1.5].
  double weight() { return sign() * uniform(0.5, 1.5); }

 private:
  uint64_t state_;
};

// The function under check with its inputs, and where findings go.
struct Problem {
  GradcheckFunction f;
  const GradcheckOptions& options;
  GradcheckReport& report;
  Tensors inputs;              // private copies in the caller's dtypes and layouts
  std::vector<size_t> wanted;  // those whose gradients are checked
  std::vector<std::string> names;
  bool copies = false;  // f writes in place to what it is given, and so gets recorded copies
  bool coarse = false;  // f computes through float32, also from float64

  // f(inputs), after reseeding. Counts.
  Tensors run(const Tensors& x) const;
  void find(std::string check, const std::string& what, int64_t output = -1, int64_t input = -1) const;
  void note(const std::string& text) const;
  std::string input_name(size_t i) const;
};

// Copies of `inputs` as leaves, those in `wanted` requiring grad; with the layout of each.
Tensors leaves_of(const Tensors& inputs, const std::vector<size_t>& wanted);
// A copy with x's strides (contiguous where x overlaps itself), its gaps filled with NaN.
Tensor copy_in_layout(const Tensor& x);
// x as f may write to it: memory of its own with x's strides, recorded where recording is on.
Tensor recorded_copy(const Tensor& x);
// The elements of x with the layout asked for: sizes stay, strides change. NaN between the elements where there is room.
enum class Layout { contiguous, gapped, transposed, channels_last, expanded };
Tensor laid_out(const Tensor& x, Layout layout);

bool same_bits(const Tensor& a, const Tensor& b);
// Largest |a - b|, NaN against NaN and equal infinities being 0; infinite where the shapes or dtypes differ.
double distance(const Tensor& a, const Tensor& b);
double largest(const Tensor& x);

Values values_of(const Tensor& x);
Tensor tensor_of(const Values& v, const Tensor& like);
// "[2,1]" of element i in row-major order, "" for a 0-dim tensor.
std::string position(int64_t i, const Shape& sizes);
std::string number(double x);

// The outputs that carry a gradient, with their places in f's result.
struct Outputs {
  Tensors y;
  std::vector<size_t> place;
};
Outputs recorded_outputs(const Tensors& y);
// Random cotangents for them.
Tensors cotangents(const Tensors& y, Draws& draws);
// Gradients by the wanted leaves of sum <w, y>; undefined where absent. Everything absent when y is empty.
Tensors vjp(const Tensors& y, const Tensors& wanted, const Tensors& w, bool retain = true, bool create = false);
// The same over flat numbers: w covers all of y, also what carries no gradient; absent gradients come out as zeros.
std::vector<Values> flat_vjp(const Tensors& y, const Tensors& wanted, const Values& w);
Tensors pick(const Tensors& all, const std::vector<size_t>& which);

// A function of float64 tensors whose derivatives are held against differences.
struct System {
  Tensors x;                   // contiguous float64 (or float32 where f takes nothing else)
  std::vector<Shape> outputs;  // shapes of its results
  std::function<bool(const Tensors& x, Values& f)> eval;
  std::function<std::vector<Values>(const Values& w)> vjp;  // by each x
  // The same at another x, recorded anew; may be empty.
  std::function<std::vector<Values>(const Tensors& x, const Values& w)> vjp_at;
  std::vector<std::string> x_names, y_names;
  std::vector<int64_t> x_index;   // input numbers for findings
  std::vector<int64_t> y_index;   // output numbers for findings
  std::string what = "d";         // how an entry is written
  const char* check = "numeric";  // under which name findings are filed
  bool probes_only = false;
  double eps = 2.220446049250313e-16;
};

// Section by section, cheap ones first; each adds its findings.
bool check_forward(Problem& p);
void check_consistency(Problem& p);
void check_forward_mode(Problem& p);
void check_numeric(Problem& p, System& s);
void check_order_two(Problem& p);
void check_order_three(Problem& p);
// Whether what f makes of float64 copies of its inputs goes through float32 on its way.
bool through_float32(const Problem& p);
// Adds to every finding whose fault it is.
void explain(Problem& p);
// gradcheck_report with names for the inputs.
GradcheckReport checked(GradcheckFunction f, const Tensors& inputs, const GradcheckOptions& options,
                        std::vector<std::string> names);
// The first-order system of p: float64 copies of its inputs, gradients from the tape.
System first_order(Problem& p);
void check_float32(Problem& p, const System& s);

// The entries of one (output, input) pair, dense.
struct Block {
  const Problem* problem;
  const char* check;
  std::string what, out_name, in_name;
  Shape out_sizes, in_sizes;
  Values analytic, numeric, bound, step;
  std::vector<int> evaluations;
  std::vector<bool> wrong;
  std::vector<bool> checked;
  size_t at_kinks = 0;    // wrong entries that lie at one
  std::string kink = {};  // the story of the first
};
// What a wrong block says, with the cause read from where and how it is wrong.
GradcheckFinding describe(const Block& block, int64_t output, int64_t input);
std::string cause_of(const Block& block);

}  // namespace tapegrad::check

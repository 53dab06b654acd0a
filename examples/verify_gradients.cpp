// One operation and thirteen ways to get its gradient wrong: each mistake is planted in turn, and what gradcheck says about it
// is printed and held to the name of the mistake. docs/verify-gradients.md explains the lines.
//
// The operation is a linear layer with a bend, averaged over the batch of N rows, and a penalty on b:
//   u = x wᵀ + b,   y = mean over the rows of (u² + |u - 1|) + b²/2      x [5, 3], w [3, 3], b [3], y [3]
#include <cstdio>

#include "common/report.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

enum class Mistake {
  none,
  sign,
  twice,
  not_averaged,
  averaged_twice,
  no_broadcast_sum,
  transposed,
  missing_term,
  detached,
  index,
  float_constant,
  outside_kink,
  input_written,
  cotangent_ignored,
};

struct Bent {
  static constexpr const char* name = "bent";
  Mistake mistake;
  SavedInput x{"x"}, w{"w"}, b{"b"};

  Tensor forward(const Tensor& x_, const Tensor& w_, const Tensor& b_) {
    x.save(x_);
    w.save(w_);
    b.save(b_);
    const Tensor u = linear(x_, w_, b_);
    const Tensor y = mean(square(u) + abs(u - 1), 0) + square(b_) / 2;
    if (mistake == Mistake::input_written) x_.data_ptr<double>()[0] += 1;
    return y;
  }

  // du = (2 u + sign(u - 1)) dy / N,  dx = du w,  dw = duᵀ x,  db = sum of du over the rows + b dy
  Grads backward(const Tensor& given) const {
    const auto is = [this](Mistake one) { return mistake == one; };
    const Tensor dy = is(Mistake::cotangent_ignored) ? ones_like(given) : given;
    const Tensor u = linear(*x, *w, *b);
    const double n = static_cast<double>(u.size(0));
    Tensor slope = 2 * u + sign(u - 1);
    if (is(Mistake::outside_kink)) slope = slope + 3 * (u == 1).to(kFloat64);
    Tensor du = slope * dy / n;
    if (is(Mistake::twice)) du = du * 2;
    if (is(Mistake::not_averaged)) du = du * n;
    if (is(Mistake::averaged_twice)) du = du / n;
    if (is(Mistake::float_constant)) du = du * (0.1F / 0.1);  // 0.1 was meant, 0.100000001 is there
    Tensor dw = mm(du.t(), *x);
    if (is(Mistake::sign)) dw = -dw;
    if (is(Mistake::transposed)) dw = dw.t();
    if (is(Mistake::index)) dw = roll(dw, 1, 0);
    Tensor db = is(Mistake::no_broadcast_sum) ? du : sum(du, 0);
    if (!is(Mistake::missing_term)) db = db + *b * dy;
    return {mm(du, *w), dw, db};
  }
};

Tensor bent(const Tensor& x, const Tensor& w, const Tensor& b, Mistake mistake) {
  const Tensor seen = mistake == Mistake::detached ? x.detach() : x;
  return apply(Bent{.mistake = mistake}, seen, w, b);
}

struct Case {
  Mistake mistake;
  const char* name;
  const char* says;  // what the report must hold
};

const Case cases[] = {
    {Mistake::sign, "the gradient by w has the wrong sign", "sign: analytic = -numeric"},
    {Mistake::twice, "a factor 2 too many in du", "factor 2 for every wrong entry"},
    {Mistake::not_averaged, "the 1/N of the mean is forgotten", "factor 5, size 0 of in0(\"x\")"},
    {Mistake::averaged_twice, "1/N twice", "factor 1/5, size 0 of in0(\"x\")"},
    {Mistake::no_broadcast_sum, "no sum over the rows that b was spread over", "does its rule forget a reduction"},
    {Mistake::transposed, "the gradient by w comes out transposed", "transposed: the gradient by in1(\"w\")"},
    {Mistake::missing_term, "the penalty's own term is left out",
     "missing term: numeric - analytic is 1 times in2(\"b\")"},
    {Mistake::detached, "x reaches the output off the tape", "detached: in0(\"x\")"},
    {Mistake::index, "the rows of the gradient by w are one too far", "index: the right values at other places"},
    {Mistake::float_constant, "a constant went through float32", "float32 constant"},
    {Mistake::outside_kink, "a slope no side of the kink has", "not a subgradient"},
    {Mistake::input_written, "the forward writes into x", "f writes into in0(\"x\")"},
    {Mistake::cotangent_ignored, "what arrives from behind is ignored", "zero cotangent, linearity"},
};

// The first finding without the list of further entries, and the names of the checks that fail besides.
std::string short_form(const GradcheckReport& report) {
  if (report.ok()) return "  nothing found\n";
  std::string out, line;
  for (const char c : report.findings[0].text + "\n") {
    line += c;
    if (c != '\n') continue;
    if (!line.starts_with("  also")) out += "  " + line;
    line.clear();
  }
  std::string others;
  for (const GradcheckFinding& finding : report.findings) {
    const bool told = finding.check == report.findings[0].check || others.find(finding.check) != std::string::npos;
    if (!told) others += (others.empty() ? "" : ", ") + finding.check;
  }
  return out + (others.empty() ? "" : "    besides  " + others + "\n");
}

}  // namespace

int main() {
  examples::Report report;
  manual_seed(3);
  const Tensor x = randn({5, 3}, kFloat64), w = randn({3, 3}, kFloat64), b = randn({3}, kFloat64);
  const auto check = [&](Mistake mistake, bool at_kink) {
    const auto f = [mistake](const Tensor& x, const Tensor& w, const Tensor& b) { return bent(x, w, b, mistake); };
    std::vector<Tensor> inputs{x.clone(), w.clone(), b.clone()};
    if (at_kink) inputs[0][0] = 0, inputs[2][0] = 1;  // u[0][0] = 1
    for (Tensor& t : inputs) t.requires_grad_();
    return gradcheck_report(f, inputs, {.input_names = {"x", "w", "b"}});
  };
  for (const bool at_kink : {false, true}) {
    const GradcheckReport right = check(Mistake::none, at_kink);
    std::printf("the right rule%s\n  %s\n", at_kink ? ", at the kink" : "", right.text().c_str());
    report.holds("the right rule", "passes", right.ok() ? "passes" : "fails", right.ok());
  }
  for (const Case& one : cases) {
    const GradcheckReport found = check(one.mistake, one.mistake == Mistake::outside_kink);
    const std::string said = short_form(found);
    std::printf("\n%s\n%s", one.name, said.c_str());
    const bool named = said.find(one.says) != std::string::npos;
    report.holds(one.name, one.says, named ? "said" : "not said", named);
  }
  return report.exit_status();
}

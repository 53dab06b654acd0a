// The checker scored on the library's own rules: each op's gradients rewritten in every way, caught, culprit and cause named.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "message.h"
#include "op_properties_runs.h"
#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/autograd/rewrite.h"

using namespace op_properties;
using autograd::Node;
using autograd::RewriteGuard;

namespace {

constexpr int64_t kLargest = 400;  // elements of a case

using Change = void (*)(double* g, const Shape& sizes, int64_t n);

// A way to be wrong: of every gradient, of one input's, or of the cotangent before the rule sees it.
struct Mutation {
  const char* name;
  const char* cause;  // how a cause that names it begins
  Change gradient = nullptr;
  bool drops = false;
  bool skips = false;
};

void negate(double* g, const Shape&, int64_t n) {
  for (int64_t i = 0; i < n; ++i) g[i] = -g[i];
}
void twice(double* g, const Shape&, int64_t n) {
  for (int64_t i = 0; i < n; ++i) g[i] *= 2;
}
void transpose_in_place(double* g, const Shape& sizes, int64_t n) {
  if (sizes.size() < 2) return;
  const int64_t rows = sizes[sizes.size() - 2];
  const int64_t cols = sizes[sizes.size() - 1];
  const std::vector<double> from(g, g + n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = i % (rows * cols);
    g[i] = from[static_cast<size_t>(i - at + at % rows * cols + at / rows)];
  }
}
void shift(double* g, const Shape&, int64_t n) { std::rotate(g, g + n - 1, g + n); }
// What is left over after whole vectors of 8; the last element where that is nothing or all, which would be a dropped input.
void forget_tail(double* g, const Shape&, int64_t n) {
  std::fill(g + n - (n > 8 ? std::max<int64_t>(1, n % 8) : 1), g + n, 0);
}
void through_float(double* g, const Shape&, int64_t n) {
  for (int64_t i = 0; i < n; ++i) g[i] *= static_cast<double>(0.1f) / 0.1;
}

const Mutation kMutations[] = {
    {"sign", "sign: ", negate},
    {"x2", "factor 2 for every wrong entry", twice},
    {"dropped input", "zero: ", nullptr, true},
    {"transposed", "transposed: ", transpose_in_place},
    {"skipped reduction", "first row only: ", nullptr, false, true},
    {"off-by-one index", "index: ", shift},
    {"zeroed tail", "tail: ", forget_tail},
    {"float constant", "factor 1.00000001", through_float},
};

// x changed, in memory of its own.
Tensor changed(const Tensor& x, Change change) {
  if (!x.defined() || x.numel() == 0) return x;
  const Tensor y = contiguous_of(clone_of(x.detach()));
  change(y.data_ptr<double>(), y.sizes(), y.numel());
  return y;
}

void keep_first(double* dy, const Shape& sizes, int64_t n) {
  if (sizes.size() > 0) std::fill(dy + n / sizes[0], dy + n, 0);
}

// The rules of all nodes named `op` with this mutation; `input` is the one a mutation that drops one drops.
autograd::Rewriter mutated(const std::string& op, const Mutation& mutation, int64_t input) {
  return [=](Node& node, Grads& dy) {
    if (op != node.name()) return node.backward(dy);
    if (mutation.skips) {
      for (Tensor& t : dy) t = changed(t, keep_first);
    }
    Grads dx = node.backward(dy);
    if (mutation.drops && input < static_cast<int64_t>(dx.size())) dx[input] = Tensor();
    for (Tensor& g : dx) g = mutation.gradient ? changed(g, mutation.gradient) : g;
    return dx;
  };
}

// What is mutated: a case of a row, and the node that is the row's op.
struct Subject {
  const Row* row;
  const Case* c;
  Tensors leaves;
  std::string node;
  int64_t inputs;  // of the node
};

void collect(const Node* n, std::set<std::pair<uint64_t, const Node*>>& found) {
  if (!n || !found.insert({n->sequence(), n}).second) return;
  for (int64_t i = 0; i < n->inputs(); ++i) collect(n->edge(i).node(), found);
}

// The node of the row's name, else the last one recorded that does more than to change a shape.
const Node* node_of(const Row& row, const Tensor& y) {
  static const std::set<std::string> shapes{"view", "reshape", "expand", "to", "squeeze", "unsqueeze"};
  std::set<std::pair<uint64_t, const Node*>> nodes;
  collect(y.grad_fn().get(), nodes);
  const Node* last = nullptr;
  for (const auto& [sequence, n] : nodes) {
    if (row.name == n->name()) return n;
    if (!last || !shapes.count(n->name())) last = n;
  }
  return last;
}

// Whether swapped dims, a missing row or a shifted index can be seen at all.
bool is_matrix(const Tensor& x) {
  return x.dim() >= 2 && x.size(-1) > 1 && x.size(-2) > 1 && x.size(0) > 1 && x.requires_grad();
}

std::optional<Subject> subject_of(const Row& row) {
  std::optional<Subject> best;
  for (const Case& c : row.cases) {
    if (c.order < 1 || elements(c) > kLargest) continue;
    const Tensors leaves = leaves_of(c, sample(c, kFloat64, 0));
    const Tensor y = c.f(leaves);
    if (differentiable(leaves).empty() || !y.requires_grad() || y.numel() == 0) continue;
    const Node* node = node_of(row, y);
    if (!node) continue;
    const bool matrix = std::any_of(leaves.begin(), leaves.end(), is_matrix);
    if (best && !matrix) continue;
    best = Subject{&row, &c, leaves, node->name(), node->inputs()};
    if (matrix) break;
  }
  return best;
}

// The gradients for some random cotangents; two lists are the same value by value.
Tensors gradients(const Subject& s) {
  Tensors all;
  Generator generator(5);
  const Tensor y = s.c->f(s.leaves);
  for (int i = 0; i < 3; ++i) {
    const Tensor w = randn(y.sizes(), generator, kFloat64);
    for (const Tensor& g : autograd::grad({y}, differentiable(s.leaves), {w}, true, false, true)) all.push_back(g);
  }
  return all;
}
bool same(const Tensors& a, const Tensors& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    const int64_t n = a[i].defined() ? a[i].numel() : b[i].defined() ? b[i].numel() : 0;
    const Array none({n});
    const Array x = a[i].defined() ? op_cases::values_of(a[i]) : none;
    const Array y = b[i].defined() ? op_cases::values_of(b[i]) : none;
    for (int64_t j = 0; j < n; ++j) {
      if (x[j] != y[j] && !(std::isnan(x[j]) && std::isnan(y[j]))) return false;
    }
  }
  return true;
}

struct Score {
  int equivalent = 0, mutants = 0, caught = 0, culprit = 0, cause = 0;
};

struct Scores {
  std::map<std::string, Score> of;
  std::vector<std::string> uncaught, unnamed;

  void add(const Subject& s, const Mutation& mutation, int64_t input) {
    Score& score = of[mutation.name];
    const Tensors right = gradients(s);
    const RewriteGuard rewrite(mutated(s.node, mutation, input));
    if (same(right, gradients(s))) {
      ++score.equivalent;
      return;
    }
    ++score.mutants;
    const GradcheckReport report = gradcheck_report(s.c->f, s.leaves, {.layout_sensitive = s.row->needs_contiguous});
    const std::string what =
        std::string(mutation.name) + " of " + s.node + ", row " + s.row->name + ", case " + s.c->label;
    if (report.ok()) {
      uncaught.push_back(what + ": " + report.text());
      return;
    }
    ++score.caught;
    const GradcheckFinding& first = report.findings[0];
    const bool culprit = first.culprit == s.node;
    const bool cause = first.cause.rfind(mutation.cause, 0) == 0;
    score.culprit += culprit, score.cause += cause;
    if (!culprit || !cause) unnamed.push_back(what + ": culprit " + first.culprit + ", cause " + first.cause);
  }
  Score total() const {
    Score all;
    for (const auto& [name, s] : of) {
      all.equivalent += s.equivalent, all.mutants += s.mutants, all.caught += s.caught;
      all.culprit += s.culprit, all.cause += s.cause;
    }
    return all;
  }
  void print() const {
    std::printf("%-18s %10s %8s %8s %8s %8s\n", "mutation", "equivalent", "mutants", "caught", "culprit", "cause");
    const auto line = [](const char* name, const Score& s) {
      std::printf("%-18s %10d %8d %8d %8d %8d\n", name, s.equivalent, s.mutants, s.caught, s.culprit, s.cause);
    };
    for (const Mutation& m : kMutations) line(m.name, of.at(m.name));
    line("all", total());
  }
};

bool mutate(const Row& row, Scores& scores) {
  const std::optional<Subject> s = subject_of(row);
  if (!s) return false;
  for (const Mutation& mutation : kMutations) {
    for (int64_t input = 0; input < (mutation.drops ? s->inputs : 1); ++input) scores.add(*s, mutation, input);
  }
  return true;
}

// Debug information makes a line of code cost a second to find, and every row has its own.
#ifdef NDEBUG
constexpr size_t kEvery = 1;
#else
constexpr size_t kEvery = 7;
#endif

}  // namespace

TEST_CASE("gradcheck catches mutations of every op's rule, and names op and cause", "[gradcheck]") {
  Scores scores;
  int rows = 0;
  for (size_t i = 0; i < table().size(); i += kEvery) rows += mutate(table()[i], scores);
  std::printf("gradcheck: mutations of the rules of %d ops\n", rows);
  scores.print();
  for (const std::string& text : scores.uncaught) FAIL_CHECK(text);
  std::string unnamed;
  for (const std::string& text : scores.unnamed) unnamed += text + "\n";
  INFO(unnamed);
  const Score all = scores.total();
  CHECK(all.mutants > 5 * rows);
  CHECK(all.caught == all.mutants);
  CHECK(10 * all.culprit >= 9 * all.mutants);
  CHECK(10 * all.cause >= 9 * all.mutants);
}

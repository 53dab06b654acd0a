// einsum and tensordot: operands meet two at a time, as one batched matrix product or one product of elements.
#include "tapegrad/ops/einsum.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

// y = the diagonal of two dims of one size, in the place of the first;  dx = dy there, zeros elsewhere
struct Diagonal {
  static constexpr const char* name = "diagonal";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t kept, gone;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes(), strides = x.strides();
    strides[kept] += strides[gone];
    sizes.erase(gone);
    strides.erase(gone);
    return alias(x, sizes, strides, 0);
  }
  Grads backward(const Tensor& dy) const;
};

struct DiagonalAdjoint {
  static constexpr const char* name = "diagonal_backward";
  static constexpr bool linear = true;
  int64_t kept, gone;
  Tensor forward(const Tensor& dy) {
    Shape sizes = dy.sizes();
    sizes.insert(gone, sizes[kept]);
    const Tensor dx = filled_tensor(sizes, dy.dtype(), 0);
    copy(Diagonal{kept, gone}.forward(dx), dy, name);
    return dx;
  }
  Grads backward(const Tensor& dx) const { return {apply(Diagonal{kept, gone}, dx)}; }
};

Grads Diagonal::backward(const Tensor& dy) const { return {apply(DiagonalAdjoint{kept, gone}, dy)}; }

using Labels = std::vector<int>;  // one per dim

constexpr int kLetters = 128;  // letters are their character codes; labels from here on are dims of "..."

bool has(const Labels& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
int64_t place(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) - labels.begin();
}

// A tensor whose dims have names.
struct Part {
  Tensor x;
  Labels labels;

  int64_t size(int label) const { return x.sizes()[place(labels, label)]; }
  int64_t product(const Labels& some) const {
    int64_t n = 1;
    for (int label : some) n *= size(label);
    return n;
  }
  // x with its dims in this order, which names them all.
  Tensor ordered(const Labels& order) const {
    Shape dims;
    for (int label : order) dims.push_back(place(labels, label));
    return order == labels ? x : permute(x, dims);
  }
  void sum_out(const Labels& some) {
    if (some.empty()) return;
    Shape dims;
    for (int label : some) dims.push_back(place(labels, label));
    const DType dtype = x.dtype();
    x = to(sum(x, dims), dtype);
    std::erase_if(labels, [&](int label) { return has(some, label); });
  }
};

Labels joined(std::initializer_list<const Labels*> lists) {
  Labels all;
  for (const Labels* list : lists) all.insert(all.end(), list->begin(), list->end());
  return all;
}

// The labels of two parts by what becomes of them.
struct Groups {
  Labels batch, inner, left, right;  // in both and kept, in both and summed, in one only

  // What is in one of them alone and not wanted is summed out before they meet.
  Groups(Part& a, Part& b, const Labels& wanted) {
    Labels gone_a, gone_b;
    for (int label : a.labels) {
      if (has(b.labels, label)) (has(wanted, label) ? batch : inner).push_back(label);
      else (has(wanted, label) ? left : gone_a).push_back(label);
    }
    for (int label : b.labels) {
      if (!has(a.labels, label)) (has(wanted, label) ? right : gone_b).push_back(label);
    }
    a.sum_out(gone_a);
    b.sum_out(gone_b);
  }
};

Tensor multiplied(const Part& a, const Part& b, const Groups& g) {
  Tensor x = a.ordered(joined({&g.batch, &g.left}));
  for (size_t i = 0; i < g.right.size(); ++i) x = unsqueeze(x, -1);
  Tensor y = b.ordered(joined({&g.batch, &g.right}));
  const auto at = static_cast<int64_t>(g.batch.size());
  for (size_t i = 0; i < g.left.size(); ++i) y = unsqueeze(y, at);
  return x * y;
}

// x[batch, rows, inner] y[batch, inner, cols]; other dtypes than the products of matrices take go by elements.
Tensor batched_product(const Tensor& x, const Tensor& y) {
  if (!x.is_floating_point()) return to(sum(unsqueeze(x, 3) * unsqueeze(y, 1), 2), x.dtype());
  if (x.sizes()[0] != 1) return bmm(x, y);
  return unsqueeze(mm(squeeze(x, 0), squeeze(y, 0)), 0);
}

Tensor contracted(const Part& a, const Part& b, const Groups& g, const Labels& result) {
  const int64_t batch = a.product(g.batch), inner = a.product(g.inner);
  const int64_t rows = a.product(g.left), cols = b.product(g.right);
  const Tensor x = reshape(a.ordered(joined({&g.batch, &g.left, &g.inner})), {batch, rows, inner});
  const Tensor y = reshape(b.ordered(joined({&g.batch, &g.inner, &g.right})), {batch, inner, cols});
  Shape sizes;
  for (int label : result) sizes.push_back(has(a.labels, label) ? a.size(label) : b.size(label));
  return reshape(batched_product(x, y), sizes);
}

void check_result(size_t dims, const std::string& where) {
  if (static_cast<int64_t>(dims) > kMaxRank)
    throw ShapeError(where + " would have " + std::to_string(dims) + " dims, at most " + std::to_string(kMaxRank) +
                     " are supported");
}

// a and b, multiplied and summed over what is not wanted. `where` names their product in an error.
Part met(Part a, Part b, const Labels& wanted, const std::string& where) {
  Groups g(a, b, wanted);
  if (g.right.empty() && !g.left.empty() && !g.inner.empty()) {  // a vector goes in front, where the kernel is faster
    std::swap(a, b);
    std::swap(g.left, g.right);
  }
  const Labels result = joined({&g.batch, &g.left, &g.right});
  check_result(result.size(), where);
  return {g.inner.empty() ? multiplied(a, b, g) : contracted(a, b, g, result), result};
}

// An equation taken apart, for operands of known shapes.
class Equation {
 public:
  Equation(std::string_view text, const std::vector<Tensor>& operands) : text_(text), sizes_(kLetters + kMaxRank, 1) {
    std::string clean;
    std::copy_if(text.begin(), text.end(), std::back_inserter(clean), [](char c) { return c != ' '; });
    const size_t arrow = clean.find("->");
    const std::string_view all = clean;
    read_inputs(all.substr(0, arrow), operands);
    if (arrow == std::string::npos) imply_output();
    else read_output(all.substr(arrow + 2));
  }

  // Operand i under its labels: diagonals taken, and without the dims of size 1 that broadcast.
  Part part(size_t i, const Tensor& x) const {
    Part p{x, inputs_[i]};
    for (size_t d = 0; d < p.labels.size(); ++d) {
      for (size_t e = p.labels.size() - 1; e > d; --e) {
        if (p.labels[e] != p.labels[d]) continue;
        p.x = apply(Diagonal{static_cast<int64_t>(d), static_cast<int64_t>(e)}, p.x);
        p.labels.erase(p.labels.begin() + static_cast<std::ptrdiff_t>(e));
      }
    }
    for (size_t d = p.labels.size(); d-- > 0;) {
      if (p.x.sizes()[static_cast<int64_t>(d)] == size(p.labels[d])) continue;
      p.x = squeeze(p.x, static_cast<int64_t>(d));
      p.labels.erase(p.labels.begin() + static_cast<std::ptrdiff_t>(d));
    }
    return p;
  }
  const Labels& output() const { return output_; }
  // The labels that the result or an operand from i on still has a use for.
  Labels wanted(size_t i) const {
    Labels all = output_;
    for (; i < inputs_.size(); ++i) all.insert(all.end(), inputs_[i].begin(), inputs_[i].end());
    return all;
  }
  template <class E> [[noreturn]] void fail(const std::string& what) const {
    throw E("einsum: " + what + ", in \"" + std::string(text_) + "\"");
  }

 private:
  int64_t size(int label) const { return sizes_[static_cast<size_t>(label)]; }

  // The letters of one term; dots[0] is where "..." stands, or -1.
  std::string letters_of(std::string_view term, const std::string& where, int64_t& dots) const {
    std::string letters;
    dots = -1;
    for (size_t i = 0; i < term.size(); ++i) {
      if (term.substr(i, 3) == "...") {
        if (dots >= 0) fail<ValueError>("\"...\" may stand once in " + where);
        dots = static_cast<int64_t>(letters.size());
        i += 2;
      } else if (std::isalpha(static_cast<unsigned char>(term[i]))) {
        letters += term[i];
      } else {
        fail<ValueError>("a dim is named by a letter or \"...\", got '" + std::string(1, term[i]) + "' in " + where);
      }
    }
    return letters;
  }

  void read_inputs(std::string_view text, const std::vector<Tensor>& operands) {
    const auto terms = static_cast<size_t>(std::count(text.begin(), text.end(), ',')) + 1;
    if (terms != operands.size())
      fail<ValueError>("there must be one operand per term, got " + std::to_string(operands.size()) + " for " +
                       std::to_string(terms));
    std::vector<std::string> letters;
    std::vector<int64_t> dots(terms), covered(terms);
    for (size_t i = 0; i < terms; ++i) {
      const size_t comma = std::min(text.find(','), text.size());
      letters.push_back(letters_of(text.substr(0, comma), "operand " + std::to_string(i), dots[i]));
      text.remove_prefix(std::min(comma + 1, text.size()));
      covered[i] = operands[i].dim() - static_cast<int64_t>(letters[i].size());
      if (covered[i] < 0 || (covered[i] > 0 && dots[i] < 0))
        fail<ShapeError>("operand " + std::to_string(i) + " has shape " + to_string(operands[i].sizes()) + " for " +
                         std::to_string(letters[i].size()) + " letters");
      if (dots[i] >= 0) dots_ = std::max(dots_, covered[i]);
    }
    for (size_t i = 0; i < terms; ++i) {
      inputs_.push_back(labels_of(letters[i], dots[i], covered[i]));
      take_sizes(i, operands[i]);
    }
  }

  // Dims of "..." are aligned at their ends: the last has the highest label.
  Labels labels_of(const std::string& letters, int64_t dots, int64_t covered) const {
    Labels labels(letters.begin(), letters.end());
    Labels dims;
    for (int64_t d = dots_ - covered; d < dots_; ++d) dims.push_back(kLetters + static_cast<int>(d));
    if (dots >= 0) labels.insert(labels.begin() + dots, dims.begin(), dims.end());
    return labels;
  }

  static std::string named(int label) {
    return label < kLetters ? std::string(1, static_cast<char>(label)) : "a dim of \"...\"";
  }

  void take_sizes(size_t operand, const Tensor& x) {
    const Labels& labels = inputs_[operand];
    for (size_t d = 0; d < labels.size(); ++d) {
      const int64_t n = x.sizes()[static_cast<int64_t>(d)];
      const auto first = static_cast<size_t>(place(labels, labels[d]));
      if (first < d && x.sizes()[static_cast<int64_t>(first)] != n)
        fail<ShapeError>(named(labels[d]) + " stands twice in operand " + std::to_string(operand) +
                         " for dims of different sizes, shape " + to_string(x.sizes()));
      int64_t& known = sizes_[static_cast<size_t>(labels[d])];
      if (known != n && known != 1 && n != 1)
        fail<ShapeError>(named(labels[d]) + " has size " + std::to_string(n) + " in operand " +
                         std::to_string(operand) + " and " + std::to_string(known) + " before");
      if (n != 1) known = n;
    }
  }

  void read_output(std::string_view text) {
    int64_t dots = -1;
    const std::string letters = letters_of(text, "the result", dots);
    for (size_t i = 0; i < letters.size(); ++i) {
      const std::string name(1, letters[i]);
      if (letters.find(letters[i]) < i) fail<ValueError>(name + " stands twice in the result");
      if (!has(wanted(0), letters[i])) fail<ValueError>(name + " of the result is in no operand");
    }
    output_ = labels_of(letters, dots, dots_);
  }

  void imply_output() {
    std::array<int, kLetters> times{};
    for (const Labels& labels : inputs_) {
      for (int label : labels) {
        if (label < kLetters) ++times[static_cast<size_t>(label)];
      }
    }
    for (int d = 0; d < dots_; ++d) output_.push_back(kLetters + d);
    for (int c = 0; c < kLetters; ++c) {
      if (times[static_cast<size_t>(c)] == 1) output_.push_back(c);
    }
  }

  std::string_view text_;
  std::vector<Labels> inputs_;
  Labels output_;
  int64_t dots_ = 0;            // dims that "..." stands for, at most
  std::vector<int64_t> sizes_;  // by label; 1 until an operand says more
};

Tensor finished(Part p, const Labels& output) {
  Labels gone;
  for (int label : p.labels) {
    if (!has(output, label)) gone.push_back(label);
  }
  p.sum_out(gone);
  return p.ordered(output);
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  for (size_t i = 0; i < operands.size(); ++i) check_defined("einsum", operands[i], "an operand");
  const Equation e(equation, operands);
  for (const Tensor& x : operands) {
    if (x.dtype() != operands[0].dtype() && !lowers(x, operands[0]))
      e.fail<DTypeError>(std::string("operands must have one dtype, got ") + name_of(operands[0].dtype()) + " and " +
                         name_of(x.dtype()));
  }
  Part result = e.part(0, operands[0]);
  for (size_t i = 1; i < operands.size(); ++i) {
    const std::string where =
        "einsum: in \"" + std::string(equation) + "\" the product with operand " + std::to_string(i);
    result = met(std::move(result), e.part(i, operands[i]), e.wanted(i + 1), where);
  }
  return finished(std::move(result), e.output());
}

Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b) {
  check_defined("tensordot", a, "a");
  check_defined("tensordot", b, "b");
  if (dims_a.size() != dims_b.size())
    throw ShapeError("tensordot: dims come in pairs, got dims_a " + to_string(dims_a) + " and dims_b " +
                     to_string(dims_b));
  if (a.dtype() != b.dtype() && !lowers(a, b))
    throw DTypeError(std::string("tensordot: a and b must have one dtype, got ") + name_of(a.dtype()) + " and " +
                     name_of(b.dtype()) + " (did you mean to()?)");
  if (!dims_a.empty()) (void)dim_mask(dims_a, a.dim(), "tensordot"), (void)dim_mask(dims_b, b.dim(), "tensordot");
  Part left{a, {}}, right{b, {}};
  for (int d = 0; d < a.dim(); ++d) left.labels.push_back(d);
  for (int d = 0; d < b.dim(); ++d) right.labels.push_back(kLetters + d);
  Labels wanted = joined({&left.labels, &right.labels});
  for (int64_t i = 0; i < dims_a.size(); ++i) {
    const int64_t d = a.dim_index(dims_a[i], "tensordot"), e = b.dim_index(dims_b[i], "tensordot");
    const int64_t n = a.size(d), m = b.size(e);
    if (n != m && n != 1 && m != 1)
      throw ShapeError("tensordot: dim " + std::to_string(d) + " of a and dim " + std::to_string(e) +
                       " of b must have one size, a is " + to_string(a.sizes()) + " and b is " + to_string(b.sizes()));
    std::erase(wanted, static_cast<int>(d));
    std::erase(wanted, kLetters + static_cast<int>(e));
    right.labels[static_cast<size_t>(e)] = static_cast<int>(d);
  }
  // A dim that broadcasts meets nothing: both sides are summed by themselves.
  for (int64_t i = 0; i < dims_a.size(); ++i) {
    const int label = static_cast<int>(a.dim_index(dims_a[i], "tensordot"));
    if (left.size(label) == right.size(label)) continue;
    left.sum_out({label});
    right.sum_out({label});
  }
  return met(std::move(left), std::move(right), wanted, "tensordot: the result").ordered(wanted);
}

Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  check_defined("tensordot", a, "a");
  check_defined("tensordot", b, "b");
  if (dims < 0 || dims > a.dim() || dims > b.dim())
    throw ShapeError("tensordot: dims must lie in [0, " + std::to_string(std::min(a.dim(), b.dim())) + "], a is " +
                     to_string(a.sizes()) + " and b is " + to_string(b.sizes()) + ", got " + std::to_string(dims));
  Shape of_a, of_b;
  for (int64_t d = 0; d < dims; ++d) {
    of_a.push_back(a.dim() - dims + d);
    of_b.push_back(d);
  }
  return tensordot(a, b, of_a, of_b);
}

}  // namespace tapegrad

// Private copies, layouts, comparisons and plain numbers for the gradient checker.
#include "tapegrad/autograd/check/system.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/ops/inplace.h"

namespace tapegrad::check {

double Draws::uniform(double low, double high) {
  state_ += 0x9E3779B97F4A7C15ull;  // splitmix64
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return low + (high - low) * (static_cast<double>(z >> 11) * 0x1p-53);
}

Tensors Problem::run(const Tensors& x) const {
  if (options.reseed) options.reseed();
  ++report.evaluations;
  if (!copies) return f(x);
  Tensors own;
  for (const Tensor& t : x) own.push_back(t.defined() ? recorded_copy(t) : t);
  return f(own);
}

void Problem::find(std::string check, const std::string& what, int64_t output, int64_t input) const {
  GradcheckFinding finding;
  finding.text = "gradcheck: " + check + ": " + what;
  for (const GradcheckFinding& known : report.findings) {
    if (known.text == finding.text) return;
  }
  finding.check = std::move(check);
  finding.output = output;
  finding.input = input;
  report.findings.push_back(std::move(finding));
}

void Problem::note(const std::string& text) const {
  if (std::find(report.notes.begin(), report.notes.end(), text) == report.notes.end()) report.notes.push_back(text);
}

std::string Problem::input_name(size_t i) const { return names.at(i); }

namespace {

// Memory for elements up to `last`, all NaN (or 0 for integers), seen with these strides.
Tensor strided(const Tensor& x, const Shape& strides, int64_t offset) {
  int64_t span = 1 + offset;
  for (int64_t d = 0; d < x.dim(); ++d) span += std::max<int64_t>(x.size(d) - 1, 0) * strides[d];
  const Tensor memory = new_tensor({span}, x.dtype());
  fill(memory, x.is_floating_point() ? Scalar(std::nan("")) : Scalar(0));
  const Tensor y = alias(memory, x.sizes(), strides, offset);
  copy(y, x.detach());
  return alias(y);
}

}  // namespace

Tensor copy_in_layout(const Tensor& x) {
  return has_overlap(x) || x.numel() == 0 ? clone_of(x.detach())
                                          : strided(x, x.strides(), std::min<int64_t>(x.storage_offset(), 16));
}

Tensor recorded_copy(const Tensor& x) {
  const Tensor y = copy_in_layout(x);
  if (x.requires_grad()) copy_(y, x);
  return y;
}

Tensor laid_out(const Tensor& x, Layout layout) {
  if (x.numel() == 0) return clone_of(x.detach());
  Shape strides = contiguous_strides(x.sizes());
  switch (layout) {
    case Layout::contiguous: return clone_of(x.detach());
    case Layout::gapped:
      for (int64_t& s : strides) s *= 2;
      return strided(x, strides, 3);
    case Layout::transposed: {
      int64_t step = 1;
      for (int64_t d = 0; d < x.dim(); ++d) {
        strides[d] = step;
        step *= x.size(d);
      }
      return strided(x, strides, 0);
    }
    case Layout::channels_last:
      if (x.dim() != 4) return clone_of(x.detach());
      return strided(x, Shape{x.size(1) * x.size(2) * x.size(3), 1, x.size(3) * x.size(1), x.size(1)}, 0);
    case Layout::expanded: {  // the first row for all
      Shape first = x.sizes();
      if (x.dim() == 0) return clone_of(x.detach());
      first[0] = 1;
      const Tensor row = clone_of(alias(x.detach(), first, x.strides(), 0));
      strides = row.strides();
      strides[0] = 0;
      return alias(row, x.sizes(), strides, 0);
    }
  }
  return x;
}

Tensors leaves_of(const Tensors& inputs, const std::vector<size_t>& wanted) {
  Tensors leaves;
  for (const Tensor& x : inputs) leaves.push_back(x.defined() ? copy_in_layout(x) : x);
  for (size_t i : wanted) leaves[i].requires_grad_();
  return leaves;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()))) return false;
  const Tensor x = contiguous_of(a.detach());
  const Tensor y = contiguous_of(b.detach());
  return x.numel() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return a.defined() ? largest(a) : largest(b);  // absent is zero
  if (!a.defined()) return 0;
  if (a.dtype() != b.dtype() || !(IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()))) return INFINITY;
  const Values x = values_of(a);
  const Values y = values_of(b);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double d = std::abs(x[i] - y[i]);
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst;
}

double largest(const Tensor& x) {
  double m = 0;
  if (!x.defined()) return m;
  for (double v : values_of(x)) {
    if (std::isfinite(v)) m = std::max(m, std::abs(v));
    else if (m == 0) m = std::numeric_limits<double>::min();
  }
  return m;
}

Values values_of(const Tensor& x) {
  const Tensor flat = converted(contiguous_of(x.detach()), kFloat64);
  const double* data = flat.elements<double>();
  return {data, data + flat.numel()};
}

Tensor tensor_of(const Values& v, const Tensor& like) {
  const Tensor x = new_tensor(like.sizes(), kFloat64);
  std::copy(v.begin(), v.end(), x.elements<double>());
  return converted(x, like.dtype());
}

std::string position(int64_t i, const Shape& sizes) {
  std::string text;
  for (int64_t d = sizes.size() - 1; d >= 0; --d) {
    if (!text.empty()) text.insert(0, ",");
    text.insert(0, std::to_string(i % sizes[d]));
    i /= sizes[d];
  }
  return text.empty() ? text : "[" + text + "]";
}

std::string number(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", x);
  return text;
}

Outputs recorded_outputs(const Tensors& y) {
  Outputs outputs;
  for (size_t i = 0; i < y.size(); ++i) {
    if (!y[i].defined() || !y[i].is_floating_point() || !y[i].requires_grad()) continue;
    outputs.y.push_back(y[i]);
    outputs.place.push_back(i);
  }
  return outputs;
}

Tensors cotangents(const Tensors& y, Draws& draws) {
  Tensors w;
  for (const Tensor& t : y) {
    Values v(static_cast<size_t>(t.numel()));
    for (double& e : v) e = static_cast<float>(draws.weight());  // exact in float32 as well
    w.push_back(tensor_of(v, t));
  }
  return w;
}

Tensors vjp(const Tensors& y, const Tensors& wanted, const Tensors& w, bool retain, bool create) {
  if (y.empty()) return Tensors(wanted.size());
  return autograd::grad(y, wanted, w, retain, create, true);
}

std::vector<Values> flat_vjp(const Tensors& y, const Tensors& wanted, const Values& w) {
  Tensors outputs, cotangents;
  auto at = w.begin();
  for (const Tensor& t : y) {
    const auto end = at + static_cast<std::ptrdiff_t>(t.numel());
    if (t.requires_grad()) {
      outputs.push_back(t);
      cotangents.push_back(tensor_of(Values(at, end), t));
    }
    at = end;
  }
  std::vector<Values> result;
  const Tensors g = vjp(outputs, wanted, cotangents);
  for (size_t k = 0; k < g.size(); ++k)
    result.push_back(g[k].defined() ? values_of(g[k]) : Values(static_cast<size_t>(wanted[k].numel())));
  return result;
}

Tensors pick(const Tensors& all, const std::vector<size_t>& which) {
  Tensors some;
  for (size_t i : which) some.push_back(all[i]);
  return some;
}

}  // namespace tapegrad::check

// Whole Jacobians and Hessians, row by row or column by column.
#include "tapegrad/autograd/transform/jacobian.h"

#include "tapegrad/autograd/transform/internal.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::autograd {

using namespace transform;

namespace {

// Zeros of x's shape with a 1 at element i.
Tensor basis(const Tensor& x, int64_t i) {
  Tensor e = filled_tensor(x.sizes(), x.dtype(), 0);
  fill(alias(e, Shape(), Shape(), i), 1);
  return e;
}

int64_t floating_elements(const Tensors& list) {
  int64_t n = 0;
  for (const Tensor& t : list) n += t.is_floating_point() ? t.numel() : 0;
  return n;
}

// The Jacobian of a trace under way.
class Blocks {
 public:
  Blocks(const Trace& t, const JacobianOptions& options) : t_(t), options_(options) {
    for (const Tensor& y : t.y) {
      for (const Tensor& x : t.x) {
        if (y.dim() + x.dim() > kMaxRank)
          throw ShapeError(std::string(t.name) + ": a block has the dims of its output and input, at most " +
                           std::to_string(kMaxRank) + " together, got " + to_string(y.sizes()) + " and " +
                           to_string(x.sizes()));
      }
    }
  }

  TensorTable by_rows() const {
    TensorTable table;
    for (size_t o = 0; o < t_.y.size(); ++o) {
      const Tensor& y = t_.y[o];
      std::vector<Lines> lines(t_.x.size());
      for (int64_t i = 0; y.requires_grad() && i < y.numel(); ++i) {
        Tensors w(t_.y.size());
        w[o] = basis(y, i);
        Tensors rows = pull(t_, w, true, options_.create_graph);
        for (size_t j = 0; j < rows.size(); ++j) add(lines[j], i, y.numel(), std::move(rows[j]));
      }
      Tensors& row = table.emplace_back();
      for (size_t j = 0; j < t_.x.size(); ++j) row.push_back(block(lines[j], o, j, false));
    }
    return table;
  }

  TensorTable by_columns() const {
    TensorTable table(t_.y.size());
    for (size_t j = 0; j < t_.x.size(); ++j) {
      const Tensor& x = t_.x[j];
      std::vector<Lines> lines(t_.y.size());
      for (int64_t i = 0; x.requires_grad() && i < x.numel(); ++i) {
        Tensors dx(t_.x.size());
        dx[j] = basis(x, i);
        Tensors columns = push(t_, dx, options_.create_graph);
        for (size_t o = 0; o < columns.size(); ++o) add(lines[o], i, x.numel(), std::move(columns[o]));
      }
      for (size_t o = 0; o < t_.y.size(); ++o) table[o].push_back(block(lines[o], o, j, true));
    }
    return table;
  }

 private:
  // Rows or columns of a block: in place in one matrix, or as they came when they are to stay on the tape.
  struct Lines {
    Tensor matrix;
    Tensors recorded;
  };

  void add(Lines& lines, int64_t i, int64_t count, Tensor line) const {
    if (options_.create_graph) {
      if (lines.recorded.empty()) lines.recorded.resize(static_cast<size_t>(count));
      lines.recorded[static_cast<size_t>(i)] = std::move(line);
      return;
    }
    if (!line.defined()) return;
    const int64_t size = line.numel();
    if (!lines.matrix.defined()) lines.matrix = filled_tensor(Shape{count, size}, line.dtype(), 0);
    copy(alias(lines.matrix, line.sizes(), contiguous_strides(line.sizes()), i * size), line);
  }

  Tensor block(Lines& lines, size_t o, size_t j, bool columns) const {
    const Tensor& y = t_.y[o];
    const Tensor& x = t_.x[j];
    const DType dtype = x.is_floating_point() ? x.dtype() : y.is_floating_point() ? y.dtype() : kFloat32;
    Tensor matrix = options_.create_graph ? stacked(lines.recorded, columns ? y : x) : lines.matrix;
    Shape sizes = y.sizes();
    for (int64_t size : x.sizes()) sizes.push_back(size);
    if (!matrix.defined()) {
      if (options_.strict && y.numel() > 0 && x.numel() > 0)
        throw AutogradError(std::string(t_.name) +
                            ": with strict, every output must depend on every input, got output " + std::to_string(o) +
                            " independent of input " + std::to_string(j));
      return zeros(sizes, dtype);
    }
    if (columns) matrix = t(matrix);
    return to(reshape(contiguous(matrix), sizes), dtype);
  }

  // The lines as a matrix, undefined when all of them are.
  static Tensor stacked(Tensors& lines, const Tensor& like) {
    bool any = false;
    for (const Tensor& line : lines) any |= line.defined();
    if (!any) return {};
    for (Tensor& line : lines) line = reshape(line.defined() ? line : zeros_like(like), {like.numel()});
    return stack(lines, 0);
  }

  const Trace& t_;
  const JacobianOptions& options_;
};

TensorTable jacobian_of(const Trace& t, const JacobianOptions& options) {
  const Blocks blocks(t, options);
  if (options.strategy == JacobianStrategy::forward) return blocks.by_columns();
  if (options.strategy == JacobianStrategy::automatic && floating_elements(t.x) < floating_elements(t.y)) {
    try {
      return blocks.by_columns();
    } catch (const AutogradError&) {
      // An operation without a tangent rule; whatever else it is, the sweep meets it too.
    }
  }
  return blocks.by_rows();
}

}  // namespace

TensorTable jacobian(TensorFunction f, const Tensors& inputs, const JacobianOptions& options) {
  const AutoGradMode mode(options.create_graph);
  return jacobian_of(trace("jacobian", f, inputs, options.create_graph), options);
}

TensorTable hessian(TensorFunction f, const Tensors& inputs, const JacobianOptions& options) {
  const AutoGradMode mode(options.create_graph);
  const Trace t = trace("hessian", f, inputs, options.create_graph);
  Trace gradient{t.name, t.x, pull(t, {ones_like(scalar_of(t))}, true, true)};
  fill_absent(t, gradient.y, t.x, options.strict, "the output must depend on every input", "input");
  return jacobian_of(gradient, options);
}

}  // namespace tapegrad::autograd

// In-place writes and views: how a write rebases a tensor's history, and how views of it find their place again.
#include <algorithm>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::autograd {
namespace {

// How the tensor that owns the memory is laid out, and which part of it a view shows.
struct Geometry {
  Shape base_sizes, base_strides;
  Shape sizes, strides;
  int64_t offset;
};

// Number of elements from the first to the last of a layout.
int64_t extent_of(const Shape& sizes, const Shape& strides) {
  int64_t extent = 1;
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    extent += (sizes[d] - 1) * strides[d];
  }
  return extent;
}

// Whether every element of the region is one of the base. as_strided can show more of the memory.
bool within(const Geometry& g) {
  const int64_t extent = extent_of(g.base_sizes, g.base_strides);
  return extent == numel_of(g.base_sizes, "as_strided") && g.offset >= 0 &&
         g.offset + extent_of(g.sizes, g.strides) <= extent;
}

// A buffer with the base's layout and room for the region, with zeros in it or nothing.
Tensor laid_out(const Geometry& g, DType dtype, bool zeros) {
  const int64_t front = std::max<int64_t>(0, -g.offset);
  const int64_t extent = std::max(extent_of(g.base_sizes, g.base_strides), g.offset + extent_of(g.sizes, g.strides));
  Tensor memory = new_tensor(front + extent, dtype);
  if (zeros) fill(memory, 0);
  return alias(memory, g.base_sizes, g.base_strides, front);
}

Tensor in_layout(const Tensor& x, const Geometry& g, bool own) {
  const bool part = within(g);
  if (!own && part && IntArrayRef(x.strides()) == IntArrayRef(g.base_strides)) return x;
  Tensor y = laid_out(g, x.dtype(), !part);
  copy(y, x, "as_strided");
  return y;
}

// y = x in memory of its own;  dx = dy
struct Clone {
  static constexpr const char* name = "clone";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& x) { return clone_of(x); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

Tensor region(const Tensor& laid, const Geometry& g) { return alias(laid, g.sizes, g.strides, g.offset); }

// y = the region of x
struct AsStrided {
  static constexpr const char* name = "as_strided";
  static constexpr bool linear = true;
  Geometry geometry;
  Tensor forward(const Tensor& x) { return region(in_layout(x, geometry, false), geometry); }
  Grads backward(const Tensor& dy) const;
};

// y = zeros with x added at the region; the adjoint of AsStrided
struct RegionScatter {
  static constexpr const char* name = "as_strided_scatter";
  static constexpr bool linear = true;
  Geometry geometry;
  Tensor forward(const Tensor& x) {
    Tensor y = laid_out(geometry, x.dtype(), true);
    add_into(region(y, geometry), x);
    return contiguous_of(y);
  }
  Grads backward(const Tensor& dy) const { return {apply(AsStrided{geometry}, dy)}; }
};

Grads AsStrided::backward(const Tensor& dy) const { return {apply(RegionScatter{geometry}, dy)}; }

// y = x with zeros at the region; its own adjoint
struct RegionCleared {
  static constexpr const char* name = "as_strided_cleared";
  static constexpr bool linear = true;
  Geometry geometry;
  Tensor forward(const Tensor& x) {
    Tensor y = in_layout(x, geometry, true);
    fill(region(y, geometry), 0);
    return contiguous_of(y);
  }
  Grads backward(const Tensor& dy) const { return {apply(RegionCleared{geometry}, dy)}; }
};

// base = base with the region replaced by v. When it is recorded the write has happened in the memory already; forward is
// what a replay runs.
struct RegionWrite {
  static constexpr const char* name = "write_view";
  Geometry geometry;
  Tensor forward(const Tensor& base, const Tensor& v) {
    Tensor y = in_layout(base, geometry, true);
    copy(region(y, geometry), v);
    return contiguous_of(y);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? apply(RegionCleared{geometry}, dy) : Tensor(),
            needs(1) ? apply(AsStrided{geometry}, dy) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor rest = dx[0].defined() ? apply(RegionCleared{geometry}, dx[0]) : Tensor();
    Tensor written = dx[1].defined() ? apply(RegionScatter{geometry}, dx[1]) : Tensor();
    if (!rest.defined() || !written.defined()) return rest.defined() ? rest : written;
    return recorded_add(rest, written);
  }
};

Geometry geometry_of(const TensorImpl& view) {
  const TensorImpl& base = *view.base;
  return {base.sizes, base.strides, view.sizes, view.strides, (view.data - base.data) / item_size(view.dtype)};
}

void set_node(TensorImpl& t, Node* node, uint32_t output) {
  if (t.meta && t.meta->retains) {
    if (t.node) remove_retained(*t.node, &t);
    extras_of(*node).retained.push_back({output, &t});
  }
  node->retain();
  if (t.node) t.node->release();
  t.node = node;
  t.output = output;
}

// The same memory and the same place on the tape, without the tie to a base (which would close a cycle when kept).
Tensor without_base(const Tensor& x) {
  const TensorImpl& from = *x.impl();
  if (from.requires_grad && !from.node) return x;  // a leaf is known by its handle
  Tensor y = alias(x);
  if (from.node) set_node(*y.impl(), from.node, from.output);
  return y;
}

// What a view that keeps the history it was born with is, for errors.
constexpr const char* kOwnHistory = ": a view taken while recording was off, or returned by a user-defined function, ";

// Whether the base was written with recording on since the view last looked.
bool written_on_tape(const TensorImpl& view) { return view.base->derived_version > view.derived_version; }

}  // namespace

Tensor recorded_clone(const Tensor& x) { return apply(Clone{}, x); }

void refresh_view(TensorImpl& t, const char* op) {
  if (t.no_grad_view) {
    if (written_on_tape(t))
      throw AutogradError(std::string(op) + kOwnHistory +
                          "must not be used after its memory was written with recording on, shape " +
                          to_string(t.sizes) + " (take the view after the write, or of a clone())");
    t.derived_version = t.storage->version();
    return;
  }
  t.derived_version = t.storage->version();
  TensorImpl* base = t.base.get();
  if (t.requires_grad && !t.node) return;  // a view that was made a leaf of its own stays one
  if (!base->node && !base->requires_grad) {
    if (t.node) std::exchange(t.node, nullptr)->release();
    return;
  }
  const Tensor base_tensor(t.base);
  const Tensor* inputs[] = {&base_tensor};
  auto node = detail::new_node<AsStrided, 1>(AsStrided{geometry_of(t)}, 1);
  detail::record(node.get(), inputs, 1);
  Access::describe(*node, 0, t);
  set_node(t, node.get(), 0);
}

namespace detail {

void mark_view(Tensor& y, const Tensor& x) {
  TensorImpl& t = *y.impl();
  TensorImpl& from = *x.impl();
  if (t.storage.get() != from.storage.get() || &t == &from) return;
  if (thread_state.current && !thread_state.grad_enabled) return;  // inside a plain sweep nothing will be recorded
  t.base = from.base ? from.base : Ref<TensorImpl>::share(&from);
  t.derived_version = t.storage->version();
  t.no_grad_view = from.no_grad_view || !(thread_state.grad_enabled || (thread_state.watch & kTrace));
}

void keep_own_history(Tensor& y, const Tensor* const* inputs, int64_t count) {
  TensorImpl& t = *y.impl();
  for (int64_t i = 0; i < count && !t.base; ++i) {
    if (inputs[i]->defined()) mark_view(y, *inputs[i]);
  }
  // Forward's own memory, which nobody else can see: y may as well own it.
  if (t.base && t.base->refs.load() == 1 && t.storage->references() == 2) t.base = Ref<TensorImpl>();
  t.no_grad_view = static_cast<bool>(t.base);
}

void check_in_place(const char* op, const Tensor& self) {
  TensorImpl& t = self.state();
  if (has_overlap(self))
    throw AutogradError(std::string(op) + ": several elements of the tensor share memory (an expanded dim), shape " +
                        to_string(t.sizes) + ", strides " + to_string(t.strides) + "; write to a clone()");
  if (!thread_state.grad_enabled) return;
  refresh(t, op);
  const bool leaf = (t.requires_grad && !t.node) || (t.base && t.base->requires_grad && !t.base->node);
  if (leaf)
    throw AutogradError(std::string(op) + ": " + (t.base ? "a view of a" : "a") +
                        " leaf that requires grad must not be written in place, shape " + to_string(t.sizes) +
                        " (use NoGradGuard to update it, or write to a clone())");
}

void check_recorded_write(const char* op, const Tensor& self) {
  const TensorImpl& t = *self.impl();
  if (!t.no_grad_view) return;
  throw AutogradError(std::string(op) + kOwnHistory + "must not be written with recording on, shape " +
                      to_string(t.sizes) + " (write to a clone())");
}

Tensor begin_in_place(const char* op, const Tensor& self, bool recorded, bool old_value) {
  TensorImpl& t = *self.impl();
  Tensor before = self;
  if (recorded) {
    check_recorded_write(op, self);
    // A watcher wants the value before the write as well.
    before = old_value || keeps_inputs() ? clone_of(self) : alias(self);
    if (t.node) set_node(*before.impl(), t.node, t.output);
  }
  t.storage->bump_version();
  return before;
}

Tensor apart_from(const Tensor& other, const Tensor& self) {
  const bool shares = other.defined() && other.impl()->storage.get() == self.impl()->storage.get();
  return shares ? recorded_clone(other) : other;
}

void rebase(const Tensor& self, Node* node, uint32_t output) {
  TensorImpl& t = *self.impl();
  Access::describe(*node, output, t);
  if (!t.base) {
    t.derived_version = t.storage->version();
    set_node(t, node, output);
    return;
  }
  const Tensor base(t.base);
  auto write = new_node<RegionWrite, 2>(RegionWrite{geometry_of(t)}, 2);
  // The written region enters as an output of `node`, through a tensor that is only a carrier.
  Tensor written = alias(self);
  set_node(*written.impl(), node, output);
  const Tensor* inputs[] = {&base, &written};
  record(write.get(), inputs, 2);
  Access::describe(*write, 0, *base.impl());
  base.impl()->derived_version = t.storage->version();
  set_node(*base.impl(), write.get(), 0);
  refresh_view(t, write->name());
}

}  // namespace detail

Tensor detail::copy_of(const Tensor& x) { return clone_of(alias(x)); }

Tensor detail::kept_form(const Tensor& x) { return without_base(x); }

}  // namespace tapegrad::autograd

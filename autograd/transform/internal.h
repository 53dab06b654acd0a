// What the transformations share: a function recorded over inputs of the call's own, and checks of what it is given.
#pragma once

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad::autograd::transform {

using Tensors = std::vector<Tensor>;

// A function that was run with recording on.
struct Trace {
  const char* name;  // of the transformation, for errors
  Tensors x;         // what it was given: floating ones require grad
  Tensors y;         // what it returned
};

// f over copies of the inputs' handles, so that their grad() and history stay untouched; with create_graph those that
// require grad stay joined to what they were computed from. ValueError: no or undefined inputs or outputs.
Trace trace(const char* name, TensorFunction f, const Tensors& inputs, bool create_graph);
// ValueError unless f returned one floating tensor of one element.
const Tensor& scalar_of(const Trace& t);

// v, or ones when it is left out and `like` is one tensor of one element; an undefined entry means zero. ValueError,
// ShapeError, DTypeError: v does not fit the tensors it goes with, which are the outputs or the inputs.
Tensors directions(const Trace& t, const Tensors& v, const Tensors& like, const char* of);

// J'w by every x and J dx by every y, undefined where nothing arrives. `keep`: the graph will be used again.
Tensors pull(const Trace& t, const Tensors& w, bool keep, bool create_graph);
Tensors push(const Trace& t, const Tensors& dx, bool create_graph);

// Zeros in place of what is undefined; when strict an AutogradError, with the rule that an entry (say, "input" 1) breaks.
void fill_absent(const Trace& t, Tensors& d, const Tensors& like, bool strict, const char* rule, const char* entry);
// Out of the graph unless it is wanted.
Tensors finished(Tensors results, bool create_graph);

}  // namespace tapegrad::autograd::transform

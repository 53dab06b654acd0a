// What the properties are written with: runs of a case with their gradients, and comparisons of tensors.
#pragma once

#include "op_properties.h"

namespace op_properties {

// "got 1, expected 2" with all digits.
std::string number(double x);
// Equal, NaN alike, or within `allowed`.
bool close(double got, double expected, double allowed);
std::vector<Array> values_of(const Tensors& in);
bool same_bits(const Tensor& a, const Tensor& b);
// As sample(), whole numbers in `dtype` in place of floating ones.
Tensors sample_integers(const Case& c, DType dtype, uint64_t seed);
// Elements of all operands.
int64_t elements(const Case& c);

// `y` within the tolerance of the reference; the first element that is not is the finding.
void expect_value(const Tensor& y, const Array& expected, int64_t terms, Findings& findings);
// Two runs of a case agree: results and gradients, each within the tolerance of the other's largest element, or of `size`.
void expect_same(const Tensors& a, const Tensors& b, int64_t terms, Findings& findings, double size = 0);
void expect_same_bits(const Tensors& a, const Tensors& b, Findings& findings);

// The operands as leaves: those that can be differentiated require grad.
Tensors leaves_of(const Case& c, const Tensors& in);
Tensors differentiable(const Tensors& leaves);
Tensor cotangent(const Tensor& y);
// The result and, where there are gradients, these after it.
Tensors run(const Case& c, const Tensors& in, bool create_graph = false);

// A clear refusal is an answer too: an error that says which dtype it is that is not taken.
bool refuses_bfloat16(const DTypeError& e);

// Every instruction set that the library and the machine have, one after the other; the best again in the end.
void for_each_isa(const std::function<void(const char* isa)>& f);

}  // namespace op_properties

// What the rows of the functions of one and two numbers are written with.
#pragma once

#include "op_cases.h"

namespace op_cases {

// A row f(x) whose result is real for integers too; f_ is the in-place form.
struct FunctionRow {
  const char* name;
  Tensor (*f)(const Tensor&);
  Tensor& (*in_place)(const Tensor&);
  double (*reference)(double);
  Domain domain = {};
  double flops = 20;
};
Row function_row(const FunctionRow& r);
// As function_row, for functions too slow for the usual benchmark sizes.
Row slow_function_row(const FunctionRow& r);
void bench_small(Row& row);

// Another call on one operand, which the row's in-place form does not compute.
Case other_call(const std::string& label, std::function<Tensor(const Tensor&)> f,
                std::function<double(double)> reference, Domain domain = {}, int order = 3);

// The errors of an undefined operand, of shapes that do not broadcast, and of a real result in place of integers.
BadInput undefined_operand(const std::string& op, const char* argument, std::function<void()> call);
std::vector<BadInput> bad_operands(const std::string& op, Tensor (*f)(const Tensor&, const Tensor&));
BadInput real_into_integers(const std::string& op, std::function<void()> call);

}  // namespace op_cases

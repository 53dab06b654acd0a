// Backward against itself: one object per check of a function. Internal.
#pragma once

#include "tapegrad/autograd/check/system.h"

namespace tapegrad::check {

// Whether there is a tensor of four dims, which has a channels-last layout.
bool any_image(const Tensors& list);

double eps_of(DType dtype);
// Of the coarsest among the dtypes of x and these outputs.
double eps_of(const Tensor& x, const Tensors& y);

class Consistency {
 public:
  explicit Consistency(Problem& p) : p_(p), draws_(p.options.seed + 1) {}
  void run();

 private:
  Tensors grads(const Tensors& w) { return vjp(y_.y, pick(leaves_, p_.wanted), w); }
  // A fresh forward over `inputs`, and the gradients for w_ by `wanted`.
  Tensors fresh(const Tensors& inputs, const std::vector<size_t>& wanted, Tensors* outputs = nullptr);
  double eps(const Tensor& x) const { return p_.coarse ? eps_of(kFloat32) : eps_of(x, w_); }
  double allowed(size_t k) const;
  void expect(const char* check, const Tensors& g, const std::string& what);
  void expect_bits(const char* check, const Tensors& g, const std::string& what);

  void shapes();
  void repeats();
  void linear();
  void cotangent_layouts();
  void one_output_at_a_time();
  void subsets();
  void input_layouts();
  void input_layout(const Tensors& inputs, const Tensors& plain, const std::string& what);
  void two_forwards();
  void aliased();
  void aliased(size_t k, size_t l);
  void written_after();
  void collected();
  void freed();
  void not_recorded();

  Problem& p_;
  Draws draws_;
  Tensors leaves_;
  Outputs y_;
  Tensors w_;
  Tensors g_;  // what everything else is held against
};

}  // namespace tapegrad::check

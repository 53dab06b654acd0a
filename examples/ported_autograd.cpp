// PyTorch's C++ example "autograd": gradients of a small graph, of gradients, and of a function of one's own.
#include <iostream>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

void basic() {
  const Tensor x = ones({2, 2}, requires_grad());
  const Tensor y = x + 2;
  std::cout << y << "\n" << y.grad_fn()->name() << "\n";
  const Tensor z = y * y * 3, out = z.mean();
  std::cout << z << "\n" << z.grad_fn()->name() << "\n" << out << "\n" << out.grad_fn()->name() << "\n";
  out.backward();
  std::cout << x.grad() << "\n";

  Tensor a = randn({2, 2});
  a = (a * 3) / (a - 1);
  std::cout << a.requires_grad() << "\n";
  a.requires_grad_(true);
  const Tensor b = (a * a).sum();
  std::cout << b.grad_fn()->name() << "\n";

  // A vector-Jacobian product.
  const Tensor u = randn(3, requires_grad());
  Tensor v = u * 2;
  while (v.norm().item<double>() < 1000) v = v * 2;
  const Tensor w = tensor({0.1, 1.0, 0.0001}, kFloat32);
  v.backward(w);
  std::cout << v << "\n" << u.grad() << "\n";

  const NoGradGuard no_grad;
  std::cout << x.pow(2).requires_grad() << "\n";
}

// The norm of a gradient as part of a loss.
void gradient_penalty() {
  nn::Linear model(4, 3);
  const Tensor input = randn({3, 4}).requires_grad_(true);
  const Tensor output = model(input);
  const Tensor loss = nn::MSELoss()(output, randn({3, 3}));
  const Tensor grad_output = ones_like(output);
  const Tensor gradient =
      autograd::grad({output}, {input}, {grad_output}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  const Tensor penalty = (gradient.norm(2, /*dim=*/1) - 1).pow(2).mean();
  (loss + penalty).backward();
  std::cout << input.grad() << "\n";
}

struct LinearFunction : autograd::Function<LinearFunction> {
  static Tensor forward(autograd::AutogradContext* ctx, Tensor input, Tensor weight, Tensor bias = {}) {
    ctx->save_for_backward({input, weight, bias});
    Tensor output = input.mm(weight.t());
    if (bias.defined()) output += bias.unsqueeze(0).expand_as(output);
    return output;
  }
  static autograd::tensor_list backward(autograd::AutogradContext* ctx, autograd::tensor_list grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const Tensor input = saved[0], weight = saved[1], bias = saved[2], grad_output = grad_outputs[0];
    return {grad_output.mm(weight), grad_output.t().mm(input), bias.defined() ? grad_output.sum(0) : Tensor()};
  }
};

int main() {
  manual_seed(1);
  basic();
  gradient_penalty();
  const Tensor x = randn({2, 3}).requires_grad_(), weight = randn({4, 3}).requires_grad_();
  const Tensor y = LinearFunction::apply(x, weight, Tensor());
  y.sum().backward();
  std::cout << x.grad() << "\n" << weight.grad() << "\n";
}

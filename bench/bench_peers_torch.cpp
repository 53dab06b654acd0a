// The worker of bench_peers that measures libtorch.
#include <ATen/autocast_mode.h>
#include <dlfcn.h>
#include <torch/torch.h>
#include <torch/version.h>

namespace lib = torch;

namespace bench {
namespace {

struct Mlp : torch::nn::Module {
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(784, 300));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(300, 100));
  torch::nn::Linear fc3 = register_module("fc3", torch::nn::Linear(100, 10));
  torch::Tensor forward(const torch::Tensor& x) { return fc3(torch::relu(fc2(torch::relu(fc1(x))))); }
};

std::shared_ptr<torch::optim::SGD> make_sgd(std::vector<torch::Tensor> params, double lr) {
  return std::make_shared<torch::optim::SGD>(std::move(params), torch::optim::SGDOptions(lr));
}

std::shared_ptr<torch::optim::Adam> make_adam(std::vector<torch::Tensor> params, double lr) {
  return std::make_shared<torch::optim::Adam>(std::move(params), torch::optim::AdamOptions(lr));
}

// torch.autocast("cpu", dtype=torch.bfloat16).
struct Bfloat16Products {
  Bfloat16Products() {
    at::autocast::set_autocast_cpu_dtype(torch::kBFloat16);
    at::autocast::set_cpu_enabled(true);
    at::autocast::increment_nesting();
  }
  ~Bfloat16Products() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_cpu_enabled(false);
  }
};

// zero_grad() of 1.13 writes zeros and has no other way; absent gradients are cheaper, and what later versions default to.
void drop_gradients(torch::optim::Optimizer& optimizer) {
  for (auto& group : optimizer.param_groups()) {
    for (torch::Tensor& p : group.params()) p.mutable_grad() = torch::Tensor();
  }
}

void set_lr(torch::optim::Adam& adam, double lr) {
  for (auto& group : adam.param_groups()) static_cast<torch::optim::AdamOptions&>(group.options()).lr(lr);
}

// The BLAS it has been linked to by the distribution's alternatives: the reference one is thirty times slower, and no peer.
std::string blas() {
  using CoreName = char* (*)();
  const auto core = reinterpret_cast<CoreName>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  return core ? std::string("OpenBLAS, ") + core() : "no OpenBLAS: its products are not its best";
}

}  // namespace
}  // namespace bench

#include "peer_rows.h"
// behind it: what it is compiled against
#include "peer_t10.h"

int main(int argc, char** argv) {
  torch::set_num_threads(1);
  std::vector<bench::PeerRow> rows = bench::peer_rows();
  rows.push_back(bench::t10_row("", bench::eager_step));
  return bench::PeerWorker("libtorch " TORCH_VERSION " (" + bench::blas() + ")", rows).serve(argc, argv);
}

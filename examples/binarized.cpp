// T12, "Binarized Neural Networks": weights and activations of +1 and -1, learned through a straight-through estimator; then the
// trained network as bits, which multiplies by counting.
#include <bit>
#include <cstdio>
#include <vector>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

// y = 1 where x >= 0, else -1. Its derivative is 0 and would teach nothing; the straight-through estimator passes dy on
// where |x| <= 1, as if y were x cut off at -1 and 1.
struct Sign : autograd::Function<Sign> {
  static Tensor forward(autograd::AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return 2 * (x >= 0).to(x.dtype()) - 1;
  }
  static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list dy) {
    return {where(abs(ctx->get_saved_variables()[0]) <= 1, dy[0], 0)};
  }
};

// The weights that descent moves are real, and only their signs are seen by the network.
struct BinaryLayer : nn::Cloneable<BinaryLayer> {
  BinaryLayer(int64_t in, int64_t out)
      : weight(register_parameter("weight", 2 * rand({out, in}) - 1)),
        norm(register_module("norm", nn::BatchNorm1d(out))) {}
  Tensor forward(const Tensor& signs) { return norm(linear(signs, Sign::apply(weight))); }

  nn::Parameter weight;
  nn::BatchNorm1d norm;  // brings sums of hundreds of signs back to where the estimator lets gradients through
};

struct Net : nn::Module {
  BinaryLayer layer1 = register_module("layer1", BinaryLayer(784, 512));
  BinaryLayer layer2 = register_module("layer2", BinaryLayer(512, 512));
  BinaryLayer layer3 = register_module("layer3", BinaryLayer(512, 10));

  std::vector<BinaryLayer*> layers() { return {&layer1, &layer2, &layer3}; }
  // Pixels count as ink or paper, so that the first layer has signs to work on too.
  Tensor forward(const Tensor& images) {
    Tensor x = images.flatten(1);
    for (BinaryLayer* layer : layers()) x = (*layer)(Sign::apply(x));
    return x;
  }
};

double accuracy(const Tensor& scores, const Tensor& labels) {
  return (argmax(scores, 1) == labels).to(kFloat64).mean().item<double>();
}

// Rows of signs, 64 to a word: a set bit is a +1.
struct Bits {
  explicit Bits(const Tensor& x) : rows(x.size(0)), columns(x.size(1)), words((columns + 63) / 64) {
    const Tensor held = x.contiguous();
    const float* v = held.data_ptr<float>();
    bits.resize(static_cast<size_t>(rows * words));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        bits[static_cast<size_t>(i * words + j / 64)] |= static_cast<uint64_t>(*v++ >= 0) << (j % 64);
  }
  const uint64_t* row(int64_t i) const { return bits.data() + i * words; }

  int64_t rows, columns, words;
  std::vector<uint64_t> bits;
};

// y = a b^T without a multiplication: signs that differ count -1, the others +1.
Tensor product_of_signs(const Bits& a, const Bits& b) {
  Tensor y = empty({a.rows, b.rows});
  float* to = y.data_ptr<float>();
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.rows; ++j) {
      int64_t differing = 0;
      for (int64_t w = 0; w < a.words; ++w) differing += std::popcount(a.row(i)[w] ^ b.row(j)[w]);
      *to++ = static_cast<float>(a.columns - 2 * differing);
    }
  return y;
}

Tensor scores_by_counting(Net& net, const Tensor& images) {
  Tensor x = images.flatten(1);
  for (BinaryLayer* layer : net.layers()) x = layer->norm(product_of_signs(Bits(x), Bits(layer->weight)));
  return x;
}

void train(Net& net, const examples::DigitData& digits, int64_t epochs) {
  data::DataLoader batches(data::TensorDataset(digits.train.images, digits.train.labels),
                           {.batch_size = 100, .shuffle = true, .seed = 1, .drop_last = true});
  optim::Adam adam(net.parameters(), {.lr = 0.01});
  optim::CosineAnnealingLR schedule(adam, epochs * batches.size());
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    net.train();
    for (auto [images, labels] : batches) {
      Tensor loss = cross_entropy(net.forward(images), labels);
      adam.zero_grad();
      loss.backward();
      adam.step();
      schedule.step();
      NoGradGuard no_grad;
      for (BinaryLayer* layer : net.layers())
        layer->weight.clamp_(-1, 1);  // far outside, no gradient would bring it back
    }
    net.eval();
    NoGradGuard no_grad;
    std::printf("epoch %ld  test accuracy %.4f\n", epoch + 1,
                accuracy(net.forward(digits.test.images), digits.test.labels));
    std::fflush(stdout);
  }
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  const examples::DigitData digits = examples::load_digits();

  set_num_threads(1);
  manual_seed(1);
  Net net;
  std::printf("%s\n", net.summary().c_str());
  train(net, digits, quick ? 1 : 6);

  NoGradGuard no_grad;
  const Tensor scores = net.forward(digits.test.images), counted = scores_by_counting(net, digits.test.images);
  int64_t products = 0, left = 0, words = 0;
  for (BinaryLayer* layer : net.layers()) {
    products += layer->weight.numel();
    left += layer->weight.size(0);  // one of batch norm's for each sum
    words += layer->weight.size(0) * ((layer->weight.size(1) + 63) / 64);
  }
  examples::plot::draw(
      {.name = "t12_weights",
       .title = "Binary weights of twelve hidden neurons",
       .shows = "What the first twelve of 512 hidden neurons look for: ink where a weight is +1 (bright), "
                "paper where it is -1."},
      {examples::plot::tiles("", Sign::apply(net.layer1.weight.slice(0, 0, 12)).view({12, 28, 28}), 4)});

  std::printf("weights: %ld bytes as bits, %ld as float32\n", words * 8, products * 4);
  examples::Report report;
  report.holds("multiplications for one image", "saved",
               examples::printed("%ld of %ld, %ld left", products, products + left, left), left < products / 100);
  const bool same = equal(scores, counted);
  report.holds("scores by counting bits", "the same bits", same ? "the same" : "others", same);
  report.accuracy(digits.mnist, quick ? 0.93 : 0.95, quick ? 0.65 : 0.87, accuracy(counted, digits.test.labels));
  return report.exit_status();
}

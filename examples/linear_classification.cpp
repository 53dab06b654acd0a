// T6, CS231n, "Linear classification": scores s = Wx + b of images, 3072 numbers to 10 classes, the multi-class SVM loss and the
// softmax loss over them, each held against a plain loop in double, and the ten templates that W becomes.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;
using examples::Report;

constexpr int64_t kPixels = 3 * 32 * 32, kClasses = 10;
constexpr double kStrength = 1e-3;  // of the L2 regularisation

// L_i = sum over j != y_i of max(0, s_j - s_yi + margin). The term of the right class itself is the margin.
Tensor svm_loss(const Tensor& scores, const Tensor& y, double margin = 1) {
  const Tensor right = gather(scores, 1, y.unsqueeze(1));
  return (sum(relu(scores - right + margin), {1}) - margin).mean();
}
// L_i = -ln of the right class's probability, e^s_yi / sum over j of e^s_j
Tensor softmax_loss(const Tensor& scores, const Tensor& y) { return cross_entropy(scores, y); }

void numbers_of_the_source(Report& report) {
  // One image of four pixels, three classes. The source's figure gives the last score as 61.95, which leaves out its bias of -1.2.
  const Tensor w = tensor({{0.2, -0.5, 0.1, 2.0}, {1.5, 1.3, 2.1, 0.0}, {0.0, 0.25, 0.2, -0.3}}, kFloat64);
  const Tensor x = tensor({56., 231., 24., 2.}, kFloat64), b = tensor({1.1, 3.2, -1.2}, kFloat64);
  const Tensor scores = mv(w, x) + b;
  report.equals("scores of cat and dog", "-96.8 437.9", scores.slice(0, 0, 2));
  report.equals("score of ship, its bias left out", "61.95", scores[2] - b[2]);

  const Tensor margins = tensor({{13., -7., 11.}}, kFloat64);
  report.equals("SVM loss, margin 10", "8", svm_loss(margins, tensor({0}), 10));

  const Tensor both = tensor({{-2.85, 0.86, 0.28}}, kFloat64), third = tensor({2});
  report.equals("hinge loss of the comparison", "1.58", svm_loss(both, third));
  report.equals("its probabilities of class 1 and 2", "0.631 0.353", softmax(both, 1)[0].slice(0, 1, 3));
  report.equals("its softmax loss, log to base 10", "0.452", softmax_loss(both, third) / std::numbers::ln10);
  const Tensor sharp = tensor({1., -2., 0.}, kFloat64);
  report.equals("softmax of 1, -2, 0", "0.7 0.04 0.26", softmax(sharp, 0));
  report.equals("of half of them", "0.55 0.12 0.33", softmax(sharp / 2, 0));
}

struct Images {
  Tensor x, y;  // [n, 3, 32, 32] in [0, 1], and [n]
};
struct Sets {
  Images train, test;
  std::vector<std::string> names;
  bool cifar;
};

// Ten kinds of things: each has a hue, the even ones are discs, the odd ones bars, somewhere, in some light, noisy.
Images drawn(int64_t count, uint64_t seed) {
  Generator random(seed);
  const auto between = [&](double from, double to) { return from + (to - from) * rand({count, 1, 1, 1}, random); };
  const Tensor y = remainder(arange(count), kClasses), kind = y.view({count, 1, 1, 1}).to(kFloat32);
  const Tensor row = arange(32).to(kFloat32).view({1, 1, 32, 1}), column = row.transpose(2, 3);
  const Tensor hue =
      (kind + 0.35 * randn({count, 1, 1, 1}, random)) / 10 + tensor({0., 1. / 3, 2. / 3}).view({1, 3, 1, 1});
  const Tensor colour = 0.2 * cos(hue * (2 * std::numbers::pi));
  const Tensor down = row - between(8, 24), right = column - between(8, 24), size = between(4, 8);
  const Tensor disc = (square(down) + square(right) < square(size)).to(kFloat32);
  const Tensor bar = (abs(down) < 0.5 * size).to(kFloat32).expand({count, 1, 32, 32});
  const Tensor thing = where(remainder(kind, 2) == 0, disc, bar);
  const Tensor light = 0.5 + 0.1 * randn({count, 1, 1, 1}, random), noise = 0.1 * randn({count, 3, 32, 32}, random);
  return {clamp(light + colour * (1 - 2 * thing) + noise, 0, 1), y};
}

using data::CIFAR10;

// In TAPEGRAD_DATA or data/, or in cifar10/ below.
std::optional<std::string> cifar_folder() {
  if (const auto folder = CIFAR10::find()) return folder;
  const char* root = std::getenv("TAPEGRAD_DATA");
  return CIFAR10::find(std::string(root ? root : "data") + "/cifar10");
}

Images part_of_cifar(const std::string& folder, CIFAR10::Mode mode, int64_t count) {
  const CIFAR10 set(folder, mode, {.scale = false});
  return {set.images().slice(0, 0, count).to(kFloat32) / 255, set.targets().slice(0, 0, count)};
}

// Ends the program when CIFAR-10's files are there but damaged.
Sets load() try {
  if (const auto folder = cifar_folder()) {
    std::printf("data: CIFAR-10 in %s\n", folder->c_str());
    return {part_of_cifar(*folder, CIFAR10::Mode::kTrain, 10000), part_of_cifar(*folder, CIFAR10::Mode::kTest, 2000),
            CIFAR10::classes(), true};
  }
  std::printf("data: images drawn by this program; no CIFAR-10 in TAPEGRAD_DATA or data/\n");
  Sets sets{drawn(5000, 1), drawn(1000, 2), {}, false};
  for (int64_t i = 0; i < kClasses; ++i) sets.names.push_back(std::to_string(i) + (i % 2 ? ", a bar" : ", a disc"));
  return sets;
} catch (const IOError& error) {
  std::fprintf(stderr, "%s\n", error.what());
  std::exit(1);
}

// The loss and its gradient by W and b, as a textbook writes them, in loops.
struct Reference {
  double loss = 0;
  std::vector<double> dw, db;
};

double score_gradient(bool svm, const double* s, int64_t right, double* ds) {
  double loss = 0, sum = 0;
  for (int64_t j = 0; j < kClasses; ++j) sum += std::exp(s[j]);
  for (int64_t j = 0; j < kClasses; ++j) ds[j] = svm ? 0 : std::exp(s[j]) / sum - (j == right);
  if (!svm) return std::log(sum) - s[right];
  for (int64_t j = 0; j < kClasses; ++j) {
    const double margin = s[j] - s[right] + 1;
    if (j == right || margin <= 0) continue;
    loss += margin;
    ds[j] += 1;
    ds[right] -= 1;
  }
  return loss;
}

Reference reference(bool svm, const Tensor& x, const Tensor& y, const Tensor& w, const Tensor& b) {
  const auto px = x.accessor<double, 2>(), pw = w.accessor<double, 2>();
  const auto n = static_cast<double>(x.size(0));
  Reference out{0, std::vector<double>(static_cast<size_t>(w.numel())), std::vector<double>(kClasses)};
  for (int64_t i = 0; i < x.size(0); ++i) {
    double s[kClasses], ds[kClasses];
    for (int64_t j = 0; j < kClasses; ++j) {
      s[j] = b.data_ptr<double>()[j];
      for (int64_t k = 0; k < kPixels; ++k) s[j] += pw[j][k] * px[i][k];
    }
    out.loss += score_gradient(svm, s, y.data_ptr<int64_t>()[i], ds) / n;
    for (int64_t j = 0; j < kClasses; ++j) {
      out.db[static_cast<size_t>(j)] += ds[j] / n;
      for (int64_t k = 0; k < kPixels; ++k) out.dw[static_cast<size_t>(j * kPixels + k)] += ds[j] * px[i][k] / n;
    }
  }
  for (int64_t k = 0; k < w.numel(); ++k) {
    const double weight = w.data_ptr<double>()[k];
    out.loss += kStrength * weight * weight;
    out.dw[static_cast<size_t>(k)] += 2 * kStrength * weight;
  }
  return out;
}

Tensor loss_of(bool svm, const Tensor& scores, const Tensor& y, const Tensor& w) {
  return (svm ? svm_loss(scores, y) : softmax_loss(scores, y)) + kStrength * sum(square(w));
}

void against_loops(Report& report, const Images& images) {
  manual_seed(1);
  const Tensor x = images.x.slice(0, 0, 100).flatten(1).to(kFloat64), y = images.y.slice(0, 0, 100).contiguous();
  const Tensor w = (0.03 * randn({kClasses, kPixels}, kFloat64)).requires_grad_();
  const Tensor b = randn({kClasses}, dtype(kFloat64).requires_grad(true));
  for (const bool svm : {true, false}) {
    const std::string name = svm ? "SVM loss" : "softmax loss";
    const Tensor loss = loss_of(svm, linear(x, w, b), y, w);
    const std::vector<Tensor> slopes = autograd::grad({loss}, {w, b});
    const Reference plain = reference(svm, x, y, w.detach(), b.detach());
    std::printf("%s  library %.12f  plain loop in double %.12f\n", name.c_str(), loss.item<double>(), plain.loss);
    report.at_most(name + " against a plain loop, relative", 1e-12, std::abs(loss.item<double>() / plain.loss - 1));
    const Tensor dw = tensor(plain.dw, kFloat64).view_as(w), db = tensor(plain.db, kFloat64);
    const double apart = std::max((abs(slopes[0] - dw).max() / abs(dw).max()).item<double>(),
                                  (abs(slopes[1] - db).max() / abs(db).max()).item<double>());
    report.at_most(name + "'s slopes by W and b, relative", 1e-12, apart);
  }
}

double accuracy(nn::Linear& classifier, const Images& set) {
  NoGradGuard no_grad;
  return (argmax(classifier(set.x.flatten(1)), 1) == set.y).to(kFloat64).mean().item<double>();
}

// Images less their mean, as the source advises.
nn::Linear trained(bool svm, const Sets& sets, int epochs) {
  manual_seed(1);
  nn::Linear classifier(kPixels, kClasses);
  optim::SGD descent(classifier.parameters(), {.lr = svm ? 5e-4 : 2e-3, .momentum = 0.9});
  data::DataLoader batches(data::TensorDataset(sets.train.x, sets.train.y),
                           {.batch_size = 100, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (auto& [x, y] : batches) {
      descent.zero_grad();
      loss_of(svm, classifier(x.flatten(1)), y, classifier.weight).backward();
      descent.step();
    }
  }
  return classifier;
}

void draw_templates(const nn::Linear& classifier, const Sets& sets) {
  std::vector<examples::plot::Panel> panels;
  for (int64_t i = 0; i < kClasses; ++i)
    panels.emplace_back(
        examples::plot::Image{sets.names[static_cast<size_t>(i)], classifier.weight[i].detach().view({3, 32, 32})});
  examples::plot::draw(
      {.name = "t06_templates",
       .title = std::string("Each row of W as an image, ") + (sets.cifar ? "CIFAR-10" : "drawn images"),
       .shows =
           "What the softmax classifier compares an image with: one template for each class, all its images in one.",
       .columns = 5},
      panels);
}

int main(int argc, char** argv) {
  Report report;
  numbers_of_the_source(report);
  set_num_threads(1);
  Sets sets = load();
  against_loops(report, sets.train);

  const Tensor mean_image = sets.train.x.mean({0}, true);
  for (Images* images : {&sets.train, &sets.test}) images->x.sub_(mean_image);
  const int epochs = examples::quick(argc, argv) ? 3 : 10;
  for (const bool svm : {true, false}) {
    nn::Linear classifier = trained(svm, sets, epochs);
    const double train = accuracy(classifier, sets.train), test = accuracy(classifier, sets.test);
    const std::string name = svm ? "SVM" : "softmax";
    std::printf("%s classifier, %d epochs  train accuracy %.4f  test accuracy %.4f\n", name.c_str(), epochs, train,
                test);
    report.at_least(name + " classifier, test accuracy on " + (sets.cifar ? "CIFAR-10" : "drawn images"),
                    sets.cifar ? 0.3 : 0.9, test);
    if (!svm) draw_templates(classifier, sets);
  }
  return report.exit_status();
}

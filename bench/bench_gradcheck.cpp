// What it costs to check the gradients of a network: 784-30-10, sigmoid, every parameter through random directions:
// bench_gradcheck [--rows REGEX] [--rounds N] [--quick] [--results FILE].
#include <chrono>
#include <cstdio>

#include "peer_table.h"
#include "report/statistics.h"
#include "tapegrad/nn/check.h"
#include "tapegrad/tapegrad.h"
#include "turn_options.h"

namespace {

using namespace tapegrad;

const bench::TurnProgram kProgram{"bench_gradcheck"};
const char* const kName = "gradcheck/mlp_784_30_10";

int run(const bench::TurnOptions& options) {
  if (!std::regex_search(kName, options.rows)) kProgram.usage("no row matches --rows");
  manual_seed(1);
  nn::Sequential net(nn::Linear(784, 30), nn::Sigmoid(), nn::Linear(30, 10), nn::Sigmoid());
  const Tensor x = rand({10, 784});
  GradcheckReport report;
  const auto samples = bench::take_turns({1}, options.turns, [&](size_t, int64_t) {
    const auto start = std::chrono::steady_clock::now();
    report = nn::check_module(net, {x});
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  });
  std::printf("gradcheck of a 784-30-10 network, 23860 parameters: %s, median of %zu\n%s\n",
              bench::time_text(bench::median(samples[0])).c_str(), samples[0].size(), report.text().c_str());
  if (!options.results.empty())
    bench::add_to_results(options.results, {bench::machine(), {{kName, "tapegrad", "ns", 1, samples[0]}}});
  return report.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::TurnOptions options = kProgram.parse(argc, argv);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_gradcheck: %s\n", e.what());
    return 1;
  }
}

// How training steps scale: the length of a chain, the batch and the width of a network, one thread and two; eager and replayed,
// in turns: bench_train [--rows REGEX] [--rounds N] [--quick] [--results FILE]. Beside the time what a step in the steady
// state asks of the system: calls of malloc, page faults; both must be 0.
#include <cstdio>
#include <regex>

#include "peer_table.h"
#include "peer_tapegrad.h"
#include "turn_options.h"
#include "turns.h"

namespace {

using namespace bench;

const TurnProgram kProgram{"bench_train"};

// Beyond, capture itself takes minutes.
constexpr int64_t kLongestReplay = 10'000;

// A point of a curve: its row, what one step of it counts for, and how to make it.
struct Point {
  std::string name;
  std::function<Work()> make;
  double per = 1;
  std::vector<int> threads = {1};
  bool replay = true;
};

// width-width-width-10, ReLU and cross-entropy on a batch of 64, SGD.
Work wide(int64_t width) {
  const auto net =
      std::make_shared<lib::nn::Sequential>(lib::nn::Linear(width, width), lib::nn::ReLU(),
                                            lib::nn::Linear(width, width), lib::nn::ReLU(), lib::nn::Linear(width, 10));
  const lib::Tensor x = numbers({64, width}, 0, 1), target = classes(64, 10);
  const auto optimizer = make_sgd(net->parameters(), 0.01);
  return {[=] {
            drop_gradients(*optimizer);
            lib::nn::functional::cross_entropy((*net)(x), target).backward();
            optimizer->step();
          },
          {}};
}

std::vector<Point> points(bool quick) {
  std::vector<Point> all;
  const auto text = [](const char* prefix, int64_t n) { return prefix + std::to_string(n); };
  for (int64_t depth = 10; depth <= (quick ? 100'000 : 10'000'000); depth *= 10)
    all.push_back({text("chain/", depth),
                   [=] { return multiply(depth, false); },
                   static_cast<double>(depth),
                   {1},
                   depth <= kLongestReplay});
  for (int64_t batch = 1; batch <= (quick ? 64 : 4096); batch *= 4)
    all.push_back({text("mlp_batch/", batch), [=] { return mlp(batch, make_sgd, 0.01); }});
  for (int64_t batch = 1; batch <= (quick ? 64 : 4096); batch *= 4)
    all.push_back({text("mlp_batch_bf16/", batch), [=] { return mlp_in_bfloat16(batch); }});
  for (int64_t width = 8; width <= (quick ? 128 : 4096); width *= width < 512 ? 4 : 2)
    all.push_back({text("mlp_width/", width), [=] { return wide(width); }});
  all.push_back({"mlp_256", [] { return mlp(256, make_sgd, 0.01); }, 1, {1, 2}});
  all.push_back({"tutorial_f64", [] { return tutorial<double>(); }, 1, {1, 2}});
  return all;
}

// Eager and replayed on every number of threads, each with a network of its own.
std::vector<Subject> subjects_of(const Point& point) {
  std::vector<Subject> all;
  for (const int threads : point.threads) {
    const std::string name =
        "train/" + point.name + (point.threads.size() > 1 ? "/threads_" + std::to_string(threads) : "");
    all.push_back({{name, "tapegrad", "ns", point.per, {}}, threads, point.make().step});
    if (point.replay) all.push_back({{name, "replay", "ns", point.per, {}}, threads, replayed(point.make()).step});
  }
  return all;
}

void print(const Row& row) {
  std::printf("%-32s %-9s %10s %14.3g %14.3g\n", row.name.c_str(), row.column.c_str(),
              time_text(median(row.samples)).c_str(),
              row.counters.at("malloc_calls") + row.counters.at("system_allocations"), row.counters.at("page_faults"));
  std::fflush(stdout);
}

int run(const TurnOptions& options) {
  Results results{machine(), {}};
  std::printf("%-32s %-9s %10s %14s %14s\n", "row", "column", "time", "mallocs a step", "faults a step");
  for (const Point& point : points(options.quick)) {
    if (!std::regex_search(point.name, options.rows)) continue;
    for (Row& row : in_turns(subjects_of(point), options.turns)) {
      print(row);
      results.put(std::move(row));
    }
  }
  if (results.rows.empty()) kProgram.usage("no row matches --rows");
  if (!options.results.empty()) add_to_results(options.results, results);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const TurnOptions options = kProgram.parse(argc, argv);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_train: %s\n", e.what());
    return 1;
  }
}

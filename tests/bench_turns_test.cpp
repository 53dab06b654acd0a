// What the benchmarks have in common beyond their results: turns, verdicts beside the peers, and how the peers are tuned.
#include "catch.h"
#include "peer_table.h"
#include "peer_tuning.h"
#include "rounds.h"

using namespace bench;

TEST_CASE("bench: subjects take turns, as many steps at once as take a while") {
  const std::vector<double> ns_per_step = {100, 3e7, 70};
  std::vector<std::pair<size_t, int64_t>> calls;
  const auto samples = take_turns({0, 0, 60}, {.rounds = 4, .seconds = 0.01}, [&](size_t i, int64_t n) {
    calls.emplace_back(i, n);
    return ns_per_step[i] * static_cast<double>(n);
  });
  REQUIRE(samples.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    REQUIRE(samples[i].size() == 4);
    for (const double ns : samples[i]) CHECK(ns == Approx(ns_per_step[i]));
  }
  REQUIRE(calls.size() > 12);
  const int64_t steps[] = {100'000, 1, 60};  // 10 ms, the least there is, and as was said
  for (size_t k = 0; k < 12; ++k) CHECK(calls[calls.size() - 12 + k] == std::pair(k % 3, steps[k % 3]));
  CHECK(calls[0] == std::pair<size_t, int64_t>(0, 1));
}

TEST_CASE("bench: where all rounds would take too long there are a few") {
  const auto rounds_of = [](double seconds_a_step) {
    const Turns turns{.rounds = 9, .seconds = 0.01, .most_seconds = 300, .least_rounds = 3};
    return take_turns({1, 1}, turns, [&](size_t, int64_t) { return seconds_a_step * 1e9; })[1].size();
  };
  CHECK(rounds_of(16) == 9);
  CHECK(rounds_of(17) == 3);
}

TEST_CASE("bench: the better libtorch counts, and a budget may be of the replay alone") {
  Results results;
  const auto put = [&](const char* column, double ns) { results.put({kPeers + "a", column, "ns", 1, {ns}}); };
  const RowInfo row{.name = "a", .per = 1, .of_peer = 1.5, .replay_ns = 50};
  put("tapegrad", 100);
  CHECK(Result(row, results).verdict() == "ok");
  put("libtorch", 300);
  CHECK(Result(row, results).ratio() == 3);
  put("libtorch_tuned", 140);
  CHECK(Result(row, results).ratio() == Approx(1.4));
  CHECK(Result(row, results).verdict() == "not fast enough against libtorch");
  put("libtorch_tuned", 90);
  put("replay", 51);
  CHECK(Result(row, results).verdict() == "slower than libtorch, replay over budget");
  CHECK(budget_text(row) == "replay 50.0 ns");
}

TEST_CASE("bench: OpenBLAS is told of AVX-512 where the processor has it and its kernels have not") {
  const Environment told = has_avx512() ? Environment{{"OPENBLAS_CORETYPE", "SkylakeX"}} : Environment{};
  CHECK(better_core("libtorch 1.13.0 (OpenBLAS, Haswell)") == told);
  CHECK(better_core("libtorch 1.13.0 (OpenBLAS, Zen)") == told);
  for (const char* core : {"SkylakeX", "Cooperlake", "SapphireRapids"})
    CHECK(better_core(std::string("libtorch 1.13.0 (OpenBLAS, ") + core + ")").empty());
  CHECK(better_core("libtorch 1.13.0 (no OpenBLAS: its products are not its best)").empty());
  CHECK(better_core("").empty());
}

// Every operation at the sizes its row in tests/op_cases.cpp asks for, in float32 and float64, not recorded: the time, and what
// it means as work (flops by the row's count) and as memory traffic (operands and results, each once). One thread unless
// --threads=N. Matrix products come at several sizes.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>

#include "google_rows.h"
#include "op_cases.h"

namespace {

using namespace tapegrad;
using benchmark::Counter;

double bytes_of(const Tensor& x) { return static_cast<double>(x.nbytes()); }

void run(benchmark::State& state, const op_cases::Row& row, const op_cases::Case& c, DType dtype) {
  const NoGradGuard no_grad;
  const op_cases::Tensors in = op_cases::sample(c, dtype, 1);
  Tensor out = c.f(in);
  for (auto _ : state) {
    out = Tensor();
    out = c.f(in);
    benchmark::DoNotOptimize(out.impl());
  }
  double bytes = row.view ? 0 : bytes_of(out);
  for (const Tensor& x : in) bytes += row.view ? 0 : bytes_of(x);
  if (bytes != 0) state.counters["bytes/s"] = Counter(bytes, Counter::kIsIterationInvariantRate);
  if (row.flops) state.counters["flop/s"] = Counter(row.flops(in, out), Counter::kIsIterationInvariantRate);
}

void add(const op_cases::Row& row, const op_cases::Case& c) {
  bool floating = false;
  for (const op_cases::Arg& arg : c.args) floating |= is_floating_point(arg.dtype);
  for (const DType dtype : {kFloat32, kFloat64}) {
    if (dtype == kFloat64 && !floating) continue;
    std::string name = row.name + "/" + c.label;
    if (floating) name += std::string("/") + name_of(dtype);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&row, &c, dtype](benchmark::State& state) { run(state, row, c, dtype); });
  }
}

// Takes --threads=N out of the arguments; 1 when it is not there.
int threads_from(int& argc, char** argv) {
  int threads = 1, kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--threads=", 0) == 0) threads = std::atoi(argument.c_str() + 10);
    else argv[kept++] = argv[i];
  }
  argc = kept;
  return threads;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = threads_from(argc, argv);
  if (threads < 1) {
    std::fprintf(stderr, "bench_ops: --threads needs a number above 0\n");
    return 2;
  }
  set_num_threads(threads);
  for (const op_cases::Row& row : op_cases::table()) {
    for (const op_cases::Case& c : row.bench) add(row, c);
  }
  return bench::run_google("ops", argc, argv);
}

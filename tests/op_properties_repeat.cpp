// Properties of repetition: the same bits again, at any number of threads; and the same words in every error.
#include "op_properties_runs.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/parallel.h"

namespace op_properties {
namespace {

constexpr int64_t kLargestTimed = 2100000;  // elements of the benchmarks' cases that are worth the time

class KeepThreads {
 public:
  ~KeepThreads() { set_num_threads(threads_); }

 private:
  const int threads_ = get_num_threads();
};

void expect_repeats(const Case& c, Findings& findings) {
  const KeepThreads keep;
  set_num_threads(1);
  const Tensors in = sample(c, kFloat32, findings.stream(10));
  expect_same_bits(run(c, in), run(c, in), findings);
}

void expect_same_threaded(const Case& c, Findings& findings) {
  const KeepThreads keep;
  const Tensors in = sample(c, kFloat32, findings.stream(10));
  set_num_threads(1);
  const Tensors one = run(c, in);
  set_num_threads(2);
  expect_same_bits(one, run(c, in), findings);
}

void for_each_timed(const Row& row, Findings& findings, void (*f)(const Case&, Findings&)) {
  for (const Case& c : row.bench) {
    if (elements(c) > kLargestTimed) continue;
    findings.about("benchmark " + c.label);
    f(c, findings);
  }
}

}  // namespace

void check_repeat(const Row&, const Case& c, Findings& findings) { expect_repeats(c, findings); }
void check_repeat_large(const Row& row, Findings& findings) { for_each_timed(row, findings, expect_repeats); }
void check_threads(const Row&, const Case& c, Findings& findings) { expect_same_threaded(c, findings); }

void check_threads_large(const Row& row, Findings& findings) {
  for_each_timed(row, findings, expect_same_threaded);
  if (!row.elementwise) return;
  for (int64_t n : {kParallelGrain - 1, kParallelGrain, kParallelGrain + 1, 2 * kParallelGrain + 1}) {
    Case c = row.cases[0];
    for (Arg& arg : c.args) arg.sizes = {n};
    findings.about(std::to_string(n) + " elements, around what is worth two threads");
    expect_same_threaded(c, findings);
  }
}

void check_errors(const Row& row, Findings& findings) {
  for (const BadInput& input : row.bad_inputs) {
    std::string message = "nothing was thrown";
    try {
      input.call();
    } catch (const std::exception& e) { message = e.what(); }
    findings.check(message == input.text, [&] { return "the error is\n  " + message + "\nnot\n  " + input.text; });
  }
}

}  // namespace op_properties

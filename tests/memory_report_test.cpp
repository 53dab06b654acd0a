// Memory reports: bytes by op and by module, for sequences whose every allocation is known.
#include <thread>

#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

MemoryRow row_of(const std::vector<MemoryRow>& rows, const std::string& name) {
  for (const MemoryRow& row : rows) {
    if (row.name == name) return row;
  }
  FAIL("no row " << name);
  return {};
}

struct Net : nn::Cloneable<Net> {
  nn::Linear fc1 = register_module("fc1", nn::Linear(8, 16));
  nn::Linear fc2 = register_module("fc2", nn::Linear(16, 4));
  Tensor forward(const Tensor& x) { return fc2(tanh(fc1(x))); }
};

}  // namespace

TEST_CASE("a memory report is exact for a known sequence", "[memory_report]") {
  const Tensor x = ones({256});  // before the report: not in it
  MemoryReport report;
  Tensor a = x * x;                           // 1 KiB
  Tensor b = exp(x);                          // 1 KiB
  const Tensor c = exp(a);                    // 1 KiB: 3 KiB live
  b = Tensor();                               // 2 KiB
  const Tensor view = a[0];                   // nothing
  a = Tensor();                               // the view holds it
  const Tensor d = empty({128}, kFloat64);    // 1 KiB that nobody writes: 3 KiB
  { const Tensor e = tanh(x), f = tanh(e); }  // 5 KiB at the peak
  CHECK(report.live_bytes() == 3 * 1024);
  CHECK(report.peak_bytes() == 5 * 1024);
  const auto ops = report.by_op();
  const auto check = [&](const char* name, int64_t allocations, int64_t live, int64_t peak, int64_t at_peak) {
    const MemoryRow row = row_of(ops, name);
    INFO(name);
    CHECK(row.allocations == allocations);
    CHECK(row.live == live * 1024);
    CHECK(row.peak == peak * 1024);
    CHECK(row.at_peak == at_peak * 1024);
  };
  check("mul", 1, 1, 1, 1);
  check("exp", 2, 1, 2, 1);
  check("tanh", 2, 0, 2, 2);
  check("(unwritten)", 1, 1, 1, 1);
  CHECK(ops.size() == 4);
  CHECK(ops[0].name == "tanh");
  report.stop();
  (void)exp(x);
  CHECK(report.peak_bytes() == 5 * 1024);
  CHECK(row_of(report.by_op(), "exp").allocations == 2);
  CHECK_FALSE(watched());
}

TEST_CASE("a memory report knows modules, in backward too", "[memory_report]") {
  Net net;
  const Tensor x = ones({32, 8});
  MemoryReport report;
  const Tensor loss = net(x).sum();
  CHECK(row_of(report.by_module(), "Net.fc1").peak == 4 * 32 * 16);
  CHECK(row_of(report.by_module(), "Net.fc2").peak == 4 * 32 * 4);
  CHECK(row_of(report.by_module(), "Net").live == 4 * 32 * 16);  // what tanh saves, in Net's own forward
  loss.backward();
  // What stays: the gradients of weight and bias.
  CHECK(row_of(report.by_module(), "Net.fc1").live == 4 * (8 * 16 + 16));
  CHECK(row_of(report.by_module(), "Net.fc2").live == 4 * (16 * 4 + 4));
  CHECK(row_of(report.by_module(), "(no module)").live >= 4);  // the loss
  int64_t live = 0, at_peak = 0;
  for (const MemoryRow& row : report.by_module()) live += row.live, at_peak += row.at_peak;
  CHECK(live == report.live_bytes());
  CHECK(at_peak == report.peak_bytes());
  live = at_peak = 0;
  for (const MemoryRow& row : report.by_op()) live += row.live, at_peak += row.at_peak;
  CHECK(live == report.live_bytes());
  CHECK(at_peak == report.peak_bytes());
}

TEST_CASE("memory reports nest, and tensors may die anywhere", "[memory_report]") {
  const Tensor x = ones({256});
  auto outer = std::make_unique<MemoryReport>();
  Tensor a = x * 2;
  MemoryReport inner;
  Tensor b = x * 3;
  CHECK(outer->live_bytes() == 2048);
  CHECK(inner.live_bytes() == 1024);
  std::thread([b = std::move(b), a]() mutable { b = Tensor(); }).join();
  CHECK(outer->live_bytes() == 1024);
  CHECK(inner.live_bytes() == 0);
  CHECK(inner.peak_bytes() == 1024);
  outer.reset();
  a = Tensor();  // after its report
  CHECK(inner.live_bytes() == 0);
  std::thread([&] { (void)(x * 4); }).join();
  CHECK(inner.peak_bytes() == 1024);  // another thread's
}

TEST_CASE("memory_report() is the innermost report's text", "[memory_report]") {
  CHECK_THAT(memory_report(), Contains("make a MemoryReport"));
  const MemoryReport report;
  const Tensor y = exp(ones({512}));
  CHECK(memory_report() == report.text());
  CHECK_THAT(memory_report(), Catch::Matchers::StartsWith("op ") && Contains("\nexp ") && Contains("2.00"));
  CHECK_THROWS_AS(
      [] {
        const MemoryReport broken;
        (void)ones({2}).view({3});
      }(),
      ShapeError);
  CHECK(memory_report() == report.text());
}

TEST_CASE("memory lent by a caller outlives a report as it should", "[memory_report]") {
  int deleted = 0;
  float data[4] = {1, 2, 3, 4};
  {
    const MemoryReport report;
    const Tensor t = from_blob(data, {4}, [&](void*) { ++deleted; });
    const Tensor y = t + 1;
    CHECK(report.live_bytes() == 16);
  }
  CHECK(deleted == 1);
}

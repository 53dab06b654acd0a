// Where the time goes: every kernel launch of a scope counted and timed, as a table, JSON, and a trace for Perfetto.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tapegrad/autograd/profile/peak.h"
#include "tapegrad/core/watch.h"

namespace tapegrad {

struct ProfilerOptions {
  bool record_shapes = false;      // a row for each combination of shapes
  int64_t max_events = 1'000'000;  // launches kept for the trace, 40 bytes each; later ones are counted only
};

// What the launches of one name, phase, dtype, tier and implementation (and shapes, where asked for) add up to.
struct ProfileRow {
  std::string name;
  LaunchPhase phase;
  DType dtype;
  std::string tier;            // "tiny", "medium", "large"; "fused" for a pass of a captured program
  std::string implementation;  // "simd avx512", "onednn gemm:jit", "loop", ...
  std::string shapes;          // "[4, 3] [3, 2] -> [4, 2]"; empty unless record_shapes
  int64_t calls = 0;
  double seconds = 0;
  int64_t flops =
      0;  // a product 2 m n k, an elementwise op one per element it writes, a reduction one per element it reads
  int64_t bytes = 0;         // of operands and results
  double least_seconds = 0;  // that they would take at the machine's peak; filled in by key_averages()

  double mean() const { return calls ? seconds / static_cast<double>(calls) : 0; }
  double gflops() const { return seconds > 0 ? static_cast<double>(flops) / seconds / 1e9 : 0; }
  double gbytes() const { return seconds > 0 ? static_cast<double>(bytes) / seconds / 1e9 : 0; }
  double share_of_peak() const { return seconds > 0 ? least_seconds / seconds : 0; }
};

// What a profiler saw; a handle.
class TAPEGRAD_API Profile {
 public:
  // Nothing; what Profiler::stop() and profile() return is something.
  Profile() = default;

  int64_t calls() const;
  double seconds() const;         // from start to stop
  double kernel_seconds() const;  // inside kernels, without the clock's own time
  // By time, the longest first. Measures the machine's peak when first called.
  std::vector<ProfileRow> key_averages() const;
  // key_averages() as text, at most row_limit rows of it.
  std::string table(int64_t row_limit = 100) const;
  std::string json() const;
  // Writes launches, with modules, backward sweeps, optimizer steps and RecordFunction scopes around them, in the trace
  // event format, for https://ui.perfetto.dev and chrome://tracing. IOError when it cannot be written.
  void export_chrome_trace(const std::string& path) const;

  // Library internal.
  struct Record;
  explicit Profile(std::shared_ptr<const Record> record) : record_(std::move(record)) {}

 private:
  std::shared_ptr<const Record> record_;
};

// Sees all launches of the thread that makes it, until stop() or its end, on that thread.
//   Profiler profiler;
//   ...
//   std::cout << profiler.stop().table();
class TAPEGRAD_API Profiler {
 public:
  // ValueError: a negative max_events.
  explicit Profiler(const ProfilerOptions& options = {});
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;
  // The same profile at every call.
  Profile stop();

 private:
  class Observer;
  std::unique_ptr<Observer> observer_;
};

// Runs fn() under a profiler: profile([&] { step(); }).table().
template <class F> Profile profile(F&& fn, const ProfilerOptions& options = {}) {
  Profiler profiler(options);
  fn();
  return profiler.stop();
}

// A part of the program by name, in the trace: RecordFunction scope("load batch"). Costs a nanosecond when nobody looks.
class RecordFunction {
 public:
  explicit RecordFunction(const char* name) : scope_("user", [name] { return name; }) {}
  explicit RecordFunction(const std::string& name) : scope_("user", [&] { return name; }) {}

 private:
  detail::ObservedScope scope_;
};

}  // namespace tapegrad

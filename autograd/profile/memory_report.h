// Who holds the memory: bytes of elements, live and at most, by the op that first wrote them and by the module that ran.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tapegrad/core/export.h"

namespace tapegrad {

struct MemoryRow {
  std::string name;
  int64_t allocations = 0;
  int64_t live = 0;     // bytes now, or when the report stopped
  int64_t peak = 0;     // the row's own most
  int64_t at_peak = 0;  // its part when the total was highest
};

// From its making to stop(), or to its end, on the thread that makes it: every storage that this thread creates, whatever
// thread lets go of it. Bytes are those asked for, without the allocator's rounding. A storage belongs to the launch that
// first writes it ("(unwritten)" until then) and to the module whose forward runs ("net.fc1"); in a backward sweep to the
// module that recorded the node whose rule runs; else "(no module)" or "(optimizer)".
class TAPEGRAD_API MemoryReport {
 public:
  MemoryReport();
  ~MemoryReport();
  MemoryReport(const MemoryReport&) = delete;
  MemoryReport& operator=(const MemoryReport&) = delete;
  void stop();

  int64_t live_bytes() const;
  int64_t peak_bytes() const;
  // The largest part of the peak first.
  std::vector<MemoryRow> by_op() const;
  std::vector<MemoryRow> by_module() const;
  std::string text() const;

 private:
  class Observer;
  std::unique_ptr<Observer> observer_;
  friend TAPEGRAD_API std::string memory_report();
};

// The text of this thread's innermost MemoryReport that was not stopped; without one, the allocator's totals.
TAPEGRAD_API std::string memory_report();

}  // namespace tapegrad

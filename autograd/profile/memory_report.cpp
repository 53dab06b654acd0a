// A memory report: which op and which module a storage belongs to.
#include "tapegrad/autograd/profile/memory_report.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>

#include "tapegrad/autograd/node.h"
#include "tapegrad/autograd/profile/ledger.h"
#include "tapegrad/autograd/state.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/quote.h"
#include "tapegrad/core/watch.h"

namespace tapegrad {
namespace {

// The modules that run, and by which module every node was recorded.
class ModuleTrail {
 public:
  void entered(const char* kind, const std::string& name) {
    const bool module = std::string_view(kind) == "module";
    if (!module && std::string_view(kind) != "backward") return scopes_.push_back({Kind::other, ""});
    if (!module) return scopes_.push_back({Kind::backward, ""});
    if (autograd::state().live_nodes == 0) marks_.clear();
    const std::string outer = path();
    scopes_.push_back({Kind::module, outer.empty() ? name : outer + "." + name});
    mark();
  }

  void left() {
    if (scopes_.empty()) return;
    const bool module = scopes_.back().kind == Kind::module;
    scopes_.pop_back();
    if (module) mark();
  }

  // Of what is created now.
  std::string now() const {
    for (auto s = scopes_.rbegin(); s != scopes_.rend(); ++s) {
      if (s->kind == Kind::module) return s->path;
      if (s->kind != Kind::backward) continue;
      const autograd::Node* node = autograd::state().current;
      return node ? recorded_by(node->sequence()) : "";
    }
    return "";
  }

 private:
  enum class Kind { module, backward, other };
  struct Scope {
    Kind kind;
    std::string path;
  };
  // Nodes from this number on were recorded by this module.
  struct Mark {
    uint64_t sequence;
    std::string path;
  };

  std::string path() const {
    for (auto s = scopes_.rbegin(); s != scopes_.rend(); ++s) {
      if (s->kind == Kind::module) return s->path;
    }
    return "";
  }
  void mark() {
    const uint64_t next = autograd::state().next_sequence;
    if (!marks_.empty() && marks_.back().sequence == next) marks_.back().path = path();
    else marks_.push_back({next, path()});
  }
  std::string recorded_by(uint64_t sequence) const {
    const auto after = std::upper_bound(marks_.begin(), marks_.end(), sequence,
                                        [](uint64_t s, const Mark& m) { return s < m.sequence; });
    return after == marks_.begin() ? "" : (after - 1)->path;
  }

  std::vector<Scope> scopes_;
  std::vector<Mark> marks_;
};

std::string kib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%14.2f", static_cast<double>(bytes) / 1024);
  return text;
}

std::string rows_text(const char* title, const std::vector<MemoryRow>& rows) {
  size_t width = std::string_view(title).size();
  for (const MemoryRow& row : rows) width = std::max(width, characters(row.name));
  const auto padded = [&](const std::string& name) { return name + std::string(width - characters(name), ' '); };
  std::string text = padded(title) + "      live KiB      peak KiB   at peak KiB   allocations\n";
  for (const MemoryRow& row : rows) {
    char count[32];
    std::snprintf(count, sizeof count, "%14lld\n", static_cast<long long>(row.allocations));
    text += padded(row.name) + kib(row.live) + kib(row.peak) + kib(row.at_peak) + count;
  }
  return text;
}

}  // namespace

class MemoryReport::Observer final : public LaunchObserver {
 public:
  Observer() : outer_(std::exchange(innermost, this)) { start(); }
  static Observer* of_this_thread() { return innermost; }
  static void leave(std::unique_ptr<Observer> observer) {
    static std::mutex mutex;
    static auto& left = *new std::vector<std::unique_ptr<Observer>>;
    const std::lock_guard lock(mutex);
    left.push_back(std::move(observer));
  }
  // Only where it was made may it stop: other threads do not see who looks there.
  bool may_stop_here() const { return stopped_ || thread_ == std::this_thread::get_id(); }
  void stop() {
    if (std::exchange(stopped_, true)) return;
    LaunchObserver::stop();
    ledger->close();
    Observer** link = &innermost;
    while (*link && *link != this) link = &(*link)->outer_;
    if (*link) *link = outer_;
  }
  std::string text() const;

  void created(Storage& storage) override {
    const std::string module = trail_.now();
    const bool stepping = detail::phase == LaunchPhase::optimizer;
    ledger->add(storage, !module.empty() ? module : stepping ? "(optimizer)" : "(no module)");
  }
  void launched(const LaunchReport& r) override {
    for (const OperandNote& o : r.operands) {
      if (o.written && o.data) ledger->wrote(o.data, r.name);
    }
  }
  void entered(const char* kind, const std::string& name) override { trail_.entered(kind, name); }
  void left() override { trail_.left(); }

  const std::shared_ptr<Ledger> ledger = std::make_shared<Ledger>();

 private:
  static constinit thread_local Observer* innermost;
  ModuleTrail trail_;
  Observer* outer_;
  std::thread::id thread_ = std::this_thread::get_id();
  bool stopped_ = false;
};

constinit thread_local MemoryReport::Observer* MemoryReport::Observer::innermost = nullptr;

std::string MemoryReport::Observer::text() const {
  return rows_text("op", ledger->ops()) + rows_text("module", ledger->modules()) + "live" + kib(ledger->live()) +
         " KiB, peak" + kib(ledger->peak()) + " KiB\n";
}

MemoryReport::MemoryReport() : observer_(std::make_unique<Observer>()) {}

// Elsewhere than on its thread, which goes on reporting to it, it is left to the process.
MemoryReport::~MemoryReport() {
  if (observer_->may_stop_here()) stop();
  else Observer::leave(std::move(observer_));
}

void MemoryReport::stop() {
  if (!observer_->may_stop_here())
    throw Error("MemoryReport: stop() must be called on the thread that made the report, got another thread");
  observer_->stop();
}

int64_t MemoryReport::live_bytes() const { return observer_->ledger->live(); }
int64_t MemoryReport::peak_bytes() const { return observer_->ledger->peak(); }
std::vector<MemoryRow> MemoryReport::by_op() const { return observer_->ledger->ops(); }
std::vector<MemoryRow> MemoryReport::by_module() const { return observer_->ledger->modules(); }

std::string MemoryReport::text() const { return observer_->text(); }

std::string memory_report() {
  if (const MemoryReport::Observer* innermost = MemoryReport::Observer::of_this_thread()) return innermost->text();
  const AllocatorStats stats = allocator_stats();
  return "live" + kib(stats.allocated_bytes) + " KiB, peak" + kib(stats.peak_bytes) +
         " KiB, with the allocator's rounding (by op and module: make a MemoryReport before the tensors)\n";
}

}  // namespace tapegrad

// The chain of observers of a thread, and what they are shown.
#include "tapegrad/core/watch.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tapegrad/core/launch.h"

namespace tapegrad {
namespace {

constinit Watch undecided;
constinit thread_local Watch own;

// TAPEGRAD_VERBOSE=1: a line per launch.
class Verbose final : public LaunchObserver {
 public:
  void launched(const LaunchReport& r) override {
    char took[40];
    std::snprintf(took, sizeof took, ", %.3f us\n", static_cast<double>(r.took) / 1e3);
    const std::string line = "tapegrad: " + std::string(r.name) + " " + r.shapes() + " " + name_of(r.dtype()) + ", " +
                             r.note.tier + ", " + r.implementation() + took;
    std::fputs(line.c_str(), stderr);
  }
};

// Asked once by each thread.
bool wants_verbose() {
  const char* text = std::getenv("TAPEGRAD_VERBOSE");
  return text && *text && std::string_view(text) != "0";
}

LaunchObserver* verbose() {
  static LaunchObserver* const observer = new Verbose;  // threads may launch until the process ends
  return observer;
}

void publish() { detail::watch = own.list || own.observers ? &own : nullptr; }

// This thread's, or null when nobody looks.
Watch* settled() {
  if (detail::watch == &undecided) {
    own.observers = wants_verbose() ? verbose() : nullptr;
    publish();
  }
  return detail::watch;
}

const char* tier_of(std::span<const OperandNote> operands) {
  int64_t most = 0;
  for (const OperandNote& o : operands) most = std::max(most, o.bytes / item_size(o.dtype));
  return most <= 16384 ? "tiny" : most <= 131072 ? "medium" : "large";
}

int64_t flops_of(const LaunchReport& r) {
  int64_t most[2] = {-1, -1};  // read, written
  bool floating = false;
  for (const OperandNote& o : r.operands) {
    int64_t n = 1;
    for (int64_t size : *o.sizes) n *= size;
    most[o.written] = std::max(most[o.written], n);
    floating |= is_floating_point(o.dtype);
  }
  if (!floating || most[0] < 0) return 0;
  return r.kind == LaunchKind::map ? most[1] : r.kind == LaunchKind::reduce ? most[0] : 0;
}

}  // namespace

namespace detail {

constinit thread_local Watch* watch __attribute__((tls_model("initial-exec"))) = &undecided;
constinit thread_local LaunchPhase phase __attribute__((tls_model("initial-exec"))) = LaunchPhase::forward;
std::atomic<int> observers{0};

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t distinct_bytes(const TensorImpl& t) {
  int64_t bytes = item_size(t.dtype);
  for (int64_t d = 0; d < t.sizes.size(); ++d) {
    if (t.strides[d] != 0 || t.sizes[d] == 0) bytes *= t.sizes[d];
  }
  return bytes;
}

LaunchList* exchange_list(LaunchList* list) {
  settled();
  LaunchList* const before = std::exchange(own.list, list);
  publish();
  return before;
}

[[gnu::cold]] void created(Storage* storage) {
  const Watch* w = settled();
  if (!w) return;
  if (w->list) w->list->created(storage);
  for (LaunchObserver* o = w->observers; o; o = Watch::next(*o)) o->created(*storage);
}

[[gnu::cold]] void observe(LaunchReport& report, const void* kernel, const KernelType& type) {
  const Watch* w = settled();
  if (!w || !w->observers) return type.run(kernel);
  report.start = now();
  type.run(kernel);
  report.took = now() - report.start;
  if (type.note) report.note = type.note(kernel);
  if (!report.note.tier) report.note.tier = tier_of(report.operands);
  if (report.note.flops < 0) report.note.flops = flops_of(report);
  for (LaunchObserver* o = w->observers; o; o = Watch::next(*o)) o->launched(report);
}

[[gnu::cold]] void observe(const char* name, LaunchKind kind, Operands outputs, Operands inputs, const void* kernel,
                           const KernelType& type) {
  const Watch* w = settled();
  if (!w || !w->observers) return type.run(kernel);
  std::vector<OperandNote> operands;
  for (const bool written : {true, false}) {
    for (const Tensor* t : written ? outputs : inputs) {
      if (!t || !t->defined()) continue;
      const TensorImpl& s = *t->impl();
      operands.push_back({&s.sizes, s.dtype, distinct_bytes(s), s.storage->data(), written});
    }
  }
  LaunchReport report{name, kind, phase, operands};
  observe(report, kernel, type);
}

[[gnu::cold]] void enter(const char* kind, const std::string& name) {
  if (const Watch* w = settled()) {
    for (LaunchObserver* o = w->observers; o; o = Watch::next(*o)) o->entered(kind, name);
  }
}

[[gnu::cold]] void leave() noexcept {
  if (const Watch* w = settled()) {
    for (LaunchObserver* o = w->observers; o; o = Watch::next(*o)) o->left();
  }
}

}  // namespace detail

LaunchList* keeping() { return detail::current(); }
bool watched() { return detail::is_watched(); }

void Watch::add(LaunchObserver& o) {
  settled();
  o.outer_ = std::exchange(own.observers, &o);
  publish();
}

// Observers may stop in any order.
void Watch::remove(LaunchObserver& o) {
  LaunchObserver** link = &own.observers;
  while (*link && *link != &o) link = &(*link)->outer_;
  if (*link) *link = o.outer_;
  publish();
}

LaunchObserver* Watch::next(const LaunchObserver& o) { return o.outer_; }

LaunchObserver::~LaunchObserver() { stop(); }

void LaunchObserver::start() {
  if (std::exchange(active_, true)) return;
  Watch::add(*this);
  detail::observers.fetch_add(1, std::memory_order_relaxed);
}

void LaunchObserver::stop() noexcept {
  if (!std::exchange(active_, false)) return;
  detail::observers.fetch_sub(1, std::memory_order_relaxed);
  Watch::remove(*this);
}

int64_t LaunchReport::bytes() const {
  int64_t sum = 0;
  for (const OperandNote& o : operands) sum += o.bytes;
  return sum;
}

std::string LaunchReport::implementation() const {
  return *note.variant ? std::string(note.by) + " " + note.variant : note.by;
}

std::string LaunchReport::shapes() const {
  std::string read, written;
  for (const OperandNote& o : operands) {
    std::string& side = o.written ? written : read;
    side += (side.empty() ? "" : " ") + to_string(*o.sizes);
  }
  return read + (read.empty() ? "-> " : " -> ") + written;
}

DType LaunchReport::dtype() const {
  for (const OperandNote& o : operands) {
    if (o.written) return o.dtype;
  }
  return operands.empty() ? kFloat32 : operands[0].dtype;
}

}  // namespace tapegrad

// Takes launches down as they come.
#include "tapegrad/autograd/profile/profiler.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "tapegrad/autograd/profile/record.h"

namespace tapegrad {
namespace {

// What reading the clock adds to a launch.
int64_t clock_cost() {
  static const int64_t least = [] {
    int64_t best = INT64_MAX;
    for (int i = 0; i < 200; ++i) {
      const int64_t start = detail::now();
      best = std::min(best, detail::now() - start);
    }
    return best;
  }();
  return least;
}

}  // namespace

class Profiler::Observer final : public LaunchObserver {
 public:
  explicit Observer(const ProfilerOptions& options) : record_(std::make_shared<Profile::Record>()) {
    record_->options = options;
    record_->thread = gettid();
    clock_cost();
    record_->start = detail::now();
    start();
  }

  void launched(const LaunchReport& r) override {
    const size_t row = row_of(r);
    const int64_t took = std::max<int64_t>(0, r.took - clock_cost());
    ProfileRow& sum = record_->rows[row];
    ++sum.calls;
    sum.seconds += static_cast<double>(took) / 1e9;
    sum.flops += r.note.flops;
    sum.bytes += r.bytes();
    if (has_room()) record_->events.push_back({row, r.start, took});
  }

  void entered(const char* kind, const std::string& name) override { open_.push_back({kind, name, detail::now(), 0}); }

  void left() override {
    if (open_.empty()) return;  // it began before the profiler
    Profile::Record::Scope scope = std::move(open_.back());
    open_.pop_back();
    scope.took = detail::now() - scope.start;
    if (has_room()) record_->scopes.push_back(std::move(scope));
  }

  static void leave(std::unique_ptr<Observer> observer) {
    static std::mutex mutex;
    static auto& left = *new std::vector<std::unique_ptr<Observer>>;
    const std::lock_guard lock(mutex);
    left.push_back(std::move(observer));
  }
  // Only there may it stop: other threads do not see who looks here.
  bool may_stop_here() const { return record_->end != 0 || record_->thread == gettid(); }

  std::shared_ptr<const Profile::Record> finish() {
    if (record_->end != 0) return record_;
    LaunchObserver::stop();
    while (!open_.empty()) left();
    record_->end = detail::now();
    return record_;
  }

 private:
  using Key = std::tuple<std::string, LaunchPhase, DType, std::string, std::string, std::string>;

  size_t row_of(const LaunchReport& r) {
    Key key(r.name, r.phase, r.dtype(), r.note.tier, r.implementation(),
            record_->options.record_shapes ? r.shapes() : std::string());
    const auto [at, added] = index_.try_emplace(std::move(key), record_->rows.size());
    if (added) {
      const auto& [name, phase, dtype, tier, implementation, shapes] = at->first;
      record_->rows.push_back({.name = name,
                               .phase = phase,
                               .dtype = dtype,
                               .tier = tier,
                               .implementation = implementation,
                               .shapes = shapes});
    }
    return at->second;
  }

  bool has_room() {
    const auto kept = static_cast<int64_t>(record_->events.size() + record_->scopes.size());
    if (kept < record_->options.max_events) return true;
    ++record_->left_out;
    return false;
  }

  std::shared_ptr<Profile::Record> record_;
  std::map<Key, size_t> index_;
  std::vector<Profile::Record::Scope> open_;
};

Profiler::Profiler(const ProfilerOptions& options) {
  if (options.max_events < 0)
    throw ValueError("Profiler: max_events must not be negative, got " + std::to_string(options.max_events));
  observer_ = std::make_unique<Observer>(options);
}
// Elsewhere than on its thread, which goes on reporting to it, it is left to the process.
Profiler::~Profiler() {
  if (!observer_->may_stop_here()) Observer::leave(std::move(observer_));
}
Profile Profiler::stop() {
  if (!observer_->may_stop_here())
    throw Error("Profiler: stop() must be called on the thread that made the profiler, got another thread");
  return Profile(observer_->finish());
}

std::vector<ProfileRow> Profile::Record::finished() const {
  std::vector<ProfileRow> out = rows;
  if (out.empty()) return out;
  const MachinePeak& peak = machine_peak();
  for (ProfileRow& row : out) {
    row.least_seconds =
        static_cast<double>(row.calls) * peak.seconds(row.flops / row.calls, row.bytes / row.calls, row.dtype);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return out;
}

int64_t Profile::calls() const {
  int64_t sum = 0;
  if (record_) {
    for (const ProfileRow& row : record_->rows) sum += row.calls;
  }
  return sum;
}

double Profile::seconds() const { return record_ ? static_cast<double>(record_->end - record_->start) / 1e9 : 0; }

double Profile::kernel_seconds() const {
  double sum = 0;
  if (record_) {
    for (const ProfileRow& row : record_->rows) sum += row.seconds;
  }
  return sum;
}

std::vector<ProfileRow> Profile::key_averages() const {
  return record_ ? record_->finished() : std::vector<ProfileRow>();
}

}  // namespace tapegrad

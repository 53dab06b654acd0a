// Worker threads, their queue, and the random numbers of each example.
#include "tapegrad/nn/data/pass.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "tapegrad/autograd/state.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/pool.h"
#include "tapegrad/core/random.h"
#include "tapegrad/nn/data/example.h"

namespace tapegrad::data::detail {

BatchMaker::~BatchMaker() = default;

// The finaliser of splitmix64, a bijection, over a sum that differs between parts.
uint64_t mixed_seed(uint64_t seed, uint64_t part) {
  uint64_t z = seed + (part + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

namespace {

// Random numbers of the batch that a thread is making.
struct BatchRandom {
  Generator generator;
  uint64_t seed = 0;   // of the pass
  uint64_t first = 0;  // the place in the pass of the batch's first example
  uint64_t round = 0;  // how often the batch's examples were gone through, so that no two transforms draw the same

  void start(uint64_t pass_seed, uint64_t place) {
    seed = pass_seed;
    first = place;
    round = 0;
    set(0);
  }
  void set(uint64_t k) { generator.manual_seed(mixed_seed(mixed_seed(seed, round), first + k)); }
};

constinit thread_local BatchRandom* batch_random = nullptr;

struct Job {
  int64_t number = 0;
  uint64_t first = 0;
  std::vector<int64_t> indices;
};

struct Finished {
  int64_t number = 0;
  void* batch = nullptr;
  std::exception_ptr error;
};

// After so many batches from workers the caller's surplus of small blocks goes back to where workers find them.
constexpr int64_t kBatchesPerSharing = 64;

}  // namespace

void start_examples() {
  if (batch_random) ++batch_random->round;
}
void start_example(int64_t k) {
  if (batch_random) batch_random->set(static_cast<uint64_t>(k));
}

struct Pass::State {
  State(BatchMaker& batch_maker, const PassOptions& pass_options) : maker(batch_maker), options(pass_options) {}
  ~State();

  std::optional<Job> request();
  void* make(const Job& job, int64_t worker, BatchRandom& random);
  void make_room();
  void refill();
  void work(int64_t worker);
  Finished take();
  void* next_ahead();
  void start_workers();
  void end_workers();

  BatchMaker& maker;
  const PassOptions options;
  // The caller's alone.
  int64_t requested = 0, delivered = 0;
  uint64_t examples = 0;
  bool exhausted = false;
  BatchRandom random;
  // Shared, under the mutex.
  std::mutex mutex;
  std::condition_variable wanted, ready;
  std::deque<Job> jobs;
  std::vector<Finished> finished;
  bool stop = false;
  std::vector<std::thread> threads;
};

void Pass::State::start_workers() {
  for (int64_t i = 0; i < options.workers; ++i) {
    try {
      threads.emplace_back([this, i] { work(i); });
    } catch (const std::system_error& error) {
      throw Error("DataLoader: every worker needs a thread, got " + std::to_string(i) + " for " +
                  std::to_string(options.workers) + " workers (" + error.code().message() + ")");
    }
  }
}

// Waits for the batches being made; those not begun are given up.
void Pass::State::end_workers() {
  {
    std::lock_guard lock(mutex);
    stop = true;
  }
  wanted.notify_all();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

Pass::State::~State() {
  end_workers();
  for (const Finished& one : finished) {
    if (one.batch) maker.drop(one.batch);
  }
}

std::optional<Job> Pass::State::request() {
  if (exhausted) return {};
  std::optional<std::vector<int64_t>> indices;
  try {
    indices = maker.request();
  } catch (...) {
    exhausted = true;
    throw;
  }
  if (!indices) {
    exhausted = true;
    return {};
  }
  Job job{requested, examples, std::move(*indices)};
  examples += job.indices.size();
  return job;
}

void* Pass::State::make(const Job& job, int64_t worker, BatchRandom& numbers) {
  struct Current {
    BatchRandom* before;
    explicit Current(BatchRandom* now) : before(std::exchange(batch_random, now)) {}
    ~Current() { batch_random = before; }
  };
  numbers.start(options.seed, job.first);
  const Current current(&numbers);
  const DefaultGeneratorGuard generator(numbers.generator);
  const NoGradGuard no_grad;
  return maker.make(job.indices, worker);
}

// For what is being made to be put down by workers, who must not fail at that. Not for max_jobs at once, which may be a
// number that stands for no limit.
void Pass::State::make_room() {
  const auto needed = static_cast<size_t>(requested - delivered) + 1;
  if (finished.capacity() < needed) finished.reserve(2 * needed);
}

// Asks for batches until max_jobs are being made or wait to be taken. An error in asking takes the place of a batch.
void Pass::State::refill() {
  while (!exhausted && requested - delivered < options.max_jobs) {
    try {
      std::optional<Job> job = request();
      if (!job) return;
      std::lock_guard lock(mutex);
      make_room();
      jobs.push_back(std::move(*job));
    } catch (...) {
      exhausted = true;
      std::lock_guard lock(mutex);
      finished.push_back({requested, nullptr, std::current_exception()});
    }
    ++requested;
    wanted.notify_one();
  }
}

void Pass::State::work(int64_t worker) {
  const SingleThreadGuard alone;
  BatchRandom numbers;
  std::unique_lock lock(mutex);
  for (;;) {
    wanted.wait(lock, [this] { return stop || !jobs.empty(); });
    if (stop) return;
    const Job job = std::move(jobs.front());
    jobs.pop_front();
    lock.unlock();
    Finished done{job.number, nullptr, nullptr};
    try {
      done.batch = make(job, worker, numbers);
    } catch (...) { done.error = std::current_exception(); }
    lock.lock();
    finished.push_back(std::move(done));
    ready.notify_one();
  }
}

// Waits for the batch whose turn it is.
Finished Pass::State::take() {
  const auto mine = [this](const Finished& one) { return !options.enforce_ordering || one.number == delivered; };
  std::unique_lock lock(mutex);
  for (;;) {
    for (auto it = finished.begin(); it != finished.end(); ++it) {
      if (!mine(*it)) continue;
      Finished out = std::move(*it);
      finished.erase(it);
      return out;
    }
    ready.wait(lock);
  }
}

void* Pass::State::next_ahead() {
  if (delivered == requested) {
    end_workers();
    return nullptr;
  }
  Finished one = take();
  ++delivered;
  if (delivered % kBatchesPerSharing == 0) pool::share_surplus();
  refill();
  if (one.error) std::rethrow_exception(std::move(one.error));
  return one.batch;
}

Pass::Pass(BatchMaker& maker, const PassOptions& options) {
  auto state = std::make_unique<State>(maker, options);
  if (options.workers > 0) {
    state->start_workers();
    state->refill();
  }
  state_ = state.release();
}

Pass::~Pass() { delete state_; }

void* Pass::next() {
  tapegrad::detail::check_host_read(
      "a loader hands out other examples at every pass, and a replay would not ask it for them (capture a function of the "
      "batch, and call it with each)");
  State& state = *state_;
  if (state.options.workers > 0) return state.next_ahead();
  const std::optional<Job> job = state.request();
  return job ? state.make(*job, 0, state.random) : nullptr;
}

}  // namespace tapegrad::data::detail

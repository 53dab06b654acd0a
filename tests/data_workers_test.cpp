// A loader's worker threads: order, how far ahead, errors, ends, and tensors that cross threads.
#include <tapegrad/tapegrad.h>

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <set>

#include "message.h"
#include "threads.h"

using namespace tapegrad;

namespace {

using Example = data::Example<>;
using Indices = std::vector<int64_t>;

void sleep_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// What get(i) does, and then [i] with i.
template <class F> struct Doing : data::Dataset<Doing<F>> {
  Doing(int64_t count, F what) : n(count), f(what) {}
  int64_t size() const { return n; }
  Example get(int64_t i) const {
    f(i);
    return {tensor({i}), tensor(i)};
  }
  int64_t n;
  F f;
};

template <class Loader> Indices targets(Loader& loader) {
  Indices out;
  for (auto& [x, y] : loader) {
    for (int64_t i = 0; i < y.size(0); ++i) out.push_back(y[i].template item<int64_t>());
  }
  return out;
}

Indices range(int64_t n) {
  Indices out;
  for (int64_t i = 0; i < n; ++i) out.push_back(i);
  return out;
}

struct OwnError : std::exception {
  explicit OwnError(int64_t at) : i(at) {}
  const char* what() const noexcept override { return "an error of one's own"; }
  int64_t i;
};

}  // namespace

TEST_CASE("batches come in order however long each takes", "[data]") {
  // The earlier, the slower.
  data::DataLoader loader(Doing(24, [](int64_t i) { sleep_ms(i % 6 == 0 ? 12 : 0); }), {.batch_size = 2, .workers = 4});
  CHECK(targets(loader) == range(24));
}

TEST_CASE("without enforce_ordering batches come as they are ready, each once", "[data]") {
  std::atomic<bool> rest_done = false;
  std::atomic<int> done = 0;
  const auto first_waits = [&](int64_t i) {
    if (i == 0) {
      while (!rest_done) sleep_ms(1);
    } else if (++done == 9) {
      rest_done = true;
    }
  };
  data::DataLoader loader(Doing(10, first_waits), {.workers = 2, .max_jobs = 3, .enforce_ordering = false});
  Indices got = targets(loader);
  REQUIRE(got.size() == 10);
  CHECK(got[0] != 0);
  CHECK(std::set<int64_t>(got.begin(), got.end()).size() == 10);
}

TEST_CASE("workers are never more than max_jobs batches ahead", "[data]") {
  for (const int64_t max_jobs : {1, 3}) {
    std::atomic<int64_t> started = 0;
    data::DataLoader loader(Doing(20, [&](int64_t) { ++started; }), {.workers = 2, .max_jobs = max_jobs});
    int64_t taken = 0;
    for (auto& batch : loader) {
      (void)batch;
      ++taken;
      sleep_ms(3);
      CHECK(started <= taken + max_jobs);
      if (taken == 5) {  // and they do get there
        for (int i = 0; i < 1000 && started < taken + max_jobs; ++i) sleep_ms(1);
        CHECK(started == taken + max_jobs);
      }
    }
    CHECK(started == 20);
  }
  // As many as there are, whatever the number that says so.
  for (const int64_t max_jobs : {int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
    std::atomic<int64_t> started = 0;
    data::DataLoader loader(Doing(20, [&](int64_t) { ++started; }), {.workers = 2, .max_jobs = max_jobs});
    const auto it = loader.begin();
    for (int i = 0; i < 1000 && started < 20; ++i) sleep_ms(1);
    CHECK(started == 20);
  }
  std::atomic<int64_t> started = 0;
  data::DataLoader loader(Doing(20, [&](int64_t) { ++started; }), {.workers = 2});  // by default two for each worker
  const auto it = loader.begin();
  for (int i = 0; i < 1000 && started < 5; ++i) sleep_ms(1);
  sleep_ms(5);
  CHECK(started == 5);
}

TEST_CASE("an error in a worker comes to the caller as it was thrown, in its turn", "[data]") {
  std::atomic<bool> on = true;
  const auto throws = [&](int64_t i) {
    if (!on) return;
    if (i == 9) throw OwnError(i);
    if (i == 15) throw IndexError("get: no such example, got 15");
    if (i == 17) throw 17;
  };
  for (const int64_t workers : {0, 1, 3}) {
    INFO(workers << " workers");
    on = true;
    const long before = count_threads();
    data::DataLoader loader(Doing(24, throws), {.batch_size = 2, .workers = workers});
    Indices got;
    try {
      for (auto& [x, y] : loader) got.push_back(y[0].item<int64_t>());
      FAIL("nothing was thrown");
    } catch (const OwnError& error) { CHECK(error.i == 9); }
    CHECK(got == Indices{0, 2, 4, 6});
    CHECK(settles_at(before));

    // A pass goes on behind an error, for those who want.
    auto it = loader.begin();
    const auto step = [&](int64_t times) {
      for (int64_t i = 0; i < times; ++i) ++it;
    };
    CHECK_THROWS_AS(step(4), OwnError);
    step(1);
    CHECK(it->target[0].item<int64_t>() == 10);
    CHECK(message_of<IndexError>([&] { step(2); }) == "get: no such example, got 15");
    CHECK_THROWS_AS(step(1), int);
    step(3);
    CHECK(it->target[0].item<int64_t>() == 22);
    step(1);
    CHECK(it == loader.end());
    CHECK(settles_at(before));

    on = false;
    CHECK(targets(loader) == range(24));
  }
}

TEST_CASE("an error in the first batch or in a sampler leaves the loader usable", "[data]") {
  struct Failing {
    int64_t at = 0, passes = 0;
    void reset() { at = 0, ++passes; }
    std::optional<Indices> next(int64_t count) {
      if (at == 2 * count && passes == 1) throw ValueError("sampler: no more, got 1");
      if (at == 4 * count) return {};
      Indices out;
      while (static_cast<int64_t>(out.size()) < count) out.push_back(at++);
      return out;
    }
  };
  const long before = count_threads();
  for (const int64_t workers : {0, 2}) {
    bool fail = true;
    data::DataLoader loader(Doing(8,
                                  [&fail](int64_t) {
                                    if (fail) throw OwnError(0);
                                  }),
                            {.batch_size = 2, .workers = workers});
    CHECK_THROWS_AS(loader.begin(), OwnError);
    CHECK(settles_at(before));
    fail = false;
    CHECK(targets(loader) == range(8));

    data::DataLoader sampled(Doing(8, [](int64_t) {}), Failing(), {.batch_size = 2, .workers = workers});
    Indices got;
    CHECK(message_of<ValueError>([&] {
            for (auto& batch : sampled) got.push_back(batch.target[1].item<int64_t>());
          }) == "sampler: no more, got 1");
    CHECK(got == Indices{1, 3});
    CHECK(targets(sampled) == range(8));
  }
}

TEST_CASE("no thread stays behind, whichever way a pass ends", "[data]") {
  const auto slow = [](int64_t) { sleep_ms(1); };
  const long before = count_threads();
  {
    data::DataLoader loader(Doing(200, slow), {.batch_size = 2, .workers = 3});
    CHECK(count_threads() == before);
    {
      auto it = loader.begin();
      CHECK(count_threads() == before + 3);
      ++it;
    }
    CHECK(settles_at(before));
    for (auto& batch : loader) {
      if (batch.target[0].item<int64_t>() == 10) break;
    }
    CHECK(settles_at(before));
    const auto leave = [&] {
      for (auto& batch : loader) return batch.data;
      return Tensor();
    };
    CHECK(leave().size(0) == 2);
    CHECK(settles_at(before));
    CHECK(targets(loader) == range(200));
    CHECK(settles_at(before));
  }
  // Nothing to do for some of them, or for all.
  data::DataLoader few(Doing(2, slow), {.workers = 4});
  CHECK(targets(few) == range(2));
  data::DataLoader none(Doing(0, slow), {.workers = 2});
  CHECK(targets(none).empty());
  CHECK(settles_at(before));
}

TEST_CASE("a pass that cannot have its threads says so and leaves none", "[data]") {
  pthread_attr_t before, huge;
  REQUIRE(pthread_getattr_default_np(&before) == 0);
  REQUIRE(pthread_attr_init(&huge) == 0);
  REQUIRE(pthread_attr_setstacksize(&huge, size_t{1} << 47) == 0);  // as large as all there is
  data::DataLoader loader(Doing(20, [](int64_t) {}), {.workers = 2});
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  const std::string message = message_of<Error>([&] { loader.begin(); });
  REQUIRE(pthread_setattr_default_np(&before) == 0);
  CHECK_THAT(message, Contains("DataLoader: every worker needs a thread, got 0 for 2 workers ("));
  CHECK(targets(loader) == range(20));
}

TEST_CASE("tensors made in workers are the caller's, and nothing is recorded for them", "[data]") {
  const Tensor w = randn({3}, requires_grad());
  std::atomic<int> recording = 0;  // assertions are the main thread's
  const auto set = data::TensorDataset(ones({32, 3}), arange(32)).map([w, &recording](const Example& e) {
    recording += GradMode::is_enabled();
    return Example(e.data * w, e.target);
  });
  for (const int64_t workers : {0, 2}) {
    data::DataLoader loader(set, {.batch_size = 8, .workers = workers});
    const int64_t nodes = autograd::live_nodes();
    Tensor sum = zeros({});
    for (auto& [x, y] : loader) {
      CHECK(GradMode::is_enabled());
      CHECK_FALSE(x.requires_grad());
      CHECK(x.is_leaf());
      x.mul_(2);
      (x * w).sum().backward();
      sum += x.sum();
    }
    CHECK(recording == 0);
    CHECK(autograd::live_nodes() == nodes);
    CHECK(allclose(w.grad(), 64 * w.detach()));
    CHECK(allclose(sum, 64 * w.detach().sum()));
    w.mutable_grad() = Tensor();
  }
}

TEST_CASE("kernels in workers use one thread", "[data]") {
  std::atomic<int> most = 0;
  const int caller = get_num_threads();
  data::DataLoader loader(Doing(8, [&](int64_t) { most = std::max(most.load(), get_num_threads()); }), {.workers = 2});
  targets(loader);
  CHECK(most == 1);
  CHECK(get_num_threads() == caller);
  {
    const SingleThreadGuard alone;
    CHECK(get_num_threads() == 1);
  }
  CHECK(get_num_threads() == caller);
}

TEST_CASE("a data set whose get is not const is copied for each worker", "[data]") {
  struct Stateful {
    std::vector<float> buffer = std::vector<float>(4);
    int64_t size() const { return 40; }
    Example get(int64_t i) {  // a race, were it shared
      for (float& x : buffer) x = static_cast<float>(i);
      return {from_blob(buffer.data(), {4}).clone(), tensor(i)};
    }
  };
  data::DataLoader loader(Stateful(), {.batch_size = 4, .workers = 3});
  int64_t next = 0;
  for (auto& [x, y] : loader) {
    for (int64_t i = 0; i < 4; ++i, ++next) CHECK(equal(x[i], full({4}, next, kFloat32)));
  }
  CHECK(next == 40);

  // What can be copied but not assigned, as a function with captures.
  const int64_t added = 100;
  data::DataLoader mapped(
      data::map(Stateful(), [added](const Example& e) { return Example(e.data, e.target + added); }),
      {.batch_size = 4, .workers = 2});
  CHECK((*mapped.begin()).target[1].item<int64_t>() == 101);

  struct Unique : Stateful {
    std::unique_ptr<int> only = std::make_unique<int>(1);
  };
  data::DataLoader alone(Unique(), {.batch_size = 4});
  CHECK(targets(alone) == range(40));
  data::DataLoader many(Unique(), {.batch_size = 4, .workers = 2});
  CHECK_THAT(message_of<ValueError>([&] { many.begin(); }), Contains("get() is const"));
}

TEST_CASE("memory does not grow with the number of batches", "[data]") {
  data::DataLoader loader(Doing(4000, [](int64_t) {}), {.batch_size = 2, .workers = 2});
  targets(loader);
  const int64_t reserved = allocator_stats().reserved_bytes, allocated = allocator_stats().allocated_bytes;
  for (int i = 0; i < 3; ++i) targets(loader);
  CHECK(allocator_stats().reserved_bytes - reserved <=
        512 << 10);  // 6000 batches: 6 MB, were their blocks not used again
  CHECK(allocator_stats().allocated_bytes == allocated);
}

TEST_CASE("a default generator of a thread's own lasts as long as its guard", "[data]") {
  manual_seed(1);
  const Tensor expected = rand({4});
  Generator own(7);
  const Tensor other = rand({4}, own);
  manual_seed(1);
  {
    const DefaultGeneratorGuard guard(Generator(7));
    CHECK(equal(rand({4}), other));
    const DefaultGeneratorGuard inner(Generator(7));
    CHECK(equal(rand({4}), other));
  }
  CHECK(equal(rand({4}), expected));
}

// Random numbers: Philox against its authors' vectors, fills against Philox, statistics, threads, layouts, errors.
#include "tapegrad/core/random.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "catch.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/philox.h"

using namespace tapegrad;

namespace {

template <class T> std::vector<T> values(const Tensor& x) {
  const Tensor flat = contiguous_of(x);
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

std::vector<uint32_t> words_of(const PhiloxBlock& b) { return {b.word[0], b.word[1], b.word[2], b.word[3]}; }

template <class Fill> auto message_of(const Fill& fill) {
  try {
    fill();
  } catch (const Error& e) { return std::string(e.what()); }
  return std::string("no error");
}

// Mean and variance within five standard errors, and chi-square over 64 bins within five of its own: a correct generator
// with a fixed seed passes for good, and each bound is tight enough for a fault of one percent.
void check_statistics(const std::vector<double>& unit) {
  const double n = static_cast<double>(unit.size());
  double mean = 0, square = 0;
  std::vector<double> bins(64);
  REQUIRE(*std::min_element(unit.begin(), unit.end()) >= 0);
  REQUIRE(*std::max_element(unit.begin(), unit.end()) <= 1);
  for (const double u : unit) {
    mean += u / n;
    square += (u - 0.5) * (u - 0.5) / n;
    ++bins[std::min<size_t>(static_cast<size_t>(u * 64), 63)];
  }
  CHECK(std::abs(mean - 0.5) < 5 * std::sqrt(1 / 12. / n));
  CHECK(std::abs(square - 1 / 12.) < 5 * std::sqrt(1 / 180. / n));
  double chi = 0;
  for (const double count : bins) chi += (count - n / 64) * (count - n / 64) / (n / 64);
  CHECK(std::abs(chi - 63) < 5 * std::sqrt(2 * 63.));
  double lag = 0;
  for (size_t i = 0; i + 1 < unit.size(); ++i) lag += (unit[i] - 0.5) * (unit[i + 1] - 0.5);
  CHECK(std::abs(lag * 12 / std::sqrt(n)) < 5);
}

constexpr int64_t kMany = 200'003;  // not a multiple of anything

}  // namespace

TEST_CASE("philox gives its authors' known answers", "[random]") {
  CHECK(words_of(philox({{0, 0, 0, 0}}, 0)) == std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const uint32_t f = 0xffffffff;
  CHECK(words_of(philox({{f, f, f, f}}, ~uint64_t{0})) ==
        std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words_of(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822)) ==
        std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("many blocks at a time are the blocks one at a time", "[random]") {
  const uint64_t seed = 0x123456789abcdef0, draw = 0xfedcba9876543210, first = 0xfffffffd;  // crosses 32 bits
  std::vector<uint32_t> fast(4 * 24), portable(4 * 24), single;
  philox_words(seed, draw, first, 24, fast.data());
  philox_words_portable(seed, draw, first, 24, portable.data());
  for (uint64_t b = 0; b < 24; ++b) {
    for (const uint32_t w : words_of(philox(seed, draw, first + b))) single.push_back(w);
  }
  CHECK(fast == single);
  CHECK(portable == single);
}

TEST_CASE("element i of a uniform fill is word i of the stream", "[random]") {
  Generator generator(77);
  generator.set_draw(5);
  const Tensor x = new_tensor({1001}, kFloat32), y = new_tensor({1001}, kFloat64);
  fill_uniform(x, 0, 1, generator);
  fill_uniform(y, 0, 1, generator);
  CHECK(generator.draw() == 7);
  for (int64_t i = 0; i < 1001; ++i) {
    const auto block = static_cast<uint64_t>(i);
    const uint32_t word = philox(77, 5, block / 4).word[i % 4];
    REQUIRE(x.data_ptr<float>()[i] == static_cast<float>(word >> 8) * 0x1p-24f);
    const PhiloxBlock pair = philox(77, 6, block / 2);
    const uint64_t bits = (uint64_t{pair.word[i % 2 * 2] >> 5} << 26) + (pair.word[i % 2 * 2 + 1] >> 6);
    REQUIRE(y.data_ptr<double>()[i] == static_cast<double>(bits) * 0x1p-53);
  }
}

TEST_CASE("a normal fill is Box-Muller of the stream", "[random]") {
  Generator generator(3);
  const Tensor x = new_tensor({777}, kFloat32), y = new_tensor({777}, kFloat64);
  fill_normal(x, 1, 2, generator);
  fill_normal(y, 1, 2, generator);
  const double turn = 2 * std::acos(-1.0);
  for (int64_t i = 0; i < 777; ++i) {
    const auto pair = static_cast<uint64_t>(i / 2);
    const PhiloxBlock half = philox(3, 0, pair / 2), whole = philox(3, 1, pair);
    const double u = ((half.word[pair % 2 * 2] >> 1) + 0.5) * 0x1p-31, a = half.word[pair % 2 * 2 + 1] * 0x1p-32 * turn;
    const double r = 2 * std::sqrt(-2 * std::log(u));
    REQUIRE(x.data_ptr<float>()[i] == Approx(1 + r * (i % 2 ? std::sin(a) : std::cos(a))).epsilon(1e-6).margin(2e-6));
    const double v =
        static_cast<double>((uint64_t{whole.word[0] >> 5} << 26) + (whole.word[1] >> 6)) * 0x1p-53 + 0x1p-54;
    const double b = (whole.word[2] + (whole.word[3] >> 1) * 0x1p-31) * 0x1p-32 * turn;
    const double s = 2 * std::sqrt(-2 * std::log(v));
    REQUIRE(y.data_ptr<double>()[i] ==
            Approx(1 + s * (i % 2 ? std::sin(b) : std::cos(b))).epsilon(1e-14).margin(1e-14));
  }
}

TEST_CASE("uniform fills are uniform", "[random]") {
  Generator generator(1);
  const Tensor x = new_tensor({kMany}, kFloat32), y = new_tensor({kMany}, kFloat64);
  fill_uniform(x, -3, 5, generator);
  fill_uniform(y, -3, 5, generator);
  std::vector<double> unit;
  for (const float v : values<float>(x)) unit.push_back((v + 3.0) / 8);
  check_statistics(unit);
  unit.clear();
  for (const double v : values<double>(y)) unit.push_back((v + 3) / 8);
  check_statistics(unit);
}

TEST_CASE("normal fills are normal", "[random]") {
  Generator generator(1);
  const Tensor x = new_tensor({kMany}, kFloat32), y = new_tensor({kMany}, kFloat64);
  fill_normal(x, 10, 0.5, generator);
  fill_normal(y, 10, 0.5, generator);
  const auto distribution = [](double v) { return 0.5 * std::erfc(-(v - 10) / 0.5 / std::sqrt(2.0)); };
  std::vector<double> unit;
  for (const float v : values<float>(x)) unit.push_back(distribution(v));
  check_statistics(unit);
  unit.clear();
  for (const double v : values<double>(y)) unit.push_back(distribution(v));
  check_statistics(unit);
}

TEST_CASE("integer fills are uniform over any range", "[random]") {
  Generator generator(1);
  const Tensor x = new_tensor({kMany}, kInt64);
  // The second refuses a quarter of the words, the last nearly half of the pairs.
  const int64_t ranges[][2] = {{-5, 5'000'000},
                               {0, 3'221'225'473},
                               {-1, 4'294'967'295},
                               {-6'000'000'000'000'000'000, 3'300'000'000'000'000'000}};
  for (const auto& [low, high] : ranges) {
    fill_integers(x, low, high, generator);
    std::vector<double> unit;
    const auto drawn = values<int64_t>(x);
    REQUIRE(*std::max_element(drawn.begin(), drawn.end()) < high);
    for (const int64_t v : drawn) {
      unit.push_back((static_cast<double>(v) - static_cast<double>(low)) /
                     (static_cast<double>(high) - static_cast<double>(low)));
    }
    check_statistics(unit);
  }
}

TEST_CASE("integer fills reach every value of every dtype", "[random]") {
  for (const DType dtype : {kUInt8, kInt32, kInt64, kFloat32, kFloat64}) {
    const Tensor x = new_tensor({500}, dtype);
    fill_integers(x, 3, 8);
    const auto drawn = values<int64_t>(converted(x, kInt64));
    CHECK(std::set<int64_t>(drawn.begin(), drawn.end()) == std::set<int64_t>{3, 4, 5, 6, 7});
  }
  const Tensor x = new_tensor({4}, kInt64);
  fill_integers(x, INT64_MIN, INT64_MIN + 1);
  CHECK(values<int64_t>(x) == std::vector<int64_t>(4, INT64_MIN));
  const Tensor b = new_tensor({100}, kUInt8);
  fill_integers(b, 0, 256);
  CHECK(values<uint8_t>(b) != std::vector<uint8_t>(100, 0));
}

TEST_CASE("permutations hold every number once and favour no order", "[random]") {
  const Tensor x = new_tensor({10'007}, kInt64);
  fill_permutation(x);
  auto order = values<int64_t>(x);
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 10'007; ++i) REQUIRE(order[static_cast<size_t>(i)] == i);

  Generator generator(9);
  const Tensor y = new_tensor({4}, kInt64);
  std::vector<double> counts(256);
  for (int i = 0; i < 24'000; ++i) {
    fill_permutation(y, generator);
    const auto v = values<int64_t>(y);
    ++counts[static_cast<size_t>(v[0] + 4 * v[1] + 16 * v[2] + 64 * v[3])];
  }
  double chi = 0;
  for (const double count : counts) chi += count > 0 ? (count - 1000) * (count - 1000) / 1000 : 0;
  CHECK(std::count(counts.begin(), counts.end(), 0.0) == 256 - 24);
  CHECK(std::abs(chi - 23) < 5 * std::sqrt(46.0));
}

TEST_CASE("random numbers do not depend on the number of threads", "[random]") {
  const int threads = get_num_threads();
  const auto draw = [](int count) {
    set_num_threads(count);
    Generator generator(11);
    const Tensor a = new_tensor({kMany}, kFloat32), b = new_tensor({kMany}, kFloat64), c = new_tensor({kMany}, kInt64);
    fill_normal(a, 0, 1, generator);
    fill_uniform(b, 0, 1, generator);
    fill_integers(c, 0, 3'000'000'000, generator);
    return std::tuple(values<float>(a), values<double>(b), values<int64_t>(c));
  };
  const auto one = draw(1);
  for (const int count : {2, 3, 5}) CHECK(draw(count) == one);
  set_num_threads(threads);
}

TEST_CASE("fills follow the logical order of any layout and touch nothing else", "[random]") {
  Generator generator(4);
  const Tensor plain = new_tensor({30, 17}, kFloat32);
  fill_normal(plain, 0, 1, generator);
  const Tensor wide = filled_tensor({17, 70}, kFloat32, -100.0);
  const Tensor strided = alias(wide, {30, 17}, {2, 70}, 5);  // transposed, every second column
  generator.set_draw(0);
  fill_normal(strided, 0, 1, generator);
  CHECK(values<float>(strided) == values<float>(plain));
  const auto all = values<float>(wide);
  CHECK(std::count(all.begin(), all.end(), -100.0f) == 17 * 70 - 30 * 17);

  const Tensor table = filled_tensor({9, 2}, kInt64, -1), order = new_tensor({9}, kInt64);
  generator.set_draw(0);
  fill_permutation(order, generator);
  generator.set_draw(0);
  fill_permutation(alias(table, {9}, {2}, 1), generator);
  CHECK(values<int64_t>(alias(table, {9}, {2}, 1)) == values<int64_t>(order));
  CHECK(values<int64_t>(alias(table, {9}, {2}, 0)) == std::vector<int64_t>(9, -1));
}

TEST_CASE("generators: seeds, draws, handles", "[random]") {
  const Tensor x = new_tensor({50}, kFloat32), y = new_tensor({50}, kFloat32);
  manual_seed(123);
  fill_uniform(x, 0, 1);
  fill_uniform(y, 0, 1);
  CHECK(values<float>(x) != values<float>(y));
  manual_seed(123);
  fill_uniform(y, 0, 1);
  CHECK(values<float>(x) == values<float>(y));
  manual_seed(uint64_t{123} << 32);
  fill_uniform(y, 0, 1);
  CHECK(values<float>(x) != values<float>(y));

  Generator a(8), b = a;
  CHECK(b.next_draw() == 0);
  CHECK(a.draw() == 1);
  a.manual_seed(9);
  CHECK(b.seed() == 9);
  CHECK(b.draw() == 0);
  fill_uniform(new_tensor({0}, kFloat32), 0, 1,
               a);  // an empty tensor draws, too: what follows does not depend on sizes
  CHECK(a.draw() == 1);
}

TEST_CASE("threads that share a generator never share a draw", "[random]") {
  Generator generator;
  std::vector<uint64_t> draws[4];
  std::vector<std::thread> threads;
  for (auto& mine : draws)
    threads.emplace_back([&generator, &mine] {
      for (int i = 0; i < 5000; ++i) mine.push_back(generator.next_draw());
    });
  for (auto& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : draws) all.insert(mine.begin(), mine.end());
  CHECK(all.size() == 20'000);
  CHECK(generator.draw() == 20'000);
}

TEST_CASE("a kept fill draws anew when it runs again, as a second call would", "[random]") {
  const Tensor x = new_tensor({64}, kFloat32), eager = new_tensor({64}, kFloat32);
  std::optional<Generator> generator(21);
  LaunchList list;
  fill_normal(x, 0, 1, *generator);
  list.stop();
  generator.reset();  // the launch keeps the generator's state alive
  REQUIRE(list.launches().size() == 1);
  CHECK(list.launches()[0].kind == LaunchKind::random);
  const auto first = values<float>(x);
  list.run();
  Generator same(21);
  fill_normal(eager, 0, 1, same);
  CHECK(values<float>(eager) == first);
  fill_normal(eager, 0, 1, same);
  CHECK(values<float>(eager) == values<float>(x));
}

TEST_CASE("uniform never reaches its upper end", "[random]") {
  const Tensor x = new_tensor({100'000}, kFloat32);
  fill_uniform(x, 16'777'215, 16'777'216);  // half of all sums round up to the end
  CHECK(values<float>(x) == std::vector<float>(100'000, 16'777'215.0f));
  fill_uniform(x, 2, 2);
  CHECK(values<float>(x) == std::vector<float>(100'000, 2.0f));
}

TEST_CASE("bad arguments of random fills", "[random]") {
  const Tensor f = filled_tensor({3}, kFloat32, 7), i = filled_tensor({3}, kInt64, 7),
               u = filled_tensor({3}, kUInt8, 7);
  const uint64_t draw = default_generator().draw();
  CHECK(message_of([&] { fill_uniform(i, 0, 1); }) == "uniform_: a floating dtype is needed, got int64");
  CHECK(message_of([&] { fill_normal(u, 0, 1); }) == "normal_: a floating dtype is needed, got uint8");
  CHECK_THROWS_AS(fill_uniform(i, 0, 1), DTypeError);
  CHECK_THROWS_AS(fill_uniform(f, 1, 0), ValueError);
  CHECK_THROWS_AS(fill_uniform(f, 0, NAN), ValueError);
  CHECK_THROWS_AS(fill_uniform(f, -3e38, 3e38), ValueError);
  CHECK_THROWS_AS(fill_normal(f, 0, -1), ValueError);
  CHECK_THROWS_AS(fill_normal(f, 0, NAN), ValueError);
  CHECK(message_of([&] { fill_integers(i, 3, 3); }) == "randint: low must be below high, got [3, 3)");
  CHECK(message_of([&] { fill_integers(u, 0, 257); }) == "randint: uint8 must hold every value exactly, got [0, 257)");
  CHECK_THROWS_AS(fill_integers(u, -1, 5), ValueError);
  CHECK_THROWS_AS(fill_integers(f, 0, 16'777'218), ValueError);
  CHECK_THROWS_AS(fill_permutation(f), DTypeError);
  CHECK_THROWS_AS(fill_permutation(new_tensor({2, 2}, kInt64)), ShapeError);
  CHECK_THROWS_AS(fill_uniform(alias(f, {3, 4}, {1, 0}, 0), 0, 1), ShapeError);
  CHECK_THROWS_AS(fill_uniform(Tensor(), 0, 1), ValueError);
  CHECK(values<float>(f) == std::vector<float>(3, 7));
  CHECK(values<int64_t>(i) == std::vector<int64_t>(3, 7));
  CHECK(default_generator().draw() == draw);
}

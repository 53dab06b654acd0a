// The statistics behind scripts/bench --compare: U and p against counting by hand, the verdicts, the file format.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "catch.h"
#include "folder.h"
#include "message.h"
#include "report/compare.h"
#include "report/statistics.h"

using namespace bench;
using Samples = std::vector<double>;

namespace {

double pairs_above(const Samples& a, const Samples& b) {
  double u = 0;
  for (const double x : a) {
    for (const double y : b) u += x > y ? 1 : x == y ? 0.5 : 0;
  }
  return u;
}

// p by its definition: every way to deal all samples into two hands as large.
double p_by_dealing(const Samples& a, const Samples& b) {
  Samples all = a;
  all.insert(all.end(), b.begin(), b.end());
  const double middle = static_cast<double>(a.size() * b.size()) / 2, far = std::abs(pairs_above(a, b) - middle);
  std::vector<char> dealt(all.size());
  std::fill_n(dealt.end() - static_cast<std::ptrdiff_t>(a.size()), a.size(), 1);
  double as_far = 0, ways = 0;
  do {
    Samples left, right;
    for (size_t i = 0; i < all.size(); ++i) (dealt[i] ? left : right).push_back(all[i]);
    as_far += std::abs(pairs_above(left, right) - middle) >= far;
    ++ways;
  } while (std::next_permutation(dealt.begin(), dealt.end()));
  return as_far / ways;
}

Samples times(double factor, Samples samples) {
  for (double& x : samples) x *= factor;
  return samples;
}

const Samples nine = {100, 100.2, 100.4, 100.1, 99.8, 99.9, 100.3, 99.7, 100.05};

Results of(const std::string& name, const std::string& column, Samples samples) {
  return {{}, {Row{name, column, "ns", 1, std::move(samples)}}};
}

}  // namespace

TEST_CASE("bench: median") {
  CHECK(median({}) == 0);
  CHECK(median({3}) == 3);
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
}

TEST_CASE("bench: Mann-Whitney U of samples worked out elsewhere") {
  const MannWhitney apart = mann_whitney({1, 2, 3}, {4, 5, 6});
  CHECK(apart.u == 0);
  CHECK(apart.p == Approx(2.0 / 20).epsilon(1e-12));
  CHECK(apart.least_p == Approx(2.0 / 20).epsilon(1e-12));
  CHECK(mann_whitney({4, 5, 6}, {1, 2, 3}).u == 9);
  // Hollander and Wolfe, "Nonparametric statistical methods" (1973), page 69: W = 35, p = 0.2544 on two sides.
  const MannWhitney book =
      mann_whitney({0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}, {1.15, 0.88, 0.90, 0.74, 1.21});
  CHECK(book.u == 35);
  CHECK(book.p == Approx(764.0 / 3003).epsilon(1e-12));
  // Nine against nine, which is what a run has: the most extreme of C(18, 9) = 48620.
  CHECK(mann_whitney(nine, times(2, nine)).p == Approx(2.0 / 48620).epsilon(1e-12));
}

TEST_CASE("bench: Mann-Whitney p is the share of all deals, ties or not") {
  std::mt19937 generator(7);
  for (int round = 0; round < 60; ++round) {
    const size_t n = 1 + generator() % 6, m = 1 + generator() % 6;
    const unsigned values = round % 2 ? 4 : 1000;  // many ties, few ties
    Samples a(n), b(m);
    for (double& x : a) x = generator() % values;
    for (double& x : b) x = generator() % values + (round % 3);
    const MannWhitney test = mann_whitney(a, b);
    CHECK(test.u == pairs_above(a, b));
    CHECK(test.p == Approx(p_by_dealing(a, b)).epsilon(1e-12));
    CHECK(mann_whitney(b, a).p == Approx(test.p).epsilon(1e-12));
  }
}

TEST_CASE("bench: Mann-Whitney of many samples is normal, with corrections for ties and continuity") {
  Samples a, b;
  for (int i = 0; i < 30; ++i) {
    a.push_back(i * 7 % 23);
    b.push_back(i * 5 % 19 + 3);
  }
  const MannWhitney test = mann_whitney(a, b);
  CHECK(test.u == 432.5);
  CHECK(test.p == Approx(0.8013386341535669).epsilon(1e-9));
  CHECK(mann_whitney(Samples(30, 1.0), Samples(30, 1.0)).p == 1);
  // Close to the exact one where the methods meet.
  Samples c(25), d(25);
  std::iota(c.begin(), c.end(), 0.0);
  std::iota(d.begin(), d.end(), 5.5);
  const double exact = mann_whitney(c, d).p;
  d.push_back(18.5);  // the middle of d
  CHECK(mann_whitney(c, d).p == Approx(exact).epsilon(0.1));
}

TEST_CASE("bench: a change needs both the effect and the evidence") {
  const CompareOptions options;
  CHECK(change_of(nine, times(1.5, nine), options) == Change::slower);
  CHECK(change_of(times(1.5, nine), nine, options) == Change::faster);
  CHECK(change_of(nine, nine, options) == Change::same);
  // Every sample of the one above every sample of the other, but by less than 3 percent.
  CHECK(change_of(nine, times(1.029, nine), options) == Change::same);
  CHECK(mann_whitney(nine, times(1.029, nine)).p < options.alpha);
  CHECK(change_of(nine, times(1.031, nine), options) == Change::slower);
  CHECK(change_of(times(1.029, nine), nine, options) == Change::same);
  CHECK(change_of(times(1.031, nine), nine, options) == Change::faster);
  CHECK(change_of(nine, times(1.031, nine), {.effect = 0.05}) == Change::same);
  // Medians 10 percent apart, but samples all over the place.
  const Samples wild = {50, 60, 70, 80, 100, 130, 150, 170, 190}, wilder = {45, 65, 75, 85, 110, 125, 145, 175, 185};
  CHECK(change_of(wild, wilder, options) == Change::same);
  // Three against three could never be under alpha.
  CHECK(change_of({1, 1.1, 1.2}, {2, 2.1, 2.2}, options) == Change::undecided);
  CHECK(change_of({1, 1.1, 1.2}, {1.1, 1.1, 1.1}, options) == Change::same);
  CHECK(change_of({0, 0}, {0, 0}, options) == Change::same);
}

TEST_CASE("bench: two runs compared") {
  const Results old = of("tape/multiply", "tapegrad", nine);
  CHECK(compare(old, old).exit_status() == 0);
  CHECK(compare(old, of("tape/multiply", "tapegrad", times(1.2, nine))).exit_status() == 1);
  CHECK(compare(old, of("tape/multiply", "tapegrad", times(0.8, nine))).exit_status() == 0);
  CHECK(compare(old, of("tape/other", "tapegrad", nine)).exit_status() == 2);
  const Comparison other = compare(old, of("tape/other", "tapegrad", nine));
  CHECK(other.gone == std::vector<std::string>{"tape/multiply, tapegrad"});
  CHECK(other.added == std::vector<std::string>{"tape/other, tapegrad"});

  // A replay is ours, a slower peer is the machine's.
  CHECK(compare(of("a/b", "replay", nine), of("a/b", "replay", times(1.2, nine))).exit_status() == 1);
  const Comparison peer = compare(of("a/b", "libtorch", nine), of("a/b", "libtorch", times(1.2, nine)));
  CHECK(peer.exit_status() == 0);
  CHECK(peer.count(Change::slower, false) == 1);
  CHECK_THAT(peer.text(), Contains("SLOWER    a/b"));
  CHECK_THAT(peer.text(), Contains("+20.0 %"));

  Results unit = old;
  unit.rows[0].unit = "MB";
  CHECK(message_of<std::runtime_error>([&] { compare(old, unit); }) ==
        "compare: units differ, tape/multiply was in ns and is in MB");
}

TEST_CASE("bench: results come back from their file") {
  const Folder folder;
  const std::string file = folder.path() + "/new/results.json";
  Results written;
  written.about = {{"cpu", "a \"fast\" one, C:\\"}, {"load", "0.1"}};
  written.put({"peers/a", "tapegrad", "ns", 1000, {1.5, 2e-3, 123456.789}, {{"bytes", 1e8}, {"flops", 3}}});
  written.put({"peers/a", "replay", "ns", 1, {7}});
  write_results(file, written);
  const Results read = read_results(file);
  CHECK(read.about == written.about);
  REQUIRE(read.rows.size() == 2);
  CHECK(read.rows[0].samples == written.rows[0].samples);
  CHECK(read.rows[0].counters == written.rows[0].counters);
  CHECK(read.rows[0].per == 1000);
  CHECK(read.rows[1].column == "replay");

  // A row of the same name and column is replaced, the others stay.
  add_to_results(file,
                 {{{"load", "2.0"}}, {{"peers/a", "replay", "ns", 1, {8}}, {"tape/b", "tapegrad", "ns", 1, {9}}}});
  const Results more = read_results(file);
  REQUIRE(more.rows.size() == 3);
  REQUIRE(more.find("peers/a", "replay"));
  CHECK(more.find("peers/a", "replay")->samples == Samples{8});
  CHECK(more.find("tape/b", "replay") == nullptr);
  CHECK(more.about.at("load") == "2.0");
  CHECK(more.about.at("cpu") == written.about.at("cpu"));
}

TEST_CASE("bench: nothing but the format is read") {
  const Folder folder;
  const std::string row = R"({"name": "a", "column": "b", "unit": "ns", "per": 1, "samples": [1]})";
  const auto complaint = [&](const std::string& text) {
    const std::string file = folder.write("results.json", text);
    const std::string message = message_of<std::runtime_error>([&] { read_results(file); });
    return message.rfind(file + ", byte ", 0) == 0 ? message.substr(file.size() + 7) : message;
  };
  CHECK(complaint(R"({"about": {}, "rows": [)" + row + "]}") == "nothing of this type was thrown");
  CHECK(complaint("") == "0: '{' is expected");
  CHECK(complaint(R"({"rows": [)" + row + "]") == "79: '}' is expected");
  CHECK(complaint(R"({"rows": []} x)") == "13: text behind the end");
  CHECK(complaint(R"({"lines": []})") == "9: unknown key lines");
  CHECK(complaint(R"({"rows": [{"name": "a", "colour": "b"}]})") == "33: unknown key colour");
  CHECK(complaint(R"({"rows": [{"name": "a", "column": "b", "samples": []}]})") ==
        "53: a row lacks name, column or samples");
  CHECK(complaint(R"({"rows": [{"name": "a", "column": "b", "samples": [nan]}]})") == "51: a number is expected");
  CHECK(complaint(R"({"about": {"a": "\n"}})") == "18: unknown escape");
  Results infinite = of("a", "b", {HUGE_VAL});
  CHECK(message_of<std::runtime_error>([&] { write_results(folder.path() + "/infinite.json", infinite); }) ==
        "results: a figure is not finite");
}

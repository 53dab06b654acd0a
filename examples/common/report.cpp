// Compares and prints figures.
#include "common/report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string_view>
#include <vector>

using tapegrad::Tensor;

namespace examples {
namespace {

std::string number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

int decimals_of(const std::string& stated) {
  const size_t point = stated.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(stated.size() - point - 1);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

double element(const Tensor& x, int64_t i) { return x.reshape({-1})[i].item<double>(); }

std::string listed(const std::vector<double>& values, int decimals) {
  std::string text;
  for (double value : values) text += (text.empty() ? "" : " ") + number(value, decimals);
  return text;
}

// Whether each value and the one behind it are in this order, which NaN never is.
template <class Order> bool every_step(const std::vector<double>& values, Order order) {
  return std::adjacent_find(values.begin(), values.end(), std::not_fn(order)) == values.end();
}

// tolerance(decimals) is how far a number stated with that many decimals may be off
template <class Tolerance>
void compare(Report& report, const std::string& name, const std::string& stated, const Tensor& got,
             Tolerance tolerance) {
  const std::vector<std::string> expected = words(stated);
  bool ok = static_cast<int64_t>(expected.size()) == got.numel();
  std::string shown;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const std::string& word = expected[std::min(static_cast<size_t>(i), expected.size() - 1)];
    const int decimals = decimals_of(word);
    const double value = element(got, i);
    if (i) shown += " ";
    shown += number(value, decimals);
    ok = ok && std::fabs(value - std::stod(word)) <= tolerance(decimals);
  }
  report.holds(name, stated, shown, ok);
}

}  // namespace

void Report::equals(const std::string& name, const std::string& stated, const Tensor& got) {
  // half a unit of the last decimal, and the rounding of the stated number itself
  compare(*this, name, stated, got, [](int decimals) { return 0.5 * std::pow(10, -decimals) + 1e-15; });
}

void Report::equals(const std::string& name, const std::string& stated, const Tensor& got, double tolerance) {
  compare(*this, name, stated, got, [tolerance](int) { return tolerance; });
}

void Report::at_least(const std::string& name, double stated, double got) {
  std::ostringstream bound;
  bound << ">= " << stated;
  holds(name, bound.str(), number(got, 4), got >= stated);
}

void Report::at_most(const std::string& name, double stated, double got) {
  std::ostringstream bound, value;
  bound << "<= " << stated;
  value.precision(2);
  value << got;
  holds(name, bound.str(), value.str(), got <= stated);
}

void Report::rises(const std::string& name, const std::vector<double>& values, int decimals) {
  holds(name, "rises", listed(values, decimals), every_step(values, std::less<>()));
}

void Report::falls(const std::string& name, const std::vector<double>& values, int decimals) {
  holds(name, "falls", listed(values, decimals), every_step(values, std::greater<>()));
}

void Report::holds(const std::string& name, const std::string& stated, const std::string& got, bool ok) {
  missed_ += !ok;
  std::printf("figure\t%s\t%s\t%s\t%s\n", name.c_str(), stated.c_str(), got.c_str(), ok ? "ok" : "MISSED");
  std::fflush(stdout);
}

void Report::accuracy(bool mnist, double stated, double stated_for_drawn, double got) {
  if (mnist) return at_least("test accuracy on MNIST", stated, got);
  std::ostringstream shown;
  shown << number(got, 4) << " on drawn digits, held to " << stated_for_drawn;
  holds("test accuracy", "not measured: no MNIST", shown.str(), got >= stated_for_drawn);
}

std::string printed(const char* format, ...) {
  char text[256];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

bool quick(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--quick") return true;
  const char* asked = std::getenv("TAPEGRAD_QUICK");
  return asked && *asked && std::string_view(asked) != "0";
}

std::string pictures_folder() {
  const char* named = std::getenv("TAPEGRAD_OUT");
  return std::string(named && *named ? named : "out") + "/tutorials";
}

}  // namespace examples

// Printing: one width and notation for all values shown, then rows, brackets and line breaks.
#include "tapegrad/core/print.h"
#include "tapegrad/core/forks.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <mutex>
#include <ostream>

namespace tapegrad {
namespace {

std::mutex options_mutex;
PrintOptions current_options;
const bool at_load = tapegrad::detail::survives_forks<[]() -> std::mutex& { return options_mutex; }>();

// Room for any double below 1e8 in fixed notation, or any in scientific, with 100 digits behind the point.
std::string number(double value, std::chars_format format, int precision) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[512];
  return {text, std::to_chars(text, text + sizeof text, value, format, precision).ptr};
}

class Printer {
 public:
  Printer(const Tensor& x, const PrintOptions& options)
      : x_(x), options_(options), summary_(x.numel() > options.threshold), floating_(x.is_floating_point()) {
    floating_ ? choose_notation() : measure();
  }
  std::string text(int64_t indent) const { return block(0, x_.impl()->data, indent); }

 private:
  Scalar read(const char* p) const {
    return dispatch(x_.dtype(), [&]<class T>() { return Scalar(*reinterpret_cast<const T*>(p)); });
  }
  // The first index that a summary leaves out of dim d, and how many.
  int64_t gap_at() const { return options_.edgeitems; }
  int64_t gap(int64_t d) const { return summary_ ? std::max<int64_t>(x_.sizes()[d] - 2 * options_.edgeitems, 0) : 0; }
  const char* item(int64_t d, const char* p, int64_t i) const { return p + i * x_.strides()[d] * x_.element_size(); }

  // visit(Scalar) for every element that is shown.
  template <class Visit> void each(const Visit& visit) const { each(0, x_.impl()->data, visit); }
  template <class Visit> void each(int64_t d, const char* p, const Visit& visit) const {
    if (d == x_.dim()) return visit(read(p));
    for (int64_t i = 0; i < x_.sizes()[d]; ++i) {
      if (i == gap_at()) i += gap(d);
      if (i < x_.sizes()[d]) each(d + 1, item(d, p, i), visit);
    }
  }

  // As PyTorch: zeros, NaN and infinities have no say in notation or width.
  void choose_notation() {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    each([&](const Scalar& s) {
      const double v = std::abs(s.to<double>());
      if (v == 0 || !std::isfinite(v)) return;
      low = std::min(low, v), high = std::max(high, v);
      whole_ = whole_ && v == std::ceil(v);
    });
    if (high == 0) return;
    scientific_ = high / low > 1000 || high > 1e8 || (!whole_ && low < 1e-4);
    measure();
  }
  void measure() {
    each([&](const Scalar& s) {
      const double v = s.to<double>();
      if (floating_ && (v == 0 || !std::isfinite(v))) return;
      width_ = std::max(width_, static_cast<int64_t>(bare(s).size()));
    });
  }

  std::string bare(const Scalar& s) const {
    if (s.dtype() == kBool) return s.to<bool>() ? "True" : "False";
    if (!floating_) return std::to_string(s.to<int64_t>());
    const double v = s.to<double>();
    if (scientific_) return number(v, std::chars_format::scientific, options_.precision);
    if (!whole_) return number(v, std::chars_format::fixed, options_.precision);
    return number(v, std::chars_format::fixed, 0) + (std::isfinite(v) ? "." : "");
  }
  std::string aligned(const char* p) const {
    const std::string text = bare(read(p));
    return std::string(static_cast<size_t>(std::max<int64_t>(width_ - static_cast<int64_t>(text.size()), 0)), ' ') +
           text;
  }

  std::string block(int64_t d, const char* p, int64_t indent) const {
    if (x_.dim() == 0) return aligned(p);
    if (d == x_.dim() - 1) return row(p, indent);
    std::string between = ",";
    between.append(static_cast<size_t>(x_.dim() - 1 - d), '\n').append(static_cast<size_t>(indent + 1), ' ');
    std::string text = "[";
    text += joined(d, between, [&](int64_t i) { return block(d + 1, item(d, p, i), indent + 1); });
    return text += "]";
  }
  // The last dim, as many to a line as it has room for.
  std::string row(const char* p, int64_t indent) const {
    const int64_t per_line = std::max<int64_t>(1, (options_.linewidth - indent) / (width_ + 2));
    const std::string line_break = ",\n" + std::string(static_cast<size_t>(indent + 1), ' ');
    const int64_t d = x_.dim() - 1;
    std::string text = "[";
    int64_t count = 0;
    const auto put = [&](const std::string& value) {
      if (count > 0) text += count % per_line == 0 ? line_break : ", ";
      text += value;
      ++count;
    };
    for (int64_t i = 0; i < x_.sizes()[d]; ++i) {
      if (i == gap_at() && gap(d) > 0) {
        put(options_.edgeitems ? " ..." : "...");
        i += gap(d);
      }
      if (i < x_.sizes()[d]) put(aligned(item(d, p, i)));
    }
    return text + "]";
  }
  template <class Part> std::string joined(int64_t d, const std::string& between, const Part& part) const {
    std::string text;
    for (int64_t i = 0; i < x_.sizes()[d]; ++i) {
      if (i == gap_at() && gap(d) > 0) {
        text += (i ? between : "") + "...";
        i += gap(d);
      }
      if (i < x_.sizes()[d]) text += (text.empty() ? "" : between) + part(i);
    }
    return text;
  }

  const Tensor& x_;
  const PrintOptions& options_;
  const bool summary_, floating_;
  bool whole_ = true, scientific_ = false;
  int64_t width_ = 1;
};

// ", suffix" where the line has room for it, else on a line of its own.
void add_suffix(std::string& text, const std::string& suffix, const PrintOptions& options, size_t indent) {
  const size_t line_start = text.rfind('\n');
  const size_t used = text.size() - (line_start == std::string::npos ? 0 : line_start + 1);
  const bool fits = used + suffix.size() + 4 <= static_cast<size_t>(options.linewidth);  // with ", ", ")", one spare
  text += fits ? ", " : ",\n" + std::string(indent, ' ');
  text += suffix;
}

}  // namespace

void set_print_options(const PrintOptions& options) {
  if (options.precision < 0 || options.precision > 100)
    throw ValueError("set_print_options: precision must lie in [0, 100], got " + std::to_string(options.precision));
  if (options.threshold < 0 || options.edgeitems < 0 || options.linewidth < 1)
    throw ValueError(
        "set_print_options: threshold and edgeitems must not be negative and linewidth be at least 1, got " +
        std::to_string(options.threshold) + ", " + std::to_string(options.edgeitems) + " and " +
        std::to_string(options.linewidth));
  std::lock_guard lock(options_mutex);
  current_options = options;
}

PrintOptions print_options() {
  std::lock_guard lock(options_mutex);
  return current_options;
}

std::string to_string(const Tensor& x) { return to_string(x, print_options()); }

std::string to_string(const Tensor& x, const PrintOptions& options) {
  if (!x.defined()) return "tensor(undefined)";
  detail::check_host_read("printing a tensor reads values on the host, which a replay would not do again");
  const std::string prefix = "tensor(";
  const size_t indent = prefix.size();
  const bool empty = x.numel() == 0;
  std::string text = prefix + (empty ? "[]" : Printer(x, options).text(static_cast<int64_t>(indent)));
  if (empty && x.dim() != 1) add_suffix(text, "size=" + to_string(x.sizes()), options, indent);
  // Values tell int64 and bool from float32; where there are none the dtype has to.
  const bool told = x.dtype() == kFloat32 || (!empty && (x.dtype() == kInt64 || x.dtype() == kBool));
  if (!told) add_suffix(text, std::string("dtype=") + name_of(x.dtype()), options, indent);
  const std::string tape = autograd::tape_suffix(x);
  if (!tape.empty()) add_suffix(text, tape, options, indent);
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace tapegrad

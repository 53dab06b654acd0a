// Types and values of the columns of a CSV file.
#include "tapegrad/nn/data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/data/csv_records.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {
namespace {

using detail::CSVField;
using detail::CSVRecords;
using detail::quoted;

enum class Parsed : uint8_t { yes, no, out_of_range };

std::string_view without_spaces(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// The whole of `text` as a T; spaces around it do not count.
template <class T> Parsed parse(std::string_view text, T& value) {
  text = without_spaces(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return Parsed::no;
  return error == std::errc() ? Parsed::yes : Parsed::out_of_range;
}

bool is_number(std::string_view text) {
  double value;
  return parse(text, value) != Parsed::no;
}

const char* type_name(CSVType type) {
  switch (type) {
    case CSVType::kFloat64: return "a number (float64)";
    case CSVType::kInt64: return "an integer (int64)";
    case CSVType::kCategory: return "a category";
  }
  return "";
}

class Reader {
 public:
  Reader(const std::string& path, const CSVOptions& options) : path_(path), options_(options) {
    detail::read_records(path, options, records_);
  }

  Table read() {
    if (records_.count() == 0)
      throw IOError("read_csv: " + path_ + ", line 1, column 1: expected at least one record, got " +
                    (records_.text.empty() ? "an empty file" : "empty lines only"));
    read_names();
    check_widths();
    check_columns();
    std::vector<Table::Column> columns;
    for (size_t c = 0; c < names_.size(); ++c) columns.push_back(column(c));
    return {path_, rows(), std::move(columns)};
  }

 private:
  int64_t rows() const { return records_.count() - first_; }
  const CSVField& field(int64_t row, size_t column) const { return records_.record(first_ + row)[column]; }
  bool is_missing(const CSVField& f) const {
    const std::string_view bare = f.quoted ? f.text : without_spaces(f.text);
    return std::any_of(options_.missing.begin(), options_.missing.end(),
                       [&](const std::string& one) { return one == f.text || one == bare; });
  }
  [[noreturn]] void fail(const CSVField& f, size_t column, const std::string& what) const {
    detail::csv_error(path_, f.line, static_cast<int64_t>(column) + 1, names_[column], what);
  }

  // Column of the first name that came before, or none.
  std::optional<int64_t> repeated(const CSVField* names, int64_t count) const {
    std::map<std::string_view, int64_t> seen;
    for (int64_t c = 0; c < count; ++c) {
      if (!names[c].text.empty() && !seen.emplace(names[c].text, c).second) return c;
    }
    return {};
  }

  void read_names() {
    const CSVField* first = records_.record(0);
    const int64_t count = records_.width(0);
    const std::optional<int64_t> twice = repeated(first, count);
    const bool has_number = std::any_of(first, first + count, [](const CSVField& f) {
      return is_number(f.text) && f.text.find_first_of("0123456789") != f.text.npos;  // "inf" may be a name
    });
    const bool header =
        options_.header == CSVHeader::kAuto ? !has_number && !twice : options_.header == CSVHeader::kYes;
    if (header && twice)
      detail::csv_error(path_, first[*twice].line, *twice + 1, "",
                        "the names of columns must differ, got " + quoted(first[*twice].text) + " twice");
    first_ = header;
    for (int64_t c = 0; c < count; ++c)
      names_.push_back(header && !first[c].text.empty() ? std::string(first[c].text)
                                                        : "column" + std::to_string(c + 1));
    std::map<std::string_view, int64_t> seen;
    for (int64_t c = 0; c < count; ++c) {
      const std::string& name = names_[static_cast<size_t>(c)];
      if (!seen.emplace(name, c).second)
        detail::csv_error(path_, first[c].line, c + 1, "",
                          "the names of columns must differ, got " + quoted(name) +
                              " twice (a column without a name is called after its place)");
    }
  }

  void check_widths() const {
    const int64_t width = records_.width(0);
    for (int64_t i = 1; i < records_.count(); ++i) {
      const int64_t got = records_.width(i);
      if (got == width) continue;
      const int64_t column = std::min(got, width);  // the first one missing, or too many
      const std::string name = column < width ? names_[static_cast<size_t>(column)] : "";
      detail::csv_error(path_, records_.record(i)[std::min(got - 1, column)].line, column + 1, name,
                        "expected " + std::to_string(width) + " fields, as line " +
                            std::to_string(records_.record(0)->line) + " has, got " + std::to_string(got));
    }
  }

  void check_columns() const {
    std::set<std::string_view> seen;
    for (const CSVColumn& wanted : options_.columns) {
      if (!seen.insert(wanted.name).second)
        throw ValueError("read_csv: " + path_ + ": columns must name each column once, got " + quoted(wanted.name) +
                         " again");
      const std::set<std::string_view> categories(wanted.categories.begin(), wanted.categories.end());
      if (categories.size() != wanted.categories.size())
        throw ValueError("read_csv: " + path_ + ": the categories of a column must differ, got one of " +
                         quoted(wanted.name) + " twice");
      if (std::find(names_.begin(), names_.end(), wanted.name) == names_.end())
        throw ValueError("read_csv: " + path_ + ", line 1: columns must name columns of the file, got " +
                         quoted(wanted.name) + " (the first is " + quoted(names_[0]) + ")");
      if (wanted.type != CSVType::kCategory && !wanted.categories.empty())
        throw ValueError("read_csv: " + path_ + ": categories are for columns of type kCategory, got some for " +
                         quoted(wanted.name));
    }
  }

  Table::Column column(size_t c) const {
    CSVColumn wanted{names_[c], CSVType::kInt64, {}};
    const auto given = std::find_if(options_.columns.begin(), options_.columns.end(),
                                    [&](const CSVColumn& one) { return one.name == names_[c]; });
    const bool any_missing = find_missing(c);
    if (given != options_.columns.end()) wanted = *given;
    else wanted.type = type_of(c, any_missing);
    if (wanted.type == CSVType::kCategory) return categories(c, wanted.categories);
    const Tensor values = wanted.type == CSVType::kInt64 ? numbers<int64_t>(c) : numbers<double>(c);
    return {names_[c], wanted.type, values, {}};
  }

  // Whether a value is missing, where that may be.
  bool find_missing(size_t c) const {
    bool any = false;
    for (int64_t r = 0; r < rows(); ++r) {
      const CSVField& f = field(r, c);
      if (!is_missing(f)) continue;
      any = true;
      if (!options_.missing_as_nan)
        fail(f, c, "expected a value, got a missing one, " + quoted(f.text) + " (missing_as_nan = true reads NaN)");
    }
    return any;
  }

  CSVType type_of(size_t c, bool any_missing) const {
    CSVType type = any_missing || rows() == 0 ? CSVType::kFloat64 : CSVType::kInt64;
    for (int64_t r = 0; r < rows(); ++r) {
      const CSVField& f = field(r, c);
      int64_t integer;
      if (is_missing(f) || (type == CSVType::kInt64 && parse(f.text, integer) == Parsed::yes)) continue;
      if (!is_number(f.text)) return CSVType::kCategory;
      type = CSVType::kFloat64;
    }
    return type;
  }

  template <class T> Tensor numbers(size_t c) const {
    constexpr bool kInteger = std::is_integral_v<T>;
    Tensor out = new_tensor({rows()}, dtype_of<T>());
    auto* y = out.elements<T>();
    for (int64_t r = 0; r < rows(); ++r) {
      const CSVField& f = field(r, c);
      const auto expected = [&] {
        return std::string("expected ") + type_name(kInteger ? CSVType::kInt64 : CSVType::kFloat64);
      };
      if (is_missing(f)) {
        if (kInteger) fail(f, c, expected() + ", got a missing value, " + quoted(f.text) + " (kFloat64 has NaN)");
        y[r] = std::numeric_limits<T>::quiet_NaN();
        continue;
      }
      const Parsed parsed = parse(f.text, y[r]);
      if (parsed == Parsed::no) fail(f, c, expected() + ", got " + quoted(f.text));
      if (parsed == Parsed::out_of_range) fail(f, c, expected() + " within its range, got " + quoted(f.text));
    }
    return out;
  }

  Table::Column categories(size_t c, std::vector<std::string> known) const {
    const bool given = !known.empty();
    std::map<std::string_view, int64_t> numbers;
    if (given) {
      for (size_t i = 0; i < known.size(); ++i) numbers.emplace(known[i], static_cast<int64_t>(i));
    } else {
      for (int64_t r = 0; r < rows(); ++r) {
        if (!is_missing(field(r, c))) numbers.emplace(field(r, c).text, 0);
      }
      for (auto& [text, number] : numbers) {
        number = static_cast<int64_t>(known.size());
        known.emplace_back(text);
      }
    }
    const Tensor out = new_tensor({rows()}, kInt64);
    for (int64_t r = 0; r < rows(); ++r) {
      const CSVField& f = field(r, c);
      const auto found = numbers.find(f.text);
      const bool absent = is_missing(f);
      if (!absent && found == numbers.end())
        fail(f, c, "expected one of the " + std::to_string(known.size()) + " categories given, got " + quoted(f.text));
      out.elements<int64_t>()[r] = absent ? -1 : found->second;
    }
    return {names_[c], CSVType::kCategory, out, std::move(known)};
  }

  const std::string& path_;
  const CSVOptions& options_;
  CSVRecords records_;
  int64_t first_ = 0;  // record of the first row
  std::vector<std::string> names_;
};

void check_options(const std::string& path, const CSVOptions& options) {
  const auto line_end = [](char c) { return c == '\n' || c == '\r'; };
  if (options.delimiter == options.quote || options.delimiter == '\0' || line_end(options.delimiter) ||
      line_end(options.quote))
    throw ValueError("read_csv: " + path + ": delimiter and quote must differ and be no line ends, got " +
                     quoted({&options.delimiter, 1}) + " and " + quoted({&options.quote, 1}));
}

}  // namespace

Table read_csv(const std::string& path, const CSVOptions& options) {
  check_options(path, options);
  return Reader(path, options).read();
}

}  // namespace tapegrad::data

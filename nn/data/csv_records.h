// CSV text cut into fields. Library internal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tapegrad/nn/data/csv.h"

namespace tapegrad::data::detail {

struct CSVField {
  std::string_view text;
  int64_t line;
  bool quoted;
};

// The fields of a file in its memory, which unquoting writes to.
struct CSVRecords {
  std::string text;
  std::vector<CSVField> fields;
  std::vector<size_t> starts;  // of each record in `fields`, and one behind the last

  int64_t count() const { return static_cast<int64_t>(starts.size()) - 1; }
  const CSVField* record(int64_t i) const { return fields.data() + starts[static_cast<size_t>(i)]; }
  int64_t width(int64_t i) const {
    return static_cast<int64_t>(starts[static_cast<size_t>(i) + 1] - starts[static_cast<size_t>(i)]);
  }
};

// Fills `records`, which from then on stays where it is. IOError: not readable, or a wrong quote.
void read_records(const std::string& path, const CSVOptions& options, CSVRecords& records);

// "read_csv: FILE, line L, column C "NAME": ", the name where it is known.
[[noreturn]] void csv_error(const std::string& path, int64_t line, int64_t column, const std::string& name,
                            const std::string& what);

}  // namespace tapegrad::data::detail

// Tables of numbers and categories from CSV files.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::data {

enum class CSVType : uint8_t { kFloat64, kInt64, kCategory };
// kAuto: the first record is names when none of its fields is a number, and no two are the same.
enum class CSVHeader : uint8_t { kAuto, kYes, kNo };

// What a column must be; without this its values decide: int64 when all are integers that fit, float64 when all are
// numbers, else categories. Categories are numbered in the given order, or sorted by their bytes when none is given: give a
// test file those of its training file, so that the numbers are the same.
struct CSVColumn {
  std::string name;
  CSVType type;
  std::vector<std::string> categories = {};
};

struct CSVOptions {
  CSVHeader header = CSVHeader::kAuto;
  char delimiter = ',';
  char quote = '"';                                                     // '\0': none
  bool trim = false;                                                    // leave out spaces and tabs around a field
  bool missing_as_nan = false;                                          // else a missing value is an error
  std::vector<std::string> missing = {"", "NA", "NaN", "nan", "null"};  // missing values, spaces around them or not
  std::vector<CSVColumn> columns = {};                                  // those whose type is not left to the values
};

// Columns of one length, each with a name.
class TAPEGRAD_API Table {
 public:
  struct Column {
    std::string name;
    CSVType type;
    Tensor values;  // [rows], float64 or int64; of categories their numbers, -1 for a missing one
    std::vector<std::string> categories;
  };
  // `source` is named in errors.
  Table(std::string source, int64_t rows, std::vector<Column> columns);

  int64_t rows() const { return rows_; }
  std::vector<std::string> names() const;
  // ValueError, naming the columns there are, for another name; here and below.
  const Tensor& column(const std::string& name) const { return find(name, "column").values; }
  CSVType type(const std::string& name) const { return find(name, "type").type; }
  const std::vector<std::string>& categories(const std::string& name) const {
    return find(name, "categories").categories;
  }
  // The named columns (by default all) side by side: [rows, columns]. Missing values are NaN; ValueError for those in an
  // integer dtype.
  Tensor tensor(const std::vector<std::string>& names = {}, DType dtype = kFloat32) const;

 private:
  const Column& find(const std::string& name, const char* what) const;

  std::string source_;
  int64_t rows_;
  std::vector<Column> columns_;
};

// The table in a CSV file (RFC 4180): fields may be quoted, and then hold delimiters, line ends and doubled quotes. Lines end
// in LF, CRLF or CR; empty lines are skipped; a UTF-8 byte order mark is ignored. Columns without a header are called
// column1, column2, ... Numbers are read as the C locale writes them, whatever the program's locale.
// IOError, naming the file, the line and the column (both from 1): not readable, empty, a record with more or fewer fields
// than the first, a wrong quote, a missing value, a value that does not fit the column's type or its float64 range.
// ValueError: options that contradict each other or name a column that is not there.
TAPEGRAD_API Table read_csv(const std::string& path, const CSVOptions& options = {});

}  // namespace tapegrad::data

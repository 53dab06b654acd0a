// Columns by name, and side by side.
#include <cmath>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/data/csv.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data {

Table::Table(std::string source, int64_t rows, std::vector<Column> columns)
    : source_(std::move(source)), rows_(rows), columns_(std::move(columns)) {}

std::vector<std::string> Table::names() const {
  std::vector<std::string> out;
  for (const Column& one : columns_) out.push_back(one.name);
  return out;
}

const Table::Column& Table::find(const std::string& name, const char* what) const {
  std::string known;
  for (const Column& one : columns_) {
    if (one.name == name) return one;
    known += (known.empty() ? "" : ", ") + detail::quoted(one.name);
  }
  throw ValueError("Table::" + std::string(what) + ": " + source_ + " has the columns " + known + ", got " +
                   detail::quoted(name));
}

Tensor Table::tensor(const std::vector<std::string>& names, DType dtype) const {
  const std::vector<std::string> wanted = names.empty() ? this->names() : names;
  const auto count = static_cast<int64_t>(wanted.size());
  Tensor both = new_tensor({rows_, count}, kFloat64);
  Tensor out = dtype == kFloat64 ? both : new_tensor({rows_, count}, dtype);
  for (int64_t c = 0; c < count; ++c) {
    const Column& from = find(wanted[static_cast<size_t>(c)], "tensor");
    const Tensor to = alias(out, {rows_}, {count}, c);
    if (from.type != CSVType::kCategory && from.values.dtype() == kInt64) {
      copy(to, from.values);
      continue;
    }
    const Tensor values = alias(both, {rows_}, {count}, c);
    copy(values, from.values);
    for (int64_t r = 0; r < rows_; ++r) {
      double& value = both.elements<double>()[r * count + c];
      if (from.type == CSVType::kCategory && value < 0) value = std::numeric_limits<double>::quiet_NaN();
      if (std::isnan(value) && !is_floating_point(dtype))
        throw ValueError("Table::tensor: " + source_ + ", column " + detail::quoted(from.name) + ": row " +
                         std::to_string(r) + " is missing, which " + name_of(dtype) + " cannot say");
    }
    if (dtype != kFloat64) copy(to, values);
  }
  return out;
}

}  // namespace tapegrad::data

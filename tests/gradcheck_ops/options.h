// The command line of gradcheck_ops.
#pragma once

#include <stdexcept>

#include "op_properties.h"

namespace gradcheck_ops {

using op_cases::Row;
using op_properties::Property;

struct Options {
  std::vector<const Row*> rows;  // in the table's order
  std::vector<const Property*> properties;
  bool coverage = true;  // whether every exported op has a row
  uint64_t seed = 0;
  int processes = 1;
  std::string json;  // a file, "-" for the standard output, empty: none
  bool list = false;
  bool help = false;
};

// What is wrong with a command line, and what would be right.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Options parse(int argc, char** argv, const std::vector<Row>& rows);
std::string usage(const std::string& program);
// Up to three of `names` that `name` may have been meant for, "a, b or c"; empty when none is close.
std::string nearest(const std::string& name, const std::vector<std::string>& names);

}  // namespace gradcheck_ops

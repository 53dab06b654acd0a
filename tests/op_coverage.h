// The exported functions of the library against the table of operations.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "op_cases.h"

namespace op_cases {

// Exported names of functions that take a tensor first, by the symbols of the shared library; std::runtime_error when
// these cannot be read.
std::set<std::string> exported_ops(const std::string& library);
// Those of them that have neither a row nor a reason to have none.
std::vector<std::string> without_row(const std::set<std::string>& exported, const std::vector<Row>& rows);

}  // namespace op_cases

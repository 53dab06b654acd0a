// The exported functions of the library against the table of operations: a public op without a row is a failure.
#include "op_coverage.h"

#include "catch.h"

#ifdef TAPEGRAD_LIBRARY  // the shared library; a static one exports nothing

using namespace op_cases;

TEST_CASE("ops: every exported op has a row", "[ops]") {
  const std::set<std::string> exported = exported_ops(TAPEGRAD_LIBRARY);
  CHECK(exported.size() > 50);
  for (const std::string& name : without_row(exported, table()))
    FAIL_CHECK(name << " is exported and has no row in tests/op_cases*.cpp");
}

TEST_CASE("ops: an op whose row is taken away is missed", "[ops]") {
  std::vector<Row> rows;
  for (const Row& row : table()) {
    if (row.name != "softmax") rows.push_back(row);
  }
  CHECK(without_row(exported_ops(TAPEGRAD_LIBRARY), rows) == std::vector<std::string>{"softmax"});
}

#endif

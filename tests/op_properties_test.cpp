// Every row of the table of operations held to every property.
#include "op_properties.h"
#include "catch.h"

using namespace op_properties;

namespace {

// All rows; the property must have looked at something.
void hold(const char* name) {
  const Property* property = find_property(name);
  REQUIRE(property);
  int64_t checks = 0;
  for (const Row& row : table()) {
    const Findings findings = check(*property, row, 0);
    checks += findings.checks();
    for (const Finding& f : findings.found())
      FAIL_CHECK("op " << row.name << ", property " << name << ", case " << f.what << ", " << f.variant << ": "
                       << f.text);
  }
  CAPTURE(name, checks);
  CHECK(checks > 0);
}

}  // namespace

TEST_CASE("ops: values against the reference", "[ops]") { hold("value"); }
TEST_CASE("ops: integer dtypes", "[ops]") { hold("integers"); }
TEST_CASE("ops: every instruction set", "[ops]") { hold("isa"); }
TEST_CASE("ops: vector tails on every instruction set", "[ops]") { hold("tails"); }
TEST_CASE("ops: zero, infinities, NaN and the ends of the range", "[ops]") { hold("edges"); }
TEST_CASE("ops: gradients, subsets, layouts, mutation", "[ops]") { hold("gradient"); }
TEST_CASE("ops: second derivatives", "[ops]") { hold("order2"); }
TEST_CASE("ops: third derivatives", "[ops]") { hold("order3"); }
TEST_CASE("ops: forward mode", "[ops]") { hold("forward"); }
TEST_CASE("ops: float32 gradients", "[ops]") { hold("float32"); }
TEST_CASE("ops: bfloat16 is float32, rounded", "[ops]") { hold("bfloat16"); }
TEST_CASE("ops: the fused backward is the plain one", "[ops]") { hold("fused"); }
TEST_CASE("ops: transposed, sliced and expanded inputs", "[ops]") { hold("layouts"); }
TEST_CASE("ops: inputs without elements", "[ops]") { hold("zero_size"); }
TEST_CASE("ops: in place as out of place", "[ops]") { hold("in_place"); }
TEST_CASE("ops: what is written after forward is caught or does not matter", "[ops]") { hold("mutation"); }
TEST_CASE("ops: views share memory, the rest does not", "[ops]") { hold("view"); }
TEST_CASE("ops: the same bits again", "[ops]") { hold("repeat"); }
TEST_CASE("ops: the same bits with another number of threads", "[ops]") { hold("threads"); }
TEST_CASE("ops: a replay has the bits of the function", "[ops]") { hold("replay"); }
TEST_CASE("ops: no memory and no node stays behind", "[ops]") { hold("leak"); }
TEST_CASE("ops: errors say what is wrong", "[ops]") { hold("errors"); }

TEST_CASE("ops: every property is held by a test", "[ops]") { CHECK(properties().size() == 22); }

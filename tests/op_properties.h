// The properties every row of the table of operations is held to, as functions that collect what fails.
#pragma once

#include <span>

#include "op_cases.h"

namespace op_properties {

using namespace op_cases;

// What did not hold, of which case, in which variant (a dtype, a layout, an instruction set).
struct Finding {
  std::string what, variant, text;
};

// What one property found out about one row.
class Findings {
 public:
  explicit Findings(uint64_t seed) : seed_(seed) {}

  // Of what the findings that follow are.
  void about(const std::string& what) { what_ = what, variant_.clear(); }
  void variant(const std::string& name) { variant_ = name; }
  const std::string& variant() const { return variant_; }
  // One more check; `explain` gives the text when it failed.
  template <class Explain> bool check(bool ok, const Explain& explain) {
    ++checks_;
    if (!ok) fail(explain());
    return ok;
  }
  void count(int64_t checks) { checks_ += checks; }
  void fail(std::string text) { found_.push_back({what_, variant_, std::move(text)}); }

  // For random operands: property `number` draws from its own stream, seed by seed.
  uint64_t stream(uint64_t number) const { return number + 1000 * seed_; }
  uint64_t seed() const { return seed_; }
  int64_t checks() const { return checks_; }
  const std::vector<Finding>& found() const { return found_; }

 private:
  uint64_t seed_;
  int64_t checks_ = 0;
  std::string what_, variant_;
  std::vector<Finding> found_;
};

// A property checks case by case, or the row as a whole, or both.
struct Property {
  const char* name;
  const char* meaning;
  void (*of_case)(const Row&, const Case&, Findings&);
  void (*of_row)(const Row&, Findings&) = nullptr;
};

// In the order in which they are best looked at.
std::span<const Property> properties();
// Null for an unknown name.
const Property* find_property(const std::string& name);
// Holds the row to the property: the same findings for the same seed, in any order of calls. What throws is a finding.
Findings check(const Property& property, const Row& row, uint64_t seed);

// Families of properties; their checks by name.
void check_value(const Row&, const Case&, Findings&);
void check_integers(const Row&, const Case&, Findings&);
void check_isa(const Row&, const Case&, Findings&);
void check_tails(const Row&, Findings&);
void check_planted_edges(const Row&, const Case&, Findings&);
void check_edges(const Row&, Findings&);
void check_gradient(const Row&, const Case&, Findings&);
void check_order2(const Row&, const Case&, Findings&);
void check_order3(const Row&, const Case&, Findings&);
void check_forward(const Row&, const Case&, Findings&);
void check_float32(const Row&, const Case&, Findings&);
void check_float32_large(const Row&, Findings&);
void check_bfloat16(const Row&, const Case&, Findings&);
void check_edge_gradients(const Row&, Findings&);
void check_fused(const Row&, const Case&, Findings&);
void check_layouts(const Row&, const Case&, Findings&);
void check_zero_size(const Row&, const Case&, Findings&);
void check_in_place(const Row&, const Case&, Findings&);
void check_mutation(const Row&, const Case&, Findings&);
void check_view(const Row&, const Case&, Findings&);
void check_repeat(const Row&, const Case&, Findings&);
void check_repeat_large(const Row&, Findings&);
void check_threads(const Row&, const Case&, Findings&);
void check_threads_large(const Row&, Findings&);
void check_replay(const Row&, const Case&, Findings&);
void check_replay_large(const Row&, Findings&);
void check_leak(const Row&, const Case&, Findings&);
void check_errors(const Row&, Findings&);

}  // namespace op_properties

// How modules look in text: names of types, the nested form, the table of layers.
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <typeinfo>
#include <unordered_set>

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {
namespace {

// "Linear" for "tapegrad::nn::Linear"; what is inside <> or () is not searched for "::".
std::string without_scopes(const std::string& type) {
  size_t start = 0;
  int depth = 0;
  for (size_t i = 0; i < type.size(); ++i) {
    if (type[i] == '<' || type[i] == '(' || type[i] == '{') ++depth;
    if (type[i] == '>' || type[i] == ')' || type[i] == '}') --depth;
    if (depth == 0 && type.compare(i, 2, "::") == 0) start = i + 2;
  }
  return type.substr(start);
}

void print(std::string& out, const Module& module, const std::string& indent) {
  out += module.name() + "(" + module.extra_repr();
  const auto& children = ModuleState::of(module).children;
  if (!children.empty()) {
    out += "\n";
    for (const ModuleState::Child& child : children) {
      out += indent + "  (" + child.name + "): ";
      print(out, child.held->module(), indent + "  ");
      out += "\n";
    }
    out += indent;
  }
  out += ")";
}

// 1234567 as "1,234,567".
std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

struct Row {
  std::string cells[4];
};

std::string table(const std::vector<Row>& rows) {
  size_t width[4] = {};
  for (const Row& row : rows) {
    for (int c = 0; c < 4; ++c) width[c] = std::max(width[c], row.cells[c].size());
  }
  const std::string rule(width[0] + width[1] + width[2] + width[3] + 6, '-');
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (int c = 0; c < 4; ++c) {
      const std::string& cell = rows[r].cells[c];
      const std::string space(width[c] - cell.size(), ' ');
      out += (c == 0 ? "" : "  ") + (c == 3 ? space + cell : cell + space);  // counts to the right
    }
    out += "\n";
    if (r == 0) out += rule + "\n";
  }
  return out + rule + "\n";
}

Row describe(const std::string& name, const Module& module, std::unordered_set<const void*>& seen, int64_t& total,
             int64_t& trainable) {
  std::string shapes;
  int64_t count = 0;
  for (const auto& [key, p] : ModuleState::of(module).parameters) {
    const bool fresh = seen.insert(p.impl()).second;
    shapes += (shapes.empty() ? "" : ", ") + key + " " + to_string(p.sizes()) + (fresh ? "" : " (shared)");
    if (!fresh) continue;
    count += p.numel();
    if (p.requires_grad()) trainable += p.numel();
  }
  total += count;
  return {{name, module.name(), shapes, shapes.empty() ? "-" : grouped(count)}};
}

}  // namespace

std::string Module::name() const {
  const char* mangled = typeid(*this).name();
  int status = 0;
  char* type = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = without_scopes(status == 0 ? type : mangled);
  std::free(type);
  return name;
}

std::string Module::extra_repr() const { return ""; }

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

std::string to_string(const Module& module) {
  std::string out;
  print(out, module, "");
  return out;
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << to_string(module); }

std::string Module::summary() const {
  std::vector<Row> rows = {{{"layer", "type", "parameters", "count"}}};
  std::unordered_set<const void*> seen;
  int64_t total = 0, trainable = 0;
  for (const auto& [name, module] : named_modules()) {
    // A module that only groups others says nothing of its own.
    const ModuleState& state = ModuleState::of(*module);
    if (state.parameters.empty() && !state.children.empty()) continue;
    rows.push_back(describe(name.empty() ? "(self)" : name, *module, seen, total, trainable));
  }
  return table(rows) + name() + ": " + grouped(total) + " parameters, " + grouped(trainable) + " trainable\n";
}

namespace detail {

Held::~Held() = default;

void Held::not_callable() const {
  throw ValueError("Sequential: every entry must have forward(const Tensor&), got " +
                   const_cast<Held*>(this)->module().name());
}

}  // namespace detail

}  // namespace tapegrad::nn

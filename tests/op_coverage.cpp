// The exported functions of the library by its symbols, and those that need no row.
#include "op_coverage.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace op_cases {
namespace {

// Why a function has no row of its own.
const std::pair<const char*, const char*> kNoRow[] = {{"alias", "nothing of the tape"},
                                                      {"clone_of", "nothing of the tape"},
                                                      {"contiguous_of", "nothing of the tape"},
                                                      {"converted", "nothing of the tape"},
                                                      {"new_like", "nothing of the tape"},
                                                      {"fill", "nothing of the tape"},
                                                      {"copy", "nothing of the tape"},
                                                      {"add_into", "nothing of the tape"},
                                                      {"written_on_host", "nothing of the tape"},
                                                      {"has_overlap", "no tensor comes back"},
                                                      {"fill_uniform", "random"},
                                                      {"fill_normal", "random"},
                                                      {"fill_integers", "random"},
                                                      {"fill_permutation", "random"},
                                                      {"rand_like", "random"},
                                                      {"randn_like", "random"},
                                                      {"uniform_", "random"},
                                                      {"normal_", "random"},
                                                      {"zeros_like", "a factory"},
                                                      {"ones_like", "a factory"},
                                                      {"empty_like", "a factory"},
                                                      {"full_like", "a factory"},
                                                      {"allclose", "no tensor comes back"},
                                                      {"equal", "no tensor comes back"},
                                                      {"remove_hook", "no tensor comes back"},
                                                      {"save_npy", "no tensor comes back"},
                                                      {"to_string", "no tensor comes back"},
                                                      {"randint_like", "random"},
                                                      {"operator~", "logical_not"},
                                                      {"operator&", "logical_and"},
                                                      {"operator|", "logical_or"},
                                                      {"operator^", "logical_xor"},
                                                      {"operator-", "sub"},
                                                      {"operator/", "div"},
                                                      {"zero_", "tested with views"},
                                                      {"fill_", "tested with views"},
                                                      {"copy_", "tested with views"}};

// The name of the function in a line of nm, where it takes a tensor first; else empty.
std::string op_in(const std::string& line) {
  const size_t start = line.find(" T tapegrad::");
  if (start == std::string::npos) return "";
  const size_t name = start + std::strlen(" T tapegrad::");
  const size_t open = line.find('(', name);
  if (open == std::string::npos) return "";
  const std::string function = line.substr(name, std::min(open, line.find('[', name)) - name);  // [abi:cxx11]
  const std::string arguments = line.substr(open + 1);
  const bool takes_tensor = arguments.rfind("tapegrad::Tensor const&", 0) == 0 ||
                            arguments.rfind("std::vector<tapegrad::Tensor", 0) == 0 ||
                            arguments.rfind("tapegrad::Scalar const&, tapegrad::Tensor const&", 0) == 0;
  return takes_tensor && function.find("::") == std::string::npos ? function : "";
}

}  // namespace

std::set<std::string> exported_ops(const std::string& library) {
  const std::string command = "nm -D --defined-only -C '" + library + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("coverage: cannot run " + command);
  std::set<std::string> names;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe)) {
    const std::string name = op_in(line);
    if (!name.empty()) names.insert(name);
  }
  if (pclose(pipe) != 0) throw std::runtime_error("coverage: failed: " + command);
  return names;
}

std::vector<std::string> without_row(const std::set<std::string>& exported, const std::vector<Row>& rows) {
  std::set<std::string> known;
  for (const Row& row : rows) {
    known.insert(row.name);
    if (row.in_place) known.insert(row.name + "_");
  }
  for (const auto& [name, reason] : kNoRow) known.insert(name);
  std::vector<std::string> missing;
  for (const std::string& name : exported) {
    if (known.count(name) == 0) missing.push_back(name);
  }
  return missing;
}

}  // namespace op_cases

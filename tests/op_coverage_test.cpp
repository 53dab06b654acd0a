// The exported functions of the library against the table of operations: a public op without a row is a failure.
#include <cstdio>
#include <cstring>
#include <set>

#include "message.h"
#include "op_cases.h"

#ifdef TAPEGRAD_LIBRARY  // the shared library; a static one exports nothing

using namespace op_cases;

namespace {

// Exported names of functions that take a tensor first and give a tensor back.
std::set<std::string> exported_ops() {
  const std::string command = "nm -D --defined-only -C " TAPEGRAD_LIBRARY;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::set<std::string> names;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe)) {
    const std::string text = line;
    const size_t start = text.find(" T tapegrad::");
    if (start == std::string::npos) continue;
    const size_t name = start + std::strlen(" T tapegrad::");
    const size_t open = text.find('(', name);
    if (open == std::string::npos) continue;
    const std::string function = text.substr(name, std::min(open, text.find('[', name)) - name);  // [abi:cxx11]
    const std::string arguments = text.substr(open + 1);
    const bool takes_tensor = arguments.rfind("tapegrad::Tensor const&", 0) == 0 ||
                              arguments.rfind("std::vector<tapegrad::Tensor", 0) == 0 ||
                              arguments.rfind("tapegrad::Scalar const&, tapegrad::Tensor const&", 0) == 0;
    if (takes_tensor && function.find("::") == std::string::npos) names.insert(function);
  }
  CHECK(pclose(pipe) == 0);
  return names;
}

// Why a function has no row of its own.
const std::pair<const char*, const char*> kNoRow[] = {{"alias", "nothing of the tape"},
                                                      {"clone_of", "nothing of the tape"},
                                                      {"contiguous_of", "nothing of the tape"},
                                                      {"converted", "nothing of the tape"},
                                                      {"new_like", "nothing of the tape"},
                                                      {"fill", "nothing of the tape"},
                                                      {"copy", "nothing of the tape"},
                                                      {"add_into", "nothing of the tape"},
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
                                                      {"sgd_step", "an optimizer's step"},
                                                      {"adam_step", "an optimizer's step"},
                                                      {"rmsprop_step", "an optimizer's step"},
                                                      {"adagrad_step", "an optimizer's step"},
                                                      {"check_step", "an optimizer's step"},
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

}  // namespace

TEST_CASE("ops: every exported op has a row", "[ops]") {
  std::set<std::string> known;
  for (const Row& row : table()) {
    known.insert(row.name);
    if (row.in_place) known.insert(row.name + "_");
  }
  for (const auto& [name, reason] : kNoRow) known.insert(name);
  const std::set<std::string> exported = exported_ops();
  CHECK(exported.size() > 50);
  for (const std::string& name : exported) {
    INFO(name << " is exported and has no row in tests/op_cases*.cpp");
    CHECK(known.count(name) == 1);
  }
}

#endif

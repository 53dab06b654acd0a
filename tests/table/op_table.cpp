// Writes the table of operations as a page: op_table SOURCE_DIR [PAGE], or checks it: op_table SOURCE_DIR PAGE --check.
// What an op means comes from the comment above its declaration, everything else from its row: dtypes are those it ran with.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "op_cases.h"

namespace {

using namespace op_cases;

struct Doc {
  std::string header, comment;
};
using Docs = std::map<std::string, Doc>;

// The comments above declarations, by the name declared; a comment counts until the next blank line or comment.
void read_header(const std::filesystem::path& path, Docs& docs) {
  static const std::regex declaration(R"(^(?:TAPEGRAD_API|inline) .*?\b(\w+)\()");
  std::ifstream in(path);
  std::string comment;
  bool in_comment = false;
  for (std::string line; std::getline(in, line);) {
    const bool is_comment = line.rfind("// ", 0) == 0;
    if (line.empty() || (is_comment && !in_comment)) comment.clear();
    in_comment = is_comment;
    if (is_comment) comment += (comment.empty() ? "" : " ") + line.substr(3);
    std::smatch match;
    if (!comment.empty() && std::regex_search(line, match, declaration))
      docs.insert({match[1], {path.filename().string(), comment}});
  }
}

Docs read_docs(const std::filesystem::path& root) {
  Docs docs;
  std::vector<std::filesystem::path> headers;
  for (const char* folder : {"ops", "core"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      if (entry.path().extension() == ".h") headers.push_back(entry.path());
    }
  }
  std::sort(headers.begin(), headers.end());
  for (const auto& header : headers) read_header(header, docs);
  return docs;
}

bool runs_with(const Case& c, DType dtype) {
  Case typed = c;
  for (Arg& arg : typed.args) {
    if (arg.dtype == kFloat32) arg.dtype = dtype;
    if (!is_floating_point(dtype) && !arg.values.empty()) arg.values.clear();
  }
  try {
    typed.f(sample(typed, is_floating_point(dtype) ? dtype : kFloat32, 1));
    return true;
  } catch (const Error&) { return false; }
}

std::string dtypes_of(const Row& row) {
  std::vector<DType> taken;
  for (const DType dtype : {kFloat32, kFloat64, kInt64, kInt32, kUInt8, kBool}) {
    if (std::any_of(row.cases.begin(), row.cases.end(), [&](const Case& c) { return runs_with(c, dtype); }))
      taken.push_back(dtype);
  }
  if (taken.size() == 6) return "all";
  if (taken.size() == 5 && taken.back() == kUInt8) return "all but bool";
  std::string text;
  for (const DType dtype : taken) text += (text.empty() ? "" : ", ") + std::string(name_of(dtype));
  return text;
}

// Markdown takes these for itself.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::strchr("*_|<>[]`\\", c)) out += '\\';
    out += c;
  }
  return out;
}

std::string derivatives(const Row& row) {
  int most = 0;
  for (const Case& c : row.cases) most = std::max(most, c.order);
  return most == 0 ? "none" : most == 1 ? "once" : "any order";
}

std::string line_of(const Row& row, const Doc& doc) {
  std::string forms = row.in_place ? "in place" : "";
  if (row.view) forms += forms.empty() ? "view" : ", view";
  return "| `" + row.name + "` | " + escaped(doc.comment) + " | " + derivatives(row) + " | " + dtypes_of(row) + " | " +
         forms + " |\n";
}

std::string page(const Docs& docs) {
  std::map<std::string, std::string> families;
  for (const Row& row : table()) {
    const auto doc = docs.find(row.name);
    if (doc == docs.end()) throw std::runtime_error("op_table: no comment above a declaration of " + row.name);
    families[doc->second.header] += line_of(row, doc->second);
  }
  std::ostringstream out;
  out << "# Operations\n\n"
         "Made from the rows of `tests/op_cases*.cpp` and the comments of the headers by `scripts/op-table`; a test fails when it is out "
         "of date. Every op here is tested for its value against an independent reference, its gradients, forward mode, layouts, "
         "instruction sets and errors, and gives the same bits at any number of threads. Derivatives: how often the result can be "
         "differentiated. Dtypes: those its tests ran with, after promotion. Forms: in place, where `op_(x)` exists; view, "
         "where the result shares memory.\n";
  for (const auto& [header, lines] : families) {
    out << "\n## ops/" << header << "\n\n| op | meaning | derivatives | dtypes | forms |\n|---|---|---|---|---|\n"
        << lines;
  }
  return out.str();
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) return std::fprintf(stderr, "usage: op_table SOURCE_DIR [PAGE [--check]]\n"), 2;
  try {
    const std::string text = page(read_docs(argv[1]));
    if (argc == 2) return std::fputs(text.c_str(), stdout) < 0;
    if (argc == 3) return !(std::ofstream(argv[2]) << text).flush();
    if (content(argv[2]) == text) return 0;
    std::fprintf(stderr, "op_table: %s is out of date; run scripts/op-table\n", argv[2]);
  } catch (const std::exception& e) { std::fprintf(stderr, "%s\n", e.what()); }
  return 1;
}

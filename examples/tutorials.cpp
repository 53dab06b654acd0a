// Runs the tutorial networks and ends with a table: what each source states, what came out, how long it took.
//   tutorials [--quick] [program ...]
// Exit status: 0 when every stated figure was met, 1 when one was missed, 2 for a wrong call.
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "common/report.h"

namespace {

struct Program {
  std::string file;  // beside this program
  std::string network;
};

const std::vector<Program> programs = {
    {"eleven_lines", "T1 eleven lines, two layers"}, {"eleven_lines_hidden", "T2 eleven lines, three layers"},
    {"xor_by_hand", "T3 exclusive or by hand"},      {"student", "T9 student, pass or fail"},
    {"mnist_mlp", "T10 digits, 784-300-100-10"},
};

struct Figure {
  std::string name, stated, got, verdict;
};

struct Outcome {
  std::vector<Figure> figures;
  double seconds = 0;
  std::string failure;  // empty when the program ended well
  bool met() const { return failure.empty(); }
};

std::string shell_quoted(const std::string& word) {
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// A line of a child: a figure is kept (examples/common/report.h has its columns), any other is shown.
void take_line(const std::string& line, Outcome& outcome) {
  std::vector<std::string> columns;
  std::istringstream in(line);
  for (std::string column; std::getline(in, column, '\t');) columns.push_back(column);
  if (columns.size() == 5 && columns[0] == "figure")
    outcome.figures.push_back({columns[1], columns[2], columns[3], columns[4]});
  else std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

std::string failure_of(int status, const Outcome& outcome) {
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  const bool missed = std::any_of(outcome.figures.begin(), outcome.figures.end(),
                                  [](const Figure& figure) { return figure.verdict != "ok"; });
  if (missed) return "missed";
  if (WEXITSTATUS(status) != 0) return "exit status " + std::to_string(WEXITSTATUS(status));
  return outcome.figures.empty() ? "reported no figure" : "";
}

Outcome run(const std::string& path) {
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  FILE* child = popen(shell_quoted(path).c_str(), "r");
  if (!child) {
    outcome.failure = "could not be started";
    return outcome;
  }
  std::string line;
  for (int c = std::fgetc(child); c != EOF; c = std::fgetc(child)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    take_line(line, outcome);
    line.clear();
  }
  if (!line.empty()) take_line(line, outcome);
  outcome.failure = failure_of(pclose(child), outcome);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

// Cut at words, so that long lists of numbers stay inside their column.
std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    if (!lines.empty() && lines.back().size() + 1 + word.size() <= width) lines.back() += ' ' + word;
    else lines.push_back(word);
  }
  return lines;
}

void print_row(const std::vector<std::string>& cells) {
  constexpr size_t widths[] = {36, 36, 36, 20};
  std::vector<std::vector<std::string>> columns;
  size_t height = 1;
  for (size_t i = 0; i < cells.size(); ++i) {
    columns.push_back(wrapped(cells[i], widths[i]));
    height = std::max(height, columns.back().size());
  }
  for (size_t row = 0; row < height; ++row) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      std::string cell = row < columns[i].size() ? columns[i][row] : "";
      cell.resize(std::max(widths[i], cell.size()), ' ');
      line += cell + "  ";
    }
    std::printf("%s\n", line.substr(0, line.find_last_not_of(' ') + 1).c_str());
  }
}

void print_outcome(const Program& program, const Outcome& outcome) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f", outcome.seconds);
  print_row({program.network, "", outcome.met() ? "met" : outcome.failure, seconds});
  for (const Figure& figure : outcome.figures)
    print_row({"- " + figure.name, figure.stated, figure.got, figure.verdict == "ok" ? "" : figure.verdict});
}

int usage(FILE* out) {
  std::fprintf(out, "usage: tutorials [--quick] [program ...]\nprograms:");
  for (const Program& program : programs) std::fprintf(out, " %s", program.file.c_str());
  std::fprintf(out, "\n");
  return out == stdout ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Program> chosen;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto named = std::find_if(programs.begin(), programs.end(), [&](const Program& p) { return p.file == word; });
    if (word == "--help") return usage(stdout);
    if (word == "--quick") setenv("TAPEGRAD_QUICK", "1", 1);
    else if (named != programs.end()) chosen.push_back(*named);
    else return usage(stderr);
  }
  if (chosen.empty()) chosen = programs;

  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < chosen.size(); ++i) {
    std::printf("[%zu/%zu] %s\n", i + 1, chosen.size(), chosen[i].network.c_str());
    std::fflush(stdout);
    outcomes.push_back(run(folder / chosen[i].file));
  }

  std::printf("\n");
  print_row({"network", "the source states", "what came out", "seconds"});
  print_row({std::string(36, '-'), std::string(36, '-'), std::string(36, '-'), std::string(8, '-')});
  for (size_t i = 0; i < chosen.size(); ++i) print_outcome(chosen[i], outcomes[i]);
  if (examples::quick(argc, argv))
    std::printf("\nquick: long trainings were cut short and held to lower figures than their source's\n");
  const auto met = std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& o) { return o.met(); });
  std::printf("\n%td of %zu networks met every stated figure\n", met, outcomes.size());
  return met == static_cast<std::ptrdiff_t>(outcomes.size()) ? 0 : 1;
}

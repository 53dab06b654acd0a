// Runs the tutorial networks and ends with a table: what each source states, what came out, how long it took; and with
// an index of their pictures.
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

#include "common/index.h"
#include "common/report.h"

namespace {

using examples::Figure;
using examples::Section;

struct Program {
  std::string file;  // beside this program
  std::string network;
  std::string source;
};

const char* const trask = "Andrew Trask, \"A Neural Network in 11 lines of Python\", part 1";
const char* const cs231n = "Stanford's CS231n, \"Neural Networks part 1\"";
const char* const nielsen = "Michael Nielsen, \"A visual proof that neural nets can compute any function\"";
const char* const karn = "Ujjwal Karn, \"A quick introduction to neural networks\"";

const std::vector<Program> programs = {
    {"eleven_lines", "T1 eleven lines, two layers", trask},
    {"eleven_lines_hidden", "T2 eleven lines, three layers", trask},
    {"xor_by_hand", "T3 exclusive or by hand", "Steven Miller, \"How to build a neural network\""},
    {"neuron", "T4 one neuron, activations, layers", cs231n},
    {"capacity", "T5 size and regularisation", cs231n},
    {"linear_classification", "T6 linear classification, 3072-10", "Stanford's CS231n, \"Linear classification\""},
    {"universality", "T7 any function of one input", nielsen},
    {"towers", "T7 any function of two inputs", nielsen},
    {"sigmoid_mnist", "T8 exclusive or; digits, 784-15-10",
     "Nahua Kang, \"Multi-layer neural networks with sigmoid function\""},
    {"student", "T9 student, pass or fail", karn},
    {"mnist_mlp", "T10 digits, 784-300-100-10", karn},
    {"convnet", "T11 digits, convolutions", "\"Convolutional networks\" and \"Output and weights visualisation\""},
    {"binarized", "T12 digits, weights of +1 and -1", "Courbariaux et al., \"Binarized Neural Networks\""},
    {"program_learning", "T13 programs from examples", "\"Neural program learning from input-output examples\""},
};

std::string shell_quoted(const std::string& word) {
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// A line of a child: a figure or a picture is kept (examples/common/index.h has their columns), any other is shown.
void take_line(const std::string& line, Section& section) {
  std::vector<std::string> columns;
  std::istringstream in(line);
  for (std::string column; std::getline(in, column, '\t');) columns.push_back(column);
  if (columns.size() == 5 && columns[0] == "figure")
    section.figures.push_back({columns[1], columns[2], columns[3], columns[4]});
  else if (columns.size() == 4 && columns[0] == "picture")
    section.pictures.push_back({columns[1], columns[2], columns[3]});
  else std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

std::string failure_of(int status, const Section& section) {
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  const bool missed = std::any_of(section.figures.begin(), section.figures.end(),
                                  [](const Figure& figure) { return figure.verdict != "ok"; });
  if (missed) return "missed";
  if (WEXITSTATUS(status) != 0) return "exit status " + std::to_string(WEXITSTATUS(status));
  return section.figures.empty() ? "reported no figure" : "";
}

Section run(const Program& program, const std::string& folder) {
  Section section{program.file, program.network, program.source, {}, {}, 0, ""};
  const auto start = std::chrono::steady_clock::now();
  FILE* child = popen(shell_quoted(folder + "/" + program.file).c_str(), "r");
  if (!child) {
    section.failure = "could not be started";
    return section;
  }
  std::string line;
  for (int c = std::fgetc(child); c != EOF; c = std::fgetc(child)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    take_line(line, section);
    line.clear();
  }
  if (!line.empty()) take_line(line, section);
  section.failure = failure_of(pclose(child), section);
  section.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return section;
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
      if (i == 0 && row > 0) cell.insert(0, "  ");
      cell.resize(std::max(widths[i], cell.size()), ' ');
      line += cell + "  ";
    }
    std::printf("%s\n", line.substr(0, line.find_last_not_of(' ') + 1).c_str());
  }
}

void print_section(const Section& section) {
  print_row({section.network, "", section.met() ? "met" : section.failure, examples::printed("%.1f", section.seconds)});
  for (const Figure& figure : section.figures)
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

  const std::string folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::vector<Section> sections;
  for (size_t i = 0; i < chosen.size(); ++i) {
    std::printf("[%zu/%zu] %s\n", i + 1, chosen.size(), chosen[i].network.c_str());
    std::fflush(stdout);
    sections.push_back(run(chosen[i], folder));
  }

  std::printf("\n");
  print_row({"network", "the source states", "what came out", "seconds"});
  print_row({std::string(36, '-'), std::string(36, '-'), std::string(36, '-'), std::string(8, '-')});
  for (const Section& section : sections) print_section(section);
  const bool quick = examples::quick(argc, argv);
  const std::string shortened = "quick: long trainings were cut short and held to lower figures than their source's";
  if (quick) std::printf("\n%s\n", shortened.c_str());
  const auto met = std::count_if(sections.begin(), sections.end(), [](const Section& s) { return s.met(); });
  const std::string verdict = examples::printed("%td of %zu programs met every stated figure", met, sections.size());
  std::printf("\n%s\n", verdict.c_str());
  const std::string index = write_index(sections, verdict + (quick ? "; " + shortened : "") + ".");
  if (!index.empty()) std::printf("pictures: %s\n", index.c_str());
  return met == static_cast<std::ptrdiff_t>(sections.size()) ? 0 : 1;
}

// The report of a run: bench_report [RESULTS [FOLDER]], default out/bench/results.json and its folder, writes report.md and
// report.html there; bench_report --table RESULTS prints the table of bench_peers alone;
// bench_report --add RESULTS NAME UNIT SAMPLE... puts a row of tapegrad into it, for scripts that measure.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "peer_table.h"
#include "report/sections.h"

namespace {

using Words = std::vector<std::string>;

void add(const Words& words) {
  bench::Row row{words.at(2), "tapegrad", words.at(3), 1, {}};
  for (size_t i = 4; i < words.size(); ++i) row.samples.push_back(std::stod(words[i]));
  if (row.samples.empty()) throw std::runtime_error("--add needs samples");
  bench::add_to_results(words[1], {{}, {row}});
}

void print_table(const std::string& file) {
  const bench::Results results = bench::read_results(file);
  std::printf("%s\n\n%s", bench::about_text(results).c_str(),
              bench::markdown_table(bench::peer_table(results)).c_str());
}

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
  std::printf("written: %s\n", file.c_str());
}

void write_report(const std::string& file, std::string folder) {
  if (folder.empty()) folder = std::filesystem::path(file).parent_path().string();
  if (folder.empty()) folder = ".";
  std::filesystem::create_directories(folder);
  const bench::Document document = bench::report(bench::read_results(file), folder);
  write(folder + "/report.md", bench::markdown(document));
  write(folder + "/report.html", bench::html(document, folder));
}

}  // namespace

int main(int argc, char** argv) {
  const Words words(argv + 1, argv + argc);
  try {
    if (!words.empty() && words[0] == "--add") add(words);
    else if (!words.empty() && words[0] == "--table") print_table(words.at(1));
    else write_report(words.empty() ? "out/bench/results.json" : words[0], words.size() > 1 ? words[1] : "");
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_report: %s\n", e.what());
    return 1;
  }
}

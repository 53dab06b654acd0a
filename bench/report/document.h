// A report as text, tables and pictures, written as Markdown and as one HTML file that needs nothing else.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Table {
  std::vector<std::string> head;  // a last column "verdict" is coloured: "ok" or not
  std::vector<std::vector<std::string>> lines;
};

// An SVG file beside the report.
struct Picture {
  std::string file;  // empty: there is none
  std::string title;
};

struct Section {
  std::string title, text;
  std::vector<Picture> pictures = {};
  Table table = {};
};

struct Document {
  std::string title, about;
  std::vector<Section> sections = {};
};

std::string markdown_table(const Table& table);
std::string markdown(const Document& document);
// With the pictures inside; they are read from `folder`.
std::string html(const Document& document, const std::string& folder);

// A curve over logarithmic axes.
struct Curve {
  std::string title;
  std::vector<std::pair<double, double>> points;
  bool line = true;  // false: points alone
};

struct Plot {
  std::string name, title, x_label, y_label;
  std::vector<Curve> curves;
};

// Draws folder/name.svg by gnuplot; without gnuplot, or without points, the picture has no file.
Picture draw(const Plot& plot, const std::string& folder);

}  // namespace bench

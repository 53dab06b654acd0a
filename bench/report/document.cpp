// Markdown and HTML of a report, and its pictures through gnuplot.
#include "report/document.h"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace bench {
namespace {

bool left_aligned(const Table& table, size_t column) {
  const std::string& head = table.head[column];
  return column == 0 || head == "verdict" || head == "budget" || head == "column";
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out += c;
  }
  return out;
}

std::string base64(const std::string& bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) out += i + j > bytes.size() ? '=' : digits[group >> (18 - 6 * j) & 63];
  }
  return out;
}

std::string html_table(const Table& table) {
  std::string out = "<table><tr>";
  for (const std::string& cell : table.head) out += "<th>" + escaped(cell) + "</th>";
  out += "</tr>\n";
  for (const std::vector<std::string>& line : table.lines) {
    out += "<tr>";
    for (size_t i = 0; i < line.size(); ++i) {
      const bool verdict = table.head[i] == "verdict" && !line[i].empty() && line[i] != "-";
      const std::string of = verdict ? (line[i] == "ok" ? "ok" : "bad") : left_aligned(table, i) ? "left" : "";
      out += "<td" + (of.empty() ? "" : " class=" + of) + ">" + escaped(line[i]) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string commands(const Plot& plot, const std::string& file) {
  static constexpr const char* colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#999999"};
  std::string out =
      "set terminal svg noenhanced size 720,440 font 'sans,12' background 'white'\nset encoding utf8\nset output " +
      in_quotes(file) + "\nset title " + in_quotes(plot.title) + "\nset xlabel " + in_quotes(plot.x_label) +
      "\nset ylabel " + in_quotes(plot.y_label) +
      "\nset logscale xy\nset format xy '%g'\nset grid lc rgb '#d0d0d0' lt 1\nset key outside below\n";
  std::string command = "plot ";
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const Curve& curve = plot.curves[i];
    const std::string block = "$curve" + std::to_string(i);
    out += block + " << END\n";
    for (const auto& [x, y] : curve.points) {
      char line[64];
      std::snprintf(line, sizeof line, "%.9g %.9g\n", x, y);
      out += line;
    }
    out += "END\n";
    command += (i ? ", " : "") + block +
               (curve.line ? " with linespoints pt 7 ps 0.5 lw 2" : " with points pt 7 ps 0.4") + " lc rgb '" +
               colours[i % 5] + "' title " + in_quotes(curve.title);
  }
  return out + command + "\n";
}

bool has_gnuplot() {
  static const bool found = std::system("command -v gnuplot >/dev/null 2>&1") == 0;
  return found;
}

}  // namespace

std::string markdown_table(const Table& table) {
  std::string out = "|", rule = "|";
  for (size_t i = 0; i < table.head.size(); ++i) {
    out += " " + table.head[i] + " |";
    rule += left_aligned(table, i) ? "---|" : "---:|";
  }
  out += "\n" + rule + "\n";
  for (const std::vector<std::string>& line : table.lines) {
    out += "|";
    for (const std::string& cell : line) out += " " + cell + " |";
    out += "\n";
  }
  return out;
}

std::string markdown(const Document& document) {
  std::string out = "# " + document.title + "\n\n" + document.about + "\n";
  for (const Section& section : document.sections) {
    out += "\n## " + section.title + "\n\n" + section.text + "\n";
    for (const Picture& picture : section.pictures) {
      if (!picture.file.empty()) out += "\n![" + picture.title + "](" + picture.file + ")\n";
    }
    if (!section.table.lines.empty()) out += "\n" + markdown_table(section.table);
  }
  return out;
}

std::string html(const Document& document, const std::string& folder) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>" + escaped(document.title) +
      "</title>\n<style>body{font:15px/1.45 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}"
      "table{border-collapse:collapse;font-size:13px}td,th{border:1px solid #ccc;padding:2px 8px;text-align:right}"
      "td.left,td:first-child,th{text-align:left}td.ok{background:#d8f0dc;text-align:left}"
      "td.bad{background:#f8d7d0;text-align:left}img{max-width:100%}</style>\n<h1>" +
      escaped(document.title) + "</h1>\n<p>" + escaped(document.about) + "</p>\n";
  for (const Section& section : document.sections) {
    out += "<h2>" + escaped(section.title) + "</h2>\n<p>" + escaped(section.text) + "</p>\n";
    for (const Picture& picture : section.pictures) {
      if (picture.file.empty()) continue;
      std::ifstream in(folder + "/" + picture.file, std::ios::binary);
      const std::string svg{std::istreambuf_iterator<char>(in), {}};
      out += "<p><img alt='" + escaped(picture.title) + "' src='data:image/svg+xml;base64," + base64(svg) + "'></p>\n";
    }
    if (!section.table.lines.empty()) out += html_table(section.table);
  }
  return out + "</html>\n";
}

Picture draw(const Plot& given, const std::string& folder) {
  Plot plot = given;
  std::erase_if(plot.curves, [](const Curve& curve) { return curve.points.empty(); });
  Picture picture{"", plot.title};
  if (plot.curves.empty() || !has_gnuplot()) return picture;
  std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that gives up must not take the report along
  const std::string file = plot.name + ".svg";
  std::filesystem::remove(folder + "/" + file);
  FILE* const pipe = popen("gnuplot", "w");
  if (!pipe) return picture;
  std::fputs(commands(plot, folder + "/" + file).c_str(), pipe);
  if (pclose(pipe) == 0 && std::filesystem::exists(folder + "/" + file)) picture.file = file;
  return picture;
}

}  // namespace bench

// Writes plain HTML.
#include "common/index.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "common/report.h"

namespace examples {
namespace {

const char* const style = R"(
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 3rem; border-top: 1px solid #ddd; padding-top: 1.5rem; }
p.source { color: #666; margin-top: -0.6rem; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; }
figcaption { color: #444; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid #eee; }
td { overflow-wrap: anywhere; }
.missed { color: #b00020; font-weight: bold; }
)";

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string contents(const std::vector<Section>& sections) {
  std::string html = "<ul>\n";
  for (const Section& s : sections) {
    html += "<li><a href=\"#" + escaped(s.program) + "\">" + escaped(s.network) + "</a>";
    html += s.met() ? "</li>\n" : " <span class=\"missed\">" + escaped(s.failure) + "</span></li>\n";
  }
  return html + "</ul>\n";
}

std::string figures(const std::vector<Figure>& rows) {
  if (rows.empty()) return "";
  std::string html = "<table>\n<tr><th>figure</th><th>the source states</th><th>what came out</th></tr>\n";
  for (const Figure& row : rows) {
    const bool ok = row.verdict == "ok";
    html += "<tr><td>" + escaped(row.name) + "</td><td>" + escaped(row.stated) + "</td><td" +
            (ok ? ">" : " class=\"missed\">") + escaped(row.got) + (ok ? "" : " (" + escaped(row.verdict) + ")") +
            "</td></tr>\n";
  }
  return html + "</table>\n";
}

std::string section(const Section& s) {
  std::string html = "<h2 id=\"" + escaped(s.program) + "\">" + escaped(s.network) + "</h2>\n";
  html += "<p class=\"source\">" + escaped(s.source) + "; <code>examples/" + escaped(s.program) + ".cpp</code>, " +
          printed("%.1f", s.seconds) + " seconds</p>\n";
  if (!s.met()) html += "<p class=\"missed\">" + escaped(s.failure) + "</p>\n";
  for (const PictureFile& picture : s.pictures) {
    const std::string name = std::filesystem::path(picture.file).filename().string();
    html += "<figure><img src=\"" + escaped(name) + "\" alt=\"" + escaped(picture.title) + "\">\n<figcaption>" +
            escaped(picture.shows) + "</figcaption></figure>\n";
  }
  return html + figures(s.figures);
}

}  // namespace

std::string write_index(const std::vector<Section>& sections, const std::string& note) {
  std::string path = pictures_folder() + "/index.html";
  std::error_code error;
  std::filesystem::create_directories(pictures_folder(), error);
  std::ofstream out(path);
  out << "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      << "<meta name=\"viewport\" content=\"width=device-width\">\n<title>tapegrad: the tutorial networks</title>\n"
      << "<style>" << style << "</style>\n<h1>The tutorial networks</h1>\n<p>" << escaped(note) << "</p>\n"
      << contents(sections);
  for (const Section& s : sections) out << section(s);
  out << "</html>\n";
  out.close();
  if (out) return path;
  std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return "";
}

}  // namespace examples

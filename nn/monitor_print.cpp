// A gradient monitor's table, and its picture by gnuplot.
#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tapegrad/core/quote.h"
#include "tapegrad/nn/monitor_record.h"

namespace tapegrad::nn {
namespace {

std::string cell(double value) { return std::isnan(value) ? "-" : fmt::format("{:.3g}", value); }

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool ok = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int reason = errno;
  ok = file && std::fclose(file) == 0 && ok;
  if (!ok)
    throw IOError("GradientMonitor: the picture's files must be writable, got " + path.string() + ": " +
                  std::strerror(reason));
}

// Blocks of numbers for gnuplot's "index", and the panels that plot them.
class Picture {
 public:
  using Curves = std::vector<std::pair<std::string, const Curve*>>;
  explicit Picture(std::string data) : data_name_(std::move(data)) {}
  // Nothing without a point that can be drawn, at which gnuplot would give up.
  void panel(const std::string& title, const Curves& curves, bool logarithmic) {
    std::string plots;
    for (const auto& [name, curve] : curves) {
      if (!add(name, *curve, logarithmic)) continue;
      plots += fmt::format("{}{} index {} with linespoints pt 7 ps 0.3 title {}", plots.empty() ? "" : ", ",
                           in_quotes(data_name_), index_++, in_quotes(name));
    }
    if (plots.empty()) return;
    script_ += "reset; set grid; set key outside right noenhanced; set xlabel \"step\"; set autoscale xfix\n";
    script_ += "set title " + in_quotes(title) + "\n";
    script_ += logarithmic ? "set logscale y; set format y \"%.0e\"\n" : "set yrange [0:1]\n";
    script_ += "plot " + plots + "\n";
    ++panels_;
  }
  const std::string& data() const { return data_; }
  std::string script(const std::string& output, size_t curves) const {
    const size_t height = std::max<size_t>(1, panels_) * std::max<size_t>(300, 120 + 18 * curves);
    return fmt::format(
        "if (strstrt(GPVAL_TERMINALS, 'pngcairo')) set terminal pngcairo noenhanced size 900,{0}; else set terminal png "
        "noenhanced size 900,{0}\nset output {1}\nset datafile missing \"?\"\nset multiplot layout {2},1\n{3}"
        "unset multiplot\n",
        height, in_quotes(output), std::max<size_t>(1, panels_), script_);
  }

 private:
  bool add(const std::string& name, const Curve& curve, bool logarithmic) {
    bool any = false;
    std::string block = "# " + name + "\n";
    for (const auto& [step, value] : curve.points()) {
      const bool drawn = std::isfinite(value) && (value > 0 || !logarithmic);
      block += drawn ? fmt::format("{} {:.9g}\n", step, value) : fmt::format("{} ?\n", step);
      any = any || drawn;
    }
    if (any) data_ += block + "\n\n";
    return any;
  }

  std::string data_name_, data_, script_;
  size_t panels_ = 0;
  int index_ = 0;
};

// Why nothing was drawn; empty if it was.
std::string draw(const std::filesystem::path& script) {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return "gnuplot is not installed";
  const std::string folder = script.has_parent_path() ? script.parent_path().string() : ".";
  const std::string command = "cd " + shell_quoted(folder) + " && gnuplot " +
                              shell_quoted("./" + script.filename().string()) + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0 ? "" : "gnuplot failed";
}

}  // namespace

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> width(rows[0].size());
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  size_t total = 2 * (width.size() - 1);
  for (size_t w : width) total += w;
  std::string out;
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c)
      out += c == 0 ? fmt::format("{:<{}}", row[c], width[c]) : fmt::format("  {:>{}}", row[c], width[c]);
    out += "\n";
    if (&row == rows.data()) out += std::string(total, '-') + "\n";
  }
  return out;
}

std::string GradientMonitor::table() const {
  const Record& r = *record_;
  std::string text = fmt::format("after {} step{}\n", r.steps, r.steps == 1 ? "" : "s");
  std::vector<std::vector<std::string>> rows{{"parameter", "shape", "|gradient|", "rms", "update/weight"}};
  if (r.has_optimizer) rows[0].push_back("lr");
  for (const Record::Parameter& p : r.parameters) {
    const ParameterReading& reading = p.reading;
    rows.push_back(
        {reading.name, to_string(reading.sizes), cell(reading.gradient), cell(reading.rms), cell(reading.update)});
    if (r.has_optimizer) rows.back().push_back(cell(reading.lr));
  }
  text += aligned(rows);
  if (!r.activations.empty()) {
    rows = {{"activation", "units", "dead"}};
    for (const ActivationReading& a : activations())
      rows.push_back({a.name, std::to_string(a.units), fmt::format("{:.0f}%", 100 * a.dead)});
    text += "\n" + aligned(rows);
  }
  if (!r.warnings.empty()) text += "\n";
  for (const GradientWarning& w : r.warnings) {
    text +=
        fmt::format("{}: {} (in {} of {} steps, first in step {})\n", w.kind, w.text, w.steps, r.steps, w.first_step);
  }
  return text;
}

bool GradientMonitor::picture(const std::string& path) const {
  const Record& r = *record_;
  const std::filesystem::path file(path);
  if (file.extension() != ".png" || r.steps == 0)
    throw ValueError(
        fmt::format("GradientMonitor: picture() needs the name of a .png and at least one step, got \"{}\" "
                    "after {} steps",
                    path, r.steps));
  std::filesystem::path data = file, script = file;
  data.replace_extension(".dat");
  script.replace_extension(".gp");
  Picture picture(data.filename().string());
  Picture::Curves gradients, updates, dead;
  for (const Record::Parameter& p : r.parameters) {
    gradients.emplace_back(p.reading.name, &p.gradient);
    updates.emplace_back(p.reading.name, &p.update);
  }
  for (const Record::Activation& a : r.activations) dead.emplace_back(a.name, &a.dead);
  picture.panel("norm of the gradient", gradients, true);
  picture.panel("update / weight", updates, true);
  picture.panel("share of dead units", dead, false);
  if (file.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);  // what fails shows when the files are written
  }
  write_file(data, picture.data());
  write_file(script, picture.script(file.filename().string(), r.parameters.size()));
  const std::string obstacle = draw(script);
  if (obstacle.empty()) return true;
  std::fprintf(stderr, "GradientMonitor: %s is not drawn: %s; the numbers are in %s\n", path.c_str(), obstacle.c_str(),
               data.c_str());
  return false;
}

}  // namespace tapegrad::nn

// Drives gnuplot through a pipe.
#include "common/plot.h"

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/report.h"

using tapegrad::Tensor;

namespace examples::plot {
namespace {

// Why no picture can be drawn; empty if one can.
std::string obstacle() {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return "gnuplot is not installed";
  const std::string folder = pictures_folder();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "cannot write to " + folder + ": " + error.message() : "";
}

bool possible() {
  static const bool result = [] {
    const std::string reason = obstacle();
    if (!reason.empty()) std::printf("pictures are skipped: %s\n", reason.c_str());
    return reason.empty();
  }();
  return result;
}

// In gnuplot's double quotes backslashes and quotes are special, and in enhanced text, which is off, others.
std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

class Gnuplot {
 public:
  explicit Gnuplot(const std::string& file) {
    std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that gives up must not take the program along
    pipe_ = popen("gnuplot", "w");
    if (!pipe_) return;
    say("set encoding utf8");
    say("set output " + in_quotes(file));
  }
  Gnuplot(const Gnuplot&) = delete;
  Gnuplot& operator=(const Gnuplot&) = delete;
  ~Gnuplot() { finish(); }

  void say(const std::string& line) {
    if (pipe_) std::fprintf(pipe_, "%s\n", line.c_str());
  }
  // Rows of numbers as the block that later commands call `name`.
  void data(const std::string& name, const Tensor& rows) {
    const Tensor values = rows.detach().to(tapegrad::kFloat64).contiguous();
    const double* v = values.data_ptr<double>();
    say(name + " << END");
    for (int64_t i = 0; i < values.size(0); ++i) {
      std::string line;
      for (int64_t j = 0; j < values.size(1); ++j) line += number(*v++) + ' ';
      say(line);
    }
    say("END");
  }
  // Whether all went well.
  bool finish() {
    FILE* pipe = std::exchange(pipe_, nullptr);
    return pipe && pclose(pipe) == 0;
  }

 private:
  FILE* pipe_ = nullptr;
};

const char* const dark_to_bright =
    "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')";

void draw_panel(Gnuplot& gnuplot, const Curves& panel) {
  gnuplot.say("set xlabel " + in_quotes(panel.x_label) + "; set ylabel " + in_quotes(panel.y_label));
  gnuplot.say("set autoscale xfix; set grid lc rgb '#d0d0d0' lt 1; set key " + std::string(panel.key));
  if (panel.log_x) gnuplot.say("set logscale x");
  if (panel.log_y) gnuplot.say("set logscale y; set format y '%g'");
  if (!panel.x_range.empty()) gnuplot.say("set xrange [" + panel.x_range + "]");
  if (!panel.y_range.empty()) gnuplot.say("set yrange [" + panel.y_range + "]");
  static constexpr const char* colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#999999"};
  std::string command = "plot ";
  for (size_t i = 0; i < panel.curves.size(); ++i) {
    const Curve& curve = panel.curves[i];
    const std::string block = "$curve" + std::to_string(i);
    gnuplot.data(block, tapegrad::stack({curve.x.to(tapegrad::kFloat64), curve.y.to(tapegrad::kFloat64)}, 1));
    command += (i ? ", " : "") + block + (panel.markers ? " with linespoints pt 7" : " with lines") + " lw 2 lc rgb '" +
               colours[i % 5] + "' " + (curve.title.empty() ? "notitle" : "title " + in_quotes(curve.title));
  }
  gnuplot.say(command);
}

// As lines "column row red green blue", colours from 0 to 255.
Tensor coloured_pixels(const Tensor& colours) {
  const int64_t rows = colours.size(1), columns = colours.size(2);
  const Tensor values = colours.detach().to(tapegrad::kFloat64);
  const Tensor low = values.amin(), scaled = (values - low) * (255 / (values.amax() - low));
  const Tensor x = tapegrad::arange(columns).expand({rows, columns}).reshape({1, -1});
  const Tensor y = tapegrad::arange(rows).unsqueeze(1).expand({rows, columns}).reshape({1, -1});
  return tapegrad::cat({x.to(tapegrad::kFloat64), y.to(tapegrad::kFloat64), scaled.round().reshape({3, -1})}).t();
}

void draw_colours(Gnuplot& gnuplot, const Tensor& colours) {
  gnuplot.data("$pixels", coloured_pixels(colours));
  gnuplot.say("unset key; unset xtics; unset ytics; unset border; set size ratio -1");
  gnuplot.say("set xrange [-0.5:" + std::to_string(colours.size(2)) + "-0.5]");
  gnuplot.say("set yrange [" + std::to_string(colours.size(1)) + "-0.5:-0.5]; plot $pixels with rgbimage");
}

void draw_panel(Gnuplot& gnuplot, const Image& panel) {
  if (panel.values.dim() == 3) return draw_colours(gnuplot, panel.values);
  gnuplot.say(dark_to_bright);
  gnuplot.say("unset key; set style fill solid; set boxwidth 0.8");
  gnuplot.say("set xrange [-0.5:" + std::to_string(panel.values.size(1)) + "-0.5]");
  if (panel.values.size(0) == 1) {
    gnuplot.data("$bars", panel.values.t());
    gnuplot.say("set xtics 1; set yrange [0:*]; plot $bars with boxes lc rgb '#3b528b'");
    return;
  }
  gnuplot.data("$image", panel.values.reshape({-1, 1}));  // as a matrix it would be warned of NaN
  gnuplot.say("unset xtics; unset ytics; set size ratio -1");
  if (!panel.scale) gnuplot.say("unset colorbox");
  const std::string columns = std::to_string(panel.values.size(1));
  gnuplot.say("set yrange [" + std::to_string(panel.values.size(0)) + "-0.5:-0.5]; plot $image using (int($0)%" +
              columns + "):(int($0)/" + columns + "):1 with image");
}

// The field of a grid as block $field, and how its columns become coordinates.
std::string say_field(Gnuplot& gnuplot, const Grid& grid, const Tensor& values) {
  gnuplot.data("$field", values.reshape({grid.size, grid.size}));
  const std::string from = number(grid.from), step = number((grid.to - grid.from) / static_cast<double>(grid.size - 1));
  const std::string range = "[" + from + ":" + number(grid.to) + "]";
  gnuplot.say("set xrange " + range + "; set yrange " + range);
  return "$field matrix using (" + from + "+$1*" + step + "):(" + from + "+$2*" + step + "):3";
}

void draw_panel(Gnuplot& gnuplot, const Regions& panel) {
  gnuplot.say("set palette defined (0 '#6baed6', 0.5 '#ffffff', 1 '#fdae6b'); set cbrange [0:1]");
  gnuplot.say("unset key; unset colorbox; unset xtics; unset ytics; set size square");
  const std::string field = say_field(gnuplot, panel.grid, panel.probability);
  gnuplot.say("set contour; set cntrparam levels discrete 0.5; unset surface");
  gnuplot.say("set table $boundary; splot " + field + "; unset table; unset contour; set surface");
  gnuplot.data("$points", tapegrad::stack({panel.x.slice(1, 0, 1).reshape({-1}).to(tapegrad::kFloat64),
                                           panel.x.slice(1, 1, 2).reshape({-1}).to(tapegrad::kFloat64),
                                           panel.labels.reshape({-1}).to(tapegrad::kFloat64)},
                                          1));
  const auto points = [](const char* label, const char* colour) {
    const std::string chosen = "$points using 1:($3==" + std::string(label) + "?$2:NaN)";
    return chosen + " with points pt 7 ps 1.1 lc rgb 'white', " + chosen + " with points pt 7 ps 0.8 lc rgb '" +
           colour + "'";
  };
  gnuplot.say("plot " + field + " with image, $boundary with lines lw 2 lc rgb '#333333', " + points("0", "#08519c") +
              ", " + points("1", "#a63603"));
}

void draw_panel(Gnuplot& gnuplot, const Surface& panel) {
  gnuplot.say(dark_to_bright);
  gnuplot.say("set xlabel " + in_quotes(panel.x_label) + "; set ylabel " + in_quotes(panel.y_label));
  gnuplot.say("unset key; unset colorbox; set view 55, 330; set xyplane 0; set border 4095 lw 0.5");
  gnuplot.say("set xtics 0.5 offset 0,-0.2; set ytics 0.5 offset -0.5,-0.3; set ztics offset 0,0.3");
  gnuplot.say("set pm3d depthorder border lc rgb '#404040' lw 0.2");
  if (!panel.z_range.empty()) gnuplot.say("set zrange [" + panel.z_range + "]; set cbrange [" + panel.z_range + "]");
  gnuplot.say("splot " + say_field(gnuplot, panel.grid, panel.height) + " with pm3d");
}

struct Size {
  int width, height;
};
Size size_of(const Panel& panel, bool alone) {
  if (std::holds_alternative<Curves>(panel)) return alone ? Size{800, 500} : Size{420, 340};
  if (std::holds_alternative<Surface>(panel)) return alone ? Size{640, 520} : Size{420, 360};
  if (const Image* image = std::get_if<Image>(&panel))
    return image->values.size(-1) > 100 ? Size{540, 500} : alone ? Size{600, 480} : Size{300, 280};
  return {340, 360};
}

bool try_drawing(const std::string& file, const Picture& picture, const std::vector<Panel>& panels) {
  Gnuplot gnuplot(file);
  const int count = static_cast<int>(panels.size()), rows = (count + picture.columns - 1) / picture.columns;
  const Size cell = size_of(panels[0], count == 1);
  const std::string size = std::to_string(cell.width * picture.columns) + "," +
                           std::to_string(cell.height * rows + (picture.title.empty() ? 0 : 40));
  gnuplot.say("if (strstrt(GPVAL_TERMINALS, 'pngcairo')) set terminal pngcairo noenhanced font 'sans,11' size " + size +
              "; else set terminal png noenhanced size " + size);
  gnuplot.say("set multiplot layout " + std::to_string(rows) + "," + std::to_string(picture.columns) +
              (picture.title.empty() ? "" : " title " + in_quotes(picture.title)));
  for (const Panel& panel : panels) {
    gnuplot.say("reset");
    std::visit(
        [&](const auto& one) {
          if (!one.title.empty()) gnuplot.say("set title " + in_quotes(one.title));
          draw_panel(gnuplot, one);
        },
        panel);
  }
  gnuplot.say("unset multiplot");
  return gnuplot.finish();
}

}  // namespace

Tensor Grid::points(tapegrad::DType dtype) const {
  const Tensor side = tapegrad::linspace(from, to, size, dtype);
  const Tensor x = side.expand({size, size}), y = side.unsqueeze(1).expand({size, size});
  return tapegrad::stack({x.reshape({-1}), y.reshape({-1})}, 1);
}

Image tiles(std::string title, const Tensor& images, int64_t across) {
  tapegrad::NoGradGuard no_grad;
  const Tensor low = images.amin({1, 2}, true), range = images.amax({1, 2}, true) - low;
  const Tensor framed = pad((images - low) / range.clamp_min(1e-12), {0, 1, 0, 1}, "constant", NAN);
  const int64_t rows = framed.size(1), columns = framed.size(2);
  const Tensor placed = framed.reshape({-1, across, rows, columns}).transpose(1, 2).reshape({-1, across * columns});
  return {std::move(title), placed.slice(0, 0, -1).slice(1, 0, -1), false};
}

void draw(const Picture& picture, const std::vector<Panel>& panels) {
  if (!possible()) return;
  const std::string file = pictures_folder() + "/" + picture.name + ".png";
  if (try_drawing(file, picture, panels))
    std::printf("picture\t%s\t%s\t%s\n", file.c_str(), picture.title.c_str(), picture.shows.c_str());
  else std::printf("picture %s is missing: gnuplot failed\n", file.c_str());
  std::fflush(stdout);
}

}  // namespace examples::plot

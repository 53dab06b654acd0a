// Drives gnuplot through a pipe.
#include "common/plot.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

using tapegrad::Tensor;

namespace examples::plot {
namespace {

const char* const folder = "out/tutorials";

// Why no picture can be drawn; empty if one can.
std::string obstacle() {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return "gnuplot is not installed";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? std::string("cannot write to ") + folder + ": " + error.message() : "";
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

class Gnuplot {
 public:
  Gnuplot(const std::string& name, int width, int height) : file_(std::string(folder) + "/" + name + ".png") {
    std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that gives up must not take the program along
    pipe_ = popen("gnuplot", "w");
    if (!pipe_) return;
    say("set encoding utf8");
    say("set terminal png noenhanced size " + std::to_string(width) + "," + std::to_string(height));
    say("set output " + in_quotes(file_));
  }
  Gnuplot(const Gnuplot&) = delete;
  Gnuplot& operator=(const Gnuplot&) = delete;
  ~Gnuplot() {
    const bool drawn = pipe_ && pclose(pipe_) == 0;
    std::printf(drawn ? "picture: %s\n" : "picture %s is missing: gnuplot failed\n", file_.c_str());
  }

  void say(const std::string& line) {
    if (pipe_) std::fprintf(pipe_, "%s\n", line.c_str());
  }

 private:
  std::string file_;
  FILE* pipe_ = nullptr;
};

double at(const Tensor& x, int64_t i) { return x[i].item<double>(); }

void draw_bars(Gnuplot& gnuplot, const Tensor& values) {
  gnuplot.say("set xtics 1; set ytics auto; set size noratio; set yrange [0:*]");
  gnuplot.say("plot '-' with boxes lc rgb '#3b528b'");
  for (int64_t i = 0; i < values.size(0); ++i) gnuplot.say(std::to_string(i) + " " + std::to_string(at(values, i)));
  gnuplot.say("e");
}

void draw_image(Gnuplot& gnuplot, const Tensor& values) {
  gnuplot.say("unset xtics; unset ytics; set size ratio -1");
  gnuplot.say("set yrange [" + std::to_string(values.size(0)) + "-0.5:-0.5]");
  gnuplot.say("plot '-' matrix with image");
  for (int64_t i = 0; i < values.size(0); ++i) {
    std::string line;
    for (int64_t j = 0; j < values.size(1); ++j) line += std::to_string(at(values[i], j)) + " ";
    gnuplot.say(line);
  }
  gnuplot.say("e");
}

}  // namespace

void curves(const std::string& name, const Axes& axes, const std::vector<Curve>& curves) {
  if (!possible()) return;
  Gnuplot gnuplot(name, 800, 500);
  gnuplot.say("set title " + in_quotes(axes.title));
  gnuplot.say("set xlabel " + in_quotes(axes.x_label));
  gnuplot.say("set ylabel " + in_quotes(axes.y_label));
  gnuplot.say("set grid");
  if (axes.log_y) gnuplot.say("set logscale y; set format y '%g'");
  std::string command = "plot ";
  for (size_t i = 0; i < curves.size(); ++i)
    command += (i ? ", " : "") + std::string("'-' with lines lw 2 title ") + in_quotes(curves[i].title);
  gnuplot.say(command);
  for (const Curve& curve : curves) {
    for (int64_t i = 0; i < curve.x.size(0); ++i)
      gnuplot.say(std::to_string(at(curve.x, i)) + " " + std::to_string(at(curve.y, i)));
    gnuplot.say("e");
  }
}

void images(const std::string& name, const std::string& title, const std::vector<Image>& images, int columns) {
  if (!possible()) return;
  const int rows = (static_cast<int>(images.size()) + columns - 1) / columns;
  Gnuplot gnuplot(name, 300 * columns, 300 * rows + 40);
  gnuplot.say("set multiplot layout " + std::to_string(rows) + "," + std::to_string(columns) + " title " +
              in_quotes(title));
  gnuplot.say("set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')");
  gnuplot.say("unset key; set style fill solid; set boxwidth 0.8");
  for (const Image& image : images) {
    const Tensor values = image.values.detach();
    gnuplot.say("set title " + in_quotes(image.title));
    gnuplot.say("set xrange [-0.5:" + std::to_string(values.size(1)) + "-0.5]");
    if (values.size(0) == 1) draw_bars(gnuplot, values[0]);
    else draw_image(gnuplot, values);
  }
  gnuplot.say("unset multiplot");
}

}  // namespace examples::plot

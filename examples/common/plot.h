// Pictures through gnuplot, into out/tutorials/ below the working directory.
// Without gnuplot they are skipped, which is said once; a picture never makes a program fail.
#pragma once

#include <string>
#include <vector>

#include "tapegrad/tapegrad.h"

namespace examples::plot {

struct Curve {
  std::string title;
  tapegrad::Tensor x, y;  // 1-D, of one length
};

struct Axes {
  std::string title, x_label, y_label;
  bool log_y = false;
};

// y over x, into out/tutorials/<name>.png.
void curves(const std::string& name, const Axes& axes, const std::vector<Curve>& curves);

struct Image {
  std::string title;
  tapegrad::Tensor values;  // [rows, columns], row 0 on top
};

// Images side by side, `columns` in a row, each from its own smallest (dark) to its own largest value (bright).
// One of a single row is drawn as bars.
void images(const std::string& name, const std::string& title, const std::vector<Image>& images, int columns);

}  // namespace examples::plot

// Pictures through gnuplot, into pictures_folder().
// Without gnuplot they are skipped, which is said once; a picture never makes a program fail.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "tapegrad/tapegrad.h"

namespace examples::plot {

struct Curve {
  std::string title;
  tapegrad::Tensor x, y;  // 1-D, of one length
};

// y over x. An empty range fits the data.
struct Curves {
  std::string title = "", x_label = "", y_label = "";
  std::vector<Curve> curves = {};
  bool log_x = false, log_y = false, markers = false;
  std::string x_range = "", y_range = "";  // "0:1"
  const char* key = "top right";           // where the titles of the curves stand
};

// A matrix as pixels, row 0 on top, from its own smallest (dark) to its own largest value (bright). One of a single row
// is drawn as bars; NaN stays white. Three of them as colours: red, green, blue, together from their smallest to their largest value.
struct Image {
  std::string title;
  tapegrad::Tensor values;  // [rows, columns] or [3, rows, columns]
  bool scale = true;        // what the colours stand for, beside it
};

// Many small images [n, rows, columns] as one, `across` in a row with gaps between, each in the colours of its own range.
// n must be a multiple of `across`.
Image tiles(std::string title, const tapegrad::Tensor& images, int64_t across);

// Numbered points of a square grid over [from, to]^2 as rows (x, y), y outermost: what a field is evaluated on.
struct Grid {
  double from, to;
  int64_t size;                                                               // points per side
  tapegrad::Tensor points(tapegrad::DType dtype = tapegrad::kFloat32) const;  // [size * size, 2]
};

// The probability of class 1 over a grid, the line where it is one half, and the examples of both classes.
struct Regions {
  std::string title;
  Grid grid;
  tapegrad::Tensor probability;  // of each of grid.points()
  tapegrad::Tensor x, labels;    // [n, 2] and [n]
};

// Heights over a grid, seen from above at an angle.
struct Surface {
  std::string title = "", x_label = "", y_label = "";
  Grid grid;
  tapegrad::Tensor height;  // at each of grid.points()
  std::string z_range = "";
};

using Panel = std::variant<Curves, Image, Regions, Surface>;

struct Picture {
  std::string name;   // <name>.png
  std::string title;  // above all panels; empty for none
  std::string shows;  // for the index: what there is to see
  int columns = 1;    // panels in a row
};

// Draws the panels and prints a line of four columns separated by tabs: "picture", file, title, shows.
void draw(const Picture& picture, const std::vector<Panel>& panels);

}  // namespace examples::plot

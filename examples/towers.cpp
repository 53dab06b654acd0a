// T7, "A visual proof that neural nets can compute any function" (Nielsen, chapter 4), two inputs: steps in x and in y,
// towers from four of them, many towers as any function; where steps that are not steep fail, and the half-shift trick.
#include <cstdio>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;
using examples::printed;
using examples::plot::Curves;
using examples::plot::Grid;
using examples::plot::Surface;

// The height of a bump. A tower is where two meet, above 3h/2; where one is, sigmoid(-h/2) leaks through. The source's 10
// will do for one tower; a row of many leaks many times that.
const double h = 30;

// A function of points [n, 2], well away from 1/2, which is what the network answers where it has no tower.
Tensor goal(const Tensor& points) {
  const Tensor x = points.slice(1, 0, 1), y = points.slice(1, 1, 2);
  return 0.75 + 0.15 * sin(5 * x) * cos(4 * y);
}

// The edges of towers 1/side wide that cover the square and reach beyond it, moved by a share of a tower.
Tensor edges_of(int64_t side, double shift) {
  return (arange(side + 3, kFloat64) - 1 + shift) / static_cast<double>(side);
}

// Pairs of step neurons on one input [n, 1]: bump j of height h between edges j and j + 1.
Tensor bumps(const Tensor& input, const Tensor& edges, double w) {
  const Tensor steps = sigmoid(w * (input - edges));
  return h * steps.slice(1, 0, -1) - h * steps.slice(1, 1);
}

// A neuron for every bump in y with every bump in x: their sum against the threshold.
Tensor towers(const Tensor& points, const Tensor& edges, double w) {
  const Tensor in_x = bumps(points.slice(1, 0, 1), edges, w), in_y = bumps(points.slice(1, 1, 2), edges, w);
  return sigmoid(in_x.unsqueeze(1) + in_y.unsqueeze(2) - 3 * h / 2).flatten(1);
}

// The whole network: `sets` of towers, each shifted against the others and building its share of the inverse sigmoid of
// the goal; the output neuron is a sigmoid.
Tensor network(const Tensor& points, int64_t side, int sets, double w) {
  Tensor sum = zeros({points.size(0), 1}, kFloat64);
  for (int set = 0; set < sets; ++set) {
    const Tensor edges = edges_of(side, static_cast<double>(set) / sets);
    const Tensor middle = (edges.slice(0, 0, -1) + edges.slice(0, 1)) / 2;
    const int64_t n = middle.size(0);
    const Tensor x = middle.expand({n, n}), y = middle.unsqueeze(1).expand({n, n});
    const Tensor wanted = goal(stack({x.reshape({-1}), y.reshape({-1})}, 1));
    sum += mm(towers(points, edges, w), log(wanted / (1 - wanted)) / sets);
  }
  return sigmoid(sum);
}

void one_tower(examples::Report& report) {
  const Grid square{0.01, 0.99, 50};  // no point lies right on an edge
  const Tensor points = square.points(kFloat64), edges = tensor({0.3, 0.7}, kFloat64);
  const Tensor x = points.slice(1, 0, 1), y = points.slice(1, 1, 2);
  const double w = 300;
  const Tensor tower = towers(points, edges, w);
  const Tensor inside = (abs(x - 0.5) < 0.19).logical_and(abs(y - 0.5) < 0.19);
  const Tensor outside = ((abs(x - 0.5) < 0.21).logical_and(abs(y - 0.5) < 0.21)).logical_not();
  report.at_least("tower, lowest inside", 0.99, min(tower.index({inside})).item<double>());
  report.at_most("tower, highest outside", 0.01, max(tower.index({outside})).item<double>());

  const auto surface = [&](const char* title, const Tensor& height) {
    return Surface{.title = title, .x_label = "x", .y_label = "y", .grid = square, .height = height};
  };
  const Tensor in_x = bumps(x, edges, w), in_y = bumps(y, edges, w);
  examples::plot::draw(
      {.name = "t07_towers",
       .title = "From steps to towers",
       .shows = "A step neuron on x and one on y; a pair of each; their sum, 2h where both are up and h where one is; "
                "the tower left by the threshold 3h/2; and 10 x 10 towers of their own heights as a function.",
       .columns = 3},
      {surface("step in x", sigmoid(w * (x - 0.3))), surface("step in y", sigmoid(w * (y - 0.3))),
       surface("bump in x, height h", in_x), surface("bumps in x and y", in_x + in_y),
       surface("tower: threshold 3h/2", tower), surface("10 x 10 towers", network(points, 10, 1, 2000))});
}

void many_towers(examples::Report& report) {
  const Tensor points = Grid{0, 1, 99}.points(kFloat64), wanted = goal(points);
  std::vector<double> deviations;
  for (const int64_t side : {5, 10, 20}) {
    const double w = 200 * static_cast<double>(side);
    deviations.push_back(mean(abs(network(points, side, 1, w) - wanted)).item<double>());
    std::printf("%2ld x %2ld towers  average deviation %.5f\n", side, side, deviations.back());
  }
  report.falls("average deviation, 5, 10, 20 towers a side", deviations, 4);
}

void windows_of_failure(examples::Report& report) {
  const int64_t side = 5;
  const double w = 200;  // so that the windows are wide enough to be seen
  const Tensor t = linspace(0, 1, 801, kFloat64), diagonal = stack({t, t}, 1);
  Curves panel{.x_label = "x = y", .y_label = "output", .curves = {{"goal", t, goal(diagonal).squeeze(1)}}};
  panel.y_range = "0.4:1.1";
  std::vector<double> worst;
  for (const int sets : {1, 2, 4}) {
    const Tensor y = network(diagonal, side, sets, w);
    worst.push_back(max(abs(y - goal(diagonal))).item<double>());
    panel.curves.push_back({printed("%d set%s of towers", sets, sets == 1 ? "" : "s"), t, y.squeeze(1)});
    std::printf("%d sets of towers  worst deviation on the diagonal %.3f\n", sets, worst.back());
  }
  report.falls("worst deviation, 1, 2, 4 shifted sets", worst, 3);
  const double better = worst[0] / worst[1];
  report.holds("the half shift, in the windows", "about 2 times better", printed("%.1f times", better), better > 1.5);
  examples::plot::draw(
      {.name = "t07_half_shift",
       .title = "Windows of failure, and the half-shift trick",
       .shows = "Along the diagonal, where steps that are not steep enough leave gaps at the corners of "
                "towers. Two sets shifted by half a tower, each building half of the goal, fail in "
                "different places and by half as much; four sets by a quarter."},
      {panel});
}

int main() {
  examples::Report report;
  one_tower(report);
  many_towers(report);
  windows_of_failure(report);
  return report.exit_status();
}

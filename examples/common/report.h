// What a tutorial's source states beside what came out here, for people and for the runner.
#pragma once

#include <string>
#include <vector>

#include "tapegrad/tapegrad.h"

namespace examples {

// Every check prints a line of five columns separated by tabs: "figure", name, stated, got, "ok" or "MISSED".
class Report {
 public:
  // Each number in `stated` (separated by spaces) against the element of `got` at its place: equal at the decimals it
  // is stated with, or within the tolerance.
  void equals(const std::string& name, const std::string& stated, const tapegrad::Tensor& got);
  void equals(const std::string& name, const std::string& stated, const tapegrad::Tensor& got, double tolerance);
  void at_least(const std::string& name, double stated, double got);
  void at_most(const std::string& name, double stated, double got);
  // Each value above (below) the one before it.
  void rises(const std::string& name, const std::vector<double>& values, int decimals);
  void falls(const std::string& name, const std::vector<double>& values, int decimals);
  void holds(const std::string& name, const std::string& stated, const std::string& got, bool ok);
  // A test accuracy on MNIST, or, without MNIST, on drawn digits, which have a bar of their own.
  void accuracy(bool mnist, double stated, double stated_for_drawn, double got);
  // The program's exit status: 0 when every figure was met, else 1.
  int exit_status() const { return missed_ ? 1 : 0; }

 private:
  int missed_ = 0;
};

// As std::printf, into a string.
[[gnu::format(printf, 1, 2)]] std::string printed(const char* format, ...);

// Whether the short form is asked for, by --quick or by TAPEGRAD_QUICK in the environment.
bool quick(int argc, char** argv);

// Where pictures and their index go: tutorials/ in the folder that TAPEGRAD_OUT names, which is out/ below the working directory
// where it does not.
std::string pictures_folder();

}  // namespace examples

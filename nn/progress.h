// A progress bar on stderr that is silent when nobody watches.
#pragma once

#include <cstdint>
#include <string>

#include "tapegrad/core/export.h"

namespace tapegrad::nn {

// label [#####-----]  50%  500/1000  12 s left  note. Nothing is printed when stderr is not a terminal.
//   nn::Progress progress(epochs, "training");
//   for (...) progress.step("loss " + std::to_string(loss));
class TAPEGRAD_API Progress {
 public:
  explicit Progress(int64_t total, std::string label = "");
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One more is done; drawn at most every 50 ms.
  void step(const std::string& note = "") { update(done_ + 1, note); }
  // `done` of the total are done.
  void update(int64_t done, const std::string& note = "");
  // Draws the last state and ends the line; later calls do nothing.
  void finish();
  bool visible() const { return visible_; }

 private:
  void draw(int64_t now);

  std::string label_, note_;
  int64_t total_;
  int64_t done_ = 0;
  int64_t started_;  // microseconds
  int64_t next_draw_ = 0;
  bool visible_;
};

}  // namespace tapegrad::nn

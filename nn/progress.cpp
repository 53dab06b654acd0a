// A progress bar on stderr.
#include "tapegrad/nn/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace tapegrad::nn {
namespace {

constexpr int64_t kDrawInterval = 50'000;

int64_t microseconds() {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Progress::Progress(int64_t total, std::string label)
    : label_(std::move(label)),
      total_(std::max<int64_t>(total, 0)),
      started_(microseconds()),
      visible_(isatty(STDERR_FILENO) == 1) {}

void Progress::update(int64_t done, const std::string& note) {
  done_ = std::clamp<int64_t>(done, 0, total_);
  if (!visible_) return;
  note_ = note;
  const int64_t now = microseconds();
  if (now < next_draw_ && done_ < total_) return;
  next_draw_ = now + kDrawInterval;
  draw(now);
}

void Progress::finish() {
  if (!visible_) return;
  draw(microseconds());
  std::fputc('\n', stderr);
  visible_ = false;
}

void Progress::draw(int64_t now) {
  constexpr int kWidth = 24;
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
  const int filled = static_cast<int>(share * kWidth);
  const std::string bar =
      std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), '-');
  const double seconds = static_cast<double>(now - started_) * 1e-6;
  const bool running = done_ > 0 && done_ < total_;
  const double shown = running ? seconds * (1 / share - 1) : seconds;
  // \033[K clears what a longer line left behind.
  std::fprintf(stderr, "\r%s%s[%s] %3d%%  %lld/%lld  %.0f s%s%s%s\033[K", label_.c_str(), label_.empty() ? "" : " ",
               bar.c_str(), static_cast<int>(share * 100), static_cast<long long>(done_),
               static_cast<long long>(total_), shown, running ? " left" : "", note_.empty() ? "" : "  ", note_.c_str());
  std::fflush(stderr);
}

}  // namespace tapegrad::nn

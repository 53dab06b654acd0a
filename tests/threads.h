// How many threads the process has.
#pragma once

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

inline long count_threads() {
  // The thread sanitizer brings a thread of its own with the first one that is started.
  [[maybe_unused]] static const bool started = [] {
    std::thread([] {}).join();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until it is no longer listed
    return true;
  }();
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

// Whether the process comes to this many threads: a joined thread stays listed for a moment.
inline bool settles_at(long threads) {
  for (int i = 0; i < 2000 && count_threads() != threads; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return count_threads() == threads;
}

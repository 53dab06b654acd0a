// What a profile holds, shared by the files of profile.
#pragma once

#include "tapegrad/autograd/profile/profiler.h"

namespace tapegrad {

struct Profile::Record {
  // A launch.
  struct Event {
    size_t row;
    int64_t start, took;  // nanoseconds
  };
  struct Scope {
    const char* kind;
    std::string name;
    int64_t start, took;
  };

  ProfilerOptions options;
  std::vector<ProfileRow> rows;
  std::vector<Event> events;
  std::vector<Scope> scopes;
  int64_t left_out = 0;  // events and scopes beyond max_events
  int64_t start = 0, end = 0;
  int64_t thread = 0;

  // Rows with what only the machine knows, by time.
  std::vector<ProfileRow> finished() const;
};

}  // namespace tapegrad

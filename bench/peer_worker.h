// A worker of bench_peers: measures rows on demand, one process per library, spoken to over stdin and stdout.
//   about            -> ok <library and versions>
//   check <row> <n>  -> ok <number>      that describes the results of n steps from the row's start
//   run <row> <n>    -> ok <ns> <ns>     wall and processor time of n steps, after the row was made and warmed up
//   notes <row>      -> ok <name>=<number> ...   what else it has to say of the run
// and `none [<why>]` for a row it does not have, `error <text>` when a row throws. Driver and workers agree on nothing else.
#pragma once

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

// A row made ready: what is timed, and what its results come to.
struct Work {
  std::function<void()> step;
  std::function<double()> value;
  std::function<std::map<std::string, double>()> notes = {};
};

struct PeerRow {
  std::string name;
  std::function<Work()> make;
  std::function<Work()> make_check = {};  // for a row whose step is too long to be checked by
  int warm_up = 3;                        // steps; a replay is captured in the second
};

// Thrown by make() for a row that cannot be had here.
struct NotHere : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class PeerWorker {
 public:
  PeerWorker(std::string about, std::vector<PeerRow> rows) : about_(std::move(about)), rows_(std::move(rows)) {}

  int serve(int argc, char** argv) {
    if (argc != 2 || std::string(argv[1]) != "--worker") {
      std::printf("%s: a worker that bench_peers starts; run bench_peers\n", argv[0]);
      return 0;
    }
    for (std::string line; std::getline(std::cin, line);) {
      std::string answer;
      try {
        answer = obey(line);
      } catch (const NotHere& e) { answer = std::string("none ") + e.what(); } catch (const std::exception& e) {
        answer = std::string("error ") + e.what();
      }
      for (char& c : answer) c = c == '\n' ? ' ' : c;
      std::printf("%s\n", answer.c_str());
      std::fflush(stdout);
    }
    return 0;
  }

 private:
  std::string obey(const std::string& line) {
    std::istringstream in(line);
    std::string command, name;
    int64_t steps = 0;
    in >> command >> name >> steps;
    if (command == "about") return "ok " + about_;
    const PeerRow* row = find(name);
    if (!row) return "none";
    if (command == "check") return checked(*row, steps);
    if (command == "run") return timed(*row, steps);
    if (command == "notes") return notes();
    return "error unknown command " + command;
  }

  const PeerRow* find(const std::string& name) const {
    for (const PeerRow& row : rows_) {
      if (row.name == name) return &row;
    }
    return nullptr;
  }

  std::string checked(const PeerRow& row, int64_t steps) {
    open_.clear();
    work_ = {};
    work_ = row.make_check ? row.make_check() : row.make();
    for (int64_t i = 0; i < steps; ++i) work_.step();
    char text[64];
    std::snprintf(text, sizeof text, "ok %.17g", work_.value());
    return text;
  }

  // One row's tensors are held at a time; a row that stays open keeps its memory and caches warm.
  std::string timed(const PeerRow& row, int64_t steps) {
    if (open_ != row.name) {
      work_ = {};
      work_ = row.make();
      for (int i = 0; i < row.warm_up; ++i) work_.step();
      open_ = row.name;
    }
    const int64_t wall = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < steps; ++i) work_.step();
    return "ok " + std::to_string(now(CLOCK_MONOTONIC) - wall) + " " +
           std::to_string(now(CLOCK_PROCESS_CPUTIME_ID) - processor);
  }

  std::string notes() const {
    std::string text = "ok";
    if (!work_.notes) return text;
    for (const auto& [name, value] : work_.notes()) text += " " + name + "=" + std::to_string(value);
    return text;
  }

  static int64_t now(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }

  std::string about_, open_;
  std::vector<PeerRow> rows_;
  Work work_;
};

}  // namespace bench

// The command line of the programs that measure rows in turns: NAME [--rows REGEX] [--rounds N] [--quick] [--results FILE].
#pragma once

#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>

#include "rounds.h"

namespace bench {

struct TurnOptions {
  std::regex rows{""};
  Turns turns;
  bool quick = false;  // to see that it works
  bool cpu = false;
  std::string results;
};

struct TurnProgram {
  std::string name;
  std::string rows = {};  // that the usage tells
  bool has_cpu = false;   // takes --cpu

  [[noreturn]] void usage(const std::string& complaint) const {
    std::fprintf(stderr, "%s: %s\nusage: %s [--rows REGEX] [--rounds N] [--quick]%s [--results FILE]\n%s", name.c_str(),
                 complaint.c_str(), name.c_str(), has_cpu ? " [--cpu]" : "", rows.c_str());
    std::exit(2);
  }

  TurnOptions parse(int argc, char** argv) const {
    TurnOptions options;
    for (int i = 1; i < argc; ++i) {
      const std::string option = argv[i];
      if (option == "--quick") {
        options.quick = true;
        options.turns = {3, 0.005, 5, 1};
      } else if (option == "--cpu" && has_cpu) {
        options.cpu = true;
      } else if (option == "--rows" || option == "--rounds" || option == "--results") {
        if (++i == argc) usage(option + " needs a value");
        take(option, argv[i], options);
      } else {
        usage("unknown option " + option);
      }
    }
    return options;
  }

 private:
  void take(const std::string& option, const char* value, TurnOptions& options) const {
    if (option == "--results") options.results = value;
    if (option == "--rounds" && (options.turns.rounds = std::atoi(value)) < 1) usage("--rounds needs a number above 0");
    try {
      if (option == "--rows") options.rows = std::regex(value);
    } catch (const std::regex_error& e) { usage(std::string("--rows: ") + e.what()); }
  }
};

}  // namespace bench

// A worker of bench_peers as its driver sees it: a child process, a question and an answer over two pipes.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "peer_tuning.h"

namespace bench {

class Peer {
 public:
  // Starts the program with one thread for OpenMP and OpenBLAS, and the further environment given.
  explicit Peer(const std::string& program, const Environment& environment = {}) {
    if (access(program.c_str(), X_OK) != 0) return;
    std::signal(SIGPIPE, SIG_IGN);  // a worker that died is an error, not a death
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) throw std::runtime_error("pipe failed");
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      dup2(to[0], 0);
      dup2(from[1], 1);
      for (const int end : {to[0], to[1], from[0], from[1]}) close(end);
      setenv("OMP_NUM_THREADS", "1", 1);
      setenv("OPENBLAS_NUM_THREADS", "1", 1);
      for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
      execl(program.c_str(), program.c_str(), "--worker", static_cast<char*>(nullptr));
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    to_ = fdopen(to[1], "w");
    from_ = fdopen(from[0], "r");
    try {
      about_ = answer("about").substr(3);
    } catch (const std::exception&) { stop(); }
  }
  ~Peer() { stop(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool alive() const { return pid_ > 0; }
  const std::string& about() const { return about_; }

  // The first (or second) number it answers; nothing for a row it does not have. std::runtime_error when it fails or dies.
  std::optional<double> ask(const std::string& question, bool second = false) {
    const std::string text = answer(question);
    if (text.rfind("none", 0) == 0) {
      if (text.size() > 5) why_not_ = text.substr(5);
      return {};
    }
    if (text.rfind("ok ", 0) != 0) throw std::runtime_error(about_ + ", asked to " + question + ": " + text);
    char* end = nullptr;
    const double first = std::strtod(text.c_str() + 3, &end);
    return second ? std::strtod(end, nullptr) : first;
  }
  // Why it does not have the row it was last asked for and did not have; may be empty.
  const std::string& why_not() const { return why_not_; }

  // The numbers by name that it has to say of the row it ran last.
  std::map<std::string, double> notes(const std::string& row) {
    std::map<std::string, double> all;
    std::istringstream words(answer("notes " + row));
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      if (equals != std::string::npos) all[word.substr(0, equals)] = std::strtod(word.c_str() + equals + 1, nullptr);
    }
    return all;
  }

 private:
  std::string answer(const std::string& question) {
    std::fprintf(to_, "%s\n", question.c_str());
    std::fflush(to_);
    std::string text;
    for (int c; (c = std::fgetc(from_)) != '\n';) {
      if (c == EOF) throw std::runtime_error(about_ + " died, asked to " + question);
      text += static_cast<char>(c);
    }
    return text;
  }
  void stop() {
    if (pid_ <= 0) return;
    std::fclose(to_);
    std::fclose(from_);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  pid_t pid_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
  std::string about_, why_not_;
};

}  // namespace bench

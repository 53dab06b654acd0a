// Worker processes on socket pairs: an index goes out, an outcome comes back.
#include "workers.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace gradcheck_ops {
namespace {

using op_properties::Finding;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// False at the end of the stream.
bool receive(int fd, void* data, size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = recv(fd, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool send_all(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Numbers as they lie in memory, texts after their length.
template <class T> void put(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    put(out, value.size());
    out += value;
  } else {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
}

template <class T> T take(const std::string& in, size_t& at) {
  if constexpr (std::is_same_v<T, std::string>) {
    const size_t n = take<size_t>(in, at);
    at += n;
    return in.substr(at - n, n);
  } else {
    T value;
    std::memcpy(&value, in.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
}

std::string packed(const Outcome& outcome) {
  std::string out;
  put(out, outcome.checks);
  put(out, outcome.seconds);
  put(out, outcome.found.size());
  for (const Finding& f : outcome.found) {
    put(out, f.what);
    put(out, f.variant);
    put(out, f.text);
  }
  return out;
}

Outcome unpacked(const std::string& in) {
  size_t at = 0;
  Outcome outcome;
  outcome.checks = take<int64_t>(in, at);
  outcome.seconds = take<double>(in, at);
  outcome.found.resize(take<size_t>(in, at));
  for (Finding& f : outcome.found) {
    f.what = take<std::string>(in, at);
    f.variant = take<std::string>(in, at);
    f.text = take<std::string>(in, at);
  }
  return outcome;
}

[[noreturn]] void serve(int fd, const std::function<Outcome(size_t)>& work) {
  size_t i = 0;
  while (receive(fd, &i, sizeof i)) {
    const auto start = std::chrono::steady_clock::now();
    Outcome outcome = work(i);
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::string message = packed(outcome);
    const size_t size = message.size();
    if (!send_all(fd, &size, sizeof size) || !send_all(fd, message.data(), size)) break;
  }
  std::fflush(stdout);
  _exit(0);
}

std::string how_it_ended(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status)) + ", " + strsignal(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

class Workers {
 public:
  Workers(size_t count, const std::function<Outcome(size_t)>& work, const std::function<void(size_t, Outcome)>& done)
      : count_(count), work_(work), done_(done) {}
  ~Workers() {
    for (const Worker& w : workers_) stop(w);
  }
  void run(int processes) {
    for (int k = 0; k < processes && next_ < count_; ++k) {
      workers_.push_back(start());
      hand_out(workers_.back());
    }
    while (!workers_.empty()) wait();
  }

 private:
  struct Worker {
    pid_t pid;
    int fd;
    size_t at = 0;
  };

  Worker start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) fail("gradcheck_ops: socketpair");
    std::fflush(nullptr);
    const pid_t pid = fork();
    if (pid < 0) fail("gradcheck_ops: fork");
    if (pid == 0) {
      close(ends[0]);
      for (const Worker& w : workers_) close(w.fd);  // their ends must come with this process's end
      serve(ends[1], work_);
    }
    close(ends[1]);
    return {pid, ends[0]};
  }
  void stop(const Worker& w) {
    close(w.fd);
    how_it_ended(w.pid);
  }
  // A dead worker is noticed when its answer is read.
  void hand_out(Worker& w) {
    w.at = next_++;
    send_all(w.fd, &w.at, sizeof w.at);
  }
  void wait() {
    std::vector<pollfd> ready;
    for (const Worker& w : workers_) ready.push_back({w.fd, POLLIN, 0});
    if (poll(ready.data(), ready.size(), -1) < 0) {
      if (errno != EINTR) fail("gradcheck_ops: poll");
      return;
    }
    for (size_t k = ready.size(); k-- > 0;) {
      if (ready[k].revents != 0) answer(k);
    }
  }
  void answer(size_t k) {
    Worker& w = workers_[k];
    size_t size = 0;
    std::string message;
    bool alive = receive(w.fd, &size, sizeof size);
    if (alive) {
      message.resize(size);
      alive = receive(w.fd, message.data(), size);
    }
    const size_t at = w.at;
    if (alive && next_ < count_) hand_out(w);
    else {
      close(w.fd);
      const std::string end = how_it_ended(w.pid);
      if (!alive) message = packed({0, 0, {{"", "", "the process died: " + end}}});
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(k));
      if (next_ < count_) {
        workers_.push_back(start());
        hand_out(workers_.back());
      }
    }
    done_(at, unpacked(message));
  }

  const size_t count_;
  const std::function<Outcome(size_t)>& work_;
  const std::function<void(size_t, Outcome)>& done_;
  size_t next_ = 0;
  std::vector<Worker> workers_;
};

}  // namespace

void run_in_processes(size_t count, int processes, const std::function<Outcome(size_t)>& work,
                      const std::function<void(size_t, Outcome)>& done) {
  Workers(count, work, done).run(processes);
}

}  // namespace gradcheck_ops

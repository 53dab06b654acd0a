// Anomaly mode: remembers the stack of every recording, and tells the first frame outside the library when asked.
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <cstdio>
#include <cstdlib>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {
namespace {

struct Frame {
  std::string module, function;
  uintptr_t offset = 0;  // within the module
  bool inside = false;   // of the library
};

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text ? text : name;
  std::free(text);
  return result;
}

Frame frame_at(void* address) {
  Dl_info info{}, own{};
  dladdr(reinterpret_cast<void*>(&capture_stack), &own);
  // A return address may be the first byte of the next function; one byte back is the call.
  char* call = static_cast<char*>(address) - 1;
  if (!dladdr(call, &info)) return {};
  Frame frame;
  frame.module = info.dli_fname ? info.dli_fname : "";
  frame.function = info.dli_sname ? demangled(info.dli_sname) : "";
  frame.offset = static_cast<uintptr_t>(call - static_cast<char*>(info.dli_fbase));
#ifdef TAPEGRAD_STATIC
  frame.inside = frame.function.find("tapegrad::") != std::string::npos;
#else
  frame.inside = info.dli_fbase == own.dli_fbase || frame.function.find("tapegrad::autograd::") != std::string::npos;
#endif
  return frame;
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// "file:line" by addr2line, empty without debug information or without the tool.
std::string line_of(const Frame& frame) {
  char offset[32];
  std::snprintf(offset, sizeof offset, "0x%zx", static_cast<size_t>(frame.offset));
  const std::string command = "addr2line -e " + shell_quoted(frame.module) + " " + offset + " 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return "";
  char line[4096] = "";
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  pclose(pipe);
  if (!read || line[0] == '?') return "";
  std::string text = line;
  text.erase(text.find_last_not_of('\n') + 1);
  if (const size_t note = text.find(" (discriminator"); note != std::string::npos) text.erase(note);
  return text.ends_with(":?") ? "" : text;
}

}  // namespace

std::vector<void*> capture_stack() {
  void* addresses[64];
  const int depth = backtrace(addresses, 64);
  return {addresses, addresses + depth};
}

std::string describe_stack(const std::vector<void*>& stack) {
  for (void* address : stack) {
    const Frame frame = frame_at(address);
    if (frame.inside || frame.module.empty()) continue;
    const std::string line = line_of(frame);
    if (!line.empty()) return line + (frame.function.empty() ? "" : " in " + frame.function);
    if (!frame.function.empty()) return frame.function + " (no line: built without -g)";
  }
  return "an unknown place (built without symbols)";
}

void set_detect_anomaly(bool enabled) { thread_state.anomaly = enabled; }
bool is_anomaly_enabled() { return thread_state.anomaly; }

DetectAnomalyGuard::DetectAnomalyGuard(bool enabled) : previous_(std::exchange(thread_state.anomaly, enabled)) {}
DetectAnomalyGuard::~DetectAnomalyGuard() { thread_state.anomaly = previous_; }

}  // namespace tapegrad::autograd

// Anomaly mode: remembers the stack of every recording, and tells the first frame outside the library when asked.
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/quote.h"

namespace tapegrad::autograd {
namespace {

struct Frame {
  std::string module, function;
  uintptr_t offset = 0;  // within the module
  bool inside = false;   // the shared library
};

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text ? text : name;
  std::free(text);
  return result;
}

Frame frame_at(void* address) {
  Dl_info info{};
#ifndef TAPEGRAD_STATIC
  Dl_info own{};
  dladdr(reinterpret_cast<void*>(&capture_stack), &own);
#endif
  // A return address may be the first byte of the next function; one byte back is the call.
  char* call = static_cast<char*>(address) - 1;
  if (!dladdr(call, &info)) return {};
  Frame frame;
  frame.module = info.dli_fname ? info.dli_fname : "";
  frame.function = info.dli_sname ? demangled(info.dli_sname) : "";
  frame.offset = static_cast<uintptr_t>(call - static_cast<char*>(info.dli_fbase));
#ifndef TAPEGRAD_STATIC
  frame.inside = info.dli_fbase == own.dli_fbase;
#endif
  return frame;
}

// A demangled name without results and arguments, which may well be the library's.
std::string bare_name(const std::string& function) {
  std::string bare;
  int depth = 0;
  for (char c : function) {
    depth += c == '<' || c == '(';
    if (depth == 0) bare += c;
    depth -= c == '>' || c == ')';
  }
  for (const char* suffix : {" [clone", " const"}) bare.erase(std::min(bare.size(), bare.find(suffix)));
  const size_t type = bare.rfind(' ');  // a template's name follows its result type
  return type == std::string::npos ? bare : bare.substr(type + 1);
}

// Whether it is that of a function of the library, or of the standard library it is written with.
bool is_standard_name(const std::string& function) { return bare_name(function).starts_with("std::"); }
bool is_library_name(const std::string& function) {
  return bare_name(function).starts_with("tapegrad::") || is_standard_name(function);
}

// Whether "file:line" lies in a header of the library, or of the standard library. The name of an inlined template is not always
// told.
bool is_library_header(const std::string& line) {
  if (line.find("/include/c++/") != std::string::npos) return true;
  const size_t at = line.rfind("/tapegrad/");
  if (at == std::string::npos || line.find(".h:") == std::string::npos) return false;
  const std::string rest = line.substr(at + 10);
  return rest.starts_with("core/") || rest.starts_with("autograd/") || rest.starts_with("ops/") ||
         rest.starts_with("nn/");
}

std::string line_read(FILE* pipe) {
  char text[4096] = "";
  if (!std::fgets(text, sizeof text, pipe)) return "";
  std::string line = text;
  line.erase(line.find_last_not_of('\n') + 1);
  return line;
}

struct Place {
  std::string function, line;  // "file:line"; empty without debug information
};

// The calls that one return address stands for, innermost first, by addr2line: several when functions were inlined.
// Empty without the tool.
std::vector<Place> places_by_tool(const Frame& frame) {
  char offset[32];
  std::snprintf(offset, sizeof offset, "0x%zx", static_cast<size_t>(frame.offset));
  const std::string command = "addr2line -f -i -C -e " + shell_quoted(frame.module) + " " + offset + " 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return {};
  std::vector<Place> places;
  for (std::string function = line_read(pipe); !function.empty(); function = line_read(pipe)) {
    Place place{function[0] == '?' ? "" : function, line_read(pipe)};
    place.line.erase(std::min(place.line.size(), place.line.find(" (discriminator")));
    if (place.line.starts_with('?') || place.line.ends_with(":?") || place.line.ends_with(":0")) place.line.clear();
    places.push_back(std::move(place));
  }
  pclose(pipe);
  return places;
}

// The same, from memory after the first time: a process costs milliseconds.
std::vector<Place> places_of(const Frame& frame) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, uintptr_t>, std::vector<Place>> known;
  const std::lock_guard lock(mutex);
  const auto [at, added] = known.try_emplace({frame.module, frame.offset});
  if (added) at->second = places_by_tool(frame);
  return at->second;
}

}  // namespace

[[gnu::noinline]] std::vector<void*> capture_stack() {
  void* addresses[64];
  void** const end = addresses + backtrace(addresses, 64);
  // From the caller on: a sanitizer's stand-in for backtrace has a frame of its own in front, in the program.
  void** const caller = std::find(addresses, end, __builtin_return_address(0));
  return std::vector<void*>(caller == end ? addresses : caller, end);  // braces would list the two pointers
}

std::string describe_stack(const std::vector<void*>& stack) {
  for (void* address : stack) {
    const Frame frame = frame_at(address);
    if (frame.inside || frame.module.empty()) continue;
    std::string function;
    for (const Place& place : places_of(frame)) {
      // What was inlined into a function of the standard library, such as std::function's call, is told by its name.
      const bool inlined = !place.line.empty() && is_standard_name(place.function);
      if (is_library_header(place.line) || (!inlined && is_library_name(place.function))) continue;
      if (inlined || (place.function.empty() && !place.line.empty())) return place.line;
      if (!place.line.empty()) return place.line + " in " + place.function;
      function = place.function;
    }
    if (function.empty()) function = frame.function;
    if (!function.empty() && !is_library_name(function)) return function + " (no line: built without -g)";
  }
  return "an unknown place (built without symbols)";
}

void set_detect_anomaly(bool enabled) {
  thread_state.watch = static_cast<uint8_t>(enabled ? thread_state.watch | kAnomaly : thread_state.watch & ~kAnomaly);
}
bool is_anomaly_enabled() { return thread_state.watch & kAnomaly; }

DetectAnomalyGuard::DetectAnomalyGuard(bool enabled) : previous_(is_anomaly_enabled()) { set_detect_anomaly(enabled); }
DetectAnomalyGuard::~DetectAnomalyGuard() { set_detect_anomaly(previous_); }

}  // namespace tapegrad::autograd

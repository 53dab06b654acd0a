// Programs as text and as drawings.
#include <algorithm>
#include <cstdio>

#include "tapegrad/autograd/replay/dependencies.h"
#include "tapegrad/autograd/replay/state.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {

using namespace autograd::replay;

namespace {

std::string bytes_text(int64_t bytes) {
  char text[32];
  if (bytes < 10240) std::snprintf(text, sizeof text, "%lld B", static_cast<long long>(bytes));
  else if (bytes < (10 << 20)) std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
  else std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

std::string place_of(const Program::State& s, size_t storage) {
  if (s.inside[storage]) return "in cache";
  if (s.plan.moved[storage]) return "planned";
  return s.temporary[storage] ? "own" : "outside";
}

// "sigmoid [4, 4] float32, in cache"
std::string launch_text(const Program::State& s, size_t i) {
  const KeptLaunch& launch = s.recorder->list.launches()[i];
  std::string text = launch.name;
  for (const LaunchOperand& o : launch.operands) {
    if (o.written) text += " " + to_string(o.sizes) + " " + name_of(o.dtype) + ", " + place_of(s, o.storage);
  }
  return text;
}

std::string totals(const ProgramStats& t) {
  return std::to_string(t.launches) + " launches in " + std::to_string(t.steps) + " steps, " +
         std::to_string(t.fused_launches) + " of them in " + std::to_string(t.fused_groups) + " fused passes; " +
         std::to_string(t.buffers) + " buffers of " + bytes_text(t.eager_bytes) + " eager, of which " +
         bytes_text(t.inside_bytes) + " stay in cache and the rest needs " + bytes_text(t.planned_bytes) + " planned\n";
}

}  // namespace

std::string Program::text() const {
  const State& s = state();
  std::string text;
  for (size_t i = 0; i < s.steps.size(); ++i) {
    const Step& step = s.steps[i];
    std::string number = std::to_string(i);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, ' ');
    if (step.group)
      text += number + "  pass over " + std::to_string(step.group->numel()) + " elements in tiles of " +
              std::to_string(step.group->tile()) + "\n";
    for (size_t launch : step.launches) {
      text += (step.group ? "        " : number + "  ") + launch_text(s, launch) + "\n";
    }
  }
  return text + totals(s.stats);
}

void Program::print() const { std::fputs(text().c_str(), stdout); }

std::string Program::dot() const {
  const State& s = state();
  const std::vector<KeptLaunch>& launches = s.recorder->list.launches();
  std::vector<size_t> step_of(launches.size(), SIZE_MAX);
  std::string text = "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (size_t i = 0; i < s.steps.size(); ++i) {
    std::string lines;
    for (size_t launch : s.steps[i].launches) {
      step_of[launch] = i;
      lines += launch_text(s, launch) + "\n";
    }
    std::string label;  // a line to the left ends so
    for (const char c : in_quotes(lines)) label += c == '\n' ? "\\l" : std::string(1, c);
    text += "  s" + std::to_string(i) + " [label=" + label +
            (s.steps[i].group ? ", style=filled, fillcolor=\"#e8f0fe\"" : "") + "];\n";
  }
  const auto before = dependencies(launches, s.temporary.size());
  for (size_t i = 0; i < s.steps.size(); ++i) {
    std::vector<size_t> from;
    for (size_t launch : s.steps[i].launches) {
      for (size_t b : before[launch]) {
        if (step_of[b] != SIZE_MAX && step_of[b] != i) from.push_back(step_of[b]);
      }
    }
    std::sort(from.begin(), from.end());
    from.erase(std::unique(from.begin(), from.end()), from.end());
    for (size_t b : from) text += "  s" + std::to_string(b) + " -> s" + std::to_string(i) + ";\n";
  }
  return text + "}\n";
}

}  // namespace tapegrad

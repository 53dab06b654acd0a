// A run of a program that somebody looks at: a report for each of its steps.
#include <algorithm>

#include "tapegrad/autograd/replay/state.h"

namespace tapegrad {

using namespace autograd::replay;

namespace {

OperandNote note_of(const LaunchOperand& o) { return {&o.sizes, o.dtype, o.bytes, nullptr, o.written}; }

// Of a pass: its members by name, and the operands that are not in its tiles.
struct PassReport {
  std::string name;
  std::vector<OperandNote> operands;
  LaunchPhase phase;
  KernelNote note{};

  PassReport(const Group& group, const std::vector<KeptLaunch>& launches, const std::vector<bool>& inside)
      : phase(launches[group.members[0].launch].phase) {
    std::vector<const LaunchOperand*> seen;
    note.flops = 0;
    for (const Member& m : group.members) {
      const KeptLaunch& launch = launches[m.launch];
      name += (name.empty() ? "fused(" : ", ") + std::string(launch.name);
      const bool reads = std::any_of(launch.operands.begin(), launch.operands.end(),
                                     [](const LaunchOperand& o) { return !o.written && is_floating_point(o.dtype); });
      if (reads) note.flops += elements(m.walk);
      for (const LaunchOperand& o : launch.operands) {
        const auto same = [&](const LaunchOperand* other) {
          return other->low == o.low && other->high == o.high && other->written == o.written;
        };
        if (inside[o.storage] || std::any_of(seen.begin(), seen.end(), same)) continue;
        seen.push_back(&o);
        operands.push_back(note_of(o));
      }
    }
    name += ")";
    const auto& closure = launches[group.members[0].launch].closure;
    const KernelNote first = closure.type->note ? closure.type->note(closure.object) : KernelNote{};
    note.tier = "fused";
    note.by = first.by;
    note.variant = first.variant;
  }
};

}  // namespace

void Program::State::run_observed() const {
  const tapegrad::detail::ObservedScope scope("program", [] { return "Program"; });
  const std::vector<KeptLaunch>& launches = recorder->list.launches();
  for (const Step& step : steps) {
    if (step.group) {
      const PassReport pass(*step.group, launches, inside);
      LaunchReport report{pass.name.c_str(), LaunchKind::other, pass.phase, pass.operands, pass.note};
      auto run = [&group = *step.group] { group.run(); };
      tapegrad::detail::observe(report, &run, tapegrad::detail::kernel_type<decltype(run)>);
      continue;
    }
    const KeptLaunch& launch = launches[step.launches[0]];
    std::vector<OperandNote> operands;
    for (const LaunchOperand& o : launch.operands) operands.push_back(note_of(o));
    LaunchReport report{launch.name, launch.kind, launch.phase, operands};
    tapegrad::detail::observe(report, launch.closure.object, *launch.closure.type);
  }
}

}  // namespace tapegrad

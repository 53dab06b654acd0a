// Fusion: a launch joins an earlier group when nothing between them stands in the way.
#include "tapegrad/autograd/replay/fuse.h"

#include <algorithm>
#include <queue>

#include "tapegrad/autograd/replay/dependencies.h"

namespace tapegrad::autograd::replay {
namespace {

constexpr size_t kWindow = 48;  // groups looked back at
constexpr size_t kMaxMembers = 64;
constexpr size_t kMaxSearch = 1024;  // launches visited to see whether two may be put together

// Operand k of the member, if it lies in what the launch's operand covers.
bool lies_in(const Member& m, int k, const LaunchOperand& o) {
  if (k > 0 && m.walk.number_at == k) return false;
  const bool written = k == 0 && m.sum < 0;
  return written == o.written && m.walk.data[k] >= o.low && m.walk.data[k] < o.high;
}

// Whether the two use the same element for the same index, wherever one lies in x and the other in y.
bool same_elements(const Member& a, const LaunchOperand& x, const Member& b, const LaunchOperand& y) {
  bool any = false;
  for (int i = 0; i < a.walk.operands; ++i) {
    for (int k = 0; k < b.walk.operands; ++k) {
      if (!lies_in(a, i, x) || !lies_in(b, k, y)) continue;
      any = true;
      if (a.walk.data[i] != b.walk.data[k]) return false;
      for (int d = 0; d < a.walk.rank; ++d) {
        if (a.walk.size[d] > 1 && a.walk.stride[d][i] != b.walk.stride[d][k]) return false;
      }
    }
  }
  return any;  // the result of a sum has no index
}

class Fuser {
 public:
  Fuser(const std::vector<KeptLaunch>& launches, const std::vector<bool>& useful, size_t storages, bool together)
      : launches_(launches),
        together_(together),
        before_(dependencies(launches, storages)),
        step_of_(launches.size(), SIZE_MAX) {
    for (size_t i = 0; i < launches.size(); ++i) {
      if (useful[i]) place(i);
    }
  }
  std::vector<Step> in_order();

 private:
  bool joins(size_t launch, size_t step);
  bool shares(const KeptLaunch& launch, const Step& step) const;
  bool reaches(size_t from, size_t step);
  void place(size_t launch);
  Member member_of(size_t launch) const;
  bool fits(const Group& group, Member& m, std::vector<Member>& members, std::vector<SumWalk>& sums) const;
  bool agree(const Member& a, const Member& b) const;

  const std::vector<KeptLaunch>& launches_;
  const bool together_;
  std::vector<std::vector<size_t>> before_;
  std::vector<size_t> step_of_;
  std::vector<Step> steps_;
  std::vector<size_t> seen_;  // per step: stamp of the last search that visited it
  size_t stamp_ = 0;
};

Member Fuser::member_of(size_t i) const {
  Member m{i, {}, -1, {-1, -1, -1, -1}};
  const KeptLaunch& launch = launches_[i];
  if (launch.walk) {
    m.walk = *launch.walk;
    return m;
  }
  const SumWalk& s = *launch.sum;
  m.sum = 0;
  m.walk = Walk{};
  m.walk.operands = 1;
  m.walk.rank = 1;
  m.walk.size[0] = s.n;
  m.walk.stride[0][0] = m.walk.item = s.item;
  m.walk.data[0] = s.src;
  return m;
}

// Whether tile by tile, a before b, is the same as all of a before all of b: what one writes and the other uses must be
// the same element for the same index.
bool Fuser::agree(const Member& a, const Member& b) const {
  for (const LaunchOperand& x : launches_[a.launch].operands) {
    for (const LaunchOperand& y : launches_[b.launch].operands) {
      if (overlap(x, y) && (x.written || y.written) && !same_elements(a, x, b, y)) return false;
    }
  }
  return true;
}

// Brings m and the group's members to one space; `members` and `sums` are what the group would be.
bool Fuser::fits(const Group& group, Member& m, std::vector<Member>& members, std::vector<SumWalk>& sums) const {
  members = group.members;
  sums = group.sums;
  if (m.sum >= 0) {
    const SumWalk& s = *launches_[m.launch].sum;
    if (group.rank() != 1 || (!sums.empty() && sums[0].rows != s.rows)) return false;
    m.sum = static_cast<int>(sums.size());
    sums.push_back(s);
  }
  if (refine(m.walk, members[0].walk)) return true;
  if (!sums.empty()) return false;
  for (Member& other : members) {
    if (!refine(other.walk, m.walk)) return false;
  }
  return true;
}

// Whether step `from`, or what it must follow, is behind `step`; true also where that would take long to find out.
bool Fuser::reaches(size_t from, size_t step) {
  std::vector<size_t> left{from};
  ++stamp_;
  for (size_t visited = 0; !left.empty(); ++visited) {
    if (visited > kMaxSearch) return true;
    const size_t s = left.back();
    left.pop_back();
    if (s == step) return true;
    if (std::exchange(seen_[s], stamp_) == stamp_) continue;
    for (size_t launch : steps_[s].launches) {
      for (size_t b : before_[launch]) {
        if (step_of_[b] != SIZE_MAX && step_of_[b] != s) left.push_back(step_of_[b]);
      }
    }
  }
  return false;
}

bool Fuser::shares(const KeptLaunch& launch, const Step& step) const {
  for (size_t other : step.launches) {
    for (const LaunchOperand& a : launch.operands) {
      for (const LaunchOperand& b : launches_[other].operands) {
        if (a.storage == b.storage) return true;
      }
    }
  }
  return false;
}

bool Fuser::joins(size_t launch, size_t step) {
  Step& s = steps_[step];
  if (!s.group || s.launches.size() >= kMaxMembers || !shares(launches_[launch], s)) return false;
  Member m = member_of(launch);
  std::vector<Member> members;
  std::vector<SumWalk> sums;
  if (!fits(*s.group, m, members, sums)) return false;
  for (const Member& other : members) {
    if (!agree(other, m)) return false;
  }
  for (size_t b : before_[launch]) {
    if (step_of_[b] != SIZE_MAX && step_of_[b] != step && reaches(step_of_[b], step)) return false;
  }
  s.group->members = std::move(members);
  s.group->members.push_back(m);
  s.group->sums = std::move(sums);
  s.launches.push_back(launch);
  step_of_[launch] = step;
  return true;
}

void Fuser::place(size_t i) {
  const KeptLaunch& launch = launches_[i];
  const bool elementwise = together_ && (launch.sum || (launch.walk && elements(*launch.walk) > 0));
  for (size_t s = steps_.size(); elementwise && s-- > 0 && steps_.size() - s <= kWindow;) {
    if (joins(i, s)) return;
  }
  step_of_[i] = steps_.size();
  Step step{{i}, nullptr};
  if (elementwise) {
    step.group = std::make_unique<Group>();
    step.group->members.push_back(member_of(i));
    if (launch.sum) step.group->sums.push_back(*launch.sum);
  }
  steps_.push_back(std::move(step));
  seen_.push_back(0);
}

// Earliest first among those that nothing holds back.
std::vector<Step> Fuser::in_order() {
  const size_t n = steps_.size();
  std::vector<std::vector<size_t>> after(n);
  std::vector<size_t> waits(n, 0);
  for (size_t s = 0; s < n; ++s) {
    for (size_t launch : steps_[s].launches) {
      for (size_t b : before_[launch]) {
        const size_t other = step_of_[b];
        if (other == SIZE_MAX || other == s) continue;
        after[other].push_back(s);
        ++waits[s];
      }
    }
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t s = 0; s < n; ++s) {
    if (waits[s] == 0) ready.push(s);
  }
  std::vector<Step> order;
  while (!ready.empty()) {
    const size_t s = ready.top();
    ready.pop();
    for (size_t next : after[s]) {
      if (--waits[next] == 0) ready.push(next);
    }
    if (steps_[s].launches.size() == 1) steps_[s].group.reset();
    order.push_back(std::move(steps_[s]));
  }
  return order;
}

}  // namespace

std::vector<Step> fuse(const std::vector<KeptLaunch>& launches, const std::vector<bool>& useful, size_t storages,
                       bool together) {
  return Fuser(launches, useful, storages, together).in_order();
}

namespace {

constexpr size_t kShared = SIZE_MAX - 1;

// For each storage the one step that uses it, kShared, or SIZE_MAX.
std::vector<size_t> only_users(const std::vector<Step>& steps, const std::vector<KeptLaunch>& launches,
                               size_t storages) {
  std::vector<size_t> user(storages, SIZE_MAX);
  for (size_t s = 0; s < steps.size(); ++s) {
    for (size_t launch : steps[s].launches) {
      for (const LaunchOperand& o : launches[launch].operands) {
        size_t& u = user[o.storage];
        u = u == SIZE_MAX || u == s ? s : kShared;
      }
    }
  }
  return user;
}

// Where in a group a storage is used.
struct Span {
  size_t storage;
  size_t first, last;  // members
  bool written_first;
  const char *low, *high;
  bool one_part;  // all members use the same part of it, so that one buffer can stand for it
};

std::vector<Span> spans_of(const Step& step, const std::vector<KeptLaunch>& launches) {
  std::vector<Span> spans;
  for (size_t i = 0; i < step.group->members.size(); ++i) {
    const KeptLaunch& launch = launches[step.group->members[i].launch];
    for (const LaunchOperand& o : launch.operands) {
      auto at = std::find_if(spans.begin(), spans.end(), [&](const Span& s) { return s.storage == o.storage; });
      if (at != spans.end()) {
        at->last = i;
        at->one_part = at->one_part && at->low == o.low && at->high == o.high;
        continue;
      }
      const bool read_too =
          std::any_of(launch.operands.begin(), launch.operands.end(),
                      [&](const LaunchOperand& other) { return !other.written && other.storage == o.storage; });
      const bool written_first = o.written && o.dense && !read_too && launch.walk != nullptr;
      spans.push_back({o.storage, i, i, written_first, o.low, o.high, true});
    }
  }
  return spans;
}

// Every operand of the group that lies in the storage reads and writes the buffer.
void use_slot(Group& group, const std::vector<KeptLaunch>& launches, size_t storage, int slot) {
  for (Member& m : group.members) {
    for (const LaunchOperand& o : launches[m.launch].operands) {
      if (o.storage != storage) continue;
      for (int k = 0; k < m.walk.operands; ++k) {
        if (lies_in(m, k, o)) m.slot[k] = slot;
      }
    }
  }
}

}  // namespace

void keep_inside(std::vector<Step>& steps, const std::vector<KeptLaunch>& launches, const std::vector<bool>& temporary,
                 std::vector<bool>& inside) {
  const std::vector<size_t> user = only_users(steps, launches, temporary.size());
  for (size_t s = 0; s < steps.size(); ++s) {
    if (!steps[s].group) continue;
    Group& group = *steps[s].group;
    std::vector<size_t> busy_until;  // per slot: the last member that uses it
    for (const Span& span : spans_of(steps[s], launches)) {
      if (user[span.storage] != s || !temporary[span.storage]) continue;
      if (!span.written_first || !span.one_part) continue;
      size_t slot = 0;
      while (slot < busy_until.size() && busy_until[slot] >= span.first) ++slot;
      if (slot == busy_until.size()) busy_until.push_back(0);
      busy_until[slot] = span.last;
      use_slot(group, launches, span.storage, static_cast<int>(slot));
      inside[span.storage] = true;
    }
    group.slots = static_cast<int>(busy_until.size());
    group.prepare();
  }
}

}  // namespace tapegrad::autograd::replay

// The memory plan: lifetimes over steps, the largest placed first, and pointers in closures moved to the new place.
#include "tapegrad/autograd/replay/memory.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace tapegrad::autograd::replay {
namespace {

constexpr int64_t kAlignment = 64;
constexpr size_t kManyLives = 4096;

struct Life {
  size_t storage;
  int64_t first = -1, last = -1;  // steps
  int64_t bytes = 0;
  int64_t offset = -1;
  bool movable = true;
};

// The 8-byte words of a closure (see detail::copy_kernel) that point into [low, high], the end included: kernels may keep it. Storages never touch,
// so that an end is nobody's beginning.
template <class F> void for_pointers(const KeptLaunch& launch, const char* low, const char* high, const F& fn) {
  auto* bytes = static_cast<char*>(launch.closure.object);
  for (size_t at = 0; at + sizeof(char*) <= launch.closure.type->bytes; at += sizeof(char*)) {
    char* word;
    std::memcpy(&word, bytes + at, sizeof word);
    if (word >= low && word <= high) fn(bytes + at, word);
  }
}

bool has_pointer(const KeptLaunch& launch, const Storage& storage) {
  bool found = false;
  for_pointers(launch, storage.data(), storage.data() + storage.bytes(), [&](char*, char*) { found = true; });
  return found;
}

bool writes_all(const KeptLaunch& launch, size_t storage, const Storage& memory) {
  bool all = false, reads = false;
  for (const LaunchOperand& o : launch.operands) {
    if (o.storage != storage) continue;
    reads = reads || !o.written;
    all = all || (o.written && o.dense && o.high - o.low == static_cast<int64_t>(memory.bytes()));
  }
  return all && !reads;
}

std::vector<Life> lives_of(const std::vector<Step>& steps, const LaunchList& list, const std::vector<bool>& temporary) {
  std::vector<Life> lives(list.storages().size());
  for (size_t i = 0; i < lives.size(); ++i) {
    lives[i].storage = i;
    lives[i].movable = temporary[i] && list.storages()[i].storage->bytes() > 0;
  }
  for (size_t s = 0; s < steps.size(); ++s) {
    for (size_t i : steps[s].launches) {
      const KeptLaunch& launch = list.launches()[i];
      for (const LaunchOperand& o : launch.operands) {
        Life& life = lives[o.storage];
        if (!life.movable) continue;
        const Storage& memory = *list.storages()[o.storage].storage;
        if (life.first < 0) {
          life.first = static_cast<int64_t>(s);
          life.movable = writes_all(launch, o.storage, memory);
        }
        life.last = static_cast<int64_t>(s);
        life.movable = life.movable && (steps[s].group || has_pointer(launch, memory));
      }
    }
  }
  return lives;
}

// Memory that lives give back, by place and by size.
class FreeList {
 public:
  // The smallest free place that is large enough, or one at the end.
  int64_t take(int64_t bytes) {
    auto at = by_size_.lower_bound({bytes, 0});
    if (at == by_size_.end()) return std::exchange(end_, end_ + bytes);
    const auto [size, offset] = *at;
    by_size_.erase(at);
    by_offset_.erase(offset);
    if (size > bytes) add(offset + bytes, size - bytes);
    return offset;
  }
  // Grows together with what is free beside it.
  void give(int64_t offset, int64_t bytes) {
    const auto after = by_offset_.find(offset + bytes);
    if (after != by_offset_.end()) bytes += remove(after);
    auto before = by_offset_.lower_bound(offset);
    if (before != by_offset_.begin() && (--before)->first + before->second == offset) {
      offset = before->first;
      bytes += remove(before);
    }
    add(offset, bytes);
  }
  int64_t end() const { return end_; }

 private:
  void add(int64_t offset, int64_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  int64_t remove(std::map<int64_t, int64_t>::iterator at) {
    const auto [offset, bytes] = *at;
    by_size_.erase({bytes, offset});
    by_offset_.erase(at);
    return bytes;
  }
  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

// Offsets in the order of time.
int64_t place_in_time(const std::vector<Life*>& lives) {
  std::vector<Life*> begin = lives, end = lives;
  std::stable_sort(begin.begin(), begin.end(), [](const Life* a, const Life* b) { return a->first < b->first; });
  std::stable_sort(end.begin(), end.end(), [](const Life* a, const Life* b) { return a->last < b->last; });
  FreeList free;
  auto dead = end.begin();
  for (Life* life : begin) {
    for (; dead != end.end() && (*dead)->last < life->first; ++dead) free.give((*dead)->offset, (*dead)->bytes);
    life->offset = free.take(life->bytes);
  }
  return free.end();
}

// Offsets for the movable ones, the largest first, each at the lowest place that is free while it lives. Looks at all pairs, so
// that many are placed otherwise.
int64_t place(std::vector<Life*>& lives) {
  if (lives.size() > kManyLives) return place_in_time(lives);
  std::stable_sort(lives.begin(), lives.end(), [](const Life* a, const Life* b) { return a->bytes > b->bytes; });
  std::vector<Life*> placed;  // by offset
  int64_t total = 0;
  for (Life* life : lives) {
    int64_t offset = 0;
    for (const Life* other : placed) {
      if (other->last < life->first || life->last < other->first) continue;
      if (offset + life->bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    life->offset = offset;
    total = std::max(total, offset + life->bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), life,
                                   [](const Life* a, const Life* b) { return a->offset < b->offset; }),
                  life);
  }
  return total;
}

void move_pointer(char*& p, const Storage& from, char* to) {
  if (p >= from.data() && p <= from.data() + from.bytes()) p = to + (p - from.data());
}

void move(Step& step, LaunchList& list, const Life& life, char* to) {
  const Storage& from = *list.storages()[life.storage].storage;
  if (step.group) {
    for (Member& m : step.group->members) {
      for (int k = 0; k < m.walk.operands; ++k) move_pointer(m.walk.data[k], from, to);
    }
    for (SumWalk& s : step.group->sums) move_pointer(s.dst, from, to);
    return;
  }
  for_pointers(list.launches()[step.launches[0]], from.data(), from.data() + from.bytes(), [&](char* at, char* word) {
    word = to + (word - from.data());
    std::memcpy(at, &word, sizeof word);
  });
}

// Each once.
std::vector<size_t> storages_of(const Step& step, const LaunchList& list) {
  std::vector<size_t> out;
  for (size_t i : step.launches) {
    for (const LaunchOperand& o : list.launches()[i].operands) out.push_back(o.storage);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

MemoryPlan plan_memory(std::vector<Step>& steps, LaunchList& list, const std::vector<bool>& temporary) {
  std::vector<Life> lives = lives_of(steps, list, temporary);
  MemoryPlan plan;
  plan.moved.resize(lives.size());
  std::vector<Life*> movable;
  for (Life& life : lives) {
    if (!life.movable || life.first < 0) continue;
    const auto bytes = static_cast<int64_t>(list.storages()[life.storage].storage->bytes());
    life.bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    plan.apart_bytes += life.bytes;
    plan.moved[life.storage] = true;
    movable.push_back(&life);
  }
  plan.buffers = static_cast<int64_t>(movable.size());
  plan.planned_bytes = place(movable);
  if (movable.empty()) return plan;
  // As behind a storage's header: nothing that is moved here lies at the end of something that is still to be moved.
  plan.block = std::make_unique<Scratch<char>>(kAlignment + plan.planned_bytes);
  char* const base = plan.block->data() + kAlignment;
  for (Step& step : steps) {
    for (size_t storage : storages_of(step, list)) {
      if (plan.moved[storage]) move(step, list, lives[storage], base + lives[storage].offset);
    }
  }
  return plan;
}

}  // namespace tapegrad::autograd::replay

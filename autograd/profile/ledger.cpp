// Bookkeeping of a memory report.
#include "tapegrad/autograd/profile/ledger.h"

#include <algorithm>

namespace tapegrad {
namespace {

const char* const kUnwritten = "(unwritten)";

void take(MemoryRow& row, int64_t bytes) {
  row.live += bytes;
  row.peak = std::max(row.peak, row.live);
}

}  // namespace

size_t Ledger::Sums::row(const std::string& name) {
  const auto [at, added] = index.try_emplace(name, rows.size());
  if (added) rows.push_back({.name = name});
  return at->second;
}

void Ledger::add(Storage& storage, const std::string& module) {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  auto* entry = new Entry{shared_from_this(),
                          storage.data(),
                          static_cast<int64_t>(storage.bytes()),
                          ops_.row(kUnwritten),
                          modules_.row(module),
                          nullptr,
                          nullptr};
  std::tie(entry->next, entry->next_context) = storage.exchange_deleter(&died, entry);
  unwritten_[entry->data] = entry;
  // Nearly all of it is written at once, so that a peak of the unwritten would tell nothing; close() settles what is left.
  ops_.rows[entry->op].live += entry->bytes;
  ++ops_.rows[entry->op].allocations;
  take(modules_.rows[entry->module], entry->bytes);
  ++modules_.rows[entry->module].allocations;
  live_ += entry->bytes;
  if (live_ >= peak_) {
    peak_ = live_;
    at_peak_ = true;
  }
}

void Ledger::wrote(const void* data, const char* op) {
  const std::lock_guard lock(mutex_);
  const auto at = unwritten_.find(data);
  if (!open_ || at == unwritten_.end()) return;
  Entry& entry = *at->second;
  unwritten_.erase(at);
  MemoryRow& before = ops_.rows[entry.op];
  before.live -= entry.bytes;
  --before.allocations;
  entry.op = ops_.row(op);
  take(ops_.rows[entry.op], entry.bytes);
  ++ops_.rows[entry.op].allocations;
}

// The rows as they are now are those of the peak.
void Ledger::settle_peak() {
  if (!std::exchange(at_peak_, false)) return;
  for (Sums* sums : {&ops_, &modules_}) {
    for (MemoryRow& row : sums->rows) row.at_peak = row.live;
  }
}

void Ledger::remove(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  settle_peak();
  if (const auto at = unwritten_.find(entry.data); at != unwritten_.end() && at->second == &entry) {
    unwritten_.erase(at);
    MemoryRow& row = ops_.rows[entry.op];
    row.peak = std::max(row.peak, row.live);
  }
  ops_.rows[entry.op].live -= entry.bytes;
  modules_.rows[entry.module].live -= entry.bytes;
  live_ -= entry.bytes;
}

void Ledger::died(void* context) {
  const std::unique_ptr<Entry> entry(static_cast<Entry*>(context));
  entry->ledger->remove(*entry);
  if (entry->next) entry->next(entry->next_context);
}

void Ledger::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  unwritten_.clear();
}

int64_t Ledger::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

int64_t Ledger::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

std::vector<MemoryRow> Ledger::rows(Sums Ledger::*which) const {
  const std::lock_guard lock(mutex_);
  std::vector<MemoryRow> out = (this->*which).rows;
  for (MemoryRow& row : out) {
    row.peak = std::max(row.peak, row.live);
    if (at_peak_) row.at_peak = row.live;
  }
  out.erase(std::remove_if(out.begin(), out.end(), [](const MemoryRow& row) { return row.allocations == 0; }),
            out.end());
  std::stable_sort(out.begin(), out.end(), [](const MemoryRow& a, const MemoryRow& b) {
    return std::pair(a.at_peak, a.peak) > std::pair(b.at_peak, b.peak);
  });
  return out;
}

}  // namespace tapegrad

// Sums of bytes by name, with their peaks; and the deleters that tell them of storages that die.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>

#include "tapegrad/autograd/profile/memory_report.h"
#include "tapegrad/core/storage.h"

namespace tapegrad {

// Guarded by a mutex: storages die on any thread.
class Ledger : public std::enable_shared_from_this<Ledger> {
 public:
  // A new storage, of a module.
  void add(Storage& storage, const std::string& module);
  // The storage at `data` was written by `op`; the first time counts.
  void wrote(const void* data, const char* op);
  void close();

  int64_t live() const;
  int64_t peak() const;
  std::vector<MemoryRow> ops() const { return rows(&Ledger::ops_); }
  std::vector<MemoryRow> modules() const { return rows(&Ledger::modules_); }

 private:
  struct Sums {
    std::vector<MemoryRow> rows;
    std::map<std::string, size_t> index;
    size_t row(const std::string& name);
  };
  // In the place of a storage's deleter.
  struct Entry {
    std::shared_ptr<Ledger> ledger;
    const void* data;
    int64_t bytes;
    size_t op, module;
    Storage::Deleter next;
    void* next_context;
  };
  static void died(void* entry);
  void remove(const Entry& entry);
  void settle_peak();
  std::vector<MemoryRow> rows(Sums Ledger::*which) const;

  mutable std::mutex mutex_;
  bool open_ = true;
  Sums ops_, modules_;
  std::unordered_map<const void*, Entry*> unwritten_;
  int64_t live_ = 0, peak_ = 0;
  bool at_peak_ = false;  // live_ is peak_, and the rows' at_peak is not up to date
};

}  // namespace tapegrad

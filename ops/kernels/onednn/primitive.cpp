// Runs held primitives with the calling thread's arguments and scratchpad.
#include "tapegrad/ops/kernels/onednn/primitive.h"

#include <omp.h>

#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "tapegrad/core/error.h"
#include "tapegrad/ops/kernels/onednn/cache.h"

namespace tapegrad::kernels::onednn {
namespace {

// Grows, never shrinks; the content does not survive growing.
struct Buffer {
  void* data = nullptr;
  size_t size = 0;
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data); }
  void* at_least(size_t bytes) {
    if (bytes <= size) return data;
    const size_t wanted = (bytes + 4095) / 4096 * 4096;
    std::free(data);
    size = 0;
    data = std::aligned_alloc(64, wanted);
    if (data == nullptr)
      throw OutOfMemoryError("matmul: no memory for a scratchpad of " + std::to_string(wanted) + " bytes");
    size = wanted;
    return data;
  }
};

// A primitive with this thread's memory objects: a hit only rebinds their pointers.
struct Slot {
  Key key{};
  std::shared_ptr<const Held> held;  // shared, so an eviction elsewhere leaves it valid
  dnnl::memory a, b, c, bias, scratchpad;
  size_t scratchpad_bytes = 0;
  dnnl_exec_arg_t args[5];
  int count = 3;              // of arguments; the scratchpad is the last
  const void* bound[5] = {};  // what the memory objects point at: binding costs 15 ns each, and often nothing has moved
};

struct ThreadState {
  static constexpr size_t kSlots = 32;
  Slot slots[kSlots];
  dnnl::stream stream{cpu_engine()};
  Buffer scratchpad;
};

// A plain pointer, because static destructors run after the main thread's thread-local objects are gone.
thread_local ThreadState* state = nullptr;
thread_local bool leaving = false;

struct Cleaner {
  bool armed = false;
  ~Cleaner() {
    delete state;
    state = nullptr;
    leaving = true;
  }
};
thread_local Cleaner cleaner;

// Registers the clean-up; what is made after the thread's end has begun is left to the process.
void arm_cleaner() {
  if (!leaving) cleaner.armed = true;
}

ThreadState& thread_state() {
  if (state == nullptr) {
    state = new ThreadState;
    arm_cleaner();
  }
  return *state;
}

void fill(Slot& slot, const Key& key) {
  slot = Slot{};
  slot.held = find_or_create(key);
  const Held& h = *slot.held;
  const auto& engine = cpu_engine();
  slot.a = dnnl::memory(h.a, engine, nullptr);
  slot.b = dnnl::memory(h.b, engine, nullptr);
  slot.c = dnnl::memory(h.c, engine, nullptr);
  slot.scratchpad_bytes = h.scratchpad.get_size();
  slot.args[0] = {DNNL_ARG_SRC, slot.a.get()};
  slot.args[1] = {DNNL_ARG_WEIGHTS, slot.b.get()};
  slot.args[2] = {DNNL_ARG_DST, slot.c.get()};
  if (key.field[kFlags] & kBias) {
    slot.bias = dnnl::memory(h.bias, engine, nullptr);
    slot.args[slot.count++] = {DNNL_ARG_BIAS, slot.bias.get()};
  }
  if (slot.scratchpad_bytes > 0) {
    slot.scratchpad = dnnl::memory(h.scratchpad, engine, nullptr);
    slot.args[slot.count++] = {DNNL_ARG_SCRATCHPAD, slot.scratchpad.get()};
  }
  slot.key = key;  // last: a slot whose filling threw never matches
}

Slot& slot_for(ThreadState& s, const Key& key) {
  Slot& slot = s.slots[hash_of(key) % ThreadState::kSlots];
  if (slot.held == nullptr || !(slot.key == key)) fill(slot, key);
  return slot;
}

bool bind(Slot& slot, int i, const void* data) {
  if (slot.bound[i] == data) return true;
  if (dnnl_memory_set_data_handle(slot.args[i].memory, const_cast<void*>(data)) != dnnl_success) return false;
  slot.bound[i] = data;
  return true;
}

// "[2, 3]": the operand as stored.
std::string stored(int64_t rows, int64_t cols, bool transposed) {
  if (transposed) std::swap(rows, cols);
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

}  // namespace

OneThread::OneThread() : before_(omp_get_max_threads()) {
  if (before_ != 1) omp_set_num_threads(1);
}
OneThread::~OneThread() {
  if (before_ != 1) omp_set_num_threads(before_);
}

const char* reason_of(dnnl_status_t status) {
  return status == dnnl_out_of_memory       ? "out of memory"
         : status == dnnl_invalid_arguments ? "invalid arguments"
         : status == dnnl_unimplemented     ? "not implemented"
                                            : "a runtime error";
}

bool run_held(const Key& key, const void* const* data) try {
  ThreadState& s = thread_state();
  Slot& slot = slot_for(s, key);
  const Held& held = *slot.held;
  if (held.reference) return false;
  const int last = slot.count - 1;
  bool bound = true;
  for (int i = 0; i < last; ++i) bound = bound && bind(slot, i, data[i]);
  const void* const at_last = slot.scratchpad_bytes > 0 ? s.scratchpad.at_least(slot.scratchpad_bytes) : data[last];
  if (!bound || !bind(slot, last, at_last)) fail(key, "a memory object refused its pointer");
  const dnnl_status_t status = dnnl_primitive_execute(held.primitive.get(), s.stream.get(), slot.count, slot.args);
  if (status != dnnl_success) fail(key, reason_of(status));
  return true;
} catch (const dnnl::error& e) { fail(key, e.what()); }

const char* primitive_name(const Key& key) try { return find_or_create(key)->name; } catch (const dnnl::error& e) {
  fail(key, e.what());
}

void fail(const Key& key, const char* reason) {
  const auto& f = key.field;
  throw Error("matmul: oneDNN failed (" + std::string(reason) + "), a is " + stored(f[kM], f[kK], f[kFlags] & kTransA) +
              " (lda " + std::to_string(f[kLda]) + "), b is " + stored(f[kK], f[kN], f[kFlags] & kTransB) + " (ldb " +
              std::to_string(f[kLdb]) + "), c is " + stored(f[kM], f[kN], false) + " (ldc " + std::to_string(f[kLdc]) +
              ")");
}

}  // namespace tapegrad::kernels::onednn

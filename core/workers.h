// Internal: the library's own threads. They help whoever has work to share, and nobody waits for one that has not begun.
#pragma once

#include <cstdint>

namespace tapegrad::detail {

using PieceFn = void (*)(void* context, int64_t piece);

// run(context, i) for every i in [0, pieces), by the calling thread and at most `helpers` others; returns when all are done, and
// throws what the first piece to throw has thrown. A piece that no helper has taken is the caller's own, so on a busy machine
// this costs no more than working alone. Threads are started when first needed, and sleep when nobody has work.
void share_out(int64_t pieces, int helpers, PieceFn run, void* context);

// Whether the calling thread is at work on a piece: what that shares out again, it does alone.
bool on_a_piece();

}  // namespace tapegrad::detail

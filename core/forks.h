// What a forked child needs of state that threads share: locks it finds free, and nothing half made. Internal.
//
// A child has only the thread that forked. A lock that another held stays held there, and a static of a function that another was
// just making stays half made: who asks for it waits for ever. So what any thread may need at any time is made when the library is
// loaded (`const bool at_load = (shared(), true);`), and its lock is one of these.
#pragma once

#include <pthread.h>

namespace tapegrad::detail {

// fork() waits for whoever holds the mutex that `Mutex()` gives, and the child finds it free. Holders must not fork, nor wait for
// another such lock.
template <auto Mutex> bool survives_forks() {
  return pthread_atfork([] { Mutex().lock(); }, [] { Mutex().unlock(); }, [] { Mutex().unlock(); }) == 0;
}

}  // namespace tapegrad::detail

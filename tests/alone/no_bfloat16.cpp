// Where bfloat16 instructions may not be used: AutocastGuard says so in one line and does nothing, and explicit products of
// bfloat16 are computed in float32 and rounded.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

int failures = 0;

void check(bool ok, const char* what) {
  if (ok) return;
  ++failures;
  std::printf("failed: %s\n", what);
}

// What f writes to stderr.
template <class F> std::string told(const F& f) {
  std::FILE* const file = std::tmpfile();
  const int before = ::dup(STDERR_FILENO);
  ::dup2(::fileno(file), STDERR_FILENO);
  f();
  std::fflush(stderr);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

void run() {
  const Tensor a = randn({64, 96}), b = randn({96, 80}), low_a = a.to(kBFloat16), low_b = b.to(kBFloat16);
  const std::string text = told([&] {
    for (int i = 0; i < 3; ++i) {
      const AutocastGuard guard;
      check(!is_autocast_enabled(), "the guard is off");
      check(mm(a, b).dtype() == kFloat32, "products stay float32");
      check(softmax(low_a, 1).dtype() == kBFloat16, "the list is not in force");
    }
  });
  check(text.rfind("tapegrad: AutocastGuard does nothing", 0) == 0, "it says so");
  check(text.find('\n') == text.size() - 1, "in one line, once");
  const Profile seen = profile([&] {
    const Tensor y = mm(low_a, low_b);
    check(y.dtype() == kBFloat16, "explicit products give bfloat16");
    check(equal(y, mm(low_a.to(kFloat32), low_b.to(kFloat32)).to(kBFloat16)), "of float32, rounded");
    const Tensor w = low_b.detach().requires_grad_();
    mm(low_a, w).sum().backward();
    check(w.grad().dtype() == kBFloat16, "gradients too");
    const Tensor batch = bmm(low_a.view({4, 16, 96}), low_b.expand({4, 96, 80}));
    check(equal(batch.view({64, 80}), y), "batched as well");
  });
  for (const ProfileRow& row : seen.key_averages()) {
    check(row.implementation.find("ref") == std::string::npos, "no reference implementation");
    check(row.implementation.find("bf16") == std::string::npos, "no bfloat16 implementation");
  }
}

}  // namespace

int main() {
  ::setenv("TAPEGRAD_CPU_ISA", "avx2", 1);  // read when the first kernel is looked for
  run();
  return failures != 0;
}

// The worker of bench_peers that measures tapegrad, and the limits: oneDNN called directly, a hand-written loop.
#include <oneapi/dnnl/dnnl.h>

#include <memory>

#include "peer_tapegrad.h"

namespace bench {
namespace {

// oneDNN's sgemm into memory that is there already.
Work sgemm(int64_t n) {
  const lib::Tensor a = numbers({n, n}, -1, 1), b = numbers({n, n}, -0.5, 1), c = lib::empty({n, n});
  return {[=] {
            const auto status = dnnl_sgemm('N', 'N', n, n, n, 1.0f, a.data_ptr<float>(), n, b.data_ptr<float>(), n,
                                           0.0f, c.data_ptr<float>(), n);
            if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm failed");
          },
          [=] { return size_of(c); }};
}

// The sum of two arrays as one loop over warm memory.
Work add_loop(int64_t n) {
  const lib::Tensor a = numbers({n}, -1, 1), b = numbers({n}, 0, 1), c = lib::empty({n});
  return {[=] {
            const float *pa = a.data_ptr<float>(), *pb = b.data_ptr<float>();
            float* pc = c.data_ptr<float>();
            for (int64_t i = 0; i < n; ++i) pc[i] = pa[i] + pb[i];
          },
          [=] { return size_of(c); }};
}

template <class T> Work tutorial_loop() {
  const auto net = std::make_shared<HandWrittenStep<T>>();
  return {[=] { net->step(); },
          [=] {
            HandWrittenStep<T> next = *net;
            return static_cast<double>(next.step());
          }};
}

// The limits, under the name of their row.
std::vector<PeerRow> limit_rows() {
  constexpr int64_t kMillion = 1 << 20;
  return {
      {"limit:tutorial_f64", [] { return tutorial_loop<double>(); }},
      {"limit:tutorial_f32", [] { return tutorial_loop<float>(); }},
      {"limit:matmul_256", [] { return sgemm(256); }},
      {"limit:matmul_512", [] { return sgemm(512); }},
      {"limit:matmul_1024", [] { return sgemm(1024); }},
      {"limit:matmul_2048", [] { return sgemm(2048); }},
      {"limit:add_4096", [] { return add_loop(4096); }},
      {"limit:add_1m", [] { return add_loop(kMillion); }},
      {"limit:add_8m", [] { return add_loop(8 * kMillion); }},
  };
}

// The row captured and replayed, under its name behind "replay:". A capture runs the step twice, so the first call waits for the
// second; from the third on the program runs.
PeerRow replayed(const PeerRow& row) {
  return {"replay:" + row.name, [make = row.make] {
            const Work work = make();
            struct Replay {
              int calls = 0;
              tapegrad::Program program{nullptr};
            };
            const auto replay = std::make_shared<Replay>();
            return Work{[=] {
                          if (++replay->calls > 2) replay->program();
                          else if (replay->calls == 2) replay->program = tapegrad::capture(work.step);
                        },
                        work.value};
          }};
}

std::vector<PeerRow> all_rows() {
  std::vector<PeerRow> rows = peer_rows();
  const size_t own = rows.size();
  for (size_t i = 0; i < own; ++i) rows.push_back(replayed(rows[i]));
  for (PeerRow& limit : limit_rows()) rows.push_back(std::move(limit));
  return rows;
}

std::string about() {
  const dnnl_version_t* v = dnnl_version();
  return std::string("tapegrad ") + tapegrad::version + " with oneDNN " + std::to_string(v->major) + "." +
         std::to_string(v->minor) + "." + std::to_string(v->patch);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  tapegrad::set_num_threads(1);
  return bench::PeerWorker(bench::about(), bench::all_rows()).serve(argc, argv);
}

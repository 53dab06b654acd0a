// The worker of bench_peers that measures tapegrad, and the limits: oneDNN called directly, a hand-written loop.
#include <oneapi/dnnl/dnnl.h>

#include <memory>

#include "peer_tapegrad.h"
#include "raw_convolution.h"
// behind it: what it is compiled against
#include "peer_t10.h"

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

Work raw_convolution(bool with_backward) {
  const Convolution c;
  const auto p = [](const lib::Tensor& t) { return t.data_ptr<float>(); };
  const auto raw = std::make_shared<RawConvolution>(16, 64, 56, p(c.x), p(c.w), p(c.dy));
  return {[=] {
            raw->forward();
            if (with_backward) raw->backward();
          },
          [=] {
            const lib::Tensor result = lib::empty({16, 64, 56, 56});
            if (with_backward) raw->copy_dx(result.data_ptr<float>());
            else raw->copy_y(result.data_ptr<float>());
            return size_of(result);
          }};
}

// The products of the LSTM's row alone, by oneDNN's sgemm: those of all steps at once where nothing waits for the step before.
Work lstm_products() {
  constexpr int64_t steps = 50, batch = 32, in = 128, hidden = 256, gates = 4 * hidden, rows = steps * batch;
  const lib::Tensor x = numbers({rows, in}, -1, 1), h = numbers({rows, hidden}, -1, 1),
                    d = numbers({rows, gates}, -1, 1);
  const lib::Tensor w_ih = numbers({gates, in}, -1, 1), w_hh = numbers({gates, hidden}, -1, 1);
  const lib::Tensor by_gates = lib::empty({rows, gates}), by_w = lib::empty({gates, hidden});
  const auto multiply = [](char a, char b, int64_t m, int64_t n, int64_t k, const float* x_, const float* y_,
                           float* z) {
    const auto status = dnnl_sgemm(a, b, m, n, k, 1.0f, x_, a == 'N' ? k : m, y_, b == 'N' ? n : k, 0.0f, z, n);
    if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm failed");
  };
  return {[=] {
            const auto p = [](const lib::Tensor& t) { return t.data_ptr<float>(); };
            multiply('N', 'T', rows, gates, in, p(x), p(w_ih), p(by_gates));
            for (int64_t t = 0; t < steps; ++t)
              multiply('N', 'T', batch, gates, hidden, p(h) + t * batch * hidden, p(w_hh), p(by_gates));
            for (int64_t t = 0; t < steps; ++t)
              multiply('N', 'N', batch, hidden, gates, p(d) + t * batch * gates, p(w_hh), p(by_gates));
            multiply('T', 'N', gates, hidden, rows, p(d), p(h), p(by_w));
            multiply('T', 'N', gates, in, rows, p(d), p(x), p(by_w));
            multiply('N', 'N', rows, in, gates, p(d), p(w_ih), p(by_gates));
          },
          [] {  // of products without gates nothing comes; the row itself says what columns are compared by
            const Work whole = lstm();
            whole.step();
            return whole.value();
          }};
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
      {"limit:t2_in_full", [] { return tutorial_loop<double>(); }},
      {"limit:matmul_256", [] { return sgemm(256); }},
      {"limit:matmul_512", [] { return sgemm(512); }},
      {"limit:matmul_1024", [] { return sgemm(1024); }},
      {"limit:matmul_2048", [] { return sgemm(2048); }},
      {"limit:add_4096", [] { return add_loop(4096); }},
      {"limit:add_1m", [] { return add_loop(kMillion); }},
      {"limit:add_8m", [] { return add_loop(8 * kMillion); }},
      {"limit:conv_64x64x3x3", [] { return raw_convolution(false); }},
      {"limit:conv_64x64x3x3_backward", [] { return raw_convolution(true); }},
      {"limit:lstm_50x32x128_256", lstm_products},
  };
}

// A program for each size of batch. The two steps that capturing takes are undone, so that the training is the eager one.
TrainStep replayed_step(const std::shared_ptr<Mlp>& net, const std::shared_ptr<lib::optim::Adam>& adam) {
  const auto programs = std::make_shared<std::map<int64_t, tapegrad::Program>>();
  return [=, step = eager_step(net, adam)](const lib::Tensor& images, const lib::Tensor& labels) {
    auto found = programs->find(images.size(0));
    if (found == programs->end()) {
      const lib::NoGradGuard no_grad;
      std::vector<lib::Tensor> params;
      for (const lib::Tensor& p : net->parameters()) params.push_back(p.clone());
      lib::OrderedDict<std::string, lib::Tensor> state = adam->state_dict();
      for (auto& item : state) item.value() = item.value().clone();
      {
        const lib::AutoGradMode record(true);
        const auto on_batch = [step](const std::vector<lib::Tensor>& batch) {
          step(batch[0], batch[1]);
          return std::vector<lib::Tensor>();
        };
        found = programs->emplace(images.size(0), tapegrad::capture(on_batch, {images, labels})).first;
      }
      size_t i = 0;
      for (lib::Tensor& p : net->parameters()) p.copy_(params[i++]);
      adam->load_state_dict(state);
    }
    found->second({images, labels});
  };
}

std::vector<PeerRow> all_rows() {
  std::vector<PeerRow> rows = peer_rows();
  const size_t own = rows.size();
  for (size_t i = 0; i < own; ++i)
    rows.push_back({"replay:" + rows[i].name, [make = rows[i].make] { return replayed(make()); }});
  for (PeerRow& limit : limit_rows()) rows.push_back(std::move(limit));
  rows.push_back(t10_row("", eager_step));
  rows.push_back(t10_row("replay:", replayed_step));
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

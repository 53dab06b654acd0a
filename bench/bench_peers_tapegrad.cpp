// The worker of bench_peers that measures tapegrad, and the limits: oneDNN called directly, a hand-written loop.
#include <oneapi/dnnl/dnnl.h>

#include <memory>

#include "peer_tapegrad.h"
#include "raw_convolution.h"
#include "raw_recurrent.h"
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

// The blocks of H rows in another order.
lib::Tensor blocks(const lib::Tensor& t, int64_t hidden, const std::vector<int64_t>& order) {
  std::vector<lib::Tensor> parts;
  for (const int64_t k : order) parts.push_back(lib::narrow(t, 0, k * hidden, hidden));
  return lib::cat(parts, 0).contiguous();
}

// By oneDNN. Its GRU has z before r, and b_ih + b_hh of both with the two of n behind them.
template <class Raw> Work raw_recurrent(const Recurrent& r) {
  const auto p = [](const lib::Tensor& t) { return t.data_ptr<float>(); };
  const int64_t h = r.hidden;
  const std::vector<int64_t> order = Raw::kLstm ? std::vector<int64_t>{0, 1, 2, 3} : std::vector<int64_t>{1, 0, 2};
  const lib::Tensor sums = blocks(r.b_ih + r.b_hh, h, order);
  const lib::Tensor b = Raw::kLstm ? sums
                                   : lib::cat({lib::narrow(sums, 0, 0, 2 * h), lib::narrow(r.b_ih, 0, 2 * h, h),
                                               lib::narrow(r.b_hh, 0, 2 * h, h)},
                                              0);
  const auto raw = std::make_shared<Raw>(RecurrentSize{r.steps, r.batch, r.features, h}, p(r.x),
                                         p(blocks(r.w_ih, h, order)), p(blocks(r.w_hh, h, order)), p(b), p(r.dy));
  return {[=] { raw->step(); },
          [=] {
            const auto tensor_of = [](const float* from, int64_t count) {
              const lib::Tensor t = lib::empty({count});
              std::copy_n(from, count, t.data_ptr<float>());
              return t;
            };
            const lib::Tensor db = tensor_of(raw->db(), Raw::kBiases * h);
            const lib::Tensor db_ih = Raw::kLstm ? db : blocks(db, h, {0, 1, 2}),
                              db_hh = Raw::kLstm ? db : blocks(db, h, {0, 1, 3});
            return size_of(tensor_of(raw->dw_ih(), r.w_ih.numel())) + size_of(tensor_of(raw->dw_hh(), r.w_hh.numel())) +
                   size_of(db_ih) + size_of(db_hh) + size_of(tensor_of(raw->dx(), r.x.numel()));
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
      {"limit:lstm_50x32x128_256",
       [] {
         return raw_recurrent<RawLstm>({50, 32, 128, 256, 4});
       }},
      {"limit:lstm_30x16x64_64",
       [] {
         return raw_recurrent<RawLstm>({30, 16, 64, 64, 4});
       }},
      {"limit:lstm_50x1x64_128",
       [] {
         return raw_recurrent<RawLstm>({50, 1, 64, 128, 4});
       }},
      {"limit:gru_50x32x128_256",
       [] {
         return raw_recurrent<RawGru>({50, 32, 128, 256, 3});
       }},
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

// Recurrent layers and cells as modules, packed sequences: keys, printing, forms of input, refusals, training by replay.
#include <cstring>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
namespace rnn = nn::utils::rnn;

namespace {

std::vector<std::string> keys_of(const nn::Module& module) {
  std::vector<std::string> keys;
  for (const auto& item : module.named_parameters()) keys.push_back(item.key());
  return keys;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == y.numel() && std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

// float64, so that orders of summation do not show.
template <class M> M wide(M module) {
  module.to(kFloat64);
  return module;
}

}  // namespace

TEST_CASE("recurrent layers: keys, shapes, printing, start values") {
  manual_seed(1);
  const nn::LSTM lstm(3, 4, {.num_layers = 2, .bidirectional = true});
  CHECK(keys_of(lstm) == std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
                                                  "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse",
                                                  "bias_hh_l0_reverse", "weight_ih_l1", "weight_hh_l1", "bias_ih_l1",
                                                  "bias_hh_l1", "weight_ih_l1_reverse", "weight_hh_l1_reverse",
                                                  "bias_ih_l1_reverse", "bias_hh_l1_reverse"});
  CHECK(lstm.named_parameters()["weight_ih_l0"].sizes() == IntArrayRef({16, 3}));
  CHECK(lstm.named_parameters()["weight_hh_l0_reverse"].sizes() == IntArrayRef({16, 4}));
  CHECK(lstm.named_parameters()["weight_ih_l1"].sizes() == IntArrayRef({16, 8}));
  CHECK(lstm.named_parameters()["bias_hh_l1_reverse"].sizes() == IntArrayRef({16}));
  CHECK(keys_of(nn::LSTM(3, 4, {.bias = false, .proj_size = 2})) ==
        std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "weight_hr_l0"});
  CHECK(nn::GRU(3, 4).named_parameters()["weight_hh_l0"].sizes() == IntArrayRef({12, 4}));
  CHECK(nn::RNN(3, 4).named_parameters()["weight_ih_l0"].sizes() == IntArrayRef({4, 3}));
  CHECK(keys_of(nn::GRUCell(3, 4)) == std::vector<std::string>{"weight_ih", "weight_hh", "bias_ih", "bias_hh"});

  CHECK(to_string(nn::LSTM(10, 20)) == "LSTM(10, 20)");
  CHECK(to_string(nn::LSTM(10, 20,
                           {.num_layers = 2,
                            .bias = false,
                            .batch_first = true,
                            .dropout = 0.5,
                            .bidirectional = true,
                            .proj_size = 5})) ==
        "LSTM(10, 20, proj_size=5, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)");
  CHECK(to_string(nn::RNNCell(10, 20, {.bias = false, .nonlinearity = "relu"})) ==
        "RNNCell(10, 20, bias=False, nonlinearity=relu)");
  CHECK(to_string(nn::GRUCell(10, 20)) == "GRUCell(10, 20)");

  const nn::GRU gru(3, 25);
  for (const Tensor& p : gru.parameters()) {
    CHECK(p.abs().max().item<double>() <= 0.2);
    CHECK(p.abs().max().item<double>() > 0.17);
  }
}

TEST_CASE("recurrent layers: forms of input, states that are left out") {
  manual_seed(2);
  const Tensor x = randn({5, 3, 4}, kFloat64);
  const auto lstm = wide(nn::LSTM(4, 6, {.num_layers = 2, .bidirectional = true}));
  const auto [y, states] = lstm(x);
  const auto [h, c] = states;
  CHECK(y.sizes() == IntArrayRef({5, 3, 12}));
  CHECK(h.sizes() == IntArrayRef({4, 3, 6}));
  const Tensor zero = zeros({4, 3, 6}, kFloat64);
  CHECK(equal(std::get<0>(lstm(x, std::tuple(zero, zero))), y));
  // What a direction ends with is what y holds of its last step.
  CHECK(equal(h[2], y[4].narrow(1, 0, 6)));
  CHECK(equal(h[3], y[0].narrow(1, 6, 6)));
  const auto [alone, alone_states] = lstm(x.select(1, 1));
  CHECK(alone.sizes() == IntArrayRef({5, 12}));
  CHECK(allclose(alone, y.select(1, 1)));
  CHECK(allclose(std::get<1>(alone_states), c.select(1, 1)));

  const auto first = wide(nn::GRU(4, 6, {.batch_first = true})), later = wide(nn::GRU(4, 6));
  nn::GRU copy = later;
  copy.load_state_dict(first.state_dict());
  CHECK(allclose(std::get<0>(first(x.transpose(0, 1))).transpose(0, 1), std::get<0>(later(x))));
  const nn::GRU cloned = later.clone();
  CHECK(!cloned.all_weights()[0].is_same(later.all_weights()[0]));
  CHECK(equal(std::get<0>(cloned(x)), std::get<0>(later(x))));
  CHECK(std::get<0>(nn::LSTM(4, 6, {.proj_size = 2})(ones({5, 3, 4}))).sizes() == IntArrayRef({5, 3, 2}));
}

TEST_CASE("recurrent layers: a cell is a layer of one step") {
  manual_seed(3);
  const Tensor x = randn({3, 4});
  const nn::LSTM lstm(4, 6);
  const nn::LSTMCell cell(4, 6);
  for (size_t i = 0; i < 4; ++i) {
    const NoGradGuard no_grad;
    cell.parameters()[i].copy_(lstm.parameters()[i]);
  }
  const auto [h, c] = cell(x);
  const auto [y, states] = lstm(x.unsqueeze(0));
  CHECK(equal(y[0], h));
  CHECK(equal(std::get<1>(states)[0], c));
  const auto [next, more] = cell(x, std::tuple(h, c));
  CHECK(equal(std::get<0>(lstm(stack({x, x})))[1], next));
  CHECK(nn::RNNCell(4, 6, {.nonlinearity = "relu"})(x).min().item<float>() >= 0);
  CHECK(std::get<0>(nn::RNN(4, 6, {.nonlinearity = "relu"})(x)).min().item<float>() >= 0);
  CHECK(nn::GRUCell(4, 6)(x[0]).sizes() == IntArrayRef({6}));
}

TEST_CASE("recurrent layers: dropout between layers, in training") {
  manual_seed(4);
  const Tensor x = randn({5, 3, 4});
  nn::GRU gru(4, 6, {.num_layers = 2, .dropout = 1});
  const Tensor trained = std::get<0>(gru(x));
  CHECK(equal(trained, std::get<0>(gru(x * 2))));  // nothing of x comes through
  gru.eval();
  CHECK(!allclose(std::get<0>(gru(x)), trained));
}

TEST_CASE("recurrent layers: products in bfloat16") {
  manual_seed(7);
  const Tensor x = randn({5, 3, 4});
  const auto check = [&](const auto& layer) {
    const Tensor y = std::get<0>(layer(x));
    const AutocastGuard guard;
    const Tensor low = std::get<0>(layer(x));
    CHECK(allclose(low.to(kFloat32), y, 0, 0.02));
    CHECK(!equal(low.to(kFloat32), y));
    sum(low * low).backward();
    for (const Tensor& p : layer.parameters()) CHECK(p.grad().dtype() == kFloat32);
  };
  check(nn::LSTM(4, 6, {.bidirectional = true}));
  check(nn::GRU(4, 6, {.num_layers = 2}));
  check(nn::RNN(4, 6));
}

TEST_CASE("packed sequences: there and back") {
  const Tensor a = arange(1, 5, kFloat32), b = arange(11, 13, kFloat32), c = arange(21, 24, kFloat32);
  const Tensor padded = rnn::pad_sequence({a, b, c}, false, -1);
  CHECK(equal(padded, tensor({{1, 11, 21}, {2, 12, 22}, {3, -1, 23}, {4, -1, -1}}, kFloat32)));
  CHECK(equal(rnn::pad_sequence({a, b, c}, true, -1), padded.t()));
  const auto packed = rnn::pack_padded_sequence(padded, {4, 2, 3}, false, false);
  CHECK(equal(packed.data(), tensor({1., 21., 11., 2., 22., 12., 3., 23., 4.})));
  CHECK(packed.batch_sizes() == std::vector<int64_t>{3, 3, 2, 1});
  CHECK(equal(packed.sorted_indices(), tensor({0, 2, 1})));
  CHECK(equal(packed.unsorted_indices(), tensor({0, 2, 1})));
  const auto [back, lengths] = rnn::pad_packed_sequence(packed, true, -1);
  CHECK(equal(back, padded.t()));
  CHECK(equal(lengths, tensor({4, 2, 3})));
  CHECK(equal(rnn::pack_padded_sequence(padded, lengths, false, false).data(), packed.data()));
  const auto longer = std::get<0>(rnn::pad_packed_sequence(packed, false, -1, 5));
  CHECK(equal(longer, cat({padded, full({1, 3}, -1.)}, 0)));
  CHECK(equal(rnn::pack_sequence({a, b, c}, false).data(), packed.data()));
  CHECK(!rnn::pack_sequence({a, c, b}).sorted_indices().defined());
  const auto there_and_back = [](const std::vector<Tensor>& in) {
    const auto p = rnn::pack_padded_sequence(in[0], std::vector<int64_t>{1, 3}, true, false);
    return std::get<0>(rnn::pad_packed_sequence(p, true, 2, 4));
  };
  CHECK(gradcheck(there_and_back, {randn({2, 3, 2}, dtype(kFloat64).requires_grad(true))}));
}

TEST_CASE("packed sequences: those of several dtypes promote, padding too") {
  const Tensor y = rnn::pad_sequence({tensor({1, 2}), tensor({0.5}), tensor({3}, kFloat64)}, true, -1.5);
  CHECK(y.dtype() == kFloat64);
  CHECK(equal(y, tensor({{1, 2}, {0.5, -1.5}, {3, -1.5}}, kFloat64)));
  const Tensor integers = rnn::pad_sequence({tensor({1}), tensor({0.5, 0.25})}, true, -1.5);
  CHECK(equal(integers, tensor({{1, -1.5}, {0.5, 0.25}})));
}

namespace {

// y and last states of every sequence as if it were alone.
template <class Layer, class Check> void check_alone(const Layer& layer, const Check& check) {
  const Tensor x = randn({3, 5, 2}, kFloat64);  // batch first
  const std::vector<int64_t> lengths{2, 5, 3};
  const auto [packed, state] = layer(rnn::pack_padded_sequence(x, lengths, true, false));
  const auto [y, found] = rnn::pad_packed_sequence(packed, true);
  CHECK(equal(found, tensor(lengths)));
  for (int64_t n = 0; n < 3; ++n) {
    const int64_t length = lengths[static_cast<size_t>(n)];
    CAPTURE(n, length);
    const auto [alone, last] = layer(x[n].narrow(0, 0, length));
    CHECK(allclose(y[n].narrow(0, 0, length), alone));
    CHECK(y[n].narrow(0, length, 5 - length).abs().sum().template item<double>() == 0);
    check(state, last, n);
  }
}

}  // namespace

TEST_CASE("packed sequences: each as if it were alone") {
  manual_seed(5);
  const auto one = [](const Tensor& all, const Tensor& alone, int64_t n) { CHECK(allclose(all.select(1, n), alone)); };
  check_alone(wide(nn::GRU(2, 3, {.num_layers = 2, .bidirectional = true})), one);
  check_alone(wide(nn::RNN(2, 3, {.bidirectional = true})), one);
  check_alone(wide(nn::LSTM(2, 3, {.num_layers = 2, .bidirectional = true, .proj_size = 2})),
              [&](const auto& all, const auto& alone, int64_t n) {
                one(std::get<0>(all), std::get<0>(alone), n);
                one(std::get<1>(all), std::get<1>(alone), n);
              });
  // States that are given belong to the sequences in their own order.
  const auto gru = wide(nn::GRU(2, 3));
  const Tensor x = randn({5, 2, 2}, kFloat64), h = randn({1, 2, 3}, kFloat64);
  const Tensor last = std::get<1>(gru(rnn::pack_padded_sequence(x, std::vector<int64_t>{2, 5}, false, false), h));
  CHECK(allclose(last.select(1, 0), std::get<1>(gru(x.narrow(0, 0, 2).select(1, 0), h.select(1, 0)))));
  CHECK(allclose(last.select(1, 1), std::get<1>(gru(x.select(1, 1), h.select(1, 1)))));
}

TEST_CASE("recurrent layers: a size whose gates would overflow") {
  CHECK_THAT(message_of<ValueError>([] { nn::LSTM(4, int64_t{1} << 62); }),
             Contains("LSTM: hidden_size must be below 2^31, got 4611686018427387904"));
}

TEST_CASE("recurrent layers: refusals") {
  const auto of = [](const nn::LSTMOptions& o, int64_t in = 3, int64_t hidden = 4) {
    return message_of<ValueError>([&] { nn::LSTM(in, hidden, o); });
  };
  CHECK(of({}, 0) == "LSTM: input_size and hidden_size must be positive, got 0 and 4");
  CHECK(of({.num_layers = 0}) == "LSTM: num_layers must be positive, got 0");
  CHECK(of({.dropout = 2}) == "LSTM: dropout must lie in [0, 1], got 2.000000");
  CHECK(of({.proj_size = 4}) == "LSTM: proj_size must be less than hidden_size, 0 for none, got 4 for 4");
  CHECK(message_of<ValueError>([] { nn::RNN(3, 4, {.nonlinearity = "elu"}); }) ==
        "RNN: nonlinearity must be \"tanh\" or \"relu\", got \"elu\"");
  CHECK(message_of<ValueError>([] { nn::GRUCell(3, 0); }) ==
        "GRUCell: input_size and hidden_size must be positive, got 3 and 0");
  const nn::GRU gru(3, 4);
  CHECK(message_of<ShapeError>([&] {
          gru(ones({0, 2, 3}));
        }) == "gru: x must have at least one time step, got shape [0, 2, 3]");
  CHECK(message_of<ShapeError>([&] {
          gru(ones({5, 2, 4}));
        }) == "gru: x must have the 3 features that weight_ih_l0 takes, got shape [5, 2, 4]");
  CHECK(message_of<ShapeError>([&] {
          gru(ones({5, 2, 3}), ones({1, 2, 3}));
        }) == "gru: h_0 must be [1, 2, 4] for x [5, 2, 3], got [1, 2, 3]");
  CHECK(message_of<ValueError>([&] { gru(Tensor()); }) == "gru: x must be defined, got an undefined tensor (Tensor())");
  CHECK(message_of<ShapeError>([&] {
          gru(rnn::pack_sequence({ones({2, 3})}), ones({1, 2, 4}));
        }) == "gru: h_0 must be [1, 1, 4] for x [2, 3], got [1, 2, 4]");
}

TEST_CASE("packed sequences: refusals") {
  const Tensor x = ones({4, 2, 3});
  const auto of = [&](const std::vector<int64_t>& lengths) {
    return message_of<ValueError>([&] { rnn::pack_padded_sequence(x, lengths); });
  };
  CHECK(of({3}) == "pack_padded_sequence: lengths must be one for each of the 2 sequences, got 1");
  CHECK(of({5, 2}) == "pack_padded_sequence: lengths must be from 1 to the 4 steps of x, got [5, 2]");
  CHECK(of({3, 0}) == "pack_padded_sequence: lengths must be from 1 to the 4 steps of x, got [3, 0]");
  CHECK(of({2, 3}) == "pack_padded_sequence: lengths must not grow, got [2, 3] (did you mean enforce_sorted = false?)");
  CHECK(message_of<ShapeError>([] { rnn::pack_padded_sequence(ones({4}), std::vector<int64_t>{1}); }) ==
        "pack_padded_sequence: x must have dims of time and batch, got shape [4]");
  CHECK(message_of<ShapeError>([] {
          rnn::pack_padded_sequence(ones({0, 2}), std::vector<int64_t>{1, 1});
        }) == "pack_padded_sequence: x must have a sequence and a step, got shape [0, 2]");
  CHECK(message_of<ValueError>([&] {
          rnn::pack_padded_sequence(x, tensor({2., 1.}));
        }) == "pack_padded_sequence: lengths must be a vector of integers, got [2] of float32");
  CHECK(message_of<ValueError>([] { rnn::pad_sequence({}); }) ==
        "pad_sequence: at least one sequence is needed, got none");
  CHECK(message_of<ShapeError>([] {
          rnn::pad_sequence({ones({2, 3}), ones({2, 4})});
        }) == "pad_sequence: sizes behind the length must be those of the first sequence, got [2, 4] beside [2, 3]");
  CHECK(message_of<ValueError>([] { rnn::pad_packed_sequence(rnn::pack_sequence({ones({3})}), false, 0, 2); }) ==
        "pad_packed_sequence: total_length must be at least the longest sequence's 3, got 2");
  const auto two = rnn::pack_sequence({ones({3}), ones({2})});
  CHECK_THROWS_AS(rnn::pad_packed_sequence(two, false, 0, int64_t{1} << 60), OutOfMemoryError);
  CHECK(message_of<ShapeError>([&] { rnn::pad_packed_sequence(two, false, 0, INT64_MAX); }) ==
        "pad_packed_sequence: the number of elements overflows 63 bits, got sizes [9223372036854775804, 2]");
  CHECK(message_of<ValueError>([] {
          rnn::PackedSequence(ones({3}), {2, 2});
        }) == "PackedSequence: batch_sizes must sum to data's first size, got [2, 2] for data [3]");
  CHECK(message_of<ValueError>([] {
          const int64_t quarter = int64_t{1} << 62;  // four of them sum to 0 in 64 bits
          rnn::PackedSequence(zeros({0, 2}), {quarter, quarter, quarter, quarter});
        }).starts_with("PackedSequence: batch_sizes must sum to data's first size, got [4611686018427387904,"));
  CHECK(message_of<ValueError>([] {
          rnn::PackedSequence(ones({3, 1}), {2, 1}, zeros({1}, kInt64), zeros({2}, kInt64));
        }) == "PackedSequence: sorted_indices must be int64 [2], got int64 [1]");
  CHECK(message_of<ValueError>([] {
          rnn::PackedSequence(ones({3, 1}), {2, 1}, zeros({2}, kInt64), zeros({2}));
        }) == "PackedSequence: unsorted_indices must be int64 [2], got float32 [2]");
  CHECK(message_of<ValueError>([] {
          rnn::PackedSequence(ones({3}), {1, 2});
        }) == "PackedSequence: batch_sizes must be positive and must not grow, got [1, 2]");
}

namespace {

// Says which of two marks came first in a sequence; trained on all lengths.
struct Reader : nn::Module {
  nn::LSTM lstm = register_module("lstm", nn::LSTM(2, 8, {.num_layers = 2, .dropout = 0.1, .bidirectional = true}));
  nn::Linear out = register_module("out", nn::Linear(16, 2));
  Tensor forward(const Tensor& x, const std::vector<int64_t>& lengths) {
    const auto packed = rnn::pack_padded_sequence(x, lengths, false, false);
    const auto [y, states] = lstm(packed);
    const Tensor h = std::get<0>(states);
    return out(cat({h[2], h[3]}, 1));
  }
};

struct Training {
  std::function<Tensor()> step;
  std::vector<Tensor> params;
};

Training training() {
  manual_seed(6);
  Reader net;
  const std::vector<int64_t> lengths{4, 7, 2, 6, 5, 3, 7, 4};
  const Tensor x = zeros({7, 8, 2}), target = zeros({8}, kInt64);
  for (int64_t n = 0; n < 8; ++n) {
    x[n % 2][n][n / 2 % 2] = 1.f, x[lengths[static_cast<size_t>(n)] - 1][n][1 - n / 2 % 2] = 1.f;
    target[n] = n / 2 % 2;
  }
  const auto adam = std::make_shared<optim::Adam>(net.parameters(), optim::AdamOptions{.lr = 0.02});
  return {[=]() mutable {
            adam->zero_grad();
            const Tensor loss = cross_entropy(net.forward(x, lengths), target);
            loss.backward();
            adam->step();
            return loss.detach();
          },
          net.parameters()};
}

}  // namespace

TEST_CASE("recurrent layers: a network learns, and its captured step has the bits of the step", "[capture]") {
  const Training eager = training();
  std::vector<Tensor> losses;
  for (int i = 0; i < 40; ++i) losses.push_back(eager.step());
  CHECK(losses.front().item<float>() > 0.5f);
  CHECK(losses.back().item<float>() < 0.1f);
  const Training replayed = training();
  const Program program = capture(replayed.step, {.verify = 0});
  for (size_t i = 2; i < losses.size(); ++i) {
    CAPTURE(i);
    REQUIRE(same_bits(program(), losses[i]));
  }
  for (size_t k = 0; k < eager.params.size(); ++k) CHECK(same_bits(eager.params[k], replayed.params[k]));
}

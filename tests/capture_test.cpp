// Capture and replay: the bits of the function, whatever is inside; guards, refusals, and what a program says of itself.
#include <cmath>
#include <cstring>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == y.numel() && std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

// A classifier with everything that a training step can have inside.
struct Net : nn::Cloneable<Net> {
  nn::Linear fc1 = register_module("fc1", nn::Linear(12, 17));
  nn::Dropout drop = register_module("drop", nn::Dropout(0.4));
  nn::Linear fc2 = register_module("fc2", nn::Linear(17, 5));
  Tensor forward(const Tensor& x) { return fc2(drop(tanh(fc1(x)) * 1.5 + 0.25)); }
};

struct Batch {
  Tensor x, y;
};

std::vector<Batch> batches(int count) {
  Generator g(3);
  std::vector<Batch> out;
  for (int i = 0; i < count; ++i) out.push_back({randn({9, 12}, g), randint(0, 5, {9})});
  return out;
}

// Parameters after training on the batches, eagerly or with everything from batch 2 on replayed.
template <class MakeOptimizer>
std::vector<Tensor> trained(const MakeOptimizer& make, bool replayed, CaptureOptions options = {}) {
  manual_seed(5);
  Net net;
  auto optimizer = make(net.parameters());
  const std::vector<Batch> data = batches(8);
  const Tensor x = empty({9, 12}), y = empty({9}, kInt64);
  const auto load = [&](const Batch& b) {
    x.copy_(b.x);
    y.copy_(b.y);
  };
  const auto step = [&] {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(net(x), y);
    loss.backward();
    nn::utils::clip_grad_norm_(net.parameters(), 0.8);
    optimizer.step();
    return loss;
  };
  std::vector<Tensor> seen;
  load(data[0]);
  if (replayed) {
    Program program = capture(step, options);  // twice on the first batch
    for (size_t i = 1; i < data.size(); ++i) {
      load(data[i]);
      optimizer.param_groups()[0].set_lr(0.05 / static_cast<double>(i));
      seen.push_back(program().clone());
    }
  } else {
    step(), step();
    for (size_t i = 1; i < data.size(); ++i) {
      load(data[i]);
      optimizer.param_groups()[0].set_lr(0.05 / static_cast<double>(i));
      seen.push_back(step().detach());
    }
  }
  for (const Tensor& p : net.parameters()) {
    seen.push_back(p.detach());
    seen.push_back(p.grad().detach());
  }
  return seen;
}

template <class MakeOptimizer> void check_same_training(const MakeOptimizer& make) {
  const std::vector<Tensor> eager = trained(make, false);
  for (const CaptureOptions options :
       {CaptureOptions{.verify = 0}, CaptureOptions{.verify = 2}, CaptureOptions{.verify = 0, .fuse = false},
        CaptureOptions{.plan_memory = false}}) {
    const std::vector<Tensor> replay = trained(make, true, options);
    REQUIRE(eager.size() == replay.size());
    for (size_t i = 0; i < eager.size(); ++i) {
      CAPTURE(i, options.verify, options.fuse, options.plan_memory);
      CHECK(same_bits(eager[i], replay[i]));
    }
  }
}

}  // namespace

TEST_CASE("a captured training step trains as the step itself, bit by bit", "[capture]") {
  check_same_training(
      [](auto p) { return optim::SGD(std::move(p), {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-3}); });
  check_same_training([](auto p) { return optim::Adam(std::move(p), {.lr = 0.01, .amsgrad = true}); });
  check_same_training([](auto p) { return optim::AdamW(std::move(p), {.lr = 0.01}); });
  check_same_training(
      [](auto p) { return optim::RMSprop(std::move(p), {.lr = 0.01, .momentum = 0.5, .centered = true}); });
  check_same_training([](auto p) { return optim::Adagrad(std::move(p), {.lr = 0.01, .lr_decay = 0.1}); });
}

TEST_CASE("capture runs the function twice, and a program computes what the inputs hold at each run", "[capture]") {
  int runs = 0;
  const Tensor x = arange(3, kFloat32);
  Program twice = capture([&] { return ++runs, x * 2 + 1; }, {.verify = 0});
  CHECK(runs == 2);
  x.fill_(4);
  CHECK(equal(twice(), full({3}, 9.)));
  CHECK(runs == 2);
  CHECK(twice.outputs().size() == 1);
  const Tensor y = twice();
  CHECK(y.is_same(twice()));  // where results lie does not change
}

TEST_CASE("programs with inputs are called with tensors", "[capture]") {
  Program scaled = capture([](const Tensor& a, const Tensor& b) { return a * b; }, {ones({2, 3}), ones(3)});
  const Tensor a = randn({2, 3}), b = randn(3);
  CHECK(same_bits(scaled({a, b}), a * b));
  CHECK(message_of<ShapeError>([&] {
          scaled({ones({3, 2}), b});
        }) == "Program: input 0 must have the shape it was captured with, got [3, 2] and captured [2, 3]");
  CHECK(message_of<DTypeError>([&] {
          scaled({a, ones(3, kFloat64)});
        }) == "Program: input 1 must have the dtype it was captured with, got float64 and captured float32");
  CHECK(message_of<ValueError>([&] { scaled({a}); }) == "Program: it was captured with 2 inputs, got 1");
  CHECK(message_of<ValueError>([&] {
          scaled({a, Tensor()});
        }) == "Program: input 1 must be defined, got an undefined tensor (Tensor())");
  CHECK(same_bits(scaled({a, b}), a * b));  // as it was
  CHECK(message_of<ValueError>([] {
          capture([](const Tensor& t) { return t; }, {ones(1), ones(1)});
        }) == "capture: the function takes 1 tensors, got 2 inputs");
  Program again = capture(
      [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{in[0].exp(), in[1].sum()};
      },
      {ones(2), ones(3)}, {.recapture = true});
  again({ones({4, 4}), ones(7)});
  CHECK(again.outputs()[0].size(0) == 4);
  CHECK(again.outputs()[1].item<float>() == 7);
}

TEST_CASE("a program that accumulates gradients sees what was done to .grad() between runs", "[capture]") {
  const Tensor w = tensor({1.f, -2.f}).requires_grad_();
  Program backward = capture([&] { (w * w).sum().backward(); }, {.verify = 0});
  CHECK(equal(w.grad(), tensor({4.f, -8.f})));  // of two runs
  backward();
  CHECK(equal(w.grad(), tensor({6.f, -12.f})));
  w.mutable_grad() = Tensor();  // as zero_grad() does
  backward();
  CHECK(equal(w.grad(), tensor({2.f, -4.f})));
  w.mutable_grad() = tensor({10.f, 10.f});
  backward();
  CHECK(equal(w.grad(), tensor({12.f, 6.f})));
}

TEST_CASE("the gradient of a program keeps the sign of zero", "[capture]") {
  const Tensor w = tensor({1.f}).requires_grad_(), x = tensor({-0.f});
  Program backward = capture([&] { (w * x).sum().backward(); }, {.verify = 0});
  w.mutable_grad() = Tensor();
  backward();
  CHECK(std::signbit(w.grad().item<float>()));
}

TEST_CASE("several programs share parameters and take turns", "[capture]") {
  const Tensor w = randn({4, 4}).requires_grad_(), x = randn({4, 4});
  optim::SGD optimizer({w}, {.lr = 0.1});
  const auto step = [&] {
    optimizer.zero_grad();
    mm(x, w).square().mean().backward();
    optimizer.step();
  };
  const Tensor start = w.detach().clone();
  step(), step(), step();
  const Tensor loss = mm(x, w).square().mean(), after = w.detach().clone();
  w.detach().copy_(start);
  Program train = capture(step);
  Program evaluate = capture([&] {
    const NoGradGuard no_grad;
    return mm(x, w).square().mean();
  });
  Program forward_only = capture([&] { return mm(w, w); });
  forward_only();
  train();
  CHECK(same_bits(w, after));
  CHECK(same_bits(evaluate(), loss));
}

TEST_CASE("guards say what has changed since the capture", "[capture]") {
  Tensor x = ones(3);
  nn::Dropout drop(0.5);
  int runs = 0;
  const auto fn = [&] { return ++runs, drop(x) + 1; };
  Program strict = capture(fn, {.verify = 0}), tolerant = capture(fn, {.verify = 0, .recapture = true});
  drop.eval();
  CHECK(message_of<AutogradError>([&] { strict(); }) ==
        "Program: the training mode of a module was on at capture and is off: capture again, or ask for "
        "CaptureOptions::recapture");
  runs = 0;
  CHECK(equal(tolerant(), full({3}, 2.)));
  CHECK(runs == 1);  // the run that captured anew is the run that was asked for
  CHECK(equal(tolerant(), full({3}, 2.)));
  CHECK(runs == 1);
  drop.train();
  strict();  // as at capture

  const int threads = get_num_threads();
  set_num_threads(threads + 1);
  if (get_num_threads() != threads)  // under the thread sanitizer one is all there is
    CHECK(message_of<AutogradError>([&] { strict(); }) == "Program: the thread count was " + std::to_string(threads) +
                                                              " at capture and is " + std::to_string(threads + 1) +
                                                              ": capture again, or ask for CaptureOptions::recapture");
  set_num_threads(threads);

  Program plus = capture([&] { return x + 1; });
  x = zeros(5);
  CHECK(message_of<AutogradError>([&] { plus(); }) ==
        "Program: the tensor of shape [3] and dtype float32 that add reads is held by nobody else any more, so it was "
        "replaced (write new values into it with copy_()): capture again, or ask for CaptureOptions::recapture");
}

TEST_CASE("guards know of frozen parameters and of options that change an optimizer's state", "[capture]") {
  const Tensor w = randn(3).requires_grad_();
  optim::SGD optimizer({w}, {.lr = 0.1});
  Program step = capture([&] {
    optimizer.zero_grad();
    w.square().sum().backward();
    optimizer.step();
  });
  w.set_requires_grad(false);
  CHECK(message_of<AutogradError>([&] { step(); }) ==
        "Program: a parameter of shape [3] required grad at capture and does not any more: capture again, or ask for "
        "CaptureOptions::recapture");
  w.set_requires_grad(true);
  step();
  optimizer.param_groups()[0].options().momentum = 0.9;
  CHECK(
      message_of<AutogradError>([&] { step(); }) ==
      "Program: an option of SGD that decides which state is kept (momentum, amsgrad, centered) was set: capture again, "
      "or ask for CaptureOptions::recapture");
}

TEST_CASE("a recapture that fails leaves the program as it was", "[capture]") {
  Program square = capture([](const Tensor& x) { return mm(x, x); }, {ones({2, 2})}, {.recapture = true});
  CHECK_THROWS_AS(square({ones({2, 3})}), ShapeError);
  CHECK(equal(square({full({2, 2}, 2.)}), full({2, 2}, 8.)));
}

TEST_CASE("a step that uses the gradients of the step before is replayed so", "[capture]") {
  const auto run = [](bool replayed) {
    const Tensor w = tensor({1.f, -2.f}).requires_grad_();
    optim::SGD optimizer({w}, {.lr = 0.1});
    const auto late = [&] {
      optimizer.step();
      optimizer.zero_grad();
      w.square().sum().backward();
    };
    late(), late();
    if (replayed) {
      Program p = capture(late);
      for (int i = 0; i < 5; ++i) p();
    } else {
      for (int i = 0; i < 7; ++i) late();
    }
    return std::vector<Tensor>{w.detach(), w.grad()};
  };
  const std::vector<Tensor> eager = run(false), replay = run(true);
  CHECK(same_bits(eager[0], replay[0]));
  CHECK(same_bits(eager[1], replay[1]));
}

TEST_CASE("what a replay could not do again is refused where it is written", "[capture]") {
  const Tensor x = tensor({1.f, 0.f, 2.f});
  const auto refused = [&](const std::function<void()>& f) {
    const std::string text = message_of<AutogradError>([&] { capture(f, {.verify = 0}); });
    return text.substr(0, text.find(", at "));
  };
  CHECK(refused([&] { (x * 2).sum().item<float>(); }) ==
        "capture: item() reads a value on the host, which a replay would not do again (return the tensor, and read it "
        "after the run)");
  CHECK(refused([&] { nonzero(x); }) ==
        "capture: the shape of nonzero's result depends on values, and a replay keeps shapes");
  CHECK(refused([&] { masked_select(x, x > 0); }).find("depends on values") != std::string::npos);
  CHECK(refused([&] { x.data_ptr<float>()[0] = 1; }).find("capture: data_ptr() gives raw access") == 0);
  CHECK(refused([&] { to_string(x); }).find("capture: printing a tensor") == 0);
  CHECK(refused([&] { capture([] {}); }) == "capture: a capture cannot run inside another");
  Program p = capture([&] { return x + 1; });
  CHECK(refused([&] { p(); }) == "Program: a program cannot run inside a capture");
  // The place is named, and nothing is left of the capture.
  const std::string text = message_of<AutogradError>([&] { capture([&] { x[0].item<float>(); }, {.verify = 0}); });
  CHECK(text.find("capture_test") != std::string::npos);
  CHECK(x[0].item<float>() == 1);
}

TEST_CASE("kernels of users' own are captured", "[capture]") {
  const auto scaled = [](const Tensor& x, float s) {
    Tensor y = empty_like(x);
    launch("scaled", {&y}, {&x}, [n = x.numel(), s](float* to, const float* from) {
      for (int64_t i = 0; i < n; ++i) to[i] = s * from[i];
    });
    return y;
  };
  const Tensor x = randn(5);
  Program p = capture([&] { return scaled(scaled(x.exp(), 2), 3) + 1; }, {.verify = 1});
  x.copy_(randn(5));
  CHECK(same_bits(p(), (x.exp() * 2) * 3 + 1));
  const Tensor y = empty(5);
  Program q =
      capture([&] { launch("held", {&y}, {&x}, [x, y] { y.data_ptr<float>()[0] = 2 * x.data_ptr<float>()[0]; }); });
  x.fill_(3);
  q();
  CHECK(y[0].item<float>() == 6);
  CHECK(message_of<DTypeError>([&] { launch("k", {&y}, {&x}, [](double*, const float*) {}); }) ==
        "k: a pointer must have its tensor's element type, which is float32, got float64");
  CHECK(message_of<ValueError>([&] { launch("k", {&y}, {&x}, [](float*) {}); }) ==
        "k: the kernel must take one pointer for each of the 2 outputs and inputs, got 1 pointers");
  const Tensor none;
  CHECK(message_of<ValueError>([&] { launch("k", {&y}, {&none}, [](float*, float*) {}); }) ==
        "k: operand 1 of the launch must be defined, got an undefined tensor (Tensor())");
}

TEST_CASE("verify names the first launch that a replay computes differently", "[capture]") {
  const Tensor x = ones(2), y = zeros(2);
  double host = 1;
  CHECK(message_of<AutogradError>([&] { capture([&] { y.copy_(x.exp() * (host *= 2)); }, {.verify = 1}); }) ==
        "capture: the replay differs from the function: launch 1 (mul [2] float32): element 0 is 21.746254 in the "
        "function and 10.873127 in the replay (does it depend on something that the function computes on the host?)");
  int calls = 0;
  CHECK(message_of<AutogradError>([&] { capture([&] { y.copy_(++calls % 2 ? x.exp() : x.sin()); }, {.verify = 1}); }) ==
        "capture: the replay differs from the function: launch 0 (exp [2] float32) is sin [2] float32 in the program "
        "(does the function do other things from call to call?)");
  const Tensor w = ones(2);
  const Tensor before = w.clone();
  Program p = capture([&] { w.mul_(2); }, {.verify = 3});
  CHECK(equal(w, before * 4));  // two runs, and no trace of the others
  p();
  CHECK(equal(w, before * 8));
}

TEST_CASE("what a checkpoint draws again in a replay is what its forward drew", "[capture]") {
  const auto run = [](bool replayed, int verify) {
    manual_seed(6);
    const Tensor w = randn({6, 6}).requires_grad_(), x = randn({4, 6});
    optim::SGD optimizer({w}, {.lr = 0.05});
    const auto step = [&] {
      optimizer.zero_grad();
      const Tensor y = autograd::checkpoint([&](const Tensor& v) { return dropout(tanh(mm(v, w)), 0.3, true); }, x);
      dropout(y.square(), 0.5, true).sum().backward();
      optimizer.step();
    };
    if (replayed) {
      Program p = capture(step, {.verify = verify});
      for (int i = 0; i < 4; ++i) p();
    } else {
      for (int i = 0; i < 6; ++i) step();
    }
    return w.detach();
  };
  const Tensor eager = run(false, 0);
  CHECK(same_bits(eager, run(true, 0)));
  CHECK(same_bits(eager, run(true, 2)));
}

TEST_CASE("an error in a replay leaves the program able to run again", "[capture]") {
  const Tensor table = arange(4, kFloat32), at = tensor({0, 3}, kInt64);
  Program p = capture([&] { return table.index_select(0, at) * 2; });
  at.fill_(9);
  CHECK_THROWS_AS(p(), IndexError);
  at.fill_(1);
  CHECK(equal(p(), full({2}, 2.)));
}

TEST_CASE("elementwise chains are fused, and what only they see takes no memory", "[capture]") {
  const Tensor b = randn(100000).requires_grad_();
  const auto fn = [&] {
    b.mutable_grad() = Tensor();
    const Tensor loss = sum(tanh(b * b + b) * sigmoid(b));
    loss.backward();
    return loss;
  };
  const Tensor expected = fn().detach(), gradient = b.grad().clone();
  Program p = capture(fn);
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    Program q = capture(fn);
    CHECK(same_bits(q(), expected));
    CHECK(same_bits(b.grad(), gradient));
  }
  const ProgramStats s = p.stats();
  CHECK(s.fused_groups == 1);
  CHECK(s.steps <= 3);
  CHECK(s.inside_bytes > 8 * 400000);
  CHECK(s.planned_bytes < 1000);
  CHECK(p.text().find("pass over 100000 elements") != std::string::npos);
  CHECK(p.text().find("fused passes") != std::string::npos);
  CHECK(p.dot().find("digraph program") == 0);
}

TEST_CASE("fused passes respect broadcasting, writes in place and views", "[capture]") {
  const Tensor x = randn({70, 33}), row = randn(33), column = randn({70, 1});
  const auto check = [&](const std::function<Tensor()>& f) {
    const Tensor first = x.clone();
    f();
    f();
    const Tensor expected = f().clone();
    const Tensor left = x.clone();
    x.copy_(first);
    for (bool fuse : {true, false}) {
      Program p = capture([&] { return f(); }, {.verify = 0, .fuse = fuse});
      const Tensor got = p();
      CHECK(same_bits(got, expected));
      CHECK(same_bits(x, left));
      x.copy_(first);
    }
  };
  check([&] { return ((x + row) * column).exp().sum(); });
  check([&] { return (x * 2 + column).relu() - row; });
  check([&] { return x.add_(row).mul_(0.5).clone() + x; });
  check([&] {
    const Tensor y = x * 2;
    y.slice(0, 0, 10).add_(1);
    return y * y + x;
  });
  check([&] {
    const Tensor y = x * 2;  // read across: no tile of y may be used before all of it is there
    return y.slice(0, 0, 35) + y.slice(0, 35, 70).flip(0) * 3;
  });
  check([&] {
    const Tensor y = x.slice(1, 0, 32) + 1;
    const Tensor z = y.slice(1, 0, 31) * y.slice(1, 1, 32);
    return z.sum(0);
  });
  check([&] {
    const Tensor s = (x * x).sum();
    return (x / s).exp() + s;
  });
}

TEST_CASE("planned memory is shared by what is not alive at once", "[capture]") {
  nn::Sequential net(nn::Linear(64, 64), nn::Linear(64, 64), nn::Linear(64, 64), nn::Linear(64, 64),
                     nn::Linear(64, 64));
  const Tensor x = randn({8, 64});
  const NoGradGuard no_grad;
  Program p = capture([&] { return net(x); });
  CHECK(p.stats().buffers == 4);
  CHECK(p.stats().eager_bytes == 4 * 8 * 64 * 4);
  CHECK(p.stats().planned_bytes == 2 * 8 * 64 * 4);
  CHECK(same_bits(p(), net(x)));
}

TEST_CASE("a steady program asks the system for nothing", "[capture]") {
  const Tensor w = randn({16, 16}).requires_grad_(), x = randn({16, 16});
  optim::Adam optimizer({w}, {.lr = 0.01});
  Program p = capture([&] {
    optimizer.zero_grad();
    mm(x, w).tanh().sum().backward();
    optimizer.step();
  });
  p();
  const AllocatorStats before = allocator_stats();
  for (int i = 0; i < 100; ++i) p();
  CHECK(allocator_stats().system_allocations == before.system_allocations);
  CHECK(autograd::live_nodes() == 0);
}

TEST_CASE("a program outlives the optimizer and the handles of its capture", "[capture]") {
  const Tensor w = ones(2).requires_grad_();
  const auto make = [&](bool own) {
    optim::SGD optimizer({w}, {.lr = 0.5, .momentum = 0.9});
    const auto step = [](optim::SGD& o, const Tensor& t) {
      o.zero_grad();
      t.sum().backward();
      o.step();
    };
    if (!own) return capture([&] { step(optimizer, w); }, {.verify = 0});
    return capture([o = std::move(optimizer), step, w]() mutable { step(o, w); });
  };
  for (const bool own : {true, false}) {
    const Program p = make(own);
    const Tensor before = w.detach().clone();
    p();
    CHECK(!equal(w.detach(), before));
  }
}

// Capture and replay where a step does something unusual: writes into its own constants, seeds, changes modes, or is changed after.
#include <cstring>
#include <thread>

#include "catch.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == y.numel() && std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

const CaptureOptions kOptions[] = {{.verify = 0}, {.verify = 1}, {.verify = 0, .fuse = false}, {.plan_memory = false}};

// Every run of the program has the bits of f, which is the same at every call.
void check_replays(const std::function<Tensor()>& f) {
  const Tensor expected = f().clone();
  for (const CaptureOptions& options : kOptions) {
    CAPTURE(options.verify, options.fuse, options.plan_memory);
    Program p = capture([&] { return f(); }, options);
    for (int run = 0; run < 3; ++run) CHECK(same_bits(p(), expected));
  }
}

std::string refused(const std::function<void()>& f) {
  const std::string text = message_of<AutogradError>([&] { capture(f, {.verify = 0}); });
  return text.substr(0, text.find(", at "));
}

std::string broken(const Program& p) {
  const std::string text = message_of<AutogradError>([&] { p(); });
  return text.substr(0, text.find(": capture again"));
}

}  // namespace

TEST_CASE("parts of one memory that are used side by side do not share a buffer of a pass", "[capture]") {
  const Tensor x = randn(35), m = randn({5, 7});
  check_replays([&] {
    const std::vector<Tensor> halves = cat({x + 1, x * 5}).chunk(2);
    return halves[0] * halves[1];
  });
  check_replays([&] {
    const Tensor rows = stack({m + 1, m * 5});
    return rows[0] * rows[1] + rows[0];
  });
  check_replays([&] {
    const Tensor y = empty(70);
    y.slice(0, 0, 35).copy_(x.exp());
    y.slice(0, 35, 70).copy_(x.sin());
    return (y.slice(0, 0, 35) - y.slice(0, 35, 70)).sum();
  });
}

TEST_CASE("constants of a step are at every run what they were, whatever the step writes into them", "[capture]") {
  const Tensor x = ones(3);
  check_replays([&] { return arange(3, kFloat32).add_(x); });
  check_replays([&] { return tensor({1.f, 2.f, 3.f}).mul_(x + 1) * 2; });
  check_replays([&] { return linspace(0, 1, 3).sub_(x).square(); });
  check_replays([&] {
    const Tensor table = tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
    table[0] = x * 7;
    return table.sum(0);
  });
  // One that is only read costs no launch at a run; one that is handed out may be written to between runs.
  Program reads = capture([&] { return x * tensor({1.f, 2.f, 3.f}); });
  CHECK(reads.stats().launches == 2);
  CHECK(reads.stats().steps == 1);
  Program gives = capture([] { return tensor({1.f, 2.f}); });
  gives().fill_(9);
  CHECK(equal(gives(), tensor({1.f, 2.f})));
}

TEST_CASE("seeding inside a step is done again at every run", "[capture]") {
  const Tensor x = zeros(6);
  check_replays([&] {
    manual_seed(7);
    return x + rand({6}) + dropout(ones(6), 0.5, true);
  });
  check_replays([&] {
    Generator own(5);
    return x + rand({6}, own) * rand({6}, own);
  });
  check_replays([&] {
    const DefaultGeneratorGuard guard(Generator(9));
    return x + randn({6});
  });
  Generator shared(3);
  check_replays([&] {
    shared.set_draw(4);
    return x + rand({6}, shared);
  });
  Program draws = capture([&] {
    shared.set_draw(4);
    return x + rand({6}, shared);
  });
  shared.manual_seed(8);  // set_draw() leaves the seed alone, in a replay too
  const Tensor got = draws().clone();
  Generator same(8);
  same.set_draw(4);
  CHECK(same_bits(got, rand({6}, same)));
}

TEST_CASE("a handle to no program says so", "[capture]") {
  Program none, full = capture([] { return ones(2); });
  CHECK(!none.captured());
  none = std::move(full);
  CHECK(equal(none(), ones(2)));
  CHECK(!full.captured());
  const std::string text = "Program: it must hold a captured function, got a handle to nothing";
  CHECK(message_of<ValueError>([&] { full(); }) == text);
  CHECK(message_of<ValueError>([&] { full({ones(2)}); }) == text);
  CHECK(message_of<ValueError>([&] { (void)full.outputs(); }) == text);
  CHECK(message_of<ValueError>([&] { (void)full.text(); }) == text);
  CHECK(message_of<ValueError>([&] { (void)Program(nullptr).dot(); }) == text);
  CHECK(message_of<ValueError>([&] { (void)Program().stats(); }) == text);
}

TEST_CASE("guards know of what became of the tensors of a step", "[capture]") {
  const Tensor a = ones(3).requires_grad_(), b = ones(3);
  optim::SGD optimizer({a, b}, {.lr = 0.1});
  Program step = capture([&] {
    optimizer.zero_grad();
    (a * b).sum().backward();
    optimizer.step();
  });
  b.set_requires_grad(true);
  CHECK(broken(step) == "Program: a tensor of shape [3] did not require grad at capture and does now");
  b.set_requires_grad(false);
  step();
  const unsigned hook = a.register_hook([](const Tensor& g) { return g * 100; });
  CHECK(broken(step) == "Program: a parameter of shape [3] had 0 hooks at capture and has 1");
  a.remove_hook(hook);
  step();
  optimizer.add_param_group({ones(2)}, {.lr = 1});
  CHECK(broken(step) == "Program: a group of parameters was added to SGD");

  Tensor w = ones(3).requires_grad_();
  Program sweep = capture([&] { (w * w).sum().backward(); });
  Tensor same = w;
  w = full({3}, 5.).requires_grad_();
  sweep();  // the same parameter, by another handle
  same = Tensor();
  CHECK(
      broken(sweep) ==
      "Program: a parameter of shape [3], which the program computes the gradient of, is held by nobody else any more, "
      "so it was replaced (write new values into it with copy_())");
}

TEST_CASE("guards know of gradients that the step before has left", "[capture]") {
  const Tensor w = ones(3).requires_grad_();
  optim::SGD optimizer({w}, {.lr = 0.1});
  const auto fn = [&] {
    (w * w).sum().backward();
    optimizer.step();
    optimizer.zero_grad();
  };
  Program strict = capture(fn), tolerant = capture(fn, {.recapture = true});
  (w * 5).sum().backward();
  CHECK(broken(strict) ==
        "Program: a parameter of shape [3] had no gradient when the captured function began and has one now "
        "(zero_grad() before the run)");
  const Tensor expected = w.detach() - 0.1 * (2 * w.detach() + 5);
  tolerant();
  CHECK(allclose(w.detach(), expected));
  CHECK(!w.grad().defined());
  strict();
  w.set_requires_grad(false);
  CHECK(broken(strict) == "Program: a parameter of shape [3] required grad at capture and does not any more");
}

TEST_CASE("a step may freeze, and set the mode of modules, itself", "[capture]") {
  const Tensor g = randn({4, 4}).requires_grad_(), d = randn({4, 4}).requires_grad_(), x = randn({2, 4});
  Program turns = capture([&] {
    g.mutable_grad() = Tensor();
    d.set_requires_grad(false);
    mm(mm(x, g), d).sum().backward();
    d.set_requires_grad(true);
  });
  d.set_requires_grad(false);  // what it is before does not matter, as it does not to the function
  turns();
  CHECK(d.requires_grad());
  // Two programs that each say what they need, as those of a generator and its critic do.
  const Tensor data = randn({2, 4});
  Program first = capture([&] {
    d.set_requires_grad(false);
    (void)autograd::grad({mm(mm(x, g), d).sum()}, {g});
  });
  Program second = capture([&] {
    d.set_requires_grad(true);
    return autograd::grad({mm(data, d).square().sum()}, {d})[0];
  });
  for (int run = 0; run < 2; ++run) {
    first();
    CHECK(!d.requires_grad());
    second();
    CHECK(d.requires_grad());
  }
  // A leaf of the step's own is nobody else's concern.
  Tensor old = randn(3);
  Program own = capture([&] {
    const Tensor leaf = old.detach().requires_grad_();
    return autograd::grad({(leaf * leaf).sum()}, {leaf})[0];
  });
  CHECK(same_bits(own(), old * 2));
  old = Tensor();
  CHECK(broken(own).find("is held by nobody else any more") != std::string::npos);

  nn::Dropout drop(0.5);
  const Tensor many = ones(1000);
  Program modes = capture([&] {
    drop.train();
    const Tensor noisy = drop(many);
    drop.eval();
    return noisy + 10 * drop(many);
  });
  for (int run = 0; run < 2; ++run) {
    drop.train();
    const Tensor y = modes();
    CHECK(!drop.is_training());
    CHECK((y == 10).any().item<bool>());
    CHECK((y == 12).any().item<bool>());
  }
  Program looks = capture(
      [&] {
        const Tensor y = drop(many);
        drop.eval();
        return y;
      },
      {.verify = 0});
  looks();
  drop.train();
  CHECK(broken(looks) == "Program: the training mode of a module was off at capture and is on");
}

TEST_CASE("a function of tensors may ask for gradients by those that require them", "[capture]") {
  Program slope =
      capture([](const Tensor& x) { return autograd::grad({(x * x * x).sum()}, {x})[0]; }, {ones(3).requires_grad_()});
  CHECK(equal(slope({tensor({1.f, 2.f, 3.f})}), tensor({3.f, 12.f, 27.f})));
}

TEST_CASE("a step may have an optimizer of its own", "[capture]") {
  const Tensor w = randn({3, 3}).requires_grad_(), start = w.detach().clone();
  check_replays([&] {
    w.detach().copy_(start);
    optim::Adam inner({w}, {.lr = 0.1});
    for (int i = 0; i < 3; ++i) {
      inner.zero_grad();
      w.square().sum().backward();
      inner.step();
    }
    return w.detach();
  });
}

TEST_CASE("operations inside a kernel of the user's are the kernel's", "[capture]") {
  const Tensor total = zeros(3), x = ones(3);
  Program p = capture([&] {
    launch("add up", {&total}, {&x}, [total, x] { total.add_(x * 2); });
    return total * 1;
  });
  CHECK(p.stats().launches == 2);
  total.zero_();
  CHECK(equal(p(), full({3}, 2.)));
  CHECK(equal(p(), full({3}, 4.)));
}

TEST_CASE("a kernel's name may be made while the program runs", "[capture]") {
  const Tensor x = ones(3);
  std::string name = "a kernel with a name that needs memory of its own";
  const std::string expected = name;
  Program p = capture([&] { launch(name.c_str(), {&x}, {}, [](float* to) { to[0] = 4; }); });
  name.assign(name.size(), '#');
  CHECK(p.text().find(expected) != std::string::npos);
  Program odd = capture([&] { launch("a \"quoted\"\nname\\", {&x}, {}, [](float* to) { to[0] = 4; }); });
  CHECK(odd.dot().find("[label=\"a \\\"quoted\\\"\\lname\\\\ [3] float32, outside\\l\"]") != std::string::npos);
}

TEST_CASE("what a kernel of the user's writes is written in place", "[capture]") {
  const Tensor w = ones(3).requires_grad_(), x = full({3}, 2.);
  const auto set = [&] { launch("set", {&x}, {}, [](float* to) { to[0] = 100; }); };
  const auto stale = [&](const std::function<void()>& write) {
    const Tensor loss = (w * x).sum();
    write();
    const std::string text = message_of<AutogradError>([&] { loss.backward(); });
    return text.find("was written in place after it was saved") != std::string::npos;
  };
  CHECK(stale(set));
  Program p = capture([&] { x.add_(1); });
  CHECK(stale([&] { p(); }));
  bool fails = false;
  Program q = capture([&] {
    x.add_(1);
    launch("fails", {&x}, {}, [&fails](float*) {
      if (fails) throw ValueError("on purpose");
    });
  });
  fails = true;
  CHECK(stale([&] { CHECK_THROWS_AS(q(), ValueError); }));
  fails = false;
  CHECK(stale([&] { q(); }));
}

TEST_CASE("more of what a replay could not do again is refused", "[capture]") {
  const Tensor x = ones(3), w = ones(2).requires_grad_();
  CHECK(refused([&] { (void)allclose(x, x); }) ==
        "capture: equal() and allclose() read values on the host, which a replay would not do again");
  optim::SGD optimizer({w}, {.lr = 0.5});
  CHECK(refused([&] { optimizer.param_groups()[0].set_lr(0.25); }) ==
        "capture: set_lr() sets a number on the host, which a replay would not do again (set it between runs)");
  CHECK(optimizer.param_groups()[0].lr() == 0.25);  // by the first run
  CHECK(refused([&] {
          nn::init::orthogonal_(ones({2, 2}));
        }) == "capture: orthogonal_() computes on the host, which a replay would not do again");
  data::DataLoader loader(data::TensorDataset(ones({4, 2}), ones(4)), {.batch_size = 2});
  CHECK(refused([&] {
          for (const auto& batch : loader) (void)batch;
        }) ==
        "capture: a loader hands out other examples at every pass, and a replay would not ask it for them (capture a "
        "function of the batch, and call it with each)");
  const std::string text = message_of<AutogradError>([&] { capture([&] { (void)to_string(x); }, {.verify = 0}); });
  CHECK(text.find("/c++/") == std::string::npos);  // the line is the caller's, not that of std::function
}

TEST_CASE("verify finds a kernel that reads what it does not name", "[capture]") {
  const Tensor x = randn(4);
  const auto sneaky = [&] {
    const Tensor hidden = x.exp(), y = empty(4);
    launch("sneaky", {&y}, {}, [from = hidden.elements<float>()](float* to) { std::copy_n(from, 4, to); });
    return y + 1;
  };
  const std::string text = message_of<AutogradError>([&] { capture(sneaky, {.verify = 1}); });
  CHECK(text.find("capture: the compiled program differs from its launches one by one in what") == 0);
}

TEST_CASE("long programs are planned in the order of time", "[capture]") {
  const Tensor x = randn({2, 16}) * 0.1;
  const auto fn = [&] {
    Tensor y = x;
    for (int i = 0; i < 5000; ++i) y = y.cumsum(1) * 0.3;  // no pass: each of the two waits for the other
    return y + x.cumsum(0);
  };
  const Tensor expected = fn();
  Program p = capture(fn, {.verify = 0, .fuse = false});
  CHECK(p.stats().buffers == 10001);
  CHECK(p.stats().planned_bytes <= 3 * 128);
  CHECK(same_bits(p(), expected));
  CHECK(same_bits(p(), expected));
}

TEST_CASE("captures on another thread do not make memory look let go of", "[capture]") {
  const Tensor w = randn({4, 4});
  std::atomic<bool> stop = false;
  std::thread other([&] {
    Storage& storage = *w.impl()->storage;
    while (!stop) {
      storage.watch();
      storage.unwatch();
    }
  });
  int wrong = 0;
  for (int i = 0; i < 1'000'000; ++i) wrong += w.impl()->storage->references() != 1;
  stop = true;
  other.join();
  CHECK(wrong == 0);
}

// Steps over all parameters at once: the bits of one number after the other, the launches, threads, clipping inside the step.
#include <cmath>

#include "message.h"
#include "optim_reference.h"
#include "tapegrad/ops/kernels/simd/simd.h"

using namespace tapegrad;
using optim_reference::leaf;

namespace {

namespace simd = kernels::simd;

// The algorithms for one number, in the arithmetic of its type: what the kernels must give to the last bit.
template <class T, class O> T gradient(const O& o, T p, T g, bool decays = true) {
  if (o.maximize) g = -g;
  return decays && o.weight_decay != 0 ? g + static_cast<T>(o.weight_decay) * p : g;
}

template <class T> struct Sgd {
  optim::SGDOptions o;
  T b = 0;
  int steps = 0;
  T operator()(T p, T g) {
    g = gradient(o, p, g);
    if (o.momentum != 0) {
      const T momentum = static_cast<T>(o.momentum);
      b = steps++ == 0 ? g : b * momentum + static_cast<T>(1 - o.dampening) * g;
      g = o.nesterov ? g + momentum * b : b;
    }
    return p + static_cast<T>(-o.lr) * g;
  }
};

template <class T, class O, bool kDecoupled> struct AdamOf {
  O o;
  T m = 0, v = 0, largest = 0;
  int steps = 0;
  T operator()(T p, T g) {
    ++steps;
    g = gradient(o, p, g, !kDecoupled);
    if (kDecoupled && o.weight_decay != 0) p = p * static_cast<T>(1 - o.lr * o.weight_decay);
    const auto [beta1, beta2] = o.betas;
    m = m * static_cast<T>(beta1) + static_cast<T>(1 - beta1) * g;
    v = v * static_cast<T>(beta2) + static_cast<T>(1 - beta2) * g * g;
    largest = std::max(largest, v);
    const double c1 = 1 - std::pow(beta1, steps), c2 = 1 - std::pow(beta2, steps);
    const T u = o.amsgrad ? largest : v;
    return p +
           static_cast<T>(-(o.lr / c1)) * m / (std::sqrt(u) / static_cast<T>(std::sqrt(c2)) + static_cast<T>(o.eps));
  }
};

template <class T> struct Rmsprop {
  optim::RMSpropOptions o;
  T v = 0, mean = 0, b = 0;
  T operator()(T p, T g) {
    g = gradient(o, p, g);
    const T alpha = static_cast<T>(o.alpha), share = static_cast<T>(1 - o.alpha);
    v = v * alpha + share * g * g;
    mean = mean * alpha + share * g;
    T s = g / (std::sqrt(o.centered ? v - mean * mean : v) + static_cast<T>(o.eps));
    if (o.momentum != 0) s = b = b * static_cast<T>(o.momentum) + s;
    return p + static_cast<T>(-o.lr) * s;
  }
};

template <class T> struct Adagrad {
  optim::AdagradOptions o;
  T v = static_cast<T>(o.initial_accumulator_value);
  int steps = 0;
  T operator()(T p, T g) {
    g = gradient(o, p, g);
    v = v + g * g;
    return p + static_cast<T>(-(o.lr / (1 + steps++ * o.lr_decay))) * g / (std::sqrt(v) + static_cast<T>(o.eps));
  }
};

// Sizes around whole vectors, none, many; every other parameter or gradient lies otherwise than in order.
std::vector<Tensor> parameters_of(DType dtype) {
  std::vector<Tensor> out;
  for (const int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 0, 5}) out.push_back(leaf(randn({n}, dtype)));
  out.push_back(randn({5, 7}, dtype).t().requires_grad_());
  out.push_back(randn({4, 12}, dtype).slice(1, 0, 12, 3).detach().requires_grad_());
  return out;
}

// Steps in which some parameters have no gradient, so that their counts part.
template <class T, class Optimizer, class Reference, class Options> void compare_bits(const Options& options) {
  const std::vector<Tensor> params = parameters_of(dtype_of<T>());
  Optimizer optimizer(params, options);
  std::vector<std::vector<Reference>> references;
  for (const Tensor& p : params) references.emplace_back(static_cast<size_t>(p.numel()), Reference{options});
  for (int step = 0; step < 5; ++step) {
    std::vector<std::vector<T>> expected;
    for (size_t k = 0; k < params.size(); ++k) {
      const Tensor& p = params[k];
      const bool skipped = k % 4 == 1 && step % 2 == 0;
      p.mutable_grad() = skipped ? Tensor() : k % 3 == 0 ? randn(p.sizes(), p.dtype()) : randn_like(p);
      const Tensor now = p.detach().contiguous(), g = skipped ? Tensor() : p.grad().contiguous();
      expected.emplace_back();
      for (int64_t i = 0; i < p.numel(); ++i) {
        const T x = now.elements<T>()[i];
        expected.back().push_back(skipped ? x : references[k][static_cast<size_t>(i)](x, g.elements<T>()[i]));
      }
    }
    optimizer.step();
    for (size_t k = 0; k < params.size(); ++k) {
      const Tensor now = params[k].detach().contiguous();
      INFO("parameter " << k << ", step " << step);
      REQUIRE(std::equal(expected[k].begin(), expected[k].end(), now.elements<T>()));
    }
  }
}

template <class T> void compare_all() {
  for (const optim::SGDOptions& o : {optim::SGDOptions{.lr = 0.1},
                                     {.lr = 0.1, .weight_decay = 0.2, .maximize = true},
                                     {.lr = 0.1, .momentum = 0.9, .dampening = 0.3},
                                     {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true}})
    compare_bits<T, optim::SGD, Sgd<T>>(o);
  using A = optim::AdamOptions;
  for (const A& o : {A{.lr = 0.1}, A{.lr = 0.1, .betas = {0.5, 0.6}, .weight_decay = 0.2, .amsgrad = true}})
    compare_bits<T, optim::Adam, AdamOf<T, A, false>>(o);
  using W = optim::AdamWOptions;
  for (const W& o : {W{.lr = 0.1}, W{.lr = 0.1, .weight_decay = 0, .maximize = true}})
    compare_bits<T, optim::AdamW, AdamOf<T, W, true>>(o);
  for (const optim::RMSpropOptions& o :
       {optim::RMSpropOptions{.lr = 0.1}, {.lr = 0.1, .weight_decay = 0.1, .momentum = 0.9, .centered = true}})
    compare_bits<T, optim::RMSprop, Rmsprop<T>>(o);
  compare_bits<T, optim::Adagrad, Adagrad<T>>(
      optim::AdagradOptions{.lr = 0.1, .lr_decay = 0.1, .initial_accumulator_value = 0.5});
}

std::vector<Tensor> many(int count, int64_t n, DType dtype = kFloat32) {
  std::vector<Tensor> out;
  for (int i = 0; i < count; ++i) out.push_back(leaf(randn({n + i % 3}, dtype)));
  return out;
}
void draw_gradients(const std::vector<Tensor>& params, double scale = 1) {
  for (const Tensor& p : params) p.mutable_grad() = randn(p.sizes(), p.dtype()) * scale;
}
std::vector<Tensor> copies_of(const std::vector<Tensor>& params) {
  std::vector<Tensor> out;
  for (const Tensor& p : params) {
    out.push_back(leaf(p));
    if (p.grad().defined()) out.back().mutable_grad() = p.grad().clone();
  }
  return out;
}
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i].detach(), b[i].detach())) return false;
  }
  return a.size() == b.size();
}

int64_t launches_of(const Profile& p, const std::string& name) {
  int64_t calls = 0;
  for (const ProfileRow& row : p.key_averages()) {
    if (row.name == name) calls += row.calls;
  }
  return calls;
}

struct Threads {
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before = get_num_threads();
};

}  // namespace

TEST_CASE("a step over many parameters has the bits of one number after the other", "[optim]") {
  struct Restore {
    std::string isa = simd::table().isa;
    ~Restore() { simd::select(isa.c_str()); }
  } restore;
  for (const char* const* isa = simd::available(); *isa; ++isa) {
    REQUIRE(simd::select(*isa));
    INFO(*isa);
    manual_seed(3);
    compare_all<float>();
    compare_all<double>();
  }
}

TEST_CASE("a step is one launch for each group and dtype, and tells its work", "[optim]") {
  std::vector<Tensor> params = many(40, 64);
  for (const Tensor& p : many(3, 10, kFloat64)) params.push_back(p);
  optim::Adam adam(params);
  adam.add_param_group(many(5, 8));
  draw_gradients(params);
  for (const Tensor& p : adam.param_groups()[1].params()) p.mutable_grad() = randn_like(p);
  const Profile first = profile([&] { adam.step(); });
  CHECK(launches_of(first, "adam_step") == 3);
  int64_t bytes = 0, elements = 0;
  for (const ProfileRow& row : first.key_averages()) {
    if (row.name == "adam_step") bytes += row.bytes;
  }
  for (const optim::ParamGroup& group : adam.optim::Optimizer::param_groups()) {
    for (const Tensor& p : group.params()) elements += p.nbytes();
  }
  CHECK(bytes == 7 * elements);  // p, m and v read and written, g read
  adam.set_max_grad_norm(1);
  const Profile clipped = profile([&] { adam.step(); });
  CHECK(launches_of(clipped, "adam_step") == 3);
  CHECK(launches_of(clipped, "norm") == 1);
  CHECK(clipped.key_averages().size() == 3);  // a row for each dtype, and the norm
}

TEST_CASE("what comes after a step that fails is no part of it", "[optim]") {
  nn::Linear fc(2, 2);
  optim::Adam adam(fc.parameters());
  fc.to(kFloat64);
  draw_gradients(fc.parameters());
  CHECK_THROWS_AS(adam.step(), DTypeError);
  const Profile p = profile([] { (void)(ones({2}) + 1); });
  for (const ProfileRow& row : p.key_averages()) CHECK(row.phase == LaunchPhase::forward);
}

TEST_CASE("the state of a group is one block of memory", "[optim]") {
  const std::vector<Tensor> params = many(7, 10);
  optim::AdamW adam(params, {.amsgrad = true});
  const auto dict = adam.state_dict();
  const Storage* const block = dict["state.0.exp_avg"].impl()->storage.get();
  for (int i = 0; i < 7; ++i) {
    for (const char* name : {".exp_avg", ".exp_avg_sq", ".max_exp_avg_sq"}) {
      const Tensor& state = dict["state." + std::to_string(i) + name];
      CHECK(state.impl()->storage.get() == block);
      CHECK(state.sizes() == params[static_cast<size_t>(i)].sizes());
      CHECK(reinterpret_cast<uintptr_t>(state.impl()->data) % 64 == 0);
    }
  }
}

TEST_CASE("threads change no bit of a step, a norm or a clip", "[optim]") {
  manual_seed(9);
  std::vector<Tensor> params = many(30, 20011);
  params.push_back(leaf(randn({300007})));
  draw_gradients(params);
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 3, 5}) {
    const Threads guard(threads);
    std::vector<Tensor> own = copies_of(params);
    const Tensor norm = nn::utils::clip_grad_norm_(own, 1.5);
    optim::Adam adam(own, {.weight_decay = 0.01});
    adam.set_max_grad_norm(0.7);
    for (int i = 0; i < 2; ++i) adam.step();
    own.push_back(norm);
    own.push_back(adam.grad_norm());
    results.push_back(own);
    for (const Tensor& p : adam.param_groups()[0].params()) results.back().push_back(p.grad());
  }
  for (size_t i = 1; i < results.size(); ++i) CHECK(same(results[0], results[i]));
}

TEST_CASE("clipping inside the step is clip_grad_norm_ before it, and leaves the gradients", "[optim]") {
  manual_seed(4);
  for (const double size : {1e-3, 10.0, 1e30}) {
    std::vector<Tensor> inside = many(20, 30);
    inside.push_back(randn({6, 5}).t().requires_grad_());
    draw_gradients(inside, size);
    std::vector<Tensor> before = copies_of(inside), untouched;
    for (const Tensor& p : inside) untouched.push_back(p.grad().clone());
    optim::SGD a({inside[0], inside[1]}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1}),
        b({before[0], before[1]}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
    a.add_param_group({inside.begin() + 2, inside.end()}, {.lr = 0.2, .maximize = true});
    b.add_param_group({before.begin() + 2, before.end()}, {.lr = 0.2, .maximize = true});
    CHECK_FALSE(a.grad_norm().defined());
    a.set_max_grad_norm(2.5);
    a.step();
    const Tensor norm = nn::utils::clip_grad_norm_(before, 2.5);
    b.step();
    CHECK(same(inside, before));
    CHECK(equal(a.grad_norm(), norm));
    CHECK(std::isfinite(norm.item<double>()));
    for (size_t i = 0; i < inside.size(); ++i) CHECK(equal(inside[i].grad(), untouched[i]));
    CHECK(equal(inside[0].grad(), before[0].grad()) == (size < 1));
  }
}

TEST_CASE("clipping inside the step can be set, switched off, and does not hide NaN", "[optim]") {
  const Tensor p = leaf(zeros({2}));
  optim::SGD sgd({p}, {.lr = 1});
  CHECK(sgd.max_grad_norm() == 0);
  CHECK_THAT(message_of<ValueError>([&] { sgd.set_max_grad_norm(-1); }),
             Contains("SGD: max_grad_norm") && Contains("-1"));
  CHECK_THROWS_AS(sgd.set_max_grad_norm(std::nan("")), ValueError);
  p.mutable_grad() = tensor({3.f, 4.f});
  sgd.set_max_grad_norm(1);
  sgd.step();
  CHECK(allclose(p.detach(), tensor({-0.6f, -0.8f})));
  const Tensor norm = sgd.grad_norm();
  CHECK(norm.item<double>() == 5);
  p.mutable_grad() = tensor({0.f, 0.5f});
  sgd.step();
  CHECK(norm.item<double>() == 5);  // a tensor of its own
  CHECK(sgd.grad_norm().item<double>() == 0.5);
  CHECK(p[1].item<double>() == Approx(-1.3));
  sgd.set_max_grad_norm(0);
  p.mutable_grad() = tensor({30.f, 40.f});
  sgd.step();
  CHECK(p[0].item<double>() == Approx(-30.6));
  sgd.set_max_grad_norm(std::numeric_limits<double>::infinity());  // measures, and clips nothing
  sgd.step();
  CHECK(sgd.grad_norm().item<double>() == 50);
  CHECK(p[0].item<double>() == Approx(-60.6));
  sgd.set_max_grad_norm(1);
  p.mutable_grad() = tensor({std::nanf(""), 1.f});
  sgd.step();
  CHECK(std::isnan(p[1].item<double>()));
}

TEST_CASE("clip_grad_norm_ is one launch for the norm and one for the scaling", "[nn]") {
  const std::vector<Tensor> params = many(50, 20);
  draw_gradients(params);
  for (const double p : {1.0, 2.0, std::numeric_limits<double>::infinity()}) {
    double expected = 0;
    for (const Tensor& x : params) {
      for (int64_t i = 0; i < x.numel(); ++i) {
        const double g = std::abs(x.grad()[i].item<double>());
        expected = std::isinf(p) ? std::max(expected, g) : expected + std::pow(g, p);
      }
    }
    Tensor norm;
    const Profile seen = profile([&] { norm = nn::utils::clip_grad_norm_(params, 1e9, p); });
    CHECK(seen.key_averages().size() == 2);
    CHECK(launches_of(seen, "norm") == 1);
    CHECK(launches_of(seen, "clip_grad_norm_") == 1);
    CHECK(norm.item<double>() == Approx(p == 2 ? std::sqrt(expected) : expected));
  }
}

TEST_CASE("clip_grad_norm_ takes gradients of any layout, and one given twice twice", "[nn]") {
  const Tensor a = leaf(ones({2, 3})), b = leaf(ones({4}));
  a.mutable_grad() = full({3, 2}, 2.f).t();
  b.mutable_grad() = full({8}, 3.f).slice(0, 0, 8, 2);
  const Tensor norm = nn::utils::clip_grad_norm_({a, b, b}, 1);
  CHECK(norm.item<double>() == Approx(std::sqrt(6 * 4 + 8 * 9)));
  CHECK(a.grad()[1][2].item<double>() == Approx(2 / std::sqrt(96)));
  CHECK(b.grad()[3].item<double>() == Approx(3.0 / 96));
  b.mutable_grad() = full({4}, 3.f);
  nn::utils::clip_grad_norm_({b, b}, 1);
  CHECK(b.grad()[3].item<double>() == Approx(3.0 / 72));
  b.mutable_grad() = tensor({1.f, -std::numeric_limits<float>::infinity(), 2.f, std::nanf("")});
  CHECK(std::isnan(nn::utils::clip_grad_norm_({b}, 1, std::numeric_limits<double>::infinity()).item<double>()));
}

TEST_CASE("clip_grad_norm_ measures bfloat16 in float32, and mixed gradients in the widest", "[nn]") {
  const Tensor low = leaf(ones({40}, kBFloat16)), p = leaf(ones({40})), wide = leaf(ones({2}, kFloat64));
  for (const double type : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()}) {
    for (const std::vector<Tensor>& order : {std::vector<Tensor>{low, p}, std::vector<Tensor>{p, low}}) {
      for (const Tensor& x : order) x.mutable_grad() = full({40}, 2.0, x.dtype());
      const Tensor norm = nn::utils::clip_grad_norm_(order, 1, type);
      CHECK(norm.dtype() == kFloat32);
      const double expected = std::isinf(type) ? 2 : 2 * std::pow(80, 1 / type);
      CHECK(norm.item<double>() == Approx(expected));
      CHECK(p.grad()[39].item<double>() == Approx(2 / expected));
      CHECK(low.grad()[39].item<double>() == Approx(2 / expected).epsilon(0.01));
    }
  }
  optim::SGD sgd({p}, {.lr = 1});
  sgd.set_max_grad_norm(1);
  p.mutable_grad() = zeros({40});
  sgd.step();
  CHECK(sgd.grad_norm().dtype() == kFloat32);
  sgd.add_param_group({wide}, {.lr = 1});
  wide.mutable_grad() = full({2}, 1e100, kFloat64);
  sgd.step();
  CHECK(wide[1].item<double>() == Approx(1 - std::sqrt(0.5)));
  CHECK(equal(sgd.grad_norm(), nn::utils::clip_grad_norm_({p, wide}, 1)));
  CHECK(wide.grad()[1].item<double>() == Approx(std::sqrt(0.5)));
  p.mutable_grad() = ones({40}, kInt64);
  CHECK_THAT(message_of<DTypeError>([&] {
               nn::utils::clip_grad_norm_({wide, p}, 1);
             }),
             Contains("clip_grad_norm_") && Contains("int64 [40]"));
}

TEST_CASE("a captured step of hundreds of parameters follows options, counts and the clip", "[optim]") {
  for (const bool adam : {false, true}) {
    manual_seed(12);
    const std::vector<Tensor> kept = many(300, 5), eager = copies_of(kept);
    const Tensor x = randn({7});
    optim::SGD s1(kept, {.lr = 0.1, .momentum = 0.9}), s2(eager, {.lr = 0.1, .momentum = 0.9});
    optim::Adam a1(kept), a2(eager);
    optim::Optimizer& first = adam ? static_cast<optim::Optimizer&>(a1) : s1;
    optim::Optimizer& second = adam ? static_cast<optim::Optimizer&>(a2) : s2;
    const auto step = [&](optim::Optimizer& optimizer, const std::vector<Tensor>& params) {
      optimizer.zero_grad();
      Tensor loss = zeros({});
      for (const Tensor& p : params) loss = loss + (p * p).sum() * x[0];
      loss.backward();
      optimizer.step();
      return optimizer.grad_norm();
    };
    first.set_max_grad_norm(5);
    second.set_max_grad_norm(5);
    Program program = capture([&] { return step(first, kept); }, {.verify = 2});
    step(second, eager), step(second, eager);
    for (int i = 0; i < 4; ++i) {
      for (optim::Optimizer* optimizer : {&first, &second}) {
        optimizer->param_groups()[0].set_lr(0.01 * (i + 1));
        optimizer->set_max_grad_norm(i % 2 ? 1e9 : 2);
      }
      x.fill_(i + 1);
      const Tensor norm = program();
      CHECK(equal(norm, step(second, eager)));
      CHECK(equal(norm, first.grad_norm()));
      CHECK(same(kept, eager));
    }
    const auto dict = first.state_dict(), expected = second.state_dict();
    for (const auto& [key, value] : dict) CHECK(equal(value, expected[key]));
    first.set_max_grad_norm(0);
    CHECK_THAT(message_of<AutogradError>([&] { program(); }), Contains("clipping in"));
    first.set_max_grad_norm(1);
    program();
  }
}

TEST_CASE("every optimizer counts its steps in replays too", "[optim]") {
  const Tensor p = leaf(ones({3}));
  p.mutable_grad() = ones({3});
  optim::RMSprop optimizer({p}, 0.01);
  Program program = capture([&] { optimizer.step(); }, {.verify = 0});
  for (int i = 0; i < 5; ++i) program();
  CHECK(optimizer.state_dict()["state.0.step"].item<int64_t>() == 7);
}

TEST_CASE("a step of many parameters asks for no memory", "[optim]") {
  const std::vector<Tensor> params = many(100, 64);
  draw_gradients(params);
  optim::Adam adam(params);
  adam.set_max_grad_norm(1);
  for (int i = 0; i < 3; ++i) adam.step();
  const AllocatorStats before = allocator_stats();
  for (int i = 0; i < 10; ++i) adam.step();
  const AllocatorStats after = allocator_stats();
  CHECK(after.allocations - before.allocations == 10);  // the terms of the norm
  CHECK(after.system_allocations == before.system_allocations);
}

TEST_CASE("parameters without elements change nothing for the others", "[optim]") {
  const optim::SGDOptions heavy{.lr = 0.5, .momentum = 0.5};
  const auto step = [](auto& optimizer, const Tensor& p) {
    p.mutable_grad() = ones_like(p);
    optimizer.step();
  };
  const auto restart = [&](const std::vector<Tensor>& params, const Tensor& p) {
    for (const Tensor& each : params) each.mutable_grad() = ones_like(each);
    optim::SGD first(params, heavy);
    step(first, p);
    optim::SGD second(params, {.lr = 0.5});  // that it keeps a momentum buffer comes with the state
    second.load_state_dict(first.state_dict());
    step(second, p);
  };
  const Tensor alone = leaf(zeros({3})), beside = leaf(zeros({3})), nothing = leaf(zeros({0, 4}));
  restart({alone}, alone);
  CHECK(alone[0].item<float>() == -1.25f);
  restart({nothing, beside}, beside);
  CHECK(equal(alone, beside));

  optim::Adam adam({nothing});
  step(adam, nothing);
  const Tensor of_float64 = leaf(zeros({0}, kFloat64));
  optim::RMSprop rmsprop({alone, of_float64}, {.momentum = 0.9, .centered = true});
  step(rmsprop, of_float64);
  optim::RMSprop again({alone, of_float64}, {.momentum = 0.9, .centered = true});
  again.load_state_dict(rmsprop.state_dict());
  CHECK(again.state_dict()["state.1.square_avg"].numel() == 0);
}

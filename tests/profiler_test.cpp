// The profiler: what it counts, in which phase, its JSON and its trace, and where it begins and ends.
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "folder.h"
#include "json.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// The one row of this name and phase.
ProfileRow row_of(const Profile& p, const std::string& name, LaunchPhase phase = LaunchPhase::forward) {
  ProfileRow found;
  int count = 0;
  for (const ProfileRow& row : p.key_averages()) {
    if (row.name == name && row.phase == phase) found = row, ++count;
  }
  INFO(name << ", " << name_of(phase));
  CHECK(count == 1);
  return found;
}

Json trace_of(const Profile& p) {
  const Folder folder;
  const std::string path = folder.path() + "/trace.json";
  p.export_chrome_trace(path);
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return JsonReader::read(text.str());
}

struct Net : nn::Cloneable<Net> {
  nn::Linear fc1 = register_module("fc1", nn::Linear(3, 4));
  nn::Sequential rest = register_module("rest", nn::Sequential(nn::Tanh(), nn::Linear(4, 2)));
  Tensor forward(const Tensor& x) { return rest(fc1(x)); }
};

}  // namespace

TEST_CASE("a profile counts calls, bytes and operations exactly", "[profiler]") {
  const Tensor a = randn({40, 50}), b = randn({50, 60}), row = randn({60}), wide = randn({1, 60}).expand({40, 60});
  const Profile p = profile([&] {
    const Tensor c = mm(a, b);
    for (int i = 0; i < 3; ++i) (void)(c + row);
    (void)sum(c);
    (void)(wide * wide);
    (void)(c.to(kInt64) + 1);
  });
  const ProfileRow product = row_of(p, "mm");
  CHECK(product.calls == 1);
  CHECK(product.flops == 2 * 40 * 50 * 60);
  CHECK(product.bytes == 4 * (40 * 50 + 50 * 60 + 40 * 60));
  CHECK(product.dtype == kFloat32);
  int64_t floating_adds = 0;
  for (const ProfileRow& r : p.key_averages()) {
    if (r.name != "add") continue;
    if (r.dtype == kInt64) {
      CHECK(r.flops == 0);
      CHECK(r.bytes == 8 * 2 * 40 * 60);
      continue;
    }
    floating_adds += r.calls;
    CHECK(r.flops == 3 * 40 * 60);
    CHECK(r.bytes == 3 * 4 * (2 * 40 * 60 + 60));
  }
  CHECK(floating_adds == 3);
  const ProfileRow total = row_of(p, "sum");
  CHECK(total.flops == 40 * 60);
  CHECK(total.bytes == 4 * (40 * 60 + 1));
  CHECK(row_of(p, "mul").bytes == 4 * (40 * 60 + 60 + 60));  // repeated elements once
  CHECK(p.calls() == 8);                                     // with the copy to int64
  CHECK(p.kernel_seconds() <= p.seconds());
}

TEST_CASE("a batched product and one of a vector count their operations", "[profiler]") {
  const Tensor a = randn({5, 6, 7}, kFloat64), b = randn({5, 7, 8}, kFloat64), v = randn({1, 7}, kFloat64);
  const Profile p = profile([&] {
    (void)bmm(a, b);
    (void)mm(v, b[0]);
  });
  CHECK(row_of(p, "bmm").flops == 2 * 5 * 6 * 7 * 8);
  CHECK(row_of(p, "mm").flops == 2 * 7 * 8);
  CHECK(row_of(p, "bmm").dtype == kFloat64);
}

TEST_CASE("a profile names tiers and implementations", "[profiler]") {
  const Tensor small = randn({8, 8}), large = randn({300, 300}), vast = randn({500, 500});
  const Profile p = profile([&] {
    (void)mm(small, small);
    (void)bmm(vast.unsqueeze(0), vast.unsqueeze(0));
    (void)addmm(zeros({300}), large, large);
    (void)tanh(large);
    (void)exp(large.t());
    (void)large.t().contiguous();
    Tensor y = empty({8});
    launch("users", {&y}, {}, [](float* to) { to[0] = 1; });
  });
  CHECK(row_of(p, "mm").tier == "tiny");
  CHECK_THAT(row_of(p, "mm").implementation, Catch::Matchers::StartsWith("simd "));
  CHECK(row_of(p, "addmm").tier == "large");
  CHECK_THAT(row_of(p, "addmm").implementation, Catch::Matchers::StartsWith("simd "));
  CHECK(row_of(p, "bmm").tier == "large");
  CHECK_THAT(row_of(p, "bmm").implementation, Catch::Matchers::StartsWith("onednn "));
  CHECK(row_of(p, "tanh").tier == "medium");
  CHECK_THAT(row_of(p, "tanh").implementation, Catch::Matchers::StartsWith("simd "));
  CHECK_THAT(row_of(p, "exp").implementation, Catch::Matchers::StartsWith("strided simd "));
  CHECK(row_of(p, "copy").implementation == "turned blocks");
  CHECK(row_of(p, "users").implementation == "own");
  CHECK(row_of(p, "users").bytes == 32);
}

TEST_CASE("a profile tells forward, backward and optimizer apart", "[profiler]") {
  const Tensor x = randn({4, 3}), w = randn({3, 2}, requires_grad());
  optim::SGD sgd({w}, {.lr = 0.1});
  const Profile p = profile([&] {
    for (int i = 0; i < 5; ++i) {
      sgd.zero_grad();
      tanh(mm(x, w)).sum().backward();
      sgd.step();
    }
    (void)tanh(x);
  });
  CHECK(row_of(p, "tanh").calls == 6);
  CHECK(row_of(p, "mm").calls == 5);
  CHECK(row_of(p, "mm", LaunchPhase::backward).calls == 5);
  CHECK(row_of(p, "tanh", LaunchPhase::backward).calls == 5);
  CHECK(row_of(p, "sgd_step", LaunchPhase::optimizer).calls == 5);
  for (const ProfileRow& row : p.key_averages()) {
    const bool step = row.name == "sgd_step";
    CHECK((row.phase == LaunchPhase::optimizer) == step);
  }
}

TEST_CASE("a profile has rows by shape where asked", "[profiler]") {
  const auto work = [] { (void)(ones({2, 3}) + ones({2, 3})), (void)(ones({5}) + ones({5})); };
  CHECK(row_of(profile(work), "add").calls == 2);
  std::vector<std::string> shapes;
  for (const ProfileRow& row : profile(work, {.record_shapes = true}).key_averages()) {
    if (row.name == "add") shapes.push_back(row.shapes);
  }
  std::sort(shapes.begin(), shapes.end());
  CHECK(shapes == std::vector<std::string>{"[2, 3] [2, 3] -> [2, 3]", "[5] [5] -> [5]"});
}

TEST_CASE("a profile sees the steps of a replayed program", "[profiler]") {
  const Tensor x = randn({50, 40}), w = randn({40, 40}, requires_grad());
  optim::SGD sgd({w}, {.lr = 0.01});
  const auto step = [&] {
    sgd.zero_grad();
    const Tensor loss = sum(square(sigmoid(mm(x, w)) * 2.0));
    loss.backward();
    sgd.step();
    return loss;
  };
  Program program = capture(step);
  const int64_t steps = program.stats().steps, groups = program.stats().fused_groups;
  REQUIRE(groups > 0);
  const Profile p = profile([&] {
    program();
    program();
  });
  CHECK(p.calls() == 2 * steps);
  CHECK(row_of(p, "mm").calls == 2);
  CHECK(row_of(p, "mm").flops == 2 * 2 * 50 * 40 * 40);
  CHECK(row_of(p, "mm").bytes == 2 * 4 * (50 * 40 + 40 * 40 + 50 * 40));
  CHECK(row_of(p, "mm", LaunchPhase::backward).calls == 2);
  CHECK(row_of(p, "sgd_step", LaunchPhase::optimizer).calls == 2);
  int64_t fused = 0;
  for (const ProfileRow& row : p.key_averages()) {
    if (row.tier != "fused") continue;
    fused += row.calls;
    CHECK_THAT(row.name, Catch::Matchers::StartsWith("fused(") && Catch::Matchers::EndsWith(")") && Contains(", "));
    CHECK_THAT(row.implementation, Contains("simd"));
    CHECK(row.flops > 0);
    CHECK(row.flops % (2 * 50 * 40) == 0);
  }
  CHECK(fused == 2 * groups);
  // A profiled replay computes what another does.
  const Tensor before = w.detach().clone();
  const Tensor profiled = [&] {
    Tensor loss;
    profile([&] { loss = program().clone(); });
    return loss;
  }();
  w.detach().copy_(before);
  CHECK(equal(program(), profiled));
}

TEST_CASE("a capture inside a profile is seen, and keeps what it keeps without", "[profiler]") {
  const Tensor x = randn({6});
  Program program(nullptr);
  const auto f = [&] { return tanh(x) + 1; };
  const int64_t launches = capture(f, {.verify = 0}).stats().launches;
  const Profile p = profile([&] { program = capture(f, {.verify = 0}); });
  CHECK(row_of(p, "tanh").calls == 2);
  CHECK(program.stats().launches == launches);
  CHECK(equal(program(), f()));
}

TEST_CASE("a profile as JSON", "[profiler]") {
  const Profile p = profile([] {
    Tensor y = ones({3});
    launch("a \"quoted\"\n\\ name", {&y}, {}, [](float* to) { to[0] = 1; });
    (void)(y + y);
  });
  const Json json = JsonReader::read(p.json());
  CHECK(json["launches"].value == 3);
  const std::vector<Json>& ops = json["ops"].items;
  REQUIRE(ops.size() == 3);
  double share = 0;
  bool quoted = false;
  for (const Json& op : ops) {
    share += op["share"].value;
    quoted |= op["name"].text == "a \"quoted\"\n\\ name";
    CHECK(op["phase"].text == "forward");
    CHECK(op["calls"].value == 1);
    if (op["name"].text == "add") CHECK(op["bytes"].value == 36);
  }
  CHECK(quoted);
  if (p.kernel_seconds() > 0) CHECK(share == Approx(1));
  REQUIRE(json["peak"]["levels"].items.size() == 4);
  CHECK(json["peak"]["gflops_float32"].value > json["peak"]["gflops_float64"].value);
  CHECK(JsonReader::read(profile([] {}).json())["ops"].items.empty());
  CHECK(JsonReader::read(Profile().json())["launches"].value == 0);
}

TEST_CASE("a trace has launches inside scopes inside scopes", "[profiler]") {
  Net net;
  const Tensor x = randn({5, 3});
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  const Profile p = profile([&] {
    const RecordFunction scope("one step");
    net(x).sum().backward();
    sgd.step();
  });
  const Json trace = trace_of(p);
  struct Span {
    std::string name, kind;
    double start, end;
  };
  std::vector<Span> spans;
  int64_t launches = 0;
  for (const Json& event : trace["traceEvents"].items) {
    if (event["ph"].text == "M") continue;
    REQUIRE(event["ph"].text == "X");
    CHECK(event["tid"].value > 0);
    const double start = event["ts"].value;
    spans.push_back({event["name"].text, event["cat"].text, start, start + event["dur"].value});
    CHECK(start >= 0);
    launches += event.has("args");
  }
  CHECK(launches == p.calls());
  // Any two are apart, or one is inside the other; the bounds are rounded to a nanosecond.
  constexpr double kRound = 0.0021;
  const auto inside = [&](const Span& a, const Span& b) {
    return a.start >= b.start - kRound && a.end <= b.end + kRound;
  };
  for (const Span& a : spans) {
    for (const Span& b : spans) {
      INFO(a.name << " and " << b.name);
      CHECK((inside(a, b) || inside(b, a) || a.end <= b.start + kRound || b.end <= a.start + kRound));
    }
  }
  const auto the = [&](const std::string& name, const std::string& kind) {
    for (const Span& s : spans) {
      if (s.name == name && s.kind == kind) return s;
    }
    FAIL("no " << kind << " " << name);
    return Span{};
  };
  const Span step = the("one step", "user"), whole = the("Net", "module"), rest = the("rest", "module");
  CHECK(inside(whole, step));
  CHECK(inside(rest, whole));
  CHECK(inside(the("fc1", "module"), whole));
  CHECK(inside(the("0", "module"), rest));
  CHECK(inside(the("tanh", "forward"), the("0", "module")));
  CHECK(inside(the("tanh", "backward"), the("backward", "backward")));
  CHECK(inside(the("sgd_step", "optimizer"), the("SGD.step", "optimizer")));
  CHECK_FALSE(inside(the("backward", "backward"), whole));
}

TEST_CASE("names of any bytes give JSON that tools take, and a table of whole characters", "[profiler]") {
  const Tensor y = empty(2);
  const std::string wide = "\u00fcml\u00e4ut \u65e5\u672c",
                    bad = "cut \xe6\x97 \xff, too long \xc0\x80, half \xed\xa0\x80, \xf0\x9f\x98\x80";
  std::string longer(100, 'a');
  longer.replace(55, 5, "\u00fc\u00fc\u00fc\u00fc\u00fc");
  const Profile p = profile([&] {
    const RecordFunction scope(bad);
    for (const std::string& name : {wide, bad, longer, std::string("two\nlines")})
      launch(name.c_str(), {&y}, {}, [](float* to) { to[0] = 1; });
  });
  const std::string mended =
      "cut \\ufffd\\ufffd \\ufffd, too long \\ufffd\\ufffd, half \\ufffd\\ufffd\\ufffd, \xf0\x9f\x98\x80";
  CHECK(p.json().find("\"" + mended + "\"") != std::string::npos);
  CHECK(p.json().find("\"" + wide + "\"") != std::string::npos);
  (void)JsonReader::read(p.json());
  (void)trace_of(p);
  const std::string table = p.table();
  CHECK(table.find("\n" + std::string(55, 'a') + "\u00fc\u00fc...  forward") != std::string::npos);
  CHECK(table.find("\ntwo lines ") != std::string::npos);
  CHECK(table.find("\n" + wide + std::string(60 - 9, ' ') + "  forward") != std::string::npos);
}

TEST_CASE("a trace stops growing where it was told to", "[profiler]") {
  const Profile p = profile(
      [] {
        for (int i = 0; i < 20; ++i) ones({2});
      },
      {.max_events = 5});
  CHECK(p.calls() == 20);
  const Json trace = trace_of(p);
  CHECK(trace["traceEvents"].items.size() == 6);
  CHECK(trace["otherData"]["left_out"].value == 15);
  CHECK(message_of<ValueError>([] { Profiler profiler({.max_events = -1}); }) ==
        "Profiler: max_events must not be negative, got -1");
  CHECK(message_of<IOError>([&] { p.export_chrome_trace("/nowhere/trace.json"); }) ==
        "export_chrome_trace: the file must be writable, got \"/nowhere/trace.json\"");
}

TEST_CASE("nothing is recorded before a profiler or after its end", "[profiler]") {
  const Tensor x = ones({3});
  Profiler profiler;
  (void)(x * 2);
  const Profile p = profiler.stop();
  (void)(x * 2);
  { const RecordFunction scope("late"); }
  CHECK(p.calls() == 1);
  CHECK(profiler.stop().calls() == 1);
  CHECK_FALSE(watched());
  CHECK(trace_of(p)["traceEvents"].items.size() == 2);
}

TEST_CASE("profilers nest and may stop in any order", "[profiler]") {
  const Tensor x = ones({3});
  auto outer = std::make_unique<Profiler>();
  (void)(x * 2);
  Profiler inner;
  (void)(x * 2);
  CHECK(outer->stop().calls() == 2);
  outer.reset();
  (void)(x * 2);
  CHECK(inner.stop().calls() == 2);
  CHECK_FALSE(watched());
}

TEST_CASE("an error inside a profile leaves nothing behind", "[profiler]") {
  const Tensor table = ones({4}), at = full({1}, 9, kInt64);
  CHECK_THROWS_AS(profile([&] {
                    const RecordFunction scope("broken");
                    (void)table.index_select(0, at);
                  }),
                  IndexError);
  CHECK_FALSE(watched());
  Profiler profiler;
  CHECK_THROWS_AS(table.index_select(0, at), IndexError);
  const Tensor w = ones({2}, requires_grad());
  const auto hook = [](const Tensor&) -> Tensor { throw std::runtime_error("hook"); };
  const Tensor y = w * 2;
  y.register_hook(hook);
  CHECK_THROWS_AS(y.sum().backward(), std::runtime_error);
  (void)(table + 1);  // not part of the backward that failed
  CHECK(row_of(profiler.stop(), "add").phase == LaunchPhase::forward);
}

TEST_CASE("a profiler sees its own thread, and each thread may have one", "[profiler]") {
  const Tensor x = ones({3});
  std::vector<int64_t> calls(4);
  Profiler here;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < calls.size(); ++i) {
    threads.emplace_back([&, i] {
      calls[i] = profile([&] {
                   for (size_t k = 0; k <= 10 * i; ++k) (void)(x * 2);
                 }).calls();
      (void)(x * 3);
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(calls == std::vector<int64_t>{1, 11, 21, 31});
  CHECK(here.stop().calls() == 0);
}

TEST_CASE("a profiler or a report in the hands of another thread does no harm", "[profiler]") {
  std::unique_ptr<Profiler> profiler;
  std::unique_ptr<MemoryReport> report;
  std::promise<void> made, dropped;
  std::thread other([&] {
    profiler = std::make_unique<Profiler>();
    report = std::make_unique<MemoryReport>();
    made.set_value();
    dropped.get_future().wait();
    const Tensor x = ones(3);
    CHECK(x.sum().item<float>() == 3);
    CHECK(memory_report().find("\nfill ") != std::string::npos);
  });
  made.get_future().wait();
  CHECK(message_of<Error>([&] { profiler->stop(); }) ==
        "Profiler: stop() must be called on the thread that made the profiler, got another thread");
  CHECK(message_of<Error>([&] { report->stop(); }) ==
        "MemoryReport: stop() must be called on the thread that made the report, got another thread");
  profiler.reset();
  report.reset();
  dropped.set_value();
  other.join();
  std::unique_ptr<Profiler> stopped;
  std::thread([&] {
    stopped = std::make_unique<Profiler>();
    (void)ones(3);
    stopped->stop();
  }).join();
  CHECK(stopped->stop().calls() == 1);
}

TEST_CASE("a profile as a table", "[profiler]") {
  const Tensor x = ones({1000});
  const Profile p = profile([&] { (void)(x * x), (void)exp(x), (void)tanh(x); });
  const std::string table = p.table(2);
  CHECK_THAT(table, Catch::Matchers::StartsWith("op ") && Contains("GFLOP/s") && Contains("of peak"));
  CHECK_THAT(table, Contains("and 1 rows more\n") && Contains("3 launches, ") && Contains("peak: "));
  CHECK_THAT(profile([] {}).table(), Contains("0 launches"));
}

// Traces a model twice and writes what it did.
#include "tapegrad/nn/onnx.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "tapegrad/autograd/function.h"
#include "tapegrad/autograd/replay/state.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/file.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/nn/onnx_call.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad {
namespace {

using autograd::TracedInput;
using autograd::TracedOp;
using nn::onnx::Graph;
using nn::onnx::Sizes;
using nn::onnx::Value;
using Names = std::vector<std::string>;

[[noreturn]] void fail(const std::string& what) { throw ValueError("save_onnx: " + what); }

// One run of the function.
struct Run {
  std::vector<Tensor> inputs, outputs;
  std::vector<TracedOp> ops;
  std::vector<TracedInput> results;  // the outputs, as operations would be given them
  std::map<std::pair<const autograd::Node*, uint32_t>, std::pair<size_t, uint32_t>> number;  // of what ops gave
};

Run run_of(const detail::CapturedFn& fn, std::vector<Tensor> inputs, bool of_module) {
  Run run;
  const NoGradGuard no_grad;  // nothing is prepared for gradients
  autograd::Tracer tracer;
  run.outputs = fn(inputs);
  run.inputs = std::move(inputs);
  for (const Tensor& y : run.outputs) {
    if (!y.defined()) fail("the function must return tensors, got an undefined tensor (Tensor())");
    run.results.push_back(tracer.input(y));
  }
  run.ops = tracer.take(run.outputs);
  for (size_t i = 0; i < run.ops.size(); ++i) {
    std::string& where = run.ops[i].where;
    if (of_module) where.erase(0, std::min(where.find('.'), where.size() - 1) + 1);  // the module itself
    for (uint32_t k = 0; k < static_cast<uint32_t>(run.ops[i].node->outputs()); ++k)
      run.number[{run.ops[i].node.get(), k}] = {i, k};
  }
  return run;
}

bool follows_batch(const Tensor& x, int64_t batch) { return x.dim() > 0 && x.sizes()[0] == batch; }

// Other numbers, and one more row of those that follow the batch. What holds for all numbers of an example that is all of one kind (ones, pixels,
// tokens without the padding) must not hold for all of these: there are negative and larger ones, and a 0 or 1 where there was none.
Tensor changed(const Tensor& x, bool longer) {
  const Tensor y = longer ? cat({x, narrow(x, 0, 0, 1)}) : x;
  if (y.dtype() == kBool) return logical_not(y);
  const Tensor flat = reshape(y, -1);
  if (!y.is_floating_point()) {
    const Tensor z = roll(flat, 1), first = narrow(z, 0, 0, 1);
    first.fill_(first.item<int64_t>() == 0 ? 1 : 0);
    return reshape(z, y.sizes());
  }
  const Tensor z = clone_of(flat);
  slice(z, 0, 0, {}, 2).mul_(-0.75).sub_(0.0625);
  slice(z, 0, 1, {}, 2).abs_().mul_(3).add_(1);
  return reshape(z, y.sizes());
}

bool same_elements(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()))) return false;
  const Tensor x = contiguous_of(a), y = contiguous_of(b);
  return std::memcmp(x.impl()->data, y.impl()->data, static_cast<size_t>(x.numel() * item_size(x.dtype()))) == 0;
}

bool same_place(const Tensor& a, const Tensor& b) {
  return a.impl()->data == b.impl()->data && a.dtype() == b.dtype() &&
         IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()) && IntArrayRef(a.strides()) == IntArrayRef(b.strides());
}

// Element 0, if all are like it.
bool uniform(const Tensor& x, Tensor& one) {
  if (x.numel() == 0) return false;
  one = alias(contiguous_of(x), {}, {}, 0);
  return same_elements(contiguous_of(expand(one, x.sizes())), x);
}

class Exporter {
 public:
  Exporter(Run a, Run b, const NamedTensors& state, int64_t batch, bool dynamic)
      : a_(std::move(a)), b_(std::move(b)), graph_({batch, dynamic ? batch + 1 : batch}), state_(state) {}

  std::string model(const Names& inputs, const Names& outputs) {
    for (const std::string& name : inputs) graph_.unique(name);
    for (const std::string& name : outputs) graph_.unique(name);
    for (size_t i = 0; i < inputs.size(); ++i)
      input_values_.push_back(
          graph_.input(inputs[i], a_.inputs[i].dtype(), {a_.inputs[i].sizes(), b_.inputs[i].sizes()}));
    check_alike();
    for (size_t i = 0; i < a_.ops.size(); ++i) {
      varies_.push_back(varies(i));
      results_.push_back(varies_[i] ? written(i) : std::vector<Value>());
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Sizes sizes{a_.outputs[i].sizes(), b_.outputs[i].sizes()};
      graph_.output(outputs[i],
                    value(nullptr, node_of(a_.outputs[i]), node_of(b_.outputs[i]), a_.results[i], b_.results[i]),
                    a_.outputs[i].dtype(), sizes);
    }
    return graph_.model();
  }

 private:
  using Source = std::pair<const autograd::Node*, uint32_t>;
  static Source node_of(const Tensor& t) { return {t.impl()->node, t.impl()->output}; }
  static Source node_of(const TracedOp& op, size_t input) {
    const autograd::Edge& edge = op.node->edge(static_cast<int64_t>(input));
    return {edge.node(), edge.output()};
  }

  void check_alike() const {
    bool alike = a_.ops.size() == b_.ops.size() && a_.outputs.size() == b_.outputs.size();
    for (size_t i = 0; alike && i < a_.ops.size(); ++i) {
      alike = std::strcmp(a_.ops[i].node->name(), b_.ops[i].node->name()) == 0 &&
              a_.ops[i].inputs.size() == b_.ops[i].inputs.size();
    }
    if (!alike)
      fail(
          "what the function does must not depend on the numbers in its inputs, nor on how many rows there are "
          "(pass .dynamic_batch = false), got other operations in a second run");
  }

  // Whether an operation has to do with inputs or named weights, or with the batch. The results of others are constants.
  bool varies(size_t i) const {
    const TracedOp &op = a_.ops[i], &twin = b_.ops[i];
    for (uint32_t k = 0; k < static_cast<uint32_t>(op.node->outputs()); ++k) {
      if (op.node->output_meta(k).text() != twin.node->output_meta(k).text()) return true;
    }
    for (size_t k = 0; k < op.inputs.size(); ++k) {
      const Tensor& x = op.inputs[k].tensor;
      if (!x.defined()) continue;
      const auto from = a_.number.find(node_of(op, k));
      if (from != a_.number.end() ? varies_[from->second.first] : is_input(x) || name_of(x)) return true;
    }
    return false;
  }
  bool is_input(const Tensor& x) const {
    return std::any_of(a_.inputs.begin(), a_.inputs.end(), [&](const Tensor& input) { return same_place(input, x); });
  }

  std::vector<Value> written(size_t i) {
    const TracedOp &a = a_.ops[i], &b = b_.ops[i];
    if (dynamic_cast<const autograd::FunctionNode*>(a.node.get()))
      nn::onnx::refuse(a, "every operation must have a form in ONNX");
    graph_.enter(a.where);
    std::vector<Value> in;
    for (size_t k = 0; k < a.inputs.size(); ++k)
      in.push_back(value(&a, node_of(a, k), node_of(b, k), a.inputs[k], b.inputs[k]));
    if (a.node->output_meta().dtype == kBFloat16)
      nn::onnx::refuse(a, "bfloat16 is not written (leave AutocastGuard out)");
    nn::onnx::Call call(graph_, a, b, std::move(in), [&](const Tensor& x, const Tensor& twin) {
      return constant(&a, {x, x.version(), {}}, {twin, twin.version(), {}});
    });
    return nn::onnx::write(call);
  }

  Value value(const TracedOp* op, Source a, Source b, const TracedInput& x, const TracedInput& twin) {
    if (!x.tensor.defined()) return Value::none;
    const auto from = a_.number.find(a), other = b_.number.find(b);
    if ((from == a_.number.end()) != (other == b_.number.end()) ||
        (from != a_.number.end() && from->second != other->second))
      depends(op, x);
    if (from != a_.number.end() && varies_[from->second.first])
      return results_[from->second.first][from->second.second];
    for (size_t i = 0; i < a_.inputs.size(); ++i) {
      if (same_place(x.tensor, a_.inputs[i])) return input_values_[i];
    }
    return constant(op, x, twin);
  }

  // A tensor that no operation of the run gave.
  Value constant(const TracedOp* op, const TracedInput& x, const TracedInput& twin) {
    const auto [known, is_new] = constants_.insert({x.tensor.impl()->data, {}});
    for (const auto& [t, v] : known->second) {
      if (same_place(t, x.tensor)) return v;
    }
    if (x.tensor.version() != x.version || twin.tensor.version() != twin.version) depends(op, x);
    Value v = Value::none;
    if (same_elements(x.tensor, twin.tensor)) {
      const std::string* const named = name_of(x.tensor);
      v = graph_.constant(named ? *named : "constant", x.tensor);
    } else {  // one number, as often as there are rows
      Tensor one, other;
      Value sizes = Value::none;
      if (!uniform(x.tensor, one) || !uniform(twin.tensor, other) || !same_elements(one, other) ||
          !graph_.sizes({x.tensor.sizes(), twin.tensor.sizes()}, sizes))
        depends(op, x);
      v = graph_.node("Expand", {graph_.constant("constant", one), sizes});
    }
    known->second.push_back({x.tensor, v});
    return v;
  }

  const std::string* name_of(const Tensor& t) const {
    for (const auto& [name, entry] : state_) {
      if (same_place(entry, t)) return &name;
    }
    return nullptr;
  }

  [[noreturn]] void depends(const TracedOp* op, const TracedInput& x) const {
    const std::string rule = "what depends on the inputs must be recorded on its way" +
                             (x.maker.empty() ? std::string() : ", unlike the result of \"" + x.maker + '"') +
                             ", which holds for neither detach() nor comparisons";
    if (op) nn::onnx::refuse(*op, rule);
    fail(rule + ", got an output of shape " + to_string(x.tensor.sizes()));
  }

  Run a_, b_;
  Graph graph_;
  const NamedTensors& state_;
  std::vector<Value> input_values_;
  std::vector<bool> varies_;
  std::vector<std::vector<Value>> results_;
  std::map<const void*, std::vector<std::pair<Tensor, Value>>> constants_;
};

// Puts a module and all below into evaluation.
class Evaluation {
 public:
  explicit Evaluation(nn::Module* module) {
    if (!module) return;
    for (nn::Module* m : module->modules()) {
      bool& training = nn::ModuleState::of(*m).training;
      before_.push_back({&training, training});
      training = false;
    }
  }
  ~Evaluation() {
    for (const auto& [place, training] : before_) *place = training;
  }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  std::vector<std::pair<bool*, bool>> before_;
};

Names names_of(const char* what, const Names& given, const char* usual, size_t count) {
  if (!given.empty() && given.size() != count)
    fail("there must be one name for each " + std::string(what) + ", got " + std::to_string(given.size()) + " for " +
         std::to_string(count));
  Names names = given;
  for (size_t i = 0; given.empty() && i < count; ++i)
    names.push_back(count == 1 ? std::string(usual) : usual + std::to_string(i));
  return names;
}

}  // namespace

namespace detail {

void not_taken(size_t given) { fail("the model must take as many tensors as are given, got " + std::to_string(given)); }

void save_onnx(const CapturedFn& fn, nn::Module* module, const std::vector<Tensor>& args, const std::string& path,
               const OnnxOptions& options) {
  if (args.empty()) fail("there must be at least one input, got none");
  std::vector<Tensor> inputs, others;
  const bool dynamic = options.dynamic_batch && args[0].defined() && args[0].dim() > 0;
  for (const Tensor& x : args) {
    if (!x.defined()) fail("inputs must be defined, got an undefined tensor (Tensor())");
    if (x.numel() == 0 || x.dtype() == kBFloat16)
      fail("inputs must have elements, of another dtype than bfloat16, got " + to_string(x.sizes()) + " " +
           name_of(x.dtype()));
    inputs.push_back(clone_of(x.detach()));
    others.push_back(clone_of(changed(x.detach(), dynamic && follows_batch(x, args[0].sizes()[0]))));
  }
  const Evaluation evaluation(module);
  const int64_t batch = dynamic ? args[0].sizes()[0] : 1;
  Run first = run_of(fn, inputs, module != nullptr), second;
  try {
    second = run_of(fn, others, module != nullptr);
  } catch (const Error& e) {
    fail(std::string("the model must also run on other numbers") +
         (dynamic ? " and with one more row (or pass .dynamic_batch = false)" : "") + ", got: " + e.what());
  }
  const Names in = names_of("input", options.input_names, "input", inputs.size());
  const Names out = names_of("output", options.output_names, "output", first.outputs.size());
  if (out.empty()) fail("the function must return at least one tensor, got none");
  NamedTensors state;
  if (module) state = module->state_dict();
  const std::string bytes = Exporter(std::move(first), std::move(second), state, batch, dynamic).model(in, out);
  if (bytes.size() > INT32_MAX) fail("a file of ONNX has at most 2^31 - 1 bytes, got " + std::to_string(bytes.size()));
  OutputFile file("save_onnx", path, bytes.size());
  file.write(bytes);
  file.finish();
}

}  // namespace detail

void save_onnx(const Program& program, const std::string& path, const OnnxOptions& options) {
  const Program::State& state = program.state();
  if (state.inputs.empty()) fail("the program must have inputs, got one without (capture(fn, {x}))");
  detail::save_onnx(state.fn, nullptr, state.inputs, path, options);
}

}  // namespace tapegrad

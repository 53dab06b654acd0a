// Models as files for other runtimes: the operations of one run, as ONNX. docs/onnx.md says what can be written.
#pragma once

#include <tuple>

#include "tapegrad/autograd/capture.h"
#include "tapegrad/nn/cloneable.h"

namespace tapegrad {

struct OnnxOptions {
  std::vector<std::string> input_names = {};   // "input", or "input0", "input1", ... where there are several
  std::vector<std::string> output_names = {};  // "output", or "output0", ...
  // The first dim of the inputs may have any size in the file: of all inputs that have the same first size as the first one. Else every size
  // is that of the example.
  bool dynamic_batch = true;
};

namespace detail {

// The module is put into evaluation for the runs, and named parameters and buffers are those of the file.
TAPEGRAD_API void save_onnx(const CapturedFn& fn, nn::Module* module, const std::vector<Tensor>& args,
                            const std::string& path, const OnnxOptions& options);
[[noreturn]] TAPEGRAD_API void not_taken(size_t given);

// A tensor, a list of them, or tuples of these.
template <class R> void add_results(std::vector<Tensor>& all, const R& result) {
  if constexpr (std::is_convertible_v<const R&, Tensor>) {
    all.push_back(result);
  } else if constexpr (requires { std::begin(result); }) {
    for (const auto& y : result) add_results(all, y);
  } else {
    std::apply([&](const auto&... y) { (add_results(all, y), ...); }, result);
  }
}
template <class R> std::vector<Tensor> results_of(const R& result) {
  std::vector<Tensor> all;
  add_results(all, result);
  return all;
}
// f.forward(args...) or f(args...).
template <size_t N, class F> std::vector<Tensor> call_model(F& f, const std::vector<Tensor>& args) {
  if constexpr (N > 8) {
    not_taken(args.size());
  } else {
    const auto call = [&]<size_t... I>(std::index_sequence<I...>)->std::vector<Tensor> {
      if constexpr (requires { f.forward(args[I]...); }) {
        if (args.size() == N) return results_of(f.forward(args[I]...));
      } else if constexpr (requires { f(args[I]...); }) {
        if (args.size() == N) return results_of(f(args[I]...));
      }
      return call_model<N + 1>(f, args);
    };
    return call(std::make_index_sequence<N>{});
  }
}

}  // namespace detail

// Writes what model(args...) computes, of tensors of args' shapes and dtypes, as an ONNX file (opset 17). `model` is a module, in evaluation
// here whatever its mode, or any function of tensors. It is run twice, the second time on other numbers and, with dynamic_batch, one
// more row: what differs between the runs though no operation says how is an error, and so is an operation that ONNX has no form for, by
// its name and the module that called it. Weights keep the names of state_dict(). The file appears whole or not at all. ValueError, IOError.
template <class M>
void save_onnx(M model, const std::vector<Tensor>& args, const std::string& path, const OnnxOptions& options = {}) {
  if constexpr (std::is_base_of_v<nn::Module, M>) {
    const auto run = [&model](const std::vector<Tensor>& in) {
      const nn::detail::CallScope scope(model);  // so that its children are known by their names
      return detail::call_model<1>(model, in);
    };
    detail::save_onnx(run, &model, args, path, options);
  } else if constexpr (std::is_invocable_v<M&, const std::vector<Tensor>&>) {
    detail::save_onnx([&model](const std::vector<Tensor>& in) { return detail::returned(model(in)); }, nullptr, args,
                      path, options);
  } else {
    detail::save_onnx([&model](const std::vector<Tensor>& in) { return detail::call_model<1>(model, in); }, nullptr,
                      args, path, options);
  }
}
// Of the function that a program was captured from, with the inputs it was captured with; only of inference.
TAPEGRAD_API void save_onnx(const Program& program, const std::string& path, const OnnxOptions& options = {});

}  // namespace tapegrad

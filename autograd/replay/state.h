// A program's inside, shared by the files of replay.
#pragma once

#include "tapegrad/autograd/capture.h"
#include "tapegrad/autograd/replay/memory.h"
#include "tapegrad/autograd/replay/recorder.h"
#include "tapegrad/autograd/replay/watched_leaf.h"

namespace tapegrad {

struct Program::State {
  // A leaf that the function took, and what it must be like when a run begins.
  struct Leaf {
    autograd::replay::WatchedLeaf leaf;
    bool required;     // grad
    bool sets;         // the run itself says whether it does
    bool swept;        // it got a gradient
    bool accumulates;  // the gradient is added to what is there
    size_t hooks;
    Tensor grad;  // the gradient that the program computes; undefined: nothing is left of it
    bool replaced() const;
    bool holds() const;
    std::string broken() const;
  };
  // Memory of somebody else's that the program reads or writes.
  struct Outside {
    const Storage* storage;
    size_t launch;  // the first that uses it
    size_t operand;
  };
  struct Action {
    void (*run)(const void* object);
    const void* object;
  };

  detail::CapturedFn fn;
  CaptureOptions options;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::unique_ptr<autograd::replay::Recorder> recorder;
  std::vector<autograd::replay::Step> steps;
  std::vector<bool> temporary, inside;  // storages that only the program sees, and that never leave a pass
  autograd::replay::MemoryPlan plan;
  std::vector<Action> actions;
  std::vector<Leaf> leaves;  // those with a gradient first
  size_t with_gradient = 0;
  std::vector<Outside> outside;
  std::vector<Storage*> written;  // memory that others see
  ProgramStats stats{};
  int threads = 0;

  // Runs the function once more and makes the program of what it launches.
  void record();
  // Runs the function, keeping what it launches, and what of its results is seen from outside.
  void keep(const std::function<void(LaunchList&)>& prepare = {});
  // Makes steps of what was kept; let_go() when they have been looked at.
  void compile();
  // Empty, or what the program took for given and is not so any more.
  std::string broken() const;
  void run();
  // Runs every launch by itself, as kept; only before compile().
  void run_kept(const std::function<void(size_t launch)>& after) const;
  // The function against the launches one by one, so many times; then these against the compiled program.
  void verify(int steps_to_verify);
  void verify_compiled(int steps_to_verify);

 private:
  void find_leaves();
  void find_outside();
  std::string replaced(const Outside& o) const;
  void let_go();
  void attach_grads();
  void run_observed() const;
  void count();
  bool intact() const;
};

}  // namespace tapegrad

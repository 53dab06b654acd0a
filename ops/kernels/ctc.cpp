// Alignments summed forwards and shared out backwards, in logarithms and in double, one sequence after the other.
#include "tapegrad/ops/kernels/ctc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kWork = 2048;  // states worth a second thread, each a few exponentials

// ln(e^a + e^b + e^c); NaN where one is.
double log_of_sum(double a, double b, double c) {
  const double most = std::max({a, b, c});
  if (!(most > -kInfinity)) return a + b + c;
  return most + std::log(std::exp(a - most) + std::exp(b - most) + std::exp(c - most));
}

template <class T> struct Ctc {
  const char* name;
  int64_t times, batch, classes, blank, width, count;  // of targets; width: of a row, or -1 for one list
  bool zero_infinity;
  const T* log_probs;
  const int64_t *targets, *input_lengths, *target_lengths;

  // One sequence. States are its labels with blanks around each.
  struct Sequence {
    const Ctc& all;
    int64_t n, times, states;
    const int64_t* labels;
    int64_t label(int64_t s) const { return s % 2 == 0 ? all.blank : labels[s / 2]; }
    double log_prob(int64_t t, int64_t s) const {
      return static_cast<double>(all.log_probs[(t * all.batch + n) * all.classes + label(s)]);
    }
    // Whether the blank before may be left out.
    bool skips(int64_t s) const { return s >= 2 && s % 2 == 1 && labels[s / 2] != labels[s / 2 - 1]; }
    // More labels than times leave no path, and repetitions need a blank between them.
    bool fits() const { return states / 2 <= times; }

    // a[t, s]: ln of the sum over the ways to be in state s at t; gives ln of all that end well.
    double forward(std::vector<double>& a) const {
      if (times == 0) return states == 1 ? 0 : -kInfinity;
      a.assign(static_cast<size_t>(times * states), -kInfinity);
      for (int64_t s = 0; s < std::min<int64_t>(states, 2); ++s) a[static_cast<size_t>(s)] = log_prob(0, s);
      for (int64_t t = 1; t < times; ++t) {
        const double* const before = a.data() + (t - 1) * states;
        double* const now = a.data() + t * states;
        for (int64_t s = 0; s < states; ++s) now[s] = into(before, s) + log_prob(t, s);
      }
      const double* const end = a.data() + times * states - 1;
      return log_of_sum(*end, states > 1 ? end[-1] : -kInfinity, -kInfinity);
    }
    double into(const double* before, int64_t s) const {
      return log_of_sum(before[s], s > 0 ? before[s - 1] : -kInfinity, skips(s) ? before[s - 2] : -kInfinity);
    }

    // The share of the paths in each state, from the end to the beginning, added up by class into dx times -dl.
    void backward(const std::vector<double>& a, double total, double dl, std::vector<double>& share, T* dx) const {
      std::vector<double> earlier(static_cast<size_t>(states));
      std::vector<double> by_class(static_cast<size_t>(all.classes));
      share.assign(static_cast<size_t>(states), 0);
      const double* const end = a.data() + (times - 1) * states;
      for (int64_t s = std::max<int64_t>(0, states - 2); s < states; ++s)
        share[static_cast<size_t>(s)] = std::exp(end[s] - total);
      for (int64_t t = times - 1; t >= 0; --t) {
        std::fill(by_class.begin(), by_class.end(), 0);
        for (int64_t s = 0; s < states; ++s) by_class[static_cast<size_t>(label(s))] += share[static_cast<size_t>(s)];
        T* const to = dx + (t * all.batch + n) * all.classes;
        for (int64_t c = 0; c < all.classes; ++c) to[c] = static_cast<T>(-dl * by_class[static_cast<size_t>(c)]);
        if (t > 0) pass_back(a.data() + (t - 1) * states, share, earlier);
      }
    }
    void pass_back(const double* before, std::vector<double>& share, std::vector<double>& earlier) const {
      std::fill(earlier.begin(), earlier.end(), 0);
      for (int64_t s = 0; s < states; ++s) {
        const double whole = share[static_cast<size_t>(s)];
        if (whole == 0) continue;
        const double into_s = into(before, s);
        for (int64_t back = 0; back <= (skips(s) ? 2 : std::min<int64_t>(s, 1)); ++back)
          earlier[static_cast<size_t>(s - back)] += whole * std::exp(before[s - back] - into_s);
      }
      share.swap(earlier);
    }
  };

  Sequence sequence(int64_t n) const {
    const int64_t* labels = targets;
    if (width >= 0) labels += n * width;
    else
      for (int64_t i = 0; i < n; ++i) labels += target_lengths[i];
    return {*this, n, input_lengths[n], 2 * target_lengths[n] + 1, labels};
  }

  void check_length(const char* what, int64_t length, int64_t most, int64_t n) const {
    if (length < 0 || length > most)
      throw ValueError(std::string(name) + ": " + what + " must lie in [0, " + std::to_string(most) + "], got " +
                       std::to_string(length) + " at position " + std::to_string(n));
  }
  void check() const {
    int64_t labels = 0;
    for (int64_t n = 0; n < batch; ++n) {
      check_length("input_lengths", input_lengths[n], times, n);
      check_length("target_lengths", target_lengths[n], width >= 0 ? width : count - labels, n);
      labels += target_lengths[n];
    }
    if (width < 0 && labels != count)
      throw ValueError(std::string(name) + ": target_lengths must add up to the number of targets, got " +
                       std::to_string(labels) + " and " + std::to_string(count));
    for (int64_t n = 0; n < batch; ++n) {
      const Sequence own = sequence(n);
      for (int64_t i = 0; i < target_lengths[n]; ++i) {
        const int64_t label = own.labels[i];
        if (label < 0 || label >= classes)
          throw IndexError(std::string(name) + ": targets must lie in [0, " + std::to_string(classes) + "), got " +
                           std::to_string(label) + " in sequence " + std::to_string(n));
        if (label == blank)
          throw ValueError(std::string(name) + ": targets must not be blank, got " + std::to_string(label) +
                           " in sequence " + std::to_string(n));
      }
    }
  }

  // fn(sequence, memory for its states)
  template <class Fn> void each(const Fn& fn) const {
    const int64_t states = times * (2 * (width >= 0 ? width : count / std::max<int64_t>(batch, 1)) + 1);
    parallel_for(0, batch, std::max<int64_t>(1, kWork / (states + 1)), [&](int64_t first, int64_t last) {
      std::vector<double> a;
      for (int64_t n = first; n < last; ++n) fn(sequence(n), a);
    });
  }
};

template <class T> struct CtcForward {
  Ctc<T> all;
  T* y;
  void operator()() const {
    all.check();
    all.each([this](const auto& sequence, std::vector<double>& a) {
      const double loss = sequence.fits() ? -sequence.forward(a) : kInfinity;
      y[sequence.n] = static_cast<T>(all.zero_infinity && loss == kInfinity ? 0 : loss);
    });
  }
};

template <class T> struct CtcBackward {
  Ctc<T> all;
  const T* dl;
  T* dx;
  void operator()() const {
    std::fill_n(dx, all.times * all.batch * all.classes, T{0});
    all.each([this](const auto& sequence, std::vector<double>& a) {
      const double total = sequence.fits() ? sequence.forward(a) : -kInfinity;
      if (total == -kInfinity) return all.zero_infinity ? void() : undefined(sequence.n, sequence.times);
      std::vector<double> share;
      if (sequence.times > 0) sequence.backward(a, total, static_cast<double>(dl[sequence.n]), share, dx);
    });
  }
  void undefined(int64_t n, int64_t times) const {
    for (int64_t t = 0; t < times; ++t)
      std::fill_n(dx + (t * all.batch + n) * all.classes, all.classes, std::numeric_limits<T>::quiet_NaN());
  }
};

template <class T> Ctc<T> ctc_of(const char* name, const CtcOperands& in, int64_t blank, bool zero_infinity) {
  const Shape& sizes = in.log_probs.sizes();
  return {name,
          sizes[0],
          sizes[1],
          sizes[2],
          blank,
          in.targets.dim() == 2 ? in.targets.sizes()[1] : -1,
          in.targets.numel(),
          zero_infinity,
          in.log_probs.elements<T>(),
          in.targets.elements<int64_t>(),
          in.input_lengths.elements<int64_t>(),
          in.target_lengths.elements<int64_t>()};
}

}  // namespace

Tensor ctc_loss(const char* name, const CtcOperands& in, int64_t blank, bool zero_infinity) {
  const Tensor y = new_tensor(in.log_probs.sizes()[1], in.log_probs.dtype());
  dispatch_floating(name, y.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&in.log_probs, &in.targets, &in.input_lengths, &in.target_lengths},
           CtcForward<T>{ctc_of<T>(name, in, blank, zero_infinity), y.elements<T>()});
  });
  return y;
}

Tensor ctc_loss_backward(const char* name, const Tensor& dl, const CtcOperands& in, int64_t blank, bool zero_infinity) {
  const Tensor dx = new_tensor(in.log_probs.sizes(), in.log_probs.dtype());
  dispatch_floating(name, dx.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&dl, &in.log_probs, &in.targets, &in.input_lengths, &in.target_lengths},
           CtcBackward<T>{ctc_of<T>(name, in, blank, zero_infinity), dl.elements<T>(), dx.elements<T>()});
  });
  return dx;
}

}  // namespace tapegrad::kernels

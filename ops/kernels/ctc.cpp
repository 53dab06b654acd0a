// Alignments summed forwards and shared out backwards, in logarithms and in double, one sequence after the other, its states side by side.
#include "tapegrad/ops/kernels/ctc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/map_row.h"

namespace tapegrad::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kWork = 2048;  // states worth a second thread, each a few exponentials

constexpr double kLowest = std::numeric_limits<double>::lowest();

// Numbers of one sequence, by state.
struct Room {
  std::vector<double> into;   // [t, s]: ln of the sum over the ways into state s at t, its own probability left out
  std::vector<double> state;  // of one t, that included, behind two that never are: what comes before the first
  std::vector<double>
      skip;  // added to the way from the state but one: 0, or -inf where the one between must not be left out
  std::vector<double> most, term;  // the largest of three ways; the three of all states
  std::vector<int64_t> label;
  double* before() { return state.data() + 2; }
  void size(int64_t times, int64_t states) {
    const auto n = static_cast<size_t>(states);
    into.resize(static_cast<size_t>(times) * n);
    state.assign(n + 2, -kInfinity);
    skip.resize(n), most.resize(n), term.resize(3 * n), label.resize(n);
  }
};

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
    // Whether the blank before may be left out.
    bool skips(int64_t s) const { return s >= 2 && s % 2 == 1 && labels[s / 2] != labels[s / 2 - 1]; }
    // More labels than times leave no path, and repetitions need a blank between them.
    bool fits() const { return states / 2 <= times; }

    // The states of time t, from the ways into them.
    void enter(Room& room, int64_t t) const {
      const double* const into = room.into.data() + t * states;
      const T* const row = all.log_probs + (t * all.batch + n) * all.classes;
      double* const to = room.before();
      for (int64_t s = 0; s < states; ++s)
        to[s] = into[s] + static_cast<double>(row[room.label[static_cast<size_t>(s)]]);
    }
    // e^(way - shift) for the ways into each state from itself, from the one before and from the one before that.
    void ways(Room& room, const double* shift) const {
      const double *const from = room.before(), *const skip = room.skip.data();
      double *const stay = room.term.data(), *const step = stay + states, *const leap = step + states;
      for (int64_t s = 0; s < states; ++s) {
        stay[s] = from[s] - shift[s];
        step[s] = from[s - 1] - shift[s];
        leap[s] = from[s - 2] + skip[s] - shift[s];
      }
      map_row(simd::Map::exp, 3 * states, stay, stay);
    }

    // Gives ln of the sum over all ways that end well.
    double forward(Room& room) const {
      if (times == 0) return states == 1 ? 0 : -kInfinity;
      room.size(times, states);
      for (int64_t s = 0; s < states; ++s) {
        room.skip[static_cast<size_t>(s)] = skips(s) ? 0 : -kInfinity;
        room.label[static_cast<size_t>(s)] = label(s);
        room.into[static_cast<size_t>(s)] = s < 2 ? 0 : -kInfinity;
      }
      enter(room, 0);
      double *const most = room.most.data(), *const skip = room.skip.data();
      for (int64_t t = 1; t < times; ++t, enter(room, t - 1)) {
        const double *const from = room.before(), *const stay = room.term.data();
        for (int64_t s = 0; s < states; ++s) {
          const double leap = from[s - 2] + skip[s], larger = from[s] > from[s - 1] ? from[s] : from[s - 1];
          most[s] = std::max(kLowest, larger > leap ? larger : leap);  // finite, so that no way at all is no NaN
        }
        ways(room, most);
        double* const into = room.into.data() + t * states;
        for (int64_t s = 0; s < states; ++s) into[s] = stay[s] + stay[states + s] + stay[2 * states + s];
        map_row(simd::Map::log, states, into, into);
        for (int64_t s = 0; s < states; ++s) into[s] += most[s];
      }
      const double last = room.before()[states - 1], other = room.before()[states - 2];
      const double largest = std::max(kLowest, std::max(last, other));
      return largest + std::log(std::exp(last - largest) + std::exp(other - largest));
    }

    // The share of the paths in each state, from the end to the beginning, added up by class into dx times -dl.
    void backward(Room& room, double total, double dl, T* dx) const {
      std::vector<double> by_class(static_cast<size_t>(all.classes)), share(static_cast<size_t>(states));
      for (int64_t s = std::max<int64_t>(0, states - 2); s < states; ++s)
        share[static_cast<size_t>(s)] = std::exp(room.before()[s] - total);
      for (int64_t t = times - 1; t >= 0; --t) {
        std::fill(by_class.begin(), by_class.end(), 0);
        for (size_t s = 0; s < share.size(); ++s) by_class[static_cast<size_t>(room.label[s])] += share[s];
        T* const to = dx + (t * all.batch + n) * all.classes;
        for (int64_t c = 0; c < all.classes; ++c) to[c] = static_cast<T>(-dl * by_class[static_cast<size_t>(c)]);
        if (t > 0) pass_back(room, t, share.data());
      }
    }
    // From the shares at t to those at t - 1: by each way's part in the sum into a state.
    void pass_back(Room& room, int64_t t, double* share) const {
      enter(room, t - 1);
      ways(room, room.into.data() + t * states);
      double *const stay = room.term.data(), *const step = stay + states, *const leap = step + states;
      for (int64_t s = 0; s < states; ++s) {
        const double whole = share[s];  // 0 where there is no way into s
        stay[s] = whole == 0 ? 0 : whole * stay[s];
        step[s] = whole == 0 ? 0 : whole * step[s];
        leap[s] = whole == 0 ? 0 : whole * leap[s];
      }
      for (int64_t s = 0; s + 2 < states; ++s) share[s] = stay[s] + step[s + 1] + leap[s + 2];
      for (int64_t s = std::max<int64_t>(0, states - 2); s < states; ++s)
        share[s] = stay[s] + (s + 1 < states ? step[s + 1] : 0);
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
      Room room;
      for (int64_t n = first; n < last; ++n) fn(sequence(n), room);
    });
  }
};

template <class T> struct CtcForward {
  Ctc<T> all;
  T* y;
  void operator()() const {
    all.check();
    all.each([this](const auto& sequence, Room& room) {
      const double loss = sequence.fits() ? -sequence.forward(room) : kInfinity;
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
    all.each([this](const auto& sequence, Room& room) {
      const double total = sequence.fits() ? sequence.forward(room) : -kInfinity;
      if (total == -kInfinity) return all.zero_infinity ? void() : undefined(sequence.n, sequence.times);
      if (sequence.times > 0) sequence.backward(room, total, static_cast<double>(dl[sequence.n]), dx);
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

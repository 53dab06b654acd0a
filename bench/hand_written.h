// The tutorial's three-layer step (TUTORIALS: "11 lines", hidden layer) as plain loops: what the machine could do.
#pragma once

#include <cmath>

namespace bench {

template <class T> struct HandWrittenStep {
  T x[4][3] = {{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}};
  T y[4] = {0, 1, 1, 0};
  T w0[3][4] = {{T(-0.17), T(0.44), T(-1.0), T(-0.4)},
                {T(-0.71), T(-0.82), T(-0.63), T(-0.31)},
                {T(-0.21), T(0.08), T(-0.16), T(0.37)}};
  T w1[4] = {T(-0.59), T(0.76), T(-0.95), T(0.34)};

  // One step of gradient descent with learning rate 1 on 1/2 sum (y - l2)^2; gives that loss.
  T step() {
    T l1[4][4], dw0[3][4] = {}, dw1[4] = {}, loss = 0;
    for (int n = 0; n < 4; ++n) {
      T sum = 0;
      for (int j = 0; j < 4; ++j) {
        const T z = x[n][0] * w0[0][j] + x[n][1] * w0[1][j] + x[n][2] * w0[2][j];
        l1[n][j] = 1 / (1 + std::exp(-z));
        sum += l1[n][j] * w1[j];
      }
      const T l2 = 1 / (1 + std::exp(-sum));
      const T error = l2 - y[n];
      loss += error * error / 2;
      const T delta2 = error * l2 * (1 - l2);
      for (int j = 0; j < 4; ++j) {
        const T delta1 = delta2 * w1[j] * l1[n][j] * (1 - l1[n][j]);
        dw1[j] += delta2 * l1[n][j];
        for (int i = 0; i < 3; ++i) dw0[i][j] += delta1 * x[n][i];
      }
    }
    for (int j = 0; j < 4; ++j) {
      w1[j] -= dw1[j];
      for (int i = 0; i < 3; ++i) w0[i][j] -= dw0[i][j];
    }
    return loss;
  }
};

}  // namespace bench

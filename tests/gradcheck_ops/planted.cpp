// gradcheck_ops over a table of operations that are wrong on purpose, to see it fail.
#include <csignal>

#include "program.h"

namespace {

using namespace op_cases;

// y = x^2 with a rule that has the wrong sign.
struct WrongSign {
  static constexpr const char* name = "wrong_sign";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    return v * v;
  }
  Grads backward(const Tensor& dy) const { return {dy * *x * -2}; }
};

// y = x^3 with right first and second derivatives; the third one is lost.
struct LostThird {
  static constexpr const char* name = "lost_third";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    return v * v * v;
  }
  struct Slope {
    static constexpr const char* name = "slope";
    static constexpr bool elementwise = true;
    SavedInput x{"x"};
    Tensor forward(const Tensor& v) {
      x.save(v);
      return v * v * 3;
    }
    Grads backward(const Tensor& dy) const { return {dy * (*x).detach() * 6}; }
  };
  Grads backward(const Tensor& dy) const { return {dy * apply(Slope{}, *x)}; }
};

Row square_row(const std::string& name, Call f) {
  return unary(name, f, [](double x) { return x * x; });
}

std::vector<Row> planted() {
  std::vector<Row> rows;
  rows.push_back(square_row("right", [](const Tensor& x) { return x * x; }));
  rows.push_back(square_row("wrong_sign", [](const Tensor& x) { return apply(WrongSign{}, x); }));
  rows.push_back(unary(
      "lost_third", [](const Tensor& x) { return apply(LostThird{}, x); }, [](double x) { return x * x * x; }));
  rows.push_back(square_row("wrong_value", [](const Tensor& x) { return x * x + 1e-3; }));
  rows.push_back(square_row("dies", [](const Tensor& x) {
    if (x.numel() == 7) std::raise(SIGKILL);
    return x * x;
  }));
  rows.push_back(square_row("throws", [](const Tensor& x) -> Tensor {
    if (x.numel() == 7) throw ValueError("throws: as \"planted\"");
    return x * x;
  }));
  rows.push_back(square_row("wrong_error", [](const Tensor& x) { return x * x; }));
  rows.back().bad_inputs = {bad<ShapeError>([] { throw ShapeError("one\ttext"); }, "another text")};
  return rows;
}

}  // namespace

int main(int argc, char** argv) { return gradcheck_ops::run(argc, argv, planted()); }

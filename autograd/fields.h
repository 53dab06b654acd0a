// Visits the fields of an operation's struct, so that what it saves is found without being listed twice.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace tapegrad::autograd {

struct AnyField {
  template <class T> operator T() const;
};

template <class T, size_t... I> constexpr bool takes_fields(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyField{})...}; };
}

// Number of fields of an aggregate, up to twelve.
template <class T, size_t N = 12> constexpr size_t field_count() {
  if constexpr (N == 0) return 0;
  else if constexpr (takes_fields<T>(std::make_index_sequence<N>{})) return N;
  else return field_count<T, N - 1>();
}

template <class T, class F> constexpr void for_each_field(T& op, F&& f) {
  constexpr size_t n = field_count<std::remove_const_t<T>>();
  const auto each = [&f](auto&... field) { (f(field), ...); };
  // clang-format off
  if constexpr (n == 1) { auto& [a] = op; each(a); }
  else if constexpr (n == 2) { auto& [a, b] = op; each(a, b); }
  else if constexpr (n == 3) { auto& [a, b, c] = op; each(a, b, c); }
  else if constexpr (n == 4) { auto& [a, b, c, d] = op; each(a, b, c, d); }
  else if constexpr (n == 5) { auto& [a, b, c, d, e] = op; each(a, b, c, d, e); }
  else if constexpr (n == 6) { auto& [a, b, c, d, e, g] = op; each(a, b, c, d, e, g); }
  else if constexpr (n == 7) { auto& [a, b, c, d, e, g, h] = op; each(a, b, c, d, e, g, h); }
  else if constexpr (n == 8) { auto& [a, b, c, d, e, g, h, i] = op; each(a, b, c, d, e, g, h, i); }
  else if constexpr (n == 9) { auto& [a, b, c, d, e, g, h, i, j] = op; each(a, b, c, d, e, g, h, i, j); }
  else if constexpr (n == 10) { auto& [a, b, c, d, e, g, h, i, j, k] = op; each(a, b, c, d, e, g, h, i, j, k); }
  else if constexpr (n == 11) { auto& [a, b, c, d, e, g, h, i, j, k, l] = op; each(a, b, c, d, e, g, h, i, j, k, l); }
  else if constexpr (n == 12) { auto& [a, b, c, d, e, g, h, i, j, k, l, m] = op; each(a, b, c, d, e, g, h, i, j, k, l, m); }
  // clang-format on
}

}  // namespace tapegrad::autograd

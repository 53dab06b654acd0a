// Rows of einsum and tensordot.
#include <type_traits>

#include "op_cases_equation.h"

namespace op_cases {
namespace {

using Dims = std::vector<int64_t>;

Row einsum_row() {
  Row row{.name = "einsum", .cases = {}};
  const auto add = [&](const std::string& equation, const std::string& plain, const std::vector<Shape>& shapes) {
    row.cases.push_back(by_equation("\"" + equation + "\"", plain, shapes,
                                    [equation](const Tensors& in) { return einsum(equation, in); }));
  };
  const auto same = [&](const std::string& equation, const std::vector<Shape>& shapes) {
    add(equation, equation, shapes);
  };
  same("ij->ij", {{2, 3}});
  same("ij->ji", {{2, 3}});
  same("ij->", {{2, 3}});
  same("ij->j", {{2, 3}});
  same("ii->i", {{3, 3}});
  same("ii->", {{3, 3}});
  same("iij->ji", {{3, 3, 2}});
  same("iii->i", {{2, 2, 2}});
  same("->", {{}});
  same("i->i", {{1}});
  same("i,i->", {{5}, {5}});
  same("i,j->ij", {{3}, {4}});
  same(",i->i", {{}, {4}});
  same("ij,ij->ij", {{2, 3}, {2, 3}});
  same("ij,ji->ij", {{2, 3}, {3, 2}});
  same("ij,jk->ik", {{2, 3}, {3, 4}});
  same("ij,kj->ik", {{2, 3}, {4, 3}});
  same("ji,jk->ki", {{3, 2}, {3, 4}});
  same("ij,j->i", {{2, 3}, {3}});
  same("bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}});
  same("bij,bj->bi", {{2, 3, 4}, {2, 4}});
  same("bhid,bhjd->bhij", {{2, 2, 3, 4}, {2, 2, 5, 4}});
  same("ijk,jil->kl", {{3, 4, 5}, {4, 3, 2}});
  same("ij,kl->", {{2, 3}, {4, 2}});
  same("ii,ij->j", {{3, 3}, {3, 2}});
  same("ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 2}});
  same("bn,anm,bm->ba", {{2, 3}, {4, 3, 5}, {2, 5}});
  same("i,i,i->i", {{4}, {4}, {4}});
  same("i,j,k->kji", {{2}, {3}, {2}});
  same("Ab,bA->A", {{2, 3}, {3, 2}});
  same("ij,jk->ik", {{2, 1}, {3, 4}});
  same("ij,ij->ij", {{2, 1}, {1, 3}});
  same("ij,jk->ik", {{2, 0}, {0, 4}});
  same("ij,jk->ik", {{0, 3}, {3, 4}});
  add(" i j , j k -> i k ", "ij,jk->ik", {{2, 3}, {3, 4}});
  add("ij,jk", "ij,jk->ik", {{2, 3}, {3, 4}});
  add("ba", "ba->ab", {{2, 3}});
  add("bA", "bA->Ab", {{2, 3}});
  add("ii", "ii->", {{3, 3}});
  add("i,i", "i,i->", {{3}, {3}});
  add("...ij,...jk->...ik", "xij,xjk->xik", {{2, 3, 4}, {2, 4, 2}});
  add("...ij,...jk->...ik", "xyij,yjk->xyik", {{3, 2, 3, 4}, {2, 4, 2}});
  add("...ij,jk", "xij,jk->xik", {{2, 3, 4}, {4, 2}});
  add("i...,...j->...ij", "ix,xj->xij", {{2, 3}, {1, 4}});
  add("...ii->...i", "xii->xi", {{2, 3, 3}});
  add("...i->i", "xyi->i", {{2, 3, 4}});
  add("...,...", "xy,y->xy", {{2, 3}, {3}});
  add("...", "xy->xy", {{2, 3}});
  add("i...->i", "i->i", {{3}});
  row.integers = {kInt64, kInt32};
  const auto fails = [&](auto error, const std::string& equation, const std::vector<Shape>& shapes,
                         const std::string& text) {
    row.bad_inputs.push_back(bad<typename decltype(error)::type>(
        [=] {
          Tensors in;
          for (const Shape& s : shapes) in.push_back(ones(s));
          einsum(equation, in);
        },
        "einsum: " + text));
  };
  using Value = std::type_identity<ValueError>;
  using Sizes = std::type_identity<ShapeError>;
  fails(Value{}, "ij,jk->ik", {{2, 3}}, "there must be one operand per term, got 1 for 2, in \"ij,jk->ik\"");
  fails(Value{}, "i1->i", {{2, 3}}, "a dim is named by a letter or \"...\", got '1' in operand 0, in \"i1->i\"");
  fails(Value{}, "i..->i", {{2, 3}}, "a dim is named by a letter or \"...\", got '.' in operand 0, in \"i..->i\"");
  fails(Value{}, "i->i->i", {{2}}, "a dim is named by a letter or \"...\", got '-' in the result, in \"i->i->i\"");
  fails(Value{}, "...i...->i", {{2}}, "\"...\" may stand once in operand 0, in \"...i...->i\"");
  fails(Value{}, "ij->iji", {{2, 3}}, "i stands twice in the result, in \"ij->iji\"");
  fails(Value{}, "ij->ik", {{2, 3}}, "k of the result is in no operand, in \"ij->ik\"");
  fails(Sizes{}, "ijk->i", {{2, 3}}, "operand 0 has shape [2, 3] for 3 letters, in \"ijk->i\"");
  fails(Sizes{}, "i->i", {{2, 3}}, "operand 0 has shape [2, 3] for 1 letters, in \"i->i\"");
  fails(Sizes{}, "ij,jk->ik", {{2, 3}, {4, 2}}, "j has size 4 in operand 1 and 3 before, in \"ij,jk->ik\"");
  fails(Sizes{}, "ii->i", {{2, 3}},
        "i stands twice in operand 0 for dims of different sizes, shape [2, 3], in \"ii->i\"");
  fails(Sizes{}, "...,...", {{2, 3}, {2}}, "a dim of \"...\" has size 2 in operand 1 and 3 before, in \"...,...\"");
  fails(Sizes{}, "abcde,fghij", {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}},
        "in \"abcde,fghij\" the product with operand 1 would have 10 dims, at most 8 are supported");
  row.bad_inputs.push_back(bad<DTypeError>(
      [] {
        einsum("i,i", {ones({2}), ones({2}, kFloat64)});
      },
      "einsum: operands must have one dtype, got float32 and float64, in \"i,i\""));
  row.bench = {by_equation("\"bhid,bhjd->bhij\"", "bhid,bhjd->bhij", {{4, 4, 64, 32}, {4, 4, 64, 32}},
                           [](const Tensors& in) { return einsum("bhid,bhjd->bhij", in); }),
               by_equation("\"ij,kj->ik\"", "ij,kj->ik", {{256, 256}, {256, 256}},
                           [](const Tensors& in) { return einsum("ij,kj->ik", in); })};
  for (Case& c : row.bench) c.reference = {};
  return row;
}

Row tensordot_row() {
  Row row{.name = "tensordot", .cases = {}};
  const auto add = [&](const std::vector<Shape>& shapes, const Dims& a, const Dims& b, const std::string& plain) {
    row.cases.push_back(by_equation(to_string(a) + " " + to_string(b), plain, shapes,
                                    [a, b](const Tensors& in) { return tensordot(in[0], in[1], a, b); }));
  };
  add({{2, 3}, {3, 4}}, {1}, {0}, "ij,jk->ik");
  add({{2, 3, 4}, {4, 5, 3}}, {1, -1}, {2, 0}, "ijk,klj->il");
  add({{2, 3}, {2, 3}}, {0, 1}, {0, 1}, "ij,ij->");
  add({{2}, {3}}, {}, {}, "i,j->ij");
  add({{2, 1}, {3, 4}}, {1}, {0}, "ij,jk->ik");
  add({{2, 3}, {1, 4}}, {1}, {0}, "ij,jk->ik");
  add({{2, 0}, {0, 4}}, {1}, {0}, "ij,jk->ik");
  row.cases.push_back(by_equation("2", "ijk,jkl->il", {{2, 3, 4}, {3, 4, 2}},
                                  [](const Tensors& in) { return tensordot(in[0], in[1]); }));
  row.cases.push_back(
      by_equation("0", "i,j->ij", {{2}, {3}}, [](const Tensors& in) { return tensordot(in[0], in[1], 0); }));
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            tensordot(ones({2, 3}), ones({4, 5}), {1}, {0});
          },
          "tensordot: dim 1 of a and dim 0 of b must have one size, a is [2, 3] and b is [4, 5]"),
      bad<ShapeError>(
          [] {
            tensordot(ones({2, 3}), ones({3, 5}), {1}, {});
          },
          "tensordot: dims come in pairs, got dims_a [1] and dims_b []"),
      bad<ShapeError>(
          [] {
            tensordot(ones({2, 3}), ones({3}), 2);
          },
          "tensordot: dims must lie in [0, 1], a is [2, 3] and b is [3], got 2"),
      bad<DTypeError>([] { tensordot(ones({2}), ones({2}, kFloat64), 1); },
                      "tensordot: a and b must have one dtype, got float32 and float64 (did you mean to()?)")};
  return row;
}

}  // namespace

std::vector<Row> einsum_rows() { return {einsum_row(), tensordot_row()}; }

}  // namespace op_cases

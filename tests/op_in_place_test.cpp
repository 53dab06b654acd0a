// What the in-place forms of the table's rows refuse.
#include <algorithm>

#include "message.h"
#include "op_cases.h"

using namespace tapegrad;
using namespace op_cases;

TEST_CASE("ops: what an in-place form refuses, it refuses under its own name", "[ops]") {
  for (const Row& row : table()) {
    if (!row.in_place) continue;
    // The first case with rows to overlap whose result fits operand 0.
    const auto fits = [](const Case& c) {
      const Tensors in = sample(c, kFloat64, 9);
      if (c.own_attributes || in[0].dim() == 0 || in[0].size(0) < 2 || in[0].dtype() != kFloat64) return false;
      const Tensor y = c.f(in);
      return IntArrayRef(y.sizes()) == IntArrayRef(in[0].sizes()) && y.dtype() == kFloat64;
    };
    const auto c = std::find_if(row.cases.begin(), row.cases.end(), fits);
    INFO(row.name);
    REQUIRE(c != row.cases.end());
    const auto refused = [&](const std::function<Tensor(Tensor)>& unfit, const std::string& why) {
      Tensors in = sample(*c, kFloat64, 9);
      in[0] = unfit(in[0]);
      CHECK_THAT(message_of<AutogradError>([&] { row.in_place(in); }), Contains(row.name + "_: " + why));
    };
    refused([](Tensor x) { return x.requires_grad_(); }, "a leaf that requires grad must not be written");
    refused(
        [](Tensor x) {
          const Tensor recorded = x.requires_grad_() * 1;
          Tensor part;
          {
            const NoGradGuard off;
            part = recorded.view(recorded.sizes());
          }
          recorded.mul_(2);
          return part;
        },
        "a view taken while recording was off");
    refused([](const Tensor& x) { return x.slice(0, 0, 1).expand(x.sizes()); }, "several elements of the tensor share");
  }
}

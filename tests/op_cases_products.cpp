// Rows of further matrix products.
#include "op_cases.h"

namespace op_cases {

std::vector<Row> products_rows() { return {}; }

}  // namespace op_cases

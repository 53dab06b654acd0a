// gradcheck_ops as a function of a table of operations.
#pragma once

#include "op_cases.h"

namespace gradcheck_ops {

// The exit status: 0 everything holds, 1 something does not, 2 the command line is wrong.
int run(int argc, char** argv, const std::vector<op_cases::Row>& rows);

}  // namespace gradcheck_ops

// gradcheck_ops: the table of operations held to every property; --help says the rest.
#include "op_cases.h"
#include "program.h"

int main(int argc, char** argv) { return gradcheck_ops::run(argc, argv, op_cases::table()); }

// The main function of the test program. Catch2 3 brings its own.
#ifndef TAPEGRAD_CATCH2_V3
#define CATCH_CONFIG_MAIN
#include "catch.h"
#endif

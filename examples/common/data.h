// Digits for the programs that learn to read them: MNIST where it can be found, else drawn by the program.
#pragma once

#include "common/digits.h"

namespace examples {

struct DigitData {
  Digits train, test;  // pixels normalised to about mean 0 and deviation 1
  bool mnist = false;
};

// MNIST from the folder in TAPEGRAD_DATA, else from data/ below the working directory (the files there or in mnist/),
// else drawn digits; prints one line that says which. Ends the program when MNIST's files are there but damaged.
DigitData load_digits();

}  // namespace examples

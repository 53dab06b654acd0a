// NumPy's .npz files: a zip archive with one .npy file for each array.
#pragma once

#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// The arrays of an archive that numpy.savez or numpy.savez_compressed wrote, by name and in its order, each as load_npy gives it.
// IOError for a file that is missing or malformed, naming the array where it is one: an archive without its end (truncated),
// records that contradict each other, lie outside the file or overlap, checksums that do not fit, encryption, methods other than
// "stored" and "deflate", a name twice, an entry that is not a .npy file. Nothing is allocated on the word of a header alone.
TAPEGRAD_API NamedTensors load_npz(const std::string& path);

// Writes the arrays under their names, uncompressed, as numpy.savez does; zip64 records where sizes, or the count, need them. The
// file appears whole or not at all, as save_safetensors'. IOError when it cannot be written; DTypeError for bfloat16, which NumPy has
// not; ValueError for an undefined tensor, and a name that comes twice, is empty, longer than 65,000 bytes or not UTF-8.
TAPEGRAD_API void save_npz(const std::string& path, const NamedTensors& arrays);

}  // namespace tapegrad

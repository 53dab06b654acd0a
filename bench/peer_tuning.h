// What makes libtorch as fast as it can be here: a heap that is kept, and the kernels of OpenBLAS for this processor.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Environment = std::vector<std::pair<std::string, std::string>>;

// malloc never gives memory back, so that a tensor of megabytes costs no page faults.
inline Environment kept_heap() {
  return {{"GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"}};
}

// Whether the processor has all that the AVX-512 kernels of OpenBLAS use.
inline bool has_avx512() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line);
    int found = 0;
    for (std::string word; words >> word;)
      found += word == "avx512f" || word == "avx512dq" || word == "avx512bw" || word == "avx512vl";
    return found == 4;
  }
  return false;
}

// OpenBLAS runs kernels without AVX-512 on a processor that has it when it is older than the processor, or told so by
// OPENBLAS_CORETYPE. `about` is what a worker says of itself: "... (OpenBLAS, Haswell)". Overrides what the environment says,
// which the column of libtorch as it is keeps.
inline Environment better_core(const std::string& about) {
  const size_t at = about.find("(OpenBLAS, ");
  if (at == std::string::npos || !has_avx512()) return {};
  const std::string core = about.substr(at + 11, about.find(')', at) - at - 11);
  if (core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids") return {};
  return {{"OPENBLAS_CORETYPE", "SkylakeX"}};
}

}  // namespace bench

# What the library itself needs: oneDNN, OpenMP, zlib, libpng, and the headers of Highway and fmt.
find_package(OneDNN 2.6 REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(fmt 9 REQUIRED)

# Headers only: loading libhwy costs milliseconds of static initialisation.
find_path(TAPEGRAD_HWY_INCLUDE_DIR hwy/highway.h)
mark_as_advanced(TAPEGRAD_HWY_INCLUDE_DIR)
if(NOT TAPEGRAD_HWY_INCLUDE_DIR)
  message(FATAL_ERROR "tapegrad needs Highway's headers, hwy/highway.h not found (Debian: libhwy-dev)")
endif()

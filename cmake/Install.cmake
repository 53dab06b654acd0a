# Installs the library, its public headers, the CMake package and the pkg-config file; all of it can be moved afterwards.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tapegrad")

install(TARGETS tapegrad EXPORT tapegradTargets)
install(EXPORT tapegradTargets NAMESPACE tapegrad:: DESTINATION "${package_dir}")

set(header_dir "${CMAKE_INSTALL_INCLUDEDIR}/tapegrad")
install(FILES tapegrad.h "${TAPEGRAD_INCLUDE_DIR}/tapegrad/version.h" DESTINATION "${header_dir}")
install(DIRECTORY core autograd ops nn DESTINATION "${header_dir}"
        FILES_MATCHING PATTERN "*.h"
        PATTERN "kernels" EXCLUDE PATTERN "internal.h" EXCLUDE PATTERN "sweep.h" EXCLUDE PATTERN "leaf_table.h" EXCLUDE
        PATTERN "along.h" EXCLUDE PATTERN "*_parts.h" EXCLUDE REGEX "core/pool\\.h$" EXCLUDE PATTERN "large_blocks.h" EXCLUDE
        PATTERN "slabs.h" EXCLUDE PATTERN "quote.h" EXCLUDE PATTERN "file.h" EXCLUDE PATTERN "json.h" EXCLUDE
        PATTERN "npy_format.h" EXCLUDE PATTERN "zip.h" EXCLUDE PATTERN "workers.h" EXCLUDE
        PATTERN "csv_records.h" EXCLUDE PATTERN "rewrite.h" EXCLUDE PATTERN "replay" EXCLUDE PATTERN "graph.h" EXCLUDE
        REGEX "autograd/(trace|watch)\\.h$" EXCLUDE PATTERN "onnx_*.h" EXCLUDE PATTERN "forks.h" EXCLUDE PATTERN "record.h" EXCLUDE PATTERN "ledger.h" EXCLUDE
        PATTERN "system.h" EXCLUDE PATTERN "ladder.h" EXCLUDE PATTERN "consistency.h" EXCLUDE PATTERN "monitor_record.h" EXCLUDE
        PATTERN "line_search.h" EXCLUDE PATTERN "named_state.h" EXCLUDE PATTERN "denormal.h" EXCLUDE
        PATTERN "philox.h" EXCLUDE PATTERN "index_grammar.h" EXCLUDE)  # internal

configure_package_config_file(cmake/tapegradConfig.cmake.in "${PROJECT_BINARY_DIR}/cmake/tapegradConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor release may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/tapegradConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cmake/tapegradConfig.cmake"
              "${PROJECT_BINARY_DIR}/cmake/tapegradConfigVersion.cmake"
        DESTINATION "${package_dir}")

# pkg-config: only who links the static library has to know what is inside.
set(TAPEGRAD_PC_CFLAGS "")
set(TAPEGRAD_PC_LIBS_PRIVATE "")
set(TAPEGRAD_PC_REQUIRES_PRIVATE "")
if(TAPEGRAD_LIBRARY_TYPE STREQUAL "STATIC")
  install(FILES cmake/FindOneDNN.cmake DESTINATION "${package_dir}")
  set(TAPEGRAD_PC_CFLAGS " -DTAPEGRAD_STATIC")
  set(TAPEGRAD_PC_LIBS_PRIVATE "-ldnnl ${OpenMP_CXX_FLAGS}")
  set(TAPEGRAD_PC_REQUIRES_PRIVATE "zlib libpng")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(TAPEGRAD_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
  set(TAPEGRAD_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(TAPEGRAD_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
             OUTPUT_VARIABLE up)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(TAPEGRAD_PC_PREFIX "\${pcfiledir}/${up}")
  set(TAPEGRAD_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(TAPEGRAD_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/tapegrad.pc.in cmake/tapegrad.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/tapegrad.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

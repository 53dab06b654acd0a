# The target docs: reference pages from the public headers, warnings are errors.
find_package(Doxygen QUIET)
if(DOXYGEN_FOUND)
  configure_file("${PROJECT_SOURCE_DIR}/docs/Doxyfile.in" "${PROJECT_BINARY_DIR}/Doxyfile" @ONLY)
  add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E rm -rf "${PROJECT_BINARY_DIR}/docs"
    COMMAND Doxygen::doxygen "${PROJECT_BINARY_DIR}/Doxyfile"
    COMMENT "Reference pages in docs/html of the build folder" VERBATIM)
endif()

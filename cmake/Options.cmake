# The flags every target of this project is compiled with; they reach nobody who links to the library.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 11)
  message(FATAL_ERROR "tapegrad needs g++ 11 or newer, this is ${CMAKE_CXX_COMPILER_VERSION}")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR "tapegrad needs clang 14 or newer, this is ${CMAKE_CXX_COMPILER_VERSION}")
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

add_library(tapegrad_options INTERFACE)
target_compile_features(tapegrad_options INTERFACE cxx_std_20)
target_compile_options(tapegrad_options INTERFACE
  -Wall -Wextra -Wpedantic -Wnon-virtual-dtor
  -ffp-contract=off                      # a*b+c keeps its two roundings: replay is bitwise equal to eager
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # g++ 12 sees overlaps in "text" + std::to_string(n) that are not there
  $<$<NOT:$<CONFIG:Debug>>:-O$<IF:$<BOOL:$<TARGET_PROPERTY:TAPEGRAD_QUICK_TO_BUILD>>,1,2>>)
if(TAPEGRAD_WERROR)
  target_compile_options(tapegrad_options INTERFACE -Werror)
endif()

if(TAPEGRAD_SANITIZE)
  set(TAPEGRAD_SANITIZE_FLAGS -fsanitize=${TAPEGRAD_SANITIZE} -fno-omit-frame-pointer)
  if(TAPEGRAD_SANITIZE MATCHES "undefined")
    list(APPEND TAPEGRAD_SANITIZE_FLAGS -fno-sanitize-recover=undefined)
  endif()
  # Instrumented code confuses gcc's analysis of uninitialised values, also inside the standard library.
  target_compile_options(tapegrad_options INTERFACE ${TAPEGRAD_SANITIZE_FLAGS}
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(tapegrad_options INTERFACE ${TAPEGRAD_SANITIZE_FLAGS})
endif()

# The one library, from every layer's sources, with an include folder that looks exactly as installed.
file(GLOB_RECURSE TAPEGRAD_SOURCES CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/core/*.cpp" "${PROJECT_SOURCE_DIR}/autograd/*.cpp"
  "${PROJECT_SOURCE_DIR}/ops/*.cpp" "${PROJECT_SOURCE_DIR}/nn/*.cpp")

set(TAPEGRAD_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${TAPEGRAD_INCLUDE_DIR}/tapegrad")
foreach(entry core autograd ops nn tapegrad.h)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${entry}" "${TAPEGRAD_INCLUDE_DIR}/tapegrad/${entry}" SYMBOLIC)
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/version.h.in" "${TAPEGRAD_INCLUDE_DIR}/tapegrad/version.h" @ONLY)

# Shared unless BUILD_SHARED_LIBS says otherwise, also inside another project that never set it.
set(TAPEGRAD_LIBRARY_TYPE SHARED)
if(DEFINED BUILD_SHARED_LIBS AND NOT BUILD_SHARED_LIBS)
  set(TAPEGRAD_LIBRARY_TYPE STATIC)
endif()

add_library(tapegrad ${TAPEGRAD_LIBRARY_TYPE} ${TAPEGRAD_SOURCES})
add_library(tapegrad::tapegrad ALIAS tapegrad)

target_compile_features(tapegrad PUBLIC cxx_std_20)
target_include_directories(tapegrad
  PUBLIC "$<BUILD_INTERFACE:${TAPEGRAD_INCLUDE_DIR}>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
  PRIVATE "${TAPEGRAD_HWY_INCLUDE_DIR}")
target_compile_definitions(tapegrad PRIVATE TAPEGRAD_BUILDING)
set(TAPEGRAD_PRIVATE_LIBRARIES OneDNN::OneDNN OpenMP::OpenMP_CXX ZLIB::ZLIB PNG::PNG ${CMAKE_DL_LIBS})
target_link_libraries(tapegrad PRIVATE
  $<BUILD_INTERFACE:tapegrad_options>
  $<BUILD_INTERFACE:fmt::fmt-header-only>  # compiled in, so nobody has to link it
  ${TAPEGRAD_PRIVATE_LIBRARIES})

if(TAPEGRAD_LIBRARY_TYPE STREQUAL "STATIC")
  target_compile_definitions(tapegrad PUBLIC TAPEGRAD_STATIC)
else()
  # Calls within the library go straight to the function: nobody replaces ours from outside.
  target_compile_options(tapegrad PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
  target_link_options(tapegrad PRIVATE -Wl,--no-undefined -Wl,--as-needed -Wl,-Bsymbolic-functions)
  # Relocations in a bitmap, a fiftieth of the bytes; binutils 2.38 and glibc 2.36, those of Debian 12, know it.
  include(CheckLinkerFlag)
  check_linker_flag(CXX "-Wl,-z,pack-relative-relocs" TAPEGRAD_PACKS_RELOCATIONS)
  if(TAPEGRAD_PACKS_RELOCATIONS)
    target_link_options(tapegrad PRIVATE "-Wl,-z,pack-relative-relocs")
  endif()
endif()
if(TAPEGRAD_SANITIZE)
  target_link_options(tapegrad INTERFACE $<BUILD_INTERFACE:-fsanitize=${TAPEGRAD_SANITIZE}>)
endif()

# Checks, profiles, transformations, the making of programs, modules, readers and writers spend their time in the kernels; their own code,
# mostly the text of findings and errors, is compiled for size. So are the families of operations that no small step is made of.
file(GLOB TAPEGRAD_COLD CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/core/watch.cpp" "${PROJECT_SOURCE_DIR}/autograd/trace.cpp"
  "${PROJECT_SOURCE_DIR}/autograd/check/*.cpp" "${PROJECT_SOURCE_DIR}/autograd/profile/*.cpp"
  "${PROJECT_SOURCE_DIR}/autograd/transform/*.cpp" "${PROJECT_SOURCE_DIR}/autograd/replay/*.cpp"
  "${PROJECT_SOURCE_DIR}/autograd/dump.cpp" "${PROJECT_SOURCE_DIR}/nn/*.cpp" "${PROJECT_SOURCE_DIR}/nn/data/*.cpp")
foreach(part averaging cycle_and_plateau lbfgs line_search lr_scheduler named_state schedules state)
  list(APPEND TAPEGRAD_COLD "${PROJECT_SOURCE_DIR}/nn/optim/${part}.cpp")
endforeach()
foreach(part file json npy npy_format npz print quote random safetensors zip zip_directory)
  list(APPEND TAPEGRAD_COLD "${PROJECT_SOURCE_DIR}/core/${part}.cpp")
endforeach()
foreach(family as_strided attention blend conv ctc_loss distance einsum embedding extrema gated gather index_grammar indexing interpolate join likelihood_losses losses margin_losses normalization order pad pool
        products rearrange rectifier recurrent recurrent_layer recurrent_sequence rounding sampling scan select spatial special statistics trigonometry unfold
        kernels/ctc kernels/multilabel)
  list(APPEND TAPEGRAD_COLD "${PROJECT_SOURCE_DIR}/ops/${family}.cpp")
endforeach()
# These kernels move lines, or leave the arithmetic to simd.
list(APPEND TAPEGRAD_COLD "${PROJECT_SOURCE_DIR}/ops/kernels/columns.cpp" "${PROJECT_SOURCE_DIR}/ops/kernels/pool.cpp"
  "${PROJECT_SOURCE_DIR}/ops/kernels/normalization.cpp" "${PROJECT_SOURCE_DIR}/ops/kernels/recurrent.cpp"
  "${PROJECT_SOURCE_DIR}/ops/kernels/recurrent_layer.cpp")
list(FILTER TAPEGRAD_COLD EXCLUDE REGEX "replay/(group|program)\\.cpp$")  # these run at every step
set_source_files_properties(${TAPEGRAD_COLD} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-Os>")

# At -O3 g++ writes most loops several times over, which made the library a third larger and few of them faster; at -O2 it spreads no loop
# over vectors unless it may drop the scalar one. Hot are the code of small steps, which is faster for being inlined, and kernels that
# want small arrays taken apart and loops of known length rolled out.
target_compile_options(tapegrad PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=dynamic>)
file(GLOB TAPEGRAD_HOT CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/autograd/*.cpp" "${PROJECT_SOURCE_DIR}/autograd/replay/*.cpp")
foreach(part core/allocator core/launch core/philox core/shape core/tensor nn/optim/adam nn/optim/optimizer nn/optim/sgd
        ops/activation ops/arithmetic ops/elementwise ops/linalg ops/lowered ops/methods ops/optim_step ops/shape ops/views
        ops/kernels/gemm ops/kernels/map ops/kernels/reduce ops/kernels/scan
        ops/kernels/simd/bfloat16 ops/kernels/simd/conv ops/kernels/simd/conv_channels ops/kernels/simd/gemm ops/kernels/simd/gemv
        ops/kernels/simd/map_activation ops/kernels/simd/map_float ops/kernels/simd/optim ops/kernels/simd/tile)
  list(APPEND TAPEGRAD_HOT "${PROJECT_SOURCE_DIR}/${part}.cpp")
endforeach()
list(REMOVE_ITEM TAPEGRAD_HOT ${TAPEGRAD_COLD})
set_source_files_properties(${TAPEGRAD_HOT} PROPERTIES COMPILE_OPTIONS
  "$<$<NOT:$<CONFIG:Debug>>:-O3>;$<$<CXX_COMPILER_ID:GNU>:-fno-unswitch-loops;-fno-split-loops;-fno-peel-loops;-fno-ipa-cp-clone>")
set_source_files_properties("${PROJECT_SOURCE_DIR}/ops/kernels/sort.cpp"
  PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-O3>")  # its loops ask which comparison it is: one for each
# Nothing is thrown in a vector kernel, and nothing it calls throws: tables for unwinding would be a twelfth of its code.
file(GLOB TAPEGRAD_VECTORS CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/ops/kernels/simd/*.cpp")
set_property(SOURCE ${TAPEGRAD_VECTORS} APPEND PROPERTY COMPILE_OPTIONS
  "$<$<NOT:$<CONFIG:Debug>>:-fno-exceptions;-fno-unwind-tables;-fno-asynchronous-unwind-tables>")

set_target_properties(tapegrad PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}  # before 1.0 a minor release may break the ABI
  CXX_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON
  POSITION_INDEPENDENT_CODE ON)

# Build options, and the compiler and linker flags of every target (celsius_flags).
option(CELSIUS_WERROR "Treat warnings as errors" OFF)
option(CELSIUS_TESTS "Build the tests (cmocka)" ${PROJECT_IS_TOP_LEVEL})
option(CELSIUS_PYTHON_PACKAGE "Build the Python package (needs Python 3.11, cffi 2.1)" OFF)
option(CELSIUS_FUZZ "Build tests/fuzz with libFuzzer (clang)" OFF)
set(CELSIUS_SANITIZE "" CACHE STRING "Sanitizers: 'address,undefined' or 'thread'")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# NDEBUG stays off: a check costs little next to a batch kernel, and an assert in a test must fail.
set(CMAKE_C_FLAGS_RELEASE "-O3")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

add_library(celsius_flags INTERFACE)
target_compile_features(celsius_flags INTERFACE c_std_17)
# -ffp-contract=off: every compiler gives the same bits. A kernel that needs an FMA calls fma.
# -fno-math-errno changes no value. It makes sqrt one instruction.
target_compile_options(celsius_flags INTERFACE
  -ffp-contract=off -fno-math-errno -fno-semantic-interposition
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<C_COMPILER_ID:GNU>:-Wdouble-promotion> # clang also warns about "double x = NAN"
  -Wstrict-prototypes -Wmissing-prototypes -Wvla
  $<$<BOOL:${CELSIUS_WERROR}>:-Werror>)
target_compile_definitions(celsius_flags INTERFACE _GNU_SOURCE=)
target_include_directories(celsius_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

include(CelsiusHardening)

if(CELSIUS_SANITIZE)
  target_compile_options(celsius_flags INTERFACE
    -fsanitize=${CELSIUS_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CELSIUS_SANITIZE})
endif()
if(CELSIUS_FUZZ)
  # The library is instrumented for coverage. Only the fuzzers link libFuzzer's main.
  target_compile_options(celsius_flags INTERFACE -fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# A build puts programs and libraries in one folder, so that a user's plug-in finds the library.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

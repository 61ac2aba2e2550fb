# Flags that make a memory error harder to exploit. None changes a result.
# tests/package/test_hardening.sh looks for them in what was built.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C) # links executables with -pie; their code is position-independent

# celsius_harden(FLAG): compiles with FLAG if the compiler has it for this processor.
function(celsius_harden flag)
  string(MAKE_C_IDENTIFIER "CELSIUS_HAS${flag}" has)
  set(CMAKE_REQUIRED_FLAGS -Werror) # clang only warns of a flag that it does not use
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(celsius_flags INTERFACE ${flag})
  endif()
endfunction()

celsius_harden(-fstack-protector-strong) # a canary before the return address
celsius_harden(-fstack-clash-protection) # a large frame touches every page that it takes
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  celsius_harden(-fcf-protection=full) # control-flow enforcement
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  celsius_harden(-mbranch-protection=standard) # the same for ARM
endif()

# The C library's checks of buffer sizes need an optimizing compiler; sanitizers have checks of their own.
if(NOT CELSIUS_SANITIZE AND NOT CELSIUS_FUZZ)
  target_compile_options(celsius_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

# All symbols are resolved at the start, and the table of their addresses is read-only from then on.
foreach(option relro now noexecstack)
  check_linker_flag(C -Wl,-z,${option} CELSIUS_LINKS_${option})
  if(CELSIUS_LINKS_${option})
    target_link_options(celsius_flags INTERFACE -Wl,-z,${option})
  endif()
endforeach()

# Flags that make a memory error harder to exploit. None of them changes a result.
# tests/package/test_hardening.sh checks that the built files have them.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C) # needed for CMake to link executables with -pie

# celsius_harden(FLAG): compiles with FLAG if the compiler supports it for this processor.
function(celsius_harden flag)
  string(MAKE_C_IDENTIFIER "CELSIUS_HAS${flag}" has)
  set(CMAKE_REQUIRED_FLAGS -Werror) # clang only warns about a flag that it does not use
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(celsius_flags INTERFACE ${flag})
  endif()
endfunction()

celsius_harden(-fstack-protector-strong) # a canary before the return address
celsius_harden(-fstack-clash-protection) # a large stack frame touches each of its pages
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  celsius_harden(-fcf-protection=full) # control-flow enforcement
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  celsius_harden(-mbranch-protection=standard) # the same for ARM
endif()

# The C library's buffer checks need an optimized build. Sanitizers have their own checks.
if(NOT CELSIUS_SANITIZE AND NOT CELSIUS_FUZZ)
  target_compile_options(celsius_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

# All symbols are resolved when the program starts. Then their address table becomes read-only.
foreach(option relro now noexecstack)
  check_linker_flag(C -Wl,-z,${option} CELSIUS_LINKS_${option})
  if(CELSIUS_LINKS_${option})
    target_link_options(celsius_flags INTERFACE -Wl,-z,${option})
  endif()
endforeach()

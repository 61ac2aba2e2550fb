# Builds for 64-bit ARM on an x86-64 machine. Tests run under qemu-user. The libraries come from
# build/sysroot-arm64, which `script/setup cross` fills.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

set(celsius_sysroot ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-arm64)
set(celsius_multiarch ${celsius_sysroot}/usr/lib/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${celsius_sysroot} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${celsius_sysroot})
set(ENV{PKG_CONFIG_LIBDIR} ${celsius_multiarch}/pkgconfig:${celsius_sysroot}/usr/share/pkgconfig)
set(CMAKE_C_FLAGS_INIT "-isystem ${celsius_sysroot}/usr/include")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${celsius_multiarch} -Wl,-rpath-link,${celsius_multiarch}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT ${CMAKE_EXE_LINKER_FLAGS_INIT})

set(CMAKE_CROSSCOMPILING_EMULATOR
  qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=${celsius_multiarch})

# What Celsius is built on. Required: libyaml, cJSON, xxHash, threads. Optional, each a part that
# `celsius info` tells of: cairo (pictures), giflib (animations), protobuf-c (TensorBoard, ONNX export).
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(cjson REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

add_library(celsius_dependencies INTERFACE)
target_link_libraries(celsius_dependencies INTERFACE
  PkgConfig::yaml PkgConfig::cjson PkgConfig::xxhash Threads::Threads ${CMAKE_DL_LIBS} m)
# What the pkg-config file says for those who link the static library.
set(celsius_pc_requires "yaml-0.1, libcjson, libxxhash")
set(celsius_pc_libs "-pthread -ldl -lm")

option(CELSIUS_CAIRO "Draw pictures with cairo, when it is there" ON)
option(CELSIUS_GIF "Write animations with giflib, when it is there" ON)
option(CELSIUS_PROTOBUF "Write TensorBoard events and ONNX with protobuf-c, when it is there" ON)

if(CELSIUS_CAIRO)
  pkg_check_modules(cairo IMPORTED_TARGET cairo)
  if(cairo_FOUND)
    target_link_libraries(celsius_dependencies INTERFACE PkgConfig::cairo)
    target_compile_definitions(celsius_dependencies INTERFACE CELSIUS_WITH_CAIRO=1)
    string(APPEND celsius_pc_requires ", cairo")
  endif()
endif()

if(CELSIUS_GIF)
  # giflib itself ships no pkg-config file (Debian adds one), so look for the library.
  find_path(CELSIUS_GIF_INCLUDE gif_lib.h)
  find_library(CELSIUS_GIF_LIBRARY gif)
  mark_as_advanced(CELSIUS_GIF_INCLUDE CELSIUS_GIF_LIBRARY)
  if(CELSIUS_GIF_INCLUDE AND CELSIUS_GIF_LIBRARY)
    set(gif_FOUND 1)
    target_include_directories(celsius_dependencies SYSTEM INTERFACE ${CELSIUS_GIF_INCLUDE})
    target_link_libraries(celsius_dependencies INTERFACE ${CELSIUS_GIF_LIBRARY})
    target_compile_definitions(celsius_dependencies INTERFACE CELSIUS_WITH_GIF=1)
    string(APPEND celsius_pc_libs " -lgif")
  endif()
endif()

if(CELSIUS_PROTOBUF)
  pkg_check_modules(protobuf_c IMPORTED_TARGET libprotobuf-c)
  find_program(CELSIUS_PROTOC_C protoc-c)
  mark_as_advanced(CELSIUS_PROTOC_C)
  if(protobuf_c_FOUND AND CELSIUS_PROTOC_C)
    target_link_libraries(celsius_dependencies INTERFACE PkgConfig::protobuf_c)
    target_compile_definitions(celsius_dependencies INTERFACE CELSIUS_WITH_PROTOBUF=1)
    string(APPEND celsius_pc_requires ", libprotobuf-c")
  else()
    set(protobuf_c_FOUND 0)
  endif()
endif()

foreach(part cairo gif protobuf_c)
  if(${part}_FOUND)
    message(STATUS "Optional part ${part}: found")
  else()
    message(STATUS "Optional part ${part}: not there; built without")
  endif()
endforeach()

# Functions that turn folders into targets: modules, the two libraries, the command, the benchmarks.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(celsius_x86 TRUE)
else()
  set(celsius_x86 FALSE)
endif()

# celsius_module(NAME [USES MODULE...]): src/NAME/*.c and src/NAME/*/*.c -> object library
# celsius_NAME.
# Sets two global properties: CELSIUS_MODULES (all modules, in order) and CELSIUS_BELOW_<NAME> (the
# modules that NAME may use, directly or indirectly).
function(celsius_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
  set(below "")
  foreach(use IN LISTS arg_USES)
    get_property(more GLOBAL PROPERTY CELSIUS_BELOW_${use})
    list(APPEND below ${more} ${use})
  endforeach()
  list(REMOVE_DUPLICATES below)
  set_property(GLOBAL PROPERTY CELSIUS_BELOW_${name} "${below}")
  set_property(GLOBAL APPEND PROPERTY CELSIUS_MODULES ${name})

  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c
       ${PROJECT_SOURCE_DIR}/src/${name}/*/*.c)
  if(celsius_x86)
    celsius_instruction_sets("${sources}")
  else()
    list(FILTER sources EXCLUDE REGEX "_(avx512|avx2)\\.c$")
  endif()
  if(CELSIUS_FUZZ AND name STREQUAL "ops")
    # Fuzzers test file readers. Instrumented kernels would take minutes to compile.
    set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
  endif()
  if(name STREQUAL "env")
    # Where an installation has its plug-ins (src/env/pack.c).
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/src/env/pack.c DIRECTORY ${PROJECT_SOURCE_DIR} APPEND
                 PROPERTY COMPILE_DEFINITIONS "CELSIUS_LIBDIR=\"${CMAKE_INSTALL_LIBDIR}\"")
  endif()
  celsius_protobuf(${name} generated)
  if(name STREQUAL "run")
    celsius_presets(presets)
    list(APPEND generated ${presets})
  endif()
  if(NOT sources AND NOT generated)
    set(sources ${PROJECT_SOURCE_DIR}/cmake/empty.c) # the module has no source file yet
  endif()
  add_library(celsius_${name} OBJECT ${sources} ${generated})
  target_link_libraries(celsius_${name} PRIVATE celsius_flags celsius_dependencies)
  if(generated)
    target_include_directories(celsius_${name} PRIVATE ${PROJECT_BINARY_DIR}/proto)
  endif()
endfunction()

# Only the files of an instruction set get its compiler flags. The rest of the library runs on any
# x86-64 processor. The program chooses its kernels when it starts.
function(celsius_instruction_sets sources)
  foreach(source IN LISTS sources)
    if(source MATCHES "_avx512\\.c$")
      set(flags -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mavx2 -mprfchw)
    elseif(source MATCHES "_avx2\\.c$")
      set(flags -mavx2 -mfma -mprfchw)
    else()
      continue()
    endif()
    set_property(SOURCE ${source} DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY
                 COMPILE_OPTIONS ${flags})
  endforeach()
endfunction()

# src/NAME/*.proto -> C sources at build time. `out` is empty without protobuf-c.
function(celsius_protobuf name out)
  set(generated "")
  if(protobuf_c_FOUND)
    file(GLOB protos CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.proto)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/proto)
    foreach(proto IN LISTS protos)
      get_filename_component(stem ${proto} NAME_WE)
      set(made ${PROJECT_BINARY_DIR}/proto/${stem}.pb-c.c)
      add_custom_command(
        OUTPUT ${made} ${PROJECT_BINARY_DIR}/proto/${stem}.pb-c.h
        COMMAND ${CELSIUS_PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/src/${name}
                --c_out=${PROJECT_BINARY_DIR}/proto ${proto}
        DEPENDS ${proto} COMMENT "protoc-c ${stem}.proto" VERBATIM)
      set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -w)
      list(APPEND generated ${made})
    endforeach()
  endif()
  set(${out} "${generated}" PARENT_SCOPE)
endfunction()

# src/algo/presets/<algo>/<name>.yaml -> one C source with all presets.
function(celsius_presets out)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/algo/presets/*/*.yaml)
  set(made ${PROJECT_BINARY_DIR}/presets.c)
  add_custom_command(
    OUTPUT ${made}
    COMMAND ${CMAKE_COMMAND} -DOUT=${made} -DFOLDER=${PROJECT_SOURCE_DIR}/src/algo/presets
            -P ${PROJECT_SOURCE_DIR}/cmake/EmbedPresets.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/EmbedPresets.cmake
    COMMENT "Embedding presets" VERBATIM)
  set(${out} ${made} PARENT_SCOPE)
endfunction()

# libcelsius.so and libcelsius.a from the same objects.
function(celsius_libraries)
  get_property(modules GLOBAL PROPERTY CELSIUS_MODULES)
  set(objects "")
  foreach(module IN LISTS modules)
    list(APPEND objects $<TARGET_OBJECTS:celsius_${module}>)
  endforeach()
  add_library(celsius_shared SHARED ${objects})
  add_library(celsius_static STATIC ${objects})
  set_target_properties(celsius_shared celsius_static PROPERTIES
    OUTPUT_NAME celsius LINKER_LANGUAGE C)
  # Before 1.0 a minor version may change the interface, so it is part of the SONAME.
  set_target_properties(celsius_shared PROPERTIES EXPORT_NAME celsius
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  set_target_properties(celsius_static PROPERTIES EXPORT_NAME celsius_static)
  target_link_libraries(celsius_shared PRIVATE celsius_flags celsius_dependencies)
  target_link_options(celsius_shared PRIVATE -Wl,-Bsymbolic-functions)
  if(NOT CELSIUS_SANITIZE) # the program defines the symbols of the sanitizers
    target_link_options(celsius_shared PRIVATE -Wl,-z,defs)
  endif()
  foreach(library celsius_shared celsius_static)
    target_include_directories(${library} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  add_library(celsius::celsius ALIAS celsius_shared)
endfunction()

# cli/*.c -> celsius. The command uses only the public functions of the library.
function(celsius_command)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
  if(sources)
    add_executable(celsius_cli ${sources})
    # One search path serves the installed command and the built one, whose library is beside it.
    # CMake would pad a build path with ':' to change it later, and an empty entry means the working
    # directory.
    set_target_properties(celsius_cli PROPERTIES OUTPUT_NAME celsius BUILD_WITH_INSTALL_RPATH TRUE
      INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$ORIGIN")
    target_link_libraries(celsius_cli PRIVATE celsius_flags celsius_dependencies celsius_shared)
  endif()
endfunction()

# bench/*.c -> celsius-bench. It links the object files, because it also measures private kernels.
function(celsius_bench)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
  if(sources)
    get_property(modules GLOBAL PROPERTY CELSIUS_MODULES)
    list(TRANSFORM modules PREPEND celsius_)
    add_executable(celsius-bench ${sources})
    target_link_libraries(celsius-bench PRIVATE celsius_flags celsius_dependencies ${modules})
    # Plug-ins use the library's functions that the program contains.
    set_target_properties(celsius-bench PROPERTIES ENABLE_EXPORTS ON)
  endif()
endfunction()

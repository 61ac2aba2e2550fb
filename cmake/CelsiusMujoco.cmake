# The environments that MuJoCo simulates: a shared object of its own in celsius-plugins/, so that
# the library never links MuJoCo. It is built if MuJoCo 4.0.1 or later is found:
#
#   -DCELSIUS_MUJOCO=FOLDER, or the environment variable CELSIUS_MUJOCO
#                            MuJoCo's own release, or the folder `mujoco` of its Python package
#   build/mujoco             what script/setup mujoco fetched
#   -DCELSIUS_MUJOCO=OFF     leaves it out
#
# MuJoCo 4.0.0 computes wrong accelerations for large models (its issue 3767), so it is refused.
set(CELSIUS_MUJOCO "" CACHE STRING "Folder of MuJoCo; OFF: build without it")
set(mujoco_found FALSE)

# celsius_mujoco_in(FOLDER): sets mujoco_header, mujoco_library, mujoco_version and mujoco_models if
# the folder has MuJoCo.
function(celsius_mujoco_in folder)
  foreach(part "" "/mujoco")
    set(header ${folder}${part}/include/mujoco/mujoco.h)
    file(GLOB libraries ${folder}${part}/libmujoco.so.*.*.* ${folder}${part}/lib/libmujoco.so.*.*.*)
    if(EXISTS ${header} AND libraries)
      list(GET libraries 0 library)
      file(STRINGS ${header} line REGEX "#define mjVERSION_HEADER ")
      string(REGEX REPLACE ".*mjVERSION_HEADER +([0-9]+).*" "\\1" number "${line}")
      set(mujoco_include ${folder}${part}/include PARENT_SCOPE)
      set(mujoco_library ${library} PARENT_SCOPE)
      set(mujoco_number ${number} PARENT_SCOPE)
      set(mujoco_models ${folder}/models PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

if(CMAKE_CROSSCOMPILING OR CELSIUS_FUZZ OR CELSIUS_MUJOCO STREQUAL "OFF")
  set(mujoco_missing "not wanted in this build")
else()
  set(folder "${CELSIUS_MUJOCO}")
  if(NOT folder)
    set(folder "$ENV{CELSIUS_MUJOCO}")
  endif()
  if(folder)
    get_filename_component(folder ${folder} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  else()
    set(folder ${PROJECT_SOURCE_DIR}/build/mujoco)
  endif()
  celsius_mujoco_in(${folder})
  if(NOT mujoco_library)
    set(mujoco_missing "not found in ${folder}; script/setup mujoco fetches it")
  elseif(mujoco_number LESS 4000001)
    set(mujoco_missing "${mujoco_number} is too old; 4.0.1 (4000001) or later is needed")
  else()
    set(mujoco_found TRUE)
  endif()
  if(NOT mujoco_found AND CELSIUS_MUJOCO)
    message(FATAL_ERROR "CELSIUS_MUJOCO=${CELSIUS_MUJOCO}: MuJoCo is ${mujoco_missing}")
  endif()
endif()

if(NOT mujoco_found)
  message(STATUS "Optional part mujoco: ${mujoco_missing}; building without it")
  return()
endif()
message(STATUS "Optional part mujoco: ${mujoco_number} in ${folder}")

set(plugins_dir ${PROJECT_BINARY_DIR}/celsius-plugins)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/plugins/mujoco/*.c)
# The object files serve the plug-in and its tests.
add_library(celsius_mujoco OBJECT ${sources})
target_include_directories(celsius_mujoco SYSTEM PUBLIC ${mujoco_include})
target_include_directories(celsius_mujoco PUBLIC ${PROJECT_SOURCE_DIR}/plugins/mujoco)
target_link_libraries(celsius_mujoco PRIVATE celsius_flags)
# Private headers of the library are out of reach.
target_link_libraries(celsius_mujoco PUBLIC Threads::Threads ${mujoco_library} PkgConfig::yaml
  ${CMAKE_DL_LIBS} m)

add_library(celsius_mujoco_plugin MODULE)
target_link_libraries(celsius_mujoco_plugin PRIVATE celsius_flags celsius_mujoco celsius_shared)
# One search path serves the built and the installed plug-in: MuJoCo is beside it, the library one
# folder up.
set_target_properties(celsius_mujoco_plugin PROPERTIES PREFIX "" OUTPUT_NAME mujoco
  LIBRARY_OUTPUT_DIRECTORY ${plugins_dir}
  BUILD_WITH_INSTALL_RPATH TRUE INSTALL_RPATH "$ORIGIN;$ORIGIN/..")
if(NOT CELSIUS_SANITIZE)
  target_link_options(celsius_mujoco_plugin PRIVATE -Wl,-z,defs)
endif()
get_filename_component(mujoco_library ${mujoco_library} REALPATH)
get_filename_component(mujoco_file ${mujoco_library} NAME)
file(MAKE_DIRECTORY ${plugins_dir})
file(CREATE_LINK ${mujoco_library} ${plugins_dir}/${mujoco_file} SYMBOLIC)
if(EXISTS ${mujoco_models})
  file(CREATE_LINK ${mujoco_models} ${plugins_dir}/mujoco-models SYMBOLIC)
  install(DIRECTORY ${mujoco_models}/
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/celsius-plugins/mujoco-models
          PATTERN robots EXCLUDE) # hundreds of megabytes
endif()
install(TARGETS celsius_mujoco_plugin DESTINATION ${CMAKE_INSTALL_LIBDIR}/celsius-plugins)
install(FILES ${mujoco_library} DESTINATION ${CMAKE_INSTALL_LIBDIR}/celsius-plugins)

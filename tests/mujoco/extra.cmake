# Tests of the MuJoCo plug-in: C tests link its object files, scripts run the command. All have the
# label "mujoco". A test that ends with 77 was skipped.
function(celsius_mujoco_test name)
  set_property(TEST mujoco/${name} APPEND PROPERTY ENVIRONMENT
               "CELSIUS_MUJOCO_MODELS=${mujoco_models}")
  set_tests_properties(mujoco/${name} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

get_property(below GLOBAL PROPERTY CELSIUS_BELOW_run)
set(linked ${below} run)
list(TRANSFORM linked PREPEND celsius_)
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(mujoco_${name} ${source} ${support})
  set_target_properties(mujoco_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/mujoco)
  target_include_directories(mujoco_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(mujoco_${name} PRIVATE
    CELSIUS_TEST_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(mujoco_${name} PRIVATE celsius_flags celsius_dependencies celsius_mujoco
    ${linked} PkgConfig::cmocka)
  add_test(NAME mujoco/${name} COMMAND mujoco_${name})
  celsius_test_properties(mujoco/${name} ${name} mujoco)
  celsius_mujoco_test(${name})
endforeach()

if(NOT CELSIUS_SANITIZE)
  celsius_script_tests(mujoco)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
  foreach(script IN LISTS scripts)
    get_filename_component(name ${script} NAME_WE)
    celsius_mujoco_test(${name})
  endforeach()
endif()

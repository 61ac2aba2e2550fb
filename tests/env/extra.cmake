# test_plugin.c opens this shared object, which uses functions of the test executable.
add_library(env_plugin MODULE env/plugin.c)
set_target_properties(env_plugin PROPERTIES PREFIX "" OUTPUT_NAME plugin
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/env)
target_link_libraries(env_plugin PRIVATE celsius_flags)
set_target_properties(env_test_plugin PROPERTIES ENABLE_EXPORTS ON)
target_compile_definitions(env_test_plugin PRIVATE PLUGIN="$<TARGET_FILE:env_plugin>")
add_dependencies(env_test_plugin env_plugin)

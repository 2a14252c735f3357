# weir_test(<program> LABEL <label> SOURCES <file>... LIBRARIES <target>... [NAME <ctest name>])
#
# A GoogleTest program that ctest runs from the top of the source tree. WEIR_SOURCE_DIR is that
# folder's path, for tests that read files.
function(weir_test program)
  cmake_parse_arguments(TEST "" "LABEL;NAME" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${program} ${TEST_SOURCES})
  target_link_libraries(${program} PRIVATE ${TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${program} PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${TEST_NAME} COMMAND ${program} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${TEST_NAME} PROPERTIES LABELS ${TEST_LABEL})
endfunction()

# weir_fuzz_target(<file> <library>)
#
# With WEIR_FUZZ a libFuzzer program; else <target>_seeds, which feeds the seeds in
# fuzz/corpus/<target> to the same entry point, so that every test run replays them.
function(weir_fuzz_target file library)
  get_filename_component(target ${file} NAME_WE)
  if(WEIR_FUZZ)
    add_executable(${target} ${file})
    target_link_libraries(${target} PRIVATE ${library})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${target}_seeds ${file} ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
    target_link_libraries(${target}_seeds PRIVATE ${library})
    add_test(NAME ${target}_seeds COMMAND ${target}_seeds fuzz/corpus/${target}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${target}_seeds PROPERTIES LABELS unit)
  endif()
endfunction()

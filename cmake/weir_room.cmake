# weir_room(<name> [DEPENDS <room>...] [LIBRARIES <target>...])
#
# One room of src/: every .cc in the folder becomes the static library weir_<name>, except those
# that stand beside a file for another reason:
#   *_test.cc   -> the GoogleTest program <name>_test, run by ctest
#   *_bench.cc  -> the Google Benchmark program <name>_bench
#   *_fuzz.cc   -> one libFuzzer program each, in the fuzz preset only
#   main.cc     -> left to the room itself
function(weir_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|/main)\\.cc$")

  list(TRANSFORM ROOM_DEPENDS PREPEND weir_)
  if(sources)
    add_library(weir_${name} STATIC ${sources})
    target_link_libraries(weir_${name} PUBLIC weir_options ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  else()
    add_library(weir_${name} INTERFACE)
    target_link_libraries(weir_${name} INTERFACE weir_options ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  endif()

  if(tests AND NOT WEIR_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE weir_${name} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
  if(benches AND CMAKE_BUILD_TYPE STREQUAL "Release")
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE weir_${name} benchmark::benchmark_main)
  endif()
  if(WEIR_FUZZ)
    foreach(file ${fuzzers})
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE weir_${name})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()

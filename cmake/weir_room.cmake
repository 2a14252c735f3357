# weir_room(<name> [DEPENDS <room>...] [LIBRARIES <target>...])
#
# One room of src/: every .cc in the folder becomes the static library weir_<name>, except those
# that stand beside a file for another reason:
#   *_test.cc   -> the GoogleTest program <name>_test, run by ctest as <name>
#   test_*.cc   -> what several tests share, part of the same program
#   *_bench.cc  -> the Google Benchmark program <name>_bench, in the release preset
#   *_fuzz.cc   -> one fuzz target each (weir_fuzz_target)
#   main.cc     -> left to the room itself
function(weir_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "(_test|/test_[^/]*)\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|/main|/test_[^/]*)\\.cc$")

  list(TRANSFORM ROOM_DEPENDS PREPEND weir_)
  if(sources)
    add_library(weir_${name} STATIC ${sources})
    target_link_libraries(weir_${name} PUBLIC weir_options ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  else()
    add_library(weir_${name} INTERFACE)
    target_link_libraries(weir_${name} INTERFACE weir_options ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  endif()

  if(tests AND NOT WEIR_FUZZ)
    weir_test(${name}_test NAME ${name} LABEL unit SOURCES ${tests} LIBRARIES weir_${name})
  endif()
  if(benches AND CMAKE_BUILD_TYPE STREQUAL "Release")
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE weir_${name} benchmark::benchmark_main)
  endif()
  foreach(file ${fuzzers})
    weir_fuzz_target(${file} weir_${name})
  endforeach()
endfunction()

# weir_version(<source file>): defines what `weir version` prints, for that one file only, so that a
# new commit recompiles nothing else. The commit is the checkout's, or WEIR_COMMIT where there is
# none (a source archive).
set(WEIR_COMMIT "" CACHE STRING "Commit to name in `weir version` when this is no git checkout")

function(weir_version file)
  set(commit "${WEIR_COMMIT}")
  find_package(Git QUIET)
  if(NOT commit AND GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    # Configure again when HEAD moves.
    execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --path-format=absolute --git-path logs/HEAD
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      OUTPUT_VARIABLE head_log OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(head_log AND EXISTS "${head_log}")
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${head_log}")
    endif()
  endif()
  if(NOT commit)
    set(commit "unknown")
  endif()
  set(build_type "${CMAKE_BUILD_TYPE}")
  if(NOT build_type)
    set(build_type "no build type")
  endif()
  set_property(SOURCE ${file} APPEND PROPERTY COMPILE_DEFINITIONS
    WEIR_VERSION="${PROJECT_VERSION}"
    WEIR_COMMIT="${commit}"
    WEIR_BUILD_TYPE="${build_type}"
    WEIR_SANITIZERS="${WEIR_SANITIZE}"
    WEIR_YAML_CPP_VERSION="${yaml-cpp_VERSION}")
endfunction()

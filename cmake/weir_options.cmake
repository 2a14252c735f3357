# Compiler, linker and sanitizer settings shared by every target (target `weir_options`).

option(WEIR_FUZZ "Build the libFuzzer targets" OFF)
set(WEIR_SANITIZE "" CACHE STRING
  "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

# ccache sees paths below the source tree as relative ones and ignores the folder it runs in, so
# that every clone and worktree of the project shares the same cached objects.
find_program(CCACHE ccache)
if(CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

add_library(weir_options INTERFACE)
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough
  -Wno-missing-designated-field-initializers  # leaving a field at its default is what they are for
  -Werror
  -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_link_options(weir_options INTERFACE -fuse-ld=lld-19)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(weir_options INTERFACE
    -O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -flto=thin)
  # Inlined over all files; what did not change comes from the cache at the next link.
  target_link_options(weir_options INTERFACE -Wl,-z,relro,-z,now -flto=thin
    -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
else()
  target_compile_definitions(weir_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(WEIR_SANITIZE)
  target_compile_options(weir_options INTERFACE
    -O1 -g1 -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_FUZZ)
  target_compile_options(weir_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# weir_console(<target>): puts the console's files, as `npm run build` in web/ packs them, into the
# target. ./dev build makes the pack where there is Node.js; without one the pack is an empty file,
# and the binary serves a plain status page.
set(WEIR_CONSOLE_PACK "${CMAKE_SOURCE_DIR}/build/console/console.pack" CACHE FILEPATH
  "The packed console")

function(weir_console target)
  if(NOT EXISTS "${WEIR_CONSOLE_PACK}")
    file(WRITE "${WEIR_CONSOLE_PACK}" "")
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/console_pack.S)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [=[
  .section .rodata
  .global weir_console_pack
  .global weir_console_pack_end
weir_console_pack:
  .incbin "@WEIR_CONSOLE_PACK@"
weir_console_pack_end:
  .byte 0
  .section .note.GNU-stack,"",%progbits
]=])
  set_source_files_properties(${source} PROPERTIES
    OBJECT_DEPENDS "${WEIR_CONSOLE_PACK}" COMPILE_OPTIONS "-Wno-unused-command-line-argument")
  target_sources(${target} PRIVATE ${source})
endfunction()

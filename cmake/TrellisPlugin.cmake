# What plugin authors use, in this tree and outside of it (find_package(Trellis)).
#
#   trellis_add_plugin(leveling SOURCES leveling.cpp MIGRATIONS migrations/0001_init.sql ASSETS fonts/NotoSans.ttf
#                      [LIBRARIES PNG::PNG] [OUTPUT_DIRECTORY dir] [NO_CHECK])
#     builds ${PROJECT_BINARY_DIR}/plugins/leveling.so, in C++20 or C11, in such a way that a host can unload it, and
#     checks the result with `trellis check`, which makes an instance of it. Migrations are embedded as
#     migrations/<file name>, assets under the path given. Libraries are best static ones.
#
#   trellis_add_plugin_test(leveling_test SOURCES leveling_test.cpp MIGRATIONS … ASSETS … [LIBRARIES …])
#     builds a program with the test host (Trellis::testing) and the same files embedded.
set(TRELLIS_PLUGIN_MODULE_DIR ${CMAKE_CURRENT_LIST_DIR})

# Writes a source file that embeds the files in .trellis.files, as abi.h says, and adds it to the target.
function(_trellis_embed target)
  cmake_parse_arguments(ARG "" "" "MIGRATIONS;ASSETS" ${ARGN})
  set(names "")
  set(files "")
  foreach(migration IN LISTS ARG_MIGRATIONS)
    cmake_path(GET migration FILENAME name)
    list(APPEND names migrations/${name})
    cmake_path(ABSOLUTE_PATH migration BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND files ${migration})
  endforeach()
  foreach(asset IN LISTS ARG_ASSETS)
    if(IS_ABSOLUTE ${asset})
      cmake_path(GET asset FILENAME name)
    else()
      set(name ${asset})
    endif()
    list(APPEND names ${name})
    cmake_path(ABSOLUTE_PATH asset BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND files ${asset})
  endforeach()
  if(NOT files)
    return()
  endif()

  # Basic assembler in the language that is enabled: authors need not enable ASM. "R": kept by --gc-sections.
  set(text "__asm__(\n    \".pushsection .trellis.files,\\\"aR\\\",%progbits\\n\"\n    \".balign 8\\n\"\n")
  foreach(name file IN ZIP_LISTS names files)
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "${target}: there is no file ${file}")
    endif()
    string(LENGTH ${name} length)
    string(MAKE_C_IDENTIFIER ${name} label)
    set(label ".Ltrellis_${label}")
    string(APPEND text "    \".4byte ${length}, 0\\n\"\n    \".8byte ${label}_end - ${label}\\n\"\n"
                       "    \".ascii \\\"${name}\\\"\\n\"\n    \"${label}:\\n\"\n"
                       "    \".incbin \\\"${file}\\\"\\n\"\n    \"${label}_end:\\n\"\n    \".balign 8\\n\"\n")
  endforeach()
  string(APPEND text "    \".popsection\\n\");\n")

  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(C IN_LIST languages)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_files.c)
  else()
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_files.cpp)
  endif()
  file(CONFIGURE OUTPUT ${source} CONTENT "@text@" @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${target} PRIVATE ${source})
endfunction()

function(_trellis_language target)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
                                             C_STANDARD 11 C_STANDARD_REQUIRED ON)
  # Rows are made with designated initialisers, and fields have defaults.
  target_compile_options(${target} PRIVATE -Wno-missing-field-initializers)
endfunction()

function(trellis_add_plugin name)
  cmake_parse_arguments(ARG "NO_CHECK" "OUTPUT_DIRECTORY" "SOURCES;MIGRATIONS;ASSETS;LIBRARIES" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "trellis_add_plugin(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "trellis_add_plugin(${name}): a plugin's id is [a-z][a-z0-9_]{0,30}")
  endif()
  if(NOT ARG_OUTPUT_DIRECTORY)
    set(ARG_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins)
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  _trellis_language(${name})
  _trellis_embed(${name} MIGRATIONS ${ARG_MIGRATIONS} ASSETS ${ARG_ASSETS})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX .so LIBRARY_OUTPUT_DIRECTORY ${ARG_OUTPUT_DIRECTORY} POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PRIVATE Trellis::trellis ${ARG_LIBRARIES})
  # Unique symbols pin a library in the process.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  set(script ${TRELLIS_PLUGIN_MODULE_DIR}/plugin.version)
  target_link_options(${name} PRIVATE -Wl,--version-script=${script} -Wl,-z,now -Wl,--build-id=sha1 -Wl,--exclude-libs,ALL)
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${script})
  if(NOT TRELLIS_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(NOT ARG_NO_CHECK)
    set(program "")
    if(TARGET trellis AND NOT TRELLIS_SANITIZE)  # the program of this tree
      set(program -DTRELLIS=$<TARGET_FILE:trellis>)
      add_dependencies(${name} trellis)
    elseif(TRELLIS_PROGRAM AND NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
      set(program -DTRELLIS=${TRELLIS_PROGRAM})
    endif()
    add_custom_command(TARGET ${name} POST_BUILD VERBATIM
      COMMAND ${CMAKE_COMMAND} -DPLUGIN=$<TARGET_FILE:${name}> ${program} -DREADELF=${CMAKE_READELF} -DNM=${CMAKE_NM}
              -P ${TRELLIS_PLUGIN_MODULE_DIR}/TrellisCheckPlugin.cmake)
  endif()
endfunction()

function(trellis_add_plugin_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;MIGRATIONS;ASSETS;LIBRARIES" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "trellis_add_plugin_test(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET Trellis::testing)
    message(FATAL_ERROR "trellis_add_plugin_test(${name}): this installation of Trellis has no test host (Trellis::testing)")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  _trellis_language(${name})
  _trellis_embed(${name} MIGRATIONS ${ARG_MIGRATIONS} ASSETS ${ARG_ASSETS})
  target_link_libraries(${name} PRIVATE Trellis::trellis Trellis::testing ${ARG_LIBRARIES})
endfunction()

# trellis_test(journal_test SOURCES a_test.cpp LIBRARIES trellis-journal [LABELS unit] [DISCORD suites...] [LONG suites...])
# A GoogleTest program; each TEST is one ctest test. Those of the LONG suites are labelled long.
#
# Tests of whole processes (label e2e) run on both stores. In a sanitizer build those on SQLite are long: the default run
# has them on PostgreSQL, where there is more code and more threads.
#
# ctest -L takes a regular expression: what is about Discord has a label that ends in _discord, so that both -L e2e and
# -L discord find a test with e2e_discord. In the folders named here that is everything; of another program it is the
# suites that DISCORD names, as patterns of GoogleTest's.
include(GoogleTest)
find_package(GTest REQUIRED)

set(trellis_discord_folders "/tests/(cache|commands|discord|gateway|interactions|outbox|refill|simulator)$")

# What a ThreadSanitizer build is for: the programs labelled tsan, and nothing else of the tree.
add_custom_target(tsan-tests)

# The tests of a program that fit a filter, under a label. A list of tests needs a name of its own.
macro(discover name list filter label)
  if("${label}" STREQUAL "")  # an empty value would make the next property's name the value
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_FILTER ${filter} TEST_LIST ${name}_${list} PROPERTIES ${properties})
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_FILTER ${filter} TEST_LIST ${name}_${list}
                         PROPERTIES ${properties} LABELS ${label})
  endif()
endmacro()

function(trellis_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;COST" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT;DISCORD;LONG" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest_main fmt::fmt Threads::Threads)
  target_compile_definitions(${name} PRIVATE TRELLIS_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures"
                                             TRELLIS_BIN="${PROJECT_BINARY_DIR}/bin"
                                             TRELLIS_PLUGINS="${PROJECT_BINARY_DIR}/plugins")
  if(ARG_LABELS AND CMAKE_CURRENT_SOURCE_DIR MATCHES "${trellis_discord_folders}" AND NOT ARG_LABELS MATCHES "discord")
    string(APPEND ARG_LABELS "_discord")
  endif()
  set(properties TIMEOUT ${ARG_TIMEOUT})
  if(ARG_COST)  # in seconds, about: what takes long begins early, also where nothing is known of earlier runs
    list(APPEND properties COST ${ARG_COST})
  endif()
  if(ARG_ENVIRONMENT)
    list(APPEND properties ENVIRONMENT "${ARG_ENVIRONMENT}")
  endif()
  if(ARG_LABELS MATCHES "tsan")
    add_dependencies(tsan-tests ${name})
  endif()
  if(TRELLIS_SANITIZE AND ARG_LABELS MATCHES "^e2e")
    list(APPEND ARG_LONG "*/sqlite")
  endif()
  list(JOIN ARG_LONG ":" short)
  if(short)
    discover(${name} long "${short}" "long")
  endif()
  list(JOIN ARG_DISCORD ":" suites)
  if(suites)
    discover(${name} discord "${suites}-${short}" "${ARG_LABELS}_discord")
  endif()
  discover(${name} all "-${suites}:${short}" "${ARG_LABELS}")
endfunction()

# trellis_test(journal_test SOURCES a_test.cpp LIBRARIES trellis-journal [LABELS unit])
# A GoogleTest program; each TEST is one ctest test.
include(GoogleTest)
find_package(GTest REQUIRED)

# What a ThreadSanitizer build is for: the programs labelled tsan, and nothing else of the tree.
add_custom_target(tsan-tests)

function(trellis_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest_main fmt::fmt Threads::Threads)
  target_compile_definitions(${name} PRIVATE TRELLIS_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures"
                                             TRELLIS_BIN="${PROJECT_BINARY_DIR}/bin"
                                             TRELLIS_PLUGINS="${PROJECT_BINARY_DIR}/plugins")
  # An empty value would make the next property's name the value.
  set(properties TIMEOUT ${ARG_TIMEOUT})
  foreach(property LABELS ENVIRONMENT)
    if(ARG_${property})
      list(APPEND properties ${property} "${ARG_${property}}")
    endif()
  endforeach()
  if("tsan" IN_LIST ARG_LABELS)
    add_dependencies(tsan-tests ${name})
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()

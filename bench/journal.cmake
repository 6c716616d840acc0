# What appending to and reading from the journal costs, and applying to the cache.
find_package(benchmark REQUIRED)
add_executable(journal_bench ${CMAKE_CURRENT_LIST_DIR}/journal_bench.cpp)
target_link_libraries(journal_bench PRIVATE trellis-journal trellis-cache benchmark::benchmark fmt::fmt Threads::Threads)

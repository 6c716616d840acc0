# floor: the least a C++ program can do with the gateway's stream. collect: the same through Trellis's shard, journal and cache.
add_executable(floor ${CMAKE_CURRENT_LIST_DIR}/floor.cpp)
target_link_libraries(floor PRIVATE fmt::fmt OpenSSL::SSL ZLIB::ZLIB simdjson::simdjson)
add_executable(collect ${CMAKE_CURRENT_LIST_DIR}/collect.cpp)
target_link_libraries(collect PRIVATE trellis-gateway trellis-journal trellis-cache fmt::fmt Threads::Threads)

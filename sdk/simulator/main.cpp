#include <csignal>
#include <exception>
#include <iostream>

#include "gateway.hpp"
#include "options.hpp"
#include "server.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads our log may leave before us
  try {
    trellis::sim::Options options;
    if (!trellis::sim::parse_options(argc, argv, options)) return 0;
    trellis::sim::Gateway gateway(options);
    trellis::sim::serve(gateway);
    return 0;
  } catch (const trellis::sim::OptionError& error) {
    std::cerr << "trellis-sim: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "trellis-sim: " << error.what() << '\n';
    return 1;
  }
}

// Outgoing requests over sockets.
#pragma once

#include <boost/asio/io_context.hpp>

#include "outgoing.hpp"

namespace trellis::sim {

class OutgoingClient final : public Outgoing {
 public:
  explicit OutgoingClient(boost::asio::io_context& io) : io_(io) {}
  void post(const Address& to, Headers headers, std::string body, std::int64_t timeout_ms,
            std::function<void(Answer)> done) override;

 private:
  boost::asio::io_context& io_;
};

}  // namespace trellis::sim

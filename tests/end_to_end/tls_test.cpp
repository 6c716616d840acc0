// The same over TLS, as it is with Discord.
#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class TlsTest : public Bench {};

TEST_F(TlsTest, WithACertificateFile) {
  const std::string ca = (folder() / "ca.pem").string();
  Simulator& sim = start_simulator({"--tls", "--ca-out", ca, "--rate", "0", "--total", "3000", "--span-days", "2"});
  start_host({"--set", "discord.ca_file=" + ca});
  wait_for_sent(1000);
  sim.fault("drop");
  expect_everything_counted();
  stop_host();
  expect_same(sim.counts(), stored());
}

TEST_F(TlsTest, UnknownAuthority) {
  const std::string other = (folder() / "other.pem").string();
  {
    Simulator another(folder(), {"--tls", "--ca-out", other});
  }
  start_simulator({"--tls"});
  for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--set", "discord.ca_file=" + other}}) {
    const Finished done = run_to_end(host_command(more));
    EXPECT_EQ(done.code, 4) << done.err;
    EXPECT_NE(done.err.find("The certificate of 127.0.0.1 is not accepted"), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("discord.ca_file"), std::string::npos) << done.err;
  }
  EXPECT_EQ(sim().get("/_sim/sessions").as_array().size(), 0u);
}

TEST_F(TlsTest, CertificateFileThatIsNone) {
  start_simulator({"--tls"});
  write_file(folder() / "ca.pem", "this is no certificate\n");
  const Finished done = run_to_end(host_command({"--set", "discord.ca_file=" + (folder() / "ca.pem").string()}));
  EXPECT_EQ(done.code, 4) << done.err;
  EXPECT_NE(done.err.find("ca.pem cannot be used"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("PEM"), std::string::npos) << done.err;
}

}  // namespace
}  // namespace trellis::e2e

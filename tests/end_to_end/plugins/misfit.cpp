// Calls itself message_counter, and declares a table that no migration made: found out only when it takes the old one's
// place.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {
struct Imagined {
  GuildId server_id;
  std::int64_t weight = 0;
  static constexpr auto columns = trellis::columns(key<&Imagined::server_id>, sum<&Imagined::weight>);
};
class Misfit final : public Plugin {
 public:
  explicit Misfit(Setup& setup) : table_(setup.table<Imagined>("imagined")) {}

 private:
  Table<Imagined> table_;
};
}  // namespace

TRELLIS_PLUGIN(Misfit, "message_counter", "2.0.0")

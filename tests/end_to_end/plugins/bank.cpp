// A plugin that others call.
#include "bank.hpp"

#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Balance {
  GuildId guild_id;
  std::int64_t amount = 0;
  static constexpr auto columns = trellis::columns(key<&Balance::guild_id>, sum<&Balance::amount>);
};

class Bank final : public Plugin {
 public:
  explicit Bank(Setup& setup) : balances_(setup.table<Balance>("balances")) {
    setup.method(kDeposit, this, &Bank::deposit, param("guild"), param("amount"));
  }

 private:
  std::int64_t deposit(Request& request, GuildId guild, std::int64_t amount) {
    if (amount < 0) throw Refused("a deposit is not negative");
    return balances_.edit(request, guild).amount += amount;
  }
  Table<Balance> balances_;
};

}  // namespace

TRELLIS_PLUGIN(Bank, "bank", BANK_VERSION)

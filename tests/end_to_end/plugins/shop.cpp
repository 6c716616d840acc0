// A plugin that calls another one.
#include <trellis/plugin.hpp>

#include "bank.hpp"

using namespace trellis;

namespace {

class Shop final : public Plugin {
 public:
  explicit Shop(Setup& setup) { setup.method("sell", this, &Shop::sell, param("guild"), param("price")); }

 private:
  Json sell(Request& request, GuildId guild, std::int64_t price) {
    return Json::object({{"balance", request.call(kDeposit(guild, price))}});
  }
};

}  // namespace

TRELLIS_PLUGIN(Shop, "shop", "1.0.0", "bank >= 1.2")

#include "store/store.hpp"

#include "store/postgresql.hpp"
#include "store/sqlite.hpp"

namespace trellis::host {

std::unique_ptr<Store> open_store(const std::string& url) {
  const std::string_view text = url;
  if (text.starts_with("sqlite:")) {
    std::string folder(text.substr(7));
    if (folder.starts_with("//")) folder.erase(0, 2);  // sqlite:///var/lib/trellis is meant as well
    while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    if (folder.empty())
      throw std::invalid_argument(
          "the store \"sqlite:\" names no folder; write sqlite:DIR, as in sqlite:/var/lib/trellis/store");
    return open_sqlite_store(folder);
  }
  if (text.starts_with("postgresql://") || text.starts_with("postgres://")) return open_postgresql_store(url);
  // Only what stands before the colon is shown: the rest may hold a password.
  throw std::invalid_argument(fmt::format(
      "the store \"{}...\" is not understood; write sqlite:DIR or postgresql://user:password@host:port/database",
      text.substr(0, std::min<std::size_t>(text.find(':'), 20))));
}

}  // namespace trellis::host

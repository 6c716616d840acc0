#include "refill/cold_guilds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deque>
#include <map>
#include <set>

#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPage = 200;  // Discord's most

std::uint64_t id_of(const json::value& object) {
  const json::object* fields = object.if_object();
  const json::value* id = fields ? fields->if_contains("id") : nullptr;
  const json::string* text = id ? id->if_string() : nullptr;
  std::uint64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

json::value parsed(const std::string& body) {
  json::error_code error;
  json::value value = json::parse(body, error);
  return error ? json::value() : value;
}

}  // namespace

struct ColdGuilds::Impl : std::enable_shared_from_this<ColdGuilds::Impl> {
  Impl(boost::asio::any_io_executor executor, Cache& cache, Send send, GoesOn goes_on, ColdGuildsOptions options)
      : cache(cache),
        send(std::move(send)),
        goes_on(std::move(goes_on)),
        options(options),
        executor(executor),
        timer(executor),
        pace(executor) {}

  struct Guild {
    Stream stream;
    std::uint64_t id = 0;
    unsigned tries = 0;
    json::object answer;  // what there is so far, as a GUILD_CREATE
  };

  // ---- which streams

  void look() {
    if (stopped) return;
    for (auto stream = undecided.begin(); stream != undecided.end();) {
      if (!cache.lacks_guilds(*stream)) {
        stream = undecided.erase(stream);  // a new session, which lists its guilds
      } else if (goes_on(*stream)) {
        if (ready.empty()) first_ready = Clock::now();
        ready.insert(*stream);
        stream = undecided.erase(stream);
      } else {
        ++stream;
      }
    }
    const bool waited = undecided.empty() || Clock::now() - first_ready >= options.wait_for_all;
    if (!ready.empty() && !filling && waited) begin();
    if (undecided.empty() && ready.empty()) return;
    timer.expires_after(options.look);
    timer.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->look();
    });
  }

  // ---- which guilds

  void begin() {
    filling = true;
    listed = false;
    streams.clear();
    streams.swap(ready);
    log_warn("cache",
             "the session goes on, but what was known of its servers is lost; they are asked of Discord again. Who is "
             "in voice stays unknown until a new session (`trellis ctl gateway reidentify`)",
             {{"shards", streams.size()}});
    if (cache.self() != 0) return list(0, 0);
    ask("/users/@me", [this](const RestAnswer& answer) {
      if (const std::uint64_t id = answer.ok() ? id_of(parsed(answer.body)) : 0) cache.set_self(id);
      list(0, 0);
    });
  }

  void list(std::uint64_t after, unsigned tries) {
    ask(fmt::format("/users/@me/guilds?limit={}&after={}", kPage, after),
        [this, after, tries](const RestAnswer& answer) {
          const json::value page = answer.ok() ? parsed(answer.body) : json::value();
          const json::array* guilds = page.if_array();
          if (!guilds) return list_failed(after, tries, answer);
          std::uint64_t last = after;
          for (const json::value& guild : *guilds) {
            const std::uint64_t id = id_of(guild);
            last = std::max(last, id);
            for (const Stream stream : streams)
              if (id != 0 && (id >> 22) % stream.count == stream.id) waiting.push_back({stream, id, 0, {}});
          }
          if (guilds->size() >= kPage && last > after) return list(last, 0);
          listed = true;
          next();
        });
  }

  void list_failed(std::uint64_t after, unsigned tries, const RestAnswer& answer) {
    log_warn("cache", "the list of the bot's servers cannot be had; it is asked for again",
             {{"error", answer.ok() ? "the answer is no list" : answer.error}});
    later(tries, [this, after, tries] { list(after, tries + 1); });
  }

  // ---- one guild after the other

  void next() {
    while (!waiting.empty() && under_way < options.at_once && !paced) {
      Guild guild = std::move(waiting.front());
      waiting.pop_front();
      // Known by now: one that the bot joined, one that came back, or all of them by a new session.
      if (!cache.begin_refill(guild.stream, guild.id)) continue;
      ++under_way;
      guild_itself(std::make_shared<Guild>(std::move(guild)));
      paced = true;
      pace.expires_after(options.every);
      pace.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (error || self->stopped) return;
        self->paced = false;
        self->next();
      });
    }
    if (listed && waiting.empty() && under_way == 0) over();
  }

  using GuildPtr = std::shared_ptr<Guild>;

  void guild_itself(const GuildPtr& guild) {
    ask(fmt::format("/guilds/{}?with_counts=true", guild->id), [this, guild](const RestAnswer& answer) {
      json::value found = answer.ok() ? parsed(answer.body) : json::value();
      if (!found.is_object()) return failed(guild, answer);
      guild->answer = std::move(found.get_object());
      channels(guild);
    });
  }

  void channels(const GuildPtr& guild) {
    ask(fmt::format("/guilds/{}/channels", guild->id), [this, guild](const RestAnswer& answer) {
      json::value found = answer.ok() ? parsed(answer.body) : json::value();
      if (!found.is_array()) return failed(guild, answer);
      guild->answer["channels"] = std::move(found);
      threads(guild);
    });
  }

  void threads(const GuildPtr& guild) {
    ask(fmt::format("/guilds/{}/threads/active", guild->id), [this, guild](const RestAnswer& answer) {
      json::value found = answer.ok() ? parsed(answer.body) : json::value();
      json::object* object = found.if_object();
      json::value* list = object ? object->if_contains("threads") : nullptr;
      if (!list || !list->is_array()) return failed(guild, answer);
      guild->answer["threads"] = std::move(*list);
      own_member(guild);
    });
  }

  void own_member(const GuildPtr& guild) {
    if (cache.self() == 0) return done(guild);
    ask(fmt::format("/guilds/{}/members/{}", guild->id, cache.self()), [this, guild](const RestAnswer& answer) {
      json::value found = answer.ok() ? parsed(answer.body) : json::value();
      if (!found.is_object()) return failed(guild, answer);
      guild->answer["members"] = json::array{std::move(found)};
      done(guild);
    });
  }

  void done(const GuildPtr& guild) {
    if (cache.refill(guild->stream, guild->id, json::serialize(guild->answer))) ++filled;
    --under_way;
    next();
  }

  void failed(const GuildPtr& guild, const RestAnswer& answer) {
    const std::string why = answer.ok() ? "the answer is not what it should be" : answer.error;
    guild->answer.clear();
    if ((!answer.ok() && !answer.may_retry()) || ++guild->tries >= options.tries) {
      ++given_up;
      // When the bot is not in it any more, a GUILD_DELETE says so: the session goes on.
      log_warn("cache", "a server stays unknown until Discord sends it: it cannot be asked for",
               {{"guild", guild->id}, {"error", why}});
      --under_way;
      return next();
    }
    log_debug("cache", "a server is asked for again later", {{"guild", guild->id}, {"error", why}});
    later(guild->tries - 1, [this, guild] {
      if (cache.lacks_guilds(guild->stream)) return guild_itself(guild);
      --under_way;
      next();
    });
  }

  void over() {
    const bool some = std::ranges::any_of(streams, [this](Stream stream) { return cache.lacks_guilds(stream); });
    for (const Stream stream : streams) cache.refilled(stream);
    if (some)
      log_info("cache", "the servers of the session are known again", {{"guilds", filled}, {"given_up", given_up}});
    filled = given_up = 0;
    filling = listed = false;
    if (!ready.empty()) begin();
  }

  // ---- asking

  void ask(std::string target, std::function<void(const RestAnswer&)> then) {
    if (stopped) return;
    RestRequest request{"host", "GET", std::move(target)};
    send(std::move(request), [self = shared_from_this(), then = std::move(then)](const RestAnswer& answer) {
      if (!self->stopped && answer.status != TL_CANCELLED) then(answer);
    });
  }

  void later(unsigned tries, std::function<void()> then) {
    const auto wait = std::make_shared<boost::asio::steady_timer>(executor);
    wait->expires_after(options.backoff * (1u << std::min(tries, 6u)));
    waits.insert(wait);
    wait->async_wait([self = shared_from_this(), wait, then = std::move(then)](boost::system::error_code error) {
      self->waits.erase(wait);
      if (!error && !self->stopped) then();
    });
  }

  void end() {
    timer.cancel();
    pace.cancel();
    for (const auto& wait : waits) wait->cancel();
  }

  Cache& cache;
  const Send send;
  const GoesOn goes_on;
  const ColdGuildsOptions options;
  const boost::asio::any_io_executor executor;
  boost::asio::steady_timer timer, pace;
  std::atomic<bool> stopped = false;

  std::set<Stream> undecided, ready, streams;  // streams: those that are being filled
  Clock::time_point first_ready;
  bool filling = false, paced = false;
  bool listed = false;  // all guilds of the streams are in `waiting`, or were
  std::deque<Guild> waiting;
  std::size_t under_way = 0, filled = 0, given_up = 0;
  std::set<std::shared_ptr<boost::asio::steady_timer>> waits;
};

ColdGuilds::ColdGuilds(boost::asio::any_io_executor executor, Cache& cache, std::vector<Stream> streams, Send send,
                       GoesOn goes_on, ColdGuildsOptions options)
    : impl_(std::make_shared<Impl>(executor, cache, std::move(send), std::move(goes_on), options)) {
  impl_->undecided.insert(streams.begin(), streams.end());
  boost::asio::post(executor, [impl = impl_] { impl->look(); });
}

ColdGuilds::~ColdGuilds() { stop(); }

void ColdGuilds::stop() {
  if (impl_->stopped.exchange(true)) return;
  boost::asio::post(impl_->executor, [impl = impl_] { impl->end(); });
}

}  // namespace trellis::host

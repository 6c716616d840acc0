// Work: what every handler may do. Request: what handlers that may wait can do on top.
#pragma once
#include <algorithm>
#include <trellis/cache.hpp>
#include <trellis/discord.hpp>
#include <trellis/log.hpp>
#include <trellis/rows.hpp>

namespace trellis {

/// Small state without a migration, in the same transaction as everything else. Keys are text, values JSON.
class KeyValues {
 public:
  explicit KeyValues(detail::Turn turn) : turn_(turn) {}

  std::optional<Json> get(std::string_view key) const {
    tl_str value{};
    const tl_status status = turn_->work->kv_get(turn_.turn, detail::str(key), &value);
    if (status == TL_NOT_FOUND) return std::nullopt;
    turn_.check(status, "reading a key");
    return Json::parse(detail::view(value));
  }
  void set(std::string_view key, const Json& value, Duration expires_after = Duration::max()) {
    const std::string text = value.dump();
    const bool expires = expires_after != Duration::max();
    const std::int64_t at = expires ? turn_->core->now_us(turn_.turn) + expires_after.count() : 0;
    turn_.check(turn_->work->kv_set(turn_.turn, detail::str(key), detail::str(text), at), "setting a key");
  }
  void erase(std::string_view key) {
    turn_.check(turn_->work->kv_set(turn_.turn, detail::str(key), tl_str{nullptr, 0}, 0), "erasing a key");
  }
  /// Those that begin with the prefix, in order; keys are whole.
  std::vector<std::pair<std::string, Json>> all(std::string_view prefix) const {
    std::vector<std::pair<std::string, Json>> found;
    std::string after;
    for (;;) {
      tl_str key{}, value{};
      const tl_status status = turn_->work->kv_next(turn_.turn, detail::str(prefix), detail::str(after), &key, &value);
      if (status == TL_NOT_FOUND) return found;
      turn_.check(status, "reading keys");
      after = detail::view(key);
      found.emplace_back(after, Json::parse(detail::view(value)));
    }
  }

 private:
  detail::Turn turn_;
};

/// The same numbers when the same event is handled again. Not for secrets: secret_token().
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(detail::Turn turn) : turn_(turn) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() { return turn_->core->random(turn_.turn); }

  std::int64_t between(std::int64_t low, std::int64_t high) {  // both included
    if (low >= high) return low;
    const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    if (range == 0) return static_cast<std::int64_t>((*this)());
    const std::uint64_t uneven = (max() - range + 1) % range;  // what would favour the small ones
    std::uint64_t drawn = (*this)();
    while (drawn < uneven) drawn = (*this)();
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + drawn % range);
  }
  bool chance(double probability) { return static_cast<double>((*this)() >> 11) * 0x1p-53 < probability; }

 private:
  detail::Turn turn_;
};

namespace detail {
/// Anything but a plain SELECT or VALUES may change rows. Functions with side effects belong in execute().
inline bool writes(std::string_view sql) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  bool is_first = true, with = false;
  for (std::size_t at = 0; at < sql.size();) {
    if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.substr(at, 2) == "/*") {
      const std::size_t end = sql.find("*/", at);
      at = end == std::string_view::npos ? sql.size() : end + 2;
    } else if (!is_letter(sql[at])) {
      ++at;
    } else {
      std::string word;
      for (; at < sql.size() && is_letter(sql[at]); ++at) word += static_cast<char>(sql[at] | 0x20);
      if (is_first && (word == "select" || word == "values")) return false;
      if (is_first && word != "with") return true;
      with = with || is_first;
      is_first = false;
      if (word == "insert" || word == "update" || word == "delete" || word == "merge" || word == "replace") return true;
    }
  }
  return !with;
}
}  // namespace detail

/// The right to act, for one handler. What is staged here takes effect together, or not at all.
/// What a handler was given (event, interaction, parameters) lives until it returns. What it looked up here (rows,
/// cache, results) lives until the *step* ends: the handler returns, or calls something marked [yields].
class Work {
 public:
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  /// When the event was received; in a request, the clock when the step began.
  Time now() const { return Time{Duration{turn_->core->now_us(turn_.turn)}}; }
  Random& random() { return random_; }
  Log log() const { return Log(turn_->core, turn_->host); }
  Cache cache() const { return Cache(turn_); }
  KeyValues kv() { return KeyValues(turn_); }

  /// Puts an effect into the outbox: done after the commit, in order per target, at least once.
  template <class Answer>
  void send(const Effect<Answer>& effect) {
    turn_.check(effect.text().with([&](const tl_operation& raw) { return turn_->work->send(turn_.turn, &raw); }),
                "send");
  }

  /// Runs in this unit's transaction and sees everything staged before. Holds up this plugin for a round trip:
  /// for what tables cannot say. All rows are in memory when it returns (10,000 at most).
  template <class... T, class... A>
  Rows<T...> sql(const Sql& statement, const A&... arguments) {
    return Rows<T...>(turn_, run(statement, detail::Arguments<sizeof...(A)>(arguments...)));
  }
  /// For statements without rows: how many it touched. Rows found or edited before it are over; they are read again.
  template <class... A>
  std::int64_t execute(const Sql& statement, const A&... arguments) {
    const tl_id rows = run(statement, detail::Arguments<sizeof...(A)>(arguments...), true);
    const std::uint64_t count = turn_->rows->affected(turn_.turn, rows);
    turn_->rows->close(turn_.turn, rows);
    return static_cast<std::int64_t>(count);
  }

 protected:
  explicit Work(detail::Turn turn) : turn_(turn), random_(turn) {}
  ~Work() = default;

  detail::Turn turn_;

 private:
  friend const detail::Turn& detail::turn_of(const Work&);

  template <std::size_t N>
  tl_id run(const Sql& statement, const detail::Arguments<N>& arguments, bool writes = false) {
    const std::string_view text = statement.text(turn_->postgresql);
    turn_.instance->stage(turn_.turn);
    tl_id rows = 0;
    const tl_status status = turn_->work->sql(turn_.turn, detail::str(text), arguments.raw.data(), N, &rows);
    if (writes || detail::writes(text)) turn_.instance->drop_rows();
    turn_.check(status, "SQL");
    return rows;
  }

  Random random_;
};

namespace detail {
inline const Turn& turn_of(const Work& work) { return work.turn_; }

class EventWork final : public Work {
 public:
  explicit EventWork(Turn turn) : Work(turn) {}
};
}  // namespace detail

/// Staged or sealed, and not yet in the store.
struct Pending {
  std::uint64_t events = 0, rows = 0;
};

/// Work that may wait: commands, presses, forms, routes, methods, jobs and start. A step ends with each wait;
/// what was staged before it is kept, whatever happens later. Other handlers of the plugin run meanwhile, so what was
/// read from members before a wait may have changed after it. Stopping throws Cancelled out of any wait.
/// In a destructor that runs because something was thrown, calls that wait do nothing, and say so in the log.
class Request : public Work {
 public:
  /// [yields] Does it now and answers. Throws Error.
  template <class Answer>
  Answer call(const Operation<Answer>& operation) {
    if (!begin_wait("call")) return Answer();
    tl_reply raw{};
    raw.size = sizeof raw;
    const tl_status status =
        operation.text().with([&](const tl_operation& what) { return turn_->wait->call(turn_.turn, &what, &raw); });
    if (status == TL_REFUSED && operation.text().system == "service")
      throw Refused(std::string(detail::view(turn_->core->error(turn_.turn))));
    end_wait(status, "call");
    detail::Reply reply(turn_->wait, raw);
    return detail::Answered<Answer>::take(std::move(reply));
  }

  /// [yields] Reads on a connection of its own; sees everything staged before. Streams: any number of rows.
  template <class... T, class... A>
  Rows<T...> query(const Sql& statement, const A&... arguments) {
    if (!begin_wait("query")) return {};
    const detail::Arguments<sizeof...(A)> values(arguments...);
    tl_id rows = 0;
    end_wait(turn_->rows->query(turn_.turn, detail::str(statement.text(turn_->postgresql)), values.raw.data(),
                                sizeof...(A), &rows),
             "query");
    return Rows<T...>(turn_, rows);
  }

  /// [yields] Returns when everything staged so far, also by earlier events, is in the store.
  void commit() {
    if (begin_wait("commit")) end_wait(turn_->wait->commit(turn_.turn), "commit");
  }
  /// [yields]
  void sleep(Duration time) {
    if (begin_wait("sleep")) end_wait(turn_->wait->sleep(turn_.turn, time.count()), "sleep");
  }

  /// [yields] Runs a long computation or a blocking library without holding up the plugin.
  /// It must touch neither members nor this request.
  template <class F>
  auto outside(F&& f) {
    using Result = std::invoke_result_t<F&>;
    if (!begin_wait("outside")) return f();
    struct Computation {
      F& f;
      std::conditional_t<std::is_void_v<Result>, std::optional<bool>, std::optional<Result>> result{};
      std::exception_ptr thrown{};
    } computation{f};
    const tl_status status = turn_->wait->outside(
        turn_.turn,
        [](void* self) {
          Computation& mine = *static_cast<Computation*>(self);
          try {
            if constexpr (std::is_void_v<Result>)
              mine.f();
            else
              mine.result.emplace(mine.f());
          } catch (...) {
            mine.thrown = std::current_exception();
          }
        },
        &computation);
    if (computation.thrown) std::rethrow_exception(computation.thrown);
    end_wait(status, "outside");
    if constexpr (!std::is_void_v<Result>) return Result(*std::move(computation.result));
  }

  /// When whoever asked stops waiting; Time::max() when nobody does.
  Time deadline() const { return raw_->deadline_us ? Time{Duration{raw_->deadline_us}} : Time::max(); }

  Pending pending() const {
    tl_pending raw{};
    raw.size = sizeof raw;
    turn_.check(turn_->core->pending(turn_.turn, &raw), "pending");
    return {raw.events, raw.rows};
  }

 protected:
  Request(detail::Turn turn, const tl_request& raw) : Work(turn), raw_(&raw) {}
  ~Request() = default;

  /// False while an exception is on its way through: then there is no waiting.
  bool begin_wait(const char* what) {
    if (std::uncaught_exceptions() > uncaught_) {
      log().error("a call that waits was left out: it came from a destructor while an exception was thrown",
                  {{"call", what}});
      return false;
    }
    turn_.instance->stage(turn_.turn);
    turn_.instance->settle();
    return true;
  }
  void end_wait(tl_status status, const char* what) {
    if (status >= 0) return;
    turn_.instance->drop_rows();  // whether they are in the store is not known
    turn_.raise(status, what);
  }

  const tl_request* raw_;

 private:
  int uncaught_ = std::uncaught_exceptions();
};

}  // namespace trellis

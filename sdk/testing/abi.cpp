// The exported functions: texts and statuses in, exceptions nowhere out.
#include <trellis/testing_abi.h>

#include "abi/tables.hpp"
#include "test_host.hpp"

struct trellis_testing_host : trellis::host::TestHost {
  using TestHost::TestHost;
};

namespace {

using namespace trellis::host;

thread_local std::string t_error;

template <class F>
tl_status guarded(F&& f) noexcept {
  try {
    f();
    return TL_OK;
  } catch (const TestFailure& failure) {
    t_error = failure.what();
    return failure.status;
  } catch (const std::exception& error) {
    t_error = error.what();
  } catch (...) {
    t_error = "something was thrown that is no std::exception";
  }
  return TL_FAILED;
}

trellis_testing_host* host_of(tl_turn turn) {
  return reinterpret_cast<trellis_testing_host*>(static_cast<std::uintptr_t>(turn));
}

tl_status next(tl_turn turn, tl_id rows, const tl_value** row) {
  trellis_testing_host& host = *host_of(turn);
  Cursor* cursor = host.rows(rows);
  if (!cursor) {
    host.rows_error = "these rows are over: there was another query, or a restart";
    return TL_REFUSED;
  }
  try {
    *row = cursor->next();
    return *row ? TL_OK : TL_NOT_FOUND;
  } catch (const std::exception& error) {
    host.rows_error = error.what();
    return TL_FAILED;
  }
}
std::uint64_t affected(tl_turn turn, tl_id rows) {
  Cursor* cursor = host_of(turn)->rows(rows);
  return cursor ? cursor->affected() : 0;
}
std::uint64_t width(tl_turn turn, tl_id rows) {
  Cursor* cursor = host_of(turn)->rows(rows);
  return cursor ? cursor->width() : 0;
}
std::int64_t column(tl_turn turn, tl_id rows, tl_str name) {
  Cursor* cursor = host_of(turn)->rows(rows);
  for (std::size_t i = 0; cursor && i < cursor->width(); ++i)
    if (cursor->name(i) == view(name)) return static_cast<std::int64_t>(i);
  return -1;
}
void close(tl_turn, tl_id) {}  // the next query, or the host, takes them away
tl_str error(tl_turn turn) { return str(host_of(turn)->rows_error); }

const tl_rows_v1 kRows = {sizeof(tl_rows_v1), 0, nullptr, next, affected, width, column, close};
const tl_core_v1 kCore = [] {
  tl_core_v1 table{};
  table.size = sizeof table;
  table.error = error;
  return table;
}();

}  // namespace

extern "C" {

tl_status trellis_testing_open(const trellis_testing_options* given, trellis_testing_host** out) {
  return guarded([&] {
    const auto options = sized_copy(given);
    if (!out || !options.entry)
      throw TestFailure(TL_INVALID, "a test host needs a plugin's entry and a place for its handle");
    TestHostOptions copy;
    if (options.settings.n) copy.settings = view(options.settings);
    if (options.program.n) copy.program = std::string(view(options.program));
    copy.entry = options.entry;
    copy.rest = options.rest;
    copy.rest_self = options.rest_self;
    copy.restart_after = options.restart_after;
    copy.restart_commits = options.restart_how == TRELLIS_TESTING_COMMIT;
    *out = new trellis_testing_host(std::move(copy));
  });
}

void trellis_testing_close(trellis_testing_host* host) { delete host; }

tl_str trellis_testing_error(void) { return str(t_error); }

tl_status trellis_testing_event(trellis_testing_host* host, tl_str name, tl_str json) {
  return guarded([&] { host->event(view(name), view(json)); });
}

tl_status trellis_testing_message(trellis_testing_host* host, uint64_t user, uint64_t channel, tl_str content) {
  return guarded([&] { host->message(user, channel, view(content)); });
}

tl_status trellis_testing_voice(trellis_testing_host* host, uint64_t user, uint64_t channel) {
  return guarded([&] { host->voice(user, channel); });
}

tl_status trellis_testing_method(trellis_testing_host* host, tl_str name, tl_str args, tl_str* answer) {
  return guarded([&] {
    host->text = host->method(view(name), view(args));
    if (answer) *answer = str(host->text);
  });
}

tl_status trellis_testing_interact(trellis_testing_host* host, tl_str what, tl_str* answer) {
  return guarded([&] {
    host->text = host->interact(view(what));
    if (answer) *answer = str(host->text);
  });
}

tl_status trellis_testing_advance(trellis_testing_host* host, int64_t us) {
  return guarded([&] { host->advance(us); });
}

tl_status trellis_testing_restart(trellis_testing_host* host, uint32_t how, int64_t away_us) {
  return guarded([&] { host->restart(how == TRELLIS_TESTING_COMMIT, away_us); });
}

int64_t trellis_testing_now_us(trellis_testing_host* host) { return host->now_us(); }
uint64_t trellis_testing_steps(trellis_testing_host* host) { return host->steps(); }
tl_str trellis_testing_restarted(trellis_testing_host* host) { return str(host->restarted()); }

tl_status trellis_testing_query(trellis_testing_host* host, tl_str text, const tl_value* values, uint64_t count,
                                tl_id* rows) {
  return guarded([&] { *rows = host->query(view(text), {values, count}); });
}

tl_status trellis_testing_outbox(trellis_testing_host* host, tl_str* effects) {
  return guarded([&] {
    host->text = host->outbox();
    *effects = str(host->text);
  });
}

tl_status trellis_testing_log(trellis_testing_host* host, uint64_t n, tl_str* line) {
  if (n >= log_line_count(host->log())) return TL_NOT_FOUND;
  return guarded([&] {
    host->text = log_line(host->log(), n);
    *line = str(host->text);
  });
}

const tl_rows_v1* trellis_testing_rows(void) { return &kRows; }
const tl_core_v1* trellis_testing_core(void) { return &kCore; }
const tl_json_v1* trellis_testing_json(void) { return &kJsonTable; }

}  // extern "C"

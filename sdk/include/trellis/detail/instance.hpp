// One instance of a plugin as the SDK sees it: the host's tables, the handlers and the cached rows. Not for authors.
#pragma once
#include <trellis/abi.h>

#include <exception>
#include <memory>
#include <string>
#include <trellis/error.hpp>
#include <trellis/json.hpp>
#include <trellis/log.hpp>
#include <vector>

namespace trellis::detail {

struct Instance;

/// What the host calls; its address is the `self` of the registration.
struct Handler {
  Instance* instance = nullptr;
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
};

/// The cached rows of a table. Only the thread that holds the baton is here.
class CachedRows {
 public:
  virtual ~CachedRows() = default;
  /// Stages what was changed through references so far. Throws Error.
  virtual void stage(tl_turn) = 0;
  /// The step is over: references end, what is too much is forgotten.
  virtual void settle() noexcept = 0;
  /// The step failed: forgets every row it touched.
  virtual void undo() noexcept = 0;
  /// The store may have other rows now; references that are out are watched until the step ends.
  virtual void drop() = 0;
};

struct Instance {
  tl_host* host = nullptr;
  const tl_setup_v1* setup = nullptr;
  const tl_core_v1* core = nullptr;
  const tl_json_v1* json = nullptr;
  const tl_work_v1* work = nullptr;
  const tl_rows_v1* rows = nullptr;
  const tl_wait_v1* wait = nullptr;
  const tl_answer_v1* answer = nullptr;
  const tl_cache_v1* cache = nullptr;
  bool postgresql = false;
  bool refused = false;  // the host has recorded why this plugin cannot be loaded

  std::vector<std::unique_ptr<CachedRows>> tables;
  std::vector<std::unique_ptr<Handler>> handlers;
  std::vector<std::unique_ptr<tl_id>> jobs;

  Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  void open(const tl_entry_args& args) {
    host = args.host;
    const auto find = [&](auto& table, const char* name, bool required) {
      table = static_cast<std::remove_reference_t<decltype(table)>>(args.find(args.host, str(name)));
      if (!table && required) throw Error(Code::Refused, "this host has no " + std::string(name) + "; it is too old");
    };
    find(setup, "trellis.setup/1", true);
    find(core, "trellis.core/1", true);
    find(json, "trellis.json/1", true);
    find(work, "trellis.work/1", true);
    find(rows, "trellis.rows/1", true);
    find(wait, "trellis.wait/1", true);
    find(answer, "trellis.answer/1", false);
    find(cache, "trellis.cache/1", false);
    if (host_json() != json) json_table.store(json, std::memory_order_relaxed);
    postgresql = setup->has(host, str("postgresql")) != 0;
  }

  void stage(tl_turn turn) {
    for (const auto& table : tables) table->stage(turn);
  }
  void settle() noexcept {
    for (const auto& table : tables) table->settle();
  }
  void undo() noexcept {
    for (const auto& table : tables) table->undo();
  }
  void drop_rows() {
    for (const auto& table : tables) table->drop();
  }

  /// Runs a handler. What it throws becomes a status; rows it edited are staged, or put back.
  template <class F>
  tl_status run(tl_turn turn, F&& handler) noexcept {
    tl_status status = TL_FAILED;
    try {
      handler();
      stage(turn);
      settle();
      return TL_OK;
    } catch (const Cancelled&) {
      status = core->fail(turn, TL_CANCELLED, str("cancelled"), 0);
    } catch (const Refused& sentence) {
      status = core->fail(turn, TL_REFUSED, str(sentence.what()), 1);
    } catch (const Error& error) {
      status = core->fail(turn, status_of(error.code()), str(error.what()), 0);
    } catch (const std::exception& error) {
      status = core->fail(turn, TL_FAILED, str(error.what()), 0);
    } catch (...) {
      status = core->fail(turn, TL_FAILED, str("something was thrown that is no std::exception"), 0);
    }
    undo();
    return status < 0 ? status : TL_FAILED;
  }
};

/// What Work and Request stand for.
struct Turn {
  Instance* instance = nullptr;
  tl_turn turn = 0;

  const Instance* operator->() const { return instance; }

  [[noreturn]] void raise(tl_status status, const char* what) const {
    if (status == TL_CANCELLED) throw Cancelled{};
    std::string text(view(instance->core->error(turn)));
    if (text.empty()) text = std::string(what) + " failed with status " + std::to_string(status);
    throw Error(code_of(status), text);
  }
  void check(tl_status status, const char* what) const {
    if (status < 0) raise(status, what);
  }
};

}  // namespace trellis::detail

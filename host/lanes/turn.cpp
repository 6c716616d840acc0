#include "lanes/turn.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <random>

#include "lanes/lane.hpp"

namespace trellis::host {

namespace {
// A plain pointer: nothing to destroy when a thread ends, and no lock to find a turn.
thread_local Turn* t_current = nullptr;
std::atomic<tl_turn> g_next_turn{1};
}  // namespace

Turn* current_turn() { return t_current; }

Turn* Turn::find(tl_turn id) { return t_current && t_current->id == id && id != 0 ? t_current : nullptr; }

tl_turn Turn::next_id() { return g_next_turn.fetch_add(1, std::memory_order_relaxed); }

TurnScope::TurnScope(Turn& turn) : outer_(t_current) { t_current = &turn; }
TurnScope::~TurnScope() { t_current = outer_; }
TurnPause::TurnPause() : outer_(t_current) { t_current = nullptr; }
TurnPause::~TurnPause() { t_current = outer_; }

Unit& Turn::unit() {
  if (!may_wait) return lane.event_unit();
  if (!own_unit) {
    lane.seal_events();  // what a request stages is never mixed with events
    own_unit = std::make_unique<Unit>();
    own_unit->needs_sync = true;
  }
  return *own_unit;
}

tl_status Turn::fail(tl_status status, std::string_view text, bool for_the_user) {
  error.assign(text);
  failed = status;
  error_for_user = for_the_user;
  return status;
}

void Turn::next_event(const Record& event, Stream from) {
  id = next_id();
  record = &event;
  stream = from;
  now_us = event.received_us;
  origin.clear();
  error.clear();
  failed = TL_OK;
  host_fault = HostFault::None;
  random_seeded_ = false;
  if (document_tried_) {
    document_.reset();
    document_tried_ = false;
  }
}

const boost::json::value* Turn::event_document() {
  if (!record) return nullptr;
  if (!document_tried_) {
    document_tried_ = true;
    // Made anew each time: release() would keep the size of the next block, which doubles for ever.
    boost::json::memory_resource* memory = lane.context().json_memory;
    json_memory_.emplace(json_buffer_, sizeof json_buffer_, memory ? memory : boost::json::storage_ptr());
    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = 256;
    try {
      document_.emplace(boost::json::parse({record->data.data(), record->data.size()}, error, &*json_memory_, options));
      if (error) document_.reset();
    } catch (const std::bad_alloc&) {
      document_.reset();
      host_fault = HostFault::NoMemory;
      fail(TL_UNAVAILABLE, "there is no memory for the event's JSON");
    }
  }
  return document_ ? &*document_ : nullptr;
}

std::uint64_t Turn::random() {
  if (!random_seeded_) {
    random_seeded_ = true;
    if (record) {
      random_state_ = std::hash<std::string>{}(instance->plugin) ^ record->position.value * 0x9e3779b97f4a7c15 ^
                      (std::uint64_t{stream.id} << 32 | stream.count);
    } else {
      std::random_device device;
      random_state_ = std::uint64_t{device()} << 32 | device();
    }
  }
  // splitmix64: small, and good enough for games.
  std::uint64_t z = random_state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void Turn::end_step() {
  if (!texts.empty()) texts.clear();
  if (!values.empty()) values.clear();
  if (!pins.empty()) pins.clear();
  if (!guilds.empty()) guilds.clear();
}

void Turn::end() {
  end_step();
  for (auto& open : rows) {
    if (!open || !open->reader) continue;
    open->cursor.reset();
    lane.give_back(std::move(open->reader));
  }
  rows.clear();
  id = 0;
}

}  // namespace trellis::host

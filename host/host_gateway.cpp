// What the host asks of Discord: which dispatches with which intents, on how many shards, from which session on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/asio/post.hpp>
#include <future>

#include "admin/command_line.hpp"
#include "gateway/intents.hpp"
#include "host_impl.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr std::chrono::milliseconds kIdentifySpacing{5200};  // so that sessions end no sooner than others can begin
constexpr std::chrono::seconds kShardPatience{5};
/// A plugin whose last event is this much older than another's is far behind: a session is not resumed from there,
/// because Discord may have forgotten what came since.
constexpr std::int64_t kFarBehindUs = 60'000'000;
constexpr const char* kCostOfASession =
    "it costs one IDENTIFY of the day's budget for each shard, and every plugin a Gap";

/// A zstd context takes about 0.7 MiB, one of zlib 40 KiB; zstd costs less time.
constexpr std::uint32_t kShardsForZlib = 50;

Compression compression_of(std::string_view word, std::uint32_t shards) {
  if (word == "auto") return shards < kShardsForZlib ? Compression::Zstd : Compression::Zlib;
  for (const Compression compression : {Compression::Zlib, Compression::Zstd})
    if (word == name_of(compression)) return compression;
  return Compression::None;
}

std::uint64_t default_budget(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? 8ull << 30 : std::min<std::uint64_t>(8ull << 30, space.available / 4);
}

}  // namespace

/// What is collected is the union over the enabled plugins, loaded or not, and the cache. Returns when every shard
/// collects it.
void Host::Impl::needs_changed() {
  enabled->look_again();
  const GatewayNeeds needs = enabled->needs();
  cache.keep_voice_states(needs.voice_states);
  cache.keep_member_counts(needs.member_counts);
  cache.keep_members(needs.members);
  cache.keep_presences(needs.presences);
  filter.intents = needs.intents;
  bool changed = false;
  for (std::uint32_t type = 1; type < kEventTypesMax; ++type) {
    const bool wanted = (needs.types.contains(type) && !event_name(type).starts_with("TRELLIS_")) || cache.wants(type);
    changed = filter.wanted[type].exchange(wanted) != wanted || changed;
  }
  if (changed) {
    const auto told = std::make_shared<std::promise<void>>();
    {
      std::lock_guard lock(lines_mutex);
      for (const Line& line : lines)
        if (line.shard) boost::asio::post(io, [shard = line.shard.get()] { shard->filter_changed(); });
    }
    boost::asio::post(io, [told] { told->set_value(); });
    told->get_future().wait_for(kShardPatience);
  }
  say_which_intents_are_missing();
  registrar->changed();
}

void Host::Impl::say_which_intents_are_missing() const {
  std::uint64_t missing = 0;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) {
      const std::uint64_t has = line.shard->stats().intents;
      if (has != 0) missing |= filter.intents & ~has;
    }
  }
  if (missing != 0)
    log_warn("host",
             fmt::format("plugins need intents that the running session does not have, and miss their events until the "
                         "next one; `trellis ctl gateway reidentify`, or a start with --reidentify, begins one at "
                         "once: {}",
                         kCostOfASession),
             {{"intents", fmt::format("{}", fmt::join(intent_names(missing), " "))}});
}

/// The store may know of a session that this log does not: the log was lost, or it is of a host that ran long ago. Then
/// the log goes on where the plugins stand. True: that session cannot be resumed, and none of the log's may be.
bool Host::Impl::go_on_from_store(Journal& journal) {
  const Stream stream = journal.stream();
  const auto session = host_namespace->session(stream);
  std::vector<Standing> standings;
  enabled->standings(stream, standings);
  std::uint32_t epoch = session ? session->epoch : 0;
  for (const Standing& plugin : standings) epoch = std::max(epoch, plugin.committed.position.epoch());
  epoch_floor = std::max(epoch_floor.load(), epoch);
  if (epoch <= journal.last().epoch()) return false;
  std::int64_t newest_us = 0;
  Position from;
  for (const Standing& plugin : standings) newest_us = std::max(newest_us, plugin.committed.handled_us);
  for (const Standing& plugin : standings) {
    const StoredPosition& at = plugin.committed;
    if (newest_us - at.handled_us > kFarBehindUs) continue;
    // One that has committed nothing of this session yet: all of it, behind its READY.
    const Position here = std::max(at.position, Position::of(epoch, 1));
    if (from == Position{} || here < from) from = here;
  }
  if (!session || session->epoch != epoch || session->session_id.empty() || from == Position{}) {
    log_warn("journal", "it does not know the last session, which cannot be resumed; a new one follows",
             {{"shard", stream.id}});
    return true;
  }
  const std::string data = session_data(*session);
  journal.go_on_from({.position = Position::of(epoch, 0), .kind = RecordKind::Session, .data = data}, from);
  log_warn("journal", "it does not know the last session; it goes on where the plugins stand",
           {{"shard", stream.id}, {"position", from.text()}});
  return false;
}

/// One stream, of that many of this host: its journal, what the cache knew of it, and its shard, which does not run
/// yet.
void Host::Impl::open_line(Stream stream, std::uint32_t shards, std::uint64_t budget, std::uint64_t max_lag) {
  const auto cuts =
      metrics.family(Metrics::Kind::Counter, "trellis_plugin_cut_loose_total",
                     "How often a plugin was so far behind that the journal was not kept for it.", {"plugin"});
  Line line;
  JournalOptions options;
  options.folder = state->journal(stream.id, stream.count);
  options.segment_bytes = config.journal.segment;
  options.budget_bytes = budget;
  options.keep_us = config.journal.keep.count();
  options.reserve_bytes = config.journal.reserve;
  line.journal = std::make_unique<Journal>(options, stream);
  line.release = std::make_unique<SegmentRelease>(*line.journal, max_lag, [this, cuts](const std::string& plugin) {
    const std::string_view label[] = {plugin};
    metrics.add(cuts, 1, label);
  });
  const bool begin_anew = go_on_from_store(*line.journal);
  std::string why;
  const Position snapshot = cache.load(stream, state->cache(), why);
  if (!why.empty() && line.journal->tail().value != 0)
    log_warn("cache", "the snapshot cannot be used", {{"shard", stream.id}, {"because", why}});
  const auto reader = line.journal->read_after(snapshot);
  while (const Record* record = reader->next())
    if (record->kind == RecordKind::Dispatch) cache.apply(stream, *record);
  ShardOptions shard;
  shard.stream = stream;
  shard.token = config.discord.token;
  shard.begin_anew = begin_anew || begin_all_anew || turn_of(*line.journal).number != Lane::StreamTurn::kLast;
  shard.presence = config.discord.presence.json();
  shard.gateway_url = gateway->url;
  shard.ca_file = config.discord.ca_file.string();
  shard.compression = line.compression = compression_of(config.discord.compress, shards);
  shard.max_payload = config.discord.max_payload;
  shard.identify_permit = [permits = identify_permits, id = stream.id](std::function<bool()> go) {
    permits->ask(id, std::move(go));
  };
  Shard::Hooks hooks;
  hooks.on_session = [this, stream](const Session& session) {
    epoch_floor = std::max(epoch_floor.load(), session.epoch);
    host_namespace->note_session(stream, session);
  };
  hooks.last_epoch = [this] { return std::max(epoch_floor.load(), manager->highest_epoch()); };
  hooks.on_fatal = [this](int code, const std::string& text) { closed_for_good(code, text); };
  hooks.on_unreachable = [permits = identify_permits] { permits->look_again(); };
  hooks.on_application = [this](std::string id) { know_application(std::move(id)); };
  hooks.on_interaction = [this](std::string_view data, std::int64_t received_us, bool behind) {
    interactions->receive(data, received_us, behind);
  };
  line.shard =
      std::make_unique<Shard>(io.get_executor(), std::move(shard), *line.journal, cache, filter, std::move(hooks));
  std::lock_guard lock(lines_mutex);
  lines.push_back(std::move(line));
}

bool Host::Impl::connect_gateway() {
  if (!ask_for_gateway()) return false;
  boost::asio::post(io, [this] { ask_for_application(); });
  ShardRange shards = config.discord.shards;
  if (shards.automatic()) shards = {0, gateway->shards - 1, gateway->shards};
  log_info("discord", "gateway found",
           {{"url", gateway->url},
            {"shards", shards.size() == shards.count
                           ? std::to_string(shards.count)
                           : fmt::format("{} to {} of {}", shards.first, shards.last, shards.count)},
            {"identifies_left", gateway_limits ? std::to_string(gateway_limits->remaining) : "unknown"}});
  if (shards.count < gateway->shards)
    log_warn("discord",
             fmt::format("discord.shards asks for {} shards, Discord recommends {}; it refuses a shard that would have "
                         "more than 2500 servers (close code 4011)",
                         shards.count, gateway->shards));
  // Only bots that Discord has given a number of their own identify several at once.
  if (gateway->max_concurrency > 1 && shards.count % gateway->max_concurrency != 0)
    log_warn("discord",
             fmt::format("discord.shards asks for {} shards; of a bot in more than 150000 servers Discord takes only "
                         "multiples of the number it has assigned to it (close code 4010). It recommends {}.",
                         shards.count, gateway->shards));
  const std::uint64_t budget = config.journal.budget ? config.journal.budget : default_budget(state->path());
  const std::uint64_t max_lag = config.journal.max_lag ? config.journal.max_lag : budget / 2;
  std::filesystem::create_directories(state->cache());
  open_identify_permits(shards.size());
  if (command_line.reidentify) {
    const std::string why_not = why_not_anew(shards.size());
    begin_all_anew = why_not.empty();
    log_warn("host", why_not.empty() ? fmt::format("--reidentify: a new session; {}", kCostOfASession)
                                     : fmt::format("--reidentify is not done: {}", why_not));
  }
  open_old_streams(shards);
  for (std::uint32_t id = shards.first; id <= shards.last; ++id)
    open_line({id, shards.count}, shards.size(), budget / shards.size(), max_lag / shards.size());
  attach_streams();
  scheduler->look_again();  // a snapshot may have made the cache whole
  say_which_intents_are_missing();
  refill_cold_guilds();
  std::lock_guard lock(lines_mutex);
  other_streams = true;
  // All at once: those that resume need not wait, and those that identify ask for leave.
  for (const Line& line : lines) boost::asio::post(io, [shard = line.shard.get()] { shard->start(); });
  if (!gateway_limits) boost::asio::post(io, [permits = identify_permits] { permits->look_again(); });
  return !stop_asked();
}

/// For `trellis ctl gateway reidentify`.
std::string Host::Impl::begin_anew() {
  std::vector<Shard*> shards;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) shards.push_back(line.shard.get());
  }
  if (shards.empty()) throw std::runtime_error("the host is not connected yet");
  if (const std::string why_not = why_not_anew(shards.size()); !why_not.empty())
    throw std::runtime_error("no new sessions: " + why_not);
  log_warn("host", fmt::format("a new session was asked for; {}", kCostOfASession));
  for (std::size_t i = 0; i < shards.size(); ++i) {
    boost::asio::post(io, [shard = shards[i]] { shard->begin_anew(); });
    if ((i + 1) % identify_permits->stats().max_concurrency == 0 && i + 1 < shards.size() &&
        wait_for_stop(kIdentifySpacing))
      break;
  }
  return fmt::format("{} begin{} a new session; {}\n",
                     shards.size() == 1 ? "the shard" : fmt::format("{} shards", shards.size()),
                     shards.size() == 1 ? "s" : "", kCostOfASession);
}

}  // namespace trellis::host

// Snapshots: a stream's guilds with the position they stand at, in one file.
//
// The file: magic, format, length and CRC32C of what follows; then stream, position, whether READY was seen, the guilds
// it named that were not heard of yet, the bot's id, and the guilds. Numbers are little-endian, a text is its length
// and its bytes.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "cache/cache_impl.hpp"
#include "journal/crc32c.hpp"

namespace trellis::host {
namespace {
namespace fs = std::filesystem;

constexpr char kMagic[9] = "TRLSCACH";
constexpr std::uint32_t kFormat = 2;
struct FileHead {
  char magic[8];
  std::uint32_t format;
  std::uint32_t crc;
  std::uint64_t length;
};
static_assert(sizeof(FileHead) == 24);

fs::path file_of(Stream stream, const fs::path& folder) {
  return folder / fmt::format("cache-{}-of-{}.snapshot", stream.id, stream.count);
}

class Writer {
 public:
  template <class T>
    requires std::is_integral_v<T>
  void put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_.append(text);
  }
  std::string& bytes() { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Throws std::out_of_range at the end of the text.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}
  template <class T>
  T get() {
    if (left_.size() < sizeof(T)) throw std::out_of_range("it ends too early");
    T value;
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  bool flag() { return get<std::uint8_t>() != 0; }
  std::string text() {
    const auto size = get<std::uint32_t>();
    if (left_.size() < size) throw std::out_of_range("it ends too early");
    std::string out(left_.substr(0, size));
    left_.remove_prefix(size);
    return out;
  }
  /// A number of things of at least `each` bytes.
  std::size_t count(std::size_t each) {
    const auto value = get<std::uint32_t>();
    if (value > left_.size() / each) throw std::out_of_range("it ends too early");
    return value;
  }
  std::string_view& rest() { return left_; }

 private:
  std::string_view left_;
};

constexpr std::uint8_t flags_of(std::initializer_list<bool> flags) {
  unsigned bits = 0, bit = 1;
  for (const bool flag : flags) {
    if (flag) bits |= bit;
    bit <<= 1;
  }
  return static_cast<std::uint8_t>(bits);
}

void put(Writer& out, const CachedChannel& channel) {
  out.put(channel.id);
  out.put(channel.parent);
  out.put(channel.last_message);
  out.put(channel.type);
  out.put(channel.position);
  out.put(channel.slow_mode_s);
  out.put(static_cast<std::uint8_t>(channel.nsfw));
  out.put(channel.gone.value);
  out.put(channel.name);
  out.put(channel.topic);
  out.put(static_cast<std::uint32_t>(channel.overwrites.size()));
  for (const tl_overwrite& overwrite : channel.overwrites) {
    out.put(overwrite.id);
    out.put(overwrite.allow);
    out.put(overwrite.deny);
    out.put(overwrite.kind);
  }
}

std::shared_ptr<CachedChannel> get_channel(Reader& in, std::uint64_t guild) {
  auto channel = std::make_shared<CachedChannel>();
  channel->guild = guild;
  channel->id = in.get<std::uint64_t>();
  channel->parent = in.get<std::uint64_t>();
  channel->last_message = in.get<std::uint64_t>();
  channel->type = in.get<std::uint32_t>();
  channel->position = in.get<std::int32_t>();
  channel->slow_mode_s = in.get<std::uint32_t>();
  channel->nsfw = in.flag();
  channel->gone = {in.get<std::uint64_t>()};
  channel->name = in.text();
  channel->topic = in.text();
  channel->overwrites.resize(in.count(28));
  for (auto& overwrite : channel->overwrites) {
    overwrite.id = in.get<std::uint64_t>();
    overwrite.allow = in.get<std::uint64_t>();
    overwrite.deny = in.get<std::uint64_t>();
    overwrite.kind = in.get<std::uint32_t>();
  }
  return channel;
}

void put(Writer& out, const CachedRole& role) {
  out.put(role.id);
  out.put(role.permissions);
  out.put(role.color);
  out.put(role.position);
  out.put(flags_of({role.hoist, role.managed, role.mentionable}));
  out.put(role.gone.value);
  out.put(role.name);
}

std::shared_ptr<CachedRole> get_role(Reader& in, std::uint64_t guild) {
  auto role = std::make_shared<CachedRole>();
  role->guild = guild;
  role->id = in.get<std::uint64_t>();
  role->permissions = in.get<std::uint64_t>();
  role->color = in.get<std::uint32_t>();
  role->position = in.get<std::int32_t>();
  const auto flags = in.get<std::uint8_t>();
  role->hoist = flags & 1;
  role->managed = flags & 2;
  role->mentionable = flags & 4;
  role->gone = {in.get<std::uint64_t>()};
  role->name = in.text();
  return role;
}

void put(Writer& out, const CachedSelf& self) {
  out.put(static_cast<std::uint32_t>(self.roles.size()));
  for (const std::uint64_t role : self.roles) out.put(role);
  out.put(self.joined_us);
  out.put(self.premium_since_us);
  out.put(self.timed_out_until_us);
  out.put(self.username);
  out.put(self.global_name);
  out.put(self.nick);
  out.put(self.avatar);
  out.put(flags_of({self.pending, self.deaf, self.mute}));
}

std::shared_ptr<CachedSelf> get_self(Reader& in) {
  auto self = std::make_shared<CachedSelf>();
  self->roles.resize(in.count(8));
  for (auto& role : self->roles) role = in.get<std::uint64_t>();
  self->joined_us = in.get<std::int64_t>();
  self->premium_since_us = in.get<std::int64_t>();
  self->timed_out_until_us = in.get<std::int64_t>();
  self->username = in.text();
  self->global_name = in.text();
  self->nick = in.text();
  self->avatar = in.text();
  const auto flags = in.get<std::uint8_t>();
  self->pending = flags & 1;
  self->deaf = flags & 2;
  self->mute = flags & 4;
  return self;
}

void put(Writer& out, const CachedGuild& guild) {
  out.put(guild.id);
  out.put(guild.owner);
  out.put(guild.system_channel);
  out.put(guild.member_count);
  out.put(guild.mfa_level);
  out.put(guild.verification_level);
  out.put(guild.premium_tier);
  out.put(flags_of({guild.unavailable, guild.cold, guild.voice_states_known, guild.self != nullptr}));
  out.put(guild.gone.value);
  out.put(guild.name);
  out.put(guild.icon);
  if (guild.self) put(out, *guild.self);
  out.put(static_cast<std::uint32_t>(guild.channels->size()));
  for (const auto& channel : *guild.channels) put(out, *channel);
  out.put(static_cast<std::uint32_t>(guild.roles->size()));
  for (const auto& role : *guild.roles) put(out, *role);
  out.put(static_cast<std::uint32_t>(guild.voice_states->size()));
  for (const auto& voice : *guild.voice_states) {
    out.put(voice.user);
    out.put(voice.channel);
    out.put(flags_of({voice.bot, voice.muted, voice.deafened, voice.streaming}));
    out.put(voice.username);
  }
  guild.members->append_to(out.bytes());
}

std::shared_ptr<CachedGuild> get_guild(Reader& in) {
  auto guild = std::make_shared<CachedGuild>();
  guild->id = in.get<std::uint64_t>();
  guild->owner = in.get<std::uint64_t>();
  guild->system_channel = in.get<std::uint64_t>();
  guild->member_count = in.get<std::int64_t>();
  guild->mfa_level = in.get<std::uint32_t>();
  guild->verification_level = in.get<std::uint32_t>();
  guild->premium_tier = in.get<std::uint32_t>();
  const auto guild_flags = in.get<std::uint8_t>();
  guild->unavailable = guild_flags & 1;
  guild->cold = guild_flags & 2;
  guild->voice_states_known = guild_flags & 4;
  guild->gone = {in.get<std::uint64_t>()};
  guild->name = in.text();
  guild->icon = in.text();
  if (guild_flags & 8) guild->self = get_self(in);
  auto channels = std::make_shared<ChannelList>(in.count(57));
  for (auto& slot : *channels) slot = get_channel(in, guild->id);
  auto roles = std::make_shared<RoleList>(in.count(37));
  for (auto& slot : *roles) slot = get_role(in, guild->id);
  auto voice_states = std::make_shared<VoiceList>(in.count(21));
  for (auto& voice : *voice_states) {
    voice.user = in.get<std::uint64_t>();
    voice.channel = in.get<std::uint64_t>();
    const auto flags = in.get<std::uint8_t>();
    voice.bot = flags & 1;
    voice.muted = flags & 2;
    voice.deafened = flags & 4;
    voice.streaming = flags & 8;
    voice.username = in.text();
  }
  guild->members = MemberTable::take_from(in.rest());
  guild->channels = std::move(channels);
  guild->roles = std::move(roles);
  guild->voice_states = std::move(voice_states);
  return guild;
}

void write_aside(const fs::path& path, const FileHead& head, std::string_view body) {
  const fs::path aside = path.string() + ".tmp";
  const auto fail = [&](int fd) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    ::unlink(aside.c_str());
    throw std::system_error(error, std::generic_category(), "cache snapshot " + path.string());
  };
  const int fd = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(fd);
  const auto write_all = [&](const char* from, std::size_t count) {
    while (count > 0) {
      const ssize_t written = ::write(fd, from, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail(fd);
      from += written;
      count -= static_cast<std::size_t>(written);
    }
  };
  write_all(reinterpret_cast<const char*>(&head), sizeof head);
  write_all(body.data(), body.size());
  if (::fsync(fd) != 0) fail(fd);
  ::close(fd);
  if (::rename(aside.c_str(), path.c_str()) != 0) fail(-1);
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

}  // namespace

void Cache::Impl::save(Stream stream, const fs::path& folder) {
  StreamState& from = state(stream);
  std::vector<GuildPtr> guilds;
  std::vector<std::uint64_t> expected;
  std::uint64_t position = 0;
  bool was_ready = false;
  {
    // The shard waits while the pointers are copied, not while they are written.
    std::lock_guard lock(writing);
    position = from.applied.load();
    was_ready = from.ready;
    expected.assign(from.expected.begin(), from.expected.end());
    for (auto& stripe : stripes) {
      std::lock_guard one(stripe.mutex);
      for (const auto& [id, slot] : stripe.guilds) {
        if (slot.stream == stream) guilds.push_back(slot.guild);
      }
    }
  }
  std::sort(guilds.begin(), guilds.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  Writer out;
  out.put(stream.id);
  out.put(stream.count);
  out.put(position);
  out.put(static_cast<std::uint8_t>(was_ready));
  out.put(static_cast<std::uint32_t>(expected.size()));
  for (std::uint64_t id : expected) out.put(id);
  out.put(self.load());
  out.put(static_cast<std::uint32_t>(guilds.size()));
  for (const auto& guild : guilds) put(out, *guild);
  const std::string body = out.take();

  FileHead head{};
  std::memcpy(head.magic, kMagic, sizeof head.magic);
  head.format = kFormat;
  head.length = body.size();
  head.crc = crc32c(0, body.data(), body.size());
  write_aside(file_of(stream, folder), head, body);
}

Position Cache::Impl::load(Stream stream, const fs::path& folder, std::string& why) {
  const fs::path path = file_of(stream, folder);
  const auto refuse = [&](std::string_view reason) {
    why = fmt::format("{}: {}", path.string(), reason);
    return Position{};
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse("there is no snapshot");
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  FileHead head{};
  if (bytes.size() < sizeof head) return refuse("it is damaged (too short)");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::memcmp(head.magic, kMagic, sizeof head.magic) != 0) return refuse("it is no cache snapshot");
  if (head.format != kFormat) {
    return refuse(fmt::format("its format is {}, this program knows {}", head.format, kFormat));
  }
  const std::string_view body = std::string_view(bytes).substr(sizeof head);
  if (head.length != body.size() || head.crc != crc32c(0, body.data(), body.size())) {
    return refuse("it is damaged (checksum)");
  }
  Position position;
  bool was_ready = false;
  std::uint64_t bot = 0;
  std::vector<std::uint64_t> expected;
  std::vector<std::shared_ptr<CachedGuild>> guilds;
  try {
    Reader in(body);
    Stream of;
    of.id = in.get<std::uint32_t>();
    of.count = in.get<std::uint32_t>();
    if (of != stream) return refuse(fmt::format("it is of shard {} of {}", of.id, of.count));
    position = {in.get<std::uint64_t>()};
    was_ready = in.flag();
    expected.resize(in.count(8));
    for (auto& id : expected) id = in.get<std::uint64_t>();
    bot = in.get<std::uint64_t>();
    guilds.resize(in.count(77));
    for (auto& guild : guilds) guild = get_guild(in);
  } catch (const std::out_of_range& e) {
    return refuse(fmt::format("it is damaged ({})", e.what()));
  }
  if (position == Position{}) return refuse("it is empty");

  StreamState& into = state(stream);
  std::lock_guard lock(writing);
  into.gone.clear();
  for (auto& guild : guilds) {
    if (!keep_voice_states) {
      guild->voice_states = std::make_shared<const VoiceList>();
      guild->voice_states_known = false;
    }
    guild->members = MemberTable::only(guild->members, keep_members, keep_presences);
    if (guild->gone != Position{}) into.gone.push_back({guild->gone, guild->id});
    for (const auto& channel : *guild->channels) {
      if (channel->gone != Position{}) into.gone.push_back({channel->gone, guild->id});
      publish(channel);
    }
    for (const auto& role : *guild->roles) {
      if (role->gone != Position{}) into.gone.push_back({role->gone, guild->id});
      publish(role);
    }
    publish(std::move(guild), stream);
  }
  std::sort(into.gone.begin(), into.gone.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  if (bot) self.store(bot);
  into.expected.clear();
  into.expected.insert(expected.begin(), expected.end());
  into.ready = was_ready;
  into.whole.store(was_ready && expected.empty());
  into.applied.store(position.value);
  return position;
}

}  // namespace trellis::host

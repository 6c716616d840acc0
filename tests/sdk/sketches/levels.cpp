// Rows read and changed, SQL in the transaction, commands with choices and autocomplete, a typed method: compiled only.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

inline constexpr Method<std::int64_t(GuildId, UserId)> kLevelOf{"levels", "level_of"};

struct Member {
  GuildId guild_id;
  UserId user_id;
  std::int64_t xp = 0, level = 1;
  std::optional<Time> last_message_time{};
  RoleId last_role;
  static constexpr auto columns =
      trellis::columns(key<&Member::guild_id, &Member::user_id>,
                       column<&Member::xp, &Member::level, &Member::last_message_time, &Member::last_role>);
};
struct Unlocked {
  GuildId guild_id;
  UserId user_id;
  std::int64_t achievement_id = 0;
  Time completed_at;
  static constexpr auto columns = trellis::columns(
      key<&Unlocked::guild_id, &Unlocked::user_id, &Unlocked::achievement_id>, first<&Unlocked::completed_at>);
};

class Levels final : public Plugin {
 public:
  explicit Levels(Setup& setup)
      : members_(setup.table<Member>("levels")), unlocked_(setup.table<Unlocked>("unlocked")) {
    setup.on(this, &Levels::message).guilds_only().no_bots();
    setup.on([this](const MessageReactionAdd& event, Work& work) {
      members_.edit(work, event.guild_id(), event.user_id()).xp += 1;
    });
    setup.job("reset", cron("0 * * * *"), this, &Levels::reset).run_missed();
    setup.command("rank", "A rank card", this, &Levels::rank, param("member", "Whose")).guilds_only().limit(5, 60s);
    setup.command("xp", "Settings", this, &Levels::set_xp, param("min").min(1).max(100), param("cooldown").min(5))
        .needs(Permission::Administrator | Permission::ManageGuild);
    setup.command("quest", "A quest", this, &Levels::quest, param("type").choices({"a", "b"}),
                  param("name").suggest(this, &Levels::suggest));
    setup.method(kLevelOf, this, &Levels::level_of, param("guild"), param("user"));
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    Member& member = members_.edit(work, message.guild_id(), message.author().id);
    if (member.last_message_time && message.time() - *member.last_message_time < 60s) return;
    member.last_message_time = message.time();
    member.xp += work.random().between(10, 20);
    if (unlocked_.find(work, member.guild_id, member.user_id, std::int64_t{1})) return;
    unlocked_.put(work, {member.guild_id, member.user_id, 1, work.now()});
    if (const auto role = work.sql<RoleId>("SELECT role_id FROM roles WHERE guild_id = $1 AND level = $2",
                                           member.guild_id, member.level)
                              .first()) {
      work.send(discord::add_role(member.guild_id, member.user_id, *role, "Level up"));
      member.last_role = *role;
    }
    if (const auto server = work.cache().guild(member.guild_id))
      work.send(discord::create_message(server->system_channel_id, Message().embed(Embed().title("Level Up!"))));
  }
  void reset(JobRun& run) {
    for (GuildId guild : run.guilds()) {
      run.execute("UPDATE quests SET active = false WHERE guild_id = $1", guild);
      run.commit();
    }
  }
  Message rank(Command& command, std::optional<UserId> of) {
    const UserId user = of.value_or(command.user().id);
    const auto row =
        command.query<std::int64_t, std::int64_t>("SELECT level, xp FROM levels WHERE user_id = $1", user).first();
    if (!row) return "No XP yet.";
    const std::string avatar = command.call(discord::avatar(command.user()));
    return Message().file("rank.png", command.outside([&avatar] { return avatar + "!"; }));
  }
  Answer set_xp(Command& command, int min, std::optional<int> cooldown) {
    if (!command.may(Permission::ManageGuild)) throw Refused("No.");
    command.kv().set("min", min);
    if (cooldown) command.kv().set("cooldown", *cooldown);
    return "Saved.";
  }
  void quest(Command&, std::string_view, std::string) {}
  std::vector<Suggestion> suggest(Typing& typing) { return {{std::string(typing.typed()), 1}}; }
  std::int64_t level_of(Request& request, GuildId guild, UserId user) {
    const Member* member = members_.find(request, guild, user);
    return member ? member->level : 0;
  }

  Table<Member> members_;
  Table<Unlocked> unlocked_;
};

}  // namespace

TRELLIS_PLUGIN(Levels, "levels", "1.0.0", "economy >= 1.2")

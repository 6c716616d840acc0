// Commands of every kind, in builds that differ: QUEST_TEXT is the description of one, QUEST_WRONG breaks it.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Quests final : public Plugin {
 public:
  explicit Quests(Setup& setup) {
    setup.command_group("quest", "Quests of this server").localized("de", "aufgabe", "Aufgaben dieses Servers");
    setup
        .command(
            "quest add", QUEST_TEXT, this, &Quests::add, param("name", "What to do").max(100),
            param("size", "How much work it is").choices({{"A little", 1}, Choice("A lot", 9).localized("de", "Viel")}),
            param("reward", "What one gets for it").min(0.5).max(99.5),
            param("where", "Where to do it").channels({ChannelType::Text}), param("whom", "Who does it"),
            param("role", "Whose quest it is"), param("either", "Anybody"), param("photo", "How it looks"),
            param("due", "Until when"), param("like", "One like it").suggest(this, &Quests::like))
        .guilds_only()
        .needs(Permission::ManageGuild);
    setup.command("quest list", "All of them", this, &Quests::list, param("all", "Those that are done, too"));
    setup.command("quest admin reset", "Begins anew", this, &Quests::reset)
        .needs(Permission::ManageGuild | Permission::ManageRoles);
    setup.user_command("Give a quest", this, &Quests::give).localized("de", "Gib eine Aufgabe");
    setup.message_command("Make it a quest", [](MessageCommand&) { return "made"; }).guilds_only();
#ifdef QUEST_WRONG
    setup.command("Quest-Log", "", [](Command&) { return "none"; });
#endif
  }

 private:
  Answer add(Command&, std::string, int, double, std::optional<ChannelId>, std::optional<UserId>, std::optional<RoleId>,
             std::optional<MentionableId>, std::optional<Attachment>, std::optional<Day>, std::optional<std::string>) {
    return "added";
  }
  std::vector<Suggestion> like(Typing&) { return {{"Sweep the floor", "sweep"}}; }
  Answer list(Command&, std::optional<bool>) { return "none"; }
  Answer reset(Command&) { return "reset"; }
  Answer give(UserCommand& command) { return std::string(command.target().username); }
};

}  // namespace

TRELLIS_PLUGIN(Quests, "quests", "1.0.0")

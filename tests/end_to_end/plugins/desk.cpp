// Somebody to talk to: commands, buttons, selects and forms of every kind, and all the ways in which they can end.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <trellis/plugin.hpp>

using namespace trellis;
using namespace std::chrono_literals;

namespace {

struct Visit {
  std::string name;
  std::int64_t count = 0;
  static constexpr auto columns = trellis::columns(key<&Visit::name>, sum<&Visit::count>);
};

class Desk final : public Plugin {
 public:
  explicit Desk(Setup& setup) {
    visits_ = setup.table<Visit>("visits");
    more_ = setup.component("more", this, &Desk::more);
    change_ = setup.component("change", this, &Desk::change);
    quiet_ = setup.component("quiet", this, &Desk::quiet);
    setup.component("pick", this, &Desk::pick);
    ask_ = setup.component("ask", this, &Desk::ask);
    order_ = setup.form("order", "An order", this, &Desk::ordered, param("dish", "Which dish").min(3).max(20),
                        param("count", "How many").min(1).max(9), param("notes", "Anything else?").paragraph());
    report_ = setup.form("report", "A report", this, &Desk::reported, param("whom", "Who it is about"),
                         param("where", "In which channel").channels({ChannelType::Text, ChannelType::News}),
                         param("sure", "I am sure"), param("proof", "A picture"),
                         param("kind", "What it is").choices({{"Spam", 1}, {"Rudeness", 2}}));
    setup.command("report", "Opens a form with everything that is not a text", this, &Desk::report);
    setup.command("every", "Options of every type", this, &Desk::every, param("text"), param("whole").min(1).max(10),
                  param("real"), param("yes"), param("user"), param("channel"), param("role"), param("file"));
    setup.command("book room", "A subcommand", this, &Desk::room, param("seats").min(1).max(8));
    setup.command("book table add", "A subcommand in a group", this, &Desk::table);
    setup.command("find", "With suggestions", this, &Desk::find, param("what").suggest(this, &Desk::suggest));
    setup.command("card", "A card with buttons", this, &Desk::card);
    setup.command("order", "Opens a form", this, &Desk::order, param("table"));
    setup.command("secret", "Only for who asks", this, &Desk::secret, param("ms")).ephemeral();
    setup.command("slow", "Takes its time", this, &Desk::slow, param("ms"));
    setup.command("progress", "Says how far it is", this, &Desk::progress);
    setup.command("chatty", "Says more and more", this, &Desk::chatty, param("times"));
    setup.command("file", "With a file", this, &Desk::file);
    setup.command("broken", "Throws", this, &Desk::broken);
    setup.command("refuse", "Refuses", this, &Desk::refuse, param("ms"));
    setup.command("silent", "Answers with nothing", this, &Desk::silent);
    setup.command("late_form", "Opens a form too late", this, &Desk::late_form);
    setup.command("wrong", "Answers with what Discord refuses", this, &Desk::wrong);
    setup.command("stuck", "Does not wait, and does not end", this, &Desk::stuck, param("until"));
    setup.command("here", "In servers", this, &Desk::silent).guilds_only();
    setup.command("ban", "Needs a permission", this, &Desk::silent).needs(Permission::BanMembers);
    setup.command("owners", "For owners", this, &Desk::silent).owners_only();
    setup.command("rare", "Twice an hour", this, &Desk::silent).limit(2, 1h);
    setup.user_command("Greet", this, &Desk::greet);
    setup.message_command("Quote", this, &Desk::quote);
    setup.method("post", this, &Desk::post, param("channel"));
    setup.method("suggested", this, &Desk::suggested);
    setup.method("visits", this, &Desk::visits, param("name"));
  }

 private:
  void visit(Work& work, std::string_view name) { visits_.put(work, {std::string(name), 1}); }

  std::string every(Command& command, std::string text, int whole, double real, bool yes, UserId user,
                    std::optional<ChannelId> channel, std::optional<RoleId> role, std::optional<Attachment> file) {
    visit(command, "every");
    return text + "|" + std::to_string(whole) + "|" + std::to_string(real) + "|" + (yes ? "yes" : "no") + "|" +
           user.text() + "|" + (channel ? channel->text() : "-") + "|" + (role ? role->text() : "-") + "|" +
           (file ? std::string(file->filename) + " " + std::to_string(file->size) : "-");
  }

  std::string room(Command&, int seats) { return "A room for " + std::to_string(seats); }
  std::string table(Command&) { return "A table"; }

  std::string find(Command&, std::string what) { return "Found " + what; }
  std::vector<Suggestion> suggest(Typing& typing) {
    ++suggested_;
    if (typing.typed() == "fail") throw std::runtime_error("no suggestions today");
    if (typing.typed() == "slow") typing.sleep(20s);
    std::vector<Suggestion> found;
    for (int i = 0; i < 40; ++i) found.push_back({std::string(typing.typed()) + std::to_string(i), Json(i)});
    return found;
  }

  Message card(Command&) { return full_card("A card"); }
  Message full_card(const std::string& text) const {
    return Message(text)
        .button("More", more_, "a:b")
        .button("Change", change_, "1")
        .button("Quiet", quiet_)
        .button("Ask", ask_, "7");
  }
  std::string more(Interaction& press) {
    visit(press, "more");
    return "More of " + std::string(press.data());
  }
  Answer change(Interaction& press) { return Answer::update(full_card("Changed by " + std::string(press.data()))); }
  void quiet(Interaction& press) { visit(press, "quiet"); }
  std::string pick(Interaction& select) {
    std::string picked = "Picked";
    for (JsonView value : select.json()["data"]["values"]) picked += " " + std::string(value.text());
    return picked + " for " + std::string(select.data());
  }
  Answer ask(Interaction& press) { return order_.open(press.data()); }

  Answer order(Command&, std::string table) { return order_.open(table); }
  std::string ordered(Interaction& form, std::string dish, int count, std::optional<std::string> notes) {
    visit(form, "ordered");
    return std::to_string(count) + " " + dish + " to " + std::string(form.data()) + " (" + notes.value_or("-") + ")";
  }
  Answer report(Command&) { return report_.open("4"); }
  std::string reported(Interaction& form, MentionableId whom, std::optional<ChannelId> where, bool sure,
                       std::optional<Attachment> proof, int kind) {
    visit(form, "reported");
    return whom.text() + "|" + (where ? where->text() : "-") + "|" + (sure ? "sure" : "unsure") + "|" +
           (proof ? std::string(proof->filename) + " " + std::to_string(proof->size) : "-") + "|" +
           std::to_string(kind);
  }
  Answer late_form(Command& command) {
    command.sleep(3500ms);
    visit(command, "late_form");
    return order_.open("1");
  }

  std::string secret(Command& command, std::optional<int> ms) {
    if (ms) command.sleep(std::chrono::milliseconds(*ms));
    return "For your eyes only";
  }
  std::string slow(Command& command, int ms) {
    visit(command, "slow begins");
    command.sleep(std::chrono::milliseconds(ms));
    visit(command, "slow ends");
    return "At last";
  }
  std::string progress(Command& command) {
    command.reply("1 of 2");
    command.reply("2 of 2");
    command.follow_up("By the way");
    return "Done with it";
  }
  std::string chatty(Command& command, int times) {
    command.reply("There is more to say");
    for (int i = 0; i < times; ++i) command.follow_up(std::to_string(i));
    return "That was all";
  }
  Message file(Command&) { return Message("See the file").file("hello.txt", "Hello, file", "text/plain"); }
  std::string broken(Command& command) {
    visit(command, "broken");
    throw std::runtime_error("the coffee machine is on fire");
  }
  std::string refuse(Command& command, std::optional<int> ms) {
    if (ms) command.sleep(std::chrono::milliseconds(*ms));
    throw Refused("We are closed.");
  }
  void silent(Command& command) { visit(command, "silent"); }
  /// Two buttons that Discord cannot tell apart.
  Message wrong(Command&) { return Message("Wrong").button("One", more_, "1").button("Two", more_, "1"); }
  /// Until the file is there. "<until>.begun" tells that it runs.
  std::string stuck(Command& command, std::string until) {
    visit(command, "stuck");
    std::ofstream(until + ".begun") << "begun";
    while (!std::filesystem::exists(until)) std::this_thread::sleep_for(20ms);
    return "Free again";
  }

  std::string greet(UserCommand& command) {
    return "Hello " + std::string(command.target().username) + (command.target_member() ? ", member" : "");
  }
  std::string quote(MessageCommand& command) {
    return "> " + std::string(command.target().content()) + " (" + command.target().id().text() + ")";
  }

  Json post(Request& request, ChannelId channel) {
    request.send(discord::create_message(channel, full_card("Posted")));
    return Json(true);
  }
  Json visits(Request& request, std::string name) {
    const Visit* visit = visits_.find(request, name);
    return Json(visit ? visit->count : 0);
  }

  /// How often suggestions were asked for.
  Json suggested(Request&) { return Json(suggested_.load()); }

  Table<Visit> visits_;
  Component more_, change_, quiet_, ask_;
  Form order_, report_;
  std::atomic<std::int64_t> suggested_ = 0;
};

}  // namespace

TRELLIS_PLUGIN(Desk, "desk", "1.0.0")

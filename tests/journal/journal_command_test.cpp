// What `trellis journal` prints, on sound and on damaged journals, and while one is written.
#include "admin/journal_command.hpp"

#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <sstream>
#include <thread>

#include "admin/command_line.hpp"
#include "journal/format.hpp"
#include "journal_fixture.hpp"

namespace trellis::host {
namespace {
using namespace journal_testing;
using namespace journal_format;
namespace fs = std::filesystem;
namespace json = boost::json;
using What = JournalCommand::What;

class CommandTest : public JournalTest {
 protected:
  CommandTest() { options_.folder = root_ / "journal" / "0-of-1"; }

  struct Printed {
    int exit_code = 0;
    std::string text;
    std::vector<json::object> lines() const {
      std::vector<json::object> all;
      std::istringstream in(text);
      for (std::string line; std::getline(in, line);) all.push_back(json::parse(line).as_object());
      return all;
    }
  };
  Printed run(JournalCommand command) {
    std::ostringstream out;
    const int code = run_journal_command(command, root_, out);
    return {code, out.str()};
  }
  Printed verify() { return run({.what = What::Verify}); }

  void flip(const fs::path& path, std::uint64_t offset) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 0x10));
  }
  std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Where records of a segment begin; the last is where they end.
  std::vector<std::uint64_t> borders(const fs::path& path) {
    const std::string bytes = read(path);
    SegmentHead segment;
    std::memcpy(&segment, bytes.data(), sizeof segment);
    std::vector<std::uint64_t> all{sizeof(SegmentHead)};
    RecordHead head;
    while (look(bytes.data(), all.back(), bytes.size(), true, segment.generation, head) == Found::Record) {
      all.push_back(all.back() + journal_format::bytes_of(head));
    }
    return all;
  }
};

TEST_F(CommandTest, Stat) {
  auto journal = open();
  ASSERT_TRUE(journal->append(session(7, R"({"session_id":"s","resume_url":"u"})")));
  ASSERT_TRUE(journal->append(filter(R"(["MESSAGE_CREATE"])")));
  fill(*journal, 7, 1, 400);
  ASSERT_TRUE(journal->append(skip(Position::of(7, 500))));
  ASSERT_FALSE(journal->flush());
  const auto printed = run({.what = What::Stat});
  EXPECT_EQ(printed.exit_code, 0);
  for (const char* part : {"shard 0/1: ", "segments    3, 192 KiB on disk",
                           "records     403: dispatches 400, skips 1, sessions 1, filters 1, caught up 0",
                           "oldest      7:0 2023-11-14T22:13:20.100001Z",
                           "newest      7:500 2023-11-14T22:13:20.100400Z", "session     7 ", "unreadable  0\n"}) {
    EXPECT_NE(printed.text.find(part), std::string::npos) << part << "\n" << printed.text;
  }
}

TEST_F(CommandTest, CatPrintsLinesOfJson) {
  auto journal = open();
  const std::string data = "{\"content\":\"h\xc3\xa9llo\",\n \"n\":18446744073709551615}";
  Record full = dispatch(Position::of(5, 3), data);
  full.guild = 18'446'744'073'709'551'615u;
  ASSERT_TRUE(journal->append(session(5, R"({"session_id":"s","resume_url":"u"})")));
  ASSERT_TRUE(journal->append(full));
  ASSERT_TRUE(journal->append(dispatch(Position::of(5, 4), "not \"json\" \xff\n", "INVENTED")));
  Record bare = dispatch(Position::of(5, 5), "", "GUILD_DELETE");
  bare.guild = bare.channel = bare.user = bare.id = 0;
  bare.received_us = 0;
  bare.flags = kRecordBot | kRecordMalformed;
  ASSERT_TRUE(journal->append(bare));
  ASSERT_TRUE(journal->append(skip(Position::of(5, 900))));
  ASSERT_FALSE(journal->flush());

  const auto lines = run({.what = What::Cat}).lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(json::serialize(lines[0]),
            R"({"position":"5:3","epoch":5,"seq":3,"type":"MESSAGE_CREATE","time":"2023-11-14T22:13:20.100003Z",)"
            R"("guild":"18446744073709551615","channel":"107374182417","user":"150323855384","id":"236223201317",)"
            "\"flags\":[\"bot\"],\"d\":{\"content\":\"h\xc3\xa9llo\",\"n\":18446744073709551615}}");
  EXPECT_EQ(lines[1].at("type"), "INVENTED");
  EXPECT_EQ(lines[1].at("d"), "not \"json\" \xef\xbf\xbd\n");
  EXPECT_EQ(json::serialize(lines[2]),
            R"({"position":"5:5","epoch":5,"seq":5,"type":"GUILD_DELETE","time":null,"guild":null,"channel":null,)"
            R"("user":null,"id":null,"flags":["bot","malformed"],"d":null})");
  const auto all = run({.what = What::Cat, .all = true}).lines();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].at("type"), "TRELLIS_SESSION");
  EXPECT_EQ(all[0].at("d").as_object().at("session_id"), "s");
  EXPECT_EQ(all[4].at("type"), "TRELLIS_SKIP");
  EXPECT_EQ(all[4].at("position"), "5:900");
}

TEST_F(CommandTest, CatChooses) {
  auto journal = open();
  fill(*journal, 2, 1, 900);
  EXPECT_EQ(run({.what = What::Cat}).lines().size(), 900u);
  const auto from = run({.what = What::Cat, .from = *parse_position("2:700")}).lines();
  ASSERT_EQ(from.size(), 201u);
  EXPECT_EQ(from.front().at("seq"), 700);
  const auto typed = run({.what = What::Cat, .types = {"TYPING_START", "MESSAGE_CREATE"}, .limit = 10}).lines();
  ASSERT_EQ(typed.size(), 10u);
  for (const auto& line : typed) EXPECT_NE(line.at("type"), "A_NEW_ONE_OF_DISCORDS");
  const auto guild = dispatch(Position::of(2, 33), "").guild;
  const auto one = run({.what = What::Cat, .guild = guild}).lines();
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].at("seq"), 33);
  EXPECT_EQ(run({.what = What::Cat, .limit = 0}).text, "");
  EXPECT_EQ(run({.what = What::Cat, .from = *parse_position("3")}).text, "");
}

TEST_F(CommandTest, SeveralShards) {
  for (std::uint32_t id = 0; id < 12; ++id) {
    options_.folder = root_ / "journal" / (std::to_string(id) + "-of-12");
    auto journal = open(Stream{id, 12});
    fill(*journal, 1, 1, 2);
  }
  const auto lines = run({.what = What::Cat}).lines();
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_EQ(lines[23].at("shard"), 11);
  const auto one = run({.what = What::Cat, .shard = 10}).lines();
  ASSERT_EQ(one.size(), 2u);
  EXPECT_FALSE(one[0].contains("shard"));
  EXPECT_THROW(run({.what = What::Stat, .shard = 12}), std::runtime_error);
}

TEST_F(CommandTest, WhatIsNotThereIsSaid) {
  const auto refusal = [&]() -> std::string {
    try {
      verify();
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(refusal().find("has no journal: no host has run with it so far"), std::string::npos) << refusal();
  root_ /= "nowhere";
  EXPECT_NE(refusal().find("there is no state directory"), std::string::npos) << refusal();
}

TEST_F(CommandTest, VerifyFindsEveryFlippedByte) {
  {
    auto journal = open();
    fill(*journal, 1, 1, 500);
  }
  const auto sound = verify();
  EXPECT_EQ(sound.exit_code, 0) << sound.text;
  EXPECT_EQ(sound.text, "shard 0/1: 3 segments, 500 records, 0 bad\n");
  const auto files = segment_files(options_.folder);
  ASSERT_EQ(files.size(), 3u);
  int flipped = 0;
  for (const auto& path : files) {
    const auto at = borders(path);
    ASSERT_GT(at.size(), 10u);
    for (std::size_t record : {std::size_t{0}, at.size() / 2, at.size() - 2}) {
      for (std::uint64_t within : {0, 2, 4, 9, 16, 40, 73}) {  // length, crc, position, kind, ids, data
        const std::uint64_t offset = at[record] + within;
        flip(path, offset);
        const auto bad = verify();
        EXPECT_EQ(bad.exit_code, 1) << path << " " << offset;
        EXPECT_NE(bad.text.find(path.string() + ": offset " + std::to_string(at[record]) + ": "), std::string::npos)
            << "flipped " << offset << ":\n"
            << bad.text;
        flip(path, offset);
        ++flipped;
      }
    }
    flip(path, 30);  // the head
    EXPECT_EQ(verify().exit_code, 1);
    flip(path, 30);
  }
  EXPECT_EQ(flipped, 63);
  EXPECT_EQ(verify().exit_code, 0);
}

TEST_F(CommandTest, VerifySaysWhatFollows) {
  {
    auto journal = open();
    fill(*journal, 1, 1, 400);
  }
  const auto files = segment_files(options_.folder);
  ASSERT_EQ(files.size(), 3u);
  const auto at = borders(files[1]);
  flip(files[1], at[20] + 90);
  auto bad = verify();
  EXPECT_NE(bad.text.find("; readable records go on at offset " + std::to_string(at[21])), std::string::npos)
      << bad.text;
  EXPECT_NE(bad.text.find("3 segments, 399 records, 1 bad"), std::string::npos) << bad.text;
  EXPECT_NE(run({.what = What::Stat}).text.find("unreadable  1: trellis journal verify says where"), std::string::npos);
  try {
    run({.what = What::Cat});
    FAIL() << "says nothing of the record that it cannot print";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("records are missing"), std::string::npos);
  }
  flip(files[1], at[20] + 90);

  fs::rename(files[1], root_ / "away");
  bad = verify();
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_NE(bad.text.find("but the segment before ends with"), std::string::npos) << bad.text;
  fs::rename(root_ / "away", files[1]);

  fs::resize_file(files[1], at[30]);
  bad = verify();
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_NE(bad.text.find("the file ends here"), std::string::npos) << bad.text;
}

TEST_F(CommandTest, RecycledSegmentsAreSound) {
  std::uint32_t last = 0;
  auto journal = open();
  for (int round = 0; round < 20; ++round) {
    fill(*journal, 1, last + 1, last + 100);
    last += 100;
    journal->release(Position::of(1, last));
    ASSERT_FALSE(journal->sync());
    const auto sound = verify();
    ASSERT_EQ(sound.exit_code, 0) << sound.text;
  }
  ASSERT_GT(journal->stats().segments_recycled, 3u);
  journal.reset();
  const auto files = segment_files(options_.folder);
  const auto at = borders(files.back());
  flip(files.back(), at[2] + 80);
  EXPECT_EQ(verify().exit_code, 1);
}

TEST_F(CommandTest, WhileItIsWritten) {
  auto journal = open();
  fill(*journal, 1, 1, 10);
  std::atomic<bool> done = false;
  std::uint32_t seq = 10;
  std::jthread writer([&](std::stop_token stop) {
    while (!done && !stop.stop_requested()) {
      for (int i = 0; i < 9; ++i) {
        const Position at = Position::of(1, ++seq);
        journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3]));
      }
      ASSERT_FALSE(journal->flush());
      if (seq % 450 == 10) {
        journal->release(Position::of(1, seq - std::min(seq, 600u)));
        journal->sync();
      }
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  std::uint64_t printed = 0;
  for (int round = 0; (round < 60 || printed <= 1'000) && !HasFailure(); ++round) {
    const auto sound = verify();
    EXPECT_EQ(sound.exit_code, 0) << sound.text;
    std::int64_t before = 0;
    for (const auto& line : run({.what = What::Cat}).lines()) {
      const auto now = line.at("seq").to_number<std::int64_t>();
      ASSERT_GT(now, before);
      before = now;
      ++printed;
    }
  }
  done = true;
  writer.join();
}

TEST_F(CommandTest, Words) {
  const auto parse = [](std::vector<const char*> words) {
    words.insert(words.begin(), "trellis");
    return parse_command_line(static_cast<int>(words.size()), words.data(), nullptr);
  };
  auto i = parse({"journal", "cat", "--state", "s", "--from", "5:7", "--type", "A", "--type=B", "--guild", "9",
                  "--limit=3", "--all", "--shard", "2"});
  EXPECT_EQ(i.command, Invocation::Command::Journal);
  EXPECT_EQ(i.state, "s");
  EXPECT_EQ(i.journal.what, What::Cat);
  EXPECT_EQ(i.journal.from, Position::of(5, 7).value);
  EXPECT_EQ(i.journal.types, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(i.journal.guild, 9u);
  EXPECT_EQ(i.journal.limit, 3u);
  EXPECT_EQ(i.journal.shard, 2u);
  EXPECT_TRUE(i.journal.all);
  EXPECT_EQ(parse({"journal", "verify"}).journal.what, What::Verify);
  EXPECT_EQ(parse({"journal", "stat", "--set", "state.dir=x"}).options.set.size(), 1u);
  EXPECT_NE(parse({"journal", "--help"}).text.find("journal verify"), std::string::npos);
  EXPECT_NE(parse({"journal", "cat", "--help"}).text.find("--from POSITION"), std::string::npos);
  const auto refusal = [&](std::vector<const char*> words) -> std::string {
    try {
      parse(std::move(words));
    } catch (const UsageError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(refusal({"journal", "vreify"}),
            "trellis journal: there is no command vreify; did you mean verify?; see trellis journal --help");
  EXPECT_NE(refusal({"journal"}), "");
  EXPECT_NE(refusal({"journal", "--state", "x", "cat"}).find("options come after it"), std::string::npos);
  EXPECT_EQ(refusal({"journal", "cat", "--form", "1"}),
            "trellis journal cat: there is no option --form; did you mean --from?");
  EXPECT_NE(refusal({"journal", "stat", "--limit", "1"}), "");
  EXPECT_EQ(refusal({"journal", "cat", "--from", "x"}),
            "trellis journal cat: --from needs a position like 1763600000:17, got \"x\"");
  for (const char* bad : {"5:", ":5", "5:7x", "-1", "4294967296", "5:4294967296", "5:7:9"}) {
    EXPECT_NE(refusal({"journal", "cat", "--from", bad}), "") << bad;
  }
  EXPECT_NE(refusal({"journal", "cat", "--limit", "-1"}), "");
  EXPECT_NE(refusal({"journal", "cat", "--all=1"}), "");
}

}  // namespace
}  // namespace trellis::host

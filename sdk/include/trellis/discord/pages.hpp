// Lists that have more than one page, to go through in a loop:
//
//   for (const MessageView& message : discord::all_messages(request, channel, {.after = last, .most = 5000})) …
//
// [yields] at the beginning and where a page ends: what was staged until then is committed, and other handlers of the
// plugin may run in between. An element lives until the next one is asked for. Leaving the loop early asks for no
// more. Throws what request.call() throws. Include <trellis/plugin.hpp>.
#pragma once
#include <functional>
#include <iterator>
#include <trellis/discord.hpp>
#include <trellis/work.hpp>

namespace trellis {

template <class T>
class Pages {
 public:
  /// Asks for the page behind an element; null: for the first.
  using Fetch = std::function<Fetched<List<T>>(const T* last)>;

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Pages* of = nullptr) : of_(of) {}
    const T& operator*() const { return of_->current(); }
    const T* operator->() const { return &of_->current(); }
    Iterator& operator++() { return of_->advance(), *this; }
    void operator++(int) { of_->advance(); }
    bool operator==(std::default_sentinel_t) const { return of_->done_; }

   private:
    Pages* of_;
  };

  /// full: so many are on a page that may be followed by another. backwards: Discord has the last one first.
  Pages(Fetch fetch, std::size_t full, std::size_t most, bool backwards = false)
      : fetch_(std::move(fetch)), full_(full), left_(most), backwards_(backwards) {}
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  /// Once.
  Iterator begin() {
    if (left_ == 0)
      done_ = true;
    else
      turn(nullptr);
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  const T& current() const { return (*page_)[backwards_ ? page_->size() - 1 - at_ : at_]; }
  void advance() {
    if (--left_ == 0) {
      done_ = true;
    } else if (at_ + 1 < page_->size()) {
      ++at_;
    } else if (page_->size() < full_) {
      done_ = true;
    } else {
      turn(&current());
    }
  }
  void turn(const T* last) {
    page_ = fetch_(last);
    at_ = 0;
    done_ = page_->empty();
  }

  Fetch fetch_;
  Fetched<List<T>> page_;
  std::size_t full_, left_, at_ = 0;
  bool backwards_, done_ = false;
};

namespace discord {

struct MessageRange {
  MessageId after = {};     // from the oldest after this one on; else from the newest back
  MessageId before = {};    // back from this one; not together with after
  std::size_t most = 1000;  // so many at most
};
inline Pages<MessageView> all_messages(Request& request, ChannelId channel, MessageRange range = {}) {
  if (range.after && range.before)
    throw Error(Code::Invalid, "all_messages() goes on after a message or back before one");
  const bool forward = static_cast<bool>(range.after);
  const int limit = static_cast<int>(std::clamp<std::size_t>(range.most, 1, 100));
  return Pages<MessageView>(
      [&request, channel, range, forward, limit](const MessageView* last) {
        Page page{.before = range.before, .after = range.after, .limit = limit};
        if (last) (forward ? page.after : page.before) = last->id();
        return request.call(messages(channel, page));
      },
      static_cast<std::size_t>(limit), range.most, forward);
}
/// By rising id. Needs the intent GuildMembers.
inline Pages<MemberView> all_members(Request& request, GuildId guild, std::size_t most = 100'000) {
  const int limit = static_cast<int>(std::clamp<std::size_t>(most, 1, 1000));
  return Pages<MemberView>(
      [&request, guild, limit](const MemberView* last) {
        return request.call(members(guild, last ? last->user().id : UserId{}, limit));
      },
      static_cast<std::size_t>(limit), most);
}
/// By rising id.
inline Pages<BanView> all_bans(Request& request, GuildId guild, std::size_t most = 100'000) {
  const int limit = static_cast<int>(std::clamp<std::size_t>(most, 1, 1000));
  return Pages<BanView>(
      [&request, guild, limit](const BanView* last) {
        return request.call(bans(guild, last ? last->user().id : UserId{}, limit));
      },
      static_cast<std::size_t>(limit), most);
}
/// Who reacted with an emoji, by rising id.
inline Pages<User> all_reactions(Request& request, ChannelId channel, MessageId message, std::string_view emoji,
                                 std::size_t most = 10'000) {
  const int limit = static_cast<int>(std::clamp<std::size_t>(most, 1, 100));
  return Pages<User>(
      [&request, channel, message, emoji = std::string(emoji), limit](const User* last) {
        return request.call(reactions(channel, message, emoji, last ? last->id : UserId{}, limit));
      },
      static_cast<std::size_t>(limit), most);
}
/// The servers the bot is in, by rising id.
inline Pages<Guild> all_own_guilds(Request& request, std::size_t most = 100'000) {
  const int limit = static_cast<int>(std::clamp<std::size_t>(most, 1, 200));
  return Pages<Guild>(
      [&request, limit](const Guild* last) { return request.call(own_guilds(last ? last->id : GuildId{}, limit)); },
      static_cast<std::size_t>(limit), most);
}

}  // namespace discord
}  // namespace trellis

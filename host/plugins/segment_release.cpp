#include "plugins/segment_release.hpp"

#include "log/log.hpp"

namespace trellis::host {

SegmentRelease::SegmentRelease(Journal& journal, std::uint64_t max_lag, std::function<void(const std::string&)> on_cut)
    : journal_(journal), max_lag_(max_lag), on_cut_(std::move(on_cut)) {}

void SegmentRelease::release(const std::vector<Standing>& all) {
  constexpr Position kEnd{~std::uint64_t{0}};
  Position durable = kEnd, kept_durable = kEnd, committed = kEnd, kept_committed = kEnd;
  std::vector<const Standing*> behind;
  bool some_keep_up = false;
  for (const Standing& plugin : all) {
    durable = std::min(durable, plugin.durable);
    committed = std::min(committed, plugin.committed.position);
    // By what is committed: how often that is made durable is not the plugin's fault.
    if (journal_.bytes_after(plugin.committed.position) > max_lag_) {
      behind.push_back(&plugin);
      continue;
    }
    some_keep_up = true;
    kept_durable = std::min(kept_durable, plugin.durable);
    kept_committed = std::min(kept_committed, plugin.committed.position);
  }
  if (some_keep_up) {  // else all are behind: the journal keeps everything, and reading stops when it is full
    durable = kept_durable;
    committed = kept_committed;
  }
  passed_ = committed;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(cut_loose_, [&](const auto& loose) {
      for (const Standing& plugin : all)
        if (plugin.plugin == loose.first) return plugin.committed.position >= loose.second;
      return true;
    });
  }
  const Position oldest = journal_.stats().oldest;
  journal_.release(durable);
  if (!some_keep_up || journal_.stats().oldest == oldest) return;
  for (const Standing* plugin : behind) {
    const Position gone{journal_.stats().oldest.value - 1};
    if (plugin->committed.position >= gone) continue;
    bool news = false;
    {
      std::lock_guard lock(mutex_);
      news = cut_loose_.insert_or_assign(plugin->plugin, gone).second;
    }
    if (news) {
      log_error("plugin " + plugin->plugin,
                "is further behind than journal.max_lag while others are not, so the journal is not kept for it any "
                "more: events it has not handled are lost to it, and it is told which when it reads on",
                {{"stands", plugin->committed.position.text()},
                 {"journal_begins", journal_.stats().oldest.text()},
                 {"shard", journal_.stream().id}});
      if (on_cut_) on_cut_(plugin->plugin);
    }
  }
}

std::set<std::string> SegmentRelease::cut_loose() const {
  std::lock_guard lock(mutex_);
  std::set<std::string> plugins;
  for (const auto& [plugin, position] : cut_loose_) plugins.insert(plugin);
  return plugins;
}

}  // namespace trellis::host

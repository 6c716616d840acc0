#include "crash/history.hpp"

#include <fmt/chrono.h>

#include "log/log.hpp"

namespace trellis::host {

namespace {
constexpr std::size_t kStackLines = 24;
constexpr std::int64_t kForgetAfterUs = 30ll * 24 * 3600 * 1'000'000;
}  // namespace

void CrashHistory::take_in(const CrashReport& report) {
  store_.forget_crashes(report.at_us - kForgetAfterUs);
  if (report.kind == CrashKind::None) {
    log_error("host", "the last run crashed, outside of plugins: " + report.what(), {{"process", report.pid}});
  } else {
    log_error("plugin " + report.plugin, "it crashed the last run: " + report.what(),
              {{"generation", report.generation},
               {"build", report.build},
               {"during", name_of(report.kind)},
               {"process", report.pid}});
  }
  for (std::size_t i = 0; i < std::min(report.stack.size(), kStackLines); ++i)
    log_error("crash", fmt::format("#{} {}", i, report.stack[i]));
  if (report.kind == CrashKind::None) return;

  std::vector<StoredCrash> before;
  for (StoredCrash& crash : store_.crashes())
    if (crash.plugin == report.plugin) before.push_back(std::move(crash));
  const CrashVerdict verdict = judge(before, report);
  if (verdict.what == CrashVerdict::What::Known) return;
  store_.save_crash(verdict.crash, verdict.why_quarantine);
  {
    std::lock_guard lock(mutex_);
    quarantines_ = store_.quarantines();
  }
  const std::string who = "plugin " + report.plugin;
  switch (verdict.what) {
    case CrashVerdict::What::Known:
      break;
    case CrashVerdict::What::Once:
      if (report.kind == CrashKind::Event)
        log_warn(who, "the event is handled once more, alone", {{"position", report.position.text()}});
      if (report.kind == CrashKind::Job) log_warn(who, "the run is tried once more, later", {{"job", report.name}});
      break;
    case CrashVerdict::What::DeadLetter:
      if (report.kind == CrashKind::Job)
        log_error(who, "it crashed in this run again; the run goes to the dead letters", {{"job", report.name}});
      else
        log_error(who, "it crashed on this event again; the event goes to the dead letters",
                  {{"position", report.position.text()}});
      break;
    case CrashVerdict::What::Quarantine:
      log_error(who, "quarantined", {{"because", verdict.why_quarantine}});
      break;
  }
}

std::vector<CrashedEvent> CrashHistory::events(const std::string& plugin) const {
  std::vector<CrashedEvent> list;
  for (const StoredCrash& crash : store_.crashes()) {
    if (crash.plugin != plugin || crash.kind != CrashKind::Event) continue;
    list.push_back(
        {crash.stream, crash.position, crash.count >= 2,
         fmt::format("the plugin crashed the host on it {} times, at last with {}", crash.count, crash.text)});
  }
  return list;
}

std::vector<CrashedRun> CrashHistory::runs(const std::string& plugin) const {
  std::vector<CrashedRun> list;
  for (const StoredCrash& crash : store_.crashes()) {
    if (crash.plugin != plugin || crash.kind != CrashKind::Job) continue;
    list.push_back({crash.name, static_cast<std::int64_t>(crash.position.value), crash.count, crash.last_us,
                    crash.count >= 2,
                    fmt::format("it crashed the host {} times, at last with {}", crash.count, crash.text)});
  }
  return list;
}

std::vector<HostNamespace::Quarantine> CrashHistory::quarantines() const {
  std::lock_guard lock(mutex_);
  return quarantines_;
}

std::optional<HostNamespace::Quarantine> CrashHistory::quarantine(const std::string& plugin) const {
  std::lock_guard lock(mutex_);
  for (const auto& entry : quarantines_)
    if (entry.plugin == plugin) return entry;
  return std::nullopt;
}

bool CrashHistory::release(const std::string& plugin) {
  const bool released = store_.release(plugin);
  std::lock_guard lock(mutex_);
  std::erase_if(quarantines_, [&](const auto& entry) { return entry.plugin == plugin; });
  return released;
}

void CrashHistory::put_back(const HostNamespace::Quarantine& entry) {
  store_.put_back(entry);
  std::lock_guard lock(mutex_);
  quarantines_.push_back(entry);
}

std::string quarantine_text(const HostNamespace::Quarantine& entry) {
  return fmt::format("quarantined since {:%Y-%m-%d %H:%M:%S} UTC: {}; `trellis ctl plugin release {}` lets it back in",
                     fmt::gmtime(static_cast<std::time_t>(entry.since_us / 1'000'000)), entry.why, entry.plugin);
}

}  // namespace trellis::host

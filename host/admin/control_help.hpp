// What `trellis ctl` can be told; known without a host, too.
#pragma once
#include <string_view>

namespace trellis::host {

inline constexpr std::string_view kControlHelp =
    "trellis ctl status [--json]            the host, its shards and plugins\n"
    "trellis ctl plugin list                loaded plugins, a line each\n"
    "trellis ctl plugin status NAME [--json]  one plugin, whole\n"
    "trellis ctl plugin reload NAME         its installed file and its settings replace what runs; no event is missed\n"
    "    --dry-run      everything that can be checked is, and nothing is changed\n"
    "    --stop-first   for a migration that does more than add: the running code stops before it, for good\n"
    "    --force        although this build was rolled back before, its libraries pile up, or a handler hangs\n"
    "trellis ctl plugin rollback NAME       the build that proved itself before replaces what runs; rows stay\n"
    "trellis ctl plugin load NAME           a plugin of plugins.conf that is not loaded\n"
    "trellis ctl plugin unload NAME         until the next start of the host; --force although others need it\n"
    "trellis ctl plugin enable NAME         overrides plugins.conf, also after a restart\n"
    "trellis ctl plugin disable NAME\n"
    "trellis ctl plugin enable|disable NAME --forget   plugins.conf decides again\n"
    "trellis ctl plugin release NAME        ends the quarantine of a plugin that crashed the host, and loads it\n"
    "                                       and what was left out because it needs it\n"
    "trellis ctl gateway [--json]           sessions, heartbeats, IDENTIFYs left, what waits to be sent\n"
    "trellis ctl gateway reidentify         a new session, so that new intents take effect; every plugin gets a Gap\n"
    "trellis ctl call PLUGIN METHOD [JSON]  calls a method with an object of arguments\n"
    "trellis ctl methods PLUGIN             what it can be called with\n"
    "trellis ctl jobs                       schedules and runs\n"
    "trellis ctl dead list [PLUGIN]         events and job runs that failed for good; show PLUGIN ID: one, whole\n"
    "trellis ctl dead retry PLUGIN ID|--all handles them once more; drop PLUGIN ID|--all: gives them up\n"
    "trellis ctl outbox list [PLUGIN]       effects that wait or were given up; --dead, --waiting: only those; --json\n"
    "trellis ctl outbox show PLUGIN ID      one, whole; the beginning of its id will do\n"
    "trellis ctl outbox retry PLUGIN ID|--all delivers what was given up, last in its queue\n"
    "trellis ctl outbox drop PLUGIN ID|--all  forgets it; --all: everything that was given up\n"
    "trellis ctl commands list             what the plugins declare of commands; --json\n"
    "trellis ctl commands diff             what would be changed of that which is registered with Discord; --json\n"
    "trellis ctl commands sync             changes it now; --json\n"
    "trellis ctl metrics                    in Prometheus's text format\n"
    "trellis ctl stop                       ends the host as SIGTERM does\n";

}  // namespace trellis::host

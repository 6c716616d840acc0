/* The Trellis plugin ABI, version 1.0. C11. The only thing that crosses the boundary of a plugin.
 *
 * Versions
 *   Every struct and table starts with its size; members are only ever appended; a released entity never changes. A
 *   reader uses min(size, its own size); what is missing is zero. Kinds, flags and codes that one does not know are
 *   ignored. Tables of functions are found by name and major ("trellis.work/1"); null = this host has no such thing.
 *   Before calling a member that came later than 1.0, ask TL_HAS(table, member).
 *
 * Threads
 *   - [setup] while trellis_plugin_v1 runs, on its thread, and never later.
 *   - [turn] inside a handler, on its thread, with the turn it was given. One thread at a time per plugin: the baton.
 *   - [yields] as [turn], and only in a request (tl_on_request): the baton is handed back while it waits, other
 *     handlers of the plugin may run meanwhile, and it is a commit point: what was staged before it is in the store
 *     afterwards. In an event handler: TL_REFUSED. While the plugin is being stopped: TL_CANCELLED, for ever after.
 *   - [any] from any thread, at any time between trellis_plugin_v1 and destroy.
 *
 * Ownership
 *   - tl_str is borrowed and not NUL-terminated; its bytes are UTF-8 unless said otherwise. In arguments it lives
 *     until the function returns.
 *   - What a handler was given (tl_event, tl_request) lives until the handler returns.
 *   - What a handler looked up (rows, keys, cache, error texts) lives until the *step* ends: the handler returns, or
 *     calls something [yields].
 *
 * Errors
 *   Functions return a tl_status: 0 or more is success. The text of the turn's last failure: core->error(turn).
 *
 * Times
 *   us = microseconds since 1970-01-01 00:00 UTC, without leap seconds. Days are UTC days since 1970-01-01. */
#ifndef TRELLIS_ABI_H
#define TRELLIS_ABI_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define TL_ABI_MAJOR 1u
#define TL_ABI_MINOR 0u
#define TL_HAS(table, member) \
  ((table) && (table)->size >= offsetof(__typeof__(*(table)), member) + sizeof((table)->member) && (table)->member)

typedef struct {
  const char* p; /* null = absent, where that means something */
  uint64_t n;    /* bytes */
} tl_str;
typedef struct tl_host tl_host; /* opaque: this instance of the plugin */
typedef uint64_t tl_turn;       /* the right to act, for one handler; carries a generation; stale ones are refused */
typedef uint64_t tl_id;         /* table, job, metric, component ...; carries the plugin's generation; 0 = none */
typedef int32_t tl_status;

enum {
  TL_OK = 0,
  TL_CANCELLED = -1, /* the plugin is being stopped, or this run was cancelled */
  TL_REFUSED = -2,   /* not allowed here (wrong thread, stale handle, waiting in an event handler), or a rule says no */
  TL_INVALID = -3,   /* an argument is wrong */
  TL_NOT_FOUND = -4, /* nothing there; the end of rows */
  TL_DENIED = -5,    /* the other side says: no right */
  TL_CONFLICT = -6,  /* something else changed it first; a constraint was violated */
  TL_RATE_LIMITED = -7, /* the other side says: later */
  TL_TIMEOUT = -8,      /* the deadline passed */
  TL_UNAVAILABLE = -9,  /* the store or the other side is away, or the host does not serve this system */
  TL_TOO_LARGE = -10,   /* more than a limit allows */
  TL_FAILED = -11       /* anything else */
};

/* One value: SQL argument, column, key, log field, label. */
enum {
  TL_NULL = 0,
  TL_BOOL = 1, /* i: 0 or 1 */
  TL_INT = 2,  /* i */
  TL_REAL = 3, /* f */
  TL_TEXT = 4, /* s */
  TL_BLOB = 5, /* s: any bytes */
  TL_JSON = 6, /* s: JSON text */
  TL_ID = 7,   /* i: a Discord id, as unsigned; bound as BIGINT or text after the real column; 0 = NULL */
  TL_TIME = 8, /* i: us */
  TL_DAY = 9   /* i: days */
};
typedef struct {
  uint32_t kind, reserved;
  int64_t i;
  double f;
  tl_str s;
} tl_value;
typedef struct {
  tl_str name;
  tl_value value;
} tl_field;

/* A node of a parsed JSON document; valid as long as the document (event, settings, answer) it came from. {0, 0} =
 * absent. */
typedef struct {
  uint64_t doc, node;
} tl_json;

/* ---- what handlers are given */

enum {
  TL_EVENT_BOT = 1,       /* the author is a bot or a webhook */
  TL_EVENT_REPLAY = 2,    /* this plugin was given it before; those effects were undone */
  TL_EVENT_MALFORMED = 4, /* "d" is not what Discord documents: ids and times may be missing */
  TL_EVENT_JOINED = 8     /* GUILD_CREATE: the bot was added; else the guild was there before: a new session, or an
                             outage that is over */
};
typedef struct {                     /* an event out of the journal */
  uint32_t size, type;               /* type: see core->event_type("MESSAGE_CREATE") */
  uint64_t position;                 /* rises within a shard */
  uint64_t guild, channel, user, id; /* 0 = the event has none */
  int64_t happened_us, received_us;  /* happened: as far as Discord says, else received */
  uint32_t shard, flags;             /* TL_EVENT_* */
  tl_str raw;                        /* the JSON of "d" */
} tl_event;

enum {
  TL_START = 1,
  TL_COMMAND,
  TL_COMPONENT,
  TL_SUGGEST,
  TL_MODAL,
  TL_ROUTE,
  TL_METHOD,
  TL_JOB,
  TL_COMMAND_GROUP /* declared only: what "quest" or "quest admin" is, of the commands "quest admin add" */
};
typedef struct {                              /* everything that may wait */
  uint32_t size, kind;                        /* TL_START ... */
  int64_t deadline_us;                        /* when whoever asked stops waiting; 0 = nobody does */
  uint64_t guild, channel, user, permissions; /* 0 where there is none */
  tl_json args;     /* declared parameters by name, checked and converted. TL_SUGGEST: those given so far that fit, but
                       for the one being typed */
  tl_json raw;      /* the interaction; headers of the HTTP request; absent for methods and jobs */
  tl_str body;      /* HTTP body; data of the component or form */
  tl_str key;       /* job: its key */
  tl_json progress; /* job: what it saved last */
  int64_t due_us;   /* job: when it was due */
} tl_request;

/* On failure they call core->fail(turn, ...) and answer with a negative status. They must not throw. */
typedef tl_status (*tl_on_event)(void* self, tl_turn, const tl_event*);
typedef tl_status (*tl_on_request)(void* self, tl_turn, const tl_request*);

/* ---- what a plugin declares */

enum {
  TL_KEY = 1, /* identifies the row; a table without keys is appended to */
  TL_PLAIN,   /* the newest value stays */
  TL_SUM,     /* added up */
  TL_MAX,     /* the greatest stays; ids compare as numbers even in a text column */
  TL_FIRST    /* set when the row is new, kept afterwards */
};
typedef struct {
  uint32_t size, merge, value_kind, nullable; /* merge: TL_KEY ...; value_kind: TL_BOOL ... */
  tl_str name;
} tl_column;

enum { TL_TABLE_EXISTING = 1 /* changes rows that are there, and makes none */ };

enum { /* of a form's text; and what an id stands for, where Discord has a picker for it */
       TL_PARAM_PARAGRAPH = 1,
       TL_PARAM_USER = 1 << 8,
       TL_PARAM_CHANNEL = 2 << 8,
       TL_PARAM_ROLE = 3 << 8,
       TL_PARAM_ATTACHMENT = 4 << 8,
       TL_PARAM_MENTIONABLE = 5 << 8 /* a user or a role */
};
typedef struct { /* in the language of one of Discord's locales: "de", "en-US"; an empty one is left as it is */
  tl_str locale, name, text;
} tl_localized;
typedef struct {
  uint32_t size, reserved;
  tl_str name;    /* what is shown */
  tl_value value; /* TL_TEXT, TL_INT or TL_REAL, as the parameter */
  const tl_localized* localized;
  uint64_t localized_count;
} tl_choice;
typedef struct {                              /* a parameter of a command, route, method or form */
  uint32_t size, value_kind, required, flags; /* flags: TL_PARAM_* */
  tl_str name, text;
  double min, max; /* of a text: its length; both 0 = no limits; -inf and inf = none on that side */
  const tl_choice* choices;
  uint64_t choice_count;
  tl_on_request suggest;
  void* self;
  const uint32_t* channel_types; /* of TL_PARAM_CHANNEL: Discord's numbers; none = all */
  uint64_t channel_type_count;
  const tl_localized* localized;
  uint64_t localized_count;
} tl_param;

enum { TL_GUILDS_ONLY = 1, TL_NO_BOTS = 2 };
typedef struct { /* applied by the host before the handler is called; empty lists let everything pass */
  uint32_t size, flags;
  const uint64_t* guilds;
  uint64_t guild_count;
  const uint64_t* channels;
  uint64_t channel_count;
} tl_filter;

enum {
  TL_ENTRY_GUILDS_ONLY = 1,
  TL_ENTRY_EPHEMERAL = 2,
  TL_ENTRY_OWNERS_ONLY = 4,
  TL_ENTRY_RUN_MISSED = 8, /* job: a missed run is made up for, once */
  TL_ENTRY_OPEN = 16,      /* route: without a token */
  TL_ENTRY_ONCE_PER_CLUSTER = 32,
  TL_ENTRY_NSFW = 64 /* command: only in age-restricted channels */
};
enum { TL_COMMAND_SLASH = 1, TL_COMMAND_USER, TL_COMMAND_MESSAGE };           /* 0 = slash */
enum { TL_CONTEXT_GUILD = 1, TL_CONTEXT_BOT_DM = 2, TL_CONTEXT_PRIVATE = 4 }; /* 0 = servers and the bot's DMs */
enum { TL_INSTALL_GUILD = 1, TL_INSTALL_USER = 2 };                           /* 0 = in servers */
typedef struct { /* anything that becomes a tl_request, and command groups (without a handler) */
  uint32_t size, kind;
  tl_str name, text; /* route: name = "GET /counts/{guild}"; form: text = title */
  const tl_param* params;
  uint64_t param_count;
  uint64_t permissions;
  uint32_t flags;                      /* TL_ENTRY_* */
  uint32_t at_once, at_once_per_group; /* job: different keys at a time; group = key up to '/'; 0 = 1 and no limit */
  uint32_t limit_count, limit_per;     /* command: uses per limit_window_us; per: 0 user, 1 guild */
  uint32_t reserved;
  int64_t limit_window_us, timeout_us; /* 0 = none */
  tl_str schedule, zone; /* job: cron text, "@every 10s", or empty = on demand; zone: "UTC" or an IANA name */
  tl_on_request handle;
  void* self;
  uint32_t command_type; /* TL_COMMAND_*; the interaction names the target of user and message commands */
  uint32_t contexts,
      installs; /* command: where it can be used, and by whom it is installed: TL_CONTEXT_*, TL_INSTALL_* */
  uint32_t reserved2;
  const tl_localized* localized; /* command: its last word, and its text */
  uint64_t localized_count;
} tl_entry;

/* An operation on the outside. system: "discord", "http", "redis", "service". A new system is a new word, not a new
 * ABI. */
typedef struct {
  tl_str name, type, bytes;
} tl_file;
enum { TL_OPERATION_EFFECT = 1 /* may be sent */, TL_OPERATION_REPEATABLE = 2 /* may safely be done twice */ };
typedef struct {
  uint32_t size, flags; /* TL_OPERATION_* */
  tl_str system, verb;  /* "discord" "POST"; "http" "GET"; "redis" "RPUSH"; "service" "leveling.level_of" */
  tl_str target, body;  /* route, URL or key; JSON or bytes */
  const tl_field* headers;
  uint64_t header_count;
  const tl_file* files;
  uint64_t file_count;
  tl_str order_key, delivery_id;
  int64_t timeout_us, give_up_after_us, not_before_us; /* 0 = the host's defaults */
} tl_operation;

typedef struct {         /* what a call brought back; valid until wait->release(handle) */
  uint32_t size, status; /* status: of HTTP; else 0 */
  uint64_t handle;
  tl_json json, headers; /* json: the body when it is JSON */
  tl_str body;
} tl_reply;

typedef struct { /* what is staged or sealed and not yet in the store */
  uint32_t size, reserved;
  uint64_t events, rows;
} tl_pending;

/* ---- tables of functions, found by name */

enum { TL_COUNTER = 1, TL_GAUGE, TL_HISTOGRAM };
enum {
  TL_UNREAD_REFUSE = 0, /* the default: keys nobody read are an error, with the nearest known name */
  TL_UNREAD_WARN = 1,
  TL_UNREAD_ALLOW = 2 /* all keys of this node and below are known */
};
typedef struct { /* "trellis.setup/1", all [setup] */
  uint32_t size, reserved;
  /* type: a dispatch name of Discord's, "TRELLIS_GAP" or "TRELLIS_CAUGHT_UP". filter may be null. */
  tl_status (*subscribe)(tl_host*, tl_str type, const tl_filter* filter, tl_on_event, void* self);
  tl_id (*add)(tl_host*, const tl_entry*); /* 0 = refused; the reason is reported with the load */
  tl_id (*table)(tl_host*, tl_str name, uint32_t flags, const tl_column*, uint64_t count); /* flags: TL_TABLE_* */
  tl_status (*need)(tl_host*, tl_str what); /* "intent:MESSAGE_CONTENT", "cache:voice_states", "cache:member_counts",
                                                 "cache:members", "cache:presences" */
  tl_id (*metric)(tl_host*, uint32_t kind, tl_str name, tl_str help, const tl_str* labels, uint64_t count);
  tl_status (*commit_every)(tl_host*,
                            int64_t us); /* for plugins whose effects are only rows: 10 ms to 1 h; default 1 s */
  tl_json (*settings)(tl_host*);
  tl_status (*used)(tl_host*, tl_json node, tl_str key, tl_str type,
                    tl_str default_text);                       /* this key is known, and was read */
  tl_status (*unread)(tl_host*, tl_json node, uint32_t policy); /* TL_UNREAD_* */
  tl_status (*refuse)(tl_host*, tl_json node, tl_str key,
                      tl_str why);        /* recorded with file, line and path; TL_INVALID */
  uint32_t (*has)(tl_host*, tl_str what); /* "redis", "sqlite", "postgresql", "http": 1 or 0 */
  tl_str (*file)(tl_host*, tl_str name);  /* an embedded file; lives as long as the library */
} tl_setup_v1;

enum { TL_DEBUG = 1, TL_INFO, TL_WARN, TL_ERROR };
typedef struct { /* "trellis.core/1" */
  uint32_t size, reserved;
  void (*log)(tl_host*, uint32_t level, tl_str text, const tl_field*, uint64_t count);   /* [any] */
  void (*count)(tl_host*, tl_id metric, double, const tl_value* labels, uint64_t count); /* [any] */
  uint32_t (*event_type)(tl_str name);                                                   /* [any] never 0 */
  tl_str (*event_name)(uint32_t type);                                                   /* [any] lives for ever */
  tl_status (*fail)(tl_turn, tl_status, tl_str text, uint32_t for_the_user); /* [turn] answers with the status */
  tl_str (*error)(tl_turn);                                                  /* [turn] */
  int64_t (*now_us)(tl_turn);                 /* [turn] event: its reception; request: the clock when the step began */
  uint64_t (*random)(tl_turn);                /* [turn] the same numbers when the same event is handled again */
  tl_status (*pending)(tl_turn, tl_pending*); /* [turn] */
} tl_core_v1;

typedef struct { /* "trellis.json/1": every function [any] but event; an absent node has kind TL_NULL, length 0, text
                    null */
  uint32_t size, reserved;
  tl_json (*event)(tl_turn); /* [turn] the event's document, parsed on first use; absent when malformed */
  tl_json (*parse)(tl_str,
                   uint64_t* offset); /* owned by the caller; absent + where it went wrong (offset may be null) */
  void (*release)(tl_json);           /* of parse */
  tl_json (*key)(tl_json, tl_str);
  tl_json (*at)(tl_json, uint64_t index); /* also: n-th member of an object */
  tl_str (*name)(tl_json);                /* its key in the object it was reached through */
  uint64_t (*length)(tl_json);            /* members or elements */
  uint32_t (*type)(tl_json); /* TL_NULL, TL_BOOL, TL_INT, TL_REAL, TL_TEXT, or TL_JSON_ARRAY, TL_JSON_OBJECT */
  void (*value)(tl_json, tl_value* out); /* a scalar; of arrays and objects TL_NULL. Integers beyond int64: TL_REAL */
  /* As JSON text. Writes at most capacity bytes, answers with the length it needs. */
  uint64_t (*text)(tl_json, char* out, uint64_t capacity);
} tl_json_v1;
enum { TL_JSON_ARRAY = 100, TL_JSON_OBJECT = 101 };

typedef struct { /* "trellis.work/1", all [turn] */
  uint32_t size, reserved;
  /* put: one value per column, merged by the columns' rules; never reads.
   * get: row has one value per column; TL_NOT_FOUND; sees what is staged.
   * set: writes only the columns whose bit is in changed (bit n = column n); a sum column carries the difference; keys
   * always. */
  tl_status (*put)(tl_turn, tl_id table, const tl_value* row);
  tl_status (*get)(tl_turn, tl_id table, const tl_value* key, tl_value* row);
  tl_status (*set)(tl_turn, tl_id table, const tl_value* row, uint64_t changed);
  tl_status (*erase)(tl_turn, tl_id table, const tl_value* key);
  tl_status (*sql)(tl_turn, tl_str text, const tl_value*, uint64_t count,
                   tl_id* rows);                           /* the unit's transaction; $1, $2 ... */
  tl_status (*kv_get)(tl_turn, tl_str key, tl_str* value); /* TL_NOT_FOUND */
  tl_status (*kv_set)(tl_turn, tl_str key, tl_str value,
                      int64_t expires_us); /* value.p null erases; expires 0 = never */
  tl_status (*kv_next)(tl_turn, tl_str prefix, tl_str after, tl_str* key,
                       tl_str* value);             /* in order of the keys' bytes */
  tl_status (*send)(tl_turn, const tl_operation*); /* the outbox: surely, and after the commit */
  tl_status (*start)(tl_turn, tl_id job, tl_str key, tl_str args,
                     int64_t not_before_us); /* a waiting or running key stays */
  tl_status (*stop)(tl_turn, tl_id job, tl_str key);
  tl_status (*save)(tl_turn, tl_str progress); /* job runs */
} tl_work_v1;

typedef struct { /* "trellis.rows/1" */
  uint32_t size, reserved;
  tl_status (*query)(tl_turn, tl_str text, const tl_value*, uint64_t count,
                     tl_id* rows); /* [yields] a reader connection */
  tl_status (*next)(tl_turn, tl_id rows,
                    const tl_value** row);   /* [turn] TL_NOT_FOUND at the end; the row lives until the next */
  uint64_t (*affected)(tl_turn, tl_id rows); /* [turn] */
  uint64_t (*width)(tl_turn, tl_id rows);    /* [turn] columns */
  int64_t (*column)(tl_turn, tl_id rows, tl_str name); /* [turn] index, or -1 */
  void (*close)(tl_turn, tl_id rows);                  /* [turn] also done when the handler returns */
} tl_rows_v1;

typedef struct { /* "trellis.wait/1", all [yields] but release */
  uint32_t size, reserved;
  tl_status (*call)(tl_turn, const tl_operation*, tl_reply* answer);
  void (*release)(uint64_t handle); /* [any] */
  tl_status (*commit)(tl_turn);     /* returns when everything staged so far is in the store */
  tl_status (*sleep)(tl_turn, int64_t us);
  tl_status (*outside)(tl_turn, void (*run)(void*), void*); /* calls run here, without the baton */
} tl_wait_v1;

/* reply: the answer for now, and its edit the next time. follow_up: one more message. finish: the answer, sent after
 * the commit; the last one counts. Its status is of routes alone. Its type says what the body of an interaction's
 * answer is:
 * - "application/json": a message; of TL_SUGGEST an array of {"name", "value"}.
 * - "application/vnd.trellis.form+json": {"form": name, "data": text} opens a form that this instance declared; its
 * data comes back in tl_request.body. TL_INVALID: there is no such form; TL_REFUSED: it would not be the first answer,
 * or nobody is there to fill it in; TL_TOO_LARGE: the data is.
 * - "application/vnd.trellis.update+json": a message that takes the place of the one whose button or select was used
 *   (also of a form that this opened); elsewhere a message like any other.
 *
 * Without finish a press or select is answered with nothing, anything else with "Done.". */
typedef struct { /* "trellis.answer/1", all [yields] but finish; bodies are JSON as Discord or HTTP has it */
  uint32_t size, reserved;
  tl_status (*reply)(tl_turn, tl_str body, const tl_file*, uint64_t count);
  tl_status (*follow_up)(tl_turn, tl_str body, const tl_file*, uint64_t count);
  tl_status (*finish)(tl_turn, uint32_t status, tl_str type, tl_str body, const tl_file*, uint64_t count); /* [turn] */
  tl_status (*stream)(tl_turn, uint32_t status, tl_str type, tl_str filename);
  tl_status (*write)(tl_turn, tl_str chunk);
} tl_answer_v1;

enum {
  TL_GONE = 1 /* deleted; readable until every lane has passed it */,
  TL_UNAVAILABLE_GUILD = 2 /* an outage */,
  TL_NSFW = 4,
  TL_VOICE_UNKNOWN = 8 /* who is in voice is not known for all: the host lost what it knew, and Discord tells it again
                          only in a new session */
};
typedef struct {
  uint32_t size, flags; /* TL_GONE, TL_UNAVAILABLE_GUILD, TL_VOICE_UNKNOWN */
  uint64_t id, owner, system_channel;
  int64_t member_count;
  tl_str name, icon;
  uint32_t mfa_level, verification_level, premium_tier, reserved; /* Discord's numbers */
} tl_guild;
enum { TL_OVERWRITE_ROLE = 0, TL_OVERWRITE_MEMBER = 1 };
typedef struct {            /* what a channel changes in the permissions of a role or member; never grows */
  uint64_t id, allow, deny; /* id: of the role or user; the server's own id is @everyone */
  uint32_t kind, reserved;  /* TL_OVERWRITE_* */
} tl_overwrite;
typedef struct {
  uint32_t size, flags; /* TL_GONE, TL_NSFW */
  uint32_t type, reserved;
  uint64_t id, guild, parent, last_message;
  tl_str name;
  int32_t position;
  uint32_t slow_mode_s; /* seconds between two messages of one user; 0 = none */
  tl_str topic;
  const tl_overwrite* overwrites; /* by id; of a thread: none, those of its channel count */
  uint64_t overwrite_count;
} tl_channel;
enum { TL_ROLE_HOIST = 16, TL_ROLE_MANAGED = 32, TL_ROLE_MENTIONABLE = 64 };
typedef struct {
  uint32_t size, flags; /* TL_GONE, TL_ROLE_* */
  uint64_t id, guild, permissions;
  uint32_t color;   /* 0xRRGGBB; 0 = none */
  int32_t position; /* of two roles at the same position the one with the lower id is above */
  tl_str name;
} tl_role;
enum { TL_MEMBER_BOT = 1, TL_MEMBER_PENDING = 2, TL_MEMBER_DEAF = 4, TL_MEMBER_MUTE = 8 };
typedef struct {
  uint32_t size, flags; /* TL_MEMBER_* */
  uint64_t guild, user;
  int64_t joined_us, premium_since_us, timed_out_until_us; /* 0 = not known, or not */
  tl_str username, global_name, nick, avatar;              /* avatar: the user's, not the server's own for it */
  const uint64_t* roles;                                   /* ascending, without @everyone */
  uint64_t role_count;
} tl_member;
enum { TL_OFFLINE = 0, TL_ONLINE = 1, TL_IDLE = 2, TL_DND = 3 };
typedef struct {
  uint32_t size, status; /* TL_OFFLINE ... */
  uint64_t guild, user;
  uint32_t desktop, mobile, web, reserved; /* the same, by client */
} tl_presence;
enum { TL_VOICE_BOT = 1, TL_VOICE_MUTED = 2, TL_VOICE_DEAFENED = 4, TL_VOICE_STREAMING = 8 };
typedef struct {
  uint32_t size, flags; /* TL_VOICE_* */
  uint64_t guild, channel, user;
  tl_str username;
} tl_voice_state;
typedef struct { /* "trellis.cache/1", all [turn]; the caller's structs, their size set; next_*: ascending ids, 0 to
                    begin */
  uint32_t size, reserved;
  tl_status (*guild)(tl_turn, uint64_t id, tl_guild*);
  tl_status (*next_guild)(tl_turn, uint64_t after, tl_guild*);
  tl_status (*channel)(tl_turn, uint64_t id, tl_channel*); /* threads too */
  tl_status (*next_channel)(tl_turn, uint64_t guild, uint64_t after, tl_channel*);
  tl_status (*next_voice_state)(tl_turn, uint64_t channel, uint64_t after_user, tl_voice_state*);
  tl_status (*role)(tl_turn, uint64_t id, tl_role*);
  tl_status (*next_role)(tl_turn, uint64_t guild, uint64_t after, tl_role*);
  /* user 0 = the bot, whose member is always known. Others: those Discord showed, when a plugin needs "cache:members".
   */
  tl_status (*member)(tl_turn, uint64_t guild, uint64_t user, tl_member*);
  tl_status (*next_member)(tl_turn, uint64_t guild, uint64_t after, tl_member*);
  /* When a plugin needs "cache:presences"; who is not known is offline. */
  tl_status (*presence)(tl_turn, uint64_t guild, uint64_t user, tl_presence*);
  /* Discord's bits, with all that they imply. channel 0 = in the server as a whole; user 0 = the bot. TL_NOT_FOUND:
   * the server, the channel, the member or its roles are not known. */
  tl_status (*permissions)(tl_turn, uint64_t guild, uint64_t channel, uint64_t user, uint64_t* out);
  /* The same for a user with these roles, for example out of an event. */
  tl_status (*permissions_with)(tl_turn, uint64_t guild, uint64_t channel, uint64_t user, const uint64_t* roles,
                                uint64_t role_count, uint64_t* out);
  /* Which of two members stands higher in the order of roles; user 0 = the bot. out: 1 above, 0 the same, -1 below. */
  tl_status (*compare_members)(tl_turn, uint64_t guild, uint64_t user, uint64_t other, int32_t* out);
  /* A member and a role: 1 when the member's highest role is above it. */
  tl_status (*compare_role)(tl_turn, uint64_t guild, uint64_t user, uint64_t role, int32_t* out);
} tl_cache_v1;

/* ---- manifest and entry */

/* The ELF note of every plugin: section ".note.trellis", name "Trellis", type 1, this as its description. It is read
 * before dlopen, so no code of a plugin runs before the host has said yes. Texts are NUL-padded. Embedded files
 * ("migrations/0001_init.sql", "fonts/x.ttf") are in the section ".trellis.files", one record after the other: u32
 * length of the name, u32 zero, u64 length of the content, name, content, zeros up to a multiple of 8. */
typedef struct {
  uint32_t size, abi_major, abi_minor,
      sdk;     /* sdk: major * 10000 + minor * 100 + patch of the headers it was built with */
  char id[32]; /* [a-z][a-z0-9_]{0,30} */
  char version[32];
  char needs[160]; /* other plugins, separated by commas: "leveling >= 1.2, economy" */
} tl_manifest;
typedef struct {
  uint32_t name_size, desc_size, type;
  char name[8];
  tl_manifest manifest;
} tl_note;

typedef struct {
  uint32_t size, abi_minor; /* abi_minor: of the host */
  tl_host* host;
  const void* (*find)(tl_host*, tl_str id); /* [any] null = this host has no such thing; valid until destroy returns */
} tl_entry_args;
typedef struct {
  uint32_t size, reserved;
  void* self;
  void (*destroy)(void* self); /* called once, when no handler runs any more */
} tl_plugin;
#if defined(__GNUC__)
#define TL_EXPORT __attribute__((visibility("default")))
#else
#define TL_EXPORT
#endif
/* [setup] Creates one instance and declares everything. It must have no other effect. A negative status refuses, with
 * setup->refuse or a sentence in text (NUL-terminated, at most text_size bytes). It may be called again, after destroy.
 */
TL_EXPORT tl_status trellis_plugin_v1(const tl_entry_args*, tl_plugin* out, char* text, uint64_t text_size);

#ifdef __cplusplus
}
#endif
#endif

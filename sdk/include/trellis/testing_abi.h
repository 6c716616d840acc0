/* The C interface of libtrellis-testing.so, the host that tests of plugins run in. C11. Authors use
 * trellis/testing.hpp.
 *
 * A host has one plugin, real lanes, a store (SQLite) and a journal in a folder of its own that goes with it, a clock
 * that stands still until it is advanced, and one made-up Discord server:
 *
 *   server 1 "Test Server", owner 7 (Ada), 25 members; the bot is user 2; other users have any id. Shown as members:
 *   2, 7, 8 (Brian), 9 (Chen), 10 (Dora)
 *   roles 1 "@everyone", 400 "Member", 402 "Trellis" (the bot's), 401 "Moderator" (Brian's), in this order from below
 *   text channels 100 "general" and 101 "random", voice channels 200 "Lounge" and 201 "Stage", thread 300 of channel
 * 100
 *
 * Every function belongs to one thread at a time. Those with a tl_status answer with 0 or more when it worked; the
 * sentence of a failure is trellis_testing_error(). A handler that fails, fails the call that made it run. Texts that
 * are given back live until the next call with the same host. */
#ifndef TRELLIS_TESTING_ABI_H
#define TRELLIS_TESTING_ABI_H
#include <trellis/abi.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct trellis_testing_host trellis_testing_host;

enum {
  TRELLIS_TESTING_LOSE = 0,  /* as a crash: what is not in the store is done again by the next instance */
  TRELLIS_TESTING_COMMIT = 1 /* what was staged is committed before: the next instance begins behind it */
};
/* request.call() of Discord's API: target is path and query, body is JSON or empty, reason is for the audit log. */
typedef struct {
  uint32_t size, reserved;
  tl_str method, target, body, reason;
  const tl_file* files;
  uint64_t file_count;
} trellis_testing_rest_call;
typedef struct {
  uint32_t size, http; /* 200 ...; as from Discord, 4xx and 5xx are the call's error */
  tl_str body;         /* JSON, or empty; lives until the next such call. When it answers below 0: why */
} trellis_testing_rest_answer;
/* Answers one call after the other, on the thread of the handler that calls, while a function below runs; it calls none
 * of them. TL_NOT_FOUND: nobody answers that; the call ends with TL_UNAVAILABLE. Below 0 otherwise: with that. */
typedef tl_status (*trellis_testing_rest)(void* self, const trellis_testing_rest_call*, trellis_testing_rest_answer*);

typedef struct {
  uint32_t size, restart_how; /* TRELLIS_TESTING_* */
  uint64_t restart_after;     /* restarts by itself when this step (1, 2 ...) is over; 0 = never */
  tl_str settings;            /* a JSON object; empty = {} */
  tl_str program;             /* the file with the embedded migrations and assets; empty = this program */
  tl_status (*entry)(const tl_entry_args*, tl_plugin*, char* text, uint64_t text_size);
  trellis_testing_rest rest; /* null: nobody answers calls */
  void* rest_self;
} trellis_testing_options;

TL_EXPORT tl_status trellis_testing_open(const trellis_testing_options*, trellis_testing_host** out);
TL_EXPORT void trellis_testing_close(trellis_testing_host*);
/* Of the last call that failed on this thread. */
TL_EXPORT tl_str trellis_testing_error(void);

/* ---- steps: each returns when its event was handled, or its request answered ---- */

/* A dispatch as Discord would send it; json is its "d". */
TL_EXPORT tl_status trellis_testing_event(trellis_testing_host*, tl_str name, tl_str json);
TL_EXPORT tl_status trellis_testing_message(trellis_testing_host*, uint64_t user, uint64_t channel, tl_str content);
/* To channel 0: leaves. */
TL_EXPORT tl_status trellis_testing_voice(trellis_testing_host*, uint64_t user, uint64_t channel);
TL_EXPORT tl_status trellis_testing_method(trellis_testing_host*, tl_str name, tl_str args, tl_str* answer);
/* A person uses the plugin. what is a JSON object with one of
 *   "command": "quest list" with "options": {name: value}; an attachment is an object {"filename", "url", ...}
 *   "typing": "quest list" with "option": the name of the one being typed, and "options"
 *   "user_command" with "target": an id; "message_command" with "target" and "content"
 *   "press": "more:7", "select": "pick:7" with "values": [...], "submit": "order:7" with "fields": {name: text}
 * and, if it matters, "user" (7, the owner of server and bot), "permissions" (as a text of a number; all for the owner,
 * else none), "channel" (100), "dm": true. *answer is what they see at the end: {"callback": the type of the first
 * answer, "deferred", "updated", "message": {...}, "files": [...], "follow_ups": [...], "form": {...}, "choices":
 * [...]}. TL_REFUSED: the user is refused with the sentence of trellis_testing_error(). */
TL_EXPORT tl_status trellis_testing_interact(trellis_testing_host*, tl_str what, tl_str* answer);
/* The clock goes on; jobs run when they are due, and sleeping ones wake up. Returns when all that run sleep or have
 * ended. */
TL_EXPORT tl_status trellis_testing_advance(trellis_testing_host*, int64_t us);

/* ---- the rest ---- */

/* The host ends and starts again, `away_us` later. */
TL_EXPORT tl_status trellis_testing_restart(trellis_testing_host*, uint32_t how, int64_t away_us);
TL_EXPORT int64_t trellis_testing_now_us(trellis_testing_host*);
/* Steps so far; steps of jobs (from one wait to the next) are among them. */
TL_EXPORT uint64_t trellis_testing_steps(trellis_testing_host*);
/* Where it restarted by itself, as a sentence; empty: it has not. */
TL_EXPORT tl_str trellis_testing_restarted(trellis_testing_host*);
/* Commits what is staged, then reads what is in the plugin's store. One result at a time, in memory. */
TL_EXPORT tl_status trellis_testing_query(trellis_testing_host*, tl_str text, const tl_value*, uint64_t count,
                                          tl_id* rows);
/* Commits what is staged, then tells what work.send() brought to the outbox since the host was made, in the order of
 * the commits: a JSON array of {"system", "verb", "target", "body": JSON (null: none), "headers": {name: text},
 * "files":
 * [{"filename", "content_type", "bytes": how many}], "not_before_us"}. Nothing is delivered, nothing goes away. */
TL_EXPORT tl_status trellis_testing_outbox(trellis_testing_host*, tl_str* effects);
/* The n-th log line of the plugin; TL_NOT_FOUND: there are not so many. */
TL_EXPORT tl_status trellis_testing_log(trellis_testing_host*, uint64_t n, tl_str* line);

/* next, affected, width, column and close for the rows of trellis_testing_query; error for what went wrong with them.
 * Both take the address of the host as their tl_turn. The other members are null. */
TL_EXPORT const tl_rows_v1* trellis_testing_rows(void);
TL_EXPORT const tl_core_v1* trellis_testing_core(void);
TL_EXPORT const tl_json_v1* trellis_testing_json(void);

#ifdef __cplusplus
}
#endif
#endif

/* Counts messages per channel; the method "total" adds them up. A whole plugin against abi.h alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trellis/abi.h>

#if defined(__clang__)
__attribute__((no_sanitize("address"))) /* it would pad the note */
#endif
__attribute__((used, retain, section(".note.trellis"), aligned(4))) static const tl_note kNote = {
    .name_size = 8,
    .desc_size = sizeof(tl_manifest),
    .type = 1,
    .name = "Trellis",
    .manifest = {.size = sizeof(tl_manifest),
                 .abi_major = TL_ABI_MAJOR,
                 .abi_minor = TL_ABI_MINOR,
                 .id = "c_counter",
                 .version = "1.0.0"},
};

typedef struct {
  const tl_core_v1* core;
  const tl_json_v1* json;
  const tl_work_v1* work;
  const tl_rows_v1* rows;
  const tl_answer_v1* answer;
  tl_id counts;
} Counter;

static tl_str text(const char* s) { return (tl_str){s, strlen(s)}; }
static tl_value id(uint64_t v) { return (tl_value){.kind = TL_ID, .i = (int64_t)v}; }
static tl_value integer(int64_t v) { return (tl_value){.kind = TL_INT, .i = v}; }

static tl_status on_message(void* self, tl_turn turn, const tl_event* event) {
  Counter* me = self;
  const tl_value row[] = {id(event->guild), id(event->channel), integer(1)};
  return me->work->put(turn, me->counts, row);
}

/* PostgreSQL adds BIGINTs up to a NUMERIC, which comes as text. */
static int64_t whole_number(const tl_value* value) {
  char digits[24] = "";
  if (value->kind != TL_TEXT) return value->i;
  memcpy(digits, value->s.p, value->s.n < sizeof digits ? value->s.n : sizeof digits - 1);
  return strtoll(digits, NULL, 10);
}

static tl_status on_total(void* self, tl_turn turn, const tl_request* request) {
  Counter* me = self;
  tl_value guild = {.kind = TL_NULL};
  me->json->value(me->json->key(request->args, text("guild")), &guild);
  if (guild.kind == TL_TEXT) guild = id((uint64_t)whole_number(&guild));

  tl_id rows = 0;
  tl_status status = me->rows->query(turn,
                                     text("SELECT coalesce(sum(messages), 0) FROM channel_counts"
                                          " WHERE guild_id = coalesce($1, guild_id)"),
                                     &guild, 1, &rows);
  if (status < 0) return me->core->fail(turn, status, me->core->error(turn), 0);
  const tl_value* row = NULL;
  status = me->rows->next(turn, rows, &row);
  char body[64];
  snprintf(body, sizeof body, "{\"total\":%" PRId64 "}", status == TL_OK ? whole_number(row) : 0);
  me->rows->close(turn, rows);
  if (status < 0) return me->core->fail(turn, status, me->core->error(turn), 0);
  return me->answer->finish(turn, 0, text("application/json"), text(body), NULL, 0);
}

static void destroy(void* self) { free(self); }

tl_status trellis_plugin_v1(const tl_entry_args* args, tl_plugin* out, char* why, uint64_t why_size) {
  const tl_setup_v1* setup = args->find(args->host, text("trellis.setup/1"));
  Counter* me = calloc(1, sizeof *me);
  if (!me) return TL_FAILED;
  me->core = args->find(args->host, text("trellis.core/1"));
  me->json = args->find(args->host, text("trellis.json/1"));
  me->work = args->find(args->host, text("trellis.work/1"));
  me->rows = args->find(args->host, text("trellis.rows/1"));
  me->answer = args->find(args->host, text("trellis.answer/1"));
  if (!setup || !me->core || !me->json || !me->work || !me->rows || !me->answer) {
    snprintf(why, why_size, "this host lacks one of the tables setup, core, json, work, rows and answer");
    free(me);
    return TL_REFUSED;
  }

  const tl_column columns[] = {{sizeof(tl_column), TL_KEY, TL_ID, 0, text("guild_id")},
                               {sizeof(tl_column), TL_KEY, TL_ID, 0, text("channel_id")},
                               {sizeof(tl_column), TL_SUM, TL_INT, 0, text("messages")}};
  me->counts = setup->table(args->host, text("channel_counts"), 0, columns, 3);
  const tl_filter filter = {.size = sizeof filter, .flags = TL_GUILDS_ONLY | TL_NO_BOTS};
  const tl_status subscribed = setup->subscribe(args->host, text("MESSAGE_CREATE"), &filter, on_message, me);
  const tl_param guild = {.size = sizeof guild,
                          .value_kind = TL_ID,
                          .name = text("guild"),
                          .text = text("A server; all of them if left out")};
  const tl_entry total = {.size = sizeof total,
                          .kind = TL_METHOD,
                          .name = text("total"),
                          .params = &guild,
                          .param_count = 1,
                          .handle = on_total,
                          .self = me};
  if (!me->counts || subscribed < 0 || !setup->add(args->host, &total)) {
    free(me);
    return TL_INVALID; /* the host has said why */
  }
  out->self = me;
  out->destroy = destroy;
  return TL_OK;
}

// trellis.setup/1: what a plugin declares, into the ledger of its instance.
#include <boost/json/serialize.hpp>
#include <cmath>

#include "abi/tables.hpp"
#include "interactions/forms.hpp"
#include "journal/event_types.hpp"
#include "lanes/json_nodes.hpp"

namespace trellis::host {

namespace {

/// Null: not during setup, or another thread.
Instance* in_setup(tl_host* host) {
  Instance* instance = host ? host->instance : nullptr;
  return instance && instance->setup_thread == std::this_thread::get_id() ? instance : nullptr;
}

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= ' ' && c != '"'; });
}

tl_status complain(Instance& instance, std::string text) {
  instance.complaints.push_back(std::move(text));
  instance.misdeclared = true;
  return TL_INVALID;
}

tl_status subscribe(tl_host* host, tl_str type, const tl_filter* filter, tl_on_event handle, void* self) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  if (!handle || !good_name(view(type)))
    return complain(*instance, "a subscription needs the name of a dispatch and a handler");
  const tl_filter given = sized_copy(filter);
  Subscription subscription;
  subscription.type = event_type(view(type));
  subscription.type_name = view(type);
  subscription.flags = given.flags;
  if (given.guilds) subscription.guilds.assign(given.guilds, given.guilds + given.guild_count);
  if (given.channels) subscription.channels.assign(given.channels, given.channels + given.channel_count);
  std::sort(subscription.guilds.begin(), subscription.guilds.end());
  std::sort(subscription.channels.begin(), subscription.channels.end());
  subscription.handle = handle;
  subscription.self = self;
  instance->ledger.subscriptions.push_back(std::move(subscription));
  return TL_OK;
}

const char* kind_name(std::uint32_t kind) {
  static constexpr const char* kNames[] = {"entry", "start", "command", "component", "autocomplete",
                                           "form",  "route", "method",  "job",       "command group"};
  return kind < std::size(kNames) ? kNames[kind] : "entry";
}

LocalizedSpecs localized(const tl_localized* list, std::uint64_t count) {
  LocalizedSpecs specs;
  for (std::uint64_t i = 0; list && i < count; ++i)
    specs[std::string(view(list[i].locale))] = {std::string(view(list[i].name)), std::string(view(list[i].text))};
  return specs;
}

ChoiceSpec choice_of(const tl_choice& raw) {
  ChoiceSpec choice{std::string(view(raw.name)), {}, localized(raw.localized, raw.localized_count)};
  if (raw.value.kind == TL_INT)
    choice.value = raw.value.i;
  else if (raw.value.kind == TL_REAL)
    choice.value = raw.value.f;
  else
    choice.value = std::string(view(raw.value.s));
  return choice;
}

tl_id add(tl_host* host, const tl_entry* entry) {
  Instance* instance = in_setup(host);
  if (!instance || !entry) return 0;
  const tl_entry given = sized_copy(entry);
  const std::string name(view(given.name));
  const bool callable = given.handle || given.kind == TL_COMMAND_GROUP;
  if (given.kind < TL_START || given.kind > TL_COMMAND_GROUP || !callable ||
      (given.kind != TL_START && !good_name(name))) {
    complain(*instance, fmt::format("a {} needs a kind of this host's, a name and a handler (name \"{}\")",
                                    kind_name(given.kind), name));
    return 0;
  }
  if (given.command_type > TL_COMMAND_MESSAGE) {
    complain(*instance, fmt::format("command \"{}\" is of a type that this host does not know", name));
    return 0;
  }
  const std::uint32_t command_type =
      given.kind == TL_COMMAND ? (given.command_type ? given.command_type : TL_COMMAND_SLASH) : 0;
  if (given.kind != TL_START && instance->ledger.find(given.kind, name, command_type)) {
    complain(*instance, fmt::format("{} \"{}\" is declared twice", kind_name(given.kind), name));
    return 0;
  }
  EntrySpec spec;
  spec.kind = given.kind;
  spec.name = name;
  spec.text = view(given.text);
  spec.schedule = view(given.schedule);
  spec.zone = given.zone.n ? std::string(view(given.zone)) : "UTC";
  spec.permissions = given.permissions;
  spec.flags = given.flags;
  spec.at_once = given.at_once ? given.at_once : 1;
  spec.at_once_per_group = given.at_once_per_group;
  spec.limit_count = given.limit_count;
  spec.limit_per = given.limit_per;
  spec.limit_window_us = given.limit_window_us;
  spec.timeout_us = given.timeout_us;
  spec.command_type = command_type;
  spec.contexts = given.contexts;
  spec.installs = given.installs;
  spec.localized = localized(given.localized, given.localized_count);
  spec.handle = given.handle;
  spec.self = given.self;
  if (given.kind == TL_JOB)
    if (const std::string why = instance->services.check_schedule(spec.schedule, spec.zone); !why.empty()) {
      complain(*instance, fmt::format("job \"{}\": {}", name, why));
      return 0;
    }
  const char* at = reinterpret_cast<const char*>(given.params);
  for (std::uint64_t i = 0; i < given.param_count && at; ++i) {
    const auto* raw = reinterpret_cast<const tl_param*>(at);
    const tl_param param = sized_copy(raw);
    at += raw->size;  // the plugin's struct may be longer or shorter than ours
    ParamSpec& to = spec.params.emplace_back();
    to.name = view(param.name);
    to.text = view(param.text);
    to.value_kind = param.value_kind;
    to.flags = param.flags;
    to.required = param.required != 0;
    to.min = param.min;
    to.max = param.max;
    const char* next = reinterpret_cast<const char*>(param.choices);
    for (std::uint64_t c = 0; next && c < param.choice_count; ++c) {
      const auto* choice = reinterpret_cast<const tl_choice*>(next);
      to.choices.push_back(choice_of(sized_copy(choice)));
      next += choice->size;
    }
    if (param.channel_types)
      to.channel_types.assign(param.channel_types, param.channel_types + param.channel_type_count);
    to.localized = localized(param.localized, param.localized_count);
    to.suggest = param.suggest;
    to.self = param.self;
    if (!good_name(to.name))
      complain(*instance, fmt::format("a parameter of {} \"{}\" has no name", kind_name(given.kind), name));
  }
  if (given.kind == TL_MODAL)
    if (const std::string why = check_form(spec); !why.empty()) {
      complain(*instance, why);
      return 0;
    }
  if ((given.kind == TL_MODAL || given.kind == TL_COMPONENT) && name.find(':') != std::string::npos) {
    complain(*instance, fmt::format("the name of {} \"{}\" must have no colon", kind_name(given.kind), name));
    return 0;
  }
  instance->ledger.entries.push_back(std::move(spec));
  return instance->handle_of(instance->ledger.entries.size() - 1);
}

tl_id table(tl_host* host, tl_str name, std::uint32_t flags, const tl_column* columns, std::uint64_t count) {
  Instance* instance = in_setup(host);
  if (!instance) return 0;
  constexpr std::uint64_t kColumnsMax = 64;
  if (!good_name(view(name)) || count == 0 || count > kColumnsMax || !columns) {
    complain(*instance, fmt::format("table \"{}\" needs a name and 1 to {} columns", view(name), kColumnsMax));
    return 0;
  }
  TableShape shape;
  shape.name = view(name);
  shape.existing_only = (flags & TL_TABLE_EXISTING) != 0;
  const char* at = reinterpret_cast<const char*>(columns);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto* raw = reinterpret_cast<const tl_column*>(at);
    const tl_column column = sized_copy(raw);
    at += raw->size;
    if (column.merge < TL_KEY || column.merge > TL_FIRST || !good_name(view(column.name))) {
      complain(*instance,
               fmt::format("column {} of table \"{}\" has no name or an unknown merge rule", i + 1, shape.name));
      return 0;
    }
    shape.columns.push_back({std::string(view(column.name)), column.merge, column.value_kind, column.nullable != 0});
  }
  instance->ledger.tables.push_back(std::move(shape));
  return instance->handle_of(instance->ledger.tables.size() - 1);
}

tl_status need(tl_host* host, tl_str what) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  instance->ledger.needs.emplace(view(what));
  return TL_OK;
}

tl_id metric(tl_host* host, std::uint32_t kind, tl_str name, tl_str help, const tl_str* labels, std::uint64_t count) {
  Instance* instance = in_setup(host);
  if (!instance) return 0;
  MetricSpec spec{
      kind, "trellis_plugin_" + instance->plugin + "_" + std::string(view(name)), std::string(view(help)), {}};
  for (std::uint64_t i = 0; i < count; ++i) spec.labels.emplace_back(view(labels[i]));
  try {
    instance->metrics.push_back(instance->services.metric(spec));
  } catch (const std::exception& error) {
    complain(*instance, error.what());
    return 0;
  }
  instance->ledger.metrics.push_back(std::move(spec));
  return instance->handle_of(instance->metrics.size() - 1);
}

tl_status commit_every(tl_host* host, std::int64_t us) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  if (us < 10'000 || us > 3'600'000'000)
    return complain(*instance, "the commit interval must be between 10 ms and 1 h");
  instance->ledger.commit_every_us = us;
  return TL_OK;
}

tl_json settings(tl_host* host) {
  Instance* instance = in_setup(host);
  return instance ? node_of(instance->settings->root) : tl_json{};
}

std::uint64_t plain_node(tl_json node) {
  const boost::json::value* value = value_of(node);
  return value ? node_of(*value).node : 0;
}

tl_status used(tl_host* host, tl_json node, tl_str key, tl_str, tl_str) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  instance->reads[plain_node(node)].keys.emplace(view(key));
  return TL_OK;
}

tl_status unread(tl_host* host, tl_json node, std::uint32_t policy) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  instance->reads[plain_node(node)].unread = policy;
  return TL_OK;
}

tl_status refuse(tl_host* host, tl_json node, tl_str key, tl_str why) {
  Instance* instance = in_setup(host);
  if (!instance) return TL_REFUSED;
  instance->complain_at(plain_node(node), view(key), view(why));
  return TL_INVALID;
}

std::uint32_t has(tl_host* host, tl_str what) {
  Instance* instance = in_setup(host);
  return instance && instance->services.has(view(what)) ? 1 : 0;
}

tl_str file(tl_host* host, tl_str name) {
  Instance* instance = in_setup(host);
  if (instance)
    for (const EmbeddedFile& embedded : instance->files)
      if (embedded.name == view(name)) return str(embedded.content);
  return {};
}

}  // namespace

const tl_setup_v1 kSetupTable = {sizeof(tl_setup_v1), 0,        subscribe, add,    table,  need, metric,
                                 commit_every,        settings, used,      unread, refuse, has,  file};

}  // namespace trellis::host

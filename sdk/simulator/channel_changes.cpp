// Changes of channels and threads that REST makes, with what follows from them.
#include "api_error.hpp"
#include "gateway.hpp"
#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

void Gateway::change_channel(std::uint32_t index, const json::object& changes) {
  Channel& channel = world.channels[index];
  auto all = std::make_shared<json::object>(channel.changes ? *channel.changes : json::object{});
  for (const auto& [key, value] : changes) (*all)[key] = value;
  if (const json::value* name = changes.if_contains("name")) channel.name = std::string(name->as_string());
  channel.changes = std::move(all);
  const json::value* metadata = changes.if_contains("thread_metadata");
  if (metadata == nullptr) return;
  // Only active threads are listed, and written to by the stream.
  Guild& guild = world.guilds[channel.guild];
  std::erase(guild.threads, index);
  std::erase(guild.writable, index);
  if (metadata->at("archived").as_bool()) return;
  guild.threads.push_back(index);
  guild.writable.push_back(index);
}

void Gateway::wake_thread(std::uint32_t index) {
  json::object metadata = channel_object(world, index)["thread_metadata"].as_object();
  if (!metadata["archived"].as_bool()) return;
  if (metadata["locked"].as_bool()) refuse(400, 50083, "Thread is archived");
  metadata["archived"] = false;
  change_channel(index, {{"thread_metadata", std::move(metadata)}});
  announce_channel("THREAD_UPDATE", index);
}

void Gateway::delete_thread(std::uint32_t index) {
  const Channel& thread = world.channels[index];
  const Snowflake guild = world.guilds[thread.guild].id;
  const Snowflake parent = world.channels[thread.parent].id;
  const json::object gone{{"id", id_text(thread.id)},
                          {"guild_id", id_text(guild)},
                          {"parent_id", id_text(parent)},
                          {"type", static_cast<int>(thread.kind)}};
  // Where its messages belong stays true.
  truth.parent(thread.id, parent);
  forget_recent(index, 0);
  rest.thread_members.erase(thread.id);
  world.remove_channel(index);
  announce("THREAD_DELETE", json::serialize(gone), guild);
}

}  // namespace trellis::sim

// The one header to include. Four sentences carry the whole model:
//
//  1. A function that takes Work& stages; a function that takes Request& may wait. Request derives from Work, so
//  helpers
//     written for events serve commands, and an event handler cannot wait because it has nothing to wait with.
//  2. send() is surely and later, call() is now and with an answer. The same operation values serve both.
//  3. What you return is the answer; what you throw is the error. Both after (or instead of) the commit.
//  4. What you were given lives until the handler returns; what you looked up lives until the step ends.
#pragma once
#include <trellis/abi.h>

#include <cstring>
#include <trellis/discord/pages.hpp>
#include <trellis/gateway.hpp>
#include <trellis/setup.hpp>

#define TRELLIS_SDK_VERSION 100u  // major * 10000 + minor * 100 + patch

namespace trellis {

/// A plugin. Its constructor takes Setup&, declares everything and may throw to refuse. Its handlers run one at a time,
/// on threads of the host's. Members are caches of what it committed: the host may drop the instance at any time and
/// make a new one, and during a reload both exist for a while. So nothing is declared at namespace scope that changes.
class Plugin {
 public:
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

 protected:
  Plugin() = default;
  ~Plugin() = default;
};

namespace detail {

consteval bool is_plugin_id(std::string_view id) {
  if (id.empty() || id.size() > 31 || id[0] < 'a' || id[0] > 'z') return false;
  for (char c : id)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

consteval tl_note note(std::string_view id, std::string_view version, std::string_view needs = {}) {
  if (!is_plugin_id(id)) throw "a plugin's id is [a-z][a-z0-9_]{0,30}";
  if (version.empty() || version.size() > 31) throw "a version has 1 to 31 characters";
  if (needs.size() > 159) throw "needs has at most 159 characters: \"leveling >= 1.2, economy\"";
  tl_note note{};
  note.name_size = 8;
  note.desc_size = sizeof(tl_manifest);
  note.type = 1;
  for (std::size_t i = 0; i < 7; ++i) note.name[i] = "Trellis"[i];
  note.manifest.size = sizeof(tl_manifest);
  note.manifest.abi_major = TL_ABI_MAJOR;
  note.manifest.abi_minor = TL_ABI_MINOR;
  note.manifest.sdk = TRELLIS_SDK_VERSION;
  for (std::size_t i = 0; i < id.size(); ++i) note.manifest.id[i] = id[i];
  for (std::size_t i = 0; i < version.size(); ++i) note.manifest.version[i] = version[i];
  for (std::size_t i = 0; i < needs.size(); ++i) note.manifest.needs[i] = needs[i];
  return note;
}

inline void write_reason(char* text, std::uint64_t size, std::string_view why) noexcept {
  if (!text || size == 0) return;
  const std::size_t length = why.size() < size ? why.size() : static_cast<std::size_t>(size - 1);
  if (length > 0) std::memcpy(text, why.data(), length);
  text[length] = '\0';
}

template <class P>
struct Created {
  Instance instance;  // ends after the plugin
  std::unique_ptr<P> plugin;
};

template <class P>
tl_status create(const tl_entry_args* args, tl_plugin* out, char* text, std::uint64_t text_size) noexcept {
  static_assert(std::derived_from<P, Plugin> && std::constructible_from<P, Setup&>,
                "class X final : public trellis::Plugin, with a constructor X(trellis::Setup&)");
  write_reason(text, text_size, {});
  std::unique_ptr<Created<P>> created;
  tl_status status = TL_FAILED;
  try {
    created = std::make_unique<Created<P>>();
    created->instance.open(*args);
    Setup setup(&created->instance);
    created->plugin = std::make_unique<P>(setup);
    setup.finish();
    if (created->instance.refused) return TL_INVALID;  // the host has recorded why
    out->self = created.release();
    out->destroy = [](void* self) { delete static_cast<Created<P>*>(self); };
    return TL_OK;
  } catch (const Error& error) {
    status = status_of(error.code());
    if (!created || !created->instance.refused) write_reason(text, text_size, error.what());
  } catch (const std::exception& error) {
    write_reason(text, text_size, error.what());
  } catch (...) {
    write_reason(text, text_size, "the constructor threw something that is no std::exception");
  }
  return status;
}

}  // namespace detail
}  // namespace trellis

// AddressSanitizer would pad the note.
#if defined(__clang__)
#define TRELLIS_AS_IT_IS [[clang::no_sanitize("address")]]
#else
#define TRELLIS_AS_IT_IS
#endif

/// TRELLIS_PLUGIN(Class, "id", "1.0.0"); with other plugins that it calls a fourth one: "leveling >= 1.2, economy".
#define TRELLIS_PLUGIN(Class, plugin_id, plugin_version, ...)                                             \
  TRELLIS_AS_IT_IS [[gnu::used, gnu::retain, gnu::section(".note.trellis")]] alignas(                     \
      4) static constinit const tl_note trellis_note =                                                    \
      trellis::detail::note(plugin_id, plugin_version __VA_OPT__(, ) __VA_ARGS__);                        \
  extern "C" TL_EXPORT tl_status trellis_plugin_v1(const tl_entry_args* args, tl_plugin* out, char* text, \
                                                   uint64_t text_size) {                                  \
    return trellis::detail::create<Class>(args, out, text, text_size);                                    \
  }

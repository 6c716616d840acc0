// From a handler's signature to a function the host can call. Not for authors.
#pragma once
#include <trellis/detail/limits.hpp>
#include <trellis/work.hpp>
#include <tuple>

namespace trellis::detail {

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class R, class C, class First, class... Rest>
struct Signature<R (C::*)(First, Rest...)> {
  using result = R;
  using first = std::remove_cvref_t<First>;
  using rest = std::tuple<std::remove_cvref_t<Rest>...>;
};
template <class R, class C, class First, class... Rest>
struct Signature<R (C::*)(First, Rest...) const> : Signature<R (C::*)(First, Rest...)> {};
template <class R, class C, class First, class... Rest>
struct Signature<R (C::*)(First, Rest...) noexcept> : Signature<R (C::*)(First, Rest...)> {};
template <class R, class C, class First, class... Rest>
struct Signature<R (C::*)(First, Rest...) const noexcept> : Signature<R (C::*)(First, Rest...)> {};

template <class T>
inline constexpr bool is_parameter = std::is_arithmetic_v<T> || is_id<T>;
template <>
inline constexpr bool is_parameter<std::string> = true;
template <>
inline constexpr bool is_parameter<std::string_view> = true;
template <>
inline constexpr bool is_parameter<Day> = true;
template <>
inline constexpr bool is_parameter<Time> = true;
template <>
inline constexpr bool is_parameter<JsonView> = true;
template <>
inline constexpr bool is_parameter<Attachment> = true;
template <class T>
inline constexpr bool is_parameter<std::optional<T>> = is_parameter<T>;

/// tl_param.flags: what an id is the id of, in the second byte.
inline constexpr std::uint32_t kUser = 1u << 8, kChannel = 2u << 8, kRole = 3u << 8, kAttachment = 4u << 8,
                               kMentionable = 5u << 8;
template <class T>
constexpr std::uint32_t parameter_flags() {
  if constexpr (is_optional<T>) return parameter_flags<typename T::value_type>();
  return std::same_as<T, UserId>          ? kUser
         : std::same_as<T, ChannelId>     ? kChannel
         : std::same_as<T, RoleId>        ? kRole
         : std::same_as<T, Attachment>    ? kAttachment
         : std::same_as<T, MentionableId> ? kMentionable
                                          : 0;
}
template <class T>
constexpr std::uint32_t parameter_kind() {
  if constexpr (is_optional<T>)
    return parameter_kind<typename T::value_type>();
  else if constexpr (std::same_as<T, Attachment>)
    return TL_JSON;
  else
    return value_kind<T>();
}

template <class Asker, class Handler, class... P>
constexpr void check_request() {
  using S = Signature<Handler>;
  static_assert(std::derived_from<Asker, typename S::first>,
                "the handler's first parameter must be what asks (Command&, Interaction&, HttpRequest&, JobRun&) or a "
                "base of it: Request&, Work&");
  static_assert(std::tuple_size_v<typename S::rest> == sizeof...(P),
                "declare one param(…) for each further parameter of the handler");
  []<class... T>(std::type_identity<std::tuple<T...>>) {
    static_assert((is_parameter<T> && ...),
                  "a parameter is a number, bool, text, id, Day, Time, Attachment, JsonView, or std::optional of one");
  }(std::type_identity<typename S::rest>{});
}
template <class Answered, class Handler>
inline constexpr bool answers = std::is_void_v<typename Signature<Handler>::result> ||
                                std::convertible_to<typename Signature<Handler>::result, Answered>;

/// A member function with its object.
template <class Self, class Function>
struct Member {
  Self* self;
  Function function;
  template <class... A>
  decltype(auto) operator()(A&&... arguments) {
    return (self->*function)(std::forward<A>(arguments)...);
  }
};

template <class E, class F>
struct EventHandler final : Handler {
  explicit EventHandler(F f) : function(std::move(f)) {}
  F function;

  static tl_status run(void* self, tl_turn turn, const tl_event* raw) noexcept {
    auto* me = static_cast<EventHandler*>(self);
    return me->instance->run(turn, [&] {
      const Turn right{me->instance, turn};
      const E event(*raw, right);
      EventWork work(right);
      me->function(event, work);
    });
  }
};

template <class T>
T take_parameter(JsonView args, std::size_t index, const std::string& name) {
  const JsonView json = args.is_array() ? args[index] : args[name];
  if constexpr (!is_optional<T> && !std::same_as<T, JsonView>)
    if (!json) throw Refused("\"" + name + "\" is required.");
  T value{};
  if (from_json(json, value)) return value;
  throw Refused("\"" + name + "\" must be " + std::string(type_name<T>()) + ", not " + shortened(json.dump(), 100) +
                ".");
}

inline void send_answer(const Turn&, const Json&);

/// Answered: what the result is made to before it is sent; void = nobody asks.
template <class Asker, class Answered, class F, class Parameters>
struct RequestHandler final : Handler {
  RequestHandler(F f, std::vector<std::string> parameters) : function(std::move(f)), names(std::move(parameters)) {}
  F function;
  std::vector<std::string> names;

  static tl_status run(void* self, tl_turn turn, const tl_request* raw) noexcept {
    auto* me = static_cast<RequestHandler*>(self);
    return me->instance->run(turn, [&] {
      const Turn right{me->instance, turn};
      Asker asker(right, *raw);
      // Braces: arguments of a function are evaluated in no particular order.
      Parameters parameters = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return Parameters{take_parameter<std::tuple_element_t<I, Parameters>>(JsonView(raw->args), I, me->names[I])...};
      }(std::make_index_sequence<std::tuple_size_v<Parameters>>{});
      const auto call = [&]() -> decltype(auto) {
        return std::apply(
            [&](auto&... parameter) -> decltype(auto) { return me->function(asker, std::move(parameter)...); },
            parameters);
      };
      if constexpr (std::is_void_v<decltype(call())>) {
        call();
        me->instance->stage(turn);
        if constexpr (std::same_as<Answered, Json>) send_answer(right, Json());
      } else {
        const Answered answer(call());
        me->instance->stage(turn);
        send_answer(right, answer);
      }
    });
  }
};

template <>
inline bool from_json<Attachment>(JsonView json, Attachment& out) {
  out = {json["filename"].text(), json["content_type"].text(), json["url"].text(), json["size"].integer()};
  return json.is_object();
}

}  // namespace trellis::detail

// Discord objects, events, messages to send and REST operations. The operations are values: work.send(op) does one
// surely and later, request.call(op) does it now and answers. All are [any]: making one does nothing. A last parameter
// `reason` is what the server's audit log shows.
#pragma once
#include <trellis/detail/events.hpp>
#include <trellis/detail/messages.hpp>
#include <trellis/discord/channels.hpp>
#include <trellis/discord/emojis.hpp>
#include <trellis/discord/guilds.hpp>
#include <trellis/discord/invites.hpp>
#include <trellis/discord/members.hpp>
#include <trellis/discord/messages.hpp>
#include <trellis/discord/reactions.hpp>
#include <trellis/discord/rest.hpp>
#include <trellis/discord/roles.hpp>
#include <trellis/discord/threads.hpp>
#include <trellis/discord/users.hpp>
#include <trellis/discord/views.hpp>
#include <trellis/discord/webhooks.hpp>

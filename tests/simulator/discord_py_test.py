"""discord.py, unpatched, takes the simulator for Discord."""
import asyncio
import datetime
import io
import json
import os
import re
import subprocess
import sys
import urllib.request

import discord
import yarl
from discord import app_commands


class Simulator:
    def __init__(self, *flags):
        if "TRELLIS_ANSWERS" in os.environ:
            flags = (*flags, "--answers", os.environ["TRELLIS_ANSWERS"])
        self.process = subprocess.Popen([os.environ["TRELLIS_SIM"], *flags], stdout=subprocess.PIPE, text=True)
        self.base = re.search(r"http://\S+", self.process.stdout.readline()).group(0)

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers={"Authorization": "Bot x"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error

    def fault(self, name, **more):
        return self.call("/_sim/fault", {"fault": name, **more})

    def print_transcript(self):
        """What the client did, as the simulator saw it."""
        lines = [f"{one['method']} {one['path']} -> {one['status']} {one.get('code', '')}".rstrip() for one in self.call("/_sim/requests")]
        sent = self.call("/_sim/truth")["dispatches"]
        lines.append("was sent " + ", ".join(f"{count} {name}" for name, count in sent.items()))
        for line in lines:
            print("discord.py:", line)
        if "TRELLIS_TRANSCRIPT" in os.environ:
            with open(os.environ["TRELLIS_TRANSCRIPT"], "w") as file:
                file.writelines(line + "\n" for line in lines)

    def stop(self):
        self.process.terminate()
        self.process.wait()


async def until(condition, what, seconds=60):
    for _ in range(seconds * 50):
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Bot(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents.all(), enable_debug_events=True)
        self.tree = app_commands.CommandTree(self)
        self.types = []
        self.failures = []
        self.answered = []
        self.executions = []
        self.tree.error(self.note)

    async def on_automod_action(self, execution):
        self.executions.append(execution)

    async def note(self, interaction, error):
        self.failures.append(error)

    async def on_error(self, name, *args):
        self.failures.append((name, sys.exc_info()[1]))

    async def on_socket_raw_receive(self, text):
        payload = json.loads(text)
        if payload["op"] == 0:
            self.types.append(payload["t"])


class Buttons(discord.ui.View):
    @discord.ui.button(label="Go", custom_id="go")
    async def go(self, interaction, button):
        await interaction.response.edit_message(content="gone", view=None)


def register(bot):
    @bot.tree.command(description="Says hello")
    async def hello(interaction: discord.Interaction, who: discord.Member, times: int = 1):
        await interaction.response.send_message(f"hello {who.name} {times}", view=Buttons())
        bot.answered.append(await interaction.original_response())

    @bot.tree.command(description="Takes its time")
    async def slow(interaction: discord.Interaction):
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content="at last", attachments=[discord.File(io.BytesIO(b"AAA"), "a.txt")])
        bot.answered.append(await interaction.followup.send("more", wait=True))

    @hello.autocomplete("times")
    async def times(interaction: discord.Interaction, current: int):
        return [app_commands.Choice(name="thrice", value=3)]


async def messages(channel):
    message = await channel.send("hello", embed=discord.Embed(title="T"), file=discord.File(io.BytesIO(b"AAAA"), "a.txt", description="four"))
    assert message.attachments[0].size == 4 and message.attachments[0].description == "four"
    assert await message.attachments[0].read() == b"AAAA"
    assert (await message.edit(content="changed")).content == "changed"
    await message.add_reaction("🔥")
    await message.pin(reason="worth it")
    assert [pin.id for pin in await channel.pins()] == [message.id]
    for number in range(6):
        await channel.send(str(number))
    assert [one.content async for one in channel.history(limit=7)] == ["5", "4", "3", "2", "1", "0", "changed"]
    assert [one.content async for one in channel.history(limit=3, after=message)] == ["0", "1", "2"]
    await channel.purge(limit=3)
    assert (await channel.fetch_message(message.id)).reactions[0].count == 1
    await message.delete()
    try:
        await channel.fetch_message(message.id)
        raise AssertionError("a deleted message was found")
    except discord.NotFound as error:
        assert error.code == 10008


async def moderation(simulator, guild, channel):
    person = next(member for member in guild.members if not member.bot and member != guild.owner)
    role = await guild.create_role(name="Level 1", reason="levels")
    await person.add_roles(role, reason="earned")
    await until(lambda: role in guild.get_member(person.id).roles, "GUILD_MEMBER_UPDATE")
    room = await guild.create_text_channel("room", topic="x")
    await room.edit(name="other")
    await room.set_permissions(person, send_messages=False)
    thread = await room.create_thread(name="talk", type=discord.ChannelType.public_thread)
    await thread.send("inside")
    await thread.edit(archived=True)
    hook = await channel.create_webhook(name="hook")
    assert (await hook.send("posted", username="Somebody", wait=True)).author.name == "Somebody"
    await hook.delete()
    await room.delete()
    await until(lambda: guild.get_channel(room.id) is None, "CHANNEL_DELETE")
    await guild.ban(person, reason="naïve ✓", delete_message_seconds=0)
    assert (await guild.fetch_ban(person)).reason == "naïve ✓"
    assert len([member async for member in guild.fetch_members(limit=None)]) == guild.member_count
    assert simulator.call("/_sim/truth")["members"][str(guild.id)] == guild.member_count
    entries = [entry async for entry in guild.audit_logs(limit=3)]
    assert entries[0].reason == "naïve ✓" and entries[0].action == discord.AuditLogAction.ban


async def planning(simulator, bot, guild, channel):
    """Scheduled events and auto moderation."""
    person = next(one for one in guild.members if not one.bot and one != guild.owner and not one.guild_permissions.manage_guild)
    start = discord.utils.utcnow() + datetime.timedelta(hours=1)
    event = await guild.create_scheduled_event(
        name="Picnic", start_time=start, end_time=start + datetime.timedelta(hours=1), location="the park",
        entity_type=discord.EntityType.external, privacy_level=discord.PrivacyLevel.guild_only,
    )
    await asyncio.to_thread(simulator.call, "/_sim/event", {"event": str(event.id), "user": str(person.id)})
    assert [user.id async for user in event.users()] == [person.id]
    event = await event.start()
    assert event.status == discord.EventStatus.active
    await until(lambda: guild.get_scheduled_event(event.id).status == discord.EventStatus.active, "the update")
    await event.end()
    trigger = discord.AutoModTrigger(keyword_filter=["bad*"])
    rule = await guild.create_automod_rule(
        name="Words", event_type=discord.AutoModRuleEventType.message_send, trigger=trigger,
        actions=[discord.AutoModRuleAction()], enabled=True,
    )
    assert [one.id for one in await guild.fetch_automod_rules()] == [rule.id]
    said = {"content": "so badly", "user": str(person.id), "channel": str(channel.id)}
    assert (await asyncio.to_thread(simulator.call, "/_sim/message", said))["blocked"]
    await until(lambda: bot.executions, "the execution")
    assert (bot.executions[0].rule_id, bot.executions[0].matched_keyword) == (rule.id, "bad*")
    await rule.delete()


async def interactions(simulator, bot, guild, channel):
    register(bot)
    assert len(await bot.tree.sync()) == 2
    assert len(await bot.tree.fetch_commands()) == 2
    person = next(member for member in guild.members if not member.bot)

    def act(**script):
        place = {"guild": str(guild.id), "channel": str(channel.id), "user": str(person.id)}
        return asyncio.to_thread(simulator.call, "/_sim/interaction", {**place, **script})

    await act(command="hello", options={"who": str(person.id), "times": 2})
    message = await until(lambda: bot.answered and bot.answered[0], "the answer")
    assert message.content == f"hello {person.name} 2"
    await act(command="slow")
    await until(lambda: len(bot.answered) == 2, "the follow-up")
    await act(button="go", message=str(message.id))
    await act(autocomplete="hello", focused="times", options={"times": 1})

    def all_answered():
        return [one["callback"] and one["callback"]["type"] for one in simulator.call("/_sim/interactions")] == [4, 5, 7, 8]

    await until(all_answered, "all answers")
    account = simulator.call("/_sim/interactions")
    assert account[1]["edits"][0]["data"]["content"] == "at last"
    assert account[3]["callback"]["data"]["choices"] == [{"name": "thrice", "value": 3}]
    assert all(not one["refused"] for one in account)


async def main():
    flags = ["--rate", "50", "--total", "400", "--start", "now", "--span-days", "0"]
    simulator = Simulator(*flags)
    try:
        discord.http.Route.BASE = simulator.base + "/api/v10"
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(simulator.base.replace("http", "ws"))
        bot = Bot()
        login = asyncio.create_task(bot.start("x"))
        await until(lambda: login.done() or bot.is_ready(), "READY")
        if login.done():
            login.result()
        assert len(bot.guilds) == 3 and all(guild.me for guild in bot.guilds)
        simulator.fault("reconnect")
        await until(lambda: "RESUMED" in bot.types, "RESUMED after op 7")
        guild = bot.guilds[0]
        channel = next(one for one in guild.text_channels)
        await until(lambda: all(one["finished"] for one in simulator.call("/_sim/sessions")), "the end of the stream")
        await messages(channel)
        await moderation(simulator, guild, channel)
        await planning(simulator, bot, guild, channel)
        await interactions(simulator, bot, guild, channel)
        sent = simulator.call("/_sim/truth")["dispatches"]
        await until(lambda: len(bot.types) >= sum(sent.values()), "all dispatches")
        assert {name: bot.types.count(name) for name in set(bot.types)} == sent
        assert not bot.failures, bot.failures
        await bot.close()
        simulator.print_transcript()
    finally:
        simulator.stop()


asyncio.run(asyncio.wait_for(main(), 240))

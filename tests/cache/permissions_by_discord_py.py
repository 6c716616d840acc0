"""What discord.py computes for the servers of permission_cases must be what the cache computes, with all that one
permission implies for others. The program's path is in PERMISSION_CASES."""
import json
import os
import subprocess

import discord

# Newer bits this version of discord.py does not know in its own rules, and asking to speak it leaves to who cannot connect.
KNOWN = (1 << 41) - 1 & ~discord.Permissions(request_to_speak=True).value

output = subprocess.run([os.environ['PERMISSION_CASES'], '11', '300'], check=True, capture_output=True, text=True).stdout
state = discord.Client(intents=discord.Intents.none())._connection
compared = 0
for line in output.splitlines():
    case = json.loads(line)
    guild = discord.Guild(data=case['guild'], state=state)
    members = {m['user']['id']: discord.Member(data=m, guild=guild, state=state) for m in case['guild']['members']}
    for answer in case['answers']:
        if answer['channel'] is None:
            continue
        member = members[answer['user']]
        channel = guild.get_channel(int(answer['channel']))
        if isinstance(channel, discord.CategoryChannel):
            continue  # it applies nothing that is implied there
        permissions = channel.permissions_for(member)
        known = KNOWN
        if not isinstance(channel, (discord.VoiceChannel, discord.StageChannel)):
            known &= ~discord.Permissions.voice().value  # it leaves them out where there is no voice
        expected = permissions.value & known
        if not permissions.view_channel:
            expected = 0  # it leaves those that concern no channel
        found = int(answer['bits']) & known
        assert found == expected, (guild.id, answer, expected, found, found ^ expected)
        compared += 1
assert compared >= 10_000, compared
print(compared, 'as discord.py has them')

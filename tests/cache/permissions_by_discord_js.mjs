// What discord.js computes for the servers of permission_cases must be what the cache computes. discord.js leaves out
// what one permission implies for others and time-outs, so these are added here as Discord's documentation has them.
// Run in the folder of the simulator's node modules, with the program's path in PERMISSION_CASES.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';

const { Client, PermissionFlagsBits: Flag, PermissionsBitField } = createRequire(`${process.cwd()}/`)('discord.js');

const bits = (...names) => names.reduce((all, name) => all | Flag[name], 0n);
const notWithoutSending = bits('MentionEveryone', 'SendTTSMessages', 'AttachFiles', 'EmbedLinks');
const notWithoutConnecting = bits('ManageChannels', 'ManageRoles', 'PrioritySpeaker', 'Stream', 'Speak', 'MuteMembers',
  'DeafenMembers', 'MoveMembers', 'UseVAD', 'RequestToSpeak', 'UseEmbeddedActivities', 'UseSoundboard',
  'UseExternalSounds', 'SetVoiceChannelStatus');
const whileTimedOut = bits('ViewChannel', 'ReadMessageHistory');

function implied(channel, raw, timedOut) {
  let all = raw;
  if (channel) {
    if (!(all & Flag.ViewChannel)) return 0n;
    if (!(all & Flag.SendMessages)) all &= ~notWithoutSending;
    if (channel.isVoiceBased() && !(all & Flag.Connect)) all &= ~notWithoutConnecting;
  }
  return timedOut ? all & whileTimedOut : all;
}

const output = execFileSync(process.env.PERMISSION_CASES, ['7', '300'], { encoding: 'utf8', maxBuffer: 1 << 28 });
let compared = 0;
for (const line of output.split('\n').filter(Boolean)) {
  const { guild: data, answers } = JSON.parse(line);
  const client = new Client({ intents: [] });
  const guild = client.guilds._add(data);
  for (const { user, timedOut, channel: id, bits: ours, top } of answers) {
    const member = guild.members.cache.get(user);
    const channel = id && guild.channels.cache.get(id);
    if (!member || (id && !channel)) throw new Error(`discord.js does not know ${user} or ${id}`);
    const raw = (channel ? channel.permissionsFor(member) : member.permissions).bitfield;
    const unlimited = user === guild.ownerId || member.permissions.has(Flag.Administrator);
    // "Everything" is what each library knows of.
    const expected = unlimited ? PermissionsBitField.All : implied(channel, raw, timedOut);
    const found = unlimited ? BigInt(ours) & PermissionsBitField.All : BigInt(ours);
    const where = `guild ${guild.id}, member ${user}, channel ${id}`;
    if (found !== expected) throw new Error(`${where}: discord.js says ${expected}, the cache ${found}`);
    if (user !== guild.ownerId && member.roles.highest.id !== top)
      throw new Error(`${where}: the highest role is ${member.roles.highest.id} for discord.js, ${top} for the cache`);
    compared += 1;
  }
  client.destroy();
}
if (compared < 10_000) throw new Error(`only ${compared} were compared`);
console.log(`${compared} as discord.js has them`);

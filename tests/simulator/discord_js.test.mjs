// discord.js, unmodified, takes the simulator for Discord.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ActionRowBuilder, ButtonBuilder, ButtonStyle, Client, EmbedBuilder, Events, GatewayIntentBits, ModalBuilder, TextInputBuilder, TextInputStyle } from 'discord.js';
import { Simulator, countMessages, countTypes, stopWithTranscript, until } from './sim.mjs';

const intents = Object.values(GatewayIntentBits).filter((bit) => typeof bit === 'number');

async function connect(sim, options = {}) {
  const client = new Client({ intents, rest: { api: `${sim.base}/api` }, ...options });
  const raw = [];
  client.on(Events.Raw, (packet) => packet.op === 0 && raw.push(packet));
  client.on(Events.Error, (error) => raw.errors.push(error));
  raw.errors = [];
  const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login('simulated.token');
  await ready;
  return { client, raw };
}

test('logs in, sees the servers, and counts every dispatch through a forced reconnect and a close', async () => {
  const sim = await Simulator.start('--rate', '2000', '--total', '9000', '--span-days', '3', '--dm-share', '0.01');
  try {
    const { client, raw } = await connect(sim);
    assert.equal(client.guilds.cache.size, 3);
    for (const guild of client.guilds.cache.values()) {
      assert.ok(guild.available);
      assert.ok(guild.channels.cache.size >= 20, 'channels and threads');
      assert.ok(guild.members.me, 'the bot itself is a member');
    }
    let seen = 0;
    client.on(Events.MessageCreate, (message) => (seen += message.author ? 1 : 0));
    await until(() => seen > 500, 'messages');
    assert.equal((await sim.fault('reconnect')).sessions, 1);
    await until(() => raw.some(({ t }) => t === 'RESUMED'), 'RESUMED after op 7');
    const before = seen;
    await until(() => seen > before + 500, 'messages after the resume');
    await sim.fault('close', { code: 4000 });
    await until(() => raw.filter(({ t }) => t === 'RESUMED').length === 2, 'RESUMED after close 4000');
    await until(() => sim.finished(), 'the end of the stream');
    const truth = await sim.truth();
    const all = Object.values(truth.dispatches).reduce((a, b) => a + b);
    await until(() => raw.length >= all, 'all dispatches');
    assert.deepEqual(countTypes(raw), truth.dispatches);
    assert.deepEqual(countMessages(raw), truth.messages);
    assert.equal(truth.messages_total_sent, 9000);
    for (const guild of client.guilds.cache.values()) assert.equal(guild.memberCount, truth.members[guild.id]);
    assert.deepEqual(raw.errors, []);
    await client.destroy();
  } finally {
    await stopWithTranscript(sim, 'discord.js');
  }
});

test('identifies anew when told that its session is invalid', async () => {
  const sim = await Simulator.start('--rate', '200', '--identify-interval', '0');
  try {
    const { client, raw } = await connect(sim);
    const first = (await sim.sessions())[0].session_id;
    await sim.fault('invalid_session', { resumable: false });
    await until(() => raw.filter(({ t }) => t === 'READY').length === 2, 'a second READY');
    const sessions = await sim.sessions();
    assert.equal(sessions.length, 1);
    assert.notEqual(sessions[0].session_id, first);
    await client.destroy();
  } finally {
    await stopWithTranscript(sim, 'discord.js');
  }
});

test('runs the shards it is recommended', async () => {
  const flags = ['--rate', '500', '--guilds', '12', '--shards', '3', '--max-concurrency', '3', '--total', '900'];
  const sim = await Simulator.start(...flags);
  try {
    const { client, raw } = await connect(sim, { shards: 'auto' });
    assert.equal(client.ws.shards.size, 3);
    assert.equal(client.guilds.cache.size, 12);
    await until(() => sim.finished(3), 'the end of the streams');
    const truth = await sim.truth();
    const all = Object.values(truth.dispatches).reduce((a, b) => a + b);
    await until(() => raw.length >= all, 'all dispatches');
    assert.deepEqual(countTypes(raw), truth.dispatches);
    assert.equal(truth.messages_total_sent, 900);
    await client.destroy();
  } finally {
    await stopWithTranscript(sim, 'discord.js');
  }
});

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-global', '0'];

async function withClient(body, ...flags) {
  const sim = await Simulator.start(...still, ...flags);
  const { client, raw } = await connect(sim);
  try {
    const guild = client.guilds.cache.first();
    const channel = guild.channels.cache.find(({ type }) => type === 0);
    await body({ sim, client, raw, guild, channel });
    assert.deepEqual(raw.errors, []);
  } catch (error) {
    error.message += `\n--- trellis-sim said:\n${sim.log}`;
    throw error;
  } finally {
    await client.destroy();
    await stopWithTranscript(sim, 'discord.js');
  }
}

test('writes with embeds, buttons and a file, edits, reacts, pins, and reads back page by page', () => withClient(async ({ client, channel }) => {
  const created = [];
  client.on(Events.MessageCreate, (message) => created.push(message.id));
  const go = new ButtonBuilder().setCustomId('go').setLabel('Go').setStyle(ButtonStyle.Primary);
  const message = await channel.send({
    content: 'hello',
    embeds: [new EmbedBuilder().setTitle('Title').setImage('attachment://a.txt')],
    components: [new ActionRowBuilder().addComponents(go)],
    files: [{ attachment: Buffer.from('AAA'), name: 'a.txt', description: 'three letters' }],
  });
  assert.deepEqual([message.attachments.first().size, message.attachments.first().description], [3, 'three letters']);
  assert.equal(message.embeds[0].image.url, message.attachments.first().url);
  await until(() => created.includes(message.id), 'MESSAGE_CREATE');
  assert.equal((await message.edit('changed')).content, 'changed');
  await message.react('🔥');
  await message.pin('worth it');
  assert.equal((await channel.messages.fetchPins()).items[0].message.id, message.id);
  assert.equal((await message.fetch()).reactions.cache.get('🔥').count, 1);
  for (let i = 0; i < 5; ++i) await channel.send(`${i}`);
  const newest = await channel.messages.fetch({ limit: 3 });
  assert.deepEqual(newest.map(({ content }) => content), ['4', '3', '2']);
  const older = await channel.messages.fetch({ limit: 3, before: newest.last().id, cache: false });
  assert.deepEqual(older.map(({ content }) => content), ['1', '0', 'changed']);
  assert.equal((await channel.bulkDelete(3)).size, 3);
  await message.delete();
  await assert.rejects(channel.messages.fetch({ message: message.id, force: true }), { code: 10008 });
}));

test('registers commands and answers them, a button and a modal', () => withClient(async ({ sim, client, channel, guild }) => {
  const commands = [
    { name: 'hello', description: 'Says hello', options: [{ type: 6, name: 'who', description: 'To whom', required: true }] },
    { name: 'slow', description: 'Takes its time' },
  ];
  assert.equal((await client.application.commands.set(commands)).size, 2);
  assert.equal((await client.application.commands.fetch()).size, 2);
  await assert.rejects(client.application.commands.create({ name: 'Not Good', description: 'x' }), { code: 50035 });
  const seen = [];
  client.on(Events.InteractionCreate, async (interaction) => {
    try {
      if (interaction.isChatInputCommand() && interaction.commandName === 'hello') {
        const go = new ButtonBuilder().setCustomId('go').setLabel('Go').setStyle(ButtonStyle.Primary);
        const { resource } = await interaction.reply({ content: `hello ${interaction.options.getMember('who').user.username}`, components: [new ActionRowBuilder().addComponents(go)], withResponse: true });
        seen.push(resource.message);
      } else if (interaction.isChatInputCommand()) {
        await interaction.deferReply();
        await interaction.editReply('at last');
        seen.push(await interaction.followUp({ content: 'and more', flags: 64 }));
      } else if (interaction.isButton()) {
        const input = new TextInputBuilder().setCustomId('name').setLabel('Name').setStyle(TextInputStyle.Short);
        await interaction.showModal(new ModalBuilder().setCustomId('form').setTitle('Form').addComponents(new ActionRowBuilder().addComponents(input)));
        seen.push(interaction);
      } else if (interaction.isModalSubmit()) {
        await interaction.update({ content: interaction.fields.getTextInputValue('name'), components: [] });
        seen.push(interaction);
      }
    } catch (error) {
      seen.push(error);
    }
  });
  const act = async (script) => {
    const before = seen.length;
    const { status, body } = await sim.post('/_sim/interaction', { guild: guild.id, channel: channel.id, ...script });
    assert.equal(status, 200, JSON.stringify(body));
    await until(() => seen.length > before, 'the answer');
    if (seen.at(-1) instanceof Error) throw seen.at(-1);
    return { id: body.id, result: seen.at(-1) };
  };
  const person = (await guild.members.fetch()).find(({ user }) => !user.bot);
  const hello = await act({ command: 'hello', options: { who: person.id }, user: person.id });
  assert.equal(hello.result.content, `hello ${person.user.username}`);
  const slow = await act({ command: 'slow' });
  assert.ok(slow.result.flags.has(64));
  const button = await act({ button: 'go', message: hello.result.id });
  await act({ modal: button.id, fields: { name: 'Ada' } });
  assert.equal((await channel.messages.fetch({ message: hello.result.id, force: true })).content, 'Ada');
  const account = (await sim.get('/_sim/interactions')).body;
  assert.deepEqual(account.map(({ callback }) => callback.type), [4, 5, 9, 7]);
  assert.equal(account[1].edits[0].data.content, 'at last');
  assert.ok(account.every(({ refused, failed }) => refused.length === 0 && !failed));
}));

test('moderates: roles, names, channels, threads, webhooks, bans', () => withClient(async ({ client, sim, guild, channel }) => {
  const members = await guild.members.fetch();
  assert.equal(members.size, guild.memberCount);
  const person = members.find(({ user, id }) => !user.bot && id !== guild.ownerId);
  const role = await guild.roles.create({ name: 'Level 1', colors: { primaryColor: 0xff }, reason: 'levels' });
  await person.roles.add(role, 'earned');
  assert.ok((await guild.members.fetch({ user: person.id, force: true })).roles.cache.has(role.id));
  const made = await guild.channels.create({ name: 'new room', topic: 'x' });
  await made.setName('other');
  await made.permissionOverwrites.edit(person.id, { SendMessages: false });
  await until(() => made.permissionOverwrites.cache.has(person.id), 'the overwrite');
  const thread = await made.threads.create({ name: 'talk' });
  await thread.send('inside');
  await thread.setArchived(true);
  const hook = await channel.createWebhook({ name: 'hook' });
  const posted = await hook.send({ content: 'posted', username: 'Somebody' });
  assert.equal(posted.author.username, 'Somebody');
  await hook.delete();
  await made.delete();
  await until(() => !guild.channels.cache.has(made.id), 'CHANNEL_DELETE');
  await guild.members.ban(person, { reason: 'naïve ✓' });
  assert.equal((await guild.bans.fetch(person.id)).reason, 'naïve ✓');
  await until(() => !guild.members.cache.has(person.id), 'GUILD_MEMBER_REMOVE');
  await guild.members.unban(person.id);
  const log = await guild.fetchAuditLogs({ limit: 5 });
  assert.ok(log.entries.some(({ reason }) => reason === 'naïve ✓'));
  assert.equal((await sim.truth()).members[guild.id], guild.memberCount);
}));

test('plans events, moderates by rules, keeps sounds, and ends a poll', () => withClient(async ({ sim, client, raw, guild, channel }) => {
  const person = (await guild.members.fetch()).find(({ user, id, permissions }) => !user.bot && id !== guild.ownerId && !permissions.has('ManageGuild'));
  const event = await guild.scheduledEvents.create({ name: 'Picnic', scheduledStartTime: Date.now() + 3_600_000, scheduledEndTime: Date.now() + 7_200_000, privacyLevel: 2, entityType: 3, entityMetadata: { location: 'the park' } });
  const joined = new Promise((resolve) => client.once(Events.GuildScheduledEventUserAdd, (...args) => resolve(args)));
  await sim.post('/_sim/event', { event: event.id, user: person.id });
  assert.deepEqual((await joined).map(({ id }) => id), [event.id, person.id]);
  assert.deepEqual([...(await event.fetchSubscribers({ withMember: true })).keys()], [person.id]);
  await event.setStatus(2);
  await until(() => guild.scheduledEvents.cache.get(event.id).isActive(), 'GUILD_SCHEDULED_EVENT_UPDATE');
  await event.delete();
  await until(() => !guild.scheduledEvents.cache.has(event.id), 'GUILD_SCHEDULED_EVENT_DELETE');

  const rule = await guild.autoModerationRules.create({ name: 'Words', eventType: 1, triggerType: 1, triggerMetadata: { keywordFilter: ['bad*'] }, actions: [{ type: 1 }], enabled: true });
  const executed = new Promise((resolve) => client.once(Events.AutoModerationActionExecution, resolve));
  const { body } = await sim.post('/_sim/message', { content: 'so badly', user: person.id, channel: channel.id });
  assert.deepEqual(body, { blocked: true, rule_id: rule.id });
  const execution = await executed;
  assert.deepEqual([execution.ruleId, execution.userId, execution.matchedKeyword, execution.content], [rule.id, person.id, 'bad*', 'so badly']);
  await rule.setEnabled(false);
  await rule.delete();
  await until(() => !guild.autoModerationRules.cache.has(rule.id), 'AUTO_MODERATION_RULE_DELETE');

  const sound = await guild.soundboardSounds.create({ file: Buffer.from('OggS'), contentType: 'audio/ogg', name: 'boing' });
  assert.equal((await sound.edit({ name: 'doing' })).name, 'doing');
  await sound.delete();
  const sticker = await guild.stickers.create({ file: { attachment: Buffer.from('89504e470d0a1a0a', 'hex'), name: 'hello.png' }, name: 'hello', tags: 'wave' });
  await until(() => guild.stickers.cache.has(sticker.id), 'GUILD_STICKERS_UPDATE');
  await sticker.delete();

  const message = await channel.send({ poll: { question: { text: 'Tea?' }, answers: [{ text: 'yes' }, { text: 'no' }], duration: 1, allowMultiselect: false } });
  const voted = new Promise((resolve) => client.once(Events.MessagePollVoteAdd, resolve));
  await sim.post('/_sim/vote', { message: message.id, answer: 2, user: person.id });
  assert.equal((await voted).text ?? (await voted).id, 'no');
  const ended = await message.poll.end();
  assert.ok(ended.poll.resultsFinalized);
  await until(() => raw.some(({ t, d }) => t === 'MESSAGE_CREATE' && d.type === 46), 'the result');
}));

test('waits as limits and faults demand, and gets through', () => withClient(async ({ sim, client, channel }) => {
  const limited = [];
  client.rest.on('rateLimited', (info) => limited.push(info));
  for (let i = 0; i < 7; ++i) await channel.send(`${i}`);
  assert.ok(limited.length > 0, 'it held back by itself');
  await sim.fault('rest_limit', { scope: 'shared', retry_after: 0.2, path: '/messages' });
  await channel.send('after a shared limit');
  await sim.fault('rest_error', { status: 502, path: '/messages', count: 2 });
  await channel.send('after two bad gateways');
  const { requests } = await sim.truth();
  assert.equal(requests.limited.user ?? 0, 0, 'it never ran into a bucket');
  assert.deepEqual((await channel.messages.fetch({ limit: 2 })).map(({ content }) => content), ['after two bad gateways', 'after a shared limit']);
}));

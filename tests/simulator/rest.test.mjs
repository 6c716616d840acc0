// What the HTTP API does, how it says no, and the dispatches that follow. Every answer is checked against the description.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Api, problem } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--start', 'now', '--span-days', '0', '--rest-limits', 'off', '--identify-interval', '0'];

async function withApi(flags, body) {
  await withSimulator([...still, ...(flags.includes('--rate') ? [] : ['--rate', '0.001']), ...flags], async (sim, url) => {
    const api = new Api(sim);
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    await body(api, await api.place(), client, sim);
  });
}

const dispatched = (client, type, fits = () => true) =>
  until(() => client.dispatches.findLast(({ t, d }) => t === type && fits(d))?.d, type);

test('who the bot is', () => withApi([], async (api, { guild, me }) => {
  await api.get('/gateway');
  await api.get('/gateway/bot');
  assert.equal((await api.get('/applications/@me')).id, me);
  const guilds = await api.get('/users/@me/guilds?with_counts=true');
  assert.ok(guilds[0].approximate_member_count > 100);
  assert.deepEqual((await api.get(`/users/@me/guilds?after=${guilds[0].id}&limit=1`)).map(({ id }) => id), [guilds[1].id]);
  assert.deepEqual((await api.get(`/users/@me/guilds?before=${guilds[2].id}&limit=1`)).map(({ id }) => id), [guilds[1].id]);
  assert.equal((await api.get(`/guilds/${guild}?with_counts=true`)).id, guild);
  await api.refused(404, 10004, 'GET', '/guilds/1');
  await api.refused(404, 10013, 'GET', '/users/1');
  await api.refused(404, 0, 'GET', '/nothing/here', undefined, { unchecked: true });
  await api.refused(405, 0, 'PUT', '/users/@me', {}, { unchecked: true });
  await api.refused(400, 50035, 'GET', `/guilds/${guild}/members?limit=many`);
  const stranger = await fetch(`${api.sim.base}/api/v10/users/@me`);
  assert.equal(stranger.status, 401);
}));

test('messages: write, read, edit, delete', () => withApi([], async (api, { channel, guild, me }, client) => {
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user;
  const made = await api.post(`/channels/${channel}/messages`, {
    content: `hello <@${person.id}> @everyone`,
    nonce: 'n1',
    embeds: [{ title: 'T', fields: [{ name: 'a', value: 'b' }] }],
    components: [{ type: 1, components: [{ type: 2, style: 1, label: 'go', custom_id: 'go' }] }],
    allowed_mentions: { parse: ['users'] },
  });
  assert.deepEqual(made.mentions.map(({ id }) => id), [person.id]);
  assert.equal(made.mention_everyone, false);
  assert.equal(made.author.id, me);
  assert.equal(made.embeds[0].type, 'rich');
  const created = await dispatched(client, 'MESSAGE_CREATE', ({ id }) => id === made.id);
  assert.deepEqual([created.guild_id, created.nonce, created.channel_type], [guild, 'n1', 0]);
  assert.ok(created.member.joined_at && !created.member.user);
  const reply = await api.post(`/channels/${channel}/messages`, { content: 'yes', message_reference: { message_id: made.id } });
  assert.deepEqual([reply.type, reply.referenced_message.id], [19, made.id]);
  const changed = await api.patch(`/channels/${channel}/messages/${made.id}`, { content: 'new', embeds: [] });
  assert.deepEqual([changed.content, changed.embeds.length, changed.components.length], ['new', 0, 1]);
  assert.ok(changed.edited_timestamp);
  assert.equal((await dispatched(client, 'MESSAGE_UPDATE')).content, 'new');
  assert.equal((await api.get(`/channels/${channel}/messages/${made.id}`)).content, 'new');
  await api.del(`/channels/${channel}/messages/${made.id}`);
  assert.deepEqual(await dispatched(client, 'MESSAGE_DELETE'), { id: made.id, channel_id: channel, guild_id: guild });
  await api.refused(404, 10008, 'GET', `/channels/${channel}/messages/${made.id}`);
  await api.refused(400, 50035, 'POST', `/channels/${channel}/messages`, { content: 'x', message_reference: { message_id: made.id } });
  await api.post(`/channels/${channel}/messages`, { content: 'x', message_reference: { message_id: made.id, fail_if_not_exists: false } });
  await api.post(`/channels/${channel}/typing`);
  assert.equal((await dispatched(client, 'TYPING_START', ({ user_id: id }) => id === me)).channel_id, channel);
}));

test('a message whose nonce is enforced is written once', () => withApi([], async (api, { channel }) => {
  const body = { content: 'once', nonce: '42', enforce_nonce: true };
  const first = await api.post(`/channels/${channel}/messages`, body);
  assert.equal((await api.post(`/channels/${channel}/messages`, body)).id, first.id);
  const free = await api.post(`/channels/${channel}/messages`, { content: 'once', nonce: '42' });
  assert.notEqual(free.id, first.id);
}));

test('forms that are wrong say where', () => withApi([], async (api, { channel }) => {
  const errors = async (body, ...expected) => {
    const answer = await api.refused(400, 50035, 'POST', `/channels/${channel}/messages`, body);
    const found = [];
    const walk = (node, at) => {
      for (const [key, value] of Object.entries(node)) {
        if (key === '_errors') found.push(...value.map(({ code }) => `${at.join('.')} ${code}`));
        else walk(value, [...at, key]);
      }
    };
    walk(answer.errors, []);
    assert.deepEqual(found.sort(), expected.sort());
  };
  const button = { type: 2, style: 1, label: 'x', custom_id: 'same' };
  await errors({ content: 'x'.repeat(2001) }, 'content BASE_TYPE_MAX_LENGTH');
  await errors({ content: 'x', nonce: 'x'.repeat(26) }, 'nonce BASE_TYPE_MAX_LENGTH');
  await errors({ embeds: Array(11).fill({ title: 'x' }) }, 'embeds BASE_TYPE_MAX_LENGTH');
  await errors({ embeds: [{ title: 'x'.repeat(257) }] }, 'embeds.0.title BASE_TYPE_MAX_LENGTH');
  await errors({ embeds: [{ fields: [{ name: 'a' }] }] }, 'embeds.0.fields.0.value BASE_TYPE_REQUIRED');
  await errors({ embeds: [{ description: 'x'.repeat(4000) }, { description: 'x'.repeat(2001) }] }, 'embeds MAX_EMBED_SIZE_EXCEEDED');
  await errors({ embeds: [{ url: 'nothing' }] }, 'embeds.0.url URL_TYPE_INVALID_URL');
  await errors({ embeds: [{ timestamp: 'soon' }] }, 'embeds.0.timestamp DATE_TIME_TYPE_PARSE');
  await errors({ components: Array(6).fill({ type: 1, components: [{ ...button, style: 5, custom_id: undefined, url: 'https://a.b' }] }) }, 'components BASE_TYPE_MAX_LENGTH');
  await errors({ components: [{ type: 1, components: [button, button] }] }, 'components.0.components.1.custom_id COMPONENT_CUSTOM_ID_DUPLICATED');
  await errors({ components: [{ type: 1, components: [{ type: 2, style: 2, custom_id: 'a' }] }] }, 'components.0.components.0 BUTTON_COMPONENT_INVALID_EMOJI_OR_LABEL');
  await errors({ components: [{ type: 1, components: [{ type: 4, style: 1, custom_id: 'a', label: 'b' }] }] }, 'components.0.components.0.type UNION_TYPE_CHOICES');
  await errors({ components: [{ type: 10, content: 'x' }] }, 'components.0.type UNION_TYPE_CHOICES');
  await errors({ flags: 32768, content: 'x', components: [{ type: 10, content: 'x' }] }, 'content MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2');
  await errors({ content: 'x', allowed_mentions: { parse: ['users'], users: ['1'] } }, 'allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE');
  await errors({ content: { a: 1 } }, 'content STRING_TYPE_CONVERT');
  await api.refused(400, 50006, 'POST', `/channels/${channel}/messages`, {});
  await api.refused(400, 50109, 'POST', `/channels/${channel}/messages`, '{"content":');
  await api.refused(400, 50035, 'POST', `/channels/${channel}/messages`, 'x', { headers: { 'content-type': 'text/plain' } });
  await api.refused(400, 50035, 'GET', '/channels/nonsense');
  const v2 = await api.post(`/channels/${channel}/messages`, {
    flags: 32768,
    components: [{ type: 17, components: [{ type: 10, content: 'deep' }, { type: 14 }, { type: 1, components: [button] }] }, { type: 9, components: [{ type: 10, content: 's' }], accessory: { ...button, custom_id: 'b' } }],
  });
  assert.equal(v2.components[0].components[0].content, 'deep');
}));

test('files', () => withApi([], async (api, { channel }) => {
  const body = { content: 'look', embeds: [{ image: { url: 'attachment://a.png' } }], attachments: [{ id: 1, description: 'second' }] };
  const made = await api.post(`/channels/${channel}/messages`, body, { files: [{ name: 'a.png', content: 'AAA' }, { name: 'b.txt', content: 'BBBB' }] });
  assert.deepEqual(made.attachments.map(({ filename, size, description }) => [filename, size, description]), [['a.png', 3, undefined], ['b.txt', 4, 'second']]);
  assert.equal(made.embeds[0].image.url, made.attachments[0].url);
  assert.equal(await (await fetch(made.attachments[1].url)).text(), 'BBBB');
  const kept = await api.patch(`/channels/${channel}/messages/${made.id}`, { attachments: [{ id: made.attachments[1].id }] });
  assert.deepEqual(kept.attachments.map(({ filename }) => filename), ['b.txt']);
  const added = await api.patch(`/channels/${channel}/messages/${made.id}`, { attachments: [{ id: made.attachments[1].id }, { id: 0 }] }, { files: [{ name: 'c.txt', content: 'C' }] });
  assert.deepEqual(added.attachments.map(({ filename }) => filename), ['b.txt', 'c.txt']);
  await api.refused(413, 40005, 'POST', `/channels/${channel}/messages`, {}, { files: [{ name: 'big', content: 'x'.repeat(10 * 1024 * 1024 + 1) }] });
  await api.refused(400, 30015, 'POST', `/channels/${channel}/messages`, {}, { files: Array(11).fill({ name: 'x', content: 'x' }) });
}));

test('pages of messages, bulk deletion, pins', () => withApi([], async (api, { channel, guild }, client) => {
  const ids = [];
  for (let i = 0; i < 12; ++i) ids.push((await api.post(`/channels/${channel}/messages`, { content: `${i}` })).id);
  const list = async (query) => (await api.get(`/channels/${channel}/messages?${query}`)).map(({ content }) => Number(content));
  assert.deepEqual(await list('limit=3'), [11, 10, 9]);
  assert.deepEqual(await list(`limit=3&before=${ids[5]}`), [4, 3, 2]);
  assert.deepEqual(await list(`limit=3&after=${ids[5]}`), [8, 7, 6]);
  assert.deepEqual(await list(`limit=4&around=${ids[5]}`), [6, 5, 4, 3]);
  await api.refused(400, 50035, 'GET', `/channels/${channel}/messages?limit=101`);
  await api.refused(400, 50035, 'GET', `/channels/${channel}/messages?before=1&after=2`);
  await api.put(`/channels/${channel}/messages/pins/${ids[1]}`);
  await api.put(`/channels/${channel}/messages/pins/${ids[2]}`);
  await dispatched(client, 'CHANNEL_PINS_UPDATE', ({ last_pin_timestamp: time }) => time);
  const pins = await api.get(`/channels/${channel}/messages/pins?limit=1`);
  assert.deepEqual([pins.has_more, pins.items[0].message.content, pins.items[0].message.pinned], [true, '2', true]);
  await api.del(`/channels/${channel}/messages/pins/${ids[2]}`);
  assert.equal((await api.get(`/channels/${channel}/messages/pins`)).items.length, 1);
  const bulk = `/channels/${channel}/messages/bulk-delete`;
  await api.refused(400, 50016, 'POST', bulk, { messages: [ids[0]] });
  await api.refused(400, 50034, 'POST', bulk, { messages: [ids[0], '175928847299117063'] });
  await api.refused(400, 50035, 'POST', bulk, { messages: [ids[0], ids[0]] });
  await api.post(bulk, { messages: ids.slice(0, 10) });
  assert.deepEqual((await dispatched(client, 'MESSAGE_DELETE_BULK')), { ids: ids.slice(0, 10), channel_id: channel, guild_id: guild });
  assert.deepEqual(await list('limit=10'), [11, 10]);
}));

test('reactions', () => withApi([], async (api, { channel, me, guild }, client) => {
  const { id } = await api.post(`/channels/${channel}/messages`, { content: 'x' });
  const at = `/channels/${channel}/messages/${id}/reactions`;
  const custom = client.dispatches.find(({ t, d }) => t === 'GUILD_CREATE' && d.id === guild).d.emojis[0];
  for (const emoji of [encodeURIComponent('🔥'), encodeURIComponent(`${custom.name}:${custom.id}`)]) await api.put(`${at}/${emoji}/@me`);
  const added = await dispatched(client, 'MESSAGE_REACTION_ADD', ({ message_id: on, emoji }) => on === id && emoji.id);
  assert.deepEqual([added.emoji.id, added.user_id, added.message_author_id], [custom.id, me, me]);
  const message = await api.get(`/channels/${channel}/messages/${id}`);
  assert.deepEqual(message.reactions.map(({ count, me: own, emoji }) => [count, own, emoji.name]), [[1, true, '🔥'], [1, true, custom.name]]);
  assert.deepEqual((await api.get(`${at}/${encodeURIComponent('🔥')}`)).map((user) => user.id), [me]);
  await api.del(`${at}/${encodeURIComponent('🔥')}/@me`);
  await dispatched(client, 'MESSAGE_REACTION_REMOVE', ({ message_id: on }) => on === id);
  await api.refused(400, 10014, 'PUT', `${at}/nonsense/@me`);
  await api.del(`${at}/${encodeURIComponent(`${custom.name}:${custom.id}`)}`);
  await dispatched(client, 'MESSAGE_REACTION_REMOVE_EMOJI');
  await api.del(at);
  await dispatched(client, 'MESSAGE_REACTION_REMOVE_ALL');
}));

test('messages of the stream can be read, answered and deleted', () => withApi(['--rate', '200', '--total', '50'], async (api, place, client, sim) => {
  await until(() => sim.finished(), 'the end of the stream');
  const { d } = await until(() => client.dispatches.findLast(({ t, d: data }) => t === 'MESSAGE_CREATE' && data.guild_id), 'a message');
  const read = await api.get(`/channels/${d.channel_id}/messages/${d.id}`);
  assert.deepEqual([read.content, read.author.id], [d.content, d.author.id]);
  assert.ok((await api.get(`/channels/${d.channel_id}/messages?limit=100`)).some(({ id }) => id === d.id));
  await api.post(`/channels/${d.channel_id}/messages`, { content: 're', message_reference: { message_id: d.id } });
  await api.put(`/channels/${d.channel_id}/messages/${d.id}/reactions/${encodeURIComponent('👍')}/@me`);
  await api.refused(403, 50005, 'PATCH', `/channels/${d.channel_id}/messages/${d.id}`, { content: 'mine' });
  await api.del(`/channels/${d.channel_id}/messages/${d.id}`, { reason: 'spam' });
  await api.refused(404, 10008, 'GET', `/channels/${d.channel_id}/messages/${d.id}`);
}));

test('channels and overwrites', () => withApi([], async (api, { guild, channel, category }, client, sim) => {
  const made = await api.post(`/guilds/${guild}/channels`, { name: 'New Room', type: 0, topic: 't', parent_id: category }, { reason: 'naïve ✓' });
  assert.deepEqual([made.name, made.topic, made.parent_id], ['new-room', 't', category]);
  await dispatched(client, 'CHANNEL_CREATE', ({ id }) => id === made.id);
  assert.equal((await dispatched(client, 'GUILD_AUDIT_LOG_ENTRY_CREATE')).reason, 'naïve ✓');
  assert.equal((await sim.truth()).audit[0].reason, 'naïve ✓');
  const changed = await api.patch(`/channels/${made.id}`, { name: 'renamed', nsfw: true, rate_limit_per_user: 5, topic: null });
  assert.deepEqual([changed.name, changed.nsfw, changed.rate_limit_per_user, changed.topic], ['renamed', true, 5, null]);
  assert.equal((await dispatched(client, 'CHANNEL_UPDATE', ({ id }) => id === made.id)).name, 'renamed');
  await api.refused(400, 50035, 'PATCH', `/channels/${made.id}`, { rate_limit_per_user: 21601 });
  await api.refused(400, 50035, 'POST', `/guilds/${guild}/channels`, {});
  await api.put(`/channels/${made.id}/permissions/${guild}`, { type: 0, deny: '2048', allow: '0' });
  assert.equal((await api.get(`/channels/${made.id}`)).permission_overwrites[0].deny, '2048');
  await api.del(`/channels/${made.id}/permissions/${guild}`);
  await api.refused(404, 10009, 'DELETE', `/channels/${made.id}/permissions/${guild}`);
  await api.del(`/channels/${made.id}`);
  await dispatched(client, 'CHANNEL_DELETE', ({ id }) => id === made.id);
  await api.refused(404, 10003, 'GET', `/channels/${made.id}`);
  await api.refused(400, 50074, 'DELETE', `/channels/${channel}`);
  const log = await api.get(`/guilds/${guild}/audit-logs?limit=3`);
  assert.deepEqual(log.audit_log_entries.map(({ action_type: type }) => type), [12, 15, 13]);
}));

test('threads', () => withApi([], async (api, { guild, channel, forum, me }, client) => {
  const { id } = await api.post(`/channels/${channel}/messages`, { content: 'start' });
  const thread = await api.post(`/channels/${channel}/messages/${id}/threads`, { name: 'talk', auto_archive_duration: 60 });
  assert.deepEqual([thread.id, thread.parent_id, thread.type], [id, channel, 11]);
  assert.equal((await dispatched(client, 'THREAD_CREATE', (d) => d.id === id)).newly_created, true);
  await api.refused(400, 160004, 'POST', `/channels/${channel}/messages/${id}/threads`, { name: 'again' });
  await api.refused(400, 50035, 'POST', `/channels/${channel}/threads`, { name: 'x', auto_archive_duration: 61 });
  await api.post(`/channels/${thread.id}/messages`, { content: 'inside' });
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user;
  await api.put(`/channels/${thread.id}/thread-members/${person.id}`);
  assert.deepEqual((await api.get(`/channels/${thread.id}/thread-members`)).map(({ user_id: user }) => user).sort(), [me, person.id].sort());
  await dispatched(client, 'THREAD_MEMBERS_UPDATE', (d) => d.member_count === 2);
  const archived = await api.patch(`/channels/${thread.id}`, { archived: true });
  assert.equal(archived.thread_metadata.archived, true);
  await dispatched(client, 'THREAD_UPDATE', (d) => d.thread_metadata.archived);
  assert.ok(!(await api.get(`/guilds/${guild}/threads/active`)).threads.some((one) => one.id === id));
  assert.ok((await api.get(`/channels/${channel}/threads/archived/public`)).threads.some((one) => one.id === id));
  await api.refused(400, 50083, 'PATCH', `/channels/${thread.id}`, { name: 'no' });
  await api.post(`/channels/${thread.id}/messages`, { content: 'wakes it' });
  assert.equal((await api.get(`/channels/${thread.id}`)).thread_metadata.archived, false);
  await api.patch(`/channels/${thread.id}`, { archived: true, locked: true });
  await api.refused(400, 50083, 'POST', `/channels/${thread.id}/messages`, { content: 'locked' });
  await api.del(`/channels/${thread.id}`);
  assert.deepEqual(await dispatched(client, 'THREAD_DELETE'), { id, guild_id: guild, parent_id: channel, type: 11 });
  const post = await api.post(`/channels/${forum}/threads`, { name: 'question', message: { content: 'why?' } });
  assert.equal(post.message.content, 'why?');
  const own = await api.post(`/channels/${channel}/threads`, { name: 'private', type: 12, invitable: false });
  assert.equal(own.type, 12);
}));

test('members and their roles', () => withApi([], async (api, { guild, me, voice }, client, sim) => {
  const page = await api.get(`/guilds/${guild}/members?limit=40`);
  const roles = await api.get(`/guilds/${guild}/roles`);
  const top = Math.max(...roles.map(({ position }) => position));
  const own = roles.find(({ position }) => position === top);
  assert.deepEqual([own.managed, own.tags.bot_id], [true, me]);
  const person = page.find(({ user, roles: has }) => !user.bot && !has.includes(roles[1].id));
  const at = `/guilds/${guild}/members/${person.user.id}`;
  await api.put(`${at}/roles/${roles[1].id}`, undefined, { reason: 'level 5' });
  assert.ok((await dispatched(client, 'GUILD_MEMBER_UPDATE', ({ user }) => user.id === person.user.id)).roles.includes(roles[1].id));
  assert.equal((await sim.truth()).audit.at(-1).reason, 'level 5');
  await api.del(`${at}/roles/${roles[1].id}`);
  assert.deepEqual((await api.get(at)).roles, person.roles);
  await api.refused(404, 10011, 'PUT', `${at}/roles/1`);
  await api.refused(400, 50028, 'PUT', `${at}/roles/${own.id}`);
  await api.refused(404, 10007, 'PUT', `/guilds/${guild}/members/${(await outsider(api, guild)).id}/roles/${roles[1].id}`);
  const named = await api.patch(at, { nick: 'Nick' });
  assert.equal(named.nick, 'Nick');
  await api.refused(400, 50035, 'PATCH', at, { nick: 'x'.repeat(33) });
  await api.refused(400, 50035, 'PATCH', at, { communication_disabled_until: new Date(Date.now() + 29 * 864e5).toISOString() });
  await api.refused(400, 40032, 'PATCH', at, { mute: true }).catch(() => {});
  assert.equal((await api.patch(`/guilds/${guild}/members/@me`, { nick: 'Bot' })).nick, 'Bot');
  const found = await api.get(`/guilds/${guild}/members/search?query=ni&limit=5`);
  assert.ok(found.some(({ user }) => user.id === person.user.id));
  const talking = client.dispatches.find(({ t, d }) => t === 'GUILD_CREATE' && d.id === guild).d.voice_states.find(({ channel_id: c }) => c !== voice);
  if (talking) {
    await api.patch(`/guilds/${guild}/members/${talking.user_id}`, { channel_id: voice });
    assert.equal((await dispatched(client, 'VOICE_STATE_UPDATE')).channel_id, voice);
    assert.equal((await api.get(`/guilds/${guild}/voice-states/${talking.user_id}`)).channel_id, voice);
    await api.patch(`/guilds/${guild}/members/${talking.user_id}`, { channel_id: null });
    await api.refused(404, 10065, 'GET', `/guilds/${guild}/voice-states/${talking.user_id}`);
  }
}));

async function outsider(api, guild) {
  const members = new Set((await api.get(`/guilds/${guild}/members?limit=1000`)).map(({ user }) => user.id));
  for (const other of (await api.get('/users/@me/guilds')).slice(1)) {
    const found = (await api.get(`/guilds/${other.id}/members?limit=1000`)).find(({ user }) => !members.has(user.id));
    if (found) return found.user;
  }
  throw new Error('everybody is everywhere');
}

test('kick, ban and unban', () => withApi([], async (api, { guild }, client, sim) => {
  const people = (await api.get(`/guilds/${guild}/members?limit=100`)).filter(({ user }) => !user.bot);
  const { owner_id: owner } = await api.get(`/guilds/${guild}`);
  const [first, second] = people.filter(({ user }) => user.id !== owner).map(({ user }) => user);
  const before = (await sim.truth()).members[guild];
  await api.del(`/guilds/${guild}/members/${first.id}`, { reason: 'out' });
  assert.equal((await dispatched(client, 'GUILD_MEMBER_REMOVE')).user.id, first.id);
  await api.put(`/guilds/${guild}/bans/${second.id}`, { delete_message_seconds: 60 }, { reason: 'never again' });
  assert.equal((await dispatched(client, 'GUILD_BAN_ADD')).user.id, second.id);
  assert.equal((await api.get(`/guilds/${guild}/bans/${second.id}`)).reason, 'never again');
  assert.equal((await api.get(`/guilds/${guild}/bans`)).length, 1);
  assert.equal((await sim.truth()).members[guild], before - 2);
  await api.del(`/guilds/${guild}/bans/${second.id}`);
  await dispatched(client, 'GUILD_BAN_REMOVE');
  await api.refused(404, 10026, 'GET', `/guilds/${guild}/bans/${second.id}`);
  await api.refused(403, 50013, 'DELETE', `/guilds/${guild}/members/${owner}`);
}));

test('roles', () => withApi([], async (api, { guild }, client) => {
  const made = await api.post(`/guilds/${guild}/roles`, { name: 'Level 1', color: 255, hoist: true, permissions: '0' });
  assert.deepEqual([made.name, made.color, made.position], ['Level 1', 255, 1]);
  await dispatched(client, 'GUILD_ROLE_CREATE', ({ role }) => role.id === made.id);
  assert.equal((await api.patch(`/guilds/${guild}/roles/${made.id}`, { name: 'Level 2' })).name, 'Level 2');
  await dispatched(client, 'GUILD_ROLE_UPDATE', ({ role }) => role.name === 'Level 2');
  await api.patch(`/guilds/${guild}/roles`, [{ id: made.id, position: 2 }]);
  assert.equal((await api.get(`/guilds/${guild}/roles/${made.id}`)).position, 2);
  const counts = await api.get(`/guilds/${guild}/roles/member-counts`);
  assert.equal(counts[made.id], 0);
  await api.del(`/guilds/${guild}/roles/${made.id}`);
  assert.equal((await dispatched(client, 'GUILD_ROLE_DELETE')).role_id, made.id);
}));

test('without permissions the API says which are missing', () => withApi(['--bot-permissions', '0'], async (api, { guild, channels, me }) => {
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user;
  await api.refused(403, 50013, 'POST', `/guilds/${guild}/roles`, { name: 'x' });
  await api.refused(403, 50013, 'DELETE', `/guilds/${guild}/members/${person.id}`);
  await api.refused(403, 50013, 'PUT', `/guilds/${guild}/bans/${person.id}`, {});
  await api.refused(403, 50013, 'POST', `/guilds/${guild}/channels`, { name: 'x' });
  const silent = channels.find(({ type, permission_overwrites: list }) => type === 0 && list.some(({ deny }) => deny === '2048'));
  const mute = (await api.get(`/guilds/${guild}/roles`)).find(({ tags }) => tags?.bot_id === me);
  assert.equal(mute.permissions, '0');
  if (silent) await api.refused(403, 50013, 'POST', `/channels/${silent.id}/messages`, { content: 'x' });
  await api.patch(`/guilds/${guild}/members/@me`, { nick: 'mine' });
}));

test('direct messages go to shard 0', () => withApi([], async (api, { guild, me }, client) => {
  const people = await api.get(`/guilds/${guild}/members?limit=20`);
  const person = people.find(({ user }) => !user.bot).user;
  const direct = await api.post('/users/@me/channels', { recipient_id: person.id });
  assert.deepEqual([direct.type, direct.recipients[0].id], [1, person.id]);
  assert.equal((await api.post('/users/@me/channels', { recipient_id: person.id })).id, direct.id);
  const made = await api.post(`/channels/${direct.id}/messages`, { content: 'psst' });
  const got = await dispatched(client, 'MESSAGE_CREATE', ({ id }) => id === made.id);
  assert.deepEqual([got.guild_id, got.member, got.channel_type], [undefined, undefined, 1]);
  await api.refused(400, 50007, 'POST', '/users/@me/channels', { recipient_id: people.find(({ user }) => user.bot && user.id !== me).user.id });
}));

test('webhooks', () => withApi([], async (api, { guild, channel }, client) => {
  await api.refused(400, 50035, 'POST', `/channels/${channel}/webhooks`, { name: 'my discord hook' });
  const hook = await api.post(`/channels/${channel}/webhooks`, { name: 'hook' });
  await dispatched(client, 'WEBHOOKS_UPDATE');
  assert.deepEqual((await api.get(`/channels/${channel}/webhooks`)).map(({ id }) => id), [hook.id]);
  assert.deepEqual((await api.get(`/guilds/${guild}/webhooks`)).map(({ id }) => id), [hook.id]);
  const open = new Api(api.sim);
  delete open.headers.authorization;
  const at = `/webhooks/${hook.id}/${hook.token}`;
  assert.equal(await open.post(at, { content: 'quietly' }), null);
  const made = await open.post(`${at}?wait=true`, { content: 'x', username: 'Somebody' }, { files: [{ name: 'f.txt', content: 'F' }] });
  assert.deepEqual([made.author.username, made.author.id, made.webhook_id], ['Somebody', hook.id, hook.id]);
  const got = await dispatched(client, 'MESSAGE_CREATE', ({ id }) => id === made.id);
  assert.deepEqual([got.member, got.webhook_id, got.attachments.length], [undefined, hook.id, 1]);
  assert.equal((await open.patch(`${at}/messages/${made.id}`, { content: 'y' })).content, 'y');
  assert.equal((await open.get(`${at}/messages/${made.id}`)).content, 'y');
  await open.del(`${at}/messages/${made.id}`);
  await open.refused(404, 10008, 'GET', `${at}/messages/${made.id}`);
  await open.refused(401, 50027, 'POST', `/webhooks/${hook.id}/wrong`, { content: 'x' });
  assert.equal((await api.patch(`/webhooks/${hook.id}`, { name: 'other' })).name, 'other');
  await api.del(`/webhooks/${hook.id}`);
  await open.refused(404, 10015, 'POST', at, { content: 'x' });
}));

test('invites', () => withApi([], async (api, { guild, channel }, client) => {
  const made = await api.post(`/channels/${channel}/invites`, { max_age: 3600, max_uses: 5, unique: true });
  assert.deepEqual([made.guild_id, made.channel.id, made.max_uses, made.uses], [guild, channel, 5, 0]);
  assert.equal((await client.dispatched('INVITE_CREATE')).d.code, made.code);
  const same = await api.post(`/channels/${channel}/invites`, { max_age: 3600, max_uses: 5 });
  assert.equal(same.code, made.code, 'a similar one is given again');
  assert.notEqual((await api.post(`/channels/${channel}/invites`, {})).code, made.code);
  assert.equal((await api.get(`/invites/${made.code}`)).code, made.code);
  assert.equal((await api.get(`/channels/${channel}/invites`)).length, 2);
  assert.equal((await api.get(`/guilds/${guild}/invites`)).length, 2);
  assert.equal((await api.del(`/invites/${made.code}`)).code, made.code);
  assert.equal((await client.dispatched('INVITE_DELETE')).d.code, made.code);
  await api.refused(404, 10006, 'GET', `/invites/${made.code}`);
  await api.refused(400, 50035, 'POST', `/channels/${channel}/invites`, { max_age: 604801 });
}));

test('emojis', () => withApi([], async (api, { guild, me }, client) => {
  const image = 'data:image/png;base64,AAAA';
  const made = await api.post(`/guilds/${guild}/emojis`, { name: 'wave', image });
  assert.deepEqual([made.name, made.animated], ['wave', false]);
  assert.ok((await client.dispatched('GUILD_EMOJIS_UPDATE')).d.emojis.some(({ id }) => id === made.id));
  assert.equal((await api.patch(`/guilds/${guild}/emojis/${made.id}`, { name: 'bye' })).name, 'bye');
  assert.ok((await api.get(`/guilds/${guild}/emojis`)).some(({ name }) => name === 'bye'));
  await api.del(`/guilds/${guild}/emojis/${made.id}`);
  await api.refused(404, 10014, 'GET', `/guilds/${guild}/emojis/${made.id}`);
  await api.refused(400, 50035, 'POST', `/guilds/${guild}/emojis`, { name: 'x y', image });
  await api.refused(400, 50035, 'POST', `/guilds/${guild}/emojis`, { name: 'text', image: 'data:text/plain;base64,AAAA' });
  const mine = await api.post(`/applications/${me}/emojis`, { name: 'mine', image: 'data:image/gif;base64,AAAA' });
  assert.equal(mine.animated, true);
  assert.deepEqual((await api.get(`/applications/${me}/emojis`)).items.map(({ id }) => id), [mine.id]);
  await api.del(`/applications/${me}/emojis/${mine.id}`);
  await api.refused(404, 10002, 'GET', '/applications/1/emojis');
}));

test('application commands', () => withApi([], async (api, { guild, me }) => {
  const at = `/applications/${me}/commands`;
  const ping = { name: 'ping', description: 'Pong', options: [{ type: 3, name: 'word', description: 'w', required: true, choices: [{ name: 'a', value: 'a' }] }] };
  const first = await api.request('POST', at, ping);
  assert.equal(first.status, 201);
  const again = await api.request('POST', at, { ...ping, description: 'Pong!' });
  assert.deepEqual([again.status, again.body.id, again.body.description], [200, first.body.id, 'Pong!']);
  assert.equal((await api.patch(`${at}/${first.body.id}`, { description: 'P' })).description, 'P');
  assert.equal((await api.get(`${at}/${first.body.id}`)).options[0].choices[0].value, 'a');
  const all = await api.put(at, [{ ...ping, description: 'P' }, { name: 'Look up', type: 2 }, { name: 'Quote', type: 3 }]);
  assert.equal(all[0].id, first.body.id, 'the same name keeps its id');
  const same = await api.put(at, [{ ...ping, description: 'P' }, { name: 'Look up', type: 2 }]);
  assert.equal(same[0].version, all[0].version);
  assert.equal((await api.get(at)).length, 2);
  const local = await api.post(`/applications/${me}/guilds/${guild}/commands`, { name: 'local', description: 'x' });
  assert.equal(local.guild_id, guild);
  await api.del(`/applications/${me}/guilds/${guild}/commands/${local.id}`);
  await api.refused(404, 10063, 'GET', `${at}/1`);
  await api.refused(403, 20012, 'GET', '/applications/1/commands');
  const errors = async (command, ...expected) => {
    const answer = await api.refused(400, 50035, 'PUT', at, [command]);
    const found = [];
    const walk = (node, path) => {
      for (const [key, value] of Object.entries(node)) {
        if (key === '_errors') found.push(...value.map(({ code }) => `${path.join('.')} ${code}`));
        else walk(value, [...path, key]);
      }
    };
    walk(answer.errors, []);
    assert.deepEqual(found.sort(), expected.sort());
  };
  const option = (more) => ({ name: 'x', description: 'x', options: [{ type: 3, name: 'a', description: 'b', ...more }] });
  await errors({ name: 'Upper', description: 'x' }, '0.name APPLICATION_COMMAND_INVALID_NAME');
  await errors({ name: 'two words', description: 'x' }, '0.name APPLICATION_COMMAND_INVALID_NAME');
  await errors({ name: 'x'.repeat(33), description: 'x' }, '0.name BASE_TYPE_BAD_LENGTH');
  await errors({ name: 'x' }, '0.description BASE_TYPE_REQUIRED');
  await errors({ name: 'x', description: 'y'.repeat(101) }, '0.description BASE_TYPE_BAD_LENGTH');
  await errors({ name: 'X', type: 2, description: 'no' }, '0.description CONTEXT_MENU_APPLICATION_COMMAND_DESCRIPTION_CANNOT_BE_SET');
  await errors(option({ name: 'A' }), '0.options.0.name APPLICATION_COMMAND_INVALID_NAME');
  await errors(option({ type: 12 }), '0.options.0.type NUMBER_TYPE_MAX');
  await errors(option({ choices: [{ name: 'a', value: 'a' }], autocomplete: true }), '0.options.0.autocomplete APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID');
  await errors(option({ choices: [{ name: 'a', value: 'a' }, { name: 'a', value: 'b' }] }), '0.options.0.choices.1.name APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS');
  await errors({ ...option({}), options: [...option({}).options, ...option({ required: true, name: 'b' }).options] }, '0.options.1 APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID');
  await api.refused(400, 50035, 'PUT', at, [ping, ping]);
  await api.refused(400, 30032, 'PUT', at, Array.from({ length: 16 }, (_, i) => ({ name: `U${i}`, type: 2 })));
  await errors({ name: 'big', description: 'x', options: Array.from({ length: 5 }, (_, i) => ({ type: 3, name: `o${i}`, description: 'x', choices: Array.from({ length: 25 }, (_, j) => ({ name: `${j}${'n'.repeat(90)}`, value: 'v'.repeat(100) })) })) }, '0 APPLICATION_COMMAND_TOO_LARGE');
  assert.equal((await api.get(at)).length, 2, 'nothing of what was refused is there');
}));

test('the validator of answers notices what is wrong', () => {
  assert.match(problem('GET', '/users/@me', 200, { id: '1' }), /must have required property/);
  assert.match(problem('DELETE', '/channels/1/messages/2', 204, {}), /a body where none is described/);
  assert.match(problem('GET', '/users/@me', 201, {}), /does not answer 201/);
  assert.match(problem('GET', '/no/such/route', 200, {}), /no operation/);
});

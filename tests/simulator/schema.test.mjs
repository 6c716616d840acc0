// Everything the gateway sends has the shape that discord-api-types describes.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { Api } from './api.mjs';
import { Client, Simulator, until, withSimulator } from './sim.mjs';

const types = path.join(path.dirname(createRequire(import.meta.url).resolve('discord-api-types/v10')), 'v10.d.ts');

/** The schema of GatewayReceivePayload, made tolerant where the types are stricter than Discord. */
function makeSchema() {
  const schema = createGenerator({
    path: types,
    type: 'GatewayReceivePayload',
    skipTypeCheck: true,
    expose: 'all',
    jsDoc: 'none',
  }).createSchema('GatewayReceivePayload');
  const relax = (node) => {
    if (node === null || typeof node !== 'object') return;
    delete node.additionalProperties; // Discord sends more than it documents
    if (Array.isArray(node.enum) && node.enum.length === 0) delete node.enum;
    if (node.not && Object.keys(node.not).length === 0) delete node.not; // `d: undefined` is null on the wire
    for (const child of Object.values(node)) relax(child);
  };
  relax(schema.definitions);
  for (const [name, definition] of Object.entries(schema.definitions)) {
    if (name.endsWith('Flags')) {
      for (const key of Object.keys(definition)) delete definition[key];
      definition.type = 'integer'; // a sum of the enumerators, not one of them
    }
  }
  // The generator cannot read how the fields of forwarded messages are picked from those of messages.
  const { properties } = schema.definitions.APIMessage;
  const forwarded = ['attachments', 'components', 'content', 'edited_timestamp', 'embeds', 'flags', 'mention_roles', 'mentions', 'timestamp', 'type'];
  schema.definitions.APIMessageSnapshotFields = {
    type: 'object',
    properties: Object.fromEntries(forwarded.map((name) => [name, properties[name]])),
    required: forwarded,
  };
  // A template literal type made a string of the number.
  const limited = schema.definitions['GatewayRateLimitedDispatchData<"8">'];
  if (limited) limited.properties.opcode = { type: 'number', const: 8 };
  return schema;
}

let made;

function makeValidator() {
  const schema = (made ??= makeSchema()); // takes seconds

  const ajv = new Ajv({ strict: false, allErrors: false });
  ajv.addSchema(schema, 'gateway');
  const byType = new Map();
  const byOp = new Map();
  const constant = (node) => {
    const target = node?.$ref ? schema.definitions[decodeURIComponent(node.$ref.slice('#/definitions/'.length))] : node;
    return target?.const;
  };
  for (const [name, definition] of Object.entries(schema.definitions)) {
    const { t, op } = definition.properties ?? {};
    if (!op) continue;
    const type = constant(t);
    if (type !== undefined) byType.set(type, name);
    else if (t?.type === 'null') byOp.set(constant(op), name);
  }
  const compiled = new Map();
  return (payload) => {
    const name = payload.op === 0 ? byType.get(payload.t) : byOp.get(payload.op);
    if (name === undefined) return `no schema for ${payload.op} ${payload.t}`;
    if (!compiled.has(name)) compiled.set(name, ajv.compile({ $ref: `gateway#/definitions/${encodeURIComponent(name)}` }));
    const validate = compiled.get(name);
    return validate(payload) ? null : `${payload.t ?? payload.op}: ${ajv.errorsText(validate.errors)}`;
  };
}

test('every kind of payload', async () => {
  const check = makeValidator();
  const shares = ['reaction', 'update', 'delete', 'voice', 'join', 'leave', 'member-update', 'presence', 'typing', 'thread', 'other'];
  const flags = ['--rate', '0', '--total', '3000', '--dm-share', '0.05', '--webhook-share', '0.1', '--bot-share', '0.1'];
  for (const share of shares) flags.push(`--${share}-share`, '0.5');
  const sim = await Simulator.start(...flags);
  try {
    const problems = new Map();
    const seen = new Map();
    const note = (payload) => {
      const kind = payload.t ?? `op ${payload.op}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      const problem = check(payload);
      if (problem && !problems.has(kind)) problems.set(kind, `${problem}\n${JSON.stringify(payload).slice(0, 3000)}`);
    };
    const url = await sim.gatewayUrl();
    const client = new Client(url, { onDispatch: note });
    await until(() => sim.finished(), 'the end of the stream');
    const guild = Object.keys((await sim.truth()).members)[0];
    const channels = (await sim.get(`/api/v10/guilds/${guild}/channels`)).body;
    const voice = channels.find(({ type }) => type === 2);
    client.send({ op: 1, d: client.seq });
    client.send({ op: 8, d: { guild_id: guild, query: '', limit: 0, presences: true, nonce: 'one' } });
    client.send({ op: 8, d: { guild_id: guild, query: '', limit: 0 } });
    client.send({ op: 8, d: { guild_id: guild, user_ids: ['1', 'nonsense'] } });
    client.send({ op: 31, d: { guild_ids: [guild] } });
    client.send({ op: 43, d: { guild_id: guild, fields: ['status', 'voice_start_time'] } });
    client.send({ op: 4, d: { guild_id: guild, channel_id: voice.id, self_mute: true, self_deaf: false } });
    await until(() => seen.has('VOICE_SERVER_UPDATE'), 'the answers');
    await sim.fault('guild_outage', { guild_id: guild });
    await sim.fault('guild_return', { guild_id: guild });
    await sim.fault('heartbeat_request');
    await sim.fault('reconnect');
    await client.op(7);
    const again = new Client(url, { onDispatch: note, login: client.state });
    await until(() => seen.has('RESUMED'), 'RESUMED');
    await sim.fault('invalid_session', { resumable: true });
    await again.op(9);
    for (const payload of [...client.received, ...again.received]) note(payload);

    assert.deepEqual([...problems.values()], []);
    const expected = [
      'op 1', 'op 7', 'op 9', 'op 10', 'op 11', 'READY', 'RESUMED', 'GUILD_CREATE', 'GUILD_DELETE', 'MESSAGE_CREATE',
      'MESSAGE_UPDATE', 'MESSAGE_DELETE', 'MESSAGE_REACTION_ADD', 'MESSAGE_REACTION_REMOVE', 'VOICE_STATE_UPDATE',
      'GUILD_MEMBER_ADD', 'GUILD_MEMBER_REMOVE', 'GUILD_MEMBER_UPDATE', 'PRESENCE_UPDATE', 'TYPING_START',
      'THREAD_CREATE', 'CHANNEL_UPDATE', 'CHANNEL_PINS_UPDATE', 'GUILD_ROLE_UPDATE', 'GUILD_BAN_ADD', 'GUILD_BAN_REMOVE',
      'INVITE_CREATE', 'WEBHOOKS_UPDATE', 'VOICE_CHANNEL_STATUS_UPDATE', 'GUILD_EMOJIS_UPDATE', 'GUILD_MEMBERS_CHUNK',
      'RATE_LIMITED', 'SOUNDBOARD_SOUNDS', 'CHANNEL_INFO', 'VOICE_SERVER_UPDATE',
    ];
    assert.deepEqual([...seen.keys()].sort(), expected.sort());
  } finally {
    await sim.stop();
  }
});

test('every dispatch that follows from REST, and every kind of interaction', async () => {
  const check = makeValidator();
  const flags = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off'];
  await withSimulator(flags, async (sim, url) => {
    const problems = new Map();
    const seen = new Set();
    const client = new Client(url, {
      onDispatch: (payload) => {
        const kind = payload.t === 'INTERACTION_CREATE' ? `${payload.t} ${payload.d.type}` : payload.t;
        seen.add(kind);
        const problem = check(payload);
        if (problem && !problems.has(kind)) problems.set(kind, `${problem}\n${JSON.stringify(payload).slice(0, 3000)}`);
      },
    });
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    const api = new Api(sim);
    const { guild, channel, voice, forum, me } = await api.place();
    const people = (await api.get(`/guilds/${guild}/members?limit=50`)).filter(({ user }) => !user.bot);
    const { owner_id: owner } = await api.get(`/guilds/${guild}`);
    const [person, other] = people.filter(({ user }) => user.id !== owner).map(({ user }) => user.id);
    const components = [{ type: 1, components: [{ type: 2, style: 1, label: 'x', custom_id: 'go' }] }, { type: 1, components: [{ type: 5, custom_id: 'who' }] }];
    const embeds = [{ title: 't', description: 'd', timestamp: '2026-01-01T00:00:00Z', footer: { text: 'f' }, fields: [{ name: 'a', value: 'b' }] }];
    const message = await api.post(`/channels/${channel}/messages`, { content: `<@${person}>`, embeds, components }, { files: [{ name: 'a.txt', content: 'A' }] });
    const at = `/channels/${channel}/messages/${message.id}`;
    await api.post(`/channels/${channel}/messages`, { content: 're', message_reference: { message_id: message.id } });
    await api.post(`/channels/${channel}/messages`, { message_reference: { type: 1, message_id: message.id, channel_id: channel } });
    await api.post(`/channels/${channel}/messages`, { flags: 32768, components: [{ type: 17, components: [{ type: 10, content: 'x' }, { type: 14 }] }] });
    await api.patch(at, { content: 'changed' });
    await api.put(`${at}/reactions/%F0%9F%94%A5/@me`);
    await api.del(`${at}/reactions/%F0%9F%94%A5/@me`);
    await api.put(`${at}/reactions/%F0%9F%94%A5/@me`);
    await api.del(`${at}/reactions/%F0%9F%94%A5`);
    await api.del(`${at}/reactions`);
    await api.put(`/channels/${channel}/messages/pins/${message.id}`);
    await api.post(`/channels/${channel}/typing`);
    const direct = await api.post('/users/@me/channels', { recipient_id: person });
    await api.post(`/channels/${direct.id}/messages`, { content: 'psst' });
    const hook = await api.post(`/channels/${channel}/webhooks`, { name: 'hook' });
    await api.post(`/webhooks/${hook.id}/${hook.token}`, { content: 'posted' });
    const room = await api.post(`/guilds/${guild}/channels`, { name: 'room', type: 0 });
    await api.patch(`/channels/${room.id}`, { name: 'other' });
    await api.put(`/channels/${room.id}/permissions/${person}`, { type: 1, allow: '1024' });
    const thread = await api.post(`${at}/threads`, { name: 'talk' });
    await api.put(`/channels/${thread.id}/thread-members/${person}`);
    await api.patch(`/channels/${thread.id}`, { archived: true });
    await api.del(`/channels/${thread.id}`);
    await api.post(`/channels/${forum}/threads`, { name: 'post', message: { content: 'x' } });
    await api.del(`/channels/${room.id}`);
    await api.put(`/channels/${voice}/voice-status`, { status: 'chatting' });
    const role = await api.post(`/guilds/${guild}/roles`, { name: 'r' });
    await api.patch(`/guilds/${guild}/roles/${role.id}`, { name: 's' });
    await api.put(`/guilds/${guild}/members/${person}/roles/${role.id}`);
    await api.patch(`/guilds/${guild}/members/@me`, { nick: 'x' });
    await api.del(`/guilds/${guild}/roles/${role.id}`);
    await api.patch(`/guilds/${guild}`, { name: 'Other' });
    await api.patch('/users/@me', { username: 'other' });
    await api.put(`/guilds/${guild}/bans/${other}`, {});
    await api.del(`/guilds/${guild}/bans/${other}`);
    client.send({ op: 3, d: { since: null, activities: [], status: 'idle', afk: false } });

    const options = [3, 4, 5, 6, 7, 8, 9, 10, 11].map((type) => ({ type, name: `o${type}`, description: 'x', autocomplete: type === 3 }));
    await api.put(`/applications/${me}/commands`, [{ name: 'all', description: 'x', options }, { name: 'U', type: 2 }, { name: 'M', type: 3 }]);
    const act = async (script) => {
      const { status, body } = await sim.post('/_sim/interaction', { guild, channel, user: person, ...script });
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    };
    const callback = (one, type, data) => api.post(`/interactions/${one.id}/${one.token}/callback`, { type, data });
    const anyRole = (await api.get(`/guilds/${guild}/roles`))[1].id;
    const one = await act({ command: 'all', options: { o3: 'x', o4: 1, o5: true, o6: person, o7: channel, o8: anyRole, o9: person, o10: 1.5, o11: { filename: 'a', content: 'b' } } });
    await callback(one, 4, { content: 'x', flags: 64 });
    await api.post(`/webhooks/${me}/${one.token}`, { content: 'more' });
    await act({ autocomplete: 'all', focused: 'o3', options: { o3: 'x' } });
    await act({ user_command: 'U', target: person });
    await act({ message_command: 'M', target: message.id });
    const button = await act({ button: 'go', message: message.id });
    const label = { type: 18, label: 'L', component: { type: 4, style: 1, custom_id: 't' } };
    await callback(button, 9, { custom_id: 'm', title: 't', components: [label] });
    await callback(await act({ modal: button.id, fields: { t: 'v' } }), 4, { content: 'y' });
    await act({ select: 'who', message: message.id, values: [person] });
    await act({ command: 'all', dm: true });
    const later = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
    const event = await api.post(`/guilds/${guild}/scheduled-events`, { name: 'e', privacy_level: 2, scheduled_start_time: later(1), scheduled_end_time: later(2), entity_type: 3, entity_metadata: { location: 'x' }, recurrence_rule: { start: later(1), frequency: 2, interval: 1, by_weekday: [1] } });
    await api.post(`/guilds/${guild}/scheduled-events`, { name: 'v', privacy_level: 2, scheduled_start_time: later(1), entity_type: 2, channel_id: voice });
    for (const leave of [false, true]) await sim.post('/_sim/event', { event: event.id, user: person, leave });
    await api.patch(`/guilds/${guild}/scheduled-events/${event.id}`, { status: 2 });
    await api.del(`/guilds/${guild}/scheduled-events/${event.id}`);
    const rules = `/guilds/${guild}/auto-moderation/rules`;
    const actions = [{ type: 1 }, { type: 2, metadata: { channel_id: channel } }, { type: 3, metadata: { duration_seconds: 1 } }];
    const rule = await api.post(rules, { name: 'r', event_type: 1, trigger_type: 1, trigger_metadata: { keyword_filter: ['bad'] }, actions, enabled: true });
    const admins = (await api.get(`/guilds/${guild}/roles`)).filter(({ permissions }) => permissions === '8').map(({ id }) => id);
    const plain = people.find(({ user, roles }) => user.id !== owner && user.id !== other && !roles.some((id) => admins.includes(id)));
    assert.equal((await sim.post('/_sim/message', { content: 'bad', user: plain.user.id, channel })).body.blocked, true);
    await api.patch(`${rules}/${rule.id}`, { enabled: false });
    await api.del(`${rules}/${rule.id}`);
    const sounds = `/guilds/${guild}/soundboard-sounds`;
    const sound = await api.post(sounds, { name: 'boing', sound: 'data:audio/ogg;base64,T2dnUw==' });
    await api.patch(`${sounds}/${sound.sound_id}`, { name: 'doing' });
    client.send({ op: 4, d: { guild_id: guild, channel_id: voice, self_mute: false, self_deaf: false } });
    await until(() => seen.has('VOICE_SERVER_UPDATE'), 'the voice channel');
    await api.post(`/channels/${voice}/send-soundboard-sound`, { sound_id: sound.sound_id });
    await api.del(`${sounds}/${sound.sound_id}`);
    const sticker = new FormData();
    for (const [name, value] of Object.entries({ name: 'st', tags: 'x' })) sticker.append(name, value);
    sticker.append('file', new Blob([Buffer.from('89504e470d0a1a0a', 'hex')]), 'x.png');
    assert.equal((await fetch(`${sim.base}/api/v10/guilds/${guild}/stickers`, { method: 'POST', headers: { authorization: 'Bot test' }, body: sticker })).status, 201);
    const poll = await api.post(`/channels/${channel}/messages`, { poll: { question: { text: 'q' }, answers: [{ poll_media: { text: 'a' } }] } });
    for (const remove of [false, true]) await sim.post('/_sim/vote', { message: poll.id, answer: 1, user: person, remove });
    await api.post(`/channels/${channel}/polls/${poll.id}/expire`);
    await api.del(at);
    await api.post(`/channels/${channel}/messages/bulk-delete`, { messages: (await api.get(`/channels/${channel}/messages?limit=2`)).map(({ id }) => id) });
    await until(() => seen.has('MESSAGE_DELETE_BULK') && seen.has('PRESENCE_UPDATE'), 'the last of them');

    assert.deepEqual([...problems.values()], []);
    const expected = [
      'READY', 'GUILD_CREATE', 'GUILD_UPDATE', 'USER_UPDATE', 'MESSAGE_CREATE', 'MESSAGE_UPDATE', 'MESSAGE_DELETE', 'MESSAGE_DELETE_BULK',
      'MESSAGE_REACTION_ADD', 'MESSAGE_REACTION_REMOVE', 'MESSAGE_REACTION_REMOVE_EMOJI', 'MESSAGE_REACTION_REMOVE_ALL', 'CHANNEL_PINS_UPDATE',
      'TYPING_START', 'WEBHOOKS_UPDATE', 'CHANNEL_CREATE', 'CHANNEL_UPDATE', 'CHANNEL_DELETE', 'THREAD_CREATE', 'THREAD_UPDATE', 'THREAD_DELETE',
      'THREAD_MEMBERS_UPDATE', 'VOICE_CHANNEL_STATUS_UPDATE', 'GUILD_ROLE_CREATE', 'GUILD_ROLE_UPDATE', 'GUILD_ROLE_DELETE', 'GUILD_MEMBER_UPDATE',
      'GUILD_MEMBER_REMOVE', 'GUILD_BAN_ADD', 'GUILD_BAN_REMOVE', 'GUILD_AUDIT_LOG_ENTRY_CREATE', 'PRESENCE_UPDATE', 'INTERACTION_CREATE 2',
      'INTERACTION_CREATE 3', 'INTERACTION_CREATE 4', 'INTERACTION_CREATE 5',
      'GUILD_SCHEDULED_EVENT_CREATE', 'GUILD_SCHEDULED_EVENT_UPDATE', 'GUILD_SCHEDULED_EVENT_DELETE', 'GUILD_SCHEDULED_EVENT_USER_ADD',
      'GUILD_SCHEDULED_EVENT_USER_REMOVE', 'AUTO_MODERATION_RULE_CREATE', 'AUTO_MODERATION_RULE_UPDATE', 'AUTO_MODERATION_RULE_DELETE',
      'AUTO_MODERATION_ACTION_EXECUTION', 'GUILD_SOUNDBOARD_SOUND_CREATE', 'GUILD_SOUNDBOARD_SOUND_UPDATE', 'GUILD_SOUNDBOARD_SOUND_DELETE',
      'GUILD_STICKERS_UPDATE', 'VOICE_STATE_UPDATE', 'VOICE_SERVER_UPDATE', 'VOICE_CHANNEL_EFFECT_SEND', 'MESSAGE_POLL_VOTE_ADD',
      'MESSAGE_POLL_VOTE_REMOVE',
    ];
    assert.deepEqual([...seen].sort(), expected.sort());
  });
});

test('the validator notices what is wrong', () => {
  const check = makeValidator();
  assert.match(check({ t: 'MESSAGE_CREATE', s: 1, op: 0, d: { id: '1' } }), /must have required property/);
  assert.match(check({ t: null, s: null, op: 10, d: {} }), /heartbeat_interval/);
  assert.match(check({ t: 'NEVER_HEARD_OF', s: 1, op: 0, d: {} }), /no schema/);
});

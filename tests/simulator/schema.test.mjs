// Everything the gateway sends has the shape that discord-api-types describes.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { Client, Simulator, until } from './sim.mjs';

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
  // A template literal type made a string of the number.
  const limited = schema.definitions['GatewayRateLimitedDispatchData<"8">'];
  if (limited) limited.properties.opcode = { type: 'number', const: 8 };
  return schema;
}

function makeValidator(schema) {
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
  const schema = makeSchema();
  const check = makeValidator(schema);
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

test('the validator notices what is wrong', () => {
  const check = makeValidator(makeSchema());
  assert.match(check({ t: 'MESSAGE_CREATE', s: 1, op: 0, d: { id: '1' } }), /must have required property/);
  assert.match(check({ t: null, s: null, op: 10, d: {} }), /heartbeat_interval/);
  assert.match(check({ t: 'NEVER_HEARD_OF', s: 1, op: 0, d: {} }), /no schema/);
});

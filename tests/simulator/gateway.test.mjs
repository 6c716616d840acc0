// The gateway's rules, its options, and the REST routes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { spawnSync } from 'node:child_process';
import https from 'node:https';
import { Client, Simulator, countMessages, countTypes, kAllIntents, until, withSimulator } from './sim.mjs';

async function everything(sim, client) {
  await until(() => sim.finished(), 'the end of the stream');
  const truth = await sim.truth();
  const count = Object.values(truth.dispatches).reduce((a, b) => a + b);
  await until(() => client.dispatches.length >= count, 'all dispatches');
  return truth;
}

/** Names the first difference instead of printing megabytes. */
function sameTexts(actual, expected) {
  const at = expected.findIndex((text, i) => text !== actual[i]);
  if (at >= 0) assert.equal(actual[at]?.slice(0, 2000), expected[at].slice(0, 2000), `text ${at}`);
  assert.equal(actual.length, expected.length);
}

test('close codes for what a client must not do', async () => {
  await withSimulator(['--token', 'right', '--identify-interval', '0', '--privileged', 'members'], async (sim) => {
    const url = (await sim.get('/api/v10/gateway')).body.url;
    const idle = (options = {}) => {
      const client = new Client(url, { token: 'right', intents: 513, ...options });
      client.login = 'nothing';
      return client;
    };
    const closing = async (expected, act, options) => {
      const client = idle(options);
      await client.op(10);
      act(client);
      assert.equal(await client.closedWith(), expected);
    };
    await closing(4003, (client) => client.send({ op: 8, d: { guild_id: '1', query: '', limit: 0 } }));
    await closing(4002, (client) => client.send('{"op":'));
    await closing(4002, (client) => client.send('[]'));
    await closing(4002, (client) => client.send({ op: 3, d: 'x'.repeat(4100) }));
    await closing(4001, (client) => client.send({ op: 99, d: null }));
    await closing(4004, (client) => client.identify({ token: 'wrong' }));
    await closing(4004, (client) => client.identify({ token: '' }));
    await closing(4010, (client) => client.identify({ shard: [2, 2] }));
    await closing(4010, (client) => client.identify({ shard: 'x' }));
    await closing(4013, (client) => client.identify({ intents: 1 << 30 }));
    await closing(4013, (client) => client.identify({ intents: undefined }));
    await closing(4014, (client) => client.identify({ intents: 513 | (1 << 15) }));
    await closing(4005, (client) => (client.identify(), client.identify()));
    await closing(4008, (client) => {
      for (let i = 0; i < 121; ++i) client.send({ op: 1, d: null });
    });
    assert.equal(await idle({ version: 6 }).closedWith(), 4012);
  });
});

test('one identify per interval and bucket', async () => {
  const flags = ['--identify-interval', '600', '--max-concurrency', '2', '--rate', '1'];
  await withSimulator(flags, async (sim, url) => {
    await new Client(url, { shard: [0, 4] }).dispatched('READY');
    await new Client(url, { shard: [1, 4] }).dispatched('READY');
    assert.equal((await new Client(url, { shard: [2, 4] }).op(9)).d, false);
    const { session_start_limit: limit } = (await sim.get('/api/v10/gateway/bot')).body;
    const { reset_after: reset, ...rest } = limit;
    assert.deepEqual(rest, { total: 1000, remaining: 998, max_concurrency: 2 });
    assert.ok(reset > 0 && reset <= 86400000, `${reset}`);
  });
});

test('heartbeats are acknowledged, and a client without them is closed with 4009', async () => {
  await withSimulator(['--heartbeat-interval', '2000', '--rate', '1'], async (sim, url) => {
    const client = new Client(url);
    assert.equal((await client.op(10)).d.heartbeat_interval, 2000);
    client.send({ op: 1, d: null });
    await client.op(11);
    assert.equal(await client.closedWith(), 4009);
  });
});

test('a client sees what its intents allow, and the truth says so', async () => {
  const flags = ['--rate', '0', '--total', '2000', '--other-share', '0.2', '--thread-share', '0.05'];
  await withSimulator(flags, async (sim, url) => {
    const intents = 1 | (1 << 9);
    const client = new Client(url, { intents });
    const truth = await everything(sim, client);
    assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
    const types = Object.keys(truth.dispatches);
    for (const type of ['READY', 'GUILD_CREATE', 'MESSAGE_CREATE', 'MESSAGE_UPDATE', 'THREAD_CREATE', 'CHANNEL_UPDATE']) {
      assert.ok(types.includes(type), type);
    }
    for (const type of ['PRESENCE_UPDATE', 'GUILD_MEMBER_ADD', 'VOICE_STATE_UPDATE', 'TYPING_START', 'GUILD_BAN_ADD']) {
      assert.ok(!types.includes(type), type);
    }
    const messages = client.dispatches.filter(({ t }) => t === 'MESSAGE_CREATE');
    assert.ok(messages.every(({ d }) => d.content === '' && d.embeds.length === 0 && d.attachments.length === 0));
    const created = client.dispatches.filter(({ t }) => t === 'GUILD_CREATE');
    assert.ok(created.every(({ d }) => d.presences.length === 0 && d.members.length <= 4));
  });
});

test('the truth is what a careful client counts, and days differ between id and timestamp', async () => {
  const flags = ['--rate', '0', '--total', '6000', '--span-days', '5', '--skewed-share', '0.05', '--webhook-share', '0.1'];
  await withSimulator(flags, async (sim, url) => {
    const client = new Client(url);
    const truth = await everything(sim, client);
    assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
    assert.deepEqual(countMessages(client.dispatches), truth.messages);
    const members = {};
    const parents = {};
    for (const { t, d } of client.dispatches) {
      if (t === 'GUILD_CREATE') members[d.id] = d.member_count;
      if (t === 'GUILD_MEMBER_ADD') ++members[d.guild_id];
      if (t === 'GUILD_MEMBER_REMOVE') --members[d.guild_id];
      for (const thread of t === 'GUILD_CREATE' ? d.threads : t === 'THREAD_CREATE' ? [d] : []) {
        parents[thread.id] = thread.parent_id;
      }
    }
    assert.deepEqual(members, truth.members);
    assert.deepEqual(parents, truth.parents);
    const messages = client.dispatches.filter(({ t }) => t === 'MESSAGE_CREATE').map(({ d }) => d);
    assert.equal(messages.length, 6000);
    assert.equal(new Set(messages.map(({ id }) => id)).size, 6000, 'ids are unique');
    const dayOfId = (id) => new Date(Number(BigInt(id) >> 22n) + 1420070400000).toISOString().slice(0, 10);
    const skewed = messages.filter((message) => dayOfId(message.id) !== message.timestamp.slice(0, 10));
    assert.ok(skewed.length > 200 && skewed.length < 400, `${skewed.length} of 6000`);
    assert.equal(new Set(messages.map(({ timestamp }) => timestamp.slice(0, 10))).size, 5);
    const mean = messages.reduce((sum, d) => sum + JSON.stringify(d).length, 0) / messages.length;
    assert.ok(mean > 1000 && mean < 2000, `mean size ${mean}`);
  });
});

test('the same seed gives the same stream, another seed another', async () => {
  const record = async (seed) => {
    let texts;
    await withSimulator(['--rate', '0', '--total', '1500', '--seed', seed], async (sim, url) => {
      const client = new Client(url);
      client.texts = texts = [];
      await everything(sim, client);
    });
    return texts.filter((text) => text.startsWith('{"t":"') && !text.startsWith('{"t":"READY"'));
  };
  const first = await record('7');
  assert.ok(first.length > 1500);
  sameTexts(await record('7'), first);
  assert.notDeepEqual(await record('8'), first);
});

test('the stream of a shard does not depend on the other shards', async () => {
  const record = async (...shards) => {
    const texts = [];
    const flags = ['--rate', '0', '--total', '1500', '--guilds', '9', '--thread-share', '0.1', '--join-share', '0.1'];
    await withSimulator([...flags, '--identify-interval', '0'], async (sim, url) => {
      const clients = shards.map((id) => new Client(url, { shard: [id, 2] }));
      const client = clients.at(-1);
      client.texts = texts;
      await until(() => sim.finished(shards.length), 'the end of the streams');
      const session = (await sim.sessions()).find(({ shard }) => shard[0] === shards.at(-1));
      await until(() => client.seq === session.seq, 'all dispatches');
    });
    return texts.filter((text) => text.startsWith('{"t":"') && !text.startsWith('{"t":"READY"'));
  };
  const alone = await record(1);
  assert.ok(alone.some((text) => text.startsWith('{"t":"THREAD_CREATE"')));
  sameTexts(await record(0, 1), alone);
});

test('payloads have the key order of the real wire', async () => {
  await withSimulator(['--rate', '1000'], async (sim, url) => {
    const client = new Client(url);
    client.texts = [];
    await client.dispatched('MESSAGE_CREATE');
    assert.match(client.texts[0], /^\{"t":null,"s":null,"op":10,"d":\{/);
    assert.match(client.texts[1], /^\{"t":"READY","s":1,"op":0,"d":\{"v":10,/);
  });
});

test('shards get their own servers, and direct messages go to the first', async () => {
  const flags = ['--guilds', '20', '--rate', '0', '--total', '4000', '--dm-share', '0.1', '--identify-interval', '0'];
  await withSimulator(flags, async (sim, url) => {
    const clients = [0, 1, 2].map((id) => new Client(url, { shard: [id, 3] }));
    await until(() => sim.finished(3), 'the end of the streams');
    const truth = await sim.truth();
    const count = Object.values(truth.dispatches).reduce((a, b) => a + b);
    const all = () => clients.flatMap(({ dispatches }) => dispatches);
    await until(() => all().length >= count, 'all dispatches');
    assert.deepEqual(countTypes(all()), truth.dispatches);
    assert.deepEqual(countMessages(all()), truth.messages);
    assert.equal(truth.messages_total_sent, 4000);
    clients.forEach(({ dispatches }, shard) => {
      for (const { t, d } of dispatches) {
        const guild = t === 'GUILD_CREATE' ? d.id : d.guild_id;
        if (guild) assert.equal(Number((BigInt(guild) >> 22n) % 3n), shard);
        else if (t === 'MESSAGE_CREATE') assert.equal(shard, 0);
      }
    });
    assert.ok(clients[0].dispatches.some(({ t, d }) => t === 'MESSAGE_CREATE' && !d.guild_id && !d.member));
  });
});

for (const flags of [[], ['--blast', '500']]) {
  test(`zlib-stream carries the same stream ${flags.join(' ')}`, async () => {
    await withSimulator(['--rate', '0', '--total', '3000', ...flags], async (sim, url) => {
      const client = new Client(url, { compress: 'zlib-stream' });
      await until(() => sim.finished(), 'the end of the stream');
      client.send({ op: 1, d: client.seq });
      const truth = await everything(sim, client);
      await client.op(11);
      assert.equal(client.jumped, undefined);
      assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
      assert.deepEqual(countMessages(client.dispatches), truth.messages);
    });
  });
}

test('compress of IDENTIFY: each dispatch is a zlib stream of its own, after a RESUME too', async () => {
  await withSimulator(['--rate', '0', '--total', '3000'], async (sim, url) => {
    const client = new Client(url, { compressPayloads: true });
    await until(() => client.seq > 300, 'dispatches');
    await sim.fault('drop');
    await client.closedWith();
    const rest = new Client(url, { login: client.state });
    await rest.dispatched('RESUMED');
    const truth = await everything(sim, { get dispatches() { return [...client.dispatches, ...rest.dispatches]; } });
    await sim.fault('duplicate', { count: 2 });
    rest.send({ op: 1, d: rest.seq });
    await rest.op(11);
    const all = [...client.dispatches, ...rest.dispatches];
    assert.deepEqual([client.packed, rest.packed], [client.dispatches.length, rest.dispatches.length], 'all of them, and nothing else');
    assert.deepEqual(all.slice(0, -2).map(({ s }) => s), all.slice(0, -2).map((_, i) => i + 1));
    assert.deepEqual(countTypes(all.slice(0, -2)), truth.dispatches);
  });
});

test('compress of IDENTIFY means nothing on a compressed transport', async () => {
  await withSimulator(['--rate', '0', '--total', '500'], async (sim, url) => {
    const client = new Client(url, { compress: 'zlib-stream', compressPayloads: true });
    await until(() => sim.finished(), 'the end of the stream');
    const truth = await everything(sim, client);
    assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
  });
});

test('a blast repeats its messages under new ids and counts them', async () => {
  await withSimulator(['--rate', '0', '--total', '5000', '--blast', '300'], async (sim, url) => {
    const client = new Client(url);
    await until(() => client.seq > 1000, 'dispatches');
    client.send({ op: 1, d: client.seq });
    await sim.fault('drop');
    await client.closedWith();
    const rest = new Client(url, { login: client.state });
    rest.dispatches = client.dispatches;
    const truth = await everything(sim, rest);
    const messages = rest.dispatches.filter(({ t }) => t === 'MESSAGE_CREATE');
    assert.equal(messages.length, 5000);
    assert.equal(new Set(messages.map(({ d }) => d.id)).size, 5000);
    assert.deepEqual(rest.dispatches.map(({ s }) => s), rest.dispatches.map((_, i) => i + 1));
    assert.deepEqual(countMessages(rest.dispatches), truth.messages);
    assert.deepEqual(countTypes(rest.dispatches), truth.dispatches);
  });
});

test('blast, compression and other dispatches in between', async () => {
  await withSimulator(['--rate', '0', '--total', '20000', '--blast', '300'], async (sim, url) => {
    const client = new Client(url, { compress: 'zlib-stream' });
    await client.dispatched('GUILD_CREATE');
    const d = { id: '1', channel_id: '2', guild_id: (await sim.get('/api/v10/users/@me/guilds')).body[0].id };
    await sim.post('/_sim/send', { t: 'MESSAGE_DELETE', d });
    const truth = await everything(sim, client);
    assert.equal(client.jumped, undefined);
    assert.equal(truth.dispatches.MESSAGE_DELETE, 1);
    assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
  });
});

test('payloads sent by hand keep their text and obey intents and shards', async () => {
  await withSimulator(['--rate', '1', '--identify-interval', '0'], async (sim, url) => {
    await sim.fault('pause');
    const client = new Client(url, { shard: [0, 1] });
    const deaf = new Client(url, { intents: 1, shard: [0, 1] });
    client.texts = [];
    await client.dispatched('GUILD_CREATE');
    await deaf.dispatched('GUILD_CREATE');
    const guild = (await sim.get('/api/v10/users/@me/guilds')).body[0].id;
    const d = `{ "type": 0, "timestamp":"2026-02-01T03:34:22.613000+00:00", "id": "1467362417523687485", "guild_id":"${guild}",
      "channel_id":"7", "content": "\\ud83d\\udd25 \\"raw\\"", "author":{"id":"5"} , "unknown_field": 1.50}`;
    const answer = await sim.post('/_sim/send', `{"note":{"d":[1,"}"]},"t":"MESSAGE_CREATE","d":${d}}`);
    assert.deepEqual(answer, { status: 200, body: { sessions: 1 } });
    const text = await until(() => client.texts.find((one) => one.includes('unknown_field')), 'the dispatch');
    assert.ok(text.endsWith(`"op":0,"d":${d}}`));
    assert.deepEqual((await sim.post('/_sim/send', { t: 'A_FUTURE_EVENT', d: [1] })).body, { sessions: 2 });
    await deaf.dispatched('A_FUTURE_EVENT');
    await sim.post('/_sim/send', { t: 'GUILD_MEMBER_ADD', d: { guild_id: guild, user: { id: '9' } } });
    const truth = await sim.truth();
    assert.equal(truth.messages[guild]['7']['2026-02-01'], 1);
    assert.equal(truth.dispatches.A_FUTURE_EVENT, 1);
    const created = client.dispatches.find(({ t, d: data }) => t === 'GUILD_CREATE' && data.id === guild);
    assert.equal(truth.members[guild], created.d.member_count + 1);
    assert.equal((await sim.post('/_sim/send', '{"t":1}')).status, 400);
    assert.equal((await sim.post('/_sim/fault', { fault: 'earthquake' })).status, 400);
  });
});

test('requesting members', async () => {
  await withSimulator(['--rate', '1', '--members', '2500', '--users', '3000', '--guilds', '1'], async (sim, url) => {
    await sim.fault('pause');
    const client = new Client(url);
    const guild = (await client.dispatched('GUILD_CREATE')).d;
    assert.equal(guild.member_count, 2511);
    const chunks = (count) => until(() => {
      const found = client.dispatches.filter(({ t }) => t === 'GUILD_MEMBERS_CHUNK');
      return found.length >= count && found;
    }, `${count} chunks`);
    client.send({ op: 8, d: { guild_id: guild.id, query: '', limit: 0, nonce: 'n1' } });
    const all = await chunks(3);
    assert.deepEqual(all.map(({ d }) => [d.chunk_index, d.chunk_count, d.nonce]), [[0, 3, 'n1'], [1, 3, 'n1'], [2, 3, 'n1']]);
    assert.equal(new Set(all.flatMap(({ d }) => d.members.map(({ user }) => user.id))).size, 2511);
    client.send({ op: 8, d: { guild_id: guild.id, query: '', limit: 0 } });
    const { d: limited } = await client.dispatched('RATE_LIMITED');
    assert.equal(limited.opcode, 8);
    assert.ok(limited.retry_after > 0 && limited.retry_after <= 30);
    const someone = all[1].d.members[0].user.id;
    client.send({ op: 8, d: { guild_id: guild.id, user_ids: [someone, '123456789', 'x'] } });
    const byId = (await chunks(4))[3].d;
    assert.deepEqual([byId.members.length, byId.members[0].user.id, byId.not_found], [1, someone, ['123456789', 0]]);
  });
});

test('an attached client that reads slowly is not flooded', async () => {
  await withSimulator(['--rate', '0', '--total', '1000000'], async (sim, url) => {
    const client = new Client(url, { onDispatch() {} });
    await until(() => client.seq > 100, 'dispatches');
    client.ws.pause();
    let seq = -1;
    await until(async () => {
      const [session] = await sim.sessions();
      const still = session.seq === seq;
      seq = session.seq;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still;
    }, 'the sender to stop');
    assert.ok(seq < 100000, `${seq} made`);
    client.ws.resume();
    await until(() => client.seq > seq, 'the rest');
  });
});

test('REST answers as Discord does', async () => {
  await withSimulator(['--token', 'secret', '--shards', '2'], async (sim) => {
    const auth = { authorization: 'Bot secret' };
    assert.deepEqual(await sim.get('/api/v10/users/@me', {}), { status: 401, body: { message: '401: Unauthorized', code: 0 } });
    assert.equal((await sim.get('/api/v10/users/@me', { authorization: 'Bot other' })).status, 401);
    assert.deepEqual(await sim.get('/api/v10/nonsense/route', auth), { status: 404, body: { message: '404: Not Found', code: 0 } });
    assert.equal((await sim.get('/elsewhere', auth)).status, 404);
    const me = (await sim.get('/api/v10/users/@me', auth)).body;
    assert.equal(me.bot, true);
    for (const route of ['/applications/@me', '/oauth2/applications/@me']) {
      assert.equal((await sim.get(`/api/v10${route}`, auth)).body.id, me.id);
    }
    const bot = (await sim.get('/api/v10/gateway/bot', auth)).body;
    assert.equal(bot.shards, 2);
    assert.match(bot.url, /^ws:\/\/127\.0\.0\.1:\d+$/);
    const guilds = (await sim.get('/api/v10/users/@me/guilds?limit=2', auth)).body;
    assert.equal(guilds.length, 2);
    const guild = `/api/v10/guilds/${guilds[0].id}`;
    assert.equal((await sim.get(guild, auth)).body.id, guilds[0].id);
    const channels = (await sim.get(`${guild}/channels`, auth)).body;
    assert.deepEqual([...new Set(channels.map(({ type }) => type))].sort((a, b) => a - b), [0, 2, 4, 5, 13, 15, 16]);
    for (const { parent_id: parent } of channels) {
      if (parent !== null) assert.equal(channels.find(({ id }) => id === parent).type, 4);
    }
    const { threads } = (await sim.get(`${guild}/threads/active`, auth)).body;
    assert.equal(threads.length, 4);
    assert.equal((await sim.get(`/api/v10/channels/${threads[0].id}`, auth)).body.parent_id, threads[0].parent_id);
    assert.ok((await sim.get(`${guild}/roles`, auth)).body.some(({ name, id }) => name === '@everyone' && id === guilds[0].id));
    const page = (await sim.get(`${guild}/members?limit=50`, auth)).body;
    const next = (await sim.get(`${guild}/members?limit=1000&after=${page[49].user.id}`, auth)).body;
    assert.equal(page.length + next.length, 111);
    assert.equal((await sim.get(`${guild}/members/${next[0].user.id}`, auth)).body.user.id, next[0].user.id);
    assert.deepEqual(await sim.get('/api/v10/guilds/1', auth), { status: 404, body: { message: 'Unknown Guild', code: 10004 } });
    assert.deepEqual((await sim.get('/api/v10/channels/1', auth)).body, { message: 'Unknown Channel', code: 10003 });
  });
});

test('TLS with a certificate of its own', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trellis-sim-'));
  const ca = path.join(folder, 'ca.pem');
  const sim = await Simulator.start('--tls', '--ca-out', ca, '--rate', '0', '--total', '2000');
  try {
    const trusted = fs.readFileSync(ca);
    const get = (route) => new Promise((resolve, reject) => {
      https.get(sim.base + route, { ca: trusted, headers: { authorization: 'Bot x' } }, (response) => {
        let text = '';
        response.on('data', (data) => (text += data));
        response.on('end', () => resolve(JSON.parse(text)));
      }).on('error', reject);
    });
    const { url } = await get('/api/v10/gateway/bot');
    assert.match(url, /^wss:/);
    process.env.TRELLIS_TEST_CA = trusted.toString();
    const client = new Client(url);
    await until(async () => (await get('/_sim/sessions'))[0]?.finished, 'the end of the stream');
    const truth = await get('/_sim/truth');
    await until(() => client.dispatches.length >= Object.values(truth.dispatches).reduce((a, b) => a + b), 'all dispatches');
    assert.deepEqual(countTypes(client.dispatches), truth.dispatches);
    await client.close();
  } finally {
    delete process.env.TRELLIS_TEST_CA;
    await sim.stop();
    fs.rmSync(folder, { recursive: true });
  }
});

test('scenario files, the truth at the end, and mistakes in words', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trellis-sim-'));
  try {
    const scenario = path.join(folder, 'scenario.toml');
    const truth = path.join(folder, 'truth.json');
    const port = path.join(folder, 'port');
    fs.writeFileSync(scenario, 'guilds = 2\nspan_days = 4\nrate = 0\ntotal = 50\nquiet = true\nstart = 2026-03-01\n');
    const sim = await Simulator.start('--scenario', scenario, '--guilds', '5', '--truth', truth, '--port-file', port);
    assert.ok(sim.base.endsWith(`:${fs.readFileSync(port, 'utf8').trim()}`));
    const client = new Client(await sim.gatewayUrl(), { intents: kAllIntents });
    await everything(sim, client);
    assert.deepEqual(await sim.stop('SIGINT'), { code: 0, signal: null });
    const written = JSON.parse(fs.readFileSync(truth, 'utf8'));
    assert.equal(written.dispatches.GUILD_CREATE, 5, 'flags win');
    assert.equal(written.messages_total_sent, 50);
    assert.deepEqual(written.messages, countMessages(client.dispatches));
    assert.ok(client.dispatches.some(({ d }) => d.timestamp?.startsWith?.('2026-03-0')));
    const refused = (text, expected, ...flags) => {
      fs.writeFileSync(scenario, text);
      const run = spawnSync(process.env.TRELLIS_SIM, ['--scenario', scenario, ...flags], { encoding: 'utf8' });
      assert.equal(run.status, 2);
      assert.match(run.stderr, expected);
    };
    refused('guilds = 3\nspeling = 1\n', /scenario\.toml:2: there is no setting "speling"/);
    refused('guilds = "many"\n', /scenario\.toml:1: guilds must be a whole number/);
    refused('guilds = = 1\n', /scenario\.toml:1:/);
    refused('', /--start must be a day/, '--start', 'yesterday');
    refused('', /--blast needs --total/, '--blast', '5');
    const ended = await Simulator.start('--exit-after', '0.1');
    assert.deepEqual(await ended.exited, { code: 0, signal: null });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('--help and --version', () => {
  const run = (flag) => spawnSync(process.env.TRELLIS_SIM, [flag], { encoding: 'utf8' });
  const help = run('--help');
  assert.equal(help.status, 0);
  for (const word of ['--scenario', '--rate', '--blast', '/_sim/truth', 'half_open']) assert.ok(help.stdout.includes(word), word);
  assert.match(run('--version').stdout, /^trellis-sim \S+\n$/);
});

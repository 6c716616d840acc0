// What the gateway limits, paces and loses: the identify budget, servers that come late or never, faults on schedule.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { spawnSync } from 'node:child_process';
import { Client, until, withSimulator } from './sim.mjs';

const quiet = ['--rate', '0.001'];

test('one identify more than the day has ends every session and makes the token invalid', async () => {
  await withSimulator(['--identify-total', '2', '--identify-interval', '0', ...quiet], async (sim, url) => {
    const first = new Client(url);
    await first.dispatched('READY');
    await new Client(url).dispatched('READY');
    const { session_start_limit: limit } = (await sim.get('/api/v10/gateway/bot')).body;
    assert.equal(limit.remaining, 0);
    assert.ok(limit.reset_after > 86_000_000 && limit.reset_after <= 86_400_000, `${limit.reset_after}`);
    const third = new Client(url);
    assert.equal(await third.closedWith(), 4004);
    assert.equal(await first.closedWith(), 4004);
    assert.deepEqual(await sim.sessions(), []);
    assert.equal((await sim.get('/api/v10/users/@me')).status, 401);
    assert.equal(await new Client(url).closedWith(), 4004);
  });
});

test('the identifies of a day come back when it is over', async () => {
  const flags = ['--identify-total', '1', '--identify-reset', '0.2', '--identify-interval', '0', ...quiet];
  await withSimulator(flags, async (sim, url) => {
    await new Client(url).dispatched('READY');
    await until(async () => (await sim.get('/api/v10/gateway/bot')).body.session_start_limit.remaining === 1, 'the next day');
    await new Client(url).dispatched('READY');
  });
});

test('2,501 servers on one shard close with 4011, on two they are welcome', async () => {
  const world = ['--guilds', '2501', '--channels', '2', '--threads', '0', '--users', '1', '--members', '1', '--bots', '0'];
  await withSimulator([...world, '--roles', '0', '--identify-interval', '0', ...quiet], async (sim, url) => {
    assert.equal(await new Client(url).closedWith(), 4011);
    await new Client(url, { shard: [0, 2] }).dispatched('READY');
  });
});

test('GUILD_CREATEs come one after the other, and servers in an outage when it ends', async () => {
  const flags = ['--guilds', '4', '--guild-interval', '150', '--outage-guilds', '1', '--outage-seconds', '0.8', ...quiet];
  await withSimulator(flags, async (sim, url) => {
    const times = [];
    const client = new Client(url, { onDispatch: ({ t, d }) => times.push({ t, d, at: Date.now() }) });
    await until(() => times.filter(({ t }) => t === 'GUILD_CREATE').length === 4, 'all servers');
    const ready = times[0].d;
    assert.equal(ready.guilds.length, 4);
    assert.ok(ready.guilds.every(({ unavailable }) => unavailable));
    const created = times.filter(({ t }) => t === 'GUILD_CREATE');
    assert.ok(created[2].at - created[0].at >= 200, 'paced');
    assert.equal(created[3].d.id, ready.guilds.at(-1).id, 'the one in the outage is last');
    assert.ok(created[3].at - times[0].at >= 700);
    client.close();
  });
});

test('an oversized GUILD_CREATE carries tens of thousands of members and presences', async () => {
  const flags = ['--guilds', '2', '--users', '20000', '--huge-members', '20000', ...quiet];
  await withSimulator(flags, async (sim, url) => {
    const client = new Client(url);
    client.texts = [];
    await until(() => client.dispatches.filter(({ t }) => t === 'GUILD_CREATE').length === 2, 'both servers');
    const huge = client.dispatches.find(({ t, d }) => t === 'GUILD_CREATE' && d.member_count > 20000).d;
    assert.ok(huge.large && huge.members.length > 14000 && huge.presences.length > 14000);
    assert.ok(client.texts.some((text) => text.length > 5_000_000));
  });
});

test('lost dispatches leave a hole in the numbers that only a resume fills', async () => {
  await withSimulator(['--rate', '500', '--total', '600'], async (sim, url) => {
    const client = new Client(url);
    await client.dispatched('MESSAGE_CREATE');
    await sim.fault('lose', { count: 3 });
    const [before, after] = await until(() => client.jumped, 'the hole');
    assert.ok(after > before + 1 && after <= before + 4, `${before} ${after}`);
    await sim.fault('drop');
    await client.closedWith();
    const again = new Client(url, { login: { session: client.session, seq: before } });
    await again.dispatched('RESUMED');
    assert.equal(again.dispatches[0].s, before + 1);
  });
});

test('reordered dispatches', async () => {
  await withSimulator(['--rate', '0', '--total', '20000'], async (sim, url) => {
    const client = new Client(url);
    await client.dispatched('MESSAGE_CREATE');
    await sim.fault('reorder');
    await until(() => sim.finished(), 'the end of the stream');
    const [{ seq: last }] = await sim.sessions();
    await until(() => client.dispatches.length >= last, 'all dispatches');
    const numbers = client.dispatches.map(({ s }) => s);
    const at = numbers.findIndex((s, i) => s !== i + 1);
    assert.ok(at > 0, 'something is out of order');
    assert.deepEqual(numbers.slice(at, at + 2), [at + 2, at + 1]);
    assert.deepEqual(numbers.toSorted?.((a, b) => a - b) ?? [...numbers].sort((a, b) => a - b), numbers.map((_, i) => i + 1));
  });
});

test('faults on schedule and lines of a script', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trellis-sim-'));
  const script = path.join(folder, 'script.jsonl');
  fs.writeFileSync(script, '# two things\n{"at": 0.05, "send": {"t": "FROM_THE_SCRIPT", "d": {"x": "1"}}}\n{"at": "100ms", "fault": "heartbeat_request"}\n');
  const flags = ['--fault', 'at=300ms name=close code=4000', '--fault', 'every=40ms name=raw text={"op":77}', '--script', script];
  try {
    await withSimulator([...flags, ...quiet], async (sim, url) => {
      const client = new Client(url);
      assert.deepEqual((await client.dispatched('FROM_THE_SCRIPT')).d, { x: '1' });
      await client.op(1);
      await until(() => client.received.filter(({ op }) => op === 77).length >= 3, 'the repeated fault');
      assert.equal(await client.closedWith(), 4000);
    });
    const refused = (expected, ...more) => {
      const run = spawnSync(process.env.TRELLIS_SIM, more, { encoding: 'utf8' });
      assert.equal(run.status, 2);
      assert.match(run.stderr, expected);
    };
    refused(/it does not say when/, '--fault', 'name=drop');
    refused(/it does not say which fault/, '--fault', 'at=1s');
    refused(/"soon" is no length of time/, '--fault', 'at=soon name=drop');
    fs.writeFileSync(script, '{"at": 1, "fault": "drop"}\nnonsense\n');
    refused(/script\.jsonl:2: a line is a JSON object/, '--script', script);
    refused(/--script .*: cannot be opened/, '--script', `${script}x`);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('op 3 changes the presence at most five times in 20 s, op 4 moves the bot through voice', async () => {
  await withSimulator(['--identify-interval', '0', ...quiet], async (sim, url) => {
    const client = new Client(url);
    const other = new Client(url);
    const guild = (await client.dispatched('GUILD_CREATE')).d;
    await other.dispatched('GUILD_CREATE');
    await until(async () => (await sim.sessions()).every(({ backfill_left: left }) => left === 0), 'the backfill');
    const voice = guild.channels.find(({ type }) => type === 2);
    for (const status of ['idle', 'dnd', 'online', 'idle', 'dnd', 'online']) {
      client.send({ op: 3, d: { since: null, activities: [{ name: status, type: 0 }], status, afk: false } });
    }
    client.send({ op: 4, d: { guild_id: guild.id, channel_id: voice.id, self_mute: true, self_deaf: false } });
    await client.dispatched('VOICE_SERVER_UPDATE');
    const joined = (await other.dispatched('VOICE_STATE_UPDATE')).d;
    assert.deepEqual([joined.channel_id, joined.self_mute, joined.guild_id], [voice.id, true, guild.id]);
    assert.ok(!other.dispatches.some(({ t }) => t === 'VOICE_SERVER_UPDATE'), 'only for who asked');
    const seen = other.dispatches.filter(({ t, d }) => t === 'PRESENCE_UPDATE' && d.guild_id === guild.id).map(({ d }) => d.status);
    assert.deepEqual(seen, ['idle', 'dnd', 'online', 'idle', 'dnd']);
    assert.equal((await sim.sessions()).find(({ session_id: id }) => id === client.session).presence.status, 'dnd');
    client.send({ op: 4, d: { guild_id: guild.id, channel_id: null, self_mute: false, self_deaf: false } });
    await until(() => client.dispatches.some(({ t, d }) => t === 'VOICE_STATE_UPDATE' && d.channel_id === null), 'the leave');
    client.send({ op: 3, d: { status: 'busy', activities: [] } });
    assert.equal(await client.closedWith(), 4002);
    other.send({ op: 4, d: {} });
    assert.equal(await other.closedWith(), 4002);
  });
});

test('logins that go wrong: no Hello, no or a late READY, a RESUME that is closed, a token that is revoked', async () => {
  await withSimulator(['--identify-interval', '0', ...quiet], async (sim, url) => {
    await sim.fault('no_hello');
    const silent = new Client(url);
    await until(() => sim.log.includes('no_hello, as was asked for'), 'a connection without Hello');
    await sim.fault('no_ready');
    const waiting = new Client(url);
    await until(() => sim.log.includes('no_ready, as was asked for'), 'an IDENTIFY without READY');
    waiting.send({ op: 1, d: null });
    await waiting.op(11);
    await sim.fault('late_ready', { seconds: 0.2 });
    const fine = new Client(url);
    await fine.dispatched('READY');
    assert.match(sim.log, /READY comes in 200 ms/);
    assert.deepEqual([silent.received, waiting.dispatches], [[], []]);
    await sim.fault('refuse_resume', { count: 2 });
    for (let i = 0; i < 2; ++i) assert.equal(await new Client(url, { login: fine.state }).closedWith(), 4000);
    const resumed = new Client(url, { login: fine.state });
    await resumed.dispatched('RESUMED');
    await sim.fault('no_hello', { count: 1000, host: 'resume' });
    const atResume = new Client(fine.resumeUrl);
    await until(() => sim.log.split('no_hello, as was asked for').length === 3, 'a connection to the resume host without Hello');
    await new Client(url, { login: fine.state }).dispatched('RESUMED');
    assert.deepEqual(atResume.received, []);
    assert.equal((await sim.post('/_sim/fault', { fault: 'no_hello', host: 'main' })).status, 400);
    await sim.fault('revoke_token');
    assert.equal((await sim.get('/api/v10/users/@me')).status, 401);
    assert.equal(await new Client(url).closedWith(), 4004);
  });
});

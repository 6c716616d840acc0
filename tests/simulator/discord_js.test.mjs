// discord.js, unmodified, takes the simulator for Discord.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { Simulator, countMessages, countTypes, until } from './sim.mjs';

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
    await sim.stop();
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
    await sim.stop();
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
    await sim.stop();
  }
});

// What a RESUME gets back, whatever happened to the connection.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, countMessages, countTypes, until, withSimulator } from './sim.mjs';

test('a drop loses nothing: the missing dispatches come again under their numbers, then RESUMED', async () => {
  await withSimulator(['--rate', '0', '--total', '20000'], async (sim, url) => {
    const all = [];
    const take = (dispatch) => all.push(dispatch);
    let client = new Client(url, { onDispatch: take });
    let drops = 0;
    for (const mark of [2000, 8000, 15000]) {
      await until(() => all.length >= mark, `${mark} dispatches`);
      await sim.fault(drops++ % 2 === 0 ? 'drop' : 'cut_mid_frame');
      await client.closedWith();
      const { session, seq } = client.state;
      client = new Client(url, { onDispatch: take, login: { session, seq } });
    }
    await until(() => sim.finished(), 'the end of the stream');
    const truth = await sim.truth();
    const count = Object.values(truth.dispatches).reduce((a, b) => a + b);
    await until(() => all.length >= count, 'all dispatches');
    // Every number once, in order, over four connections.
    assert.deepEqual(all.map(({ s }) => s), all.map((_, i) => i + 1));
    assert.deepEqual(countTypes(all), truth.dispatches);
    assert.deepEqual(countMessages(all), truth.messages);
    assert.equal(truth.dispatches.RESUMED, 3);
    assert.equal(truth.sessions[0].resumes, 3);
  });
});

test('an earlier number is replayed with the very same text', async () => {
  await withSimulator(['--rate', '500', '--total', '300'], async (sim, url) => {
    const first = new Client(url);
    first.texts = [];
    await until(() => first.seq > 250, 'dispatches');
    await sim.fault('drop');
    await first.closedWith();
    const second = new Client(url, { login: { session: first.session, seq: 100 } });
    second.texts = [];
    await second.dispatched('RESUMED');
    const dispatches = (texts) => texts.filter((text) => text.startsWith('{"t":"'));
    const replayed = dispatches(second.texts).slice(0, first.seq - 100);
    assert.ok(replayed.length > 100);
    assert.equal(replayed.join('\n') === dispatches(first.texts).slice(100).join('\n'), true);
    const resumed = second.dispatches.findIndex(({ t }) => t === 'RESUMED');
    assert.ok(resumed >= replayed.length, 'RESUMED comes after what was missed');
  });
});

test('a compressed connection is resumed by another one', async () => {
  await withSimulator(['--rate', '0', '--total', '3000'], async (sim, url) => {
    const all = [];
    const take = (dispatch) => all.push(dispatch);
    const first = new Client(url, { onDispatch: take, compress: 'zlib-stream' });
    await until(() => all.length >= 500, 'dispatches');
    await sim.fault('drop');
    await first.closedWith();
    await first.queue;
    new Client(url, { onDispatch: take, compress: 'zlib-stream', login: first.state });
    await until(() => sim.finished(), 'the end of the stream');
    const { dispatches } = await sim.truth();
    const count = Object.values(dispatches).reduce((a, b) => a + b);
    await until(() => all.length >= count, 'all dispatches');
    assert.deepEqual(all.map(({ s }) => s), all.map((_, i) => i + 1));
  });
});

test('a number from the future, an unknown session and a forgotten number', async () => {
  await withSimulator(['--rate', '1000', '--total', '2000', '--replay-limit', '100'], async (sim, url) => {
    const client = new Client(url);
    await until(() => client.seq > 1500, 'dispatches');
    await sim.fault('drop');
    await client.closedWith();
    const ahead = new Client(url, { login: { session: client.session, seq: 1_000_000 } });
    assert.equal(await ahead.closedWith(), 4007);
    const stranger = new Client(url, { login: { session: '0'.repeat(32), seq: 1 } });
    assert.equal((await stranger.op(9)).d, false);
    const late = new Client(url, { login: { session: client.session, seq: 10 } });
    assert.equal((await late.op(9)).d, false);
    assert.ok((await sim.sessions()).every(({ session_id: id }) => id !== client.session), 'the session is gone');
  });
});

test('closing with 1000 ends the session, closing with 4200 does not', async () => {
  await withSimulator(['--rate', '100', '--identify-interval', '0'], async (sim, url) => {
    const kept = new Client(url);
    await kept.dispatched('MESSAGE_CREATE');
    await kept.close(4200);
    const again = new Client(url, { login: kept.state });
    await again.dispatched('RESUMED');
    await again.close(1000);
    await until(async () => (await sim.sessions()).length === 0, 'the session to end');
    const refused = new Client(url, { login: { session: kept.session, seq: again.seq } });
    assert.equal((await refused.op(9)).d, false);
  });
});

test('a session expires when nobody comes back', async () => {
  await withSimulator(['--rate', '100', '--session-lifetime', '0.2'], async (sim, url) => {
    const client = new Client(url);
    await client.dispatched('MESSAGE_CREATE');
    await sim.fault('drop');
    await until(async () => (await sim.sessions()).length === 0, 'the session to expire');
  });
});

test('sending pauses while away, unless told to go on up to the bound', async () => {
  await withSimulator(['--rate', '0', '--total', '100000'], async (sim, url) => {
    const client = new Client(url, { onDispatch() {} });
    await until(() => client.seq > 100, 'dispatches');
    await sim.fault('drop');
    const [{ seq }] = await sim.sessions();
    for (let i = 0; i < 20; ++i) assert.equal((await sim.sessions())[0].seq, seq);
  });
  const bounded = ['--rate', '0', '--total', '100000', '--send-while-away', '--replay-limit', '8000'];
  await withSimulator(bounded, async (sim, url) => {
    const all = [];
    const take = (dispatch) => all.push(dispatch.s);
    const client = new Client(url, { onDispatch: take });
    await until(() => client.seq > 100, 'dispatches');
    await sim.fault('pause');
    await until(async () => (await sim.sessions())[0].seq === client.seq, 'everything to arrive');
    await sim.fault('drop');
    await client.closedWith();
    await sim.fault('resume_sending');
    const away = await until(async () => {
      const [{ seq }] = await sim.sessions();
      return seq >= client.seq + 4000 ? seq : 0;
    }, 'the buffer to fill');
    assert.ok(away < client.seq + 8000, 'bounded');
    const again = new Client(url, { onDispatch: take, login: client.state });
    await until(() => again.seq > away + 1000, 'the replay and more');
    assert.deepEqual(all, all.map((_, i) => i + 1));
  });
});

test('a half-open connection is replaced by a resume', async () => {
  await withSimulator(['--rate', '0', '--total', '5000'], async (sim, url) => {
    const all = [];
    const take = (dispatch) => all.push(dispatch.s);
    const client = new Client(url, { onDispatch: take });
    await until(() => all.length > 500, 'dispatches');
    await sim.fault('half_open');
    const acks = client.received.length;
    client.send({ op: 1, d: client.seq });
    const [{ seq }] = await sim.sessions();
    for (let i = 0; i < 20; ++i) assert.equal((await sim.sessions())[0].seq, seq, 'nothing moves');
    assert.equal(client.received.length, acks, 'no ACK');
    client.ws.terminate();
    new Client(url, { onDispatch: take, login: client.state });
    await until(() => sim.finished(), 'the end of the stream');
    const count = Object.values((await sim.truth()).dispatches).reduce((a, b) => a + b);
    await until(() => all.length >= count, 'all dispatches');
    assert.deepEqual(all, all.map((_, i) => i + 1));
  });
});

test('the resume host can be out while the main one works', async () => {
  await withSimulator(['--rate', '100'], async (sim, url) => {
    const client = new Client(url);
    await client.dispatched('READY');
    assert.notEqual(client.resumeUrl, url);
    await sim.fault('drop');
    await client.closedWith();
    await sim.fault('resume_503', { count: 1 });
    const refused = new Client(client.resumeUrl, { login: client.state });
    await until(() => refused.error, 'the refusal');
    assert.match(refused.error.message, /503/);
    const through = new Client(client.resumeUrl, { login: client.state });
    await through.dispatched('RESUMED');
    await sim.fault('gateway_503', { seconds: 600 });
    const shut = new Client(url);
    await until(() => shut.error, 'the refusal');
    assert.equal((await sim.truth()).handshakes_refused, 2);
    await sim.fault('gateway_503', { count: 0 });
    assert.equal((await new Client(url).op(10)).op, 10);
  });
});

test('op 9 true: the session can be resumed on the same connection', async () => {
  await withSimulator(['--rate', '500', '--total', '1000'], async (sim, url) => {
    const client = new Client(url);
    await client.dispatched('MESSAGE_CREATE');
    await sim.fault('invalid_session', { resumable: true });
    assert.equal((await client.op(9)).d, true);
    client.resume();
    await client.dispatched('RESUMED');
    await until(() => sim.finished(), 'the end of the stream');
    const count = Object.values((await sim.truth()).dispatches).reduce((a, b) => a + b);
    await until(() => client.dispatches.length >= count, 'all dispatches');
    assert.equal(client.jumped, undefined);
  });
});

// Limits of the HTTP API, and what goes wrong on the way to it.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { Api } from './api.mjs';
import { withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0'];
const withApi = (flags, body) =>
  withSimulator([...still, ...flags], async (sim) => {
    const api = new Api(sim);
    await body(api, await api.place(), sim);
  });
const rates = ({ headers }) => Object.fromEntries(['limit', 'remaining', 'reset', 'reset-after', 'bucket'].map((name) => [name, headers.get(`x-ratelimit-${name}`)]));

test('buckets: headers, the major parameter, and 429 when one is empty', () => withApi(['--rest-global', '0'], async (api, { channel, channels }) => {
  const post = (to) => api.request('POST', `/channels/${to}/messages`, { content: 'x' });
  const first = rates(await post(channel));
  assert.deepEqual([first.limit, first.remaining], ['5', '4']);
  assert.match(first.bucket, /^[0-9a-f]{32}$/);
  assert.ok(Number(first['reset-after']) > 4 && Number(first['reset-after']) <= 5);
  assert.ok(Math.abs(Number(first.reset) - Date.now() / 1000 - 5) < 2);
  for (let i = 0; i < 4; ++i) assert.equal((await post(channel)).status, 200);
  const limited = await post(channel);
  assert.equal(limited.status, 429);
  assert.deepEqual([limited.body.global, limited.headers.get('x-ratelimit-scope'), rates(limited).remaining], [false, 'user', '0']);
  assert.ok(limited.body.retry_after > 0 && limited.body.retry_after <= 5);
  assert.ok(Number(limited.headers.get('retry-after')) >= limited.body.retry_after);
  const other = channels.find(({ type, id }) => type === 0 && id !== channel).id;
  const elsewhere = await post(other);
  assert.equal(elsewhere.status, 200, 'another channel is another bucket');
  assert.equal(rates(elsewhere).bucket, first.bucket, 'of the same name');
  await new Promise((resolve) => setTimeout(resolve, limited.body.retry_after * 1000));
  assert.equal((await post(channel)).status, 200, 'who waits as told is let through');
}));

test('a limit that no header tells of: two names in ten minutes', () => withApi([], async (api, { channel }) => {
  for (const name of ['a', 'b']) await api.patch(`/channels/${channel}`, { name });
  const limited = await api.request('PATCH', `/channels/${channel}`, { name: 'c' });
  assert.equal(limited.status, 429);
  assert.ok(limited.body.retry_after > 590);
  assert.equal(rates(limited).remaining, '2', 'the headers still show room');
  assert.equal((await api.request('PATCH', `/channels/${channel}`, { nsfw: true })).status, 200, 'other fields are free');
}));

test('the global limit exempts interactions', () => withApi(['--rest-global', '10'], async (api, { me }) => {
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const answers = await Promise.all(Array.from({ length: 15 }, (_, i) => api.request('GET', i % 2 ? '/users/@me' : '/applications/@me')));
  const limited = answers.filter(({ status }) => status === 429);
  assert.ok(limited.length >= 5, `${limited.length}`);
  const global = limited.find(({ body }) => body.global);
  assert.deepEqual([global.headers.get('x-ratelimit-global'), global.headers.get('x-ratelimit-scope')], ['true', 'global']);
  assert.equal((await api.request('POST', `/webhooks/${me}/nonsense`, { content: 'x' })).status, 404, 'not 429');
}));

test('strict: one request a second, and a User-Agent of the documented form', () => withSimulator([...still, '--rest-limits', 'strict'], async (sim) => {
  const api = new Api(sim);
  assert.equal((await api.request('GET', '/users/@me')).status, 200);
  assert.equal((await api.request('GET', '/users/@me')).status, 429);
  await api.refused(403, 40333, 'GET', '/applications/@me', undefined, { headers: { 'user-agent': 'curl/8' } });
}));

test('too many 401, 403 and 429 leave nothing but a page of HTML, shared ones do not count', () => withApi(['--invalid-limit', '4', '--ban-seconds', '0.5'], async (api, { channel }, sim) => {
  await sim.fault('rest_limit', { scope: 'shared', retry_after: 0.1, count: 6, path: '/messages' });
  for (let i = 0; i < 6; ++i) {
    const shared = await api.request('POST', `/channels/${channel}/messages`, { content: 'x' });
    assert.deepEqual([shared.status, shared.headers.get('x-ratelimit-scope'), rates(shared).remaining], [429, 'shared', '9']);
  }
  assert.equal((await sim.truth()).requests.invalid, 0);
  const stranger = new Api(sim);
  delete stranger.headers.authorization;
  for (let i = 0; i < 4; ++i) assert.equal((await stranger.request('GET', '/users/@me')).status, 401);
  const banned = await api.request('GET', '/users/@me', undefined, { unchecked: true });
  assert.deepEqual([banned.status, banned.body], [429, null]);
  assert.match(banned.text, /^<!DOCTYPE html>[^]*1015/);
  assert.ok(Number(banned.headers.get('retry-after')) >= 1);
  await new Promise((resolve) => setTimeout(resolve, 600));
  await api.get('/users/@me');
  await sim.fault('rest_ban', { seconds: 60 });
  assert.equal((await api.request('GET', '/users/@me', undefined, { unchecked: true })).status, 429);
  await sim.fault('rest_ban', { seconds: 0 });
  await api.get('/users/@me');
}));

test('bad gateways before and after the work is done', () => withApi(['--rest-limits', 'off'], async (api, { channel }, sim) => {
  const count = async () => (await api.get(`/channels/${channel}/messages`)).length;
  for (const status of [502, 503]) {
    await sim.fault('rest_error', { status, method: 'POST', path: '/messages' });
    const failed = await api.request('POST', `/channels/${channel}/messages`, { content: 'x' }, { unchecked: true });
    assert.equal(failed.status, status);
    assert.match(failed.headers.get('content-type'), /^text\/html/);
    assert.match(failed.text, /^<html>/);
  }
  assert.equal(await count(), 0, 'nothing was written');
  await sim.fault('rest_error', { status: 502, method: 'POST', after: true });
  await api.request('POST', `/channels/${channel}/messages`, { content: 'x', nonce: '1', enforce_nonce: true }, { unchecked: true });
  assert.equal(await count(), 1, 'written, although the client cannot know');
  await api.post(`/channels/${channel}/messages`, { content: 'x', nonce: '1', enforce_nonce: true });
  assert.equal(await count(), 1, 'the nonce makes the second try harmless');
}));

test('slow, lost and reset answers', () => withApi(['--rest-limits', 'off'], async (api, { channel }, sim) => {
  await sim.fault('rest_slow', { seconds: 0.4 });
  const before = Date.now();
  await api.get('/users/@me');
  assert.ok(Date.now() - before >= 380);
  await sim.fault('rest_reset', { method: 'POST' });
  await assert.rejects(api.post(`/channels/${channel}/messages`, { content: 'x' }));
  assert.equal((await api.get(`/channels/${channel}/messages`)).length, 0);
  await sim.fault('rest_reset', { method: 'POST', after: true });
  await assert.rejects(api.post(`/channels/${channel}/messages`, { content: 'x' }));
  assert.equal((await api.get(`/channels/${channel}/messages`)).length, 1);
  await sim.fault('rest_error', { count: 100 });
  await sim.fault('rest_clear');
  await api.get('/users/@me');
}));

test('a connection that promised to stay open is closed after the answer', () => withApi(['--rest-limits', 'off'], async (api, place, sim) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = () => new Promise((resolve, reject) => {
    http.get(`${sim.base}/api/v10/users/@me`, { agent, headers: api.headers }, (response) => {
      const { socket } = response;
      const { localPort: port } = socket;
      const closed = new Promise((done) => socket.once('close', done));
      response.resume();
      response.on('end', () => resolve({ port, closed, connection: response.headers.connection }));
    }).on('error', reject);
  });
  const first = await get();
  const second = await get();
  assert.equal(first.port, second.port, 'kept open otherwise');
  await sim.fault('rest_close');
  const third = await get();
  assert.notEqual(third.connection, 'close', 'no word of it');
  await third.closed;
  assert.notEqual((await get()).port, third.port);
  agent.destroy();
}));

test('the truth knows every request', () => withApi([], async (api, { channel }, sim) => {
  await api.post(`/channels/${channel}/messages`, { content: 'x' }, { reason: 'because' });
  await api.refused(404, 10003, 'GET', '/channels/1');
  const { requests } = await sim.truth();
  assert.equal(requests.routes['POST /channels/:channel/messages'], 1);
  assert.equal(requests.statuses['404'], 1);
  const log = (await sim.get('/_sim/requests')).body;
  assert.deepEqual(log.slice(-2).map(({ method, path, status, code, reason }) => [method, path, status, code, reason]), [
    ['POST', `/channels/${channel}/messages`, 200, undefined, 'because'],
    ['GET', '/channels/1', 404, 10003, undefined],
  ]);
}));

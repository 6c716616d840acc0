// Corners of the HTTP API that no bot of the other tests goes to: every route is asked for at least once.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--start', 'now', '--span-days', '0', '--rest-limits', 'off', '--identify-interval', '0', '--rate', '0.001'];
const withApi = (body) =>
  withSimulator(still, async (sim, url) => {
    const api = new Api(sim);
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    await body(api, await api.place(), client);
  });
const dispatched = (client, type, fits = () => true) =>
  until(() => client.dispatches.findLast(({ t, d }) => t === type && fits(d))?.d, type);
const image = `data:image/png;base64,${Buffer.from('not really a picture').toString('base64')}`;

test('the bot, people, and the server', () => withApi(async (api, { guild, channel, me, voice, channels }, client) => {
  assert.equal((await api.patch('/users/@me', { username: 'other' })).username, 'other');
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user;
  assert.equal((await api.get(`/users/${person.id}`)).username, person.username);
  assert.equal((await api.get('/oauth2/applications/@me')).id, me);
  assert.equal((await api.patch(`/guilds/${guild}`, { name: 'Renamed' })).name, 'Renamed');
  assert.equal((await dispatched(client, 'GUILD_UPDATE')).name, 'Renamed');
  const position = channels.find(({ id }) => id === channel).position + 1;
  assert.equal((await api.request('PATCH', `/guilds/${guild}/channels`, [{ id: channel, position }])).status, 204);
  assert.equal((await api.get(`/channels/${channel}`)).position, position);
  await api.put(`/channels/${voice}/voice-status`, { status: 'singing' });
  assert.equal((await dispatched(client, 'VOICE_CHANNEL_STATUS_UPDATE')).status, 'singing');
}));

test('who is in a thread, and those that are archived', () => withApi(async (api, { channel, guild, me }) => {
  const thread = await api.post(`/channels/${channel}/threads`, { name: 'private', type: 12 });
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user;
  const at = `/channels/${thread.id}/thread-members`;
  await api.put(`${at}/${person.id}`);
  assert.equal((await api.get(`${at}/${person.id}`)).user_id, person.id);
  await api.del(`${at}/${person.id}`);
  await api.refused(404, 10007, 'GET', `${at}/${person.id}`);
  await api.put(`${at}/@me`);
  assert.deepEqual((await api.get(at)).map(({ user_id: user }) => user), [me]);
  await api.patch(`/channels/${thread.id}`, { archived: true });
  for (const whose of ['', '/users/@me']) {
    const { threads } = await api.get(`/channels/${channel}${whose}/threads/archived/private`);
    assert.deepEqual(threads.map(({ id }) => id), [thread.id], whose);
  }
  await api.patch(`/channels/${thread.id}`, { archived: false });
  await api.del(`${at}/@me`);
  assert.deepEqual(await api.get(at), []);
}));

test('messages: pins as they were, crossposts, a reaction of somebody else', () => withApi(async (api, { channel, channels, guild, me }) => {
  const { id } = await api.post(`/channels/${channel}/messages`, { content: 'x' });
  await api.put(`/channels/${channel}/pins/${id}`);
  assert.deepEqual((await api.get(`/channels/${channel}/pins`)).map((message) => message.id), [id]);
  await api.del(`/channels/${channel}/pins/${id}`);
  assert.deepEqual(await api.get(`/channels/${channel}/pins`), []);
  const reaction = `/channels/${channel}/messages/${id}/reactions/${encodeURIComponent('🔥')}`;
  await api.put(`${reaction}/@me`);
  await api.del(`${reaction}/${me}`);
  assert.equal((await api.get(`/channels/${channel}/messages/${id}`)).reactions?.length ?? 0, 0);
  const news = channels.find(({ type }) => type === 5)?.id ?? (await api.post(`/guilds/${guild}/channels`, { name: 'news', type: 5 })).id;
  const announced = await api.post(`/channels/${news}/messages`, { content: 'hear, hear' });
  assert.equal((await api.post(`/channels/${news}/messages/${announced.id}/crosspost`)).flags & 1, 1);
  await api.refused(400, 40033, 'POST', `/channels/${news}/messages/${announced.id}/crosspost`);
}));

test('commands of a server, one by one', () => withApi(async (api, { guild, me }) => {
  const everywhere = await api.post(`/applications/${me}/commands`, { name: 'all', description: 'x' });
  await api.del(`/applications/${me}/commands/${everywhere.id}`);
  await api.refused(404, 10063, 'GET', `/applications/${me}/commands/${everywhere.id}`);
  const at = `/applications/${me}/guilds/${guild}/commands`;
  const [made] = await api.put(at, [{ name: 'here', description: 'x' }]);
  assert.deepEqual((await api.get(at)).map(({ id }) => id), [made.id]);
  assert.equal((await api.patch(`${at}/${made.id}`, { description: 'y' })).description, 'y');
  assert.equal((await api.get(`${at}/${made.id}`)).description, 'y');
  assert.deepEqual(await api.get(`${at}/permissions`), []);
  await api.refused(404, 10066, 'GET', `${at}/${made.id}/permissions`);
}));

test('webhooks by their token, emojis one by one', () => withApi(async (api, { guild, channel, me }) => {
  const hook = await api.post(`/channels/${channel}/webhooks`, { name: 'hook' });
  assert.equal((await api.get(`/webhooks/${hook.id}`)).token, hook.token);
  const own = new Api(api.sim);
  delete own.headers.authorization;
  const at = `/webhooks/${hook.id}/${hook.token}`;
  assert.equal((await own.get(at)).name, 'hook');
  assert.equal((await own.patch(at, { name: 'other' })).name, 'other');
  await own.del(at);
  await own.refused(404, 10015, 'POST', at, { content: 'x' });
  const wave = await api.post(`/guilds/${guild}/emojis`, { name: 'wave', image });
  assert.equal((await api.get(`/guilds/${guild}/emojis/${wave.id}`)).name, 'wave');
  const emojis = `/applications/${me}/emojis`;
  const mine = await api.post(emojis, { name: 'mine', image });
  assert.equal((await api.patch(`${emojis}/${mine.id}`, { name: 'ours' })).name, 'ours');
  assert.equal((await api.get(`${emojis}/${mine.id}`)).name, 'ours');
}));

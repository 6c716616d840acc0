// Scheduled events: who may make them, how they begin and end, and who hears of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off'];
const later = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const outside = (more) => ({ name: 'Picnic', privacy_level: 2, scheduled_start_time: later(3600), scheduled_end_time: later(7200), entity_type: 3, entity_metadata: { location: 'the park' }, ...more });

async function withBot(flags, body) {
  await withSimulator([...still, ...flags], async (sim, url) => {
    const api = new Api(sim);
    const place = await api.place();
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    const stage = place.channels.find(({ type }) => type === 13).id;
    const heard = (type, fits = () => true) => until(() => client.dispatches.find(({ t, d }) => t === `GUILD_SCHEDULED_EVENT_${type}` && fits(d))?.d, type);
    await body({ sim, url, api, client, stage, heard, events: `/guilds/${place.guild}/scheduled-events`, ...place });
  });
}

test('made, changed, begun, ended, deleted, and told to sessions with the intent', () => withBot(['--identify-interval', '0'], async ({ sim, url, api, client, heard, events, me, guild, voice, stage }) => {
  const deaf = new Client(url, { intents: 1 });
  await deaf.dispatched('GUILD_CREATE');
  const made = await api.post(events, outside({ description: 'bring cake' }), { reason: 'summer' });
  assert.deepEqual([made.status, made.entity_type, made.channel_id, made.creator_id, made.entity_metadata.location, made.description], [1, 3, null, me, 'the park', 'bring cake']);
  assert.deepEqual((await heard('CREATE')).id, made.id);
  const at = `${events}/${made.id}`;
  const room = await api.post(events, outside({ entity_type: 2, channel_id: voice, entity_metadata: null, scheduled_end_time: null }));
  assert.deepEqual([room.channel_id, room.entity_metadata, room.scheduled_end_time], [voice, null, null]);
  await api.post(events, outside({ entity_type: 1, channel_id: stage, entity_metadata: null }));
  assert.equal((await api.get(events)).length, 3);
  assert.equal((await api.patch(at, { name: 'Party', scheduled_end_time: later(9000) })).name, 'Party');
  assert.equal((await heard('UPDATE', ({ name }) => name === 'Party')).status, 1);
  assert.equal((await api.patch(at, { status: 2 })).status, 2);
  await api.refused(400, 50035, 'PATCH', at, { status: 4 });
  await api.refused(400, 50035, 'PATCH', at, { status: 1 });
  await api.refused(400, 50035, 'PATCH', at, { scheduled_start_time: later(100) });
  assert.equal((await api.patch(at, { status: 3 })).status, 3);
  await api.refused(400, 180000, 'PATCH', at, { name: 'again' });
  assert.deepEqual((await api.get(events)).some(({ id }) => id === made.id), false, 'what is over is not listed');
  await api.refused(400, 50035, 'PATCH', `${events}/${room.id}`, { status: 3 });
  assert.equal((await api.patch(`${events}/${room.id}`, { status: 4 })).status, 4);
  await api.del(at);
  await heard('DELETE', ({ id }) => id === made.id);
  await api.refused(404, 10070, 'GET', at);
  assert.ok((await sim.truth()).audit.some(({ action_type: type, reason }) => type === 100 && reason === 'summer'));
  assert.ok(!deaf.dispatches.some(({ t }) => t.startsWith('GUILD_SCHEDULED')));
  await client.close();
  const again = new Client(url);
  const { d } = await until(() => again.dispatches.find(({ t, d: one }) => t === 'GUILD_CREATE' && one.id === guild), 'GUILD_CREATE');
  assert.deepEqual(d.guild_scheduled_events.map(({ entity_type: type }) => type), [1], 'what is to come is in GUILD_CREATE');
}));

test('what is wrong with an event', () => withBot([], async ({ api, events, voice, channel }) => {
  const wrong = async (field, body) => assert.deepEqual(Object.keys((await api.refused(400, 50035, 'POST', events, body)).errors), [field].flat());
  await wrong(['name', 'privacy_level', 'scheduled_start_time', 'entity_type', 'entity_metadata', 'scheduled_end_time'], {});
  await wrong('name', outside({ name: 'x'.repeat(101) }));
  await wrong('privacy_level', outside({ privacy_level: 1 }));
  await wrong('scheduled_start_time', outside({ scheduled_start_time: later(-100) }));
  await wrong('scheduled_end_time', outside({ scheduled_end_time: later(10) }));
  await wrong('scheduled_end_time', outside({ scheduled_end_time: undefined }));
  await wrong('entity_metadata', outside({ entity_metadata: undefined }));
  await wrong('channel_id', outside({ channel_id: voice }));
  await wrong('channel_id', outside({ entity_type: 2, entity_metadata: undefined }));
  await wrong('channel_id', outside({ entity_type: 2, entity_metadata: undefined, channel_id: channel }));
  await wrong('entity_type', outside({ entity_type: 4 }));
  for (let i = 0; i < 100; ++i) await api.post(events, outside());
  await api.refused(400, 30038, 'POST', events, outside());
}));

test('people who are interested', () => withBot([], async ({ sim, api, events, heard, guild }) => {
  const { id } = await api.post(events, outside());
  const people = (await api.get(`/guilds/${guild}/members?limit=50`)).filter(({ user }) => !user.bot).map(({ user }) => user.id).slice(0, 5);
  for (const user of people) assert.equal((await sim.post('/_sim/event', { event: id, user })).status, 200);
  assert.deepEqual(await heard('USER_ADD'), { guild_scheduled_event_id: id, user_id: people[0], guild_id: guild });
  assert.equal((await sim.post('/_sim/event', { event: id, user: people[0] })).status, 400, 'once is enough');
  assert.equal((await sim.post('/_sim/event', { event: '1', user: people[0] })).status, 400);
  assert.equal((await api.get(`${events}/${id}?with_user_count=true`)).user_count, 5);
  const ids = [...people].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  const page = async (query) => (await api.get(`${events}/${id}/users?${query}`)).map(({ user_id: user }) => user);
  assert.deepEqual(await page(''), ids);
  assert.deepEqual(await page(`limit=2&after=${ids[1]}`), ids.slice(2, 4));
  assert.deepEqual(await page(`limit=2&before=${ids[4]}`), ids.slice(2, 4));
  assert.ok((await api.get(`${events}/${id}/users?with_member=true&limit=1`))[0].member.joined_at);
  assert.equal((await sim.post('/_sim/event', { event: id, user: people[1], leave: true })).body.users, 4);
  assert.equal((await heard('USER_REMOVE')).user_id, people[1]);
}));

test('an event outside begins and ends by itself', () => withBot([], async ({ api, events, heard }) => {
  // A slow machine may be told that the event would begin in the past.
  const { id } = await until(async () => {
    const { status, body } = await api.request('POST', events, outside({ scheduled_start_time: later(0.5), scheduled_end_time: later(1) }));
    return status === 200 ? body : null;
  }, 'an event that is to begin');
  assert.equal((await heard('UPDATE', ({ status }) => status === 2)).id, id);
  assert.equal((await heard('UPDATE', ({ status }) => status === 3)).id, id);
}));

test('only who may', async () => {
  await withBot(['--bot-permissions', '0'], async ({ api, events }) => {
    await api.refused(403, 50013, 'POST', events, outside());
    assert.deepEqual(await api.get(events), []);
  });
  // Creating is enough for one's own; a stage needs more.
  await withBot(['--bot-permissions', String(2n ** 44n)], async ({ api, events, stage }) => {
    const { id } = await api.post(events, outside());
    await api.patch(`${events}/${id}`, { name: 'mine' });
    await api.refused(403, 50013, 'POST', events, outside({ entity_type: 1, channel_id: stage, entity_metadata: undefined }));
    await api.del(`${events}/${id}`);
  });
});

// Sounds and stickers of a server, polls, and the votes in them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off'];
const kPng = Buffer.from('89504e470d0a1a0a', 'hex');
const kSound = `data:audio/ogg;base64,${Buffer.from('OggS').toString('base64')}`;

async function withBot(flags, body) {
  await withSimulator([...still, ...flags], async (sim, url) => {
    const api = new Api(sim);
    const place = await api.place();
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    const heard = (type, fits = () => true) => until(() => client.dispatches.find(({ t, d }) => t === type && fits(d))?.d, type);
    await body({ sim, api, client, heard, ...place });
  });
}

/** A sticker is uploaded as a form of its own. */
function upload(sim, guild, fields, file = { content: kPng, type: 'image/png' }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (file) form.append('file', new Blob([file.content], { type: file.type }), 'sticker');
  return fetch(`${sim.base}/api/v10/guilds/${guild}/stickers`, { method: 'POST', headers: { authorization: 'Bot test' }, body: form });
}

test('sounds: made, changed, played, deleted', () => withBot([], async ({ sim, api, client, heard, guild, voice, me }) => {
  const sounds = `/guilds/${guild}/soundboard-sounds`;
  const { items: [first] } = await api.get(sounds);
  assert.equal(first.name, 'airhorn');
  const made = await api.post(sounds, { name: 'boing', sound: kSound, volume: 0.5, emoji_name: '🔥' }, { reason: 'fun' });
  assert.deepEqual([made.name, made.volume, made.emoji_name, made.user.id, made.available], ['boing', 0.5, '🔥', me, true]);
  assert.deepEqual(await heard('GUILD_SOUNDBOARD_SOUND_CREATE'), made);
  const at = `${sounds}/${made.sound_id}`;
  assert.deepEqual(await api.get(at), made);
  assert.deepEqual((({ name, volume }) => [name, volume])(await api.patch(at, { name: 'doing', volume: 1 })), ['doing', 1]);
  assert.equal((await heard('GUILD_SOUNDBOARD_SOUND_UPDATE')).name, 'doing');
  client.send({ op: 31, d: { guild_ids: [guild] } });
  assert.deepEqual((await heard('SOUNDBOARD_SOUNDS')).soundboard_sounds.map(({ name }) => name), ['airhorn', 'doing']);
  assert.ok((await api.get('/soundboard-default-sounds')).length > 0);

  const play = `/channels/${voice}/send-soundboard-sound`;
  await api.refused(400, 40032, 'POST', play, { sound_id: made.sound_id });
  client.send({ op: 4, d: { guild_id: guild, channel_id: voice, self_mute: false, self_deaf: false } });
  await heard('VOICE_STATE_UPDATE', ({ user_id: user }) => user === me);
  await api.post(play, { sound_id: made.sound_id });
  assert.deepEqual((({ sound_id: id, channel_id: where }) => [id, where])(await heard('VOICE_CHANNEL_EFFECT_SEND')), [made.sound_id, voice]);
  await api.refused(404, 10097, 'POST', play, { sound_id: '77' });

  await api.del(at);
  assert.deepEqual(await heard('GUILD_SOUNDBOARD_SOUND_DELETE'), { sound_id: made.sound_id, guild_id: guild });
  await api.refused(404, 10097, 'GET', at);
  const wrong = async (field, body) => assert.deepEqual(Object.keys((await api.refused(400, 50035, 'POST', sounds, body)).errors), field);
  await wrong(['name', 'sound'], {});
  await wrong(['name'], { name: 'x', sound: kSound });
  await wrong(['volume'], { name: 'loud', sound: kSound, volume: 1.5 });
  await wrong(['sound'], { name: 'text', sound: 'data:text/plain;base64,AAAA' });
  for (let i = 0; i < 23; ++i) await api.post(sounds, { name: `s${i}`, sound: kSound });
  await api.refused(400, 30045, 'POST', sounds, { name: 'one more', sound: kSound });
  assert.deepEqual((await sim.truth()).audit.slice(0, 3).map(({ action_type: type }) => type), [130, 131, 132]);
}));

test('stickers: uploaded, changed, sent, deleted', () => withBot([], async ({ sim, api, heard, guild, channel, me }) => {
  const stickers = `/guilds/${guild}/stickers`;
  assert.deepEqual(await api.get(stickers), []);
  const response = await upload(sim, guild, { name: 'hello', tags: 'wave', description: 'says hello' });
  assert.equal(response.status, 201);
  const made = await response.json();
  assert.deepEqual([made.type, made.format_type, made.user.id, made.guild_id], [2, 1, me, guild]);
  assert.deepEqual((await heard('GUILD_STICKERS_UPDATE')).stickers.map(({ name }) => name), ['hello']);
  const at = `${stickers}/${made.id}`;
  assert.deepEqual(await api.get(at), made);
  assert.equal((await api.get(`/stickers/${made.id}`)).name, 'hello');
  assert.equal((await api.patch(at, { name: 'bye', description: null })).description, null);
  await heard('GUILD_STICKERS_UPDATE', ({ stickers: list }) => list[0]?.name === 'bye');
  const message = await api.post(`/channels/${channel}/messages`, { sticker_ids: [made.id] });
  assert.deepEqual(message.sticker_items, [{ id: made.id, name: 'bye', format_type: 1 }]);
  assert.equal((await api.get(`/guilds/${guild}`)).stickers[0].id, made.id);
  await api.del(at);
  await api.refused(404, 10060, 'GET', at);
  await api.refused(404, 10060, 'GET', `/stickers/${made.id}`);
  for (const [fields, file] of [[{ name: 'x', tags: 't' }], [{ name: 'xx' }], [{ name: 'xx', tags: 't' }, null], [{ name: 'xx', tags: 't' }, { content: 'x', type: 'image/png' }]]) {
    const refused = await upload(sim, guild, fields, file);
    assert.deepEqual([refused.status, (await refused.json()).code], [400, 50035]);
  }
  const big = await upload(sim, guild, { name: 'big', tags: 't' }, { content: `GIF8${'x'.repeat(512 * 1024)}`, type: 'image/gif' });
  assert.deepEqual([big.status, (await big.json()).code], [400, 50045]);
  for (let i = 0; i < 15; ++i) assert.equal((await upload(sim, guild, { name: `s${i}`, tags: 't' })).status, 201);
  assert.equal((await (await upload(sim, guild, { name: 'more', tags: 't' })).json()).code, 30039);
}));

test('who may not, does not', () => withBot(['--bot-permissions', '0'], async ({ sim, api, guild }) => {
  const { items: [{ sound_id: sound }] } = await api.get(`/guilds/${guild}/soundboard-sounds`);
  await api.refused(403, 50013, 'POST', `/guilds/${guild}/soundboard-sounds`, { name: 'xx', sound: kSound });
  await api.refused(403, 50013, 'PATCH', `/guilds/${guild}/soundboard-sounds/${sound}`, { name: 'xx' });
  await api.refused(403, 50013, 'DELETE', `/guilds/${guild}/soundboard-sounds/${sound}`);
  assert.equal((await upload(sim, guild, { name: 'xx', tags: 't' })).status, 403);
}));

test('polls: votes, voters, the end and its result', () => withBot([], async ({ sim, api, heard, guild, channel, me }) => {
  const people = (await api.get(`/guilds/${guild}/members?limit=50`)).filter(({ user }) => !user.bot).map(({ user }) => user.id);
  const poll = (more) => ({ poll: { question: { text: 'Tea?' }, answers: [{ poll_media: { text: 'yes' } }, { poll_media: { text: 'no' } }], duration: 1, ...more } });
  const message = await api.post(`/channels/${channel}/messages`, poll());
  const vote = async (body) => sim.post('/_sim/vote', { message: message.id, ...body });
  for (const user of people.slice(0, 3)) assert.equal((await vote({ user, answer: 1 })).status, 200);
  assert.deepEqual(await heard('MESSAGE_POLL_VOTE_ADD'), { user_id: people[0], channel_id: channel, message_id: message.id, guild_id: guild, answer_id: 1 });
  assert.equal((await vote({ user: people[0], answer: 1 })).status, 400, 'not twice');
  assert.equal((await vote({ user: people[0], answer: 2 })).status, 400, 'one answer only');
  assert.equal((await vote({ user: people[0], answer: 3 })).status, 400);
  assert.equal((await vote({ user: people[0], answer: 1, remove: true })).status, 200);
  assert.equal((await heard('MESSAGE_POLL_VOTE_REMOVE')).user_id, people[0]);
  assert.equal((await vote({ user: people[0], answer: 2 })).status, 200);
  const at = `/channels/${channel}/polls/${message.id}`;
  const voters = [people[1], people[2]].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  assert.deepEqual((await api.get(`${at}/answers/1`)).users.map(({ id }) => id), voters);
  assert.deepEqual((await api.get(`${at}/answers/1?limit=1&after=${voters[0]}`)).users.map(({ id }) => id), [voters[1]]);
  const counted = await api.get(`/channels/${channel}/messages/${message.id}`);
  assert.deepEqual(counted.poll.results, { answer_counts: [{ id: 1, count: 2, me_voted: false }, { id: 2, count: 1, me_voted: false }], is_finalized: false });
  const ended = await api.post(`${at}/expire`);
  assert.equal(ended.poll.results.is_finalized, true);
  await heard('MESSAGE_UPDATE', ({ id, poll: seen }) => id === message.id && seen.results.is_finalized);
  const result = await heard('MESSAGE_CREATE', ({ type }) => type === 46);
  assert.deepEqual([result.message_reference.message_id, result.author.id, result.embeds[0].type], [message.id, me, 'poll_result']);
  assert.deepEqual(Object.fromEntries(result.embeds[0].fields.map(({ name, value }) => [name, value])), { poll_question_text: 'Tea?', victor_answer_votes: '2', total_votes: '3', victor_answer_id: '1', victor_answer_text: 'yes' });
  await api.refused(400, 520001, 'POST', `${at}/expire`);
  assert.equal((await vote({ user: people[4], answer: 1 })).status, 400, 'it is over');
  const plain = await api.post(`/channels/${channel}/messages`, { content: 'no poll' });
  await api.refused(400, 520006, 'POST', `/channels/${channel}/polls/${plain.id}/expire`);

  const { body: theirs } = await sim.post('/_sim/message', { channel, user: people[0], ...poll({ allow_multiselect: true }) });
  for (const answer of [1, 2]) assert.equal((await sim.post('/_sim/vote', { message: theirs.id, user: people[1], answer })).status, 200);
  await api.refused(403, 50005, 'POST', `/channels/${channel}/polls/${theirs.id}/expire`);
  assert.equal((await sim.post('/_sim/vote', { message: theirs.id, end: true })).status, 200);
  const tie = await heard('MESSAGE_CREATE', ({ type, author }) => type === 46 && author.id === people[0]);
  assert.deepEqual(tie.embeds[0].fields.map(({ name }) => name), ['poll_question_text', 'victor_answer_votes', 'total_votes'], 'nobody won');
}));

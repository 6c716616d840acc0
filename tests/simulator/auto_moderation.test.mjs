// Auto moderation: rules with their limits, and what they do to people's messages.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, kAllIntents, until, withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off', '--identify-interval', '0'];
const block = { type: 1, metadata: { custom_message: 'Please keep it civil' } };
const rule = (more) => ({ name: 'Words', event_type: 1, trigger_type: 1, trigger_metadata: { keyword_filter: ['cat*', '*dog', 'bird'] }, actions: [block], enabled: true, ...more });

async function withBot(flags, body) {
  await withSimulator([...still, ...flags], async (sim, url) => {
    const api = new Api(sim);
    const place = await api.place();
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    const { owner_id: owner } = await api.get(`/guilds/${place.guild}`);
    const admins = (await api.get(`/guilds/${place.guild}/roles`)).filter(({ permissions }) => permissions === '8').map(({ id }) => id);
    const people = (await api.get(`/guilds/${place.guild}/members?limit=100`)).filter(({ user }) => !user.bot && user.id !== owner);
    const [person] = people.filter(({ roles }) => !roles.some((id) => admins.includes(id)));
    const say = async (content, more) => (await sim.post('/_sim/message', { content, user: person.user.id, channel: place.channel, ...more })).body;
    const heard = (type, fits = () => true) => until(() => client.dispatches.find(({ t, d }) => t === type && fits(d))?.d, type);
    await body({ sim, url, api, client, owner, person: person.user.id, roles: person.roles, say, heard, rules: `/guilds/${place.guild}/auto-moderation/rules`, ...place });
  });
}

test('rules: made, changed, deleted, and only so many of a type', () => withBot([], async ({ api, heard, rules, guild, me, channel, sim }) => {
  const made = await api.post(rules, rule(), { reason: 'order' });
  assert.deepEqual([made.creator_id, made.guild_id, made.enabled, made.trigger_metadata], [me, guild, true, { keyword_filter: ['cat*', '*dog', 'bird'], regex_patterns: [], allow_list: [] }]);
  assert.deepEqual(await heard('AUTO_MODERATION_RULE_CREATE'), made);
  for (let i = 0; i < 5; ++i) await api.post(rules, rule());
  const { errors } = await api.refused(400, 50035, 'POST', rules, rule());
  assert.deepEqual(errors, { _errors: [{ code: 'AUTO_MODERATION_MAX_RULES_OF_TYPE_EXCEEDED', message: 'Maximum number of rules with trigger type 1 is 6' }] });
  await api.post(rules, rule({ trigger_type: 3, trigger_metadata: {} }));
  await api.post(rules, rule({ trigger_type: 4, trigger_metadata: { presets: [1, 3], allow_list: ['ok'] } }));
  await api.post(rules, rule({ trigger_type: 5, trigger_metadata: { mention_total_limit: 3 }, actions: [block, { type: 3, metadata: { duration_seconds: 60 } }] }));
  await api.post(rules, rule({ trigger_type: 6, event_type: 2, actions: [{ type: 4 }, { type: 2, metadata: { channel_id: channel } }] }));
  for (const type of [3, 4, 5]) await api.refused(400, 50035, 'POST', rules, rule({ trigger_type: type, trigger_metadata: {} }));
  assert.equal((await api.get(rules)).length, 10);
  const at = `${rules}/${made.id}`;
  assert.equal((await api.patch(at, { name: 'Others', enabled: false })).enabled, false);
  assert.equal((await heard('AUTO_MODERATION_RULE_UPDATE')).name, 'Others');
  assert.equal((await api.get(at)).name, 'Others');
  await api.del(at);
  await heard('AUTO_MODERATION_RULE_DELETE', ({ id }) => id === made.id);
  assert.equal((await api.request('GET', at)).status, 404);
  assert.deepEqual((await sim.truth()).audit.filter(({ target_id: id }) => id === made.id).map(({ action_type: type }) => type), [140, 141, 142]);
}));

test('what is wrong with a rule', () => withBot([], async ({ api, rules }) => {
  const wrong = async (field, more) => assert.deepEqual(Object.keys((await api.refused(400, 50035, 'POST', rules, rule(more))).errors), [field], JSON.stringify(more).slice(0, 100));
  await wrong('name', { name: 'x'.repeat(101) });
  await wrong('actions', { actions: [] });
  await wrong('actions', { actions: Array(6).fill(block) });
  await wrong('actions', { actions: [{ type: 2 }] });
  await wrong('actions', { actions: [{ type: 2, metadata: { channel_id: '1' } }] });
  await wrong('actions', { actions: [{ type: 3, metadata: { duration_seconds: 2419201 } }] });
  await wrong('actions', { actions: [{ type: 4 }] });
  await wrong('actions', { trigger_type: 3, trigger_metadata: {}, actions: [{ type: 3, metadata: { duration_seconds: 1 } }] });
  await wrong('event_type', { event_type: 2 });
  await wrong('trigger_type', { trigger_type: 2 });
  await wrong('trigger_metadata', { trigger_metadata: undefined });
  await wrong('trigger_metadata', { trigger_metadata: { keyword_filter: Array(1001).fill('a') } });
  await wrong('trigger_metadata', { trigger_metadata: { keyword_filter: ['x'.repeat(61)] } });
  await wrong('trigger_metadata', { trigger_metadata: { regex_patterns: Array(11).fill('a') } });
  for (const pattern of ['(', 'a(?=b)', '(a)\\1']) await wrong('trigger_metadata', { trigger_metadata: { regex_patterns: [pattern] } });
  await wrong('trigger_metadata', { trigger_metadata: { allow_list: Array(101).fill('a') } });
  await wrong('trigger_metadata', { trigger_type: 5, trigger_metadata: { mention_total_limit: 51 } });
  await wrong('exempt_roles', { exempt_roles: Array(21).fill('1') });
  await wrong('exempt_channels', { exempt_channels: Array(51).fill('1') });
  assert.deepEqual(await api.get(rules), []);
}));

test('a message that is blocked is nobody\'s message; the execution comes by intent and without content for some', () => withBot([], async ({ sim, url, api, client, say, heard, rules, person, channel, guild }) => {
  const deaf = new Client(url, { intents: kAllIntents & ~(1 << 21) });
  const blind = new Client(url, { intents: kAllIntents & ~(1 << 15) });
  await Promise.all([deaf, blind].map((one) => one.dispatched('READY')));
  const { id } = await api.post(rules, rule());
  assert.deepEqual(await say('I love Cats!'), { blocked: true, rule_id: id });
  const d = await heard('AUTO_MODERATION_ACTION_EXECUTION');
  assert.deepEqual(d, { guild_id: guild, action: block, rule_id: id, rule_trigger_type: 1, user_id: person, channel_id: channel, content: 'I love Cats!', matched_keyword: 'cat*', matched_content: 'Cat' });
  assert.equal((await say('fine')).content, 'fine');
  await until(() => [client, blind, deaf].every(({ dispatches }) => dispatches.some(({ t }) => t === 'MESSAGE_CREATE')), 'the message that is fine');
  const less = blind.dispatches.find(({ t }) => t === 'AUTO_MODERATION_ACTION_EXECUTION').d;
  assert.deepEqual([less.content, less.matched_content, less.matched_keyword], ['', '', 'cat*']);
  assert.ok(!deaf.dispatches.some(({ t }) => t === 'AUTO_MODERATION_ACTION_EXECUTION'));
  assert.deepEqual(client.dispatches.filter(({ t }) => t === 'MESSAGE_CREATE').map(({ d: one }) => one.content), ['fine']);
  const truth = await sim.truth();
  assert.deepEqual([truth.dispatches.AUTO_MODERATION_ACTION_EXECUTION, truth.dispatches.MESSAGE_CREATE], [1, 1]);
}));

test('keywords as whole words or parts, allowed words, patterns, mentions', () => withBot([], async ({ api, say, rules }) => {
  const { id } = await api.post(rules, rule({ trigger_metadata: { keyword_filter: ['cat*', '*dog', 'bird', '*ouch*'], regex_patterns: ['(?i)\\bb[\\p{L}4]d+'], allow_list: ['catalogue', 'baddie'] } }));
  const blocked = async (content) => (await say(content)).blocked === true;
  const found = {};
  for (const text of ['cats', 'concat', 'hotdog', 'dogma', 'a bird.', 'birds', 'BIRD', 'touched', 'the catalogue', 'catalogue and cat', 'so b4dd', 'baddie', 'nothing']) found[text] = await blocked(text);
  assert.deepEqual(found, {
    cats: true, concat: false, hotdog: true, dogma: false, 'a bird.': true, birds: false, BIRD: true, touched: true, 'the catalogue': false,
    'catalogue and cat': true, 'so b4dd': true, baddie: false, nothing: false,
  });
  await api.patch(`${rules}/${id}`, { enabled: false });
  assert.equal(await blocked('cats'), false, 'a rule that is off');
  await api.post(rules, rule({ trigger_type: 5, trigger_metadata: { mention_total_limit: 2 } }));
  assert.equal(await blocked('<@1> <@1> <@!2>'), false);
  assert.equal(await blocked('<@1> <@&3> <@!2>'), true);
}));

test('alerts, timeouts, and who is let through', () => withBot([], async ({ sim, api, say, heard, rules, channels, channel, guild, person, roles, owner }) => {
  const alerts = channels.filter(({ type }) => type === 0)[1].id;
  const { id } = await api.post(rules, rule({ actions: [{ type: 2, metadata: { channel_id: alerts } }, { type: 3, metadata: { duration_seconds: 60 } }] }));
  const message = await say('a bird');
  assert.equal(message.content, 'a bird', 'nothing blocks it');
  const alert = await heard('AUTO_MODERATION_ACTION_EXECUTION', ({ action }) => action.type === 2);
  assert.equal(alert.message_id, message.id);
  const posted = await api.get(`/channels/${alerts}/messages/${alert.alert_system_message_id}`);
  assert.deepEqual([posted.type, posted.embeds[0].description, posted.author.id], [24, 'a bird', person]);
  await heard('AUTO_MODERATION_ACTION_EXECUTION', ({ action }) => action.type === 3);
  const { communication_disabled_until: until_ } = await heard('GUILD_MEMBER_UPDATE', ({ user }) => user.id === person);
  assert.ok(Date.parse(until_) > Date.now() + 30_000);
  await api.patch(`${rules}/${id}`, { actions: [block], exempt_channels: [channel] });
  assert.equal((await say('a bird')).content, 'a bird');
  await api.patch(`${rules}/${id}`, { exempt_channels: [] });
  assert.equal((await say('a bird')).blocked, true);
  assert.equal((await say('a bird', { user: owner })).content, 'a bird', 'the owner is trusted');
  const role = roles[0] ?? (await api.post(`/guilds/${guild}/roles`, { name: 'r' })).id;
  if (roles.length === 0) await api.put(`/guilds/${guild}/members/${person}/roles/${role}`);
  await api.patch(`${rules}/${id}`, { exempt_roles: [role] });
  assert.equal((await say('a bird')).content, 'a bird');
}));

test('only who manages the server', async () => {
  await withBot(['--bot-permissions', '0'], async ({ api, rules }) => {
    for (const [method, body] of [['GET'], ['POST', rule()]]) await api.refused(403, 50013, method, rules, body);
  });
  await withBot(['--bot-permissions', '32'], async ({ api, rules }) => {
    await api.post(rules, rule());
    await api.refused(403, 50013, 'POST', rules, rule({ actions: [{ type: 3, metadata: { duration_seconds: 60 } }] }));
  });
});

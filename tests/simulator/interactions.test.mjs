// A scripted user acts, a bot answers: callbacks, clocks, follow-ups, and the account of it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off'];
const commands = [
  {
    name: 'all', description: 'x',
    options: [
      { type: 3, name: 'text', description: 'x', required: true, autocomplete: true }, { type: 4, name: 'whole', description: 'x' },
      { type: 5, name: 'yes', description: 'x' }, { type: 6, name: 'who', description: 'x' }, { type: 7, name: 'where', description: 'x' },
      { type: 8, name: 'role', description: 'x' }, { type: 9, name: 'any', description: 'x' }, { type: 10, name: 'number', description: 'x' },
      { type: 11, name: 'file', description: 'x' },
    ],
  },
  { name: 'deep', description: 'x', options: [{ type: 2, name: 'group', description: 'x', options: [{ type: 1, name: 'sub', description: 'x', options: [{ type: 4, name: 'n', description: 'x' }] }] }] },
  { name: 'Look', type: 2 },
  { name: 'Quote', type: 3 },
];

async function withBot(flags, body) {
  await withSimulator([...still, ...flags], async (sim, url) => {
    const api = new Api(sim);
    const place = await api.place();
    await api.put(`/applications/${place.me}/commands`, commands);
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    /** The user acts; returns the dispatch. */
    const act = async (script) => {
      const { status, body: sent } = await sim.post('/_sim/interaction', script);
      assert.equal(status, 200, JSON.stringify(sent));
      return until(() => client.dispatches.find(({ t, d }) => t === 'INTERACTION_CREATE' && d.id === sent.id)?.d, 'INTERACTION_CREATE');
    };
    const open = new Api(sim);
    delete open.headers.authorization;
    const answer = (d, body, more = {}) => open.request('POST', `/interactions/${d.id}/${d.token}/callback${more.query ?? ''}`, body, more);
    const account = async (d) => (await sim.get('/_sim/interactions')).body.find(({ id }) => id === d.id);
    await body({ sim, api, open, act, answer, account, client, hook: (d) => `/webhooks/${place.me}/${d.token}`, ...place });
  });
}

test('a command with options of every type, and its answer', () => withBot([], async ({ sim, api, act, answer, account, guild, channel, me, client }) => {
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user.id;
  const role = (await api.get(`/guilds/${guild}/roles`))[1].id;
  const d = await act({ command: 'all', user: person, channel, options: { text: 'hi', whole: 3, yes: true, who: person, where: channel, role, any: role, number: 1.5, file: { filename: 'a.txt', content: 'AAA' } } });
  assert.deepEqual(d.data.options.map(({ name, type }) => [name, type]), commands[0].options.map(({ name, type }) => [name, type]));
  const { resolved } = d.data;
  assert.deepEqual([Object.keys(resolved.users), Object.keys(resolved.members), Object.keys(resolved.roles), Object.keys(resolved.channels)], [[person], [person], [role], [channel]]);
  assert.ok(resolved.channels[channel].permissions && !resolved.members[person].user);
  assert.equal(await (await fetch(Object.values(resolved.attachments)[0].url)).text(), 'AAA');
  assert.deepEqual([d.guild_id, d.channel_id, d.member.user.id, d.application_id, d.type, d.context], [guild, channel, person, me, 2, 0]);
  const response = await answer(d, { type: 4, data: { content: 'hello' } }, { query: '?with_response=true' });
  assert.equal(response.status, 200);
  const { message } = response.body.resource;
  assert.deepEqual([message.content, message.type, message.interaction_metadata.user.id, message.author.id], ['hello', 20, person, me]);
  await until(() => client.dispatches.find(({ t, d: made }) => t === 'MESSAGE_CREATE' && made.id === message.id), 'MESSAGE_CREATE');
  const again = await answer(d, { type: 4, data: { content: 'twice' } });
  assert.deepEqual([again.status, again.body.code], [400, 40060]);
  const noted = await account(d);
  assert.deepEqual([noted.answered, noted.callback.type, noted.callback.data.content, noted.refused[0].code], [true, 4, 'hello', 40060]);
  assert.ok(noted.callback.after_ms >= 0);
  assert.equal((await sim.truth()).interactions.length, 1);
}));

test('subcommands, user and message commands, direct messages', () => withBot([], async ({ api, act, guild, channel }) => {
  const deep = await act({ command: 'deep', subcommand: 'group sub', options: { n: 7 } });
  assert.deepEqual(deep.data.options, [{ name: 'group', type: 2, options: [{ name: 'sub', type: 1, options: [{ name: 'n', type: 4, value: 7 }] }] }]);
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user.id;
  const look = await act({ user_command: 'Look', target: person });
  assert.deepEqual([look.data.type, look.data.target_id, Object.keys(look.data.resolved.users)], [2, person, [person]]);
  const message = await api.post(`/channels/${channel}/messages`, { content: 'quote me' });
  const quote = await act({ message_command: 'Quote', target: message.id });
  assert.equal(quote.data.resolved.messages[message.id].content, 'quote me');
  const direct = await act({ command: 'all', dm: true, options: { text: 'x' } });
  assert.deepEqual([direct.guild_id, direct.member, direct.context, typeof direct.user.id], [undefined, undefined, 1, 'string']);
}));

test('three seconds for the answer, a while for what follows', () => withBot(['--interaction-deadline', '300', '--token-lifetime', '1.2'], async ({ act, answer, account, open, hook }) => {
  const late = await act({ command: 'all', options: { text: 'x' } });
  await new Promise((resolve) => setTimeout(resolve, 350));
  const refused = await answer(late, { type: 4, data: { content: 'late' } });
  assert.deepEqual([refused.status, refused.body.code], [404, 10062]);
  assert.deepEqual([(await account(late)).failed, (await account(late)).refused[0].code], [true, 10062]);
  assert.equal((await open.request('POST', hook(late), { content: 'x' })).body.code, 10015, 'nothing to follow');
  const d = await act({ command: 'all', options: { text: 'x' } });
  assert.equal((await answer(d, { type: 5 })).status, 204);
  assert.equal((await account(d)).loading, true);
  await open.patch(`${hook(d)}/messages/@original`, { content: 'done' });
  await until(async () => (await open.request('POST', hook(d), { content: 'x' })).body?.code === 50027, 'the token to expire');
  const stranger = await answer({ id: '1', token: 'x' }, { type: 4, data: { content: 'x' } });
  assert.deepEqual([stranger.status, stranger.body.code], [404, 10062]);
}));

test('deferred, edited, followed up, deleted', () => withBot([], async ({ act, answer, account, open, hook, client, channel }) => {
  const d = await act({ command: 'all', options: { text: 'x' } });
  assert.equal((await answer(d, { type: 5, data: { flags: 64 } })).status, 204);
  const waiting = await open.get(`${hook(d)}/messages/@original`);
  assert.equal(waiting.flags, 128 | 64);
  const hidden = await until(() => client.dispatches.find(({ t, d: m }) => t === 'MESSAGE_CREATE' && m.id === waiting.id)?.d, 'the placeholder');
  assert.deepEqual([hidden.guild_id, hidden.member], [undefined, undefined], 'ephemeral ones come without server');
  const edited = await open.patch(`${hook(d)}/messages/@original`, { content: 'ready', attachments: [] }, { files: [{ name: 'r.txt', content: 'R' }] });
  assert.deepEqual([edited.content, edited.flags, edited.attachments.length, edited.edited_timestamp], ['ready', 64, 1, null]);
  const more = await open.post(hook(d), { content: 'more', flags: 64 });
  assert.equal((await open.patch(`${hook(d)}/messages/${more.id}`, { content: 'most' })).content, 'most');
  await open.del(`${hook(d)}/messages/${more.id}`);
  await open.del(`${hook(d)}/messages/@original`);
  await open.refused(404, 10008, 'GET', `${hook(d)}/messages/@original`);
  const noted = await account(d);
  assert.deepEqual([noted.edits.length, noted.followups.length, noted.deletes.length], [2, 1, 2]);
  const old = await act({ command: 'all', options: { text: 'x' }, channel });
  await answer(old, { type: 5 });
  const first = await open.post(hook(old), { content: 'I am the answer' });
  assert.equal((await open.get(`${hook(old)}/messages/@original`)).id, first.id, 'the first follow-up of a deferred answer is it');
}));

test('buttons, selects and modals', () => withBot([], async ({ api, act, answer, channel, sim, open, hook }) => {
  const row = (...components) => ({ type: 1, components });
  const message = await api.post(`/channels/${channel}/messages`, {
    content: 'choose',
    components: [row({ type: 2, style: 1, label: 'go', custom_id: 'go' }, { type: 2, style: 2, label: 'no', custom_id: 'off', disabled: true }), row({ type: 3, custom_id: 'pick', max_values: 2, options: ['a', 'b', 'c'].map((value) => ({ label: value, value })) })],
  });
  const go = await act({ button: 'go', message: message.id });
  assert.deepEqual([go.type, go.data.custom_id, go.data.component_type, go.message.id], [3, 'go', 2, message.id]);
  assert.equal((await answer(go, { type: 7, data: { content: 'changed', components: [] } })).status, 204);
  assert.equal((await api.get(`/channels/${channel}/messages/${message.id}`)).content, 'changed');
  assert.equal((await open.get(`${hook(go)}/messages/@original`)).id, message.id);
  const second = await api.post(`/channels/${channel}/messages`, { content: 'x', components: message.components });
  const pick = await act({ select: 'pick', message: second.id, values: ['a', 'c'] });
  assert.deepEqual([pick.data.values, pick.data.component_type], [['a', 'c'], 3]);
  const bad = await answer(pick, { type: 9, data: { custom_id: 'm', title: 'x'.repeat(46), components: [] } });
  assert.deepEqual([bad.status, Object.keys(bad.body.errors.data).sort()], [400, ['components', 'title']]);
  const input = (custom_id, more) => row({ type: 4, style: 1, label: custom_id, custom_id, ...more });
  assert.equal((await answer(pick, { type: 9, data: { custom_id: 'form', title: 'Form', components: [input('name'), input('age', { value: '7' }), { type: 18, label: 'L', component: { type: 3, custom_id: 'which', options: [{ label: 'x', value: 'x' }] } }] } })).status, 204);
  const filled = await act({ modal: pick.id, fields: { name: 'Ada', which: ['x'] } });
  assert.deepEqual([filled.type, filled.data.custom_id, filled.message.id], [5, 'form', second.id]);
  assert.deepEqual([filled.data.components[0].components[0].value, filled.data.components[1].components[0].value, filled.data.components[2].component.values], ['Ada', '7', ['x']]);
  assert.equal((await answer(filled, { type: 6 })).status, 204);
  const senseless = async (script, expected) => {
    const { status, body } = await sim.post('/_sim/interaction', script);
    assert.equal(status, 400);
    assert.match(body.error, expected);
  };
  await senseless({}, /say what the user does/);
  await senseless({ command: 'nothing' }, /no command "nothing"/);
  await senseless({ command: 'all' }, /option text is required/);
  await senseless({ command: 'all', options: { text: 'x', colour: 'red' } }, /no option colour/);
  await senseless({ command: 'deep' }, /through one of its subcommands/);
  await senseless({ button: 'off', message: second.id }, /is disabled/);
  await senseless({ button: 'gone', message: second.id }, /no component "gone"/);
  await senseless({ select: 'pick', message: second.id, values: ['z'] }, /no value "z"/);
  await senseless({ select: 'pick', message: second.id, values: ['a', 'b', 'c'] }, /so many/);
  await senseless({ modal: go.id, fields: {} }, /not answered with a modal/);
}));

test('modals with people, channels, boxes and files', () => withBot([], async ({ api, act, answer, channel, guild, sim }) => {
  const label = (component) => ({ type: 18, label: 'L', component });
  const shown = (components) => ({ type: 9, data: { custom_id: 'report', title: 'T', components } });
  const fields = [
    label({ type: 7, custom_id: 'whom' }),
    label({ type: 8, custom_id: 'where', channel_types: [0], required: false }),
    label({ type: 23, custom_id: 'sure' }),
    label({ type: 19, custom_id: 'proof', min_values: 0, required: false }),
    label({ type: 21, custom_id: 'kind', options: ['a', 'b'].map((value) => ({ label: value, value })) }),
  ];
  const opener = await act({ command: 'all', options: { text: 'x' }, channel });
  for (const wrong of [
    { type: 8, custom_id: 'where', channel_types: [0, 0] }, { type: 8, custom_id: 'where', channel_types: ['text'] },
    { type: 19, custom_id: 'proof', max_values: 11 }, { type: 23, custom_id: 'sure', default: 'yes' },
    { type: 7, custom_id: 'whom', required: 'yes' }, { type: 21, custom_id: 'kind', options: [{ label: 'a', value: 'a' }] },
  ]) {
    const refused = await answer(opener, shown([label(wrong)]));
    assert.deepEqual([refused.status, refused.body.code], [400, 50035], JSON.stringify(wrong));
  }
  assert.equal((await answer(opener, shown(fields))).status, 204);
  const voice = (await api.get(`/guilds/${guild}/channels`)).find(({ type }) => type === 2).id;
  const senseless = async (given) => assert.equal((await sim.post('/_sim/interaction', { modal: opener.id, fields: given })).status, 400, JSON.stringify(given));
  await senseless({ where: [voice] });
  await senseless({ sure: 'true' });
  await senseless({ whom: ['1'] });
  await senseless({ kind: 'c' });
  const { data } = await act({ modal: opener.id, fields: { whom: [guild], where: [channel], sure: true, proof: [{ filename: 'a.png', content: '12' }], kind: 'b' } });
  const [whom, where, sure, proof, kind] = data.components.map(({ component }) => component);
  assert.deepEqual([whom.values, where.values, sure.value, kind.value], [[guild], [channel], true, 'b']);
  assert.equal(data.resolved.roles[guild].id, guild);
  assert.equal(data.resolved.channels[channel].id, channel);
  assert.deepEqual([proof.type, data.resolved.attachments[proof.values[0]].filename], [19, 'a.png']);
}));

test('autocomplete, and answers that do not fit', () => withBot([], async ({ act, answer, account }) => {
  const d = await act({ autocomplete: 'all', focused: 'text', options: { text: 'hel' } });
  assert.deepEqual([d.type, d.data.options], [4, [{ name: 'text', type: 3, value: 'hel', focused: true }]]);
  for (const type of [4, 5, 6, 7, 9]) assert.equal((await answer(d, { type, data: { content: 'x' } })).status, 400);
  assert.equal((await answer(d, { type: 8, data: { choices: Array(26).fill({ name: 'a', value: 'a' }) } })).status, 400);
  assert.equal((await answer(d, { type: 8, data: { choices: [{ name: 'hello', value: 'hello' }] } })).status, 204);
  assert.equal((await account(d)).callback.data.choices[0].name, 'hello');
  const command = await act({ command: 'all', options: { text: 'x' } });
  assert.equal((await answer(command, { type: 7, data: { content: 'x' } })).status, 400, 'there is no message to update');
  assert.equal((await answer(command, { type: 4, data: {} })).body.code, 50006);
  assert.equal((await answer(command, {})).status, 400);
  assert.equal((await answer(command, { type: 4, data: { content: 'x' } })).status, 204, 'a refused answer is none');
}));

test('interactions of a script', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trellis-sim-'));
  const script = path.join(folder, 'script.jsonl');
  fs.writeFileSync(script, '{"at": 1.5, "interaction": {"command": "deep", "subcommand": "group sub"}}\n');
  try {
    await withBot(['--script', script], async ({ client }) => {
      const { d } = await client.dispatched('INTERACTION_CREATE');
      assert.equal(d.data.name, 'deep');
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('a person writes a message that the bot can find, and the truth counts it', () => withBot([], async ({ sim, api, client, guild, channel }) => {
  const person = (await api.get(`/guilds/${guild}/members?limit=20`)).find(({ user }) => !user.bot).user.id;
  const { status, body } = await sim.post('/_sim/message', { content: 'from a person', user: person, channel });
  assert.equal(status, 200, JSON.stringify(body));
  const { d } = await until(() => client.dispatches.find(({ t, d: made }) => t === 'MESSAGE_CREATE' && made.id === body.id), 'MESSAGE_CREATE');
  assert.deepEqual([d.author.id, d.guild_id, d.content], [person, guild, 'from a person']);
  assert.equal((await api.get(`/channels/${channel}/messages/${body.id}`)).author.id, person);
  await api.refused(403, 50005, 'PATCH', `/channels/${channel}/messages/${body.id}`, { content: 'mine' });
  const { messages } = await sim.truth();
  assert.equal(messages[guild][channel][d.timestamp.slice(0, 10)], 1);
  assert.equal((await sim.post('/_sim/message', { content: 'x', user: '1' })).status, 400);
  assert.equal((await sim.post('/_sim/message', {})).body.code, 50006);
}));

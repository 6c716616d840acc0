// Every answer that the simulator gave in the other tests, whoever asked (its own tests, discord.js, discord.py, the
// host), is as Discord's OpenAPI description says; and everything it serves was asked for.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { errorProblem, problem } from './api.mjs';
import { withSimulator } from './sim.mjs';

const folder = process.env.TRELLIS_ALL_ANSWERS;
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
const answers = files.flatMap((name) =>
  fs.readFileSync(path.join(folder, name), 'utf8').split('\n').filter((line) => line !== '').map((line) => ({ client: path.parse(name).name, ...JSON.parse(line) })));

// Pages and forms of OAuth2, which the description leaves out; the test oauth has them judged by oauth4webapi.
const elsewhere = /^\/oauth2\/(authorize|authorized|token|token\/revoke)$/;

function wrong({ method, path: asked, status, type, route, body = null }) {
  if (elsewhere.test(asked)) return null;
  // What stands before Discord's API answers with pages.
  if (!type.startsWith('application/json')) return status === 429 ? null : `a body of ${type}`;
  if (route === undefined) return [400, 401, 404, 405].includes(status) ? errorProblem(body) : `${status} for what is no route`;
  return problem(method, decodeURI(asked), status, body);
}

test('answers are as described', () => {
  const found = new Map();
  for (const answer of answers.filter(({ fault }) => !fault)) {
    const what = wrong(answer);
    if (what !== null) found.set(`${answer.client}: ${answer.route ?? answer.path} ${answer.status}: ${what}`, answer);
  }
  assert.deepEqual([...found.keys()], []);
});

test('those of discord.js, discord.py and the host are among them', () => {
  for (const client of ['discord_js', 'discord_py', 'host', 'rest', 'interactions']) {
    const theirs = answers.filter((answer) => answer.client === client && answer.status < 300);
    assert.ok(new Set(theirs.map(({ route }) => route)).size >= 10, `${client}: only ${theirs.length} answers`);
  }
});

test('every route was asked for, with success', () => withSimulator([], async (sim) => {
  const asked = new Set(answers.filter(({ status }) => status < 400).map(({ route }) => route));
  const refuses = 'GET /applications/:application/guilds/:guild/commands/:command/permissions'; // no command has any
  if (answers.some(({ route, body }) => route === refuses && body.code === 10066)) asked.add(refuses);
  const { body: routes } = await sim.get('/_sim/routes');
  assert.ok(routes.length > 100);
  assert.deepEqual(routes.filter((route) => !asked.has(route)), []);
}));

// Interactions over HTTP: an endpoint built on Discord's own package for it, and what becomes of one that is careless.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { verifyKey } from 'discord-interactions';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

const still = ['--rate', '0.001', '--start', 'now', '--span-days', '0', '--rest-limits', 'off'];
const commands = [{ name: 'hello', description: 'x', options: [{ type: 3, name: 'text', description: 'x', autocomplete: true }] }];

/** What Node itself makes of a signature: the second opinion. */
function nodeVerifies(publicKey, { signature, timestamp, body }) {
  if (!/^[0-9a-f]{128}$/.test(signature ?? '')) return false;
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(publicKey, 'hex')]);
  const key = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
  return crypto.verify(null, Buffer.concat([Buffer.from(timestamp), body]), key, Buffer.from(signature, 'hex'));
}

/** A web server that takes interactions; `answer(interaction, response)` may write the response itself. */
class Endpoint {
  static async open(answer, { careless = false } = {}) {
    const endpoint = new Endpoint();
    endpoint.requests = [];
    endpoint.answer = answer;
    endpoint.careless = careless;
    endpoint.server = http.createServer((request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => endpoint.take(request, Buffer.concat(parts), response).catch((error) => (endpoint.error = error)));
    });
    await new Promise((resolve) => endpoint.server.listen(0, '127.0.0.1', resolve));
    endpoint.url = `http://127.0.0.1:${endpoint.server.address().port}/interactions?app=1`;
    return endpoint;
  }

  async take(request, body, response) {
    const one = { signature: request.headers['x-signature-ed25519'], timestamp: request.headers['x-signature-timestamp'], body, headers: request.headers, url: request.url };
    one.valid = await verifyKey(body, one.signature ?? '', one.timestamp ?? '', this.publicKey);
    assert.equal(one.valid, nodeVerifies(this.publicKey, one), 'both judge alike');
    one.interaction = JSON.parse(body);
    this.requests.push(one);
    if (!one.valid && !this.careless) return void response.writeHead(401).end('invalid request signature');
    if (one.interaction.type === 1) return void this.json(response, { type: 1 });
    await this.answer(one.interaction, response, this);
  }

  json(response, body, status = 200) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

async function withEndpoint(flags, answer, body) {
  await withSimulator([...still, ...flags], async (sim, url) => {
    const api = new Api(sim);
    const place = await api.place();
    await api.put(`/applications/${place.me}/commands`, commands);
    const endpoint = await Endpoint.open(answer);
    try {
      endpoint.publicKey = (await api.get('/applications/@me')).verify_key;
      const act = async (script) => {
        const { status, body: sent } = await sim.post('/_sim/interaction', script);
        assert.equal(status, 200, JSON.stringify(sent));
        return sent;
      };
      const open = new Api(sim);
      delete open.headers.authorization;
      const account = async ({ id }) => (await sim.get('/_sim/interactions')).body.find((one) => one.id === id);
      const delivered = (sent) => until(async () => ((await account(sent)).delivery ? account(sent) : null), 'the answer');
      await body({ sim, url, api, open, endpoint, act, account, delivered, ...place });
      assert.equal(endpoint.error, undefined);
    } finally {
      await endpoint.close();
    }
  });
}

const set = (api, url) => api.patch('/applications/@me', { interactions_endpoint_url: url });

test('a URL is taken only when it answers a PING and refuses a wrong signature', () => withEndpoint([], () => {}, async ({ sim, url, api, endpoint, act }) => {
  assert.equal((await api.get('/oauth2/applications/@me')).verify_key, endpoint.publicKey);
  const refused = async (address, code, message) => {
    const { errors } = await api.refused(400, 50035, 'PATCH', '/applications/@me', { interactions_endpoint_url: address, description: 'not this' });
    assert.deepEqual(errors, { interactions_endpoint_url: { _errors: [{ code, message }] } });
    assert.equal((await api.get('/applications/@me')).interactions_endpoint_url, null);
  };
  const unverified = ['APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID', 'The specified interactions endpoint URL could not be verified.'];
  endpoint.careless = true;
  await refused(endpoint.url, ...unverified);
  assert.deepEqual(endpoint.requests.map(({ valid, interaction }) => [valid, interaction.type]), [[true, 1], [false, 1]]);
  endpoint.careless = false;
  const { publicKey } = endpoint;
  endpoint.publicKey = '0'.repeat(64);
  await refused(endpoint.url, ...unverified);
  endpoint.publicKey = publicKey;
  await refused('http://127.0.0.1:1/', ...unverified);
  await refused('nonsense', 'URL_TYPE_INVALID_URL', 'Not a well formed URL.');
  await api.refused(400, 50035, 'PATCH', '/applications/@me', { interactions_endpoint_url: 'http://192.0.2.1/' });
  await api.refused(400, 50035, 'PATCH', '/applications/@me', { interactions_endpoint_url: 'ftp://127.0.0.1/' });
  const changed = await api.patch('/applications/@me', { interactions_endpoint_url: endpoint.url, description: 'says hello', tags: ['fun'] });
  assert.deepEqual([changed.interactions_endpoint_url, changed.description, changed.tags], [endpoint.url, 'says hello', ['fun']]);
  assert.equal((await sim.truth()).interactions_endpoint.url, endpoint.url);
  assert.equal((await set(api, null)).interactions_endpoint_url, null);
  const client = new Client(url);
  await client.dispatched('READY');
  assert.deepEqual([(await act({ command: 'hello' })).http, (await client.dispatched('INTERACTION_CREATE')).d.data.name], [false, 'hello']);
}));

test('answers in the response are judged as callbacks, and nothing comes over the gateway', () => {
  const button = [{ type: 1, components: [{ type: 2, style: 1, label: 'go', custom_id: 'go' }] }];
  const answer = async (interaction, response, endpoint) => {
    if (interaction.type === 4) return endpoint.json(response, { type: 8, data: { choices: [{ name: 'a', value: 'a' }] } });
    if (interaction.type === 3) return endpoint.json(response, { type: 9, data: { custom_id: 'form', title: 'Form', components: [{ type: 18, label: 'L', component: { type: 4, style: 1, custom_id: 'name' } }] } });
    if (interaction.type === 5) return endpoint.json(response, { type: 7, data: { content: 'changed', components: [] } });
    const text = interaction.data.options?.[0].value;
    if (text === 'file') {
      const form = new FormData();
      form.append('payload_json', new Blob([JSON.stringify({ type: 4, data: { content: 'with a file', attachments: [{ id: 0, filename: 'a.txt' }] } })], { type: 'application/json' }));
      form.append('files[0]', new Blob(['AAA'], { type: 'text/plain' }), 'a.txt');
      const made = new Response(form);
      return void response.writeHead(200, { 'content-type': made.headers.get('content-type') }).end(Buffer.from(await made.arrayBuffer()));
    }
    if (text === 'route') {
      const { status } = await fetch(`${endpoint.base}/api/v10/interactions/${interaction.id}/${interaction.token}/callback`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ type: 4, data: { content: 'by route' } }),
      });
      assert.equal(status, 204);
      return void response.writeHead(202).end();
    }
    if (text === 'later') return endpoint.json(response, { type: 5, data: { flags: 64 } });
    endpoint.json(response, { type: 4, data: { content: 'hi there', components: button } });
  };
  return withEndpoint([], answer, async ({ sim, url, api, open, endpoint, act, account, delivered, channel, me }) => {
    endpoint.base = sim.base;
    const client = new Client(url);
    await until(async () => (await sim.sessions())[0]?.backfill_left === 0, 'the backfill');
    await set(api, endpoint.url);
    const say = async (text) => delivered(await act({ command: 'hello', channel, options: { text } }));

    const first = await say('x');
    assert.deepEqual([first.answered, first.failed, first.callback.type, first.delivery.status, first.refused], [true, false, 4, 200, []]);
    const { headers, interaction, valid, url: target } = endpoint.requests.at(-1);
    assert.deepEqual([valid, headers['content-type'], target, interaction.id, interaction.token, interaction.application_id], [true, 'application/json', '/interactions?app=1', first.id, first.token, me]);
    assert.match(headers['user-agent'], /^Discord-Interactions\//);
    assert.ok(Math.abs(Number(headers['x-signature-timestamp']) * 1000 - Date.now()) < 60_000);
    const message = await open.get(`/webhooks/${me}/${first.token}/messages/@original`);
    assert.equal(message.content, 'hi there');
    assert.equal((await client.dispatched('MESSAGE_CREATE')).d.id, message.id);
    assert.equal((await open.request('POST', `/interactions/${first.id}/${first.token}/callback`, { type: 4, data: { content: 'x' } })).body.code, 40060);

    const file = await say('file');
    const [attachment] = (await open.get(`/webhooks/${me}/${file.token}/messages/@original`)).attachments;
    assert.deepEqual([attachment.filename, await (await fetch(attachment.url)).text()], ['a.txt', 'AAA']);

    const routed = await say('route');
    assert.deepEqual([routed.callback.data.content, routed.delivery.status, routed.failed], ['by route', 202, false]);

    const deferred = await say('later');
    assert.deepEqual([deferred.callback.type, deferred.loading], [5, true]);
    await open.patch(`/webhooks/${me}/${deferred.token}/messages/@original`, { content: 'done' });
    await open.post(`/webhooks/${me}/${deferred.token}`, { content: 'more' });
    const after = await account(deferred);
    assert.deepEqual([after.loading, after.edits.length, after.followups.length], [false, 1, 1]);

    assert.equal((await delivered(await act({ autocomplete: 'hello', focused: 'text', options: { text: 'a' } }))).callback.type, 8);
    const pressed = await delivered(await act({ button: 'go', message: message.id }));
    assert.equal(pressed.callback.type, 9);
    assert.equal((await delivered(await act({ modal: pressed.id, fields: { name: 'Ada' } }))).callback.type, 7);
    assert.equal((await api.get(`/channels/${channel}/messages/${message.id}`)).content, 'changed');

    const truth = await sim.truth();
    assert.deepEqual([truth.dispatches.INTERACTION_CREATE, truth.interactions.length, truth.interactions_endpoint.delivered], [undefined, 7, 7]);
    assert.ok(!client.dispatches.some(({ t }) => t === 'INTERACTION_CREATE'));
  });
});

test('what is no answer fails the interaction: other statuses, nonsense, a lost connection', () => {
  const answers = {
    broken: (response) => response.writeHead(500).end('oops'),
    empty: (response) => response.writeHead(204).end(),
    nonsense: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
    html: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    unfit: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"type":7,"data":{"content":"x"}}'),
    nothing: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"type":4,"data":{}}'),
    lost: (response) => response.destroy(),
  };
  const answer = (interaction, response) => void answers[interaction.data.options[0].value](response);
  return withEndpoint([], answer, async ({ sim, api, open, endpoint, act, delivered }) => {
    await set(api, endpoint.url);
    const found = {};
    for (const text of Object.keys(answers)) {
      const sent = await delivered(await act({ command: 'hello', options: { text } }));
      assert.ok(sent.failed && sent.delivery.error, text);
      found[text] = [sent.delivery.status, sent.refused.map(({ code }) => code), sent.answered];
      const late = await open.request('POST', `/interactions/${sent.id}/${sent.token}/callback`, { type: 4, data: { content: 'late' } });
      assert.deepEqual([late.status, late.body.code], [404, 10062], text);
    }
    assert.deepEqual(found, {
      broken: [500, [], false], empty: [204, [], false], nonsense: [200, [], false], html: [200, [], false], unfit: [200, [50035], false],
      nothing: [200, [50006], false], lost: [0, [], false],
    });
    assert.match((await sim.truth()).interactions[0].delivery.error, /200 and 202/);
  });
});

test('who only promises an answer, or says nothing, has as long as over the gateway', () => {
  const answer = (interaction, response) => void (interaction.data.options[0].value === 'promise' && response.writeHead(202).end());
  return withEndpoint(['--interaction-deadline', '300'], answer, async ({ api, open, endpoint, act, account }) => {
    // Checked with the short deadline, too: tried until a slow machine makes it.
    await until(async () => (await api.request('PATCH', '/applications/@me', { interactions_endpoint_url: endpoint.url })).status === 200, 'the checks');
    for (const text of ['promise', 'nothing']) {
      const sent = await act({ command: 'hello', options: { text } });
      await until(async () => (await account(sent)).failed, `the failure after ${text}`);
      const late = await open.request('POST', `/interactions/${sent.id}/${sent.token}/callback`, { type: 4, data: { content: 'late' } });
      assert.deepEqual([late.status, late.body.code], [404, 10062], text);
    }
  });
});

test('wrong signatures of every kind come in between, and who takes one loses the endpoint', () => {
  const answer = (interaction, response, endpoint) => endpoint.json(response, { type: 4, data: { content: 'x' } });
  return withEndpoint(['--bad-signatures', '2'], answer, async ({ sim, api, endpoint, act, delivered }) => {
    await set(api, endpoint.url);
    const bad = async () => (await sim.truth()).interactions_endpoint.bad_signatures;
    for (let i = 0; i < 10; ++i) await delivered(await act({ command: 'hello' }));
    await until(async () => (await bad()).length === 6, 'the wrong signatures');
    assert.deepEqual((await bad()).map(({ kind }) => kind).sort(), ['body', 'garbage', 'key', 'key', 'missing', 'timestamp']);
    assert.ok((await bad()).every(({ status, refused }) => status === 401 && refused));
    assert.equal(endpoint.requests.filter(({ valid }) => !valid).length, 6);
    assert.equal(endpoint.requests.filter(({ valid, interaction }) => valid && interaction.type === 2).length, 10);
    assert.equal((await sim.post('/_sim/fault', { fault: 'bad_signature', kind: 'none such' })).status, 400);
    endpoint.careless = true;
    await sim.fault('bad_signature', { kind: 'timestamp' });
    await until(async () => (await bad()).length === 7, 'one more');
    const { url, removals, bad_signatures: all } = (await sim.truth()).interactions_endpoint;
    assert.deepEqual([url, removals, all.at(-1).refused, all.at(-1).status], [null, 1, false, 200]);
    assert.equal((await api.get('/applications/@me')).interactions_endpoint_url, null);
    assert.equal((await sim.post('/_sim/fault', { fault: 'bad_signature' })).status, 400, 'there is none any more');
  });
});

test('the key of an option, an endpoint of an option, and a script without any login', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trellis-sim-'));
  const script = path.join(folder, 'script.jsonl');
  fs.writeFileSync(script, '{"at": 1, "interaction": {"command": "hello"}}\n');
  const endpoint = await Endpoint.open((interaction, response, self) => self.json(response, { type: 4, data: { content: 'x' } }));
  // RFC 8032, 7.1, test 1.
  endpoint.publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
  try {
    await withSimulator([...still, '--interactions-url', endpoint.url, '--interactions-key', seed, '--script', script], async (sim) => {
      const api = new Api(sim);
      const { id, verify_key: key, interactions_endpoint_url: url } = await api.get('/applications/@me');
      assert.deepEqual([key, url], [endpoint.publicKey, endpoint.url]);
      await api.put(`/applications/${id}/commands`, commands);
      const [noted] = await until(async () => {
        const { body } = await sim.get('/_sim/interactions');
        return body[0]?.answered ? body : null;
      }, 'the interaction of the script');
      assert.equal(noted.callback.data.content, 'x');
      assert.deepEqual(await sim.sessions(), []);
    });
  } finally {
    await endpoint.close();
    fs.rmSync(folder, { recursive: true });
  }
});

// A client of the HTTP API that holds every answer against Discord's own OpenAPI description.
import assert from 'node:assert/strict';
import { escapePointer, makeAjv, operationsOf, readDescription } from './openapi.mjs';

const description = readDescription();
// A 429 need not have a code.
const { properties } = description.components.schemas.Error;
description.components.schemas.RatelimitedResponse.allOf[0] = { type: 'object', properties, required: ['message'] };
// The codes of single fields are texts such as BASE_TYPE_REQUIRED, whatever the description says.
description.components.schemas.InnerErrors.properties._errors.items = {
  type: 'object',
  properties: { code: { type: 'string' }, message: { type: 'string' } },
  required: ['code', 'message'],
};
// The description knows no media channels and no forwarded messages yet.
for (const name of ['GuildChannelResponse', 'MessageReferenceResponse']) {
  description.components.schemas[name].properties.type = { type: 'integer' };
}
const ajv = makeAjv();
ajv.addSchema(description, 'discord');
const operations = operationsOf(description);
const compiled = new Map();

/** Null if the answer is as described, otherwise what is wrong with it. */
export function problem(method, target, status, body) {
  const found = operations.find((one) => one.method === method.toLowerCase() && one.pattern.test(target));
  if (!found) return `no operation ${method} ${target}`;
  const code = found.operation.responses[status] ? String(status) : status >= 400 ? '4XX' : null;
  if (code === null) return `${found.operation.operationId} does not answer ${status}`;
  const response = found.operation.responses[code];
  const own = `discord#/paths/${escapePointer(found.route)}/${found.method}/responses/${code}/content/application~1json/schema`;
  const name = response.$ref ? response.$ref.split('/').at(-1) : null;
  if (!name && !response.content) return body === null ? null : 'a body where none is described';
  const ref = name ? `discord#/components/responses/${name}/content/application~1json/schema` : own;
  if (!compiled.has(ref)) compiled.set(ref, ajv.compile({ $ref: ref }));
  const validate = compiled.get(ref);
  return validate(body) ? null : `${found.operation.operationId} ${status}: ${ajv.errorsText(validate.errors)}`;
}

/** The same for an error of no operation in particular. */
export function errorProblem(body) {
  const validate = ajv.getSchema('discord#/components/schemas/Error') ?? ajv.compile({ $ref: 'discord#/components/schemas/Error' });
  return validate(body) ? null : ajv.errorsText(validate.errors);
}

export class Api {
  constructor(sim, token = 'test') {
    this.sim = sim;
    this.headers = { authorization: `Bot ${token}`, 'user-agent': 'DiscordBot (https://example.org, 1)' };
  }

  /** Sends a request and checks the answer's shape. `files`: [{name, content}] makes it multipart. */
  async request(method, target, body, { files, reason, headers, unchecked } = {}) {
    const init = { method, headers: { ...this.headers, ...headers } };
    if (reason) init.headers['x-audit-log-reason'] = encodeURIComponent(reason);
    if (files) {
      const form = new FormData();
      if (body !== undefined) form.append('payload_json', new Blob([JSON.stringify(body)], { type: 'application/json' }));
      files.forEach(({ name, content }, n) => form.append(`files[${n}]`, new Blob([content], { type: 'text/plain' }), name));
      init.body = form;
    } else if (body !== undefined) {
      init.body = typeof body === 'string' ? body : JSON.stringify(body);
      init.headers['content-type'] ??= 'application/json';
    }
    const response = await fetch(`${this.sim.base}/api/v10${target}`, init);
    const text = await response.text();
    const json = text !== '' && response.headers.get('content-type')?.startsWith('application/json');
    const answer = { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : null };
    if (!unchecked) {
      const wrong = problem(method, decodeURI(target.split('?')[0]), response.status, answer.body);
      assert.equal(wrong, null, `${method} ${target}: ${wrong}\n${text.slice(0, 2000)}`);
    }
    return answer;
  }

  /** The body of an answer that must be a success. */
  async ok(method, target, body, more) {
    const answer = await this.request(method, target, body, more);
    assert.ok(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text.slice(0, 2000)}`);
    return answer.body;
  }

  get = (target) => this.ok('GET', target);
  post = (target, body, more) => this.ok('POST', target, body, more);
  patch = (target, body, more) => this.ok('PATCH', target, body, more);
  put = (target, body, more) => this.ok('PUT', target, body, more);
  del = (target, more) => this.ok('DELETE', target, undefined, more);

  /** A request that must be refused with this status and code; returns the body. */
  async refused(status, code, method, target, body, more) {
    const answer = await this.request(method, target, body, more);
    assert.deepEqual([answer.status, answer.body?.code], [status, code], `${method} ${target}: ${answer.text.slice(0, 2000)}`);
    return answer.body;
  }

  /** Where a test takes place: the first server, a text channel in it, and the bot. */
  async place() {
    const guild = (await this.get('/users/@me/guilds'))[0].id;
    const channels = await this.get(`/guilds/${guild}/channels`);
    const me = await this.get('/users/@me');
    const kind = (type) => channels.find((channel) => channel.type === type).id;
    return { guild, channel: kind(0), voice: kind(2), category: kind(4), forum: kind(15), channels, me: me.id };
  }
}

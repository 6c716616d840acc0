// Every request that the SDK's typed operations make is one of Discord's: the route is there, and its parameters and
// body are as the OpenAPI description says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { execFileSync } from 'node:child_process';
import { escapePointer, makeAjv, operationsOf, readDescription } from './openapi.mjs';

const description = readDescription();

/** Bodies may have nothing that the description does not know. */
function forbidUnknown(node, inAllOf = false) {
  if (node === null || typeof node !== 'object') return;
  if (node.properties && !node.allOf && !inAllOf) node.additionalProperties ??= false;
  for (const [key, child] of Object.entries(node)) forbidUnknown(child, key === 'allOf' || (inAllOf && Array.isArray(node)));
}
forbidUnknown(description.components.schemas);
for (const methods of Object.values(description.paths)) {
  for (const { requestBody } of Object.values(methods)) forbidUnknown(requestBody);
}

/** Permissions have more bits than a number may have digits everywhere: Discord takes them as text, and says so in its
 * reference. The description has integers alone. */
function permissionsAsText(node) {
  if (node === null || typeof node !== 'object') return;
  for (const key of ['allow', 'deny', 'permissions']) {
    const type = node.properties?.[key]?.type;
    if (Array.isArray(type) && type.includes('integer')) node.properties[key] = { type: ['string', 'null'], pattern: '^[0-9]+$' };
  }
  for (const child of Object.values(node)) permissionsAsText(child);
}
permissionsAsText(description);

const ajv = makeAjv();
ajv.addSchema(description, 'discord');
const operations = operationsOf(description);

/** What is wrong with a request, or null. */
function problem({ verb, target, body, files }) {
  const [route, query] = target.split('?');
  const found = operations.find(({ method, pattern }) => method === verb.toLowerCase() && pattern.test(route));
  if (!found) return `no operation ${verb} ${route}`;
  const known = new Map(found.parameters.filter((one) => one.in === 'query').map((one) => [one.name, one]));
  for (const [name, value] of new URLSearchParams(query)) {
    const parameter = known.get(name);
    if (!parameter) return `${found.operation.operationId} has no parameter ${name}`;
    const typed = /^\d+$/.test(value) ? Number(value) : ['true', 'false'].includes(value) ? value === 'true' : value;
    const check = (given) => ajv.validate(inDescription(parameter.schema), given);
    if (!check(typed) && !check(value)) return `${found.operation.operationId}: ${name}=${value}: ${ajv.errorsText()}`;
  }
  for (const { name, required } of known.values()) {
    if (required && !new URLSearchParams(query).has(name)) return `${found.operation.operationId} needs ${name}`;
  }
  const content = found.operation.requestBody?.content;
  // Whatever the description says, DELETE needs none.
  if (body === '') return found.operation.requestBody?.required && verb !== 'DELETE' ? `${found.operation.operationId} needs a body` : null;
  if (!content) return `${found.operation.operationId} takes no body`;
  if (files > 0 && !content['multipart/form-data']) return `${found.operation.operationId} takes no files`;
  const type = content['application/json'] ? 'application/json' : 'multipart/form-data';
  const ref = `discord#/paths/${escapePointer(found.route)}/${found.method}/requestBody/content/${escapePointer(type)}/schema`;
  const validate = ajv.getSchema(ref) ?? ajv.compile({ $ref: ref });
  return validate(JSON.parse(body)) ? null : `${found.operation.operationId}: ${ajv.errorsText(validate.errors)}`;
}

/** A schema of the description, on its own. */
function inDescription(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"discord#/'));
}

const requests = () =>
  execFileSync(process.env.TRELLIS_OPERATIONS, { encoding: 'utf8' }).trim().split('\n').map((line) => JSON.parse(line));

test('every request is as Discord describes it', () => {
  const wrong = [];
  const all = requests();
  for (const request of all) {
    const what = problem(request);
    if (what) wrong.push(`${request.name}: ${request.verb} ${request.target}\n  ${request.body}\n  ${what}`);
  }
  assert.deepEqual(wrong, [], wrong.join('\n'));
  console.log(`${all.length} requests of ${new Set(all.map(({ name }) => name)).size} operations fit the description`);
});

test('every operation of the SDK is among them', () => {
  const folder = process.env.TRELLIS_DISCORD_HEADERS;
  const declared = new Set();
  for (const name of fs.readdirSync(folder)) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    for (const [, operation] of text.matchAll(/^(?:inline )?(?:Effect|Operation)<[\w<>]+> (\w+)\(/gm)) declared.add(operation);
  }
  declared.delete('avatar'); // a picture of the CDN, not the API
  assert.ok(declared.size > 60, `${declared.size} declared`);
  assert.deepEqual([...new Set(requests().map(({ name }) => name))].sort(), [...declared].sort());
});

test('what may be done twice says so, and reasons are given', () => {
  for (const { name, verb, repeatable, effect, body } of requests()) {
    if (verb !== 'POST') assert.ok(repeatable, name);
    assert.equal(effect, verb !== 'GET' , name);
    if (name === 'create_message' || name === 'execute_webhook') assert.equal(repeatable, false, `${name} ${body}`);
  }
  const withReason = new Set(requests().filter((one) => one['x-audit-log-reason']).map(({ name }) => name));
  for (const name of ['ban', 'kick', 'add_role', 'edit_channel', 'delete_message', 'create_role', 'time_out']) assert.ok(withReason.has(name), name);
});

test('the validator notices what is wrong', () => {
  const request = (verb, target, body = '', files = 0) => problem({ verb, target, body: body && JSON.stringify(body), files });
  assert.match(request('GET', '/nowhere'), /no operation/);
  assert.match(request('POST', '/channels/1/messages/2'), /no operation/);
  assert.match(request('GET', '/channels/1/messages?limit=101'), /limit=101/);
  assert.match(request('GET', '/channels/1/messages?size=1'), /no parameter size/);
  assert.match(request('POST', '/channels/1/messages', { contents: 'x' }), /additional properties/);
  assert.match(request('POST', '/channels/1/messages', { content: 5 }), /must be string/);
  assert.match(request('POST', '/channels/1/messages', { embeds: [{ title: 'x'.repeat(257) }] }), /256/);
  assert.notEqual(request('POST', '/channels/1/messages', { components: [{ type: 1, components: [{ type: 2, style: 9 }] }] }), null);
  assert.match(request('POST', '/channels/1/messages/bulk-delete', { messages: ['1'] }), /fewer than 2/);
  assert.match(request('PUT', '/guilds/1/bans/2', { delete_message_seconds: 604801 }), /604800/);
  assert.match(request('POST', '/users/@me/channels', { recipient_id: '1' }, 1), /no files/);
  assert.equal(request('POST', '/channels/1/messages', { content: 'x' }), null);
});

// OAuth2 as an independent client sees it, and what Bearer tokens may do.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import test from 'node:test';
import { Api } from './api.mjs';
import { Client, until, withSimulator } from './sim.mjs';

globalThis.crypto ??= webcrypto; // node 18
const oauth = await import('oauth4webapi');

const kRedirect = 'http://127.0.0.1:9/callback?kept=1';
const kSecret = 's3cret/+ &=';
const still = ['--rate', '0.001', '--rest-limits', 'off', '--client-secret', kSecret, '--redirect-uri', kRedirect, '--redirect-uri', 'http://127.0.0.1:9/other'];
const insecure = { [oauth.allowInsecureRequests]: true };

async function withClient(flags, body) {
  await withSimulator([...still, ...flags], async (sim) => {
    const bot = new Api(sim);
    const { id } = await bot.get('/users/@me');
    const server = { issuer: sim.base, authorization_endpoint: `${sim.base}/oauth2/authorize`, token_endpoint: `${sim.base}/api/oauth2/token`, revocation_endpoint: `${sim.base}/api/oauth2/token/revoke` };
    const client = { client_id: id, client_secret: kSecret, token_endpoint_auth_method: 'client_secret_basic' };
    /** Opens the page in the person's browser; returns where it leads. */
    const authorize = async (query) => {
      const url = new URL(server.authorization_endpoint);
      for (const [key, value] of Object.entries({ client_id: id, response_type: 'code', redirect_uri: kRedirect, ...query })) if (value !== undefined) url.searchParams.set(key, value);
      const response = await fetch(url, { redirect: 'manual' });
      return { status: response.status, location: response.headers.get('location'), body: response.status === 302 ? null : await response.json() };
    };
    /** The whole way from the link to a token. */
    const login = async (scope, more = {}) => {
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      const { status, location } = await authorize({ scope, state, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more });
      assert.equal(status, 302);
      assert.ok(location.startsWith(`${kRedirect}&`), location);
      const params = oauth.validateAuthResponse(server, client, new URL(location), state);
      assert.ok(!oauth.isOAuth2Error(params), JSON.stringify(params));
      const response = await oauth.authorizationCodeGrantRequest(server, client, params, kRedirect, verifier, insecure);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const token = await oauth.processAuthorizationCodeOAuth2Response(server, client, response);
      assert.ok(!oauth.isOAuth2Error(token), JSON.stringify(token));
      return { token, params };
    };
    const person = (token) => {
      const api = new Api(sim);
      api.headers.authorization = `Bearer ${token.access_token}`;
      return api;
    };
    const form = async (path, fields, headers = {}) => {
      const response = await fetch(`${sim.base}/api/v10${path}`, { method: 'POST', headers, body: new URLSearchParams(fields) });
      return { status: response.status, headers: response.headers, body: await response.json() };
    };
    const own = { client_id: id, client_secret: kSecret };
    await body({ sim, bot, id, server, client, authorize, login, person, form, own });
  });
}

test('a login: state, PKCE, Basic, tokens, refresh, revocation', () => withClient([], async ({ sim, server, client, login, person, form, own }) => {
  const { token } = await login('identify guilds');
  assert.deepEqual([token.token_type.toLowerCase(), token.expires_in, token.scope], ['bearer', 604800, 'identify guilds']);
  const me = await person(token).get('/users/@me');
  assert.deepEqual([me.bot, me.email], [undefined, undefined]);
  const renewed = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, token.refresh_token, insecure));
  assert.ok(renewed.access_token !== token.access_token && renewed.refresh_token !== token.refresh_token);
  assert.equal((await person(token).request('GET', '/users/@me')).status, 401, 'the old one is gone');
  assert.equal((await person(renewed).get('/users/@me')).id, me.id);
  const again = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, token.refresh_token, insecure));
  assert.ok(oauth.isOAuth2Error(again) && again.error === 'invalid_grant');
  assert.deepEqual((await sim.truth()).oauth.map(({ user_id: user, scope }) => [user, scope]), [[me.id, 'identify guilds']]);
  const other = await login('identify');
  const wider = await form('/oauth2/token', { ...own, grant_type: 'refresh_token', refresh_token: renewed.refresh_token, scope: 'identify email' });
  assert.deepEqual([wider.status, wider.body.error], [400, 'invalid_scope']);
  assert.equal(await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, renewed.refresh_token, insecure)), undefined);
  assert.equal((await person(renewed).request('GET', '/users/@me')).status, 401);
  assert.equal((await person(other.token).request('GET', '/users/@me')).status, 401, 'all that the person granted is gone');
  assert.deepEqual((await form('/oauth2/token/revoke', { ...own, token: 'none such' })).status, 200);
  assert.equal((await form('/oauth2/token/revoke', { client_id: own.client_id, client_secret: 'x', token: 'x' })).body.error, 'invalid_client');
}));

test('what goes wrong at the page', () => withClient([], async ({ sim, authorize, id }) => {
  for (const redirect of [`${kRedirect}#`, kRedirect.replace('?kept=1', ''), 'http://127.0.0.1:9/other/', 'http://evil.example/', undefined]) {
    const { status, body } = await authorize({ scope: 'identify', redirect_uri: redirect });
    assert.deepEqual([status, body.error], [400, 'invalid_request'], `nobody is sent to ${redirect}`);
  }
  assert.equal((await authorize({ scope: 'identify', client_id: '1' })).status, 400);
  const error = async (query) => {
    const url = new URL((await authorize({ state: 'a b&c', ...query })).location);
    assert.deepEqual([url.searchParams.get('state'), url.searchParams.get('kept'), url.searchParams.get('code')], ['a b&c', '1', null]);
    return url.searchParams.get('error');
  };
  assert.equal(await error({ scope: 'identify', response_type: 'token' }), 'unsupported_response_type');
  assert.equal(await error({ scope: 'identify', response_type: undefined }), 'invalid_request');
  assert.equal(await error({ scope: 'identify nonsense' }), 'invalid_scope');
  assert.equal(await error({ scope: '' }), 'invalid_scope');
  assert.equal(await error({ scope: 'identify', code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' }), 'invalid_request');
  await sim.post('/_sim/oauth', { deny: true });
  assert.equal(await error({ scope: 'identify' }), 'access_denied');
  assert.equal((await sim.post('/_sim/oauth', { user: id })).status, 400, 'the bot is no person');
}));

test('what goes wrong at the token endpoint', () => withClient([], async ({ authorize, form, own, sim }) => {
  const code = async (more) => new URL((await authorize({ scope: 'identify', ...more })).location).searchParams.get('code');
  const exchange = (fields, headers) => form('/oauth2/token', { grant_type: 'authorization_code', redirect_uri: kRedirect, ...fields }, headers);
  const fails = async (fields, status, error, headers) => {
    const answer = await exchange(fields, headers);
    assert.deepEqual([answer.status, answer.body.error], [status, error], JSON.stringify(answer.body));
    return answer;
  };
  const used = await code();
  assert.equal((await exchange({ ...own, code: used })).status, 200);
  assert.match((await fails({ ...own, code: used }, 400, 'invalid_grant')).body.error_description, /Invalid "code" in request\./);
  await fails({ ...own, code: 'none such' }, 400, 'invalid_grant');
  await fails({ ...own }, 400, 'invalid_request');
  await fails({ ...own, code: await code(), redirect_uri: 'http://127.0.0.1:9/other' }, 400, 'invalid_grant');
  await fails({ ...own, code: await code({ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }) }, 400, 'invalid_grant');
  await fails({ ...own, code: await code({ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }), code_verifier: 'y'.repeat(43) }, 400, 'invalid_grant');
  await fails({ ...own, code: await code(), code_verifier: 'y'.repeat(43) }, 400, 'invalid_grant');
  await fails({ client_id: own.client_id, client_secret: 'wrong', code: 'x' }, 401, 'invalid_client');
  await fails({ code: 'x' }, 401, 'invalid_client');
  const basic = { authorization: `Basic ${Buffer.from(`${own.client_id}:wrong`).toString('base64')}` };
  assert.match((await fails({ code: 'x' }, 401, 'invalid_client', basic)).headers.get('www-authenticate'), /^Basic /);
  await fails({ ...own, code: 'x' }, 400, 'invalid_request', basic);
  await fails({ ...own, grant_type: 'password' }, 400, 'unsupported_grant_type');
  const post = (type, body) => fetch(`${sim.base}/api/oauth2/token`, { method: 'POST', headers: { 'content-type': type }, body });
  const json = await post('application/json', JSON.stringify({ ...own, grant_type: 'client_credentials', scope: 'identify' }));
  assert.deepEqual([json.status, (await json.json()).error], [400, 'unsupported_grant_type'], 'only urlencoded forms');
  const twice = await post('application/x-www-form-urlencoded', 'grant_type=authorization_code&grant_type=refresh_token');
  assert.deepEqual([twice.status, (await twice.json()).error], [400, 'invalid_request']);
}));

test('codes and access tokens expire', () => withClient(['--code-lifetime', '0.1', '--access-lifetime', '1'], async ({ authorize, form, own, person }) => {
  const code = new URL((await authorize({ scope: 'identify' })).location).searchParams.get('code');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal((await form('/oauth2/token', { ...own, grant_type: 'authorization_code', redirect_uri: kRedirect, code })).body.error, 'invalid_grant');
  const { body: token } = await form('/oauth2/token', { ...own, grant_type: 'client_credentials', scope: 'identify' });
  assert.equal(token.expires_in, 1);
  await until(async () => (await person(token).request('GET', '/users/@me')).status === 401, 'the token to expire');
}));

test('the owner by client credentials', () => withClient([], async ({ server, client, person, form, own, bot }) => {
  const response = await oauth.clientCredentialsGrantRequest(server, client, new URLSearchParams({ scope: 'identify email connections' }), insecure);
  const token = await oauth.processClientCredentialsResponse(server, client, response);
  assert.deepEqual([token.expires_in, token.refresh_token, token.scope], [604800, undefined, 'identify email connections']);
  const me = await person(token).get('/users/@me');
  assert.deepEqual([me.id, me.verified, typeof me.email], [(await bot.get('/applications/@me')).owner.id, true, 'string']);
  await person(token).get('/users/@me/connections');
  const { scopes, user, application } = await person(token).get('/oauth2/@me');
  assert.deepEqual([scopes, user.id, application.verify_key], [['identify', 'email', 'connections'], me.id, (await bot.get('/applications/@me')).verify_key]);
  assert.equal((await form('/oauth2/token', { ...own, grant_type: 'client_credentials', scope: 'bot' })).body.error, 'invalid_scope');
}));

test('Bearer tokens and bots are kept apart, scope by scope', () => withClient([], async ({ sim, bot, login, person, id }) => {
  const { guild, channel } = await bot.place();
  const members = await bot.get(`/guilds/${guild}/members?limit=50`);
  const { owner_id: owner } = await bot.get(`/guilds/${guild}`);
  const someone = members.find(({ user }) => !user.bot && user.id !== owner).user.id;
  assert.equal((await sim.post('/_sim/oauth', { user: owner })).status, 200);
  const owning = person((await login('guilds guilds.members.read')).token);
  const mine = await owning.get('/users/@me/guilds?with_counts=true');
  const entry = mine.find((one) => one.id === guild);
  assert.deepEqual([entry.owner, entry.permissions, typeof entry.approximate_member_count], [true, String(2n ** 53n - 1n), 'number']);
  assert.equal((await owning.get(`/users/@me/guilds/${guild}/member`)).user.id, owner);
  assert.equal((await owning.request('GET', '/users/@me/guilds/1/member')).body.code, 10004);
  for (const target of ['/users/@me', '/users/@me/connections', `/channels/${channel}`, `/guilds/${guild}`, '/applications/@me', '/gateway/bot']) {
    const answer = await owning.request('GET', target);
    assert.deepEqual([answer.status, answer.body.message], [401, '401: Unauthorized'], target);
  }
  assert.equal((await owning.request('POST', `/channels/${channel}/messages`, { content: 'x' })).status, 401);
  await sim.post('/_sim/oauth', { user: someone });
  const other = person((await login('identify guilds')).token);
  const seen = (await other.get('/users/@me/guilds')).find((one) => one.id === guild);
  assert.deepEqual([seen.owner, seen.permissions === entry.permissions, 'approximate_member_count' in seen], [false, false, false]);
  assert.equal((await other.request('GET', `/users/@me/guilds/${guild}/member`)).status, 401, 'another scope');
  for (const target of ['/oauth2/@me', '/users/@me/connections', `/users/@me/guilds/${guild}/member`]) await bot.refused(403, 20001, 'GET', target);
  const stranger = new Api(sim);
  stranger.headers.authorization = 'Bearer test';
  assert.equal((await stranger.request('GET', '/users/@me')).status, 401, 'a bot token is no Bearer token');
  stranger.headers.authorization = 'Bot test';
  assert.equal((await stranger.get('/users/@me')).id, id);
  assert.deepEqual((await bot.get('/applications/@me')).redirect_uris, [kRedirect, 'http://127.0.0.1:9/other']);
}));

test('adding the bot: with a code and the server in the answer, or without any', () => withClient([], async ({ sim, bot, authorize, login, id }) => {
  const { guild } = await bot.place();
  await sim.post('/_sim/oauth', { guild });
  const { token, params } = await login('bot applications.commands identify webhook.incoming', { permissions: '8' });
  assert.deepEqual([params.get('guild_id'), params.get('permissions'), token.guild.id], [guild, '8', guild]);
  const { webhook } = token;
  assert.equal(webhook.guild_id, guild);
  const posted = await fetch(`${sim.base}/api/webhooks/${webhook.id}/${webhook.token}?wait=true`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"content":"by hook"}' });
  assert.equal((await posted.json()).content, 'by hook');
  const alone = await authorize({ scope: 'bot', response_type: undefined, redirect_uri: undefined, permissions: '8' });
  assert.equal(alone.location, `${sim.base}/oauth2/authorized`);
  assert.equal((await fetch(alone.location)).status, 200);
  assert.equal((await bot.get('/users/@me')).id, id);
}));

test('permissions of commands: a person writes them, the bot reads them', () => withClient([], async ({ sim, bot, login, person, id }) => {
  const { guild } = await bot.place();
  const client = new Client(await sim.gatewayUrl());
  await client.dispatched('GUILD_CREATE');
  const { owner_id: owner } = await bot.get(`/guilds/${guild}`);
  const [command] = await bot.put(`/applications/${id}/commands`, [{ name: 'hello', description: 'x' }]);
  const all = `/applications/${id}/guilds/${guild}/commands/permissions`;
  const one = `/applications/${id}/guilds/${guild}/commands/${command.id}/permissions`;
  assert.deepEqual(await bot.get(all), []);
  await bot.refused(404, 10066, 'GET', one);
  const wanted = [{ id: guild, type: 1, permission: false }, { id: owner, type: 2, permission: true }];
  await bot.refused(403, 20001, 'PUT', one, { permissions: wanted });
  await sim.post('/_sim/oauth', { user: owner });
  const scope = 'applications.commands.permissions.update';
  assert.equal((await person((await login('identify')).token).request('PUT', one, { permissions: wanted })).status, 401);
  const manager = person((await login(scope)).token);
  assert.deepEqual((await manager.put(one, { permissions: wanted })).permissions, wanted);
  const { d } = await client.dispatched('APPLICATION_COMMAND_PERMISSIONS_UPDATE');
  assert.deepEqual(d, { id: command.id, application_id: id, guild_id: guild, permissions: wanted });
  assert.deepEqual((await bot.get(one)).permissions, wanted);
  assert.deepEqual((await manager.put(`/applications/${id}/guilds/${guild}/commands/${id}/permissions`, { permissions: wanted.slice(1) })).id, id, 'all commands');
  assert.deepEqual((await bot.get(all)).map((entry) => entry.id).sort(), [command.id, id].sort());
  await manager.refused(400, 50035, 'PUT', one, { permissions: Array(101).fill(wanted[0]) });
  await manager.refused(400, 50035, 'PUT', one, { permissions: [{ id: guild, type: 4, permission: true }] });
  await manager.refused(404, 10063, 'PUT', one.replace(command.id, '77'), { permissions: wanted });
  await manager.put(one, { permissions: [] });
  await bot.refused(404, 10066, 'GET', one);
  const admins = (await bot.get(`/guilds/${guild}/roles`)).filter(({ permissions }) => permissions === '8').map((role) => role.id);
  const someone = (await bot.get(`/guilds/${guild}/members?limit=100`)).find(({ user, roles }) => !user.bot && user.id !== owner && !roles.some((role) => admins.includes(role)));
  await sim.post('/_sim/oauth', { user: someone.user.id });
  await person((await login(scope)).token).refused(403, 50013, 'PUT', one, { permissions: wanted });
}));

// Helpers of the tests: start trellis-sim, talk to it as a client that sees every byte.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import zlib from 'node:zlib';
import WebSocket from 'ws';

const program = process.env.TRELLIS_SIM;
if (!program) throw new Error('TRELLIS_SIM must name the trellis-sim program');

export const kAllIntents = 0x331ffff;

/** Waits until `condition()` is truthy and returns its value. */
export async function until(condition, what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class Simulator {
  static async start(...flags) {
    const sim = new Simulator();
    sim.log = '';
    if (process.env.TRELLIS_ANSWERS) flags.push('--answers', process.env.TRELLIS_ANSWERS);
    sim.child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    sim.exited = new Promise((resolve) => sim.child.once('exit', (code, signal) => resolve({ code, signal })));
    let text = '';
    let ended = false;
    sim.child.stdout.on('data', (data) => (text += data));
    sim.child.stderr.on('data', (data) => (sim.log += data));
    sim.exited.then(() => (ended = true));
    await until(() => {
      if (ended) throw new Error(`trellis-sim ended: ${sim.log}`);
      return text.includes('\n');
    }, 'trellis-sim to listen');
    sim.base = /listening on (https?:\/\/127\.0\.0\.1:\d+)/.exec(text)[1];
    return sim;
  }

  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    return this.exited;
  }

  async get(path, headers = { authorization: 'Bot test' }) {
    const response = await fetch(this.base + path, { headers });
    return { status: response.status, body: await response.json() };
  }

  async post(path, body) {
    const response = await fetch(this.base + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  async fault(name, more = {}) {
    const answer = await this.post('/_sim/fault', { fault: name, ...more });
    if (answer.status !== 200) throw new Error(`fault ${name}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async truth() {
    return (await this.get('/_sim/truth')).body;
  }

  async sessions() {
    return (await this.get('/_sim/sessions')).body;
  }

  /** Are there that many sessions, and has every stream sent its total? */
  async finished(count = 1) {
    const sessions = await this.sessions();
    return sessions.length >= count && sessions.every(({ finished }) => finished);
  }

  async gatewayUrl() {
    return (await this.get('/api/v10/gateway/bot')).body.url;
  }
}

/** Starts a simulator for `body`; what it said goes into the failure. */
export async function withSimulator(flags, body) {
  const sim = await Simulator.start(...flags);
  try {
    await body(sim, await sim.gatewayUrl());
  } catch (error) {
    error.message += `\n--- trellis-sim said:\n${sim.log}`;
    throw error;
  } finally {
    await sim.stop();
  }
}

/** One gateway connection. Keeps what it receives unless told otherwise. */
export class Client {
  constructor(url, { compress = '', token = 'test', intents = kAllIntents, shard, version = 10, onDispatch, login, compressPayloads } = {}) {
    this.options = { token, intents, shard, compress: compressPayloads };
    this.packed = 0;
    this.received = [];
    this.dispatches = [];
    this.closed = null;
    this.texts = null;
    this.onDispatch = onDispatch;
    this.session = login?.session ?? null;
    this.seq = login?.seq ?? null;
    this.login = login ? 'resume' : 'identify';
    const query = `/?v=${version}&encoding=json${compress ? `&compress=${compress}` : ''}`;
    this.ws = new WebSocket(url + query, { perMessageDeflate: false, ca: process.env.TRELLIS_TEST_CA });
    this.ws.on('error', (error) => (this.error = error));
    this.ws.on('close', (code) => (this.closed = code));
    if (compress === 'zlib-stream') {
      this.inflate = zlib.createInflate({ chunkSize: 1 << 20 });
      this.queue = Promise.resolve();
      this.ws.on('message', (data) => {
        this.queue = this.queue.then(() => this.inflateOne(data)).then((text) => this.take(text));
      });
    } else {
      this.ws.on('message', (data, binary) => {
        this.packed += binary ? 1 : 0;
        this.take((binary ? zlib.inflateSync(data) : data).toString());
      });
    }
  }

  inflateOne(data) {
    return new Promise((resolve, reject) => {
      if (data.readUInt32BE(data.length - 4) !== 0x0000ffff) reject(new Error('no sync flush at the end of a message'));
      const parts = [];
      const collect = (part) => parts.push(part);
      this.inflate.on('data', collect);
      this.inflate.write(data);
      this.inflate.flush(zlib.constants.Z_SYNC_FLUSH, () => {
        this.inflate.off('data', collect);
        resolve(Buffer.concat(parts).toString());
      });
    });
  }

  take(text) {
    this.texts?.push(text);
    const payload = JSON.parse(text);
    if (payload.op === 0) {
      if (this.seq !== null) this.jumped ||= payload.s !== this.seq + 1 ? [this.seq, payload.s] : undefined;
      this.seq = payload.s;
      if (payload.t === 'READY') this.session = payload.d.session_id;
      if (payload.t === 'READY') this.resumeUrl = payload.d.resume_gateway_url;
      this.onDispatch ? this.onDispatch(payload) : this.dispatches.push(payload);
      return;
    }
    this.received.push(payload);
    if (payload.op === 10) {
      if (this.login === 'identify') this.identify();
      if (this.login === 'resume') this.resume();
    }
  }

  send(payload) {
    this.ws.send(typeof payload === 'string' ? payload : JSON.stringify(payload));
  }

  identify(more = {}) {
    const properties = { os: 'linux', browser: 'test', device: 'test' };
    this.send({ op: 2, d: { ...this.options, properties, large_threshold: 250, ...more } });
  }

  resume() {
    this.send({ op: 6, d: { token: this.options.token, session_id: this.session, seq: this.seq } });
  }

  /** What another connection needs to go on from here. */
  get state() {
    return { session: this.session, seq: this.seq };
  }

  dispatched(type) {
    return until(() => this.dispatches.find((dispatch) => dispatch.t === type), `${type}`);
  }

  op(op) {
    return until(() => this.received.find((payload) => payload.op === op), `op ${op}`);
  }

  closedWith() {
    return until(() => this.closed, 'the connection to be closed');
  }

  close(code = 1000) {
    this.ws.close(code);
    return this.closedWith();
  }
}

/** Counts by type, without what exists only on the wire of one session. */
export function countTypes(dispatches) {
  const counts = {};
  for (const { t } of dispatches) counts[t] = (counts[t] ?? 0) + 1;
  return counts;
}

/** What a message counter would make of the dispatches: server -> channel -> day -> number. */
export function countMessages(dispatches) {
  const counts = {};
  for (const { t, d } of dispatches) {
    if (t !== 'MESSAGE_CREATE' || !d.guild_id || d.webhook_id || d.author.bot) continue;
    const channels = (counts[d.guild_id] ??= {});
    const days = (channels[d.channel_id] ??= {});
    const day = d.timestamp.slice(0, 10);
    days[day] = (days[day] ?? 0) + 1;
  }
  return counts;
}

let transcript; // a file of this run

/** Ends it, and prints what the client did as the simulator saw it: logins, requests, dispatches. */
export async function stopWithTranscript(sim, client) {
  const say = (text) => {
    console.log(`${client}: ${text}`);
    if (!process.env.TRELLIS_TRANSCRIPT) return;
    transcript ??= fs.openSync(process.env.TRELLIS_TRANSCRIPT, 'w');
    fs.writeSync(transcript, `${text}\n`);
  };
  try {
    const requests = (await sim.get('/_sim/requests')).body;
    const { dispatches } = await sim.truth();
    for (const line of sim.log.split('\n').filter((one) => one !== '')) say(line);
    for (const { method, path, status, code } of requests) say(`${method} ${path} -> ${status}${code ? ` (${code})` : ''}`);
    say(`was sent ${Object.entries(dispatches).map(([type, count]) => `${count} ${type}`).join(', ')}`);
  } finally {
    await sim.stop();
  }
}

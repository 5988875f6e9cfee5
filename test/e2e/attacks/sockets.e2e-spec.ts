import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { beforeAll, describe, expect, it } from '@jest/globals';
import WebSocket from 'ws';
import { run, sandboxOf, secretHeader, startExec, type ExecBody } from '../api-client.js';
import { pidOf } from '../processes.js';
import { until } from '../until.js';
import { answeredDuring, openDescriptors, socketUrl, Steadiness } from './api-process.js';
import { knock, type Knock } from './knocking.js';

const TEST_TIMEOUT_MS = 180_000;
const MIB = 1_048_576;
const GIVE_UP_AFTER_MS = 60_000;
const IDLE_SOCKETS = 10_000;
const SOCKETS_AT_ONCE = 100;
/** Those of docs/WEBSOCKET.md that a process of the API holds at most. */
const SOCKETS_MAX = 2_000;

let exec: ExecBody;
let terminal: ExecBody;

beforeAll(async () => {
  const sandbox = await sandboxOf(`sockets-${randomUUID().slice(0, 8)}`);
  exec = await run(sandbox, { command: 'seq 1000' });
  terminal = await startExec(sandbox, { command: 'sleep 600', tty: { columns: 80, rows: 24 } });
}, TEST_TIMEOUT_MS);

const places = (): readonly string[] => ['/v1/ws', `/v1/execs/${terminal.id}/terminal?writer=w`];

async function open(path: string, headers: Record<string, string> = secretHeader()): Promise<WebSocket> {
  const socket = new WebSocket(socketUrl(path), { headers });
  socket.on('error', () => undefined);
  const closed = new Promise<number>((resolve) => socket.once('close', (code) => resolve(code)));
  closeCodes.set(socket, closed);
  await once(socket, 'open');
  return socket;
}

/** Heard from the beginning on, as a socket may be closed before a test comes to ask. */
const closeCodes = new WeakMap<WebSocket, Promise<number>>();

/** The code it is closed with; fails where it is not. */
async function closeCode(socket: WebSocket): Promise<number> {
  const code = closeCodes.get(socket);
  if (code === undefined) throw new Error('The socket was not opened by this test.');
  const late = AbortSignal.timeout(GIVE_UP_AFTER_MS);
  return await Promise.race([
    code,
    once(late, 'abort').then(() => Promise.reject(new Error('The socket is still open.'))),
  ]);
}

/** Sends until the other end has had enough of it. */
async function flood(socket: WebSocket, send: () => void, timesMax: number): Promise<number> {
  for (let time = 0; time < timesMax && socket.readyState === WebSocket.OPEN; time++) {
    send();
    if (time % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return await closeCode(socket);
}

async function answersOf(socket: WebSocket, message: object): Promise<Record<string, unknown>> {
  const answered = new Promise<Record<string, unknown>>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('The socket does not answer.')), GIVE_UP_AFTER_MS);
    const listen = (data: Buffer, isBinary: boolean): void => {
      if (isBinary) return;
      const answer = JSON.parse(data.toString()) as Record<string, unknown>;
      if (answer['t'] !== 'err' && answer['t'] !== 'ack') return;
      clearTimeout(late);
      socket.off('message', listen);
      resolve(answer);
    };
    socket.on('message', listen);
  });
  socket.send(JSON.stringify(message));
  return await answered;
}

describe('a socket of the API', () => {
  it(
    'is closed when nobody says who he is',
    async () => {
      const sockets = await Promise.all(places().map(async (path) => await open(path, {})));
      expect(await Promise.all(sockets.map((socket) => closeCode(socket)))).toEqual([4401, 4401]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is closed at a message of 10 MB, whole or in fragments, which is never held',
    async () => {
      const steady = new Steadiness('api');
      for (const path of places()) {
        const whole = await open(path);
        whole.send(Buffer.alloc(10 * MIB, 'x'), { binary: false });
        expect(await closeCode(whole)).toBe(1009);
        const inPieces = await open(path);
        const piece = Buffer.alloc(MIB / 64, 'x');
        expect(await flood(inPieces, () => inPieces.send(piece, { fin: false, binary: false }), 1_000)).toBe(
          1009,
        );
        const crumbs = await open(path);
        expect(await flood(crumbs, () => crumbs.send('x', { fin: false }), 100_000)).toBe(1008);
      }
      await steady.hold();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is closed at a flood of messages or of pings',
    async () => {
      const steady = new Steadiness('api');
      for (const path of places()) {
        const messages = await open(path);
        expect(await flood(messages, () => messages.send('{"t":"ping"}'), 5_000)).toBe(4429);
        const pings = await open(path);
        expect([1006, 4429]).toContain(await flood(pings, () => pings.ping(Buffer.alloc(125)), 200_000));
      }
      await steady.hold();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'does not inflate: it agrees to no compression, and a compressed message is none',
    async () => {
      const socket = await open('/v1/ws');
      expect(socket.extensions).toBe('');
      const raw = (socket as unknown as { _socket: NodeJS.WritableStream })._socket;
      // A text frame with the bit of compression, a mask of zeros and one byte.
      raw.write(Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 0x78]));
      expect(await closeCode(socket)).toBe(1002);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'resumes nowhere but where a frame of its own exec ends',
    async () => {
      const socket = await open('/v1/ws');
      const sub = (id: string, after: unknown): object => ({ t: 'sub', id, topic: `exec:${exec.id}`, after });
      const beyond = await answersOf(socket, sub('a', 1_000_000_000));
      expect(beyond).toMatchObject({ t: 'err', id: 'a', code: 'position_invalid', pointer: '/after' });
      for (const [id, after] of [
        ['b', -1],
        ['c', 0.5],
        ['d', 2 ** 60],
        ['e', '0'],
      ] as const) {
        expect(await answersOf(socket, sub(id, after))).toMatchObject({ code: 'bad_request', id });
      }
      // A position of another exec is a number like any other: here it is not the end of a frame.
      expect(await answersOf(socket, sub('f', 31))).toMatchObject({ code: 'position_invalid', id: 'f' });
      expect(await answersOf(socket, sub('g', 0))).toMatchObject({ t: 'ack', id: 'g' });
      socket.close();
      for (const after of ['1000000000', '31']) {
        const shown = await open(`/v1/execs/${terminal.id}/terminal?after=${after}`);
        expect(await closeCode(shown)).toBe(4400);
      }
      expect(await closeCode(await open(`/v1/execs/${terminal.id}/terminal?after=-1`))).toBe(4400);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is one of two thousand that cost little while they idle, of ten thousand that ask; the others are told to come again',
    async () => {
      const [steady, pid] = [new Steadiness('api'), pidOf('api')];
      const knocks: Knock[] = [];
      const isOpen = ({ status }: Knock): boolean => status === 101;
      await answeredDuring(`/v1/execs/${exec.id}`, async () => {
        while (knocks.length < IDLE_SOCKETS) {
          knocks.push(...(await Promise.all(Array.from({ length: SOCKETS_AT_ONCE }, () => knock()))));
        }
      });
      const refused = knocks.filter((one) => !isOpen(one));
      expect(knocks.filter(isOpen).length).toBeLessThanOrEqual(SOCKETS_MAX);
      expect(knocks.filter(isOpen).length).toBeGreaterThan(SOCKETS_MAX / 2);
      expect(refused.every(({ status, saysWhen }) => status === 429 && saysWhen)).toBe(true);
      expect(steady.grownBytes / knocks.filter(isOpen).length).toBeLessThan(MIB);
      const held = openDescriptors(pidOf('api'));
      for (const { socket } of knocks) socket.destroy();
      await until(
        () => openDescriptors(pidOf('api')),
        (now) => now < held - SOCKETS_MAX / 2,
      );
      const socket = await open('/v1/ws');
      expect(socket.readyState).toBe(WebSocket.OPEN);
      socket.terminate();
      expect(pidOf('api')).toBe(pid);
    },
    TEST_TIMEOUT_MS,
  );
});

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { runningStack } from '../../stack/running-stack.js';
import { secretHeader } from '../api-client.js';

const STATUS = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/;
const RETRY_AFTER = /\r\nretry-after: \d+\r\n/i;
const KEY_BYTES = 16;
const PING = '\x89\x00';
/** With a mask of zeros. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** How a door answered: open, or closed with a status and whether it says when to come again. */
export interface Knock {
  readonly status: number;
  readonly saysWhen: boolean;
  readonly socket: Socket;
}

/** Asks for a WebSocket and waits for the answer; afterwards it answers pings and nothing else. Far lighter than a client that could use it. */
export async function knock(path = '/v1/ws'): Promise<Knock> {
  const { hostname, port, host } = new URL(runningStack().apiUrl);
  const socket = connect(Number(port), hostname);
  const headers = {
    host,
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(KEY_BYTES).toString('base64'),
    ...secretHeader(),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return await new Promise((resolve, reject) => {
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      const [head, status] = STATUS.exec(answer) ?? [];
      if (head === undefined) return;
      socket.removeAllListeners('data').on('data', (frame: string) => {
        if (frame.includes(PING)) socket.write(PONG);
      });
      resolve({ status: Number(status), saysWhen: RETRY_AFTER.test(head), socket });
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`The connection was closed after ${JSON.stringify(answer)}.`)));
  });
}

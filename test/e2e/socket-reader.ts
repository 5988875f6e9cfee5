import WebSocket from 'ws';
import { runningStack } from '../stack/running-stack.js';
import { secretHeader } from './api-client.js';

const HEADER_BYTES = 29;
const RECONNECT_MS = 250;

export interface SocketRecording {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly end: Record<string, unknown>;
  readonly states: readonly string[];
  readonly connections: number;
  readonly ends: number;
}

/**
 * Subscribes to an exec from a position on and reconnects with `after` for as long as there was no end. Keeps every byte
 * in order of arrival.
 */
export async function recordSocket(execId: string, seconds: number, after = 0): Promise<SocketRecording> {
  return await record(new Recorder(execId, after), seconds);
}

/** The same from position 0 on, given back as soon as the first subscription is acknowledged: what happens from then on is seen. */
export async function subscribeSocket(
  execId: string,
  seconds: number,
): Promise<{ readonly recording: Promise<SocketRecording> }> {
  return await new Promise((resolve, reject) => {
    const recording = record(new Recorder(execId, 0, () => resolve({ recording })), seconds);
    recording.catch(reject);
  });
}

async function record(recorder: Recorder, seconds: number): Promise<SocketRecording> {
  const giveUpAt = Date.now() + seconds * 1_000;
  while (!recorder.end) {
    if (Date.now() > giveUpAt)
      throw new Error(`No end frame for ${recorder.execId} after ${recorder.connections} connections.`);
    await recorder.connectOnce(giveUpAt);
    if (!recorder.end) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
  return recorder.recording();
}

class Recorder {
  private readonly pieces: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  private readonly states: string[] = [];
  private ends = 0;
  connections = 0;
  end: Record<string, unknown> | undefined;

  constructor(
    readonly execId: string,
    private position: number,
    private readonly onAck: () => void = () => undefined,
  ) {}

  async connectOnce(giveUpAt: number): Promise<void> {
    const url = new URL('/v1/ws', runningStack().apiUrl);
    url.protocol = 'ws:';
    const socket = new WebSocket(url, { headers: secretHeader() });
    const timer = setTimeout(() => socket.terminate(), Math.max(0, giveUpAt - Date.now()));
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => {
        this.connections += 1;
        socket.send(
          JSON.stringify({ t: 'sub', id: 's1', topic: `exec:${this.execId}`, after: this.position }),
        );
      });
      socket.on('message', (data: Buffer, isBinary) => {
        if (isBinary) return this.takeOutput(data);
        try {
          if (this.takeMessage(JSON.parse(data.toString()) as Record<string, unknown>)) socket.close();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          socket.close();
        }
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });
    clearTimeout(timer);
  }

  private takeOutput(data: Buffer): void {
    const stream = data.readUInt8(4) === 2 ? 'stderr' : 'stdout';
    this.pieces[stream].push(data.subarray(HEADER_BYTES));
    this.position = Number(data.readBigUInt64BE(5));
  }

  /** True where this socket has nothing more to give: at the end, or for a client that must come again. */
  private takeMessage(message: Record<string, unknown>): boolean {
    if (message['t'] === 'err' && message['code'] === 'dependency_unavailable')
      return message['retrying'] !== true;
    if (message['t'] === 'err') throw new Error(`The socket answered ${JSON.stringify(message)}`);
    if (message['t'] === 'ack') this.onAck();
    if (message['t'] === 'ev' && typeof message['state'] === 'string') this.states.push(message['state']);
    if (message['t'] !== 'end') return false;
    this.end = message;
    this.ends += 1;
    return true;
  }

  recording(): SocketRecording {
    return {
      stdout: Buffer.concat(this.pieces.stdout),
      stderr: Buffer.concat(this.pieces.stderr),
      end: this.end ?? {},
      states: this.states,
      connections: this.connections,
      ends: this.ends,
    };
  }
}

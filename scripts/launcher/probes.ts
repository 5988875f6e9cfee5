import { request } from 'node:http';
import { connect } from 'node:net';

const PROBE_TIMEOUT_MS = 2_000;

export async function probeUnixSocket(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve();
    });
    socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy(new Error(`no answer at ${path}`)));
    socket.once('error', reject);
  });
}

/** Any HTTP answer below 500 counts: the server is there and speaks. */
export async function probeHttp(url: string, isGood = (status: number) => status < 500): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    const call = request(url, { timeout: PROBE_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.once('timeout', () => call.destroy(new Error(`no answer at ${url}`)));
    call.once('error', reject);
    call.end();
  });
  if (!isGood(status)) throw new Error(`${url} answers ${status}`);
}

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { BASE_IMAGE } from '../../scripts/launcher/base-image.js';
import { runningStack } from '../stack/running-stack.js';
import WebSocket from 'ws';
import { call, secretHeader } from './api-client.js';

jest.setTimeout(120_000);

const STEP = 'prepare_storage';
const DECISION = { step: STEP, parkNo: 1 };
const CORRECTED = { ...DECISION, input: { image: BASE_IMAGE } };

interface OperationBody {
  readonly id: string;
  readonly kind: string;
  readonly sandboxId: string;
  readonly state: string;
  readonly steps: { readonly name: string; readonly attempts: number }[];
}

/** A start that waits for a decision, because its image is nowhere. */
async function parkedStart(): Promise<OperationBody> {
  const body = { owner: `u-${randomUUID().slice(0, 8)}`, image: `berth/no-such-${randomUUID()}:1` };
  const made = await call<{ operation: OperationBody }>('POST', '/v1/sandboxes?wait=60', { body });
  expect(made.body.operation).toMatchObject({
    state: 'parked',
    park: {
      ...DECISION,
      failure: { code: 'image_missing' },
      check: expect.stringContaining('docker image ls'),
    },
  });
  return made.body.operation;
}

/** A parked run ends a wait, so the one that has been decided is asked for again. */
async function waited(id: string, state: string): Promise<OperationBody> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    const { body } = await call<OperationBody>('GET', `/v1/operations/${id}?wait=10`);
    if (body.state === state) return body;
    if (Date.now() > giveUpAt) throw new Error(`It is not ${state}: ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A run that has ended takes no signal any more, and says so in the words of each way. */
async function sendLate(sending: Promise<void>): Promise<void> {
  await sending.catch((error: unknown) => {
    expect(String(error)).toContain('already completed');
  });
}

type Way = (operationId: string, signal: 'retry' | 'abort', decision: object) => Promise<void>;

const byOurApi: Way = async (id, signal, body) => {
  const { status } = await call('POST', `/v1/operations/${id}/${signal}`, { body });
  expect([202, 409]).toContain(status);
};

const byTemporalCli: Way = async (id, signal, decision) => {
  const { processes, temporalAddress } = runningStack() as ReturnType<typeof runningStack> & {
    readonly processes: { readonly temporal: { readonly command: string } };
  };
  const [program = 'temporal'] = processes.temporal.command.split(' ');
  const where = ['--address', temporalAddress, '--workflow-id', `operation:${id}`];
  const what = ['--name', signal, '--input', JSON.stringify(decision)];
  await promisify(execFile)(program, ['workflow', 'signal', ...where, ...what]);
};

/** What the form in Temporal's Web UI sends, with the token that its page was given. */
const byWebUi: Way = async (id, signal, decision) => {
  const { temporalUiUrl } = runningStack() as unknown as { readonly temporalUiUrl: string };
  const page = await fetch(new URL('/api/v1/settings', temporalUiUrl));
  const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? '';
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const workflowId = `operation:${id}`;
  const path = `/api/v1/namespaces/default/workflows/${encodeURIComponent(workflowId)}/signal/${signal}`;
  const sent = await fetch(new URL(path, temporalUiUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie, 'x-csrf-token': cookie.split('=')[1] ?? '' },
    body: JSON.stringify({
      signalName: signal,
      workflowExecution: { workflowId },
      input: {
        payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify(decision)) }],
      },
    }),
  });
  if (!sent.ok) throw new Error(`The Web UI answered ${sent.status}: ${await sent.text()}`);
};

describe.each([
  ['our API', byOurApi],
  ['the CLI of Temporal', byTemporalCli],
  ['the Web UI of Temporal', byWebUi],
] as const)('a parked run, decided by %s', (_name, send) => {
  it('goes on from its step, once, with what was corrected', async () => {
    const { id, sandboxId } = await parkedStart();
    await send(id, 'retry', { ...DECISION, parkNo: 7 });
    await send(id, 'retry', CORRECTED);
    await sendLate(send(id, 'retry', CORRECTED));
    const operation = await waited(id, 'succeeded');
    expect(operation.steps[0]).toMatchObject({ name: STEP, attempts: 2 });
    const { body } = await call('GET', `/v1/sandboxes/${sandboxId}`);
    expect(body).toMatchObject({ image: BASE_IMAGE, observedState: 'running', generation: 1 });
    await sendLate(send(id, 'abort', DECISION));
    expect((await call('GET', `/v1/operations/${id}`)).body).toMatchObject({ state: 'succeeded' });
  });

  it('is undone and ends, and its sandbox may be asked for something else', async () => {
    const { id, sandboxId } = await parkedStart();
    await send(id, 'abort', { step: 'another', parkNo: 1 });
    await send(id, 'abort', DECISION);
    await sendLate(send(id, 'abort', DECISION));
    await waited(id, 'canceled');
    const { body } = await call('GET', `/v1/sandboxes/${sandboxId}`);
    expect(body).toMatchObject({ observedState: 'none', desiredState: 'stopped' });
    const removed = await call<{ operation: OperationBody }>('DELETE', `/v1/sandboxes/${sandboxId}?wait=60`);
    expect(removed.body.operation).toMatchObject({ state: 'succeeded' });
  });
});

interface TopicMessage {
  readonly t: string;
  readonly state?: string;
  readonly operation?: OperationBody;
}

/** What the socket tells of an operation, until its end. `onMessage` is called with each message as it comes. */
async function watchOperation(
  id: string,
  onMessage: (message: TopicMessage) => void,
): Promise<readonly TopicMessage[]> {
  const url = new URL('/v1/ws', runningStack().apiUrl);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers: secretHeader() });
  const messages: TopicMessage[] = [];
  socket.on('open', () => socket.send(JSON.stringify({ t: 'sub', id: 'o', topic: `operation:${id}` })));
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).on('close', () => resolve());
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as TopicMessage;
      messages.push(message);
      onMessage(message);
      if (message.t === 'end') socket.close();
    });
  });
  return messages;
}

describe('parked runs', () => {
  it('tell each change to whoever watches them by WebSocket, up to their end', async () => {
    const { id } = await parkedStart();
    let decided = false;
    const messages = await watchOperation(id, ({ state }) => {
      if (state !== 'parked' || decided) return;
      decided = true;
      void byOurApi(id, 'retry', CORRECTED);
    });
    const states = messages.flatMap(({ t, state }) => (t === 'ev' && state !== undefined ? [state] : []));
    // Changes that follow each other faster than they are sent come as one.
    expect(states[0]).toBe('parked');
    expect(states.slice(1).filter((state) => !['running', 'succeeded'].includes(state))).toEqual([]);
    const steps = messages.flatMap(({ operation }) => operation?.steps.map(({ name }) => name) ?? []);
    expect([...new Set(steps)]).toEqual(expect.arrayContaining(['prepare_storage', 'create_container']));
    expect(messages.at(-1)).toMatchObject({ t: 'end', state: 'succeeded' });
  });

  it('are listed, and lose their sandbox to a delete', async () => {
    const { id, sandboxId } = await parkedStart();
    const listed = await call<{ items: OperationBody[] }>('GET', '/v1/operations?state=parked&limit=200');
    expect(listed.body.items.map((one) => one.id)).toContain(id);
    const refused = await call('POST', `/v1/sandboxes/${sandboxId}/restart`);
    expect(refused).toMatchObject({ status: 409, body: { operationId: id, state: 'parked' } });
    const { body } = await call<{ operation: OperationBody }>('DELETE', `/v1/sandboxes/${sandboxId}?wait=60`);
    expect(body.operation).toMatchObject({ kind: 'delete', state: 'succeeded' });
    expect((await waited(id, 'canceled')).id).toBe(id);
    await sendLate(byTemporalCli(id, 'retry', CORRECTED));
    expect((await call('GET', `/v1/sandboxes/${sandboxId}`)).body).toMatchObject({
      observedState: 'deleted',
    });
  });
});

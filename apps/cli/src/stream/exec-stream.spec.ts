import { afterEach, describe, expect, test } from '@jest/globals';
import { SmallApi, type Subscription } from '../testing/small-api.js';
import { streamExec, type StreamEvent } from './exec-stream.js';

let api: SmallApi;

afterEach(async () => {
  await api.stop();
});

async function serve(onSubscribe: (subscription: Subscription, attempt: number) => void): Promise<void> {
  api = new SmallApi(onSubscribe);
  await api.start();
}

function stream(reconnectWindowMs = 10_000): AsyncGenerator<StreamEvent> {
  return streamExec({
    config: { url: api.url, adminSecret: 'secret' },
    execId: 'e1',
    signal: AbortSignal.timeout(20_000),
    reconnectWindowMs,
  });
}

async function collect(events: AsyncGenerator<StreamEvent>, onEvent?: (event: StreamEvent) => Promise<void>) {
  const seen: StreamEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    await onEvent?.(event);
  }
  const text = (name: string): string =>
    seen
      .flatMap((one) =>
        one.kind === 'output' && one.stream === name ? [Buffer.from(one.bytes).toString()] : [],
      )
      .join('');
  return {
    kinds: seen.map((one) => one.kind),
    stdout: text('stdout'),
    stderr: text('stderr'),
    last: seen.at(-1),
  };
}

const SUCCEEDED = { state: 'succeeded', exitCode: 0, signal: null };

describe('the stream of an exec', () => {
  test('hands out both streams in order and then the end', async () => {
    await serve((subscription) => {
      subscription.ack();
      subscription.output(1, 0, 'one ', 10);
      subscription.output(2, 0, 'warning', 20);
      subscription.output(1, 4, 'two', 30);
      subscription.end(SUCCEEDED);
    });
    const seen = await collect(stream());
    expect(seen.kinds).toEqual(['output', 'output', 'output', 'end']);
    expect([seen.stdout, seen.stderr]).toEqual(['one two', 'warning']);
    expect(seen.last).toMatchObject({ kind: 'end', end: SUCCEEDED });
  });

  test('resumes after the last position when the connection breaks, without a gap and without a double', async () => {
    await serve((subscription, attempt) => {
      subscription.ack();
      if (attempt === 1) {
        subscription.output(1, 0, 'one ', 10);
        subscription.socket.close(1012, 'reconnect');
        return;
      }
      subscription.output(1, 4, 'two', 20);
      subscription.end(SUCCEEDED);
    });
    const seen = await collect(stream());
    expect(seen.kinds).toEqual(['output', 'disconnected', 'reconnected', 'output', 'end']);
    expect(seen.stdout).toBe('one two');
    expect(api.subscriptions.map((one) => one.after)).toEqual([0, 10]);
  });

  test('waits for an API that is restarted', async () => {
    await serve((subscription, attempt) => {
      subscription.ack();
      if (attempt === 1) subscription.output(1, 0, 'one ', 10);
      else {
        subscription.output(1, 4, 'two', 20);
        subscription.end(SUCCEEDED);
      }
    });
    const seen = await collect(stream(), async (event) => {
      if (event.kind === 'output' && event.position === 10) await api.stop();
      if (event.kind === 'disconnected') await api.start();
    });
    expect(seen.stdout).toBe('one two');
    expect(seen.kinds.at(-1)).toBe('end');
  });

  test('asks again where a payload does not continue its stream', async () => {
    await serve((subscription, attempt) => {
      subscription.ack();
      if (attempt === 1) subscription.output(1, 7, 'after a hole', 30);
      else {
        subscription.output(1, 0, 'whole', 10);
        subscription.end(SUCCEEDED);
      }
    });
    expect((await collect(stream())).stdout).toBe('whole');
  });

  test('gives up with advice when the API stays away', async () => {
    await serve(() => undefined);
    const events = stream(0);
    await api.stop();
    await expect(collect(events)).rejects.toThrow('The API did not come back');
  });

  test('does not try again what was refused for good', async () => {
    await serve((subscription) => {
      subscription.socket.send(
        JSON.stringify({ t: 'err', id: 's1', code: 'not_found', message: 'No such exec.' }),
      );
    });
    await expect(collect(stream())).rejects.toThrow('No such exec. (not_found)');
    expect(api.subscriptions).toHaveLength(1);
  });

  test('stays with a subscription that the server keeps alive through an outage', async () => {
    await serve((subscription) => {
      subscription.ack();
      const outage = { t: 'err', id: 's1', code: 'dependency_unavailable', message: 'Away.', retrying: true };
      subscription.socket.send(JSON.stringify(outage));
      subscription.output(1, 0, 'one', 10);
      subscription.end(SUCCEEDED);
    });
    expect((await collect(stream())).kinds).toEqual(['outage', 'output', 'end']);
    expect(api.subscriptions).toHaveLength(1);
  });

  test('makes a fast server wait for a slow reader', async () => {
    const count = 2_000;
    await serve((subscription) => {
      subscription.ack();
      for (let index = 0; index < count; index += 1)
        subscription.output(1, index * 5, '12345', (index + 1) * 30);
      subscription.end(SUCCEEDED);
    });
    const seen = await collect(stream(), async () => await new Promise((resolve) => setImmediate(resolve)));
    expect(seen.stdout.length).toBe(count * 5);
  });
});

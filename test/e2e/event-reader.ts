import { runningStack } from '../stack/running-stack.js';
import { secretHeader } from './api-client.js';

export interface OutputEvent {
  readonly stream: string;
  readonly position: number;
  readonly offset: number;
  readonly bytes: Buffer;
}

interface OutputMembers {
  readonly stream: string;
  readonly position: number;
  readonly offset: number;
  readonly encoding: 'utf-8' | 'base64';
  readonly data: string;
}

/** The output as server-sent events after a position, up to what is stored or to at least `bytesEnough`. */
export async function readEvents(
  execId: string,
  after: number,
  bytesEnough = Number.POSITIVE_INFINITY,
): Promise<OutputEvent[]> {
  const url = new URL(`/v1/execs/${execId}/output?follow=0`, runningStack().apiUrl);
  const response = await fetch(url, {
    headers: { ...secretHeader(), accept: 'text/event-stream', 'last-event-id': String(after) },
  });
  if (response.status !== 200 || !response.body) throw new Error(`GET output answered ${response.status}`);
  const events: OutputEvent[] = [];
  let bytes = 0;
  for await (const block of blocksOf(response.body as unknown as AsyncIterable<Uint8Array>)) {
    if (!block.includes('event: output')) continue;
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data === undefined) throw new Error(`An event without data: ${block}`);
    const event = outputOf(JSON.parse(data) as OutputMembers);
    events.push(event);
    bytes += event.bytes.byteLength;
    if (bytes >= bytesEnough) break;
  }
  return events;
}

async function* blocksOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    const blocks = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    yield* blocks;
  }
}

function outputOf({ stream, position, offset, encoding, data }: OutputMembers): OutputEvent {
  return { stream, position, offset, bytes: Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8') };
}

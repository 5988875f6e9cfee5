import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ApiError, UnreachableError, type ApiClient } from '../api/api-client.js';

/** What is kept to be sent again after an outage. */
const PIECE_BYTES = 4 * 1_024 * 1_024;
const RETRY_PAUSE_MS = 250;
const RETRY_CODES: ReadonlySet<string> = new Set(['stdin_full', 'dependency_unavailable', 'rate_limited']);

const UploadSchema = z.looseObject({
  id: z.string(),
  appliedTo: z.number().int(),
  file: z.looseObject({ bytes: z.number() }).nullable(),
});

export interface UploadTarget {
  readonly path: string;
  readonly kind: 'file' | 'archive';
}

/** Sends everything that can be read to a path of a sandbox, each byte once; it sends again through every outage. */
export async function upload(
  api: ApiClient,
  sandbox: string,
  target: UploadTarget,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const uploads = `/v1/sandboxes/${sandbox}/files/uploads`;
  const { id } = await api.post(uploads, target, UploadSchema);
  const path = `${uploads}/${id}`;
  let offset = 0;
  try {
    let waiting: Uint8Array[] = [];
    let length = 0;
    for await (const piece of content) {
      waiting.push(piece);
      length += piece.byteLength;
      if (length < PIECE_BYTES) continue;
      await put(api, `${path}?offset=${offset}`, Buffer.concat(waiting));
      offset += length;
      [waiting, length] = [[], 0];
    }
    await put(api, `${path}?offset=${offset}&eof=1`, Buffer.concat(waiting));
  } catch (error) {
    await giveUp(api, path);
    throw error;
  }
}

async function put(api: ApiClient, path: string, bytes: Uint8Array): Promise<void> {
  for (;;) {
    try {
      await api.put(path, bytes, UploadSchema);
      return;
    } catch (error) {
      const passes = error instanceof ApiError && RETRY_CODES.has(error.problem.code);
      if (!passes && !(error instanceof UnreachableError)) throw error;
    }
    await delay(RETRY_PAUSE_MS);
  }
}

/** What failed is the news; what stays of it in the sandbox goes by itself. */
async function giveUp(api: ApiClient, path: string): Promise<void> {
  try {
    await api.delete(path, UploadSchema);
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof UnreachableError)) throw error;
  }
}

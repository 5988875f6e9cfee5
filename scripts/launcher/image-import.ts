import { createReadStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { importClient } from './engine-client.js';

const LATEST = 'latest';

/** Imports a tar as an image with one layer. The changes have the form of Dockerfile instructions. */
export async function importImage(
  dockerHost: string,
  tarPath: string,
  reference: string,
  changes: readonly string[],
): Promise<void> {
  const [repo, tag = LATEST] = splitReference(reference);
  const docker = importClient(dockerHost);
  const stream = await docker.importImage(createReadStream(tarPath), { repo, tag, changes: [...changes] });
  let answer = '';
  stream.on('data', (chunk: Buffer) => (answer += chunk.toString('utf8')));
  await finished(stream);
  if (answer.includes('"error"')) throw new Error(`the engine did not import ${reference}: ${answer.trim()}`);
}

function splitReference(reference: string): [string, string | undefined] {
  const colon = reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/')
    ? [reference.slice(0, colon), reference.slice(colon + 1)]
    : [reference, undefined];
}

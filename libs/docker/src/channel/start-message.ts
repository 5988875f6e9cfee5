import type { StartRequest } from '#domain';

/** START as it travels: the bytes of an inline input become text. */
export function startMessageOf({ stdin, ...request }: StartRequest): object {
  if (stdin === undefined) return request;
  if (stdin.kind === 'open') return { ...request, stdin };
  return { ...request, stdin: { kind: stdin.kind, base64: base64Of(stdin.bytes) } };
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

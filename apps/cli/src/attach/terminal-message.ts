import { z } from 'zod';

/** The binary messages of docs/WEBSOCKET.md, section Terminals. */
const TYPE = { output: 0, input: 1, resize: 2, status: 3, applied: 4, take: 5 } as const;
const OFFSET_BYTES = 8;

export const INPUT_BYTES_MAX = 32 * 1_024;

const Status = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('open') }),
  z.looseObject({ kind: z.literal('state'), state: z.string() }),
  z.looseObject({ kind: z.literal('writer'), writer: z.boolean(), appliedTo: z.number().int() }),
  z.looseObject({
    kind: z.literal('error'),
    code: z.string(),
    message: z.string(),
    retrying: z.boolean().optional(),
  }),
  z.looseObject({
    kind: z.literal('end'),
    state: z.string(),
    exitCode: z.number().int().nullable(),
    signal: z.string().nullable(),
  }),
]);
export type TerminalStatus = z.infer<typeof Status>;
export type TerminalEnd = Extract<TerminalStatus, { kind: 'end' }>;

export type TerminalMessage =
  | {
      readonly kind: 'output';
      readonly position: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'applied'; readonly appliedTo: number }
  | TerminalStatus;

/** Undefined for what this CLI has no use for: a newer server may say more. */
export function decodeTerminalMessage(message: Buffer): TerminalMessage | undefined {
  switch (message.at(0)) {
    case TYPE.output:
      return {
        kind: 'output',
        position: Number(message.readBigUInt64BE(1)),
        offset: Number(message.readBigUInt64BE(1 + OFFSET_BYTES)),
        bytes: message.subarray(1 + 2 * OFFSET_BYTES),
      };
    case TYPE.applied:
      return { kind: 'applied', appliedTo: Number(message.readBigUInt64BE(1)) };
    case TYPE.status: {
      const parsed = Status.safeParse(JSON.parse(message.subarray(1).toString('utf8')));
      return parsed.success ? parsed.data : undefined;
    }
    default:
      return undefined;
  }
}

export function encodeInput(offset: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(1 + OFFSET_BYTES);
  header.writeUInt8(TYPE.input, 0);
  header.writeBigUInt64BE(BigInt(offset), 1);
  return Buffer.concat([header, bytes]);
}

export function encodeResize(columns: number, rows: number): Buffer {
  const message = Buffer.alloc(5);
  message.writeUInt8(TYPE.resize, 0);
  message.writeUInt16BE(columns, 1);
  message.writeUInt16BE(rows, 3);
  return message;
}

export const TAKE = Buffer.of(TYPE.take);

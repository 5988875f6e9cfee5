import { DomainError } from '#domain';
import { z } from 'zod';
import { parseJsonBody } from '../http/json-body.js';
import { InvalidInputError } from '../http/problem.js';
import { check } from '../http/schema.pipe.js';

const SUBSCRIPTION_ID_LENGTH_MAX = 64;
const SECRET_LENGTH_MAX = 1_024;
const SubscriptionId = z.string().min(1).max(SUBSCRIPTION_ID_LENGTH_MAX);

const ClientMessage = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('auth'), adminSecret: z.string().max(SECRET_LENGTH_MAX) }),
  z.strictObject({
    t: z.literal('sub'),
    id: SubscriptionId,
    topic: z.string().regex(/^(exec|sandbox|operation|bulk):[0-9a-z-]{1,64}$/, {
      error: 'must be exec:{id}, sandbox:{id}, operation:{id} or bulk:{id}',
    }),
    after: z.int().min(0).default(0),
    encoding: z.enum(['binary', 'text']).default('binary'),
  }),
  z.strictObject({ t: z.literal('unsub'), id: SubscriptionId }),
  z.strictObject({ t: z.literal('ping') }),
]);
export type ClientMessage = z.infer<typeof ClientMessage>;
export type SubscribeMessage = Extract<ClientMessage, { t: 'sub' }>;

const KINDS: ReadonlySet<unknown> = new Set(ClientMessage.options.map((option) => option.shape.t.value));

/** Not a message of this protocol at all: the client speaks something else, so the socket is closed. */
export class UnreadableMessageError extends DomainError {
  constructor(message: string) {
    super('bad_request', message);
  }
}

/** A message with a wrong field: its sender is told, and the socket stays. */
export class InvalidMessageError extends InvalidInputError {
  constructor(
    cause: InvalidInputError,
    /** The subscription that the message was about, if it says so. */
    readonly id: string | null,
  ) {
    super(cause.message, cause.errors);
  }
}

export function parseClientMessage(bytes: Uint8Array, isBinary: boolean): ClientMessage {
  if (isBinary) throw new UnreadableMessageError('Send JSON in text messages.');
  const value = jsonOf(bytes);
  if (typeof value !== 'object' || value === null || !('t' in value) || !KINDS.has(value.t)) {
    throw new UnreadableMessageError(`A message has a \`t\` of ${[...KINDS].join(', ')}.`);
  }
  try {
    return check(ClientMessage, value);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const id = 'id' in value && typeof value.id === 'string' ? value.id : null;
    throw new InvalidMessageError(error, id?.slice(0, SUBSCRIPTION_ID_LENGTH_MAX) ?? null);
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof InvalidInputError) throw new UnreadableMessageError(error.message);
    throw error;
  }
}

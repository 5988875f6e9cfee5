/** The limits of one WebSocket, and why it may be closed. docs/WEBSOCKET.md is the same list for clients. */
export const MESSAGE_BYTES_MAX = 64 * 1_024;
export const SUBSCRIPTIONS_MAX = 100;
export const SOCKETS_MAX = 2_000;
/** Output that waits in one socket for its client; with what one look fetches it stays below 1 MiB. */
export const BUFFERED_BYTES_MAX = 512 * 1_024;
export const AUTHENTICATION_MS_MAX = 5_000;
export const PING_EVERY_MS = 25_000;
export const MESSAGES_PER_WINDOW_MAX = 1_000;
export const MESSAGE_WINDOW_MS = 10_000;
/** How long a client has to answer a close before the connection is cut. */
export const CLOSE_TIMEOUT_MS = 2_000;

export const CLOSE = {
  internal: { code: 1011, reason: 'internal' },
  draining: { code: 1012, reason: 'reconnect' },
  badMessage: { code: 4400, reason: 'bad message' },
  ended: { code: 1000, reason: 'ended' },
  unauthenticated: { code: 4401, reason: 'unauthenticated' },
  notFound: { code: 4404, reason: 'not found' },
  silent: { code: 4408, reason: 'no answer to pings' },
  invalidState: { code: 4409, reason: 'invalid state' },
  tooManyMessages: { code: 4429, reason: 'too many messages' },
} as const;
export type CloseCause = keyof typeof CLOSE;

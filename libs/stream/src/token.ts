import { createHash, hkdfSync, timingSafeEqual } from 'node:crypto';

export const TOKEN_HEADER = 'berth-stream-token';

const TOKEN_BYTES = 32;

/** Both ends derive the token from the secret that they share already, so that there is one secret less to hand around. */
export function streamToken(adminSecret: string): string {
  return Buffer.from(hkdfSync('sha256', adminSecret, '', 'berth stream port', TOKEN_BYTES)).toString('hex');
}

/** Takes the same time for every wrong token. */
export function isToken(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false;
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { randomBytes } from 'node:crypto';
import { Random } from '../chaos/random.js';

/** Another one in each run; the names of tests hold it, and given in BERTH_FUZZ_SEED a failure happens again. */
export const FUZZ_SEED = process.env['BERTH_FUZZ_SEED'] ?? randomBytes(4).toString('hex');
const MUTATIONS_MAX = 4;
/** Where lengths, signs and sizes of numbers change their meaning. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff];

export const randomFor = (purpose: string): Random => new Random(FUZZ_SEED).fork(purpose);

/** Another text of nearly the same bytes: some are changed, cut out, doubled or put in. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  let now = Buffer.from(bytes);
  for (let left = random.integer(0, MUTATIONS_MAX); left > 0; left--) {
    const at = random.integer(0, now.byteLength);
    const to = random.integer(at, Math.min(now.byteLength, at + 16));
    const [before, piece, after] = [now.subarray(0, at), now.subarray(at, to), now.subarray(to)];
    const byte = random.chance(0.5) ? random.pick(EDGES) : random.integer(0, 255);
    now = Buffer.concat(
      random.pick([
        [before, Buffer.of(byte), after.subarray(1)],
        [before, Buffer.of(byte), piece, after],
        [before, after],
        [before, piece, piece, after],
        [before],
      ]),
    );
  }
  return Uint8Array.from(now);
}

/** In pieces of any size, as a network would bring them. */
export function* inPieces(random: Random, bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + random.integer(1, random.chance(0.5) ? 12 : bytes.byteLength);
    yield bytes.slice(at, end);
    at = end;
  }
}

import { DomainError } from '../errors.js';
import { encodeFrame } from '../frames/index.js';
import { execId } from '../ids.js';
import type { Chunk } from '../ports/stores.port.js';
import type { OutputState } from './output.states.js';
import { SegmentShape, type OutputSegment } from './segment.js';
import { StoredOutput } from './stored-output.js';

const ID = execId('01890000-0000-7000-8000-000000000001');
const PIECE_BYTES = 60_000;
const PIECES = 20;

/** One sealed segment of many blocks, and who was asked for it. */
function sealedOutput() {
  const frames: Uint8Array[] = [];
  let shape: SegmentShape | undefined;
  for (let n = 0; n < PIECES; n += 1) {
    const offset = n * PIECE_BYTES;
    const bytes = encodeFrame({
      stream: 'stdout',
      flags: 0,
      offset,
      timeMicros: 1,
      payload: new Uint8Array(PIECE_BYTES).fill(n),
    });
    const position = shape?.span.endPosition ?? 0;
    const chunk: Chunk = {
      position,
      endPosition: position + bytes.byteLength,
      stdoutFrom: offset,
      stdoutTo: offset + PIECE_BYTES,
      stderrFrom: 0,
      stderrTo: 0,
      frames: bytes,
    };
    shape ??= new SegmentShape(chunk);
    shape.add(chunk);
    frames.push(bytes);
  }
  const { span, blocks } = shape as SegmentShape;
  const segment: OutputSegment = { ...span, blocks, objectKey: 'object', objectOffset: 0, sha256: '' };
  const object = Uint8Array.from(frames.flatMap((one) => [...one]));
  const asked = { hot: 0, index: 0, objects: 0 };
  const state: { output: OutputState; removed: boolean } = { output: 'sealed', removed: false };
  const hot = async (): Promise<Chunk[]> => ((asked.hot += 1), await Promise.resolve([]));
  const source = new StoredOutput(
    { readChunks: hot, readStreamChunks: hot },
    {
      find: async (_id, { from }) => {
        asked.index += 1;
        const found = state.output !== 'expired' && from < span.endPosition ? segment : undefined;
        return await Promise.resolve({ outputState: state.output, segment: found });
      },
    },
    {
      get: async (_key, { from = 0, to } = {}) => {
        asked.objects += 1;
        if (state.removed) throw new DomainError('not_found', 'There is no such object.');
        const bytes = object.subarray(from, to);
        const parts = (async function* () {
          yield await Promise.resolve(bytes);
        })();
        return await Promise.resolve({
          bytes: parts,
          contentLength: bytes.byteLength,
          sizeBytes: object.byteLength,
        });
      },
    },
  );
  return { source, span, object, asked, state };
}

describe('output in object storage', () => {
  it('is looked up in the database once for all reads of a segment', async () => {
    const { source, span, object, asked } = sealedOutput();
    const read: number[] = [];
    let at = 0;
    while (at < span.endPosition) {
      for (const chunk of await source.readChunks(ID, at, 130_000)) {
        expect(chunk.position).toBe(at);
        read.push(...chunk.frames);
        at = chunk.endPosition;
      }
    }
    expect(Buffer.compare(Buffer.from(read), Buffer.from(object))).toBe(0);
    expect(asked.objects).toBe(5);
    expect(asked).toMatchObject({ hot: 1, index: 1 });
    const [inStream] = await source.readStreamChunks(ID, 'stdout', 3 * PIECE_BYTES, 1);
    expect(inStream?.stdoutFrom).toBeLessThanOrEqual(3 * PIECE_BYTES);
    expect(asked).toMatchObject({ hot: 1, index: 1 });
  });

  it('is looked up again when its object is gone, and says whether it has expired or is missing', async () => {
    const { source, state } = sealedOutput();
    await source.readChunks(ID, 0, 1);
    state.removed = true;
    await expect(source.readChunks(ID, 0, 1)).rejects.toMatchObject({ code: 'spool_corrupt' });
    state.output = 'expired';
    await expect(source.readChunks(ID, 0, 1)).rejects.toMatchObject({ code: 'output_expired' });
  });
});

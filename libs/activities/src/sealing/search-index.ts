import {
  decodeFrames,
  limits,
  MalformedFrameError,
  searchText,
  type Chunk,
  type ExecId,
  type Frame,
  type Log,
  type OutputSource,
  type SearchStore,
} from '#domain';

export interface SearchIndexPorts {
  readonly search: SearchStore;
  /** The end of the output is in the database until the exec is indexed. */
  readonly hot: OutputSource;
  readonly log: Log;
}

/** Makes a number of ended execs findable by their command, their labels and the end of their output. */
export async function indexEnded({ search, hot, log }: SearchIndexPorts): Promise<number> {
  const execs = await search.listUnindexed(limits.SEARCH_EXECS_PER_STEP_MAX);
  const entries = [];
  for (const { id, text, committedPosition } of execs) {
    const output = committedPosition === 0 ? '' : await endOfOutput(hot, log, id, committedPosition);
    entries.push({ id, text: `${searchText(text)} ${searchText(output)}` });
  }
  if (entries.length > 0) await search.index(entries);
  return entries.length;
}

/** The last bytes of both streams as text. What is no text becomes the gap between words. */
async function endOfOutput(
  hot: OutputSource,
  log: Log,
  id: ExecId,
  committedPosition: number,
): Promise<string> {
  const payloads: Frame[] = [];
  let at = Math.max(0, committedPosition - limits.HOT_TAIL_BYTES);
  while (at < committedPosition) {
    const chunks = await hot.readChunks(id, at, limits.HOT_TAIL_BYTES);
    for (const chunk of chunks) payloads.push(...framesOf(chunk, log, id));
    const end = chunks.at(-1)?.endPosition;
    if (end === undefined) break;
    at = end;
  }
  const last = lastFrames(payloads);
  return ['stdout', 'stderr', 'terminal']
    .map((stream) => last.filter((frame) => frame.stream === stream).map((frame) => frame.payload))
    .map((parts) => new TextDecoder().decode(Buffer.concat(parts)))
    .join(' ');
}

/** Damaged output must not keep an exec from being found by its command; sealing says what is wrong with it. */
function framesOf(chunk: Chunk, log: Log, execId: ExecId): Frame[] {
  try {
    return decodeFrames(chunk.frames).frames;
  } catch (error) {
    if (!(error instanceof MalformedFrameError)) throw error;
    log.error({ err: error, execId }, 'Damaged output is not indexed.');
    return [];
  }
}

function lastFrames(frames: readonly Frame[]): Frame[] {
  const last: Frame[] = [];
  let room = limits.SEARCH_TAIL_BYTES;
  for (const frame of frames.toReversed()) {
    if (room <= 0) break;
    last.push({ ...frame, payload: frame.payload.subarray(Math.max(0, frame.payload.byteLength - room)) });
    room -= frame.payload.byteLength;
  }
  return last.reverse();
}

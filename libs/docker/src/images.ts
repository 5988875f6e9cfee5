import { DomainError, isDomainError } from '#domain';
import type { EngineClient } from './engine-client.js';
import { statusOf, textOf } from './engine-errors.js';
import { isImageReference, parseImageReference } from './image-reference.js';
import { jsonLines } from './json-lines.js';

const PULL_BEGIN_DEADLINE_MS = 60_000;
const PULL_DEADLINE_MS = 10 * 60_000;
/** A pull that has told nothing for so long is given up, however little of its time it has used. */
const PULL_SILENCE_MS_MAX = 60_000;

/** The image of a sandbox as far as Berth cares. */
export interface SandboxImage {
  readonly id: string;
  /** As the image says it: empty, a name or an id, each perhaps with a group. */
  readonly user: string;
}

/** Finds images on the host and fetches those that can be fetched. */
export class Images {
  private readonly pulls = new Map<string, Promise<void>>();

  constructor(
    private readonly engine: EngineClient,
    /** Also pull what names no registry, from the engine's default one. Without it a local name never waits for a network. */
    private readonly pullUnqualified: boolean,
  ) {}

  /** Throws `image_missing` when the image is not on the host. */
  async find(reference: string): Promise<SandboxImage> {
    if (!isImageReference(reference)) {
      throw new DomainError('image_missing', 'That is not the name of an image.');
    }
    try {
      const image = this.engine.docker.getImage(reference);
      const { Id, Config } = await this.engine.call('inspect the image', (abortSignal) =>
        image.inspect({ abortSignal } as { abortSignal: AbortSignal; manifests?: boolean }),
      );
      return { id: Id, user: Config?.User ?? '' };
    } catch (error) {
      // 400 is a reference that the engine cannot even read.
      if (statusOf(error) !== 404 && statusOf(error) !== 400) throw error;
      throw new DomainError('image_missing', `The image ${reference} is not on this host.`, { cause: error });
    }
  }

  /** As `find`, after a pull where the image is missing and its name says from where. */
  async ensure(reference: string): Promise<SandboxImage> {
    try {
      return await this.find(reference);
    } catch (error) {
      const { namesRegistry } = parseImageReference(reference);
      const isPulled = isImageReference(reference) && (namesRegistry || this.pullUnqualified);
      if (!isDomainError(error, 'image_missing') || !isPulled) throw error;
    }
    await this.pullOnce(reference);
    return await this.find(reference);
  }

  private async pullOnce(reference: string): Promise<void> {
    let pull = this.pulls.get(reference);
    if (pull === undefined) {
      pull = this.pull(reference).finally(() => this.pulls.delete(reference));
      this.pulls.set(reference, pull);
    }
    await pull;
  }

  private async pull(reference: string): Promise<void> {
    const { name, tag } = parseImageReference(reference);
    const ended = new AbortController();
    const overall = setTimeout(() => ended.abort(new Error('The pull took too long.')), PULL_DEADLINE_MS);
    try {
      const options = { fromImage: name, tag, abortSignal: ended.signal };
      const progress = await this.engine.call(
        'begin to pull the image',
        () => this.engine.docker.createImage(options),
        PULL_BEGIN_DEADLINE_MS,
      );
      await followPull(progress, ended);
    } catch (error) {
      if (
        isDomainError(error, 'dependency_unavailable') &&
        statusOf(error) === undefined &&
        !ended.signal.aborted
      ) {
        throw error;
      }
      throw new DomainError('image_missing', `The image ${reference} could not be pulled.`, {
        cause: error,
        detail: textOf(isDomainError(error) ? (error.cause ?? error) : error),
      });
    } finally {
      clearTimeout(overall);
      // Whatever ended the pull, nobody reads its progress any more.
      ended.abort();
    }
  }
}

async function followPull(progress: NodeJS.ReadableStream, ended: AbortController): Promise<void> {
  const silence = setTimeout(
    () => ended.abort(new Error('The registry has been silent for too long.')),
    PULL_SILENCE_MS_MAX,
  );
  try {
    for await (const line of jsonLines(progress)) {
      silence.refresh();
      const failure = failureOf(line);
      if (failure !== undefined) throw new Error(failure);
    }
    ended.signal.throwIfAborted();
  } finally {
    clearTimeout(silence);
  }
}

/** A pull answers 200 and says only later, in a line of its progress, that it failed. */
function failureOf(line: unknown): string | undefined {
  if (typeof line !== 'object' || line === null || !('error' in line)) return undefined;
  return typeof line.error === 'string' ? line.error : 'The pull failed.';
}

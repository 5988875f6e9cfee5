import { DomainError, type ContainerView, type SandboxRef } from '#domain';
import { missingView } from './container-view.js';
import { sandboxOfLabels, type Containers } from './containers.js';
import type { EngineClient } from './engine-client.js';
import { textOf, translateEngineError } from './engine-errors.js';
import { jsonLines } from './json-lines.js';
import { LABEL, type Labels, type ResourceNames } from './names.js';

const EVENTS = ['start', 'die', 'oom', 'pause', 'unpause', 'rename', 'destroy'];
/** Events of this long before the subscription are told as well, so that none falls between it and a first look. */
const OVERLAP_SECONDS = 10;
/** A connection can die without a word; then the engine is asked whether it is still there. */
const PULSE_MS = 15_000;

/** Tells what happens to the containers of sandboxes, as the state that a fresh look shows after each event. */
export class ContainerEvents {
  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
    private readonly containers: Containers,
  ) {}

  /** Resolves when `signal` aborts; rejects with `dependency_unavailable` when the engine goes away. */
  async watch(listener: (view: ContainerView) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const ended = new AbortController();
    const end = (): void => ended.abort();
    signal.addEventListener('abort', end, { once: true });
    const pulse = setInterval(() => void this.engine.ping().catch(end), PULSE_MS);
    try {
      for await (const line of jsonLines(await this.subscribe(ended.signal))) {
        if (signal.aborted) return;
        const view = await this.viewAfter(line);
        if (view !== undefined) listener(view);
      }
      throw new DomainError('dependency_unavailable', 'The Docker engine ended its events.', {
        dependency: 'docker',
      });
    } catch (error) {
      if (!signal.aborted) throw asGone(error);
    } finally {
      clearInterval(pulse);
      signal.removeEventListener('abort', end);
      ended.abort();
    }
  }

  private async subscribe(ended: AbortSignal): Promise<NodeJS.ReadableStream> {
    const since = (await this.engine.seconds()) - OVERLAP_SECONDS;
    const label = [`${LABEL.instance}=${this.names.instanceId}`, LABEL.generation];
    return await this.engine.call('tell its events', () =>
      this.engine.docker.getEvents({
        since,
        filters: { type: ['container'], event: EVENTS, label },
        abortSignal: ended,
      }),
    );
  }

  private async viewAfter(line: unknown): Promise<ContainerView | undefined> {
    const event = readEvent(line, this.names);
    if (event === undefined) return undefined;
    return event.action === 'destroy' ? missingView(event.ref) : await this.containers.view(event.ref);
  }
}

/** The sandbox that an event is about; undefined for everything that is not a container of ours. */
export function readEvent(
  line: unknown,
  names: ResourceNames,
): { readonly action: string; readonly ref: SandboxRef } | undefined {
  if (!isEvent(line)) return undefined;
  const { Action, Actor } = line;
  const ref = sandboxOfLabels(Actor.Attributes, names);
  if (ref === undefined || Actor.Attributes['name'] !== names.container(ref)) return undefined;
  return { action: Action, ref };
}

interface EngineEvent {
  readonly Action: string;
  readonly Actor: { readonly Attributes: Labels };
}

function isEvent(line: unknown): line is EngineEvent {
  if (typeof line !== 'object' || line === null || !('Action' in line) || !('Actor' in line)) return false;
  const { Action, Actor } = line;
  if (typeof Action !== 'string' || typeof Actor !== 'object' || Actor === null) return false;
  return 'Attributes' in Actor && typeof Actor.Attributes === 'object' && Actor.Attributes !== null;
}

/** Also for a line that makes no sense: the caller connects again and looks at everything. */
function asGone(error: unknown): DomainError {
  if (error instanceof SyntaxError || error instanceof RangeError) {
    return new DomainError('dependency_unavailable', 'The events of the Docker engine are not readable.', {
      cause: error,
      detail: textOf(error),
      dependency: 'docker',
    });
  }
  return translateEngineError(error, 'tell its events');
}

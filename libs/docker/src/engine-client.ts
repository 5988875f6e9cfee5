import Docker from 'dockerode';
import { engineAddress } from './engine-address.js';
import { EngineDeadlineError, translateEngineError } from './engine-errors.js';

const CALL_DEADLINE_MS = 10_000;

/** What decides how containers are made: read once, because it changes only with the engine's machine. */
export interface EngineFacts {
  readonly architecture: string;
  readonly cpus: number;
}

/** dockerode passes the signal on everywhere, but its types say so only in some places. */
interface UntypedCalls {
  info(options: { abortSignal: AbortSignal }): Promise<{ NCPU: number; SystemTime: string }>;
  version(options: { abortSignal: AbortSignal }): Promise<{ Version: string; Arch: string }>;
  ping(options: { abortSignal: AbortSignal }): Promise<unknown>;
}

/** The connection to one engine. Each call through it has a deadline and throws only DomainErrors. */
export class EngineClient {
  readonly docker: Docker;
  private readonly untyped: UntypedCalls;
  private facts: Promise<EngineFacts> | undefined;

  constructor(dockerHost: string) {
    this.docker = new Docker(engineAddress(dockerHost));
    this.untyped = this.docker as unknown as UntypedCalls;
  }

  /**
   * Runs one call under a deadline. `what` completes "the engine could not …". The deadline ends with the call: a stream
   * that the call returned lives on.
   */
  async call<Result>(
    what: string,
    work: (abortSignal: AbortSignal) => Promise<Result>,
    deadlineMs = CALL_DEADLINE_MS,
  ): Promise<Result> {
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new EngineDeadlineError(what, deadlineMs);
        // Rejected first, so that the deadline is what the caller hears and not the abort that it causes.
        reject(error);
        controller.abort(error);
      }, deadlineMs);
    });
    try {
      return await Promise.race([work(controller.signal), late]);
    } catch (error) {
      if (isBug(error)) throw error;
      throw translateEngineError(error, what);
    } finally {
      clearTimeout(timer);
    }
  }

  /** dockerode would put the whole body into the address as well; an environment or label list may be too long for one. */
  async createContainer(name: string, body: Docker.ContainerCreateOptions): Promise<Docker.Container> {
    return await this.call('create a container', (abortSignal) =>
      this.docker.createContainer({
        _query: { name },
        _body: body,
        abortSignal,
      } as Docker.ContainerCreateOptions),
    );
  }

  async version(): Promise<string> {
    const { Version } = await this.call('tell its version', (abortSignal) =>
      this.untyped.version({ abortSignal }),
    );
    return Version;
  }

  async ping(): Promise<void> {
    await this.call('answer a ping', (abortSignal) => this.untyped.ping({ abortSignal }));
  }

  /** The engine's own clock, which the times of its events follow. Seconds since 1970. */
  async seconds(): Promise<number> {
    const { SystemTime } = await this.info();
    return Math.floor(Date.parse(SystemTime) / 1_000);
  }

  /** Remembered after the first answer; a failure is not. */
  async readFacts(): Promise<EngineFacts> {
    this.facts ??= this.askFacts();
    try {
      return await this.facts;
    } catch (error) {
      this.facts = undefined;
      throw error;
    }
  }

  private async askFacts(): Promise<EngineFacts> {
    const [{ Arch }, { NCPU }] = await Promise.all([
      this.call('tell its version', (abortSignal) => this.untyped.version({ abortSignal })),
      this.info(),
    ]);
    return { architecture: Arch, cpus: NCPU };
  }

  private info(): Promise<{ NCPU: number; SystemTime: string }> {
    return this.call('describe itself', (abortSignal) => this.untyped.info({ abortSignal }));
  }
}

/** Not something that an engine or a network does. */
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

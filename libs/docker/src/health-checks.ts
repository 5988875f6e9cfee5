import type Docker from 'dockerode';
import { DomainError, limits, type CheckOutcome, type HealthCheck } from '#domain';
import { DockerStreamDemultiplexer } from './channel/docker-stream.demultiplexer.js';
import { RUNNER_PATH } from './container-body.js';
import type { EngineClient } from './engine-client.js';

/** Beyond the check's own time, which the runner keeps: for Docker to start and end it. */
const SPARE_MS = 15_000;
const ANSWER_BYTES_MAX = 16 * 1_024;

/**
 * Asks by `docker exec` of the runner, so it works with any engine, and the host connects to nothing that a sandbox names.
 * What comes back is from within the sandbox, so it is bounded and parsed as hostile.
 */
export class HealthChecks {
  constructor(private readonly engine: EngineClient) {}

  async ask(containerId: string, { command, http, timeoutSeconds }: HealthCheck): Promise<CheckOutcome> {
    const timeoutMs = timeoutSeconds * 1_000;
    const order = { ...(http === null ? { command } : { http }), timeoutMs };
    const text = await this.engine.call(
      'check a sandbox',
      (abortSignal) => this.run(containerId, JSON.stringify(order), abortSignal),
      timeoutMs + SPARE_MS,
    );
    const outcome = parsed(text);
    if (isOutcome(outcome)) {
      return { ok: outcome.ok, detail: outcome.detail.slice(0, limits.HEALTH_DETAIL_LENGTH_MAX) };
    }
    throw new DomainError('runner_protocol', 'The runner of the sandbox gave no answer to its check.', {
      detail:
        'A runner from before there were checks knows none: a restart of the sandbox brings the present one.',
    });
  }

  private async run(containerId: string, order: string, abortSignal: AbortSignal): Promise<string> {
    const exec = await this.engine.docker.getContainer(containerId).exec({
      Cmd: [RUNNER_PATH, 'check', order],
      User: '0:0',
      AttachStdout: true,
      AttachStderr: true,
      abortSignal,
    } as Docker.ExecCreateOptions);
    const stream = await exec.start({ abortSignal } as Docker.ExecStartOptions);
    abortSignal.addEventListener('abort', () => stream.destroy(), { once: true });
    let text = '';
    const demultiplexer = new DockerStreamDemultiplexer(
      (bytes) => {
        text += Buffer.from(bytes).toString('utf8');
      },
      () => undefined,
    );
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      demultiplexer.push(chunk);
      if (text.length > ANSWER_BYTES_MAX) break;
    }
    return text;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No answer at all, like one of another shape.
    return undefined;
  }
}

function isOutcome(value: unknown): value is CheckOutcome {
  if (typeof value !== 'object' || value === null || !('ok' in value) || !('detail' in value)) return false;
  return typeof value.ok === 'boolean' && typeof value.detail === 'string';
}

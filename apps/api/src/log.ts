import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';

/** Structured lines on stdout. Headers and bodies are never given to it, so no secret can be in it. */
export function createLog(level: string, instanceId: string): Logger {
  return pino({
    level,
    base: { process: 'api', instance: instanceId },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}

/** What the framework itself has to say. Its start-up lines are details. */
export class FrameworkLog implements LoggerService {
  constructor(private readonly pino: Logger) {}

  log(message: unknown): void {
    this.pino.debug(String(message));
  }

  warn(message: unknown): void {
    this.pino.warn(String(message));
  }

  error(message: unknown, stack?: unknown): void {
    const error = message instanceof Error ? message : undefined;
    this.pino.error({ err: error, stack: error ? undefined : stack }, String(message));
  }
}

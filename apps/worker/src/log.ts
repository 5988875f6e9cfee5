import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { pino, type Logger } from 'pino';

export function createLog(level: string): Logger {
  return pino({ level, base: { app: 'worker' }, redact: ['*.secret', '*.token', '*.password'] });
}

/** Temporal's SDK logs through ours: run and Activity ids become fields. */
export function temporalLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }: LogEntry) => {
    const write =
      level === 'TRACE' || level === 'DEBUG' ? 'debug' : (level.toLowerCase() as 'info' | 'warn' | 'error');
    log[write]({ ...meta }, message);
  });
}

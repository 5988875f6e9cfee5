import { accepted, type Answer } from '../http/answer.js';
import { execView, type ExecView } from './exec.view.js';
import type { CreatedExec } from './execs.service.js';

export const replayedHeader = (replayed: boolean): Record<string, string> =>
  replayed ? { 'idempotency-replayed': 'true' } : {};

export function createdExecAnswer({ exec, replayed }: CreatedExec): Answer<ExecView> {
  return accepted(execView(exec), { location: `/v1/execs/${exec.id}`, ...replayedHeader(replayed) });
}

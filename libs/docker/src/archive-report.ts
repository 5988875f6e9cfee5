import { DomainError, type ArchiveSummary } from '#domain';

/** What the runner says of an archive last, on its standard error. Longer than that it never is. */
export const REPORT_BYTES_MAX = 65_536;

interface Report {
  readonly formatVersion: number;
  readonly summary: Omit<ArchiveSummary, 'formatVersion'>;
  readonly refusal?: { readonly code: string; readonly entry?: string; readonly message: string };
  readonly failure?: string;
}

/** The summary of an archive that went well. Everything else is thrown, in words that a user may see. */
export function summaryOf(text: string): ArchiveSummary {
  const report = reportOf(text);
  if (report === undefined) {
    throw new DomainError('runner_unreachable', 'The workspace was not read to its end.', {
      detail: `Its container said: ${text.slice(-1_000)}`,
    });
  }
  const { refusal, failure, formatVersion, summary } = report;
  if (refusal !== undefined) {
    const entry = refusal.entry === undefined ? '' : `${JSON.stringify(refusal.entry)}: `;
    throw new DomainError('archive_refused', `The archive was refused: ${entry}${refusal.message}.`, {
      extra: { refusal: refusal.code },
    });
  }
  if (failure !== undefined) throw failed(failure);
  return { formatVersion, ...summary };
}

function failed(failure: string): DomainError {
  if (/no space left|disk quota exceeded/i.test(failure)) {
    return new DomainError('disk_pressure', 'The host has no room for the workspace.', { detail: failure });
  }
  return new DomainError('container_failed', 'The workspace could not be read or written.', {
    detail: failure,
  });
}

/** It is a program of ours in a container without guests, so its last line is taken at its word, or there is none. */
function reportOf(text: string): Report | undefined {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  try {
    const report: unknown = JSON.parse(line);
    return typeof report === 'object' && report !== null && 'summary' in report
      ? (report as Report)
      : undefined;
  } catch {
    return undefined;
  }
}

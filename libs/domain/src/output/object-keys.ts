import type { ExecId, TenantId } from '../ids.js';
import type { OutputSpan } from './segment.js';

const HEX_DIGITS = 16;

/**
 * Each key holds the attempt to write it and is never used again. So whoever removes what a crash has left behind, however
 * late, cannot hit what another attempt has written.
 */
export function segmentKey(tenantId: TenantId, execId: ExecId, span: OutputSpan, attempt: string): string {
  return `${folderOf(tenantId, execId)}/${hex(span.position)}-${hex(span.endPosition)}.${attempt}`;
}

export function manifestKey(tenantId: TenantId, execId: ExecId, attempt: string): string {
  return `${folderOf(tenantId, execId)}/manifest.${attempt}.json`;
}

export const packKey = (attempt: string): string => `packs/${attempt}`;

const folderOf = (tenantId: TenantId, execId: ExecId): string => `execs/${tenantId}/${execId}`;

const hex = (position: number): string => position.toString(16).padStart(HEX_DIGITS, '0');

import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { ExecInput, OperationInput, SearchAttribute } from './contract.js';

/** Typed keys of the namespace's search attributes, for starting clients and for Workflows alike. */
const key = (name: SearchAttribute) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

export const TENANT_ID = key('TenantId');
export const OWNER_ID = key('OwnerId');
export const SANDBOX_ID = key('SandboxId');
export const HOST_ID = key('HostId');
export const OP_KIND = key('OpKind');
export const OP_STATE = key('OpState');
export const PARKED_STEP = key('ParkedStep');
export const PARK_REASON = key('ParkReason');
export const BULK_ID = key('BulkId');

type Attributed = Pick<ExecInput | OperationInput, 'tenantId' | 'ownerId' | 'sandboxId' | 'hostId'>;

/**
 * An exec names its state only where it ended otherwise than well: Temporal's own status tells the rest, and each change of
 * an attribute costs a write.
 */
export function attributesOf(input: Attributed, kind: string, state?: string) {
  return [
    { key: TENANT_ID, value: input.tenantId },
    { key: OWNER_ID, value: input.ownerId },
    { key: SANDBOX_ID, value: input.sandboxId },
    { key: HOST_ID, value: input.hostId },
    { key: OP_KIND, value: kind },
    ...(state === undefined ? [] : [{ key: OP_STATE, value: state }]),
  ];
}

/** It holds no part of a command: it is readable by everyone who may open the Web UI. */
export const summaryOf = ({ sandboxId, ownerId }: Attributed, kind: string): string =>
  `${kind} in sandbox ${sandboxId} of ${ownerId}`;

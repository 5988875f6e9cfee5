import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { SearchAttribute } from './contract.js';

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

/**
 * Branded identifiers. A value gets its brand once, where it enters the system (`parseExecId` and its siblings), and
 * the compiler keeps the kinds apart from there on.
 */
declare const brand: unique symbol;
type Branded<Kind extends string> = string & { readonly [brand]: Kind };

export type TenantId = Branded<'TenantId'>;
export type OwnerId = Branded<'OwnerId'>;
export type SandboxId = Branded<'SandboxId'>;
export type ExecId = Branded<'ExecId'>;
export type OperationId = Branded<'OperationId'>;
export type BulkId = Branded<'BulkId'>;
/** A snapshot has the id of the operation that made it. */
export type SnapshotId = Branded<'SnapshotId'>;
/** Each workspace that is unpacked has one of its own, so that nothing which is done to it reaches another one. */
export type WorkspaceId = Branded<'WorkspaceId'>;
export type HostId = Branded<'HostId'>;
export type CredentialId = Branded<'CredentialId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Names that people choose: owners, tenants, hosts, sandbox names. No slash, no leading dot, so they are safe in a label or a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

export function isUuid(value: string): boolean {
  return UUID.test(value);
}

export function isName(value: string): boolean {
  return NAME.test(value);
}

export const NAME_PATTERN = NAME;

export const parseSandboxId = (value: string): SandboxId | undefined => uuidOf<SandboxId>(value);
export const parseExecId = (value: string): ExecId | undefined => uuidOf<ExecId>(value);
export const parseOperationId = (value: string): OperationId | undefined => uuidOf<OperationId>(value);
export const parseBulkId = (value: string): BulkId | undefined => uuidOf<BulkId>(value);
export const parseCredentialId = (value: string): CredentialId | undefined => uuidOf<CredentialId>(value);
export const parseWorkspaceId = (value: string): WorkspaceId | undefined => uuidOf<WorkspaceId>(value);
export const parseSnapshotId = (value: string): SnapshotId | undefined => uuidOf<SnapshotId>(value);

export const sandboxId = (value: string): SandboxId => required(parseSandboxId(value), 'sandbox id', value);
export const execId = (value: string): ExecId => required(parseExecId(value), 'exec id', value);
export const operationId = (value: string): OperationId =>
  required(parseOperationId(value), 'operation id', value);
export const bulkId = (value: string): BulkId => required(parseBulkId(value), 'bulk id', value);
export const credentialId = (value: string): CredentialId =>
  required(parseCredentialId(value), 'credential id', value);
export const snapshotId = (value: string): SnapshotId =>
  required(parseSnapshotId(value), 'snapshot id', value);
export const workspaceId = (value: string): WorkspaceId =>
  required(parseWorkspaceId(value), 'workspace id', value);
export const tenantId = (value: string): TenantId => required(nameOf<TenantId>(value), 'tenant id', value);
export const ownerId = (value: string): OwnerId => required(nameOf<OwnerId>(value), 'owner id', value);
export const hostId = (value: string): HostId => required(nameOf<HostId>(value), 'host id', value);

function uuidOf<Id extends string>(value: string): Id | undefined {
  return UUID.test(value) ? (value as Id) : undefined;
}

function nameOf<Id extends string>(value: string): Id | undefined {
  return NAME.test(value) ? (value as Id) : undefined;
}

/** Asserts: a malformed id past the edge of the system is a bug, not an input error. */
function required<Id>(id: Id | undefined, kind: string, value: string): Id {
  if (id === undefined) throw new TypeError(`Not a ${kind}: ${JSON.stringify(value).slice(0, 80)}`);
  return id;
}

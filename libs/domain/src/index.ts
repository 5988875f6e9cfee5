/**
 * What Berth means: its nouns, their states, the decisions, the ports to the world and the list of errors. It imports
 * nothing and does nothing: no clock, no randomness, no I/O. Time and ids are arguments.
 */
export * as limits from './limits.js';
export { DomainError, ERROR_CODES, failureFrom, isAway, isDomainError } from './errors.js';
export type { Dependency, DomainErrorOptions, ErrorCode, Failure, StartFailureCode } from './errors.js';
export {
  bulkId,
  credentialId,
  execId,
  hostId,
  isName,
  isUuid,
  NAME_PATTERN,
  operationId,
  ownerId,
  parseBulkId,
  parseCredentialId,
  parseExecId,
  parseOperationId,
  parseSandboxId,
  parseSnapshotId,
  parseWorkspaceId,
  sandboxId,
  snapshotId,
  tenantId,
  workspaceId,
} from './ids.js';
export type {
  BulkId,
  ExecId,
  HostId,
  OperationId,
  OwnerId,
  SandboxId,
  SnapshotId,
  TenantId,
  WorkspaceId,
} from './ids.js';
export { canMove, isTerminal, liveStates, statesBefore, terminalStates } from './states.js';
export type { ActionTable, TransitionTable } from './states.js';
export { EXEC_ACTIONS, EXEC_TRANSITIONS } from './exec.states.js';
export type { ExecAction, ExecState } from './exec.states.js';
export { SANDBOX_ACTIONS, SANDBOX_TRANSITIONS } from './sandbox.states.js';
export type { SandboxAction, SandboxDesiredState, SandboxObservedState } from './sandbox.states.js';
export {
  GIT_KINDS,
  isGitKind,
  LIFECYCLE_KINDS,
  OPERATION_ACTIONS,
  OPERATION_KINDS,
  OPERATION_TRANSITIONS,
  operationActions,
} from './operation.states.js';
export type { GitKind, OperationAction, OperationKind, OperationState } from './operation.states.js';
export type { Credential, CredentialId, NewCredential } from './credential.js';
export {
  GIT_FORGES,
  gitHostOf,
  isCommitId,
  isGitName,
  isGitRevision,
  isPersonText,
  isTreePath,
  isWorkingTree,
  refuseGitUrl,
} from './git/git.request.js';
export type { GitAuthor, GitOptions } from './git/git.request.js';
export { GIT_OUTCOMES, gitFailureOf, gitOutcomeOf, gitProgressOf, gitResultOf } from './git/git.outcome.js';
export type { GitOutcome, GitProgress, GitResult } from './git/git.outcome.js';
export { canceledBeforeStartEnd, endFromExitRecord, lostEnd, notStartedEnd, oomKilledEnd } from './exec.js';
export type { Exec, ExecEnd, ExecEvidence, ExecRequest } from './exec.js';
export { SENDABLE_SIGNALS, takesInput } from './exec-input.js';
export type {
  InputPiece,
  InputResult,
  InputState,
  Resize,
  ResizeState,
  SendableSignal,
  StdinSource,
  TerminalSize,
} from './exec-input.js';
export { DEFAULT_SANDBOX_NAME, DEFAULT_TIER, needsStart, TIERS } from './sandbox.js';
export { observe, observedStateOf, planContainer } from './sandbox.plan.js';
export type { ContainerPlan, Observation } from './sandbox.plan.js';
export type { ContainerLimits, Sandbox, Tier, TierName } from './sandbox.js';
export { stepBegun, stepEnded, stepsKnown, stepProgressed } from './operation.js';
export type {
  Operation,
  OperationOptions,
  OperationOutcome,
  Park,
  SandboxBefore,
  StepProgress,
  StepRecord,
  StepState,
  TakenOver,
} from './operation.js';
export { OPERATION_PLANS, planOperation, stagesOf, undosOf } from './operation.plan.js';
export type { PlannedStep, Stage, StepName, Undo } from './operation.plan.js';
export {
  decideNeed,
  decideRequest,
  decideUnasked,
  desiredAfter,
  desiredAfterGivingUp,
  forgivesRestarts,
  optionsFor,
  settledOptions,
  TOUCHING_KINDS,
  touchesSandbox,
} from './operation.request.js';
export type { AskedOperation, RequestDecision } from './operation.request.js';
export {
  DEFAULT_RESTART_POLICY,
  isRestartingTooOften,
  planRestart,
  RESTART_CAUSES,
  RESTART_POLICIES,
  restartsWith,
} from './sandbox.restarts.js';
export type { DueRestart, PlannedRestart, RestartCause, RestartPolicy } from './sandbox.restarts.js';
export { healthAfter, HEALTH_STATUSES, isSameCheck, NO_HEALTH } from './sandbox.health.js';
export type { CheckOutcome, Health, HealthCheck, HealthStatus } from './sandbox.health.js';
export { configured, DEFAULT_SETTINGS, settingsAfter } from './sandbox.settings.js';
export type { SandboxSettings, SettingsChange } from './sandbox.settings.js';
export { correctionOf, IMAGE_PATTERN } from './operation.correction.js';
export type { Correction } from './operation.correction.js';
export {
  BULK_CONTROLS,
  BULK_HAS_ENDED,
  BULK_ITEM_RETRIABLE,
  BULK_ITEM_STATES,
  BULK_ITEM_TRANSITIONS,
  BULK_TRANSITIONS,
} from './bulk/bulk.states.js';
export type { BulkControlName, BulkItemState, BulkState } from './bulk/bulk.states.js';
export { BULK_ACTIONS } from './bulk/bulk.js';
export type {
  Bulk,
  BulkAction,
  BulkCounts,
  BulkItem,
  BulkOperationKind,
  BulkPause,
  BulkSelection,
  BulkWork,
  SandboxSelector,
} from './bulk/bulk.js';
export {
  controlled,
  controlOf,
  decideControl,
  endOfBulk,
  ITEM_AFTER_EXEC,
  ITEM_AFTER_OPERATION,
  ownControl,
} from './bulk/bulk.control.js';
export type { BulkControl, ControlDecision } from './bulk/bulk.control.js';
export type {
  BulkRunStore,
  BulkStore,
  BulkSweepStore,
  NewBulk,
  RunningItem,
  SelectedSandboxes,
} from './bulk/bulk-store.port.js';
export { parkAdvice } from './operation.advice.js';
export type { ParkAdvice } from './operation.advice.js';
export type {
  Chunk,
  ClaimResult,
  Ensured,
  ExecListQuery,
  ExecStore,
  NewExec,
  NewOperation,
  OperationRequest,
  NewSandbox,
  OperationStore,
  Page,
  RequestedOperation,
  SandboxStore,
  SandboxWithStart,
} from './ports/stores.port.js';
export type { StrandedSandbox, SweepRow, SweepStore } from './ports/sweep-store.port.js';
export type { CredentialStore } from './ports/credential-store.port.js';
export type { HostRow, HostStore } from './ports/host-store.port.js';
export type { IdempotencyKey, IdempotencyStore } from './ports/idempotency-store.port.js';
export type { Topic, WakeReceiver, WakeSender } from './ports/wake.port.js';
export type {
  ContainerEngine,
  ContainerSpec,
  ContainerView,
  SandboxRef,
  SurveyedContainer,
  WorkspaceArchive,
  WorkspaceRef,
} from './ports/engine.port.js';
export { OBJECT_PAGE_SIZE_MAX } from './ports/object-store.port.js';
export type {
  GetObjectOptions,
  ObjectBody,
  ObjectPage,
  ObjectStore,
  StoredObject,
} from './ports/object-store.port.js';
export type {
  RunState,
  WorkflowInspector,
  WorkflowSignaller,
  WorkflowStarter,
} from './ports/workflows.port.js';
export type {
  CancelResult,
  CancelState,
  ExitReason,
  ExitRecord,
  FollowEvent,
  LostReason,
  RunnerConnection,
  RunnerExecState,
  RunnerExecStatus,
  SpoolBlock,
  StartRequest,
  StartResult,
  StartState,
} from './ports/runner.port.js';
export {
  decodeFrames,
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  MalformedFrameError,
} from './frames/index.js';
export type { DecodedFrames, Frame, FrameLimits, FrameStream } from './frames/index.js';
export type { Log } from './ports/log.port.js';
export type { PassedBuffers } from './ports/passed-buffers.port.js';
export { OUTPUT_TRANSITIONS } from './output/output.states.js';
export type { OutputState } from './output/output.states.js';
export type { OutputPlace, OutputSource } from './output/output-source.port.js';
export type {
  ObjectWrite,
  OwnerOfOutput,
  PackMember,
  RetentionStore,
  SealingStore,
  SearchStore,
  SegmentStore,
  UnindexedExec,
} from './output/output-stores.port.js';
export { blocksOf, framesOf, SegmentShape } from './output/segment.js';
export type { BlockStart, OutputSegment, OutputSpan } from './output/segment.js';
export { manifestKey, packKey, segmentKey } from './output/object-keys.js';
export { manifestOf } from './output/manifest.js';
export type { EndedExec, ManifestPlace } from './output/manifest.js';
export { isPackDue, isSealingLate } from './output/sealing.js';
export type { SealingLag } from './output/sealing.js';
export type { RetentionPolicy } from './output/retention.js';
export { searchText, searchWordsOf } from './output/search-words.js';
export type { SearchWord } from './output/search-words.js';
export { outputExpired, StoredOutput } from './output/stored-output.js';
export { verifyOutput } from './output/verify-output.js';
export type {
  OutputProblem,
  OutputVerification,
  OutputVerifier,
  VerifyPorts,
} from './output/verify-output.js';
export type { Digest, VerifiedStream } from './output/frame-walk.js';
export { workspacePath } from './files/file-path.js';
export { fileHeadOf } from './files/file-request.js';
export type { FileAction, FileHead, FileRequest, UploadPiece, UploadResult } from './files/file-request.js';
export { parseUploadId } from './ports/sandbox-files.port.js';
export type { FileContent, SandboxFiles, UploadId } from './ports/sandbox-files.port.js';
export { GIT_LOOK_ACTIONS } from './ports/host-link.port.js';
export type {
  CommittedWatcher,
  GitLook,
  GitLookAction,
  HostLink,
  HostServices,
} from './ports/host-link.port.js';
export { snapshotManifestKey, snapshotPartKey, snapshotPrefix } from './snapshot/snapshot.js';
export type {
  ArchiveSummary,
  Snapshot,
  SnapshotManifest,
  SnapshotPart,
  SnapshotState,
} from './snapshot/snapshot.js';
export type { NewSnapshot, SnapshotPolicy, SnapshotStore } from './snapshot/snapshot-store.port.js';

import { DomainError } from './errors.js';
import { isSameCheck, NO_HEALTH, type HealthCheck } from './sandbox.health.js';
import type { Sandbox } from './sandbox.js';
import { DEFAULT_RESTART_POLICY, planRestart, type RestartPolicy } from './sandbox.restarts.js';

/** What its owner may change about a sandbox while it runs. */
export interface SandboxSettings {
  readonly healthCheck: HealthCheck | null;
  readonly restartPolicy: RestartPolicy;
  /** Without an exec, an operation or a file on its way for this long it is stopped; null: never. */
  readonly idleStopSeconds: number | null;
  /** A restart that does not say otherwise begins with a snapshot. */
  readonly snapshotOnRestart: boolean;
}

/** What somebody asks for; what is absent stays, or is the default where there is nothing yet. */
export type SettingsChange = { readonly [Name in keyof SandboxSettings]?: SandboxSettings[Name] | undefined };

export const DEFAULT_SETTINGS: SandboxSettings = {
  healthCheck: null,
  restartPolicy: DEFAULT_RESTART_POLICY,
  idleStopSeconds: null,
  snapshotOnRestart: false,
};

/** The settings after a change; the same object where it changes nothing. */
export function settingsAfter(settings: SandboxSettings, change: SettingsChange): SandboxSettings {
  const after: SandboxSettings = {
    healthCheck: change.healthCheck === undefined ? settings.healthCheck : change.healthCheck,
    restartPolicy: change.restartPolicy ?? settings.restartPolicy,
    idleStopSeconds: change.idleStopSeconds === undefined ? settings.idleStopSeconds : change.idleStopSeconds,
    snapshotOnRestart: change.snapshotOnRestart ?? settings.snapshotOnRestart,
  };
  return isSame(settings, after) ? settings : after;
}

/**
 * A sandbox after a change of its settings; the same object where nothing changes. A restart that is due is
 * due no more where the policy does not want it any more.
 */
export function configured(sandbox: Sandbox, change: SettingsChange, ifVersion: number | undefined): Sandbox {
  if (sandbox.observedState === 'deleted') {
    throw new DomainError('sandbox_deleted', 'The sandbox has been deleted.');
  }
  if (ifVersion !== undefined && ifVersion !== sandbox.settingsVersion) {
    throw new DomainError('precondition_failed', 'Somebody has changed the settings since.', {
      extra: { settingsVersion: sandbox.settingsVersion },
    });
  }
  const settings = settingsAfter(sandbox, change);
  if (settings === sandbox) return sandbox;
  const after = { ...sandbox, ...settings, settingsVersion: sandbox.settingsVersion + 1 };
  const { restartDue } = sandbox;
  return {
    ...after,
    // What another check has said says nothing any more.
    health: isSameCheck(sandbox.healthCheck, after.healthCheck) ? sandbox.health : NO_HEALTH,
    restartDue: restartDue && planRestart(after, restartDue.cause) && restartDue,
  };
}

function isSame(one: SandboxSettings, other: SandboxSettings): boolean {
  if (one.restartPolicy !== other.restartPolicy || one.idleStopSeconds !== other.idleStopSeconds)
    return false;
  if (one.snapshotOnRestart !== other.snapshotOnRestart) return false;
  return isSameCheck(one.healthCheck, other.healthCheck);
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an owner may set about a sandbox, and when it is to be started or stopped without anybody asking. */
export class SandboxSettings1700000000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "sandboxes"
        ADD COLUMN "restart_policy" text NOT NULL DEFAULT 'on-failure',
        ADD COLUMN "idle_stop_seconds" integer,
        ADD COLUMN "settings_version" integer NOT NULL DEFAULT 1,
        ADD COLUMN "restarts" jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN "restart_due_at" timestamptz,
        ADD COLUMN "restart_cause" text,
        ADD COLUMN "idle_due_at" timestamptz`);
    await runner.query(`
      CREATE INDEX "sandboxes_restartable" ON "sandboxes" ("restart_due_at") WHERE "restart_due_at" IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "sandboxes_idle" ON "sandboxes" ("idle_due_at") WHERE "idle_stop_seconds" IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX "sandboxes_idle"`);
    await runner.query(`DROP INDEX "sandboxes_restartable"`);
    await runner.query(`
      ALTER TABLE "sandboxes" DROP COLUMN "restart_policy", DROP COLUMN "idle_stop_seconds",
        DROP COLUMN "settings_version", DROP COLUMN "restarts", DROP COLUMN "restart_due_at",
        DROP COLUMN "restart_cause", DROP COLUMN "idle_due_at"`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Snapshots, and which workspace a sandbox has. A sandbox that has had a container has had its first workspace, too. */
export class Snapshots1700000000015 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "sandboxes"
        ADD COLUMN "workspace_id" uuid,
        ADD COLUMN "workspace_made" boolean NOT NULL DEFAULT false,
        ADD COLUMN "snapshot_on_restart" boolean NOT NULL DEFAULT false`);
    await runner.query(`UPDATE "sandboxes" SET "workspace_made" = true WHERE "generation" > 0`);
    await runner.query(`
      CREATE TABLE "snapshots" (
        "id" uuid PRIMARY KEY,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "sandbox_id" uuid NOT NULL,
        "image" text NOT NULL,
        "state" text NOT NULL,
        "attempt" uuid NOT NULL,
        "parts" integer NOT NULL DEFAULT 0,
        "manifest_sha256" text,
        "summary" jsonb,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        "ready_at" timestamptz)`);
    await runner.query(`CREATE INDEX "snapshots_sandbox" ON "snapshots" ("sandbox_id", "created_at", "id")`);
    await runner.query(`CREATE INDEX "pending_objects_attempt" ON "pending_objects" ("attempt")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX "pending_objects_attempt"`);
    await runner.query(`DROP TABLE "snapshots"`);
    await runner.query(`
      ALTER TABLE "sandboxes"
        DROP COLUMN "workspace_id", DROP COLUMN "workspace_made", DROP COLUMN "snapshot_on_restart"`);
  }
}

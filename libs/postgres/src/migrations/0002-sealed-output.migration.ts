import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SealedOutput1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "execs"
        ADD COLUMN "output_state" text NOT NULL DEFAULT 'hot',
        ADD COLUMN "sealed_position" bigint NOT NULL DEFAULT 0,
        ADD COLUMN "seal_after" timestamptz,
        ADD COLUMN "sealed_at" timestamptz,
        ADD COLUMN "expired_at" timestamptz,
        ADD COLUMN "erased_at" timestamptz,
        ADD COLUMN "manifest_key" text,
        ADD COLUMN "manifest_offset" bigint,
        ADD COLUMN "manifest_bytes" bigint,
        ADD COLUMN "manifest_sha256" text,
        ADD COLUMN "search" tsvector`);
    // The conditions name nothing that changes while output is appended: such an update touches no index.
    await runner.query(`
      CREATE INDEX "execs_unsealed" ON "execs" ("finished_at")
        WHERE "output_state" = 'hot' AND "finished_at" IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "execs_kept" ON "execs" ("tenant_id", "owner_id", "created_at", "id")
        WHERE "output_state" <> 'expired' AND "finished_at" IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "execs_unerased" ON "execs" ("expired_at")
        WHERE "output_state" = 'expired' AND "erased_at" IS NULL`);
    await runner.query(`
      CREATE INDEX "execs_manifest" ON "execs" ("manifest_key") WHERE "manifest_key" IS NOT NULL`);
    await runner.query(`CREATE INDEX "execs_search" ON "execs" USING gin ("search")`);
    await runner.query(`CREATE INDEX "execs_unindexed" ON "execs" ("created_at") WHERE "search" IS NULL`);

    await runner.query(`
      CREATE TABLE "exec_segments" (
        "exec_id" uuid NOT NULL,
        "position" bigint NOT NULL,
        "end_position" bigint NOT NULL,
        "stdout_from" bigint NOT NULL,
        "stdout_to" bigint NOT NULL,
        "stderr_from" bigint NOT NULL,
        "stderr_to" bigint NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "object_key" text NOT NULL,
        "object_offset" bigint NOT NULL,
        "sha256" text NOT NULL,
        "blocks" jsonb NOT NULL,
        PRIMARY KEY ("exec_id", "position")
      )`);
    await runner.query(`CREATE INDEX "exec_segments_stdout" ON "exec_segments" ("exec_id", "stdout_to")`);
    await runner.query(`CREATE INDEX "exec_segments_stderr" ON "exec_segments" ("exec_id", "stderr_to")`);
    await runner.query(`CREATE INDEX "exec_segments_object" ON "exec_segments" ("object_key")`);

    await runner.query(`
      CREATE TABLE "pending_objects" (
        "key" text NOT NULL,
        "state" text NOT NULL,
        "attempt" uuid NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "since" timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY ("key")
      )`);
    await runner.query(`CREATE INDEX "pending_objects_since" ON "pending_objects" ("since")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "pending_objects"`);
    await runner.query(`DROP TABLE "exec_segments"`);
    await runner.query(`
      ALTER TABLE "execs" DROP COLUMN "output_state", DROP COLUMN "sealed_position", DROP COLUMN "seal_after",
        DROP COLUMN "sealed_at", DROP COLUMN "expired_at", DROP COLUMN "erased_at", DROP COLUMN "manifest_key",
        DROP COLUMN "manifest_offset", DROP COLUMN "manifest_bytes", DROP COLUMN "manifest_sha256",
        DROP COLUMN "search"`);
  }
}

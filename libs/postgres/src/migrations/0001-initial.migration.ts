import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Initial1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "sandboxes" (
        "id" uuid NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "name" text NOT NULL,
        "image" text NOT NULL,
        "tier" text NOT NULL,
        "host_id" text NOT NULL,
        "generation" integer NOT NULL DEFAULT 0,
        "operation_id" uuid,
        "desired_state" text NOT NULL,
        "observed_state" text NOT NULL,
        "container_id" text,
        "failure" jsonb,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        "updated_at" timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY ("id")
      )`);
    await runner.query(`
      CREATE UNIQUE INDEX "sandboxes_name" ON "sandboxes" ("tenant_id", "owner_id", "name")
        WHERE "observed_state" <> 'deleted'`);
    await runner.query(`CREATE INDEX "sandboxes_list" ON "sandboxes" ("tenant_id", "created_at", "id")`);
    await runner.query(`CREATE INDEX "sandboxes_host" ON "sandboxes" ("host_id")`);

    await runner.query(`
      CREATE TABLE "operations" (
        "id" uuid NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "sandbox_id" uuid NOT NULL,
        "host_id" text NOT NULL,
        "kind" text NOT NULL,
        "state" text NOT NULL,
        "steps" jsonb NOT NULL,
        "park" jsonb,
        "failure" jsonb,
        "request_hash" text NOT NULL,
        "workflow_started_at" timestamptz,
        "verified_at" timestamptz,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        "started_at" timestamptz,
        "finished_at" timestamptz,
        PRIMARY KEY ("id")
      )`);
    await runner.query(`
      CREATE UNIQUE INDEX "operations_live" ON "operations" ("sandbox_id")
        WHERE "state" IN ('pending', 'running', 'parked')`);
    await runner.query(`CREATE INDEX "operations_list" ON "operations" ("tenant_id", "created_at", "id")`);
    await runner.query(`CREATE INDEX "operations_sandbox" ON "operations" ("sandbox_id", "created_at")`);

    await runner.query(`
      CREATE TABLE "execs" (
        "id" uuid NOT NULL,
        "seq" BIGSERIAL NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "sandbox_id" uuid NOT NULL,
        "host_id" text NOT NULL,
        "generation" integer,
        "state" text NOT NULL,
        "request" jsonb NOT NULL,
        "request_hash" text NOT NULL,
        "committed_position" bigint NOT NULL DEFAULT 0,
        "stdout_bytes" bigint NOT NULL DEFAULT 0,
        "stderr_bytes" bigint NOT NULL DEFAULT 0,
        "exit_code" integer,
        "signal" text,
        "failure" jsonb,
        "exit_record" jsonb,
        "evidence" jsonb,
        "cancel_requested_at" timestamptz,
        "workflow_started_at" timestamptz,
        "verified_at" timestamptz,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        "started_at" timestamptz,
        "finished_at" timestamptz,
        PRIMARY KEY ("id")
      )`);
    await runner.query(
      `CREATE INDEX "execs_queue" ON "execs" ("sandbox_id", "seq") WHERE "state" = 'queued'`,
    );
    await runner.query(`
      CREATE INDEX "execs_live" ON "execs" ("sandbox_id") WHERE "state" IN ('starting', 'running')`);
    await runner.query(`
      CREATE INDEX "execs_host" ON "execs" ("host_id") WHERE "state" IN ('starting', 'running')`);
    await runner.query(`CREATE INDEX "execs_list" ON "execs" ("tenant_id", "created_at", "id")`);
    await runner.query(`CREATE INDEX "execs_sandbox" ON "execs" ("sandbox_id", "created_at")`);

    await runner.query(`
      CREATE TABLE "exec_chunks" (
        "exec_id" uuid NOT NULL,
        "position" bigint NOT NULL,
        "end_position" bigint NOT NULL,
        "stdout_from" bigint NOT NULL,
        "stdout_to" bigint NOT NULL,
        "stderr_from" bigint NOT NULL,
        "stderr_to" bigint NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "frames" bytea NOT NULL,
        PRIMARY KEY ("exec_id", "position")
      )`);
    // Output is written once and read in whole chunks: compressing it in the row costs more than it saves.
    await runner.query(`ALTER TABLE "exec_chunks" ALTER COLUMN "frames" SET STORAGE EXTERNAL`);
    await runner.query(`CREATE INDEX "exec_chunks_stdout" ON "exec_chunks" ("exec_id", "stdout_to")`);
    await runner.query(`CREATE INDEX "exec_chunks_stderr" ON "exec_chunks" ("exec_id", "stderr_to")`);

    await runner.query(`
      CREATE TABLE "hosts" (
        "id" text NOT NULL,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "stream_address" text NOT NULL,
        "docker_version" text NOT NULL,
        "lease_expires_at" timestamptz NOT NULL,
        "updated_at" timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY ("id")
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['hosts', 'exec_chunks', 'execs', 'operations', 'sandboxes']) {
      await runner.query(`DROP TABLE "${table}"`);
    }
  }
}

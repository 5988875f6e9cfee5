import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What remotes know somebody by, sealed. */
export class Credentials1700000000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "credentials" (
        "id" uuid PRIMARY KEY,
        "tenant_id" text NOT NULL,
        "owner_id" text NOT NULL,
        "host" text NOT NULL,
        "username" text NOT NULL,
        "sealed" bytea NOT NULL,
        "key_id" text NOT NULL,
        "operation_id" uuid,
        "created_at" timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE INDEX "credentials_list" ON "credentials" ("tenant_id", "created_at", "id")
        WHERE "operation_id" IS NULL`);
    await runner.query(`
      CREATE INDEX "credentials_of_operations" ON "credentials" ("operation_id")
        WHERE "operation_id" IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "credentials"`);
  }
}

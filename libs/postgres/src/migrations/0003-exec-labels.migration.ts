import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What lists of execs filter by. Most execs have no label, so the index of labels leaves those out. */
export class ExecLabels1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX "execs_labels" ON "execs" USING gin (("request"->'labels') jsonb_path_ops)
        WHERE "request"->'labels' <> '{}'::jsonb`);
    await runner.query(`CREATE INDEX "execs_owner" ON "execs" ("tenant_id", "owner_id", "created_at")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const index of ['execs_owner', 'execs_labels']) await runner.query(`DROP INDEX "${index}"`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The claim of an exec in one round trip. Each statement of a function sees what was committed before it, so what is
 * counted under the lock of the sandbox is exact; one statement alone would count what stood there before it waited.
 */
export class ClaimExec1700000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION "claim_exec"(wanted uuid, host text, queues jsonb)
        RETURNS TABLE (claim text, exec execs) LANGUAGE plpgsql AS $$
      DECLARE
        box record;
      BEGIN
        SELECT e.* INTO exec FROM execs e WHERE e.id = wanted;
        IF NOT FOUND THEN RETURN; END IF;
        IF exec.state = 'queued' THEN
          SELECT s.generation, s.tier,
              (s.observed_state = 'running' AND s.desired_state = 'running' AND s.host_id = host) AS ready
            INTO box FROM sandboxes s WHERE s.id = exec.sandbox_id FOR NO KEY UPDATE;
          IF box.ready IS NOT TRUE THEN
            claim := 'sandbox_not_running';
            RETURN NEXT;
            RETURN;
          END IF;
          UPDATE execs AS e SET state = 'starting', generation = box.generation, host_id = host
            WHERE e.id = wanted AND e.state = 'queued' AND
              (SELECT count(*) FROM execs a WHERE a.sandbox_id = e.sandbox_id AND
                (a.state IN ('starting', 'running') OR (a.state = 'queued' AND a.seq < e.seq)))
              < (queues->box.tier->>'execsRunningMax')::int
            RETURNING e.* INTO exec;
          IF FOUND THEN
            claim := 'claimed';
            RETURN NEXT;
            RETURN;
          END IF;
          SELECT e.* INTO exec FROM execs e WHERE e.id = wanted;
        END IF;
        claim := CASE
          WHEN exec.state = 'queued' THEN 'queue'
          WHEN exec.state IN ('starting', 'running') THEN 'live'
          ELSE 'ended' END;
        RETURN NEXT;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION "claim_exec"(uuid, text, jsonb)`);
  }
}

#!/bin/sh
# Creates or updates the two databases of Temporal. Repeating it changes nothing.
set -eu

for database in temporal temporal_visibility; do
  schema="${database#temporal_}"
  sql_tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_SEEDS --port $DB_PORT --user $POSTGRES_USER --db $database"
  $sql_tool create
  $sql_tool setup-schema --version 0.0
  $sql_tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done

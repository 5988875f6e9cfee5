/** Every limit of the system in one place, each with its unit. Configuration may lower one, never raise it silently. */
const SECOND_MS = 1_000;
const KIB = 1_024;
const MIB = 1_024 * KIB;

export const COMMAND_BYTES_MAX = 128 * KIB;
export const ARGV_ITEMS_MAX = 1_024;
export const ARGV_BYTES_MAX = 128 * KIB;
export const ENV_ITEMS_MAX = 256;
export const ENV_BYTES_MAX = 64 * KIB;
export const PATH_BYTES_MAX = 4 * KIB;
export const REQUEST_BODY_BYTES_MAX = 1 * MIB;
export const IDEMPOTENCY_KEY_LENGTH_MAX = 200;

export const EXEC_TIMEOUT_SECONDS_DEFAULT = 24 * 3_600;
export const EXEC_TIMEOUT_SECONDS_MAX = 30 * 24 * 3_600;
export const EXEC_QUEUE_TIMEOUT_SECONDS_DEFAULT = 300;
export const EXEC_OUTPUT_BYTES_DEFAULT = 10 * 1_024 * MIB;
export const USER_LENGTH_MAX = 128;
export const STDIN_INLINE_BYTES_MAX = 256 * KIB;
/** One request of a client, and one message to the runner. */
export const STDIN_REQUEST_BYTES_MAX = 1 * MIB;
export const STDIN_PIECE_BYTES_MAX = 128 * KIB;
/** As many as a runner lets wait for one exec. */
export const STDIN_PIECES_AT_ONCE_MAX = 4;
export const STDIN_WRITER_LENGTH_MAX = 64;
/** How long a request waits for a command that does not read. */
export const STDIN_WAIT_MS_MAX = 5 * SECOND_MS;
export const TERMINAL_SIZE_MAX = 1_000;
export const EXEC_CANCEL_GRACE_MS = 2 * SECOND_MS;
/** What a command has to end by itself before its sandbox is stopped, as it has from the runner when that is stopped. */
export const EXEC_STOP_GRACE_MS = 3 * SECOND_MS;
export const LABEL_ITEMS_MAX = 20;
export const LABEL_KEY_LENGTH_MAX = 63;
export const LABEL_VALUE_LENGTH_MAX = 255;
/** How long after its own timeout an exec may be without an end before supervision gives it up as `lost`. */
export const EXEC_END_GRACE_MS = 60 * SECOND_MS;
/** How far a clock may jump without ending a command early: by so much later does a run give up what no host has ended. */
export const CLOCK_JUMP_MS_MAX = 3_600 * SECOND_MS;
/** How long a container may run with a silent runner before its execs are given up. */
export const RUNNER_SILENCE_MS_MAX = 120 * SECOND_MS;
export const SPOOL_UNCOMMITTED_BYTES_MAX = 64 * MIB;

export const INLINE_OUTPUT_BYTES_MAX = 64 * KIB;
export const OUTPUT_READ_BYTES_MAX = 1 * MIB;
export const CHUNK_BYTES_MAX = 512 * KIB;
/** Readers look at the row this often even when no wake-up reached them. */
export const READER_POLL_MS = 2 * SECOND_MS;
export const WAKE_BATCH_MS = 10;

export const LONG_POLL_SECONDS_MAX = 60;
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 200;

export const PARK_DEADLINE_MS = 7 * 24 * 3_600 * SECOND_MS;
export const PARKS_PER_RUN_MAX = 20;
/** A step that has failed this often parks. An attempt that was lost with its worker is no failure of the step. */
export const STEP_ATTEMPTS_MAX = 4;
/** How long a step waits for its host, and is tried again on it, before it parks as `host_lost`. */
export const STEP_MS_MAX = 24 * 3_600 * SECOND_MS;
export const UNDO_MS_MAX = 15 * 60 * SECOND_MS;
export const EXECS_WAIT_SECONDS_DEFAULT = 3_600;
export const EXECS_WAIT_SECONDS_MAX = 24 * 3_600;

export const BULK_ITEMS_MAX = 20_000;
export const BULK_CONCURRENCY_DEFAULT = 10;
export const BULK_CONCURRENCY_MAX = 100;
export const BULK_DELAY_SECONDS_MAX = 3_600;
/** Items that one transaction begins: it holds the locks of their sandboxes. */
export const BULK_BEGIN_ITEMS_MAX = 20;
/** Items that one Activity begins. */
export const BULK_STEP_ITEMS_MAX = 200;
/** Items of one run before it is continued as a new one. */
export const BULK_PAGE_ITEMS = 250;
/** How long a run that is to be continued waits for what it has begun. */
export const BULK_DRAIN_MS_MAX = 60 * SECOND_MS;
export const BULK_DRY_RUN_SHOWN_MAX = 1_000;
export const GIT_URL_LENGTH_MAX = 2_048;
export const GIT_NAME_LENGTH_MAX = 200;
export const GIT_PERSON_LENGTH_MAX = 200;
export const GIT_MESSAGE_LENGTH_MAX = 32 * KIB;
export const GIT_TITLE_LENGTH_MAX = 250;
export const GIT_PATHS_MAX = 1_000;
export const GIT_DEPTH_MAX = 1_000_000;
/** What is asked of git, as JSON, and the certificates that go with it: together as much as a start in a sandbox takes. */
export const GIT_REQUEST_BYTES_MAX = 256 * KIB;
export const GIT_CERTIFICATES_BYTES_MAX = 320 * KIB;
/** Of one text that git or its remote has written, on a row. */
export const GIT_TEXT_LENGTH_MAX = 3_000;
/** All that one run of the program writes, percentages and all. */
export const GIT_OUTPUT_BYTES_MAX = 8 * MIB;
/** One line of it: the longest is a difference, with its escapes. */
export const GIT_LINE_BYTES_MAX = 2 * MIB;
/** Of one try of a step: a worker that is away does not lengthen it. */
export const GIT_TIMEOUT_SECONDS_DEFAULT = 3_600;
export const GIT_TIMEOUT_SECONDS_MAX = 4 * 3_600;
/** The program ends its git by itself, and has left nothing behind by then; later than this it is ended. */
export const GIT_RUN_MS_MAX = GIT_TIMEOUT_SECONDS_MAX * SECOND_MS + 600 * SECOND_MS;
/** What a remote may send, and what one checkout may write. */
export const GIT_BYTES_MAX = 16 * 1_024 * MIB;
export const GIT_BRANCHES_MAX = 1_000;
export const GIT_LOOK_MS_MAX = 30 * SECOND_MS;
export const GIT_LOOK_ANSWER_BYTES_MAX = 2 * MIB;
export const GIT_LOG_ENTRIES_MAX = 200;
/** Each try of a step is one run: more than parks and attempts allow. */
export const GIT_RUNS_PER_STEP_MAX = 100;
/** Of one file in either direction, and of an archive when it is unpacked. */
export const FILE_BYTES_MAX = 16 * 1_024 * MIB;
export const ARCHIVE_ENTRIES_MAX = 1_000_000;
/** Entries of a folder in one answer. */
export const FILE_LIST_MAX = 1_000;
/** What comes before the content: the longest is a list. */
export const FILE_HEAD_BYTES_MAX = 2 * MIB;
export const FILE_ASK_MS_MAX = 30 * SECOND_MS;
export const FILE_TRANSFER_MS_MAX = 6 * 3_600 * SECOND_MS;
/** An upload that nobody goes on with is given up. */
export const UPLOAD_IDLE_MS_MAX = 10 * 60 * SECOND_MS;
export const CREDENTIAL_SECRET_LENGTH_MAX = 8 * KIB;
export const CREDENTIAL_USERNAME_LENGTH_MAX = 255;
export const CREDENTIALS_PER_OWNER_MAX = 1_000;
/** A credential of an operation that nobody knows any more: its request has failed between the two. */
export const CREDENTIAL_LEFT_AFTER_MS = 10 * 60 * SECOND_MS;

/** The first automatic restart waits this long, each further one in the window longer by the factor. */
export const RESTART_BACKOFF_MS = 1 * SECOND_MS;
export const RESTART_BACKOFF_FACTOR = 4;
/** One more within the window parks. */
export const RESTARTS_MAX = 5;
export const RESTART_WINDOW_MS = 15 * 60 * SECOND_MS;
export const HEALTH_INTERVAL_SECONDS_MIN = 2;
export const HEALTH_INTERVAL_SECONDS_DEFAULT = 30;
export const HEALTH_INTERVAL_SECONDS_MAX = 3_600;
export const HEALTH_TIMEOUT_SECONDS_DEFAULT = 5;
export const HEALTH_TIMEOUT_SECONDS_MAX = 60;
export const HEALTH_FAILURES_DEFAULT = 3;
export const HEALTH_FAILURES_MAX = 10;
export const HEALTH_START_SECONDS_DEFAULT = 60;
export const HEALTH_START_SECONDS_MAX = 600;
export const HEALTH_COMMAND_ITEMS_MAX = 64;
export const HEALTH_COMMAND_BYTES_MAX = 4 * KIB;
export const HEALTH_PATH_LENGTH_MAX = 1_024;
export const HEALTH_DETAIL_LENGTH_MAX = 500;
/** A host looks this often which of its sandboxes are due for a check. */
export const HEALTH_LOOK_MS = 2 * SECOND_MS;
export const HEALTH_CHECKS_AT_ONCE_MAX = 8;
export const IDLE_STOP_SECONDS_MIN = 1;
/** Files that are on their way keep a sandbox from being idle for so long, and are noted anew meanwhile. */
export const VISIT_USE_MS = 15 * SECOND_MS;
export const VISIT_USE_RENEW_MS = VISIT_USE_MS / 3;
export const IDLE_STOP_SECONDS_MAX = 30 * 24 * 3_600;
/** While execs live, a sandbox that is stopped when idle is looked at no more often than this. */
export const IDLE_LOOK_SECONDS_MAX = 60;

export const HOST_LEASE_MS = 30 * SECOND_MS;
export const HOST_LEASE_RENEW_MS = 5 * SECOND_MS;
/** A row without a Workflow is left alone this long: the request that wrote it may still be starting one. */
export const SWEEP_START_AFTER_MS = 10 * SECOND_MS;
/** An exec that waits in a sandbox that has stopped is given so long to be helped by a start of somebody else. */
export const SWEEP_STRANDED_AFTER_MS = 5 * SECOND_MS;
export const SWEEP_VERIFY_AFTER_MS = 60 * SECOND_MS;
export const SWEEP_CANCEL_AFTER_MS = 10 * SECOND_MS;
export const SWEEP_ROWS_MAX = 200;
export const IDEMPOTENCY_KEY_AGE_MS_MAX = 30 * 24 * 3_600 * SECOND_MS;

/** Output goes into object storage in pieces of at most this size. */
export const SEGMENT_BYTES_MAX = 8 * MIB;
/** A reader of a sealed segment fetches it in steps of about this size. */
export const SEGMENT_BLOCK_BYTES = 64 * KIB;
/** The last bytes of the output that search knows. */
export const SEARCH_TAIL_BYTES = 64 * KIB;
/** A live exec keeps that much of its framed output in the database, so that search finds its end there. */
export const HOT_TAIL_BYTES = 256 * KIB;
export const HOT_READ_BYTES_MAX = 1 * MIB;
export const SEARCH_COMMAND_LENGTH_MAX = 16 * KIB;
export const SEARCH_WORD_LENGTH_MAX = 64;
export const SEARCH_QUERY_LENGTH_MAX = 200;
export const SEARCH_QUERY_WORDS_MAX = 16;
export const SEARCH_EXECS_PER_STEP_MAX = 100;
/** Ended execs with less output than this share an object. */
export const PACK_OUTPUT_BYTES_MAX = 256 * KIB;
export const PACK_BYTES_MAX = 4 * MIB;
export const PACK_EXECS_MAX = 500;
export const PACK_EXECS_ENOUGH = 100;
export const PACK_BYTES_ENOUGH = 2 * MIB;
export const PACK_WAIT_MS = 5 * 60 * SECOND_MS;
/** What could not be sealed for a reason of its own is left alone this long, so that it does not keep others waiting. */
export const SEAL_POSTPONE_MS = 3_600 * SECOND_MS;
export const SEAL_EXECS_PER_PASS_MAX = 100;
/** A pass that has still something to do after this long leaves it to the next one. */
export const SEAL_PASS_MS_MAX = 120 * SECOND_MS;
export const SEALING_LAG_MS_ALARM = 20 * 60 * SECOND_MS;
export const SEALING_HOT_BYTES_ALARM = 1_024 * MIB;
export const SEALING_WAITING_COUNTED_MAX = 10_000;
/** An object whose writing was not completed within this time was left behind by a crash. */
export const PENDING_OBJECT_STALE_MS = 3_600 * SECOND_MS;
export const REMOVED_OBJECTS_PER_PASS_MAX = 1_000;
export const RETENTION_OUTPUTS_PER_OWNER_DEFAULT = 100;
export const RETENTION_BYTES_PER_OWNER_DEFAULT = 10 * 1_024 * MIB;
export const RETENTION_AGE_SECONDS_DEFAULT = 30 * 24 * 3_600;
export const RETENTION_AGE_SECONDS_MIN_DEFAULT = 5 * 60;
export const RETENTION_OWNERS_PER_PASS_MAX = 1_000;
export const RETENTION_EXECS_PER_STEP_MAX = 200;
export const RETENTION_EXECS_PER_PASS_MAX = 2_000;
export const ERASED_CHUNKS_PER_STEP_MAX = 64;
export const VERIFICATIONS_AT_ONCE_MAX = 2;

/** A snapshot is stored in objects of this size, of which one at a time is in memory. */
export const SNAPSHOT_PART_BYTES = 8 * MIB;
/** Content of the files of a workspace together. */
export const SNAPSHOT_BYTES_MAX = 64 * 1_024 * MIB;
export const SNAPSHOT_ENTRIES_MAX = 2_000_000;
/** Above these the size of an archive's headers counts, too: long names and attributes. */
export const SNAPSHOT_PARTS_MAX = 10_000;
export const SNAPSHOTS_PER_SANDBOX_MAX = 50;
export const SNAPSHOTS_KEPT_DEFAULT = 10;
export const RETENTION_SNAPSHOTS_PER_PASS_MAX = 20;
/** How often a step that moves bytes says how far it is. */
export const PROGRESS_MS = SECOND_MS;
export const ARCHIVE_MS_MAX = 6 * 3_600 * SECOND_MS;
/** An archive of which no byte moves for so long has stopped. */
export const ARCHIVE_SILENCE_MS_MAX = 300 * SECOND_MS;

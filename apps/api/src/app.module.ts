import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import type { Logger } from 'pino';
import { AccessGuard } from './auth/access.guard.js';
import { AdminSecret } from './auth/admin-secret.js';
import { FailedAuthentications } from './auth/failed-authentications.js';
import { BulkLauncher } from './bulk/bulk-launcher.js';
import { BulkController } from './bulk/bulk.controller.js';
import { BulkService } from './bulk/bulk.service.js';
import { CredentialsController } from './credentials/credentials.controller.js';
import { CredentialsService } from './credentials/credentials.service.js';
import { ExecInputController } from './execs/exec-input.controller.js';
import { ExecInputService } from './execs/exec-input.service.js';
import { ExecLauncher } from './execs/exec-launcher.js';
import { ExecsController } from './execs/execs.controller.js';
import { ExecsService } from './execs/execs.service.js';
import { FileUploadsController } from './files/file-uploads.controller.js';
import { FilesController } from './files/files.controller.js';
import { FilesService } from './files/files.service.js';
import { GitController } from './git/git.controller.js';
import { GitLooksController } from './git/git-looks.controller.js';
import { GitService } from './git/git.service.js';
import { HealthController } from './health/health.controller.js';
import { HealthService } from './health/health.service.js';
import { AnswerInterceptor } from './http/answer.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RouteTable } from './http/route-table.js';
import { SchemaPipe } from './http/schema.pipe.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { OperationLauncher } from './operations/operation-launcher.js';
import { OperationsController } from './operations/operations.controller.js';
import { OperationsService } from './operations/operations.service.js';
import { ExecReader } from './output/exec-reader.js';
import { InlineOutputReader } from './output/inline-output.js';
import { LiveFeeds } from './output/live-feeds.js';
import { OpenStreams } from './output/open-streams.js';
import { OutputEventsService } from './output/output-events.service.js';
import { OutputController } from './output/output.controller.js';
import { OutputService } from './output/output.service.js';
import { RecentOutput } from './output/recent-output.js';
import { VerificationController } from './output/verification.controller.js';
import { VerificationService } from './output/verification.service.js';
import { RateGuard } from './rate/rate.guard.js';
import { RateLimits } from './rate/rate-limits.js';
import { SandboxOperationsController } from './sandboxes/sandbox-operations.controller.js';
import { SandboxOperationsService } from './sandboxes/sandbox-operations.service.js';
import { SandboxStarter } from './sandboxes/sandbox-starter.js';
import { SandboxesController } from './sandboxes/sandboxes.controller.js';
import { SandboxesService } from './sandboxes/sandboxes.service.js';
import { SnapshotsController } from './snapshots/snapshots.controller.js';
import { SnapshotsService } from './snapshots/snapshots.service.js';
import { EventsGateway } from './socket/events.gateway.js';
import { SocketSessions } from './socket/socket-sessions.js';
import { SuperBulkController } from './super/super-bulk.controller.js';
import { SuperExecController } from './super/super-exec.controller.js';
import { SuperRestartController } from './super/super-restart.controller.js';
import { TerminalGateway } from './terminal/terminal.gateway.js';
import * as tokens from './tokens.js';
import { Draining } from './waiting/draining.js';
import { FairTurns } from './waiting/fair-turns.js';
import { LongPoll } from './waiting/long-poll.js';

export const CONTROLLERS: readonly Type[] = [
  SuperExecController,
  SuperRestartController,
  SuperBulkController,
  SandboxesController,
  SandboxOperationsController,
  ExecsController,
  ExecInputController,
  OutputController,
  VerificationController,
  OperationsController,
  BulkController,
  FilesController,
  FileUploadsController,
  GitController,
  GitLooksController,
  CredentialsController,
  SnapshotsController,
  HealthController,
  OpenApiController,
];

const SERVICES: readonly Provider[] = [
  ExecsService,
  ExecLauncher,
  ExecInputService,
  SandboxesService,
  SandboxOperationsService,
  SandboxStarter,
  OperationsService,
  OperationLauncher,
  BulkService,
  BulkLauncher,
  FilesService,
  GitService,
  CredentialsService,
  SnapshotsService,
  InlineOutputReader,
  ExecReader,
  LiveFeeds,
  RecentOutput,
  OutputService,
  OutputEventsService,
  OpenStreams,
  VerificationService,
  SocketSessions,
  EventsGateway,
  TerminalGateway,
  HealthService,
  LongPoll,
  FairTurns,
  Draining,
  FailedAuthentications,
  RateLimits,
];

@Module({})
export class ApiModule {
  static of(
    ports: tokens.ApiPorts,
    config: tokens.ApiConfig,
    log: Logger,
    close: () => Promise<void>,
  ): DynamicModule {
    return {
      module: ApiModule,
      controllers: [...CONTROLLERS],
      providers: [
        ...SERVICES,
        ...providersOf(ports, config, log),
        { provide: tokens.ADAPTERS, useValue: { onApplicationShutdown: close } },
      ],
    };
  }
}

function providersOf(ports: tokens.ApiPorts, config: tokens.ApiConfig, log: Logger): Provider[] {
  const routes = RouteTable.of(CONTROLLERS);
  return [
    { provide: tokens.CONFIG, useValue: config },
    { provide: tokens.LOGGER, useValue: log },
    { provide: tokens.ROUTES, useValue: routes },
    { provide: tokens.SANDBOX_STORE, useValue: ports.sandboxes },
    { provide: tokens.OPERATION_STORE, useValue: ports.operations },
    { provide: tokens.SNAPSHOT_STORE, useValue: ports.snapshots },
    { provide: tokens.EXEC_STORE, useValue: ports.execs },
    { provide: tokens.BULK_STORE, useValue: ports.bulks },
    { provide: tokens.CREDENTIAL_STORE, useValue: ports.credentials },
    { provide: tokens.IDEMPOTENCY_STORE, useValue: ports.keys },
    { provide: tokens.OUTPUT_SOURCE, useValue: ports.output },
    { provide: tokens.OUTPUT_VERIFIER, useValue: ports.verifier },
    { provide: tokens.HOST_STORE, useValue: ports.hosts },
    { provide: tokens.WAKE_RECEIVER, useValue: ports.wakeReceiver },
    { provide: tokens.WAKE_SENDER, useValue: ports.wakeSender },
    { provide: tokens.HOST_LINK, useValue: ports.hostLink },
    { provide: tokens.WORKFLOWS, useValue: ports.workflows },
    { provide: tokens.HEALTH_PROBES, useValue: ports.probes },
    { provide: AdminSecret, useValue: new AdminSecret(config.adminSecret) },
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_GUARD, useClass: RateGuard },
    { provide: APP_PIPE, useClass: SchemaPipe },
    { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
    { provide: APP_FILTER, useValue: new ProblemFilter(log, routes) },
  ];
}

export const execPath = (id: string): string => `/v1/execs/${encodeURIComponent(id)}`;

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import { endpointUrl, request, requestRaw, toApiError } from '../request';
import type {
  CloneResult,
  CommitDetail,
  CommitList,
  CommitResult,
  Diff,
  FileList,
  Lineage,
  LiveList,
  LogText,
  Overlay,
  RestoreResult,
  RollbackResult,
  RunDetail,
  RunList,
  SeriesPoints,
  Status,
  Usage,
  Version,
  Workspace,
  WorkspaceAnswer
} from './schema';

export { ApiError } from '../request';

/**
 * The REST API of the server extension, one method per endpoint.
 *
 * Every `path` is a contents path and chooses the workspace: the nearest at or above it.
 * All methods reject with an `ApiError`; one of status 0 means that the server could not be
 * reached, one of status 404 and code `missing` that the server extension is not there.
 */
export class ApiClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings (`app.serviceManager.serverSettings`)
   */
  constructor(readonly serverSettings: ServerConnection.ISettings) {}

  /** The server side's version. */
  version(): Promise<Version> {
    return request(this.serverSettings, 'v1/version');
  }

  /** The workspace that holds a path, or where one would be made. */
  workspace(path: string): Promise<WorkspaceAnswer> {
    return request(this.serverSettings, 'v1/workspace', { path });
  }

  /**
   * Make a folder a workspace.
   *
   * @param path - The folder
   * @param force - Also when it is a home folder or the file system's root
   */
  createWorkspace(path: string, force = false): Promise<Workspace> {
    return this._post('v1/workspace', {}, { path, force });
  }

  /**
   * The committer's state.
   *
   * @param path - A path in the workspace
   * @param fresh - Look at the folder now rather than answer what was last seen
   */
  status(path: string, fresh = false): Promise<Status> {
    return request(this.serverSettings, 'v1/status', {
      path,
      fresh: fresh || undefined
    });
  }

  /** A page of commits, newest first. */
  commits(
    path: string,
    query: ApiClient.ICommitsQuery = {}
  ): Promise<CommitList> {
    return request(this.serverSettings, 'v1/commits', {
      path,
      ...query,
      search: query.search || undefined
    });
  }

  /** Commit the workspace as it is now. */
  commit(path: string, description: string): Promise<CommitResult> {
    return this._post('v1/commits', { path }, { description });
  }

  /**
   * A commit with its metadata.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   * @param contentId - Compute the content id if it is not known, which may take long
   */
  commitDetail(
    path: string,
    commit: string,
    contentId = false
  ): Promise<CommitDetail> {
    return request(this.serverSettings, `v1/commits/${encodeName(commit)}`, {
      path,
      content_id: contentId || undefined
    });
  }

  /**
   * The children of a folder of a commit.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   * @param under - The folder; `''` is the workspace's root
   */
  files(path: string, commit: string, under = ''): Promise<FileList> {
    return request(
      this.serverSettings,
      `v1/commits/${encodeName(commit)}/files`,
      { path, under }
    );
  }

  /**
   * The bytes of a file of a commit.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   * @param file - The file's path in the workspace
   * @param init - For instance a `Range` header or an abort signal
   */
  async readFile(
    path: string,
    commit: string,
    file: string,
    init: RequestInit = {}
  ): Promise<Response> {
    const response = await requestRaw(
      this.serverSettings,
      `v1/commits/${encodeName(commit)}/files/${encodeName(file)}`,
      { path },
      init
    );
    if (!response.ok) {
      throw await toApiError(response);
    }
    return response;
  }

  /** The address under which the browser can download a file of a commit. */
  fileUrl(path: string, commit: string, file: string): string {
    return endpointUrl(
      this.serverSettings,
      `v1/commits/${encodeName(commit)}/files/${encodeName(file)}`,
      { path }
    );
  }

  /**
   * Write a commit's files to a new folder.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   * @param to - Contents path of the folder, which must not exist or be empty
   * @param paths - Only these; all when empty
   */
  restore(
    path: string,
    commit: string,
    to: string,
    paths: string[] = []
  ): Promise<RestoreResult> {
    return this._post(
      `v1/commits/${encodeName(commit)}/restore`,
      { path },
      { to, paths }
    );
  }

  /**
   * Make a new folder with a commit's content, which shares room with it where that can be.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   * @param to - Contents path of the folder, which must not exist
   */
  clone(path: string, commit: string, to: string): Promise<CloneResult> {
    return this._post(
      `v1/commits/${encodeName(commit)}/clone`,
      { path },
      { to }
    );
  }

  /**
   * Make the files of the workspace what they were in a commit; only when a person asked for it.
   *
   * What is there before is committed, so that nothing is lost.
   *
   * @param path - A path in the workspace
   * @param commit - The commit's id
   */
  rollback(path: string, commit: string): Promise<RollbackResult> {
    return this._post(
      `v1/commits/${encodeName(commit)}/rollback`,
      { path },
      { confirm: true }
    );
  }

  /**
   * How much room the stored content takes.
   *
   * @param path - A path in the workspace
   * @param each - Also tell it of each snapshot, which takes longer
   */
  usage(path: string, each = false): Promise<Usage> {
    return request(this.serverSettings, 'v1/usage', {
      path,
      each: each || undefined
    });
  }

  /** How the files of two commits differ; a renamed file is one difference. */
  diff(
    path: string,
    old: string,
    newer: string,
    options: ApiClient.IPage & { under?: string } = {}
  ): Promise<Diff> {
    return request(this.serverSettings, 'v1/diff', {
      path,
      old,
      new: newer,
      ...options
    });
  }

  /** A page of runs, newest first unless sorted otherwise. */
  runs(
    path: string,
    query: ApiClient.IRunsQuery = {},
    init: RequestInit = {}
  ): Promise<RunList> {
    return request(this.serverSettings, 'v1/runs', { path, ...query }, init);
  }

  /** Everything known of a run. */
  run(path: string, run: string): Promise<RunDetail> {
    return request(this.serverSettings, `v1/runs/${encodeName(run)}`, { path });
  }

  /**
   * The points of a metric of a run.
   *
   * @param points - How many at most; the extremes between them are kept
   */
  series(
    path: string,
    run: string,
    name: string,
    points?: number
  ): Promise<SeriesPoints> {
    return request(
      this.serverSettings,
      `v1/runs/${encodeName(run)}/series/${encodeName(name)}`,
      { path, points }
    );
  }

  /**
   * The end of a log of a run.
   *
   * @param tail - How many bytes at most
   */
  log(
    path: string,
    run: string,
    name: string,
    tail?: number
  ): Promise<LogText> {
    return request(
      this.serverSettings,
      `v1/runs/${encodeName(run)}/logs/${encodeName(name)}`,
      { path, tail }
    );
  }

  /** Runs that have begun and are not published. */
  live(path: string): Promise<LiveList> {
    return request(this.serverSettings, 'v1/live', { path });
  }

  /** A metric over its steps for several runs, also those under way. */
  overlay(
    path: string,
    name: string,
    runs: readonly string[],
    points?: number
  ): Promise<Overlay> {
    return request(this.serverSettings, 'v1/overlay', {
      path,
      name,
      runs: JSON.stringify(runs),
      points
    });
  }

  /** All runs that a run depends on. */
  lineage(path: string, run: string): Promise<Lineage> {
    return request(this.serverSettings, `v1/runs/${encodeName(run)}/lineage`, {
      path
    });
  }

  private _post<T>(
    endpoint: string,
    query: Record<string, string>,
    body: unknown
  ): Promise<T> {
    return request(this.serverSettings, endpoint, query, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' }
    });
  }
}

/**
 * A namespace for `ApiClient` types.
 */
export namespace ApiClient {
  /** Which part of a long list is wanted. */
  export interface IPage {
    /** How many items to leave out. */
    offset?: number;

    /** How many items at most. */
    limit?: number;
  }

  /** Which commits are wanted. */
  export interface ICommitsQuery extends IPage {
    /** Words that must occur in message or author, or the start of an id. */
    search?: string;
  }

  /** Which runs are wanted. */
  export interface IRunsQuery extends IPage {
    /** A condition, such as `metrics.accuracy > 0.9 and parameters.model = 'svm'`. */
    where?: string;

    /** Words that must occur in description, file, author, error or values. */
    search?: string;

    /** Keys with an optional direction, such as `metrics.accuracy desc, started`. */
    sort?: string;
  }
}

/**
 * Encode a name or path for use in a URL's path.
 *
 * Slashes stay readable where that is safe; they are encoded where joining URLs would
 * otherwise fold the path (empty, `.` and `..` parts).
 */
export function encodeName(name: string): string {
  const parts = name.split('/');
  const plain = parts.every(
    part => part !== '' && part !== '.' && part !== '..'
  );
  return plain
    ? parts.map(encodeURIComponent).join('/')
    : encodeURIComponent(name);
}

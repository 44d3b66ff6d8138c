// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Event } from '@jupyterlab/services';
import { JSONExt, type ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { Debouncer, Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';

import type { ApiClient, ApiError } from './api/client';
import type { Status, Workspace } from './api/schema';
import { asApiError } from './request';
import {
  EVENT_SCHEMA,
  type Connection,
  type IWorkspaceEvent,
  type IWorkspaceTracker
} from './tokens';
import { VERSION } from './version';

/** How long the folder at hand must stay the same before the server is asked about it, in ms. */
const SETTLE = 100;

/** How old what we know may be before a page that comes to the front asks again, in ms. */
const STALE = 30_000;

/**
 * Follows the folder at hand: which workspace holds it, how that is, and what changed.
 *
 * #### Notes
 * What changes is told by the server's events. The server is asked anew when the folder at
 * hand changes, when the page becomes visible after a while, and when it was unreachable.
 */
export class WorkspaceTracker implements IWorkspaceTracker {
  /**
   * Create a tracker.
   *
   * @param options - What it works with
   */
  constructor(options: WorkspaceTracker.IOptions) {
    this.client = options.client;
    this._events = options.events ?? null;
    this._events?.stream.connect(this._onEvent, this);
    this._settle = new Debouncer(() => this._read(), options.settle ?? SETTLE);
    // Runs only while the server is out of reach.
    this._retry = new Poll({
      auto: false,
      name: 'dotscience-jupyter:reconnect',
      factory: () => this._retryOnce(),
      frequency: { interval: 2000, backoff: true, max: 60_000 },
      standby: 'when-hidden'
    });
    document.addEventListener('visibilitychange', this._onMaybeStale);
    window.addEventListener('online', this._onMaybeStale);
  }

  /** The REST API. */
  readonly client: ApiClient;

  get connection(): Connection {
    return this._connection;
  }

  get error(): ApiError | null {
    return this._error;
  }

  get path(): string {
    return this._path;
  }

  get workspace(): Workspace | null {
    return this._workspace;
  }

  get isReady(): boolean {
    return this._isReady;
  }

  get suggestedPath(): string | null {
    return this._suggestedPath;
  }

  get reason(): string {
    return this._reason;
  }

  get status(): Status | null {
    return this._status;
  }

  get pathChanged(): ISignal<IWorkspaceTracker, string> {
    return this._pathChanged;
  }

  get workspaceChanged(): ISignal<IWorkspaceTracker, Workspace | null> {
    return this._workspaceChanged;
  }

  get statusChanged(): ISignal<IWorkspaceTracker, Status | null> {
    return this._statusChanged;
  }

  get runsChanged(): ISignal<IWorkspaceTracker, IWorkspaceEvent | null> {
    return this._runsChanged;
  }

  get liveChanged(): ISignal<IWorkspaceTracker, IWorkspaceEvent> {
    return this._liveChanged;
  }

  get elsewhereChanged(): ISignal<IWorkspaceTracker, IWorkspaceEvent> {
    return this._elsewhereChanged;
  }

  get syncChanged(): ISignal<IWorkspaceTracker, IWorkspaceEvent> {
    return this._syncChanged;
  }

  get datasetsChanged(): ISignal<IWorkspaceTracker, IWorkspaceEvent> {
    return this._datasetsChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._events?.stream.disconnect(this._onEvent, this);
    document.removeEventListener('visibilitychange', this._onMaybeStale);
    window.removeEventListener('online', this._onMaybeStale);
    this._settle.dispose();
    this._retry.dispose();
    Signal.clearData(this);
  }

  setPath(path: string): void {
    if (path === this._path && this._asked) {
      return;
    }
    this._path = path;
    this._asked = true;
    this._pathChanged.emit(path);
    this._settle.invoke().catch(() => {
      // Only rejects when disposed; errors of reading are kept in `error`.
    });
  }

  async refresh(fresh = false): Promise<void> {
    this._asked = true;
    await this._read(fresh, true);
  }

  /**
   * Find out whether the server still answers; called when something else failed to reach it.
   */
  checkConnection(): void {
    if (this._connection !== 'offline' && Date.now() - this._readAt > 2000) {
      void this._read();
    }
  }

  /**
   * Read everything about the folder at hand; of several calls at a time only the newest counts.
   */
  private async _read(fresh = false, handshake = false): Promise<void> {
    const turn = ++this._turn;
    const path = this._path;
    const isStale = () => this._isDisposed || turn !== this._turn;
    this._readAt = Date.now();
    try {
      let connection = this._connection;
      if (handshake || (connection !== 'ready' && connection !== 'outdated')) {
        const { version } = await this.client.version();
        connection = sameMinor(version, VERSION) ? 'ready' : 'outdated';
        if (isStale()) {
          return;
        }
        this._serverVersion = version;
      }
      const answer = await this.client.workspace(path);
      if (isStale()) {
        return;
      }
      this._setWorkspace(connection, null, answer.workspace, {
        suggestedPath: answer.suggested_path,
        reason: answer.reason
      });
      const status = answer.workspace
        ? await this.client.status(path, fresh)
        : null;
      if (!isStale()) {
        this._setStatus(status);
      }
    } catch (reason) {
      if (!isStale()) {
        this._onError(asApiError(reason));
      }
    }
  }

  /** The version that the server told, for a message; `''` when unknown. */
  get serverVersion(): string {
    return this._serverVersion;
  }

  private _onError(error: ApiError): void {
    const connection = connectionOf(error);
    if (connection === null) {
      // The server is there and says what is wrong with this folder.
      this._setWorkspace(this._connection, error, null, {
        suggestedPath: null,
        reason: error.message
      });
      this._setStatus(null);
      return;
    }
    // What is known stays on the screen while the server is away.
    this._setWorkspace(connection, error, this._workspace, {
      suggestedPath: this._suggestedPath,
      reason: this._reason
    });
  }

  private _setWorkspace(
    connection: Connection,
    error: ApiError | null,
    workspace: Workspace | null,
    hint: { suggestedPath: string | null; reason: string }
  ): void {
    const known =
      connection === this._connection &&
      error === this._error &&
      this._isReady &&
      hint.suggestedPath === this._suggestedPath &&
      hint.reason === this._reason &&
      equal(workspace, this._workspace);
    const before = this._workspace;
    this._connection = connection;
    this._error = error;
    this._workspace = workspace;
    this._suggestedPath = hint.suggestedPath;
    this._reason = hint.reason;
    this._isReady = connection === 'ready' || connection === 'outdated';
    const { phase } = this._retry.state;
    const retrying = phase !== 'constructed' && phase !== 'stopped';
    if (connection === 'offline' && !retrying) {
      void this._retry.start();
    } else if (connection !== 'offline' && retrying) {
      void this._retry.stop();
    }
    if (known) {
      return;
    }
    if (before?.id !== workspace?.id) {
      this._setStatus(null);
    }
    this._workspaceChanged.emit(workspace);
    if (
      workspace &&
      before?.id === workspace.id &&
      (before.head !== workspace.head || before.runs !== workspace.runs)
    ) {
      this._runsChanged.emit(null);
    }
  }

  private _setStatus(status: Status | null): void {
    if (!equal(status, this._status)) {
      this._status = status;
      this._statusChanged.emit(status);
    }
  }

  /**
   * Ask for the status, once more if it changed again meanwhile.
   */
  private async _readStatus(): Promise<void> {
    if (this._readingStatus) {
      this._statusAgain = true;
      return;
    }
    this._readingStatus = true;
    try {
      do {
        this._statusAgain = false;
        const id = this._workspace?.id;
        const [answer, status] = await Promise.all([
          this.client.workspace(this._path),
          this.client.status(this._path)
        ]);
        if (this._isDisposed) {
          return;
        }
        if (id !== undefined && answer.workspace?.id === id) {
          this._patchWorkspace(answer.workspace);
          this._setStatus(status);
        }
      } while (this._statusAgain);
    } catch (reason) {
      if (!this._isDisposed) {
        this._onError(asApiError(reason));
      }
    } finally {
      this._readingStatus = false;
    }
  }

  private _patchWorkspace(workspace: Workspace): void {
    if (!equal(workspace, this._workspace)) {
      this._workspace = workspace;
      this._workspaceChanged.emit(workspace);
    }
  }

  private _onEvent(_: Event.IManager, emission: Event.Emission): void {
    if (emission.schema_id !== EVENT_SCHEMA) {
      return;
    }
    const event = emission as unknown as IWorkspaceEvent;
    const workspace = this._workspace;
    if (workspace === null || event.workspace_id !== workspace.id) {
      const nearer =
        event.action === 'created' &&
        isInside(this._path, event.workspace) &&
        (workspace === null || isInside(event.workspace, workspace.path));
      if (
        nearer ||
        (workspace === null && isInside(this._path, event.workspace))
      ) {
        void this._read();
      }
      this._elsewhereChanged.emit(event);
      return;
    }
    if (event.action === 'live') {
      // Nothing is recorded yet, so everything else is as it was.
      this._liveChanged.emit(event);
      return;
    }
    if (event.action === 'sync') {
      this._syncChanged.emit(event);
      return;
    }
    if (event.action === 'datasets') {
      this._datasetsChanged.emit(event);
      return;
    }
    if (this._status) {
      // At once what the event knows; the lists follow from the server.
      this._setStatus({
        ...this._status,
        status: event.state,
        message: event.message
      });
    }
    if (event.action === 'committed') {
      this._patchWorkspace({
        ...workspace,
        head: event.head,
        runs: workspace.runs + event.total_runs
      });
      this._runsChanged.emit(event);
    }
    if (event.action !== 'committing') {
      void this._readStatus();
    }
  }

  private async _retryOnce(): Promise<void> {
    await this._read();
    if (this._connection === 'offline') {
      // A rejected poll backs off.
      throw this._error;
    }
  }

  private _onMaybeStale = (): void => {
    if (
      this._asked &&
      document.visibilityState === 'visible' &&
      Date.now() - this._readAt > STALE
    ) {
      void this._read();
    }
  };

  private _asked = false;
  private _connection: Connection = 'connecting';
  private _datasetsChanged = new Signal<IWorkspaceTracker, IWorkspaceEvent>(
    this
  );
  private _elsewhereChanged = new Signal<IWorkspaceTracker, IWorkspaceEvent>(
    this
  );
  private _error: ApiError | null = null;
  private _events: Event.IManager | null;
  private _isDisposed = false;
  private _isReady = false;
  private _liveChanged = new Signal<IWorkspaceTracker, IWorkspaceEvent>(this);
  private _path = '';
  private _pathChanged = new Signal<IWorkspaceTracker, string>(this);
  private _readAt = 0;
  private _readingStatus = false;
  private _reason = '';
  private _retry: Poll;
  private _runsChanged = new Signal<IWorkspaceTracker, IWorkspaceEvent | null>(
    this
  );
  private _serverVersion = '';
  private _settle: Debouncer;
  private _status: Status | null = null;
  private _statusAgain = false;
  private _statusChanged = new Signal<IWorkspaceTracker, Status | null>(this);
  private _suggestedPath: string | null = null;
  private _syncChanged = new Signal<IWorkspaceTracker, IWorkspaceEvent>(this);
  private _turn = 0;
  private _workspace: Workspace | null = null;
  private _workspaceChanged = new Signal<IWorkspaceTracker, Workspace | null>(
    this
  );
}

/**
 * A namespace for `WorkspaceTracker` types.
 */
export namespace WorkspaceTracker {
  /** What a tracker works with. */
  export interface IOptions {
    /** The REST API. */
    client: ApiClient;

    /** Jupyter's event bus; without it nothing is told, only asked. */
    events?: Event.IManager;

    /** How long the folder at hand must stay the same before it is read, in ms. */
    settle?: number;
  }
}

/**
 * Whether a contents path is a folder or lies in it.
 *
 * @param path - The path
 * @param folder - The folder; `''` is the server's root
 */
export function isInside(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/**
 * What an error means for the connection; null when the server is there and well.
 */
export function connectionOf(error: ApiError): Connection | null {
  switch (error.status) {
    case 0:
    // A proxy or a hub answers for a server that is not running.
    // eslint-disable-next-line no-fallthrough
    case 424:
    case 502:
    case 503:
    case 504:
      return 'offline';
    case 401:
      return 'forbidden';
    case 403:
      return error.code === 'forbidden_path' ? null : 'forbidden';
    case 404:
      return error.code === 'missing' ? 'missing' : null;
    default:
      return null;
  }
}

function sameMinor(a: string, b: string): boolean {
  const minor = (version: string) => version.split('.', 2).join('.');
  return minor(a) === minor(b);
}

function equal(a: unknown, b: unknown): boolean {
  return JSONExt.deepEqual(
    a as ReadonlyPartialJSONValue,
    b as ReadonlyPartialJSONValue
  );
}

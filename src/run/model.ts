// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiClient, ApiError } from '../api/client';
import type {
  CommitDetail,
  LiveRun,
  LogText,
  RunDetail,
  SeriesPoints
} from '../api/schema';
import { asApiError } from '../request';

/**
 * How many points of a metric are drawn at most.
 */
const POINTS = 2000;

/**
 * How much of the end of a log is shown at first, in bytes.
 */
export const LOG_TAIL = 200_000;

/**
 * What a run's tab shows: one run, read once, since runs do not change, but followed until it is one.
 */
export class RunModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the run.
   */
  constructor(options: RunModel.IOptions) {
    super();
    this._client = options.client;
    this.run = options.run;
    this.workspace = options.workspace;
  }

  /**
   * The id of the run.
   */
  readonly run: string;

  /**
   * A contents path in the run's workspace.
   */
  readonly workspace: string;

  /**
   * Everything known of the run, once it has been read.
   */
  get detail(): RunDetail | null {
    return this._detail;
  }

  /**
   * What the run has told so far, while it is not published.
   */
  get live(): LiveRun | null {
    return this._live;
  }

  /**
   * Why the run could not be read, if the last try failed.
   */
  get error(): ApiError | null {
    return this._error;
  }

  /**
   * Whether the workspace answers that it has no such run.
   */
  get isMissing(): boolean {
    return (
      this._error?.status === 404 &&
      this._error.code !== 'missing' &&
      this._error.code !== 'no_workspace'
    );
  }

  /**
   * Read the run.
   */
  async load(): Promise<void> {
    this._error = null;
    this.stateChanged.emit();
    await this._read();
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private async _read(): Promise<void> {
    try {
      const detail = await this._client.run(this.workspace, this.run);
      if (this.isDisposed) {
        return;
      }
      this._detail = detail;
      this._live = null;
    } catch (reason) {
      if (this.isDisposed) {
        return;
      }
      this._error = asApiError(reason);
    }
    if (this.isMissing) {
      await this._readLive();
    }
  }

  /**
   * Look again at a run that is not published.
   */
  async follow(): Promise<void> {
    await this._readLive();
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private async _readLive(): Promise<void> {
    const turn = ++this._turn;
    try {
      const { items } = await this._client.live(this.workspace);
      if (!this.isDisposed && turn === this._turn && !this._detail) {
        // while it is being published it is in neither list; what is known of it stays
        this._live = items.find(({ id }) => id === this.run) ?? this._live;
      }
    } catch {
      // What is known stays; the next event asks again.
    }
  }

  /**
   * The points so far of a metric of the run while it is under way; null where it has none.
   */
  async liveSeries(name: string): Promise<SeriesPoints | null> {
    const answer = await this._client.overlay(
      this.workspace,
      name,
      [this.run],
      POINTS
    );
    const points = answer.items[0];
    return points ? { ...points, name } : null;
  }

  /**
   * The points of a metric; read once.
   */
  series(name: string): Promise<SeriesPoints> {
    let points = this._series.get(name);
    if (!points) {
      points = this._client.series(this.workspace, this.run, name, POINTS);
      points.catch(() => this._series.delete(name));
      this._series.set(name, points);
    }
    return points;
  }

  /**
   * The end of a log.
   *
   * @param tail - How many bytes of it at most.
   */
  log(name: string, tail: number): Promise<LogText> {
    return this._client.log(this.workspace, this.run, name, tail);
  }

  /**
   * The run's commit with its metadata.
   */
  commit(id: string): Promise<CommitDetail> {
    return this._client.commitDetail(this.workspace, id);
  }

  private _client: ApiClient;
  private _detail: RunDetail | null = null;
  private _error: ApiError | null = null;
  private _live: LiveRun | null = null;
  private _series = new Map<string, Promise<SeriesPoints>>();
  private _turn = 0;
}

/**
 * A namespace for `RunModel` types.
 */
export namespace RunModel {
  /**
   * What a run model needs.
   */
  export interface IOptions {
    /**
     * The API.
     */
    client: ApiClient;

    /**
     * The id of the run.
     */
    run: string;

    /**
     * A contents path in the run's workspace.
     */
    workspace: string;
  }
}

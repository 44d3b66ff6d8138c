// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiClient, ApiError } from '../api/client';
import type { Diff, FileDifference } from '../api/schema';
import { asApiError } from '../request';
import { RunModel } from '../run/model';

/**
 * How many changed files are asked for at once.
 */
const PAGE = 1000;

/**
 * What a comparison shows: two runs and how the files of their commits differ.
 */
export class CompareModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the runs.
   */
  constructor(options: CompareModel.IOptions) {
    super();
    this._client = options.client;
    this.workspace = options.workspace;
    this._a = this._follow(options.a);
    this._b = this._follow(options.b);
  }

  /**
   * A contents path in the workspace of both runs.
   */
  readonly workspace: string;

  /**
   * The first run.
   */
  get a(): RunModel {
    return this._a;
  }

  /**
   * The second run.
   */
  get b(): RunModel {
    return this._b;
  }

  /**
   * How the files of the two commits differ, as far as it has been read.
   */
  get diff(): Diff | null {
    return this._diff;
  }

  /**
   * Why that could not be read.
   */
  get diffError(): ApiError | null {
    return this._diffError;
  }

  /**
   * Dispose of the model and both runs.
   */
  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._leave(this._a);
    this._leave(this._b);
    super.dispose();
  }

  /**
   * Read both runs and the differences of their files.
   */
  async load(): Promise<void> {
    await Promise.all(
      [this._a, this._b].map(run => (run.detail ? undefined : run.load()))
    );
    await this.loadDiff();
  }

  /**
   * Put the second run first.
   */
  async swap(): Promise<void> {
    [this._a, this._b] = [this._b, this._a];
    this.stateChanged.emit();
    await this.loadDiff();
  }

  /**
   * Take another run in the place of one of the two.
   */
  async choose(side: 'a' | 'b', run: string): Promise<void> {
    const model = this._follow(run);
    if (side === 'a') {
      this._leave(this._a);
      this._a = model;
    } else {
      this._leave(this._b);
      this._b = model;
    }
    this.stateChanged.emit();
    await this.load();
  }

  /**
   * Read how the files differ, from the start or what comes next.
   */
  async loadDiff(more: boolean = false): Promise<void> {
    const old = this._a.detail?.commit;
    const newer = this._b.detail?.commit;
    if (this.isDisposed || !old || !newer) {
      return;
    }
    const items: FileDifference[] = more ? (this._diff?.items ?? []) : [];
    const request = ++this._request;
    if (!more) {
      this._diff = null;
    }
    this._diffError = null;
    try {
      const page: Diff =
        old === newer
          ? { old, new: newer, items: [], total: 0 }
          : await this._client.diff(this.workspace, old, newer, {
              offset: items.length,
              limit: PAGE
            });
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._diff = { ...page, items: [...items, ...page.items] };
    } catch (reason) {
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._diffError = asApiError(reason);
    }
    this.stateChanged.emit();
  }

  private _follow(run: string): RunModel {
    const model = new RunModel({
      client: this._client,
      run,
      workspace: this.workspace
    });
    model.stateChanged.connect(this._onRunChanged, this);
    return model;
  }

  private _leave(model: RunModel): void {
    model.stateChanged.disconnect(this._onRunChanged, this);
    model.dispose();
  }

  private _onRunChanged(): void {
    this.stateChanged.emit();
  }

  private _client: ApiClient;
  private _a: RunModel;
  private _b: RunModel;
  private _diff: Diff | null = null;
  private _diffError: ApiError | null = null;
  private _request = 0;
}

/**
 * A namespace for `CompareModel` types.
 */
export namespace CompareModel {
  /**
   * What a comparison needs.
   */
  export interface IOptions {
    /**
     * The API.
     */
    client: ApiClient;

    /**
     * A contents path in the workspace of both runs.
     */
    workspace: string;

    /**
     * The id of the first run.
     */
    a: string;

    /**
     * The id of the second run.
     */
    b: string;
  }
}

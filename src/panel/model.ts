// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { runTitle } from '../run/format';
import type { IWorkspaceEvent, IWorkspaceTracker } from '../tokens';
import { fieldOf } from './format';
import { RunsModel } from './runs';

/** For how long a run that has just arrived is marked, in ms. */
const FRESH = 4000;

/** Sort key of the order from the first run on. */
export const OLDEST = 'started asc';

/**
 * A value that is shown for each run.
 */
export interface IColumn {
  /** Which group of values it is of. */
  readonly kind: 'metrics' | 'parameters';

  /** Its name there. */
  readonly name: string;
}

/**
 * What the panel shows, apart from what the tracker knows.
 */
export class PanelModel implements IDisposable {
  /**
   * Create a model.
   *
   * @param tracker - Knows the workspace
   * @param trans - Translates what is announced
   */
  constructor(
    readonly tracker: IWorkspaceTracker,
    private readonly _trans: TranslationBundle
  ) {
    this.runs = new RunsModel((query, signal) =>
      tracker.client.runs(tracker.workspace?.path ?? tracker.path, query, {
        signal
      })
    );
    tracker.workspaceChanged.connect(this._onWorkspaceChanged, this);
    tracker.runsChanged.connect(this._onRunsChanged, this);
  }

  /** The list of runs. */
  readonly runs: RunsModel;

  /** Emitted when the selection, the metrics, or what is announced changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Ids of the runs chosen for a comparison, at most two, in the order they were chosen. */
  get selected(): readonly string[] {
    return this._selected;
  }

  /** What a screen reader is to say. */
  get announcement(): string {
    return this._announcement;
  }

  /** Ids of the runs that have just arrived. */
  get fresh(): ReadonlySet<string> {
    return this._fresh;
  }

  /** Whether each run shows metrics of its own, since none are chosen. */
  get showsOwnMetrics(): boolean {
    return this._metrics.length === 0;
  }

  /** The values to show for each run: what the list is sorted by, then the chosen metrics. */
  get columns(): readonly IColumn[] {
    const columns: IColumn[] = this._metrics.map(name => ({
      kind: 'metrics',
      name
    }));
    const { sort } = this.runs.filter;
    const sorted = [
      ...this.runs.metrics.map(name => ({ kind: 'metrics', name }) as const),
      ...this.runs.parameters.map(
        name => ({ kind: 'parameters', name }) as const
      )
    ].find(({ kind, name }) => sort.startsWith(`${fieldOf(kind, name)} `));
    if (!sorted) {
      return columns;
    }
    return [
      sorted,
      ...columns.filter(
        ({ kind, name }) => kind !== sorted.kind || name !== sorted.name
      )
    ];
  }

  /**
   * Choose the metrics to show; the first ones of each run when empty.
   */
  setMetrics(names: readonly string[]): void {
    this._metrics = names;
    this._changed.emit();
  }

  /**
   * Choose the order that the list has when a workspace is opened.
   *
   * @param sort - A sort key; `''` is newest first
   */
  setSort(sort: string): void {
    if (sort !== this._sort) {
      this._sort = sort;
      this.runs.setFilter({ sort });
      this._changed.emit();
    }
  }

  /**
   * Choose a run for a comparison, or no longer.
   */
  toggle(id: string): void {
    this._selected = this._selected.includes(id)
      ? this._selected.filter(other => other !== id)
      : [...this._selected, id].slice(-2);
    this._changed.emit();
  }

  /**
   * Choose exactly these runs for a comparison.
   */
  select(ids: readonly string[]): void {
    this._selected = [...new Set(ids)].slice(-2);
    this._changed.emit();
  }

  /** Whether anybody looks; without that nothing is asked for. */
  get isVisible(): boolean {
    return this._isVisible;
  }
  set isVisible(visible: boolean) {
    if (visible === this._isVisible) {
      return;
    }
    this._isVisible = visible;
    if (visible) {
      this._onWorkspaceChanged();
      if (this._isMissed) {
        this._isMissed = false;
        void this.runs.reload();
      }
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    window.clearTimeout(this._timer);
    this.tracker.workspaceChanged.disconnect(this._onWorkspaceChanged, this);
    this.tracker.runsChanged.disconnect(this._onRunsChanged, this);
    this.runs.dispose();
    Signal.clearData(this);
  }

  private _onWorkspaceChanged(): void {
    const id = this.tracker.workspace?.id ?? null;
    if (!this._isVisible || id === this._workspace) {
      return;
    }
    this._workspace = id;
    this._selected = [];
    this._isMissed = false;
    // Names of one workspace mean nothing in another.
    this.runs.setSource(null);
    this.runs.setFilter({ search: '', where: '', sort: this._sort });
    this.runs.setSource(id);
    this._changed.emit();
  }

  private async _onRunsChanged(
    _: IWorkspaceTracker,
    event: IWorkspaceEvent | null
  ): Promise<void> {
    if (!this._isVisible) {
      this._isMissed = true;
      return;
    }
    await this.runs.reload();
    if (this._isDisposed || !event || event.total_runs === 0) {
      return;
    }
    this._fresh = new Set(event.runs);
    this._announcement = this._describe(event);
    this._changed.emit();
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => {
      this._fresh = new Set();
      // The same words must be new words when they are said again.
      this._announcement = '';
      this._changed.emit();
    }, FRESH);
  }

  private _describe(event: IWorkspaceEvent): string {
    const [id] = event.runs;
    const run =
      event.total_runs === 1 && id
        ? this.runs.get(this.runs.indexOf(id))
        : undefined;
    if (!run) {
      return this._trans._n('%1 new run', '%1 new runs', event.total_runs);
    }
    const title = runTitle(run, this._trans);
    return run.status === 'failed'
      ? this._trans.__('New run: %1, failed', title)
      : this._trans.__('New run: %1', title);
  }

  private _announcement = '';
  private _changed = new Signal<this, void>(this);
  private _fresh: ReadonlySet<string> = new Set();
  private _isDisposed = false;
  private _isMissed = false;
  private _isVisible = false;
  private _metrics: readonly string[] = [];
  private _selected: readonly string[] = [];
  private _sort = '';
  private _timer = 0;
  private _workspace: string | null = null;
}

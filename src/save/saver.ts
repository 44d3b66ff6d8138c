// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { CellList, INotebookModel } from '@jupyterlab/notebook';
import type { IOutputAreaModel } from '@jupyterlab/outputarea';
import type { IObservableList } from '@jupyterlab/observables';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { isWritable } from '../documents';
import { PublishDetector } from './detector';
import { SaveQueue } from './queue';

/**
 * How long a publish waits for the end of its cell, in ms.
 *
 * Most cells end right after they published; saved then, the notebook holds the whole cell. A
 * cell that goes on is not waited for.
 */
const WAIT = 250;

/** How long after a kernel is idle its last messages are through, in ms. */
const TAIL = 20;

/**
 * Saves a notebook when a run is published in it.
 */
export class NotebookSaver implements IDisposable {
  /**
   * Create a saver.
   *
   * @param context - The notebook
   * @param isEnabled - Whether saving is wanted at this moment
   */
  constructor(
    private readonly _context: DocumentRegistry.IContext<INotebookModel>,
    private readonly _isEnabled: () => boolean
  ) {
    _context.disposed.connect(this.dispose, this);
    // What is in the file when it is opened was not published now.
    void _context.ready.then(() => this._watch());
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
    this._context.disposed.disconnect(this.dispose, this);
    this._context.sessionContext.statusChanged.disconnect(
      this._onKernelStatus,
      this
    );
    Signal.clearData(this);
  }

  private _watch(): void {
    if (this._isDisposed) {
      return;
    }
    const { model, sessionContext } = this._context;
    sessionContext.statusChanged.connect(this._onKernelStatus, this);
    model.cells.changed.connect(this._onCellsChanged, this);
    for (const cell of model.cells) {
      this._watchCell(cell);
    }
  }

  private _watchCell(cell: ICellModel): void {
    if (cell.type === 'code') {
      // A second connection of the same method is none.
      (cell as ICodeCellModel).outputs.changed.connect(
        this._onOutputsChanged,
        this
      );
    }
  }

  private _onCellsChanged(
    _: CellList,
    change: IObservableList.IChangedArgs<ICellModel>
  ): void {
    if (change.type === 'add' || change.type === 'set') {
      change.newValues.forEach(cell => this._watchCell(cell));
    }
  }

  private _onOutputsChanged(
    _: IOutputAreaModel,
    change: IOutputAreaModel.ChangedArgs
  ): void {
    if (change.type !== 'add' && change.type !== 'set') {
      return;
    }
    // Undone deletions and pasted cells bring old runs, but no kernel works then.
    const status = this._context.sessionContext.session?.kernel?.status;
    let isNew = false;
    for (const output of change.newValues) {
      isNew = this._detector.hasNewRun(output) || isNew;
    }
    if (isNew && status === 'busy' && this._timer === 0) {
      this._timer = window.setTimeout(this._flush, WAIT);
    }
  }

  private _onKernelStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'idle' && this._timer !== 0) {
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(this._flush, TAIL);
    }
  }

  private _flush = (): void => {
    this._timer = 0;
    void this._queue.request();
  };

  private async _save(): Promise<void> {
    const context = this._context;
    if (
      this._isDisposed ||
      !this._isEnabled() ||
      !isWritable(context as DocumentRegistry.Context)
    ) {
      return;
    }
    await context.save();
  }

  private _detector = new PublishDetector();
  private _isDisposed = false;
  private _queue = new SaveQueue(() => this._save());
  private _timer = 0;
}

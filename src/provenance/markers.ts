// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { PanelLayout } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';

import { runIcon } from '../icons';
import { runTitle, shortId } from '../run/format';
import type { ICellRun } from './cells';
import { runsOf } from './cells';

/** How long outputs must stay the same before they are looked at, in ms. */
const SETTLE = 300;

/** How many runs of a cell have a button of their own. */
const BUTTONS = 3;

/**
 * Shows on the cells of a notebook which runs they published.
 *
 * #### Notes
 * Only cells that have come into view are looked at and followed, so that opening a long notebook costs
 * nothing. Nothing is written into the notebook.
 */
export class NotebookMarkers implements IDisposable {
  /**
   * Create the markers of a notebook.
   */
  constructor(private readonly _options: NotebookMarkers.IOptions) {
    const { panel } = _options;
    if (typeof IntersectionObserver !== 'undefined') {
      this._observer = new IntersectionObserver(entries => {
        for (const { isIntersecting, target } of entries) {
          if (isIntersecting) {
            this._onSeen(target);
          }
        }
      });
    }
    panel.content.modelContentChanged.connect(this._onContent, this);
    panel.disposed.connect(this.dispose, this);
    this._onContent();
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
    this._observer?.disconnect();
    const { panel } = this._options;
    panel.content.modelContentChanged.disconnect(this._onContent, this);
    panel.disposed.disconnect(this.dispose, this);
    for (const [cell, marker] of this._seen) {
      this._unfollow(cell);
      marker?.dispose();
    }
    this._seen.clear();
    this._nodes.clear();
    Signal.clearData(this);
  }

  /**
   * Take over what is recorded of the runs of cells, for cells whose outputs do not tell.
   *
   * @param recorded - The newest runs by the ids of the cells that published them
   */
  setRecorded(recorded: ReadonlyMap<string, ICellRun>): void {
    this._recorded = recorded;
    [...this._seen.keys()].forEach(cell => this._draw(cell));
  }

  /** Look for cells that came; called on every change of the notebook. */
  private _onContent(): void {
    for (const cell of this._options.panel.content.widgets) {
      if (cell.model.type === 'code' && !this._nodes.has(cell.node)) {
        this._nodes.set(cell.node, cell as CodeCell);
        cell.disposed.connect(this._onCellDisposed, this);
        if (this._observer) {
          this._observer.observe(cell.node);
        } else {
          this._onSeen(cell.node);
        }
      }
    }
  }

  private _onSeen(node: Element): void {
    const cell = this._nodes.get(node);
    if (!cell || cell.isDisposed || cell.isPlaceholder()) {
      return;
    }
    this._observer?.unobserve(node);
    const { outputs } = cell.model;
    this._seen.set(cell, null);
    this._cells.set(outputs, cell);
    outputs.changed.connect(this._onOutputs, this);
    outputs.stateChanged.connect(this._onOutputs, this);
    this._draw(cell);
  }

  /** Outputs may come by the thousand: they are looked at once they come no more. */
  private _onOutputs(outputs: object): void {
    const cell = this._cells.get(outputs);
    if (cell) {
      this._changed.add(cell);
    }
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => {
      const changed = [...this._changed];
      this._changed.clear();
      changed.forEach(one => this._draw(one));
    }, SETTLE);
  }

  private _onCellDisposed(cell: Cell): void {
    this._observer?.unobserve(cell.node);
    this._nodes.delete(cell.node);
    this._seen.delete(cell as CodeCell);
  }

  private _unfollow(cell: CodeCell): void {
    cell.disposed.disconnect(this._onCellDisposed, this);
    cell.model?.outputs.changed.disconnect(this._onOutputs, this);
    cell.model?.outputs.stateChanged.disconnect(this._onOutputs, this);
  }

  private _draw(cell: CodeCell): void {
    if (cell.isDisposed) {
      return;
    }
    let runs = runsOf(cell.model.outputs);
    const recorded = this._recorded.get(cell.model.id);
    const isCleared = runs.length === 0 && recorded !== undefined;
    if (isCleared) {
      runs = [recorded];
    }
    if (runs.length === 0) {
      this._seen.get(cell)?.dispose();
      this._seen.set(cell, null);
      return;
    }
    this._markerOf(cell).setRuns(runs, isCleared);
  }

  private _markerOf(cell: CodeCell): CellMarker {
    const known = this._seen.get(cell);
    if (known) {
      return known;
    }
    const marker = new CellMarker(this._options);
    this._seen.set(cell, marker);
    const layout = cell.layout as PanelLayout;
    const input = layout.widgets.findIndex(widget =>
      widget.hasClass('jp-Cell-inputWrapper')
    );
    layout.insertWidget(input + 1, marker);
    return marker;
  }

  private _cells = new WeakMap<object, CodeCell>();
  private _changed = new Set<CodeCell>();
  private _isDisposed = false;
  private _nodes = new Map<Element, CodeCell>();
  private _observer: IntersectionObserver | null = null;
  private _recorded: ReadonlyMap<string, ICellRun> = new Map();
  private _seen = new Map<CodeCell, CellMarker | null>();
  private _timer = 0;
}

/**
 * A namespace for `NotebookMarkers` types.
 */
export namespace NotebookMarkers {
  /**
   * What the markers of a notebook need.
   */
  export interface IOptions {
    /** The notebook. */
    panel: NotebookPanel;

    /** Opens a run's tab. */
    openRun: (run: string) => void;

    /** The translations. */
    trans: TranslationBundle;
  }
}

/**
 * The buttons below the input of a cell.
 */
class CellMarker extends Widget {
  constructor(private readonly _options: NotebookMarkers.IOptions) {
    super();
    this.addClass('jp-DotscienceMarker');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute(
      'aria-label',
      _options.trans.__('Runs that this cell published')
    );
    // Enter on a button is not to start editing the cell
    this.node.setAttribute('data-lm-suppress-shortcuts', 'true');
  }

  /**
   * Show runs; what is shown already stays as it is, and so does the focus.
   */
  setRuns(runs: readonly ICellRun[], isCleared: boolean): void {
    const key = JSON.stringify([runs, isCleared, this._isOpen]);
    if (key === this._key) {
      return;
    }
    this._key = key;
    const { openRun, trans } = this._options;
    const shown = this._isOpen ? runs : runs.slice(0, BUTTONS);
    const buttons = shown.map(run =>
      button(label(run, trans), title(run, isCleared, trans), () =>
        openRun(run.id)
      )
    );
    const more = runs.length - shown.length;
    if (more > 0) {
      buttons.push(
        button(
          trans._n('and %1 more', 'and %1 more', more, more),
          trans.__('Show all runs that this cell published'),
          () => {
            this._isOpen = true;
            this.setRuns(runs, isCleared);
            this.node.querySelectorAll('button')[BUTTONS]?.focus();
          }
        )
      );
    }
    this.node.replaceChildren(...buttons);
  }

  private _isOpen = false;
  private _key = '';
}

function label(run: ICellRun, trans: TranslationBundle): string {
  const id = shortId(run.id);
  if (run.failed) {
    return trans.__('Run %1 · failed', id);
  }
  return run.metric
    ? trans.__('Run %1 · %2 %3', id, run.metric.name, run.metric.text)
    : trans.__('Run %1', id);
}

function title(
  run: ICellRun,
  isCleared: boolean,
  trans: TranslationBundle
): string {
  const name = runTitle(run, trans);
  return isCleared
    ? trans.__(
        'Open the run that this cell published: %1. Its output is no longer here.',
        name
      )
    : trans.__('Open the run that this cell published: %1', name);
}

function button(
  text: string,
  description: string,
  onClick: () => void
): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.title = description;
  node.append(
    runIcon.element({ tag: 'span', className: 'jp-DotscienceMarker-icon' }),
    text
  );
  node.addEventListener('click', event => {
    event.stopPropagation();
    onClick();
  });
  return node;
}

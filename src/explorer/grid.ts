// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- only loaded with import()
import { DataGrid, RendererMap, type DataModel } from '@lumino/datagrid';
import type { Message } from '@lumino/messaging';

import { resizeColumn } from './arrange';
import { columnTitle } from './cells';
import { ColumnMenu } from './columnmenu';
import { Copies } from './copies';
import { RunsDataModel } from './datamodel';
import { RunsMouseHandler, type IHandlerOptions } from './handlers';
import { HeaderCursor } from './headers';
import { RunsKeyHandler } from './keys';
import { Mirror } from './mirror';
import type { ExplorerModel } from './model';
import { RunsRenderer } from './renderer';
import { readTheme, type ITheme } from './theme';

/** Height of a row, in px. */
const ROW = 26;

/** Widths of columns that nobody changed, in px. */
const WIDTHS = { number: 110, text: 140, time: 180, description: 240 };

/** The width that a column has at most when it is fitted to its content, in px. */
const MOST_FITTED = 600;

/** How long the table must stand still before what it shows is asked for and told, in ms. */
const STILL = 20;

/** How long it must stand still before readers are told, in ms. */
const QUIET = 150;

/**
 * The table of the runs.
 */
export class RunsGrid extends DataGrid {
  /**
   * Create the table.
   *
   * @param options - What it shows and what can be done with it
   */
  constructor(private readonly _options: RunsGrid.IOptions) {
    super({
      defaultSizes: {
        rowHeight: ROW,
        columnWidth: WIDTHS.number,
        rowHeaderWidth: WIDTHS.description,
        columnHeaderHeight: 30
      },
      minimumSizes: {
        rowHeight: ROW,
        columnWidth: 40,
        rowHeaderWidth: 40,
        columnHeaderHeight: 30
      },
      headerVisibility: 'all',
      stretchLastColumn: false
    });
    const { model, themeManager, trans } = _options;
    this.addClass('jp-DotscienceGrid');
    this._theme = readTheme(document.body);
    this._data = new RunsDataModel(model, () => this._look(STILL));
    this._headers = new HeaderCursor(model);
    const headers = this._headers;
    this._mirror = new Mirror({ grid: this, headers, model, trans });
    this._menu = new ColumnMenu({
      model,
      trans,
      fit: key => this._fitContent(key),
      done: () => this.focus()
    });
    const renderer = new RunsRenderer({
      model,
      data: () => this._data,
      headers,
      theme: () => this._theme,
      trans
    });
    this.cellRenderers = new RendererMap({}, renderer);
    const handlers: IHandlerOptions = {
      model,
      data: () => this._data,
      headers,
      open: _options.open,
      menu: _options.menu,
      columnMenu: (key, x, y) => this._menu.open(key, x, y),
      fit: key => this._fitContent(key),
      mark: x => this._mark(x)
    };
    this.mouseHandler = new RunsMouseHandler(handlers);
    this.keyHandler = new RunsKeyHandler(handlers);
    this.dataModel = this._data;
    this._drop.className = 'jp-DotscienceGrid-drop';
    this._drop.hidden = true;
    this.viewport.node.appendChild(this._drop);
    this._fit();
    model.changed.connect(this._onModelChanged, this);
    model.rowsChanged.connect(this._onRowsChanged, this);
    model.selection.changed.connect(this._onSelectionChanged, this);
    headers.changed.connect(this._onHeaderChanged, this);
    themeManager?.themeChanged.connect(this._onThemeChanged, this);
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    const { model, themeManager } = this._options;
    model.changed.disconnect(this._onModelChanged, this);
    model.rowsChanged.disconnect(this._onRowsChanged, this);
    model.selection.changed.disconnect(this._onSelectionChanged, this);
    themeManager?.themeChanged.disconnect(this._onThemeChanged, this);
    this._menu.dispose();
    for (const timer of [this._lookTimer, this._tellTimer]) {
      if (timer !== null) {
        clearTimeout(timer);
      }
    }
    super.dispose();
  }

  /** Put the focus on the table. */
  focus(): void {
    this.viewport.node.focus();
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._onThemeChanged();
  }

  protected onActivateRequest(msg: Message): void {
    this.focus();
  }

  /** Called whenever something comes into view. */
  protected paintContent(rx: number, ry: number, rw: number, rh: number): void {
    this._copies.begin();
    super.paintContent(rx, ry, rw, rh);
    this._copies.end(rx, ry, rw, rh);
    this._tell();
  }

  private _onModelChanged(): void {
    this._data.sync();
    this._fit();
    const words = this._columnWords();
    if (words !== this._said) {
      this._said = words;
      this._mirror.say(words);
    }
    this._look(0);
    this._tell();
  }

  private _onRowsChanged(): void {
    const { above } = this._options.model.rows;
    const by = above - this._above;
    this._above = above;
    this._data.sync();
    if (by !== 0 && this.scrollY > 0) {
      // a run that begins or ends above them does not move the rows that are looked at
      this.scrollBy(0, by * ROW);
    }
    this._look(STILL);
    this._tell();
  }

  private _onSelectionChanged(): void {
    this._data.redraw();
    this._mirror.update();
  }

  private _onHeaderChanged(): void {
    const isOn = this._headers.key !== null;
    if (isOn && !this._wasOnHeader) {
      this._mirror.say(
        this._options.trans.__(
          'Headers. Enter sorts, with Shift as a further key; Shift and the left or right arrow change the width; Shift+F10 has more; the down arrow goes back to the rows.'
        )
      );
    }
    this._wasOnHeader = isOn;
    this._said = this._columnWords();
    this._data.redraw();
    this._mirror.update();
  }

  /** What can be changed of the column whose header keys act on; `''` while they act on rows. */
  private _columnWords(): string {
    const { model, trans } = this._options;
    const { key } = this._headers;
    if (key === null) {
      return '';
    }
    const title = columnTitle(model.column(key), key, trans);
    const sort = model.state.sort.find(each => each.key === key);
    const width = model.state.widths[key];
    return [
      title,
      sort
        ? sort.descending
          ? trans.__('sorted descending')
          : trans.__('sorted ascending')
        : trans.__('not sorted'),
      ...(width === undefined ? [] : [trans.__('%1 pixels wide', width)])
    ].join(', ');
  }

  private _onThemeChanged(): void {
    const theme = readTheme(this.node);
    this._theme = theme;
    this.style = {
      voidColor: theme.background,
      backgroundColor: theme.background,
      gridLineColor: theme.border,
      verticalGridLineColor: 'transparent',
      headerBackgroundColor: theme.header,
      headerGridLineColor: theme.border,
      scrollShadow: {
        size: 6,
        color1: 'rgba(0, 0, 0, 0.2)',
        color2: 'rgba(0, 0, 0, 0.08)',
        color3: 'rgba(0, 0, 0, 0)'
      }
    };
  }

  /** Give each column its width. */
  private _fit(): void {
    const { model } = this._options;
    const regions: DataModel.ColumnRegion[] = ['row-header', 'body'];
    for (const region of regions) {
      const count = this._data.columnCount(region);
      for (let index = 0; index < count; index++) {
        const key = this._data.key(region, index);
        const width = model.state.widths[key] ?? this._width(key);
        if (this.columnSize(region, index) !== width) {
          this.resizeColumn(region, index, width);
        }
      }
    }
  }

  /** Give a column the width of its header and of the rows on the screen. */
  private _fitContent(key: string): void {
    const { model, trans } = this._options;
    const gc = document.createElement('canvas').getContext('2d');
    const view = this.currentViewport;
    if (!gc || !view) {
      return;
    }
    const { family, size } = this._theme;
    const texts = [columnTitle(model.column(key), key, trans)];
    for (let index = view.firstRow; index <= view.lastRow; index++) {
      const value = model.rows.row(index)?.values[key] ?? null;
      texts.push(model.text(key, value, trans));
    }
    // As wide as it would be in bold digits, with room for a star or an arrow.
    gc.font = `700 ${size}px ${family}`;
    const widest = Math.max(...texts.map(text => gc.measureText(text).width));
    resizeColumn(model, key, Math.min(MOST_FITTED, widest + 32));
  }

  private _width(key: string): number {
    const column = this._options.model.column(key);
    if (key === 'description') {
      return WIDTHS.description;
    }
    switch (column?.type) {
      case 'time':
        return WIDTHS.time;
      case 'text':
      case 'mixed':
        return key === 'status' ? WIDTHS.number : WIDTHS.text;
      default:
        return WIDTHS.number;
    }
  }

  /** Say soon which rows are looked at. */
  private _look(pause: number): void {
    if (this._lookTimer !== null) {
      return;
    }
    this._lookTimer = setTimeout(() => {
      this._lookTimer = null;
      const view = this.currentViewport;
      if (view && view.lastRow >= view.firstRow && view.firstRow >= 0) {
        this._options.model.rows.want(view.firstRow, view.lastRow);
      }
    }, pause);
  }

  /** Tell readers of the rows on the screen when it has been still for a while. */
  private _tell(): void {
    if (this._tellTimer !== null) {
      clearTimeout(this._tellTimer);
    }
    this._tellTimer = setTimeout(() => {
      this._tellTimer = null;
      this._mirror.update();
    }, QUIET);
  }

  private _mark(x: number | null): void {
    this._drop.hidden = x === null;
    this._drop.style.left = `${(x ?? 0) - 1}px`;
  }

  private _above = 0;
  private _copies = new Copies(this);
  private _data: RunsDataModel;
  private _drop = document.createElement('div');
  private _headers: HeaderCursor;
  private _lookTimer: ReturnType<typeof setTimeout> | null = null;
  private _menu: ColumnMenu;
  private _mirror: Mirror;
  private _said = '';
  private _tellTimer: ReturnType<typeof setTimeout> | null = null;
  private _theme: ITheme;
  private _wasOnHeader = false;
}

/**
 * A namespace for `RunsGrid` types.
 */
export namespace RunsGrid {
  /** What the table shows and what can be done with it. */
  export interface IOptions {
    /** The runs. */
    model: ExplorerModel;

    /** Tells when colours change, where there is one. */
    themeManager: IThemeManager | null;

    /** The translation bundle. */
    trans: TranslationBundle;

    /** Open a run. */
    open: (run: string) => void;

    /** Show what can be done with a run, at a place on the page. */
    menu: (run: string, x: number, y: number) => void;
  }
}

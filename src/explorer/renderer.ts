// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- only loaded with import()
import { CellRenderer, type GraphicsContext } from '@lumino/datagrid';

import { cellText, columnTitle } from './cells';
import type { Cell, RunsDataModel } from './datamodel';
import type { HeaderCursor } from './headers';
import type { ExplorerModel } from './model';
import type { ITheme } from './theme';

/** Room beside a cell's text, in px. */
const PADDING = 8;

/** How thick the frame of the header is that keys act on, in px. */
const FOCUS = 2;

/** How much of the brand's colour the ground of a selected row has. */
const SELECTED = 0.2;

/** How many shortened texts are remembered. */
const REMEMBERED = 5000;

/** Stands before a value that is the best of its column. */
const BEST = '★ ';

/** Stands before the name of a run under way. */
const LIVE = '● ';

/**
 * Draws the cells and headers of the runs.
 */
export class RunsRenderer extends CellRenderer {
  /**
   * Create a renderer.
   *
   * @param _options - What is drawn and with which colours
   */
  constructor(private readonly _options: RunsRenderer.IOptions) {
    super();
  }

  paint(gc: GraphicsContext, config: CellRenderer.CellConfig): void {
    const isHeader =
      config.region === 'column-header' || config.region === 'corner-header';
    if (isHeader) {
      this._paintHeader(gc, config);
    } else {
      this._paintCell(gc, config);
    }
  }

  private _paintHeader(
    gc: GraphicsContext,
    config: CellRenderer.CellConfig
  ): void {
    const { data, headers, model, theme, trans } = this._options;
    const { text, brand, family, size, dim } = theme();
    const key = data().key(config.region, config.column);
    const column = model.column(key);
    const sort = model.state.sort.findIndex(each => each.key === key);
    const isRight = column?.type === 'number';
    let right = config.width - PADDING;
    if (sort >= 0) {
      const arrow = model.state.sort[sort].descending ? '▼' : '▲';
      const mark = model.state.sort.length > 1 ? `${arrow}${sort + 1}` : arrow;
      this._text(gc, config, mark, {
        color: brand,
        font: `600 ${size - 3}px ${family}`,
        align: 'right',
        left: PADDING,
        right
      });
      right -= model.state.sort.length > 1 ? 24 : 14;
    }
    this._text(gc, config, columnTitle(column, key, trans), {
      color:
        column?.kind === 'parameter' || column?.kind === 'label' ? dim : text,
      font: `600 ${size - 1}px ${family}`,
      align: isRight ? 'right' : 'left',
      left: PADDING,
      right
    });
    if (headers.key === key) {
      gc.fillStyle = brand;
      const { x, y, width, height } = config;
      gc.fillRect(x, y, width - 1, FOCUS);
      gc.fillRect(x, y + height - 1 - FOCUS, width - 1, FOCUS);
      gc.fillRect(x, y, FOCUS, height - 1);
      gc.fillRect(x + width - 1 - FOCUS, y, FOCUS, height - 1);
    }
  }

  private _paintCell(
    gc: GraphicsContext,
    config: CellRenderer.CellConfig
  ): void {
    const { data, model, theme, trans } = this._options;
    const colors = theme();
    const key = data().key(config.region, config.column);
    const row = model.rows.row(config.row);
    const isSelected = row !== null && model.selection.has(row.id);
    if (config.region === 'row-header') {
      // The grid's ground of pinned columns is that of headers.
      gc.fillStyle = colors.background;
      gc.fillRect(config.x, config.y, config.width - 1, config.height - 1);
    }
    if (isSelected) {
      gc.globalAlpha = SELECTED;
      gc.fillStyle = colors.brand;
      gc.fillRect(config.x, config.y, config.width, config.height - 1);
      gc.globalAlpha = 1;
    }
    const isFirst =
      config.column === 0 &&
      (config.region === 'row-header' || model.pinned.length === 0);
    if (isFirst && (isSelected || config.row === model.selection.row)) {
      // More than a colour: a bar for selected rows, a thin one for the active row.
      gc.fillStyle = colors.brand;
      gc.fillRect(config.x, config.y, isSelected ? 4 : 2, config.height - 1);
    }
    if (config.row === model.selection.row) {
      gc.fillStyle = colors.brand;
      gc.fillRect(config.x, config.y, config.width, 1);
      gc.fillRect(config.x, config.y + config.height - 2, config.width, 1);
    }
    const value = config.value as Cell;
    if (value === undefined) {
      gc.fillStyle = colors.border;
      const width = 20 + ((config.row * 31 + config.column * 17) % 40);
      gc.fillRect(
        config.x + PADDING,
        config.y + config.height / 2 - 3,
        Math.min(width, config.width - 2 * PADDING),
        6
      );
      return;
    }
    const column = model.column(key);
    const text = cellText(column, value, trans);
    if (text === '') {
      return;
    }
    const live = row?.live;
    const isBest = !live && model.isBest(key, value);
    const isMarked = live !== undefined && (isFirst || key === 'status');
    const isFailed = isMarked
      ? live === 'gone'
      : key === 'status' && value === 'failed';
    const color = isBest
      ? colors.best
      : isFailed
        ? colors.error
        : isMarked
          ? colors.brand
          : colors.text;
    const sign = isBest ? BEST : live && isFirst ? LIVE : '';
    this._text(gc, config, `${sign}${text}`, {
      color,
      font: `${isBest ? '700 ' : ''}${colors.size}px ${colors.family}`,
      align: typeof value === 'number' ? 'right' : 'left',
      left: PADDING,
      right: config.width - PADDING
    });
  }

  private _text(
    gc: GraphicsContext,
    config: CellRenderer.CellConfig,
    text: string,
    style: {
      color: string;
      font: string;
      align: 'left' | 'right';
      left: number;
      right: number;
    }
  ): void {
    const room = style.right - style.left;
    if (room <= 0) {
      return;
    }
    gc.font = style.font;
    gc.fillStyle = style.color;
    gc.textAlign = style.align;
    gc.textBaseline = 'middle';
    gc.fillText(
      this._shorten(gc, text, style.font, room),
      config.x + (style.align === 'left' ? style.left : style.right),
      config.y + config.height / 2
    );
  }

  /** A text that has its room; measuring is what takes longest in drawing. */
  private _shorten(
    gc: GraphicsContext,
    text: string,
    font: string,
    room: number
  ): string {
    // No font is narrower than a fifth of its height or wider than its height, by and large.
    if (text.length * this._options.theme().size <= room) {
      return text;
    }
    const key = `${font}\n${room}\n${text}`;
    const known = this._short.get(key);
    if (known !== undefined) {
      return known;
    }
    let short = text;
    if (gc.measureText(text).width > room) {
      let least = 0;
      let most = text.length;
      while (least < most) {
        const middle = Math.ceil((least + most) / 2);
        const part = `${text.slice(0, middle)}…`;
        if (gc.measureText(part).width <= room) {
          least = middle;
        } else {
          most = middle - 1;
        }
      }
      short = `${text.slice(0, least)}…`;
    }
    if (this._short.size >= REMEMBERED) {
      this._short.clear();
    }
    this._short.set(key, short);
    return short;
  }

  private _short = new Map<string, string>();
}

/**
 * A namespace for `RunsRenderer` types.
 */
export namespace RunsRenderer {
  /** What is drawn and with which colours. */
  export interface IOptions {
    /** The runs. */
    model: ExplorerModel;

    /** Knows which column is where. */
    data: () => RunsDataModel;

    /** The header that keys act on. */
    headers: HeaderCursor;

    /** The colours of the moment. */
    theme: () => ITheme;

    /** The translation bundle. */
    trans: TranslationBundle;
  }
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Which rows of a list of equal rows are to be drawn.
 */
export interface IWindow {
  /** Index of the first row. */
  readonly first: number;

  /** Index behind the last row. */
  readonly end: number;
}

/** How many rows are drawn beyond each edge of the visible part. */
export const OVERSCAN = 10;

/**
 * The rows to draw: those that are visible and a few beyond, so that scrolling shows no gap.
 *
 * @param scrollTop - How far the list is scrolled, in px
 * @param height - Height of the visible part, in px
 * @param rowHeight - Height of a row, in px
 * @param total - How many rows there are
 */
export function visibleWindow(
  scrollTop: number,
  height: number,
  rowHeight: number,
  total: number
): IWindow {
  if (total <= 0) {
    return { first: 0, end: 0 };
  }
  const top = clamp(Math.floor(scrollTop / rowHeight), 0, total - 1);
  const bottom = Math.ceil((Math.max(scrollTop, 0) + height) / rowHeight);
  return {
    first: Math.max(0, top - OVERSCAN),
    end: Math.min(total, Math.max(bottom, top + 1) + OVERSCAN)
  };
}

/**
 * How far to scroll so that a row is fully visible, moving as little as possible.
 */
export function scrollToShow(
  index: number,
  scrollTop: number,
  height: number,
  rowHeight: number
): number {
  const top = index * rowHeight;
  if (top < scrollTop) {
    return top;
  }
  if (top + rowHeight > scrollTop + height) {
    return Math.max(0, top + rowHeight - height);
  }
  return scrollTop;
}

/**
 * The row that a key moves to, or null when the key is none that moves.
 *
 * @param key - `KeyboardEvent.key`
 * @param index - The row at hand; -1 when there is none yet
 * @param page - How many rows a page holds
 * @param total - How many rows there are
 */
export function rowAfterKey(
  key: string,
  index: number,
  page: number,
  total: number
): number | null {
  if (total === 0) {
    return null;
  }
  const go = (to: number) => clamp(to, 0, total - 1);
  switch (key) {
    case 'ArrowDown':
      return go(index + 1);
    case 'ArrowUp':
      return go(index < 0 ? 0 : index - 1);
    case 'PageDown':
      return go(Math.max(index, 0) + Math.max(1, page - 1));
    case 'PageUp':
      return go(Math.max(index, 0) - Math.max(1, page - 1));
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    default:
      return null;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

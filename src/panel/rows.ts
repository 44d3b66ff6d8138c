// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import { type IWindow, scrollToShow, visibleWindow } from './window';

/** The height that is assumed until the real one can be measured, in px. */
const ASSUMED_HEIGHT = 600;

/** What there is around the lines of a row, in px. */
const AROUND = 12;

/**
 * A list of equal rows of which only those that are visible are in the page.
 */
export interface IRows extends IWindow {
  /** The element that is scrolled. */
  readonly ref: React.RefObject<HTMLDivElement>;

  /** How far it is scrolled, its height and that of a row, in px. */
  readonly scrollTop: number;
  readonly height: number;
  readonly row: number;

  /** Scroll to a place. */
  readonly scrollTo: (top: number) => void;

  /** Scroll no further than is needed to show a row. */
  readonly show: (index: number) => void;

  /** What the element does when it is scrolled. */
  readonly onScroll: (event: React.UIEvent) => void;
}

/**
 * Draw the visible rows of a long list.
 *
 * @param total - How many rows there are
 * @param lines - How many lines of text a row has, in the font size of the user's theme
 */
export function useRows(total: number, lines: number): IRows {
  const ref = React.useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = React.useState(0);
  const [size, setSize] = React.useState({
    height: 0,
    row: rowHeight(lines, 13)
  });
  const scrolled = React.useRef(0);
  scrolled.current = scrollTop;

  React.useLayoutEffect(() => {
    const node = ref.current;
    if (!node) {
      return;
    }
    const measure = (): void => {
      const style = getComputedStyle(node);
      const px = parseFloat(style.getPropertyValue('--jp-ui-font-size1'));
      const next = {
        height: node.clientHeight,
        row: rowHeight(lines, px || 13)
      };
      if (next.height > 0 && node.scrollTop !== scrolled.current) {
        // A hidden element may have forgotten how far it was scrolled.
        node.scrollTop = scrolled.current;
      }
      setSize(old =>
        old.height === next.height && old.row === next.row ? old : next
      );
    };
    measure();
    if (typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, [lines]);

  const { row } = size;
  const height = size.height || ASSUMED_HEIGHT;
  const scrollTo = (top: number): void => {
    if (ref.current) {
      ref.current.scrollTop = top;
      setScrollTop(ref.current.scrollTop);
    }
  };
  return {
    ...visibleWindow(scrollTop, height, row, total),
    ref,
    scrollTop,
    height,
    row,
    scrollTo,
    show: index => {
      if (ref.current) {
        scrollTo(scrollToShow(index, ref.current.scrollTop, height, row));
      }
    },
    onScroll: event => setScrollTop(event.currentTarget.scrollTop)
  };
}

/** The number of the row that an event is about; -1 if it is about none. */
export function indexAt(target: EventTarget): number {
  const row = (target as Element).closest<HTMLElement>('[data-index]');
  return row ? Number(row.dataset.index) : -1;
}

/**
 * Where on the page the menu of a row belongs.
 *
 * @param id - The id of the row's element
 */
export function menuPlace(
  event: React.MouseEvent,
  id: string
): [x: number, y: number] {
  if (indexAt(event.target) >= 0) {
    return [event.clientX, event.clientY];
  }
  // Opened by the keyboard: the menu belongs to the row, not to the list's corner.
  const row = document.getElementById(id) ?? event.currentTarget;
  const { left, top } = row.getBoundingClientRect();
  return [left + 16, top + 16];
}

function rowHeight(lines: number, px: number): number {
  return Math.round(px * 1.5 * lines + AROUND);
}

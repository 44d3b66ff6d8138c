// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  OVERSCAN,
  rowAfterKey,
  scrollToShow,
  visibleWindow
} from '../panel/window';

describe('visibleWindow', () => {
  it('is empty for an empty list', () => {
    expect(visibleWindow(0, 600, 60, 0)).toEqual({ first: 0, end: 0 });
  });

  it('holds the visible rows and a few around', () => {
    expect(visibleWindow(6000, 600, 60, 10_000)).toEqual({
      first: 100 - OVERSCAN,
      end: 110 + OVERSCAN
    });
  });

  it('stays inside the list wherever it is scrolled to', () => {
    for (const scrollTop of [-50, 0, 30, 599_399, 600_000, 1e9]) {
      const { first, end } = visibleWindow(scrollTop, 600, 60, 10_000);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(10_000);
      expect(end).toBeGreaterThan(first);
      expect(end - first).toBeLessThanOrEqual(11 + 2 * OVERSCAN);
    }
  });
});

describe('scrollToShow', () => {
  it('moves only as far as it must', () => {
    expect(scrollToShow(5, 0, 600, 60)).toBe(0);
    expect(scrollToShow(10, 0, 600, 60)).toBe(60);
    expect(scrollToShow(3, 600, 600, 60)).toBe(180);
  });
});

describe('rowAfterKey', () => {
  it('moves by rows, pages and to the ends, and not beyond', () => {
    expect(rowAfterKey('ArrowDown', -1, 10, 100)).toBe(0);
    expect(rowAfterKey('ArrowDown', 99, 10, 100)).toBe(99);
    expect(rowAfterKey('ArrowUp', 0, 10, 100)).toBe(0);
    expect(rowAfterKey('PageDown', 5, 10, 100)).toBe(14);
    expect(rowAfterKey('PageUp', 5, 10, 100)).toBe(0);
    expect(rowAfterKey('Home', 50, 10, 100)).toBe(0);
    expect(rowAfterKey('End', 50, 10, 100)).toBe(99);
  });

  it('leaves other keys alone', () => {
    expect(rowAfterKey('a', 5, 10, 100)).toBeNull();
    expect(rowAfterKey('ArrowDown', 0, 10, 0)).toBeNull();
  });
});

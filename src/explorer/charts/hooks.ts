// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import * as React from 'react';

import type { Points } from '../../api/schema';
import { errorOf } from '../../reason';
import type { ExplorerModel } from '../model';
import { readTheme, type ITheme } from '../theme';

/** Something that is asked for, and what was there before while it is on its way. */
export interface IKept<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly isBusy: boolean;
  readonly retry: () => void;
}

/**
 * Ask for something, and again when `key` changes; what was there stays until the answer comes.
 *
 * @param ask - Asks; called only when `key` changes or on a retry
 * @param key - What is asked for; null for nothing
 */
export function useKept<T>(
  ask: () => Promise<T>,
  key: string | null
): IKept<T> {
  const [round, setRound] = React.useState(0);
  const [state, setState] = React.useState<{
    value: T | null;
    error: Error | null;
    isBusy: boolean;
  }>({ value: null, error: null, isBusy: key !== null });
  const latest = React.useRef(ask);
  latest.current = ask;
  React.useEffect(() => {
    if (key === null) {
      setState({ value: null, error: null, isBusy: false });
      return;
    }
    let isCurrent = true;
    setState(({ value, error }) => ({ value, error, isBusy: true }));
    latest.current().then(
      value => {
        if (isCurrent) {
          setState({ value, error: null, isBusy: false });
        }
      },
      (reason: unknown) => {
        if (isCurrent) {
          const error = errorOf(reason);
          setState({ value: null, error, isBusy: false });
        }
      }
    );
    return () => {
      isCurrent = false;
    };
  }, [key, round]);
  return { ...state, retry: React.useCallback(() => setRound(n => n + 1), []) };
}

/**
 * Values of the runs that match, by column; asked for anew when the runs or the condition change.
 */
export function usePoints(
  model: ExplorerModel,
  keys: readonly string[]
): IKept<Points> {
  const { where, search } = model.state;
  const wanted = [...new Set(keys.filter(key => key !== ''))];
  const isReady = model.columns.length > 0 && wanted.length > 0;
  return useKept(
    () => model.client.points({ where, search }, wanted),
    isReady ? JSON.stringify([where, search, wanted, model.revision]) : null
  );
}

/**
 * The theme's colours, read anew when it changes.
 */
export function useTheme(manager: IThemeManager | null): ITheme {
  const [theme, setTheme] = React.useState(() => readTheme(document.body));
  React.useEffect(() => {
    const read = (): void => setTheme(readTheme(document.body));
    read();
    manager?.themeChanged.connect(read);
    return () => {
      manager?.themeChanged.disconnect(read);
    };
  }, [manager]);
  return theme;
}

/**
 * The width of a node, in px; 0 while nobody knows.
 */
export function useWidth(ref: React.RefObject<HTMLElement>): number {
  const [width, setWidth] = React.useState(0);
  React.useEffect(() => {
    const node = ref.current;
    if (!node) {
      return;
    }
    setWidth(node.clientWidth);
    if (typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(() => setWidth(node.clientWidth));
    observer.observe(node);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

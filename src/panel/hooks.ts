// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useRef, useState } from 'react';

/**
 * Draw again whenever a signal is emitted.
 *
 * @param signal - The signal
 */
export function useSignal<T, U>(signal: ISignal<T, U>): void {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const owner = {};
    signal.connect(draw, owner);
    return () => {
      signal.disconnect(draw, owner);
    };
  }, [signal]);
}

/**
 * The time, told anew every so often.
 *
 * @param interval - How often, in ms
 * @returns Milliseconds since the epoch
 */
export function useNow(interval: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), interval);
    return () => window.clearInterval(timer);
  }, [interval]);
  return now;
}

/**
 * Tell a value on once it has not changed for a while.
 *
 * @param value - The value
 * @param delay - For how long it must stay the same, in ms
 * @param tell - What is to be told
 */
export function useDebounced<T>(
  value: T,
  delay: number,
  tell: (value: T) => void
): void {
  useEffect(() => {
    const timer = window.setTimeout(() => tell(value), delay);
    return () => window.clearTimeout(timer);
    // Only a new value starts the time anew, not a new function.
  }, [value, delay]);
}

/**
 * The value of an earlier time if it says the same, so that nothing is drawn anew for it.
 *
 * @param value - A value that JSON can hold
 */
export function useSame<T>(value: T): T {
  const kept = useRef(value);
  if (JSON.stringify(kept.current) !== JSON.stringify(value)) {
    kept.current = value;
  }
  return kept.current;
}

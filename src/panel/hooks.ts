// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useRef, useState } from 'react';

import { asApiError } from '../request';

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

/**
 * What the server answered, as far as it has.
 */
export interface IAnswer<T> {
  readonly items: readonly T[];

  /** Whether it is being asked. */
  readonly isReading: boolean;

  /** Why there is no answer; `''` when there is one. */
  readonly error: string;
}

/**
 * What the server answers for a key; of several the last one counts.
 *
 * @param key - What is asked about; `''` asks for nothing
 * @param read - Asks
 */
export function useAnswer<T>(
  key: string,
  read: () => Promise<readonly T[]>
): IAnswer<T> {
  const [answer, setAnswer] = useState<IAnswer<T>>({
    items: [],
    isReading: key !== '',
    error: ''
  });
  useEffect(() => {
    let isWanted = true;
    const set = (fields: Partial<IAnswer<T>>): void => {
      if (isWanted) {
        setAnswer({ items: [], isReading: false, error: '', ...fields });
      }
    };
    set({ isReading: key !== '' });
    if (key !== '') {
      read()
        .then(items => set({ items }))
        .catch(reason => set({ error: asApiError(reason).message }));
    }
    return () => {
      isWanted = false;
    };
    // What is read follows from the key.
  }, [key]);
  return answer;
}

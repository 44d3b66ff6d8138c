// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal } from '@lumino/signaling';

import type { SyncStatus } from '../api/schema';
import type { IHubState } from '../tokens';

/** A name that must never become anything but text. */
export const EVIL = '<img src=x onerror="window.hacked=1">';

/** A workspace whose commits are all on the hub. */
export function aSync(fields: Partial<SyncStatus> = {}): SyncStatus {
  return {
    supported: true,
    remote: {
      url: 'https://hub.example.org',
      project: 'p1',
      name: 'ada/iris',
      user: 'ada'
    },
    activity: 'idle',
    progress: null,
    ahead: 0,
    behind: 0,
    newer: false,
    diverged: false,
    theirs: 'c0ffee00',
    asked: '2026-02-03T04:05:06Z',
    error: '',
    code: '',
    retries: false,
    fetched: null,
    pulled: null,
    ...fields
  };
}

/** What is known of a hub, by hand. */
export class FakeHub implements IHubState {
  constructor(public status: SyncStatus | null) {}

  readonly changed: Signal<IHubState, void> = new Signal<IHubState, void>(this);

  load = jest.fn(async () => undefined);

  set(status: SyncStatus | null): void {
    this.status = status;
    this.changed.emit();
  }
}

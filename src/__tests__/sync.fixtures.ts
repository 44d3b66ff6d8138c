// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal } from '@lumino/signaling';

import type { ProjectClone, SyncStatus } from '../api/schema';
import type { IHubState, IProjectClones } from '../tokens';

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

/** A project that is being cloned. */
export function aClone(fields: Partial<ProjectClone> = {}): ProjectClone {
  return {
    id: 'c1',
    address: 'https://hub.example.org/p1',
    name: 'ada/iris',
    folder: 'team/iris',
    state: 'cloning',
    progress: null,
    message: '',
    code: '',
    ...fields
  };
}

/** What is cloned, by hand. */
export class FakeClones implements IProjectClones {
  items: readonly ProjectClone[] = [];

  readonly changed: Signal<IProjectClones, void> = new Signal<
    IProjectClones,
    void
  >(this);

  set(...items: ProjectClone[]): void {
    this.items = items;
    this.changed.emit();
  }
}

/** What is known of a hub, by hand. */
export class FakeHub implements IHubState {
  constructor(public status: SyncStatus | null) {}

  readonly changed: Signal<IHubState, void> = new Signal<IHubState, void>(this);

  readonly clones = new FakeClones();

  load = jest.fn(async () => undefined);

  set(status: SyncStatus | null): void {
    this.status = status;
    this.changed.emit();
  }
}

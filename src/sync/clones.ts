// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal, type ISignal } from '@lumino/signaling';

import type { ProjectClone } from '../api/schema';
import type {
  IProjectClones,
  IWorkspaceEvent,
  IWorkspaceTracker
} from '../tokens';
import type { SyncClient } from './client';

/**
 * What the server clones from hubs.
 *
 * #### Notes
 * The server goes on when the page is closed or loaded anew, so it is asked what there is at the
 * start, and when it was out of reach; of what changes meanwhile it tells by events.
 */
export class ProjectClonesModel implements IProjectClones {
  /**
   * Ask the server, and listen to it.
   *
   * @param tracker - Hears the server's events
   * @param client - Asks the server
   */
  constructor(
    tracker: IWorkspaceTracker,
    private readonly _client: Pick<SyncClient, 'clones' | 'clone' | 'endClone'>
  ) {
    tracker.elsewhereChanged.connect(this._onElsewhere, this);
    tracker.workspaceChanged.connect(() => {
      const isOffline = tracker.connection === 'offline';
      if (this._wasOffline && !isOffline) {
        void this.load();
      }
      this._wasOffline = isOffline;
    }, this);
    void this.load();
  }

  get items(): readonly ProjectClone[] {
    return this._items;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The clone with that id; undefined when there is none, or none any more. */
  get(id: string): ProjectClone | undefined {
    return this._items.find(each => each.id === id);
  }

  /** Ask the server what there is. */
  async load(): Promise<void> {
    try {
      this._set(await this._client.clones());
    } catch {
      // What is known stays; the panel tells that the server is away.
    }
  }

  /**
   * Begin to clone a project.
   *
   * @param address - The project's address
   * @param folder - Contents path of a new folder
   * @returns The clone, under way
   */
  async begin(address: string, folder: string): Promise<ProjectClone> {
    const clone = await this._client.clone(address, folder);
    // Its end may have been told before the answer came.
    await this.load();
    if (!this.get(clone.id)) {
      this._take(clone);
    }
    return clone;
  }

  /** Stop a clone that is under way, or forget one that has ended. */
  async end(id: string): Promise<void> {
    this._set(await this._client.endClone(id));
  }

  /**
   * Wait for the end of a clone.
   *
   * @returns What came of it; null when somebody dismissed it before
   */
  ended(id: string): Promise<ProjectClone | null> {
    return new Promise(resolve => {
      const look = (): void => {
        const clone = this.get(id);
        if (clone?.state !== 'cloning') {
          this._changed.disconnect(look);
          resolve(clone ?? null);
        }
      };
      this._changed.connect(look);
      look();
    });
  }

  private _onElsewhere(_: IWorkspaceTracker, event: IWorkspaceEvent): void {
    if (event.clone) {
      this._take(event.clone);
    }
  }

  private _take(clone: ProjectClone): void {
    const isKnown = this.get(clone.id) !== undefined;
    this._set(
      isKnown
        ? this._items.map(each => (each.id === clone.id ? clone : each))
        : // One that is begun again is told of once.
          [...this._items.filter(each => each.folder !== clone.folder), clone]
    );
  }

  private _set(items: readonly ProjectClone[]): void {
    if (items.length > 0 || this._items.length > 0) {
      this._items = items;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _items: readonly ProjectClone[] = [];
  private _wasOffline = false;
}

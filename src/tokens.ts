// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { ApiClient, ApiError } from './api/client';
import type {
  DatasetStatus,
  DatasetVersionList,
  ProjectClone,
  Status,
  SyncStatus,
  Workspace
} from './api/schema';

/**
 * The translation domain of the front end.
 */
export const TRANSLATION_DOMAIN = 'dotscience_jupyter';

/**
 * The schema id of the events by which the server tells what changed.
 */
export const EVENT_SCHEMA =
  'https://dotscience-jupyter.readthedocs.io/events/workspace/v1';

/**
 * The MIME type of a published run in a cell's output.
 */
export const RUN_MIME_TYPE = 'application/vnd.dotscience.run.v1+json';

/**
 * What the server says when something happened in a workspace.
 */
export interface IWorkspaceEvent {
  /** Contents path of the workspace's root. */
  readonly workspace: string;

  /** The workspace's id. */
  readonly workspace_id: string;

  /** What happened. */
  readonly action:
    | 'created'
    | 'status'
    | 'committing'
    | 'committed'
    | 'error'
    | 'live'
    | 'sync'
    | 'datasets'
    | 'clone';

  /** The committer's state now. */
  readonly state: 'clean' | 'changed' | 'committing' | 'error';

  /** How many files differ from the newest commit. */
  readonly changed: number;

  /** One sentence for people. */
  readonly message: string;

  /** Id of the newest commit. */
  readonly head: string | null;

  /** Ids of the runs that came with a commit, at most 20. */
  readonly runs: readonly string[];

  /** How many runs came with it. */
  readonly total_runs: number;

  /** How the workspace and its hub stand; only there when the action is `sync`. */
  readonly sync?: SyncStatus;

  /** The datasets of the workspace; only there when the action is `datasets`. */
  readonly datasets?: DatasetStatus;

  /** A project that is cloned into a folder; only there when the action is `clone`. */
  readonly clone?: ProjectClone;
}

/**
 * How the server side is.
 *
 * - `connecting`: not asked yet
 * - `ready`: there, and of our version
 * - `outdated`: there, but of another version than the page
 * - `missing`: the server answers, but the server extension is not in it
 * - `forbidden`: the server does not let this user in
 * - `offline`: the server does not answer
 */
export type Connection =
  'connecting' | 'ready' | 'outdated' | 'missing' | 'forbidden' | 'offline';

/**
 * What the tracker knows of the folder at hand.
 */
export interface IWorkspaceTracker extends IDisposable {
  /** The REST API. */
  readonly client: ApiClient;

  /** How the server side is. */
  readonly connection: Connection;

  /** The last error of the connection or of reading the workspace, if the last try failed. */
  readonly error: ApiError | null;

  /** Contents path of the folder at hand. */
  readonly path: string;

  /** The workspace that holds the folder at hand; null when there is none, or not known yet. */
  readonly workspace: Workspace | null;

  /** Whether the answer of the server for the folder at hand has arrived. */
  readonly isReady: boolean;

  /** Contents path of the folder that 'start tracking' would take; null when none can be. */
  readonly suggestedPath: string | null;

  /** Why there is no suggested path. */
  readonly reason: string;

  /** The state of the workspace; null when there is no workspace, or not known yet. */
  readonly status: Status | null;

  /** Emitted with the new path when the folder at hand changed. */
  readonly pathChanged: ISignal<IWorkspaceTracker, string>;

  /** Emitted when the workspace, what is known of it, or the connection changed. */
  readonly workspaceChanged: ISignal<IWorkspaceTracker, Workspace | null>;

  /** Emitted when the status changed. */
  readonly statusChanged: ISignal<IWorkspaceTracker, Status | null>;

  /** Emitted with the server's event when the runs of the workspace at hand changed; with null when they may have. */
  readonly runsChanged: ISignal<IWorkspaceTracker, IWorkspaceEvent | null>;

  /** Emitted when runs of the workspace at hand that are under way began, went on or ended; at most twice a second. */
  readonly liveChanged: ISignal<IWorkspaceTracker, IWorkspaceEvent>;

  /** Emitted with the server's event when something happened in a workspace that is not at hand. */
  readonly elsewhereChanged: ISignal<IWorkspaceTracker, IWorkspaceEvent>;

  /** Emitted when something changed between the workspace at hand and its hub; at most twice a second. */
  readonly syncChanged: ISignal<IWorkspaceTracker, IWorkspaceEvent>;

  /** Emitted when datasets of the workspace at hand, or what is done with them, changed; at most twice a second. */
  readonly datasetsChanged: ISignal<IWorkspaceTracker, IWorkspaceEvent>;

  /**
   * Ask the server again for everything known of the folder at hand.
   *
   * @param fresh - Have the server look at the folder rather than answer what it last saw
   */
  refresh(fresh?: boolean): Promise<void>;

  /**
   * Make another folder the one at hand.
   *
   * @param path - Contents path of a folder
   */
  setPath(path: string): void;
}

/**
 * The token of the workspace tracker.
 */
export const IWorkspaceTracker = new Token<IWorkspaceTracker>(
  'dotscience-jupyter:IWorkspaceTracker',
  'Knows the tracked folder at hand, its state and the API to ask for its runs.'
);

/**
 * What the server clones from hubs, for whichever workspace is at hand.
 */
export interface IProjectClones {
  /** What is under way, and what has ended and was not dismissed, oldest first. */
  readonly items: readonly ProjectClone[];

  /** Emitted when that changed. */
  readonly changed: ISignal<IProjectClones, void>;
}

/**
 * What is known of the hub of the workspace at hand.
 */
export interface IHubState {
  /** How the workspace and its hub stand; null when there is no workspace, or not known yet. */
  readonly status: SyncStatus | null;

  /** Emitted when that changed. */
  readonly changed: ISignal<IHubState, void>;

  /** What is being cloned from hubs. */
  readonly clones: IProjectClones;

  /** Ask the server how they stand; it does not ask the hub. */
  load(): Promise<void>;
}

/**
 * The token of what is known of the hub.
 */
export const IHubState = new Token<IHubState>(
  'dotscience-jupyter:IHubState',
  'Knows how the workspace at hand and its hub stand to each other.'
);

/**
 * What is known of the datasets of the workspace at hand.
 */
export interface IDatasetsState {
  /** What is attached, and what is done; null when there is no workspace, or not known yet. */
  readonly status: DatasetStatus | null;

  /** Emitted when that changed. */
  readonly changed: ISignal<IDatasetsState, void>;

  /** Ask the server for it. */
  load(): Promise<void>;

  /** A page of the versions of a dataset, newest first. */
  versions(name: string, offset: number): Promise<DatasetVersionList>;
}

/**
 * The token of what is known of the datasets.
 */
export const IDatasetsState = new Token<IDatasetsState>(
  'dotscience-jupyter:IDatasetsState',
  'Knows the datasets that the workspace at hand uses, and their versions.'
);

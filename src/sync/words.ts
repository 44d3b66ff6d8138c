// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { SyncProgress, SyncStatus } from '../api/schema';
import { CommandIDs } from '../commands';
import { formatBytes } from '../run/format';

/** The hub says that it does not know the user, or nobody is logged in there. */
const NOT_LOGGED_IN = new Set(['not_logged_in', 'unauthenticated']);

/** The hub cannot be asked now. */
const AWAY = new Set(['offline', 'busy']);

/** A task has the project to itself, so the hub takes nobody else's commits. */
const LOCKED = 'locked';

/** The user may read the project, and not write to it. */
const READ_ONLY = 'read_only';

/**
 * How a workspace and its hub stand, in a few words.
 */
export interface IHubWords {
  /** For styles: `none`, `busy`, `error`, `diverged`, `waiting` or `same`. */
  readonly state: 'none' | 'busy' | 'error' | 'diverged' | 'waiting' | 'same';

  /** The words. */
  readonly text: string;

  /** Why, and what it means; `''` when there is no more to say. */
  readonly detail: string;

  /** The command that helps; null when nothing needs to be done. */
  readonly command: string | null;
}

/**
 * Say how a workspace and its hub stand.
 *
 * @param status - What the server told
 * @param trans - The translation bundle
 */
export function hubWords(
  status: SyncStatus,
  trans: TranslationBundle
): IHubWords {
  const { activity, code, progress, remote } = status;
  if (!status.supported) {
    return {
      state: 'none',
      text: trans.__('No hub'),
      detail: trans.__(
        'What this snapshot engine keeps cannot be sent to a hub. Commits stay here.'
      ),
      command: null
    };
  }
  if (!remote) {
    return {
      state: status.error ? 'error' : 'none',
      text: trans.__('Not connected to a hub'),
      detail: status.error,
      command: CommandIDs.connectHub
    };
  }
  // What passes by itself is tried again now and then: no word about each attempt.
  const isRetry =
    activity === 'pushing' && !progress && (AWAY.has(code) || code === LOCKED);
  if (activity !== 'idle' && !isRetry) {
    return {
      state: 'busy',
      text: activityWords(activity, progress, trans),
      detail: '',
      command: null
    };
  }
  if (remote.user === null || needsLogin(code)) {
    return {
      state: 'error',
      text: trans.__('Not logged in on the hub'),
      detail: needsLogin(code)
        ? status.error
        : trans.__('Commits stay here until you log in.'),
      command: CommandIDs.connectHub
    };
  }
  if (status.error) {
    return {
      state: code === LOCKED ? 'waiting' : 'error',
      text: errorText(status, trans),
      command: CommandIDs.push,
      detail: status.retries
        ? trans.__('%1 Trying again by itself…', status.error)
        : status.error
    };
  }
  const words = distanceWords(status, trans);
  if (status.diverged) {
    return {
      state: 'diverged',
      text: trans.__('Diverged: %1', words),
      detail: trans.__(
        'Both sides have commits that do not build upon each other, and both are kept. Merge the hub’s into yours.'
      ),
      command: canMerge(status) ? CommandIDs.openMerge : CommandIDs.fetch
    };
  }
  if (status.behind > 0 || status.newer) {
    return {
      state: 'waiting',
      text: words,
      detail: '',
      command: CommandIDs.pull
    };
  }
  if (status.ahead > 0) {
    return {
      state: 'waiting',
      text: words,
      detail: '',
      command: CommandIDs.push
    };
  }
  return {
    state: 'same',
    text: status.asked
      ? trans.__('Everything is on the hub')
      : trans.__('Connected'),
    detail: '',
    command: null
  };
}

/**
 * Whether the hub's newest commit is here and can be merged.
 */
export function canMerge(status: SyncStatus): boolean {
  return status.theirs !== null && status.behind > 0 && !status.newer;
}

/**
 * Whether an error goes away by logging in.
 *
 * @param code - The error's code
 */
export function needsLogin(code: string): boolean {
  return NOT_LOGGED_IN.has(code);
}

/**
 * Whether what is sent to a hub can be read on its way: not encrypted, to another machine.
 *
 * @param url - The hub's address, as somebody types it
 */
export function isExposed(url: string): boolean {
  try {
    const { hostname, protocol } = new URL(url.trim());
    return (
      protocol === 'http:' &&
      !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
    );
  } catch {
    return false;
  }
}

function activityWords(
  activity: SyncStatus['activity'],
  progress: SyncProgress | null,
  trans: TranslationBundle
): string {
  const words =
    activity === 'pushing'
      ? trans.__('Pushing…')
      : activity === 'pulling'
        ? trans.__('Pulling…')
        : trans.__('Fetching…');
  return progressWords(words, progress, trans);
}

/**
 * Say how far what is under way has come.
 *
 * @param words - What is under way
 * @param progress - How far; null when nothing was moved yet
 */
export function progressWords(
  words: string,
  progress: SyncProgress | null,
  trans: TranslationBundle
): string {
  if (!progress) {
    return words;
  }
  return progress.total > 0
    ? trans.__(
        '%1 %2 of %3',
        words,
        formatBytes(progress.done),
        formatBytes(progress.total)
      )
    : trans.__('%1 %2', words, formatBytes(progress.done));
}

function errorText(status: SyncStatus, trans: TranslationBundle): string {
  const text = AWAY.has(status.code)
    ? trans.__('Hub not reached')
    : status.code === LOCKED
      ? trans.__('A task has the project')
      : status.code === READ_ONLY
        ? trans.__('You may only read the project')
        : trans.__('Problem with the hub');
  return status.ahead > 0
    ? trans.__('%1, %2', text, distanceWords(status, trans))
    : text;
}

function distanceWords(status: SyncStatus, trans: TranslationBundle): string {
  const words: string[] = [];
  if (status.ahead > 0) {
    words.push(trans._n('%1 ahead', '%1 ahead', status.ahead));
  }
  if (status.behind > 0) {
    words.push(trans._n('%1 behind', '%1 behind', status.behind));
  } else if (status.newer) {
    words.push(trans.__('behind'));
  }
  return words.join(', ');
}

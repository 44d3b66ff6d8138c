// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  AttachedDataset,
  DatasetStatus,
  DatasetVersion,
  DatasetWork
} from '../api/schema';
import { formatTime, shortId } from '../run/format';

/**
 * How the datasets of a workspace are, in a few words.
 */
export interface IDatasetsWords {
  /** For styles: `none`, `busy`, `error`, `waiting` or `same`. */
  readonly state: 'none' | 'busy' | 'error' | 'waiting' | 'same';

  /** The words. */
  readonly text: string;
}

/**
 * Say how the datasets of a workspace are.
 *
 * @param status - What the server told
 * @param trans - The translation bundle
 */
export function datasetsWords(
  status: DatasetStatus,
  trans: TranslationBundle
): IDatasetsWords {
  const { error, items, work } = status;
  if (work) {
    return { state: 'busy', text: workWords(work, trans) };
  }
  if (items.length === 0) {
    return {
      state: error ? 'error' : 'none',
      text: trans.__('No datasets')
    };
  }
  const words = [trans._n('%1 dataset', '%1 datasets', items.length)];
  const newer = items.filter(each => each.newer).length;
  if (newer > 0) {
    words.push(trans._n('%1 newer version', '%1 newer versions', newer));
  }
  const away = items.filter(each => each.place !== 'there').length;
  if (away > 0) {
    words.push(trans._n('%1 not here', '%1 not here', away));
  }
  return {
    state: error || away ? 'error' : newer ? 'waiting' : 'same',
    text: words.join(', ')
  };
}

function workWords(work: DatasetWork, trans: TranslationBundle): string {
  const { activity, done, name, total } = work;
  const words =
    activity === 'creating'
      ? trans.__('Making %1…', name)
      : activity === 'fetching'
        ? trans.__('Fetching %1…', name)
        : activity === 'saving'
          ? trans.__('Saving %1…', name)
          : trans.__('Attaching %1…', name);
  return total > 0
    ? trans.__('%1 %2 %', words, Math.floor((100 * done) / total))
    : words;
}

/**
 * Which version a dataset shows, in a few words.
 */
export function shownWords(
  dataset: AttachedDataset,
  trans: TranslationBundle
): string {
  const { mode, pinned, version } = dataset;
  if (!version) {
    return pinned ? trans.__('%1, not here', shortId(pinned)) : '';
  }
  const words = versionWords(version, trans);
  return mode === 'write'
    ? trans.__('%1, and what was changed since', words)
    : words;
}

/**
 * A version in a few words: its moment and its short id.
 */
export function versionWords(
  version: DatasetVersion,
  trans: TranslationBundle
): string {
  return trans.__('%1 (%2)', formatTime(version.created), shortId(version.id));
}

/**
 * Whether a dataset can be changed where it is attached.
 */
export function modeWords(
  mode: AttachedDataset['mode'],
  trans: TranslationBundle
): string {
  return mode === 'write' ? trans.__('writable') : trans.__('read-only');
}

/**
 * What is wrong with an attached dataset, and what helps; `''` where nothing is.
 */
export function placeWords(
  dataset: AttachedDataset,
  trans: TranslationBundle
): string {
  switch (dataset.place) {
    case 'lost':
      return trans.__(
        'It is on this machine, but does not appear at its path. Attach it again.'
      );
    case 'absent':
      return dataset.remote
        ? trans.__('It is not on this machine yet. %1 has it.', dataset.remote)
        : dataset.error;
    default:
      return dataset.error;
  }
}
